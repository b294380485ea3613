"""The last things that happened, for whoever looks: a ring that keeps them, and never waits for a reader.

While nobody looks nothing is made for it. It is looked at by readers that are attached (a page that is open), and for
:data:`LOOK` seconds after it was asked for anything. What is told of questions is bounded: a few hundred at once, then
so many a second that answering them costs no more for it; the others are counted, and the readers are told how many.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from labnet.events import Event, Exchange, LogLine
from labnet.interfaces import IEvents
from labnet.net.clocks import ahead

MOST: Final = 5000
"""Events that are kept."""

MOST_BYTES: Final = 16_000_000
"""Bytes of memory that they may take, roughly."""

MOST_LINES: Final = 300
"""Lines of the log that are kept, whoever looks."""

LOOK: Final = 60.0
"""Seconds that somebody counts as looking after what was asked last: a page may be loaded anew."""

TICK: Final = 0.1
"""Seconds between two times that readers hear of what is new."""

READERS_A_TURN: Final = 4
"""Readers that hear of what is new before clients have their turn: to write to a whole class takes milliseconds."""

AT_ONCE: Final = 200
"""Questions that are told of at once, however many come; then :data:`A_TICK` of them each :data:`TICK`."""

A_TICK: Final = 5
READY_AT_ONCE: Final = 100
READY_A_TICK: Final = 2
"""The same of those that are answered at full speed."""

_ENTRY_BYTES: Final = 1000


class Skipped(NamedTuple):
    """So many questions were not told of: more came than can be looked at."""

    time: float
    left_out: int


class Noted(NamedTuple):
    """An event with its number, one more than that of the one before, and by how much wall clocks were ahead then."""

    number: int
    event: Event | Skipped
    ahead: float


class RingReader(Protocol):
    """What hears of new events."""

    def ready(self) -> None:
        """There are new ones."""


@implementer(IEvents)
class Ring:
    """Keeps the last ``most`` events."""

    def __init__(self, clock: IReactorTime, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self.watched = False
        self.wants = False
        self.changed: list[Callable[[bool], object]] = []
        """Called when somebody begins to look (True), and when nobody looks any more (False)."""
        self.origin = ""
        """What stands before every id, to tell the processes of a lab apart."""
        self.last = 0
        """The number of the last event."""
        self._clock = clock
        self.mark: Callable[[Exchange], Exchange] | None = None
        """Says of an exchange what was done to its datagrams on purpose."""
        self._most = most
        self._most_bytes = most_bytes
        self._noted: deque[Noted] = deque()
        self._bytes = 0
        self._exchanges: OrderedDict[str, Noted] = OrderedDict()
        self._lines: deque[Noted] = deque(maxlen=MOST_LINES)
        self._readers: dict[RingReader, None] = {}
        self._until = 0.0
        self._room, self._ready_room = AT_ONCE, READY_AT_ONCE
        self._left_out = 0
        self._ids = 0
        self._told = 0
        self._tick_call: IDelayedCall | None = None
        self._hear_call: IDelayedCall | None = None

    # What happens.

    def take(self, count: int = 1, ready: bool = False) -> int:
        if not self.watched:
            return 0
        room = self._ready_room if ready else self._room
        taken = min(count, room)
        if ready:
            self._ready_room -= taken
        else:
            self._room -= taken
            self.wants = self._room > 0
        self._left_out += count - taken
        return taken

    def new_id(self) -> str:
        self._ids += 1
        return f"{self.origin}{self._ids}"

    def happened(self, event: Event | Skipped) -> None:
        if not (self.watched or isinstance(event, LogLine)):
            return
        self.last += 1
        if isinstance(event, Exchange) and self.mark is not None:
            event = self.mark(event)
        noted = Noted(self.last, event, ahead(self._clock))
        if isinstance(event, LogLine):
            self._lines.append(noted)
        elif isinstance(event, Exchange):
            self._exchanges[event.id] = noted
        self._noted.append(noted)
        self._bytes += _size(event)
        while len(self._noted) > self._most or self._bytes > self._most_bytes:
            old = self._noted.popleft().event
            self._bytes -= _size(old)
            if isinstance(old, Exchange):
                self._exchanges.pop(old.id, None)

    # Who looks.

    def look(self) -> None:
        """Somebody looks, and may look again within :data:`LOOK` seconds."""
        self._until = self._clock.seconds() + LOOK
        if not self.watched:
            self.watched = self.wants = True
            self._room, self._ready_room, self._left_out = AT_ONCE, READY_AT_ONCE, 0
            self._tick_call = self._clock.callLater(TICK, self._tick)
            for changed in self.changed:
                changed(True)

    def attach(self, reader: RingReader) -> None:
        """``reader`` looks from now on, and hears of what is new."""
        self._readers[reader] = None
        self.look()

    def detach(self, reader: RingReader) -> None:
        """``reader`` looks no more."""
        self._readers.pop(reader, None)

    def stop(self) -> None:
        """Nobody looks any more, at once: the lab stops."""
        self._readers.clear()
        self._end()

    def _tick(self) -> None:
        self._tick_call = None
        now = self._clock.seconds()
        if self._readers:
            self._until = now + LOOK
        elif not now < self._until <= now + LOOK:
            self._end()
            return
        self._tick_call = self._clock.callLater(TICK, self._tick)
        self.refill()
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            self.happened(Skipped(now, left_out))
        if self.last != self._told and self._hear_call is None:
            self._told = self.last
            self._hear(list(self._readers))

    def _hear(self, readers: list[RingReader]) -> None:
        self._hear_call = None
        for reader in readers[:READERS_A_TURN]:
            if reader in self._readers:
                reader.ready()
        if len(readers) > READERS_A_TURN:
            self._hear_call = self._clock.callLater(0, self._hear, readers[READERS_A_TURN:])

    def refill(self) -> None:
        """A moment has passed: some more questions may be told of."""
        self._room = min(AT_ONCE, self._room + A_TICK)
        self._ready_room = min(READY_AT_ONCE, self._ready_room + READY_A_TICK)
        self.wants = True

    def _end(self) -> None:
        for call in self._tick_call, self._hear_call:
            if call is not None:
                call.cancel()
        self._tick_call = self._hear_call = None
        if self.watched:
            self.watched = self.wants = False
            for changed in self.changed:
                changed(False)

    # What there is.

    def seconds(self) -> float:
        """The epoch second, as events have it."""
        return self._clock.seconds()

    @property
    def oldest(self) -> int:
        """The number of the oldest event that is kept; where there is none, that of the next one."""
        return self._noted[0].number if self._noted else self.last + 1

    def after(self, number: int, most: int) -> list[Noted]:
        """The first ``most`` of the events behind ``number`` that are kept."""
        skipped = max(0, number + 1 - self.oldest)
        count = len(self._noted)
        if count - skipped <= most:  # those at the end: a deque is slow in its middle
            newest: list[Noted] = []
            for noted in reversed(self._noted):
                if noted.number <= number:
                    break
                newest.append(noted)
            return newest[::-1]
        return [noted for at, noted in enumerate(self._noted) if skipped <= at < skipped + most]

    def exchange(self, id: str) -> Noted | None:
        """The exchange with this ``id``, if it is kept."""
        return self._exchanges.get(id)

    def newest(self, wanted: Callable[[Event | Skipped], bool]) -> Iterator[Noted]:
        """The events that are ``wanted``, the newest first."""
        return (noted for noted in reversed(self._noted) if wanted(noted.event))

    def lines(self) -> Iterable[Noted]:
        """The last lines of the log, the oldest first."""
        return self._lines


def _size(event: Event | Skipped) -> int:
    """Bytes that ``event`` takes, roughly."""
    if not isinstance(event, Exchange):
        return _ENTRY_BYTES
    return _ENTRY_BYTES + 300 * len(event.why) + sum(400 + len(one.data) for one in event.datagrams)
