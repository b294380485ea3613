"""Which clients sent the datagrams of a batch, and which of them may simply be given what is ready."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import Final, Protocol

from labnet.net.batches.batch import Incoming
from labnet.net.kernel.sockaddr import Source, host_of
from labnet.resolver.clients.admission import Admission, Client

_REMEMBERED: Final = 10_000


class Admitting(Protocol):
    """What has the rules."""

    @property
    def admission(self) -> Admission:
        """The rules of now."""


class BatchClients:
    """The clients behind the datagrams of ``incoming``, as the rules that ``admitting`` has see them."""

    def __init__(self, incoming: Incoming, admitting: Admitting) -> None:
        self._in = incoming
        self._admitting = admitting
        self._clients: dict[Source, Client] = {}
        self._unlimited: set[Source] = set()
        self._generation = 0
        self._most_recent: Client | None = None
        """The client that all of most batches are from, if its rate counts."""

    def client(self, slot: int) -> Client | None:
        """Who sent the datagram in ``slot``, if :meth:`rate_limited` was asked for its batch."""
        return self._clients.get(self._in.source(slot))

    def rate_limited(self, count: int, now: float) -> Container[int]:
        """The slots whose clients may not be given what is ready; of the others' rate it is taken.

        Those are clients past their rate at ``now`` (epoch seconds), and clients that may not have every answer.
        """
        admission = self._admitting.admission
        if self._generation != admission.generation or len(self._clients) > _REMEMBERED:
            self._forget()
        if self._in.is_from_most_recent(count):
            recent = self._most_recent
            return () if recent is None or admission.takes(recent, now, count) else range(count)
        sources = self._in.sources(count)
        if self._unlimited.issuperset(sources):
            self._in.set_most_recent(sources[0])
            self._most_recent = None
            return ()
        limited = []
        counter = Counter(sources)
        for source, questions in counter.items():
            client = self._clients.get(source)
            if client is None:
                client = self._clients[source] = admission.client(host_of(source))
                if client.unlimited:
                    self._unlimited.add(source)
            if not (client.gets_ready and admission.takes(client, now, questions)):
                limited.append(source)
            elif len(counter) == 1:
                self._in.set_most_recent(source)
                self._most_recent = client
        return {slot for slot, source in enumerate(sources) if source in limited} if limited else ()

    def _forget(self) -> None:
        """The rules have changed, or the clients are too many."""
        self._generation = self._admitting.admission.generation
        self._clients.clear()
        self._unlimited.clear()
        self._in.set_most_recent(None)
        self._most_recent = None
