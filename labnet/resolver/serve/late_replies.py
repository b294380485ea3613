"""Answers that come later to who asked at a batch port: in batches too.

A port hands a question over with a word of who asked (:class:`Whence`) and gets the reply back with it.
"""

from __future__ import annotations

import contextlib
from typing import Final, NamedTuple, Protocol

from labnet.net.batch import address_in
from labnet.net.mmsg import Outbox
from labnet.resolver.clients.admission import Admission, Client
from labnet.resolver.clients.counts import Counts, asked_in

_LOST: Final = contextlib.suppress(OSError)


class IServed(Protocol):
    """What serves a port."""

    @property
    def admission(self) -> Admission:
        """Counts what is in flight."""

    @property
    def counts(self) -> Counts:
        """Where the answers are counted."""


class IPort(Protocol):
    """The port that was asked at."""

    @property
    def protocol(self) -> IServed:
        """What serves it."""

    def now(self) -> float:
        """The epoch second."""

    def fileno(self) -> int:
        """Its socket."""

    def hand_on(self, datagram: bytes, address: tuple[str, int], taken: bool) -> None:
        """Have the protocol answer ``datagram`` itself."""


class Whence(NamedTuple):
    """Who asked at a port, and when: ``name`` is the address as a struct sockaddr."""

    name: bytes
    client: Client
    came: float


class Asker:
    """A port as those see it who answer later, and many at a time."""

    def __init__(self, port: IPort, name_bytes: int) -> None:
        self.outbox = Outbox(name_bytes)
        self._port = port
        self._whences: list[Whence] = []
        self._questions: list[bytes] = []
        self._replies: list[bytes] = []

    def reply(self, whence: Whence, question: bytes, reply: bytes) -> None:
        """Send ``reply``, a parent's answer to ``question``, with the next :meth:`flush`."""
        self._whences.append(whence)
        self._questions.append(question)
        self._replies.append(reply)

    def flush(self) -> None:
        """Send all replies there are; what the system does not take is as good as lost on the way."""
        whences, questions, replies = self._whences, self._questions, self._replies
        self._whences, self._questions, self._replies = [], [], []
        with _LOST:
            self.outbox.send(self._port.fileno(), replies, [whence.name for whence in whences])
        served, now = self._port.protocol, self._port.now()
        counts, ended = served.counts, served.admission.ended
        cell = counts.cell("udp", "dns", "NOERROR", "parent")
        cell.answered += len(replies)
        for whence in whences:
            ended(whence.client)
            counts.took("parent", max(0.0, now - whence.came))
        if counts.log is not None and (due := counts.sampled(len(replies))):
            for index in range(0, len(replies), len(replies) // due)[:due]:
                whence, asked = whences[index], asked_in(questions[index])
                counts.note(cell, "parent", address_in(whence.name), now, now - whence.came, *asked)

    def go_long(self, whence: Whence, question: bytes) -> None:
        """Have ``question`` answered as any other."""
        self._port.protocol.admission.ended(whence.client)
        self._port.hand_on(question, address_in(whence.name), taken=True)


class IRelays(Protocol):
    """The short ways to the parents (:class:`labnet.resolver.upstream.relay.Relays`)."""

    def take(self, asker: Asker, whence: Whence, question: bytes, now: float) -> bool:
        """Answer ``question`` by ``asker``, now or later, if it can go a short way."""

    def send(self) -> None:
        """Send what was taken."""
