"""Who sent the datagrams of a batch, and who of them may simply be given what is ready."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import Final, Protocol

from labnet.net.batch import Incoming, Source, host_of
from labnet.resolver.clients.admission import Admission, Client

_REMEMBERED: Final = 10_000


class IAdmits(Protocol):
    """What has the rules."""

    @property
    def admission(self) -> Admission:
        """The rules of now."""


class Senders:
    """The clients behind the datagrams of ``incoming``, as the rules that ``admits`` has see them."""

    def __init__(self, incoming: Incoming, admits: IAdmits) -> None:
        self._in = incoming
        self._admits = admits
        self._clients: dict[Source, Client] = {}
        self._free: set[Source] = set()
        self._generation = 0
        self._usual: Client | None = None
        """The sender that all of most batches are from, if his rate counts."""

    def client(self, slot: int) -> Client | None:
        """Who sent the datagram in ``slot``, if :meth:`strangers` was asked for its batch."""
        return self._clients.get(self._in.source(slot))

    def first_is_free(self) -> bool:
        """Whether the first datagram is from one of whom nothing has to be known or counted."""
        return self._generation == self._admits.admission.generation and self._in.source(0) in self._free

    def strangers(self, count: int, now: float) -> Container[int]:
        """The slots of those who may not simply be given what is ready; the rate of the others is taken from."""
        admission = self._admits.admission
        if self._generation != admission.generation or len(self._clients) > _REMEMBERED:
            self._forget()
        if self._in.is_usual(count):
            usual = self._usual
            return () if usual is None or admission.takes(usual, now, count) else range(count)
        sources = self._in.sources(count)
        if self._free.issuperset(sources):
            self._in.usual(sources[0])
            self._usual = None
            return ()
        strange = []
        counter = Counter(sources)
        for source, questions in counter.items():
            client = self._clients.get(source)
            if client is None:
                client = self._clients[source] = admission.client(host_of(source))
                if client.is_free:
                    self._free.add(source)
            if not (client.is_whole and admission.takes(client, now, questions)):
                strange.append(source)
            elif len(counter) == 1:
                self._in.usual(source)
                self._usual = client
        return {slot for slot, source in enumerate(sources) if source in strange} if strange else ()

    def _forget(self) -> None:
        """The rules have changed, or the clients are too many."""
        self._generation = self._admits.admission.generation
        self._clients.clear()
        self._free.clear()
        self._in.usual(None)
        self._usual = None
