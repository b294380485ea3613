"""Datagrams into exchanges: a question, the questions to parents that it causes, their answers, the answer.

It takes packets and reads no clock: what is too old is measured by the packets' own time.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from labnet.capture.model import Dissected
from labnet.capture.packet.applications import ApplicationData
from labnet.wire.types import fold

MOST_OPEN: Final = 1024
"""Questions that may wait for their answer at a time; past it the oldest counts as unanswered."""
PATIENCE: Final = 30_000_000_000
"""Nanoseconds after which a question counts as unanswered."""

MOST_DEPTH: Final = 16
"""Parents of parents that are followed."""

End = tuple[str, int]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ExchangeStep:
    """One datagram of an exchange."""

    frame: int
    time_ns: int
    source: End
    destination: End
    says: str


@dataclass(slots=True)
class CapturedExchange:
    """A question with all that came of it; ``parents`` are the questions that its server asked in turn."""

    protocol: str
    name: str
    question: ExchangeStep
    ident: int | None = None
    rrtype: str = ""
    """The type asked for, of DNS."""
    retries: list[ExchangeStep] = field(default_factory=list)
    parents: list[CapturedExchange] = field(default_factory=list)
    answer: ExchangeStep | None = None
    outcome: str | None = None
    asked_by: CapturedExchange | None = None
    depth: int = 0

    @property
    def client(self) -> End:
        return self.question.source

    @property
    def server(self) -> End:
        return self.question.destination

    def steps(self) -> list[ExchangeStep]:
        """Its datagrams and those of its parents, in the order of their frames."""
        own = [self.question, *self.retries, *([self.answer] if self.answer else [])]
        for parent in self.parents:
            own.extend(parent.steps())
        return sorted(own, key=lambda step: step.frame)


class Exchanges:
    """Groups packets, one after the other, and gives each exchange when it is over."""

    def __init__(self) -> None:
        self._open: dict[tuple[End, End, int | None, str, str], CapturedExchange] = {}
        self._waiting: dict[tuple[End, End], list[CapturedExchange]] = {}
        self._by_name: dict[str, list[CapturedExchange]] = {}

    def expects(self, frame: Dissected) -> bool:
        """Whether a course question waits for a datagram that goes the way of ``frame``."""
        transport = frame.transport
        if not self._waiting or (frame.joined is None and (transport is None or transport.name != "udp")):
            return False
        ends = _ends(frame)
        return ends is not None and any(one.protocol == "Course" for one in self._waiting.get((ends[1], ends[0]), ()))

    def add(self, frame: Dissected, message: ApplicationData) -> Iterator[CapturedExchange]:
        """The exchanges that are over with ``message`` of ``frame``."""
        ends = _ends(frame)
        if ends is None or message.kind not in ("question", "reply") or message.protocol not in ("Course", "DNS"):
            return
        step = ExchangeStep(frame.packet.number, frame.packet.time_ns, *ends, message.says)
        yield from self._expire(step.time_ns)
        if message.kind == "question":
            self._ask(step, message)
        else:
            yield from self._answer(step, message)

    def rest(self) -> Iterator[CapturedExchange]:
        """What is still open at the end of the capture."""
        for exchange in list(self._open.values()):
            yield from self._close(exchange)

    def _ask(self, step: ExchangeStep, message: ApplicationData) -> None:
        name = fold(message.name or "")
        key = (step.source, step.destination, message.ident, name, message.rrtype)
        if key in self._open:
            self._open[key].retries.append(step)
            return
        exchange = CapturedExchange(message.protocol, message.name or "", step, message.ident, message.rrtype)
        exchange.asked_by = self._asker(exchange, name)
        if exchange.asked_by is not None:
            exchange.depth = exchange.asked_by.depth + 1
            exchange.asked_by.parents.append(exchange)
        self._open[key] = exchange
        self._waiting.setdefault((step.source, step.destination), []).append(exchange)
        self._by_name.setdefault(name, []).append(exchange)

    def _asker(self, exchange: CapturedExchange, name: str) -> CapturedExchange | None:
        """The open question for the same name that the asking server was asked, the latest first.

        A server may be asked at one of its addresses and ask from another, so any address will do that is not the
        client's; one machine that is everything, as 127.0.0.1 in the lab, is recognised by its ports.
        """
        named = self._by_name.get(name, ())
        open_ones = [
            one
            for one in named
            if one.depth < MOST_DEPTH
            and one.server != exchange.server
            and (one.rrtype == exchange.rrtype or not (one.rrtype and exchange.rrtype))
        ]
        for other in reversed(open_ones):
            if other.server[0] == exchange.client[0] and exchange.client != other.client:
                return other
        for other in reversed(open_ones):
            if exchange.client[0] != other.client[0]:
                return other
        return None

    def _answer(self, step: ExchangeStep, message: ApplicationData) -> Iterator[CapturedExchange]:
        waiting = self._waiting.get((step.destination, step.source), [])
        for exchange in waiting:
            same_ident = (exchange.ident, exchange.protocol, exchange.rrtype) == (
                message.ident, message.protocol, message.rrtype
            )  # fmt: skip
            if same_ident and (message.name is None or fold(message.name) == fold(exchange.name)):
                exchange.answer, exchange.outcome = step, message.outcome
                yield from self._close(exchange)
                return

    def _close(self, exchange: CapturedExchange) -> Iterator[CapturedExchange]:
        name = fold(exchange.name)
        ways = (exchange.client, exchange.server)
        self._open.pop((*ways, exchange.ident, name, exchange.rrtype), None)
        _drop(self._waiting, ways, exchange)
        _drop(self._by_name, name, exchange)
        if exchange.asked_by is None:
            yield exchange

    def _expire(self, now: int) -> Iterator[CapturedExchange]:
        while self._open:
            oldest = next(iter(self._open.values()))
            if len(self._open) <= MOST_OPEN and now - oldest.question.time_ns <= PATIENCE:
                return
            yield from self._close(oldest)


def _drop(index: dict[K, list[CapturedExchange]], at: K, exchange: CapturedExchange) -> None:
    left = [one for one in index.get(at, ()) if one is not exchange]
    if left:
        index[at] = left
    else:
        index.pop(at, None)


def _ends(frame: Dissected) -> tuple[End, End] | None:
    ports = frame.ports
    if ports is None:
        return None
    return (frame.source, ports[0]), (frame.destination, ports[1])
