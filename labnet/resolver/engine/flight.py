"""A question that is in flight, who waits for it, and which ones give way (:mod:`labnet.resolver.engine.inflight`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import takewhile
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred

from labnet.events import Story
from labnet.wire.types import Answer, Question

MOST_WAITING: Final = 1000
"""Clients that wait for one question at a time; more get SERVFAIL at once."""


class LatePort(Protocol):
    """Where the datagrams of late clients came from; ``origin`` is the port's own word for who sent one."""

    def reply(self, origin: Any, question: bytes, reply: bytes) -> None:
        """Send ``reply`` to ``question`` with the next :meth:`flush`."""

    def flush(self) -> None:
        """Send what is left."""

    def go_full(self, origin: Any, question: bytes) -> None:
        """Have ``question`` answered on the full path."""

    def give_way(self, origin: Any, question: bytes, answer: Answer) -> None:
        """Send ``answer``: ``question`` gives way to others."""


LateClient = tuple[LatePort, Any, bytes, int, Any]
"""A client of the fast path: its port and origin, its question as it came, where the name in that ends, and the shape
of its reply. It is no class of its own, because there is one for each question."""


class Flight:
    """One question that a parent is being asked since the epoch second ``since``, and who waits for it.

    ``forwarder`` is who passed it on while it is on the fast path; ``section`` is then the question as the parent got
    it, bit by bit. ``network`` is that of the client who asked first, empty where none did. ``story`` is what is noted
    of it, where anybody watches.
    """

    __slots__ = ("answer", "forwarder", "late", "network", "question", "section", "since", "story", "waiting", "walk")

    def __init__(self, question: Question, since: float, forwarder: Any = None, network: bytes = b"") -> None:
        self.question = question
        self.since = since
        self.forwarder = forwarder
        self.network = network
        self.section = b""
        self.late: list[LateClient] = []
        # A list for each would keep the garbage collector busy.
        self.waiting: list[Deferred[Answer]] | tuple[()] = ()
        self.walk: Deferred[None] | None = None
        self.answer: Answer | None = None
        self.story: Story | None = None

    @property
    def is_crowded(self) -> bool:
        """Whether as many clients wait for it as may."""
        return len(self.late) + len(self.waiting) >= MOST_WAITING

    def wait(self, story: Story | None = None) -> Deferred[Answer]:
        """One more client of the full path; fires with the answer, never fails. Its ``story`` gets the flight's."""
        waiting: Deferred[Answer] = Deferred()
        if story is not None and self.story is not None:
            waiting.addCallback(_with_steps, story, self.story)
        if self.waiting:
            self.waiting.append(waiting)
        else:
            self.waiting = [waiting]
        return waiting


def slow_ones(flights: Collection[Flight], before: float) -> list[Flight]:
    """Of ``flights``, in the order in which they began, those that began ``before`` an epoch second, to give way first.

    They are of the network that has most of all among those that have any.
    """
    slow = list(takewhile(lambda flight: flight.since < before, flights))
    if not slow:
        return slow
    counts = Counter([flight.network for flight in flights])
    most = max([counts[flight.network] for flight in slow])
    return [flight for flight in slow if counts[flight.network] == most]


def _with_steps(answer: Answer, story: Story, flight: Story) -> Answer:
    story.steps += flight.steps
    return answer
