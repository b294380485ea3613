"""What a ladder shows, as plain values: columns, arrows, headings between them, and bars along a column."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from labnet.wire.quoting import quoted

MOST_ROWS: Final = 200
"""Rows of one ladder; a longer one says how many more there are."""


class ArrowKind(StrEnum):
    """What became of a datagram or segment; the value is its class in the picture."""

    SENT = "sent"
    RETRY = "retry"
    JOINED = "joined"
    SILENCE = "silence"
    IGNORED = "ignored"
    DROPPED = "dropped"
    REFUSED = "refused"
    LIMITED = "limited"


STOPPED: Final = frozenset({ArrowKind.IGNORED, ArrowKind.DROPPED, ArrowKind.REFUSED, ArrowKind.LIMITED})
"""Kinds that end in a mark in place of an arrow head."""

MEANING: Final = {
    ArrowKind.SENT: "",
    ArrowKind.RETRY: "asked again",
    ArrowKind.JOINED: "joins the same question in flight",
    ArrowKind.SILENCE: "silence",
    ArrowKind.IGNORED: "thrown away",
    ArrowKind.DROPPED: "dropped",
    ArrowKind.REFUSED: "refused",
    ArrowKind.LIMITED: "over its rate",
}
"""What each kind is for readers who see no line and no colour."""


@dataclass(frozen=True, slots=True)
class Column:
    """A host: its ``role`` ("client", "resolver main"), and where it is."""

    role: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """One datagram or segment from column ``start`` to column ``end``.

    ``says`` stands on it and ``detail`` below. Of a silence, ``start`` is who waited and ``end`` who was waited for.
    ``fault`` names the fault on order that was done to it. A click opens the datagram ``number`` of ``exchange``, or
    what happened in ``session``.
    """

    time_ns: int
    start: int
    end: int
    says: str
    detail: str = ""
    kind: ArrowKind = ArrowKind.SENT
    fault: str = ""
    exchange: str = ""
    number: int = 0
    session: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """What the arrows below it belong to; their times count from ``time_ns``."""

    time_ns: int
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """Along a column, from row ``first`` to row ``last``: the host waits for somebody else's answer."""

    column: int
    first: int
    last: int


Row = Arrow | Heading


@dataclass(slots=True)
class Ladder:
    """All that one picture shows; ``more`` rows had no place."""

    title: str
    columns: list[Column] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    more: int = 0

    def add(self, row: Row) -> None:
        """Add a row, if there is room."""
        if len(self.rows) < MOST_ROWS:
            self.rows.append(row)
        else:
            self.more += 1

    @property
    def arrows(self) -> list[Arrow]:
        """The rows without the headings."""
        return [row for row in self.rows if isinstance(row, Arrow)]

    def timed(self) -> Iterator[tuple[Row, int]]:
        """Each row with its nanoseconds since the heading before it, or since the first arrow where there is none."""
        zero = self.rows[0].time_ns if self.rows else 0
        for row in self.rows:
            if isinstance(row, Heading):
                zero = row.time_ns
            yield row, row.time_ns - zero

    def sentence(self, arrow: Arrow, after_ns: int) -> str:
        """The arrow in words, for who cannot see it."""
        start, end = self.columns[arrow.start].role, self.columns[arrow.end].role
        way = f"{start} waits for {end}" if arrow.kind is ArrowKind.SILENCE and arrow.start != arrow.end else start
        if arrow.start != arrow.end and arrow.kind is not ArrowKind.SILENCE:
            way = f"{start} to {end}"
        fault = f"fault {arrow.fault}" if arrow.fault else ""
        told = "; ".join(filter(None, (arrow.says, MEANING[arrow.kind], fault, arrow.detail)))
        return quoted(f"{milliseconds(after_ns)}: {way}: {told}")


def milliseconds(nanoseconds: int) -> str:
    """A time between two rows: in microseconds below a tenth of a second, in tenths of milliseconds below a second."""
    if abs(nanoseconds) < 1_000_000_000:
        return f"{nanoseconds / 1e6:.{3 if abs(nanoseconds) < 100_000_000 else 1}f} ms"
    return f"{nanoseconds / 1e9:.3f} s"


def cells(text: str) -> int:
    """How many places of a fixed width ``text`` takes: none for a combining mark, two for an ideograph."""
    if text.isascii():
        return len(text)
    return sum(_cells(sign) for sign in text)


def _cells(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def cut(text: str, room: int) -> str:
    """``text``, made harmless, in at most ``room`` places; what is longer ends in a mark."""
    text = quoted(text)
    if cells(text) <= room:
        return text
    taken, used = [], 0
    for sign in text:
        used += _cells(sign)
        if used > room - 1:
            break
        taken.append(sign)
    return "".join(taken) + "…"
