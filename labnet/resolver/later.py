"""Answers that come later to who asked at a batch port: in batches too.

A port hands a question over with a word of who asked (:class:`Whence`) and gets the reply back with it.
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple, Protocol

from labnet.resolver.admission import Admission, Client
from labnet.resolver.batches import address_in
from labnet.resolver.counts import Counts, asked_in
from labnet.resolver.mmsg import Outbox


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

    def reply(self, whence: Whence, question: bytes, reply: bytes) -> None:
        """Send ``reply``, a parent's answer to ``question``, at the latest with the next :meth:`flush`."""
        self._port.protocol.admission.ended(whence.client)
        if self.outbox.put(reply, whence.name):
            self.flush()
        counts = self._port.protocol.counts
        now = self._port.now()
        cell = counts.cell("udp", "dns", "NOERROR", "parent")
        cell.answered += 1
        counts.took("parent", max(0.0, now - whence.came))
        if counts.log is not None and counts.sampled():
            counts.note(cell, "parent", address_in(whence.name), now, now - whence.came, *asked_in(question))

    def flush(self) -> None:
        """Send what is left; what the system does not take is as good as lost on the way."""
        with contextlib.suppress(OSError):
            self.outbox.send(self._port.fileno())

    def go_long(self, whence: Whence, question: bytes) -> None:
        """Have ``question`` answered as any other."""
        self._port.protocol.admission.ended(whence.client)
        self._port.hand_on(question, address_in(whence.name), taken=True)


class IRelays(Protocol):
    """The short ways to the parents (:class:`labnet.resolver.relay.Relays`)."""

    def take(self, asker: Asker, whence: Whence, question: bytes, now: float) -> bool:
        """Answer ``question`` by ``asker``, now or later, if it can go a short way."""

    def send(self) -> None:
        """Send what was taken."""
