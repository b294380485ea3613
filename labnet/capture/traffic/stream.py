"""One direction of a TCP connection: which bytes are in the capture, which came in order, and what each segment is.

Sequence numbers are counted from the first byte of data that is known of, so a connection may carry up to 2 GiB.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

MOST_PENDING: Final = 64
"""Segments that wait for an earlier one, and stretches of bytes that stay apart."""

MOST_PENDING_BYTES: Final = 16_000_000
"""Bytes of all connections that wait for an earlier segment; more are as if the capture did not have them."""


class Arrival(Enum):
    """What a segment with data is, beside those before it."""

    NEW = "new"
    AGAIN = "sends again what was there already (a retransmission)"
    PARTLY_AGAIN = "sends again a part of what was there already (a partial overlap)"
    FILLS = "sends what was missing before (a retransmission that fills a gap)"
    EARLY = "sends out of order: bytes before these are missing so far"
    KEEP_ALIVE = "keeps the connection alive (a keep-alive, no new data)"
    PROBE = "asks whether there is room again (a zero-window probe)"


@dataclass(slots=True)
class Waiting:
    """How many bytes of all connections wait for an earlier segment."""

    size: int = 0


@dataclass(slots=True)
class Stream:
    """One direction. Offsets are bytes from ``base``, the sequence number of the first byte of data.

    What waits for an earlier segment counts in ``waiting``, until :meth:`release`.
    """

    waiting: Waiting = field(default_factory=Waiting)
    base: int | None = None
    following: int = 0
    """The next offset in order."""
    covered: list[tuple[int, int]] = field(default_factory=list)
    """Stretches of offsets whose bytes the capture has, in order and apart from each other."""
    pending: dict[int, bytes] = field(default_factory=dict)
    end: int | None = None
    """The offset behind the last byte, where the FIN says it."""
    window: int = -1
    """The last window that this side advertised, without its scale; -1 before any."""
    acknowledged: tuple[int, int] = (-1, -1)
    """The last acknowledgement number and window of a segment without data."""
    repeats: int = 0
    """How often that was repeated."""

    def start(self, sequence: int) -> None:
        """The first byte of data has this number: the one behind the SYN."""
        self.base = sequence % 2**32

    def offset(self, sequence: int) -> int:
        """The offset of the byte with that number; before the first byte it is negative."""
        if self.base is None:
            self.base = sequence
        return (sequence - self.base + 2**31) % 2**32 - 2**31

    @property
    def seen(self) -> int:
        """Bytes of data that the capture has."""
        return sum(stop - start for start, stop in self.covered)

    @property
    def total(self) -> int:
        """Bytes of data that this side sent, by the sequence numbers."""
        last = max((stop for _, stop in self.covered), default=0)
        first = min((start for start, _ in self.covered), default=0)
        return max(last, self.end or 0, 0) - min(0, first)

    def take(self, sequence: int, data: bytes, size: int, peer_window: int) -> tuple[bytes, Arrival]:
        """The bytes that are next in order because of this segment, and what it is.

        ``size`` is how many bytes it had, of which a snap length may have left fewer in ``data``; ``peer_window`` is
        what the other side advertised last.
        """
        at = self.offset(sequence)
        if size <= 1 and at == self.following - 1 and self.covered:
            return b"", Arrival.KEEP_ALIVE
        if size == 1 and peer_window == 0 and at == self.following:
            return b"", Arrival.PROBE
        highest = self.covered[-1][1] if self.covered else at
        overlap = sum(max(0, min(stop, at + size) - max(start, at)) for start, stop in self.covered)
        self._cover(at, at + size)
        if overlap == size:
            return b"", Arrival.AGAIN
        if at > self.following:
            if len(self.pending) < MOST_PENDING and self.waiting.size + len(data) <= MOST_PENDING_BYTES:
                self.waiting.size += len(data) - len(self.pending.get(at, b""))
                self.pending[at] = data
            return b"", Arrival.EARLY if at >= highest else Arrival.FILLS
        arrival = Arrival.PARTLY_AGAIN if overlap else Arrival.NEW if at >= highest else Arrival.FILLS
        return self._ready(at, data, size), arrival

    def release(self) -> None:
        """Nothing follows: forget what waits."""
        self.waiting.size -= sum(map(len, self.pending.values()))
        self.pending.clear()

    def _ready(self, at: int, data: bytes, size: int) -> bytes:
        behind = self.following - at
        if behind >= size:
            return b""  # it was sent before the capture began to follow
        ready = [data[behind:]]
        self.following = at + size
        while (waiting := self.pending.pop(self.following, None)) is not None:
            self.waiting.size -= len(waiting)
            ready.append(waiting)
            self.following += len(waiting)
        return b"".join(ready)

    def _cover(self, start: int, stop: int) -> None:
        """Add a stretch; where there are too many, the two earliest count as one."""
        apart = [one for one in self.covered if one[1] < start or one[0] > stop]
        touching = [one for one in self.covered if not (one[1] < start or one[0] > stop)]
        start = min([start, *(one[0] for one in touching)])
        stop = max([stop, *(one[1] for one in touching)])
        self.covered = sorted([*apart, (start, stop)])
        if len(self.covered) > MOST_PENDING:
            self.covered[:2] = [(self.covered[0][0], self.covered[1][1])]
