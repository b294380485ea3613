"""Replies to clients of a batch port that come later than their batch: in batches too.

A port hands a question over with a word of who asked (:data:`Origin`) and gets the reply back with it.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final, Protocol

from labnet.net.batches.mmsg import Outbox
from labnet.net.kernel.sockaddr import address_in
from labnet.resolver.clients.admission import Ticket
from labnet.resolver.clients.counts import Counts, asked_in
from labnet.wire.types import Answer

_LOST: Final = contextlib.suppress(OSError)


class Counting(Protocol):
    """What serves a port."""

    transport: Any
    """The port."""

    @property
    def counts(self) -> Counts:
        """Where the answers are counted."""


class AskedPort(Protocol):
    """The port that was asked at."""

    @property
    def protocol(self) -> Counting:
        """What serves it."""

    def now(self) -> float:
        """The epoch second."""

    def fileno(self) -> int:
        """Its socket."""

    def hand_on(self, datagram: bytes, address: tuple[str, int], taken: bool) -> None:
        """Have the protocol answer ``datagram`` itself."""

    def fail(self, datagram: bytes, address: tuple[str, int], answer: Answer | None) -> None:
        """Have the protocol say that ``datagram`` gave way, with ``answer`` if there is one."""


Origin = tuple[bytes, Ticket, float]
"""Who asked at a port, and when: a struct sockaddr, the client's ticket, and the epoch second.

Behind the struct sockaddr is control data where the port is on all addresses. It is no class of its own, because there
is one for each question.
"""


class LateReplies:
    """Sends late replies of ``port`` by ``outbox``."""

    def __init__(self, port: AskedPort, outbox: Outbox) -> None:
        self.outbox = outbox
        self._port = port
        self._origins: list[Origin] = []
        self._questions: list[bytes] = []
        self._replies: list[bytes] = []

    def reply(self, origin: Origin, question: bytes, reply: bytes) -> None:
        """Send ``reply``, a parent's answer to ``question``, with the next :meth:`flush`."""
        self._origins.append(origin)
        self._questions.append(question)
        self._replies.append(reply)

    def flush(self) -> None:
        """Send all replies there are; what the system does not take is as good as lost on the way."""
        origins, questions, replies = self._origins, self._questions, self._replies
        self._origins, self._questions, self._replies = [], [], []
        with _LOST:
            self.outbox.send(self._port.fileno(), replies, [name for name, _, _ in origins])
        counts, now = self._port.protocol.counts, self._port.now()
        cell = counts.cell("udp", "dns", "NOERROR", "parent")
        cell.answered += len(replies)
        since, together = now, 0  # those that came in one batch took the same time
        for _, ticket, came in origins:
            ticket.give_back()
            if came != since:
                counts.took("parent", max(0.0, now - since), together)
                since, together = came, 0
            together += 1
        counts.took("parent", max(0.0, now - since), together)
        for index in counts.sample(len(replies)):
            name, _, came = origins[index]
            ends = address_in(name), self._port.protocol.transport
            counts.note(cell, "parent", ends, (came, now), asked_in(questions[index]), replies[index])

    def go_full(self, origin: Origin, question: bytes) -> None:
        """Have ``question`` answered on the full path."""
        name, ticket, _ = origin
        ticket.give_back()
        self._port.hand_on(question, address_in(name), taken=True)

    def give_way(self, origin: Origin, question: bytes, answer: Answer) -> None:
        """Send ``answer``: ``question`` gives way to others."""
        name, ticket, _ = origin
        ticket.give_back()
        self._port.fail(question, address_in(name), answer)
