"""What one resolver counts of its questions: by what became of them, how long that took, and why some got no answer.

Counting is one addition to an integer. Whoever answers holds the :class:`Cell` of its labels; nothing is looked up and
nothing is published until it is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from labnet.interfaces import UNWATCHED, AnsweredQuery, IEvents, IQueryLog
from labnet.metrics import Histogram, Sample
from labnet.wire.dns_request import decode_query
from labnet.wire.types import Answer, InfoCode

READY: Final = "ready"
"""The source of an answer that was given from its bytes, without a look at records or cache."""

FOUND: Final = "found"
UNKNOWN: Final = "unknown"
"""The results of the course protocol; those of DNS are its RCODEs."""

_NONE: Final = range(0)
_STALE: Final = frozenset((InfoCode.STALE_ANSWER, InfoCode.STALE_NXDOMAIN))


class Cell:
    """How many questions had these labels, and how many of them were answered by a ready answer."""

    __slots__ = ("answered", "protocol", "ready", "result", "source", "transport")

    def __init__(self, transport: str, protocol: str, result: str, source: str) -> None:
        self.transport = transport
        self.protocol = protocol
        self.result = result
        self.source = source
        self.answered = 0
        self.ready = 0


class Counts:
    """The counts of the resolver ``name``; ``log`` is the query log, if there is one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lost: Counter[str] = Counter()
        """Questions without an answer of their own, by why: denied, refused, rate, slipped, in_flight, malformed."""
        self.log: IQueryLog | None = None
        self.events: IEvents = UNWATCHED
        """Where each question is told, for whoever watches."""
        self.ready_seconds = Histogram()
        self._cells: dict[tuple[str, str, str, str], Cell] = {}
        self._seconds: dict[str, Histogram] = {}
        self._share = 0.0

    def cell(self, transport: str, protocol: str, result: str, source: str) -> Cell:
        """Where questions with these labels are counted."""
        labels = (transport, protocol, result, source)
        cell = self._cells.get(labels)
        if cell is None:
            cell = self._cells[labels] = Cell(*labels)
        return cell

    def took(self, source: str, seconds: float) -> None:
        """A question that is answered from ``source`` took ``seconds``."""
        histogram = self._seconds.get(source)
        if histogram is None:
            histogram = self._seconds[source] = Histogram()
        histogram.observe(seconds)

    def answered(
        self, cell: Cell, client: tuple[str, int], came: float, now: float, asked: Callable[[], tuple[str, str]]
    ) -> None:
        """A question of ``client`` that ``came`` at an epoch second is answered ``now``; logged if it is its turn.

        ``asked`` gives name and type, as text, for the query log alone.
        """
        cell.answered += 1
        self.took(cell.source, max(0.0, now - came))
        for _ in self.sample():
            self.note(cell, cell.source, client, now, now - came, asked())

    def answered_ready(self, cell: Cell, client: tuple[str, int], came: float, now: float, datagram: bytes) -> None:
        """``datagram`` of ``client``, that ``came`` at an epoch second, was answered ``now`` by a ready answer."""
        cell.ready += 1
        self.ready_seconds.observe(max(0.0, now - came))
        for _ in self.sample():
            self.note(cell, READY, client, now, now - came, asked_in(datagram))

    def answered_by_stream(self, cell: Cell, client: tuple[str, int], came: float, now: float, message: bytes) -> None:
        """``message`` of ``client`` by TCP was answered ``now`` by a ready answer, which by UDP counts in ``cell``."""
        cell = self.cell("tcp", cell.protocol, cell.result, READY)
        cell.answered += 1
        self.ready_seconds.observe(max(0.0, now - came))
        for _ in self.sample():
            self.note(cell, READY, client, now, now - came, asked_in(message))

    def sample(self, questions: int = 1) -> range:
        """Which of ``questions`` more, by their numbers, the query log is to have: its share of all, spread evenly."""
        if self.log is None:
            return _NONE
        self._share += questions * self.log.share
        due = int(self._share)
        self._share -= due
        return range(0, questions, max(1, questions // due))[:due] if due else _NONE

    def note(
        self, cell: Cell, source: str, client: tuple[str, int], now: float, seconds: float, asked: tuple[str, str]
    ) -> None:
        """Bring a question for ``asked``, a name and a type, that was answered ``now`` into the query log."""
        if self.log is not None:
            labels = cell.transport, cell.protocol, *asked, cell.result, source
            self.log.query_log(AnsweredQuery(now, *client, *labels, max(0.0, seconds)))

    def samples(self) -> Iterator[Sample]:
        """What was counted so far."""
        found: Counter[tuple[str, str, str, str]] = Counter()
        for cell in self._cells.values():
            found[cell.transport, cell.protocol, cell.result, cell.source] += cell.answered
            found["udp", cell.protocol, cell.result, READY] += cell.ready
        for labels, count in found.items():
            if count:
                yield Sample("labnet_queries_total", (self.name, *labels), count)
        for source, histogram in {READY: self.ready_seconds, **self._seconds}.items():
            yield histogram.sample("labnet_query_seconds", self.name, source)
        for reason, count in self.lost.items():
            yield Sample("labnet_queries_dropped_total", (self.name, reason), count)


def asked_in(datagram: bytes) -> tuple[str, str]:
    """The name and the type that a question asks for, which has had an answer, for the query log."""
    if b"\0" not in datagram:
        return datagram.decode(errors="backslashreplace").strip(), "A"
    return decode_query(datagram).as_text()


def source_of(answer: Answer, asked: bool) -> str:
    """Where an answer comes from, in one word for the labels; ``asked`` says whether a parent was asked for it."""
    if any(error.code in _STALE for error in answer.errors):
        return "stale"
    if asked:
        return "parent"
    if answer.until == float("inf"):
        return "records"
    return "cache" if answer.origin else "none"
