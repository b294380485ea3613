"""What one resolver counts of its questions: by what became of them, how long that took, and why some got no answer.

Counting is one addition to an integer. Whoever answers holds the :class:`Cell` of its labels; nothing is looked up and
nothing is published until it is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from labnet.events import End, end_of
from labnet.interfaces import UNWATCHED, AnsweredQuery, IEvents, IQueryLog
from labnet.metrics import Histogram, Sample
from labnet.net.addresses import address_text
from labnet.resolver.clients.refusals import RefusedClients
from labnet.resolver.clients.transport import Transport
from labnet.wire.dns_request import decode_query
from labnet.wire.names import key_of
from labnet.wire.reply_text import told_in
from labnet.wire.types import Answer, BlockedAnswer, InfoCode, Question, RRType

READY: Final = "ready"
"""The source of an answer that was given from its bytes, without a look at records or cache."""

BLOCKED: Final = "blocked"
"""The source of an answer that a list gave."""

DROPPED: Final = "list"
"""The reason of a question that a list has dropped."""

FOUND: Final = "found"
UNKNOWN: Final = "unknown"
"""The results of the course protocol; those of DNS are its RCODEs."""

Ends = tuple[End, Any]
"""A client, and the transport of the port or connection by which it asked."""

Times = tuple[float, float]
"""The epoch seconds at which a question came and was answered."""

AskedText = tuple[str, str, Question]
"""A name and a type as text, and the question that they are."""

_NONE: Final = range(0)
_OWN: Final = frozenset(("records", "none", BLOCKED))
"""The sources that no parent is behind."""
_STALE: Final = frozenset((InfoCode.STALE_ANSWER, InfoCode.STALE_NXDOMAIN))


class Cell:
    """How many questions had these labels, and how many of them were answered by a ready answer.

    ``by`` is the list that they were answered by, empty where none was.
    """

    __slots__ = ("answered", "by", "protocol", "ready", "result", "source", "transport")

    def __init__(self, transport: str, protocol: str, result: str, source: str, by: str = "") -> None:
        self.transport = transport
        self.protocol = protocol
        self.result = result
        self.source = source
        self.by = by
        self.answered = 0
        self.ready = 0


class Counts:
    """The counts of the resolver ``name``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lost: Counter[str] = Counter()
        """Questions without an answer of their own, by why: denied, refused, rate, slipped, in_flight, malformed."""
        self.log: IQueryLog | None = None
        """The query log, if there is one."""
        self.events: IEvents = UNWATCHED
        """Where each question is told, for whoever watches."""
        self.parent_of: Callable[[Question], str] = lambda question: ""
        """Says which parent told what is known about a question, "" where none did."""
        self.security_of: Callable[[Question], str] = lambda question: ""
        """Says what validation found of what is known about a question, "" where nothing was validated."""
        self.ready_seconds = Histogram()
        self._dropped: Counter[str] = Counter()
        self._cells: dict[tuple[str, str, str, str, str], Cell] = {}
        self._seconds: dict[str, Histogram] = {}
        self._share = 0.0
        self._refusals = RefusedClients(name)

    def refused(self, host: str, now: float) -> None:
        """A question or a connection of ``host``, which is not allowed, is refused ``now``."""
        self.lost["refused"] += 1
        self._refusals.note(host, now)

    def dropped(self, by: str) -> None:
        """A question is dropped, as the list ``by`` says."""
        self.lost[DROPPED] += 1
        self._dropped[by] += 1

    def cell(self, transport: str, protocol: str, result: str, source: str, by: str = "") -> Cell:
        """Where questions with these labels are counted, those answered by a list each with its own."""
        labels = (transport, protocol, result, source, by)
        cell = self._cells.get(labels)
        if cell is None:
            cell = self._cells[labels] = Cell(*labels)
        return cell

    def took(self, source: str, seconds: float, questions: int = 1) -> None:
        """So many ``questions`` that are answered from ``source`` took ``seconds`` each."""
        histogram = self._seconds.get(source)
        if histogram is None:
            histogram = self._seconds[source] = Histogram()
        histogram.observe(seconds, questions)

    def answered(
        self, cell: Cell, ends: Ends, times: Times, asked: Callable[[], AskedText], reply: bytes, origin: str = ""
    ) -> None:
        """A question was answered by ``reply``; ``asked`` gives it. ``origin`` says where the answer comes from."""
        came, now = times
        cell.answered += 1
        self.took(cell.source, max(0.0, now - came))
        for _ in self.sample():
            self.note(cell, cell.source, ends, times, asked(), reply, origin)

    def answered_ready(self, cell: Cell, ends: Ends, times: Times, question: bytes, reply: bytes) -> None:
        """``question`` was answered by a ready ``reply``."""
        cell.ready += 1
        came, now = times
        self.ready_seconds.observe(max(0.0, now - came))
        for _ in self.sample():
            self.note(cell, READY, ends, times, asked_in(question), reply)

    def answered_by_stream(
        self, answered: Sequence[tuple[bytes, bytes, Cell]], transport: Transport, ends: Ends, times: Times
    ) -> None:
        """Questions by ``transport`` were answered, each by its ready reply, and by UDP it counts in its cell."""
        came, now = times
        self.ready_seconds.observe(max(0.0, now - came), len(answered))
        cells = [one[2] for one in answered]
        for cell in set(cells):
            self._by_stream(cell, transport).answered += cells.count(cell)
        for number in self.sample(len(answered)):
            question, reply, cell = answered[number]
            self.note(self._by_stream(cell, transport), READY, ends, times, asked_in(question), reply)

    def _by_stream(self, cell: Cell, transport: Transport) -> Cell:
        return self.cell(transport.label, cell.protocol, cell.result, READY)

    def sample(self, questions: int = 1) -> range:
        """Which of ``questions`` more, by their numbers, the query log is to have: its share of all, spread evenly."""
        if self.log is None:
            return _NONE
        self._share += questions * self.log.share
        due = int(self._share)
        self._share -= due
        return range(0, questions, max(1, questions // due))[:due] if due else _NONE

    def note(
        self, cell: Cell, source: str, ends: Ends, times: Times, asked: AskedText, reply: bytes, origin: str = ""
    ) -> None:
        """Bring a question that ``reply`` was given to into the query log."""
        if self.log is None:
            return
        (host, port), transport = ends
        listener = address_text(*end_of(None if transport is None else transport.getHost()))
        came, now = times
        name, rrtype, question = asked
        answer, ttl = told_in(reply)
        parent = ""
        if cell.source not in _OWN:
            parent = self.parent_of(question) or (origin.removeprefix("from ") if source == "parent" else "")
        self.log.query_log(
            AnsweredQuery(
                now,
                self.name,
                listener,
                host,
                port,
                cell.transport,
                cell.protocol,
                name,
                rrtype,
                cell.result,
                source,
                answer,
                ttl,
                parent,
                max(0.0, now - came),
                cell.by,
                "" if cell.by or cell.source == "records" else self.security_of(question),
            )
        )

    def samples(self) -> Iterator[Sample]:
        """What was counted so far."""
        found: Counter[tuple[str, str, str, str]] = Counter()
        blocked = self._dropped.copy()
        for cell in self._cells.values():
            if cell.by:
                blocked[cell.by] += cell.answered + cell.ready
            found[cell.transport, cell.protocol, cell.result, cell.source] += cell.answered
            found["udp", cell.protocol, cell.result, READY] += cell.ready
        for labels, count in found.items():
            if count:
                yield Sample("labnet_queries_total", (self.name, *labels), count)
        for by, count in blocked.items():
            yield Sample("labnet_blocked_total", (self.name, by), count)
        for source, histogram in {READY: self.ready_seconds, **self._seconds}.items():
            yield histogram.sample("labnet_query_seconds", self.name, source)
        for reason, count in self.lost.items():
            yield Sample("labnet_queries_dropped_total", (self.name, reason), count)


def asked_in(datagram: bytes) -> AskedText:
    """The name and the type that a question asks for, which has had an answer, as text and as a question."""
    if datagram[4:5] != b"\0":
        name = datagram.decode(errors="backslashreplace").strip()
        return name, "A", Question(key_of(name), RRType.A)
    return decode_query(datagram).as_asked()


def by_of(answer: object) -> str:
    """The list that gave ``answer``; empty where none did."""
    return answer.by if isinstance(answer, BlockedAnswer) else ""


def source_of(answer: Answer, asked: bool) -> str:
    """Where an answer comes from, in one word for the labels; ``asked`` says whether a parent was asked for it."""
    if isinstance(answer, BlockedAnswer):
        return BLOCKED
    if any(error.code in _STALE for error in answer.errors):
        return "stale"
    if asked:
        return "parent"
    if answer.until == float("inf"):
        return "records"
    return "cache" if answer.origin else "none"
