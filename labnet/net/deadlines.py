"""Time-outs for any number of sessions with one timer."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T", bound=Hashable)


class Deadlines(Generic[T]):
    """Calls ``expire(item)`` once ``seconds`` have passed since the item was last touched.

    A touch is one dictionary store. The timer looks at all items when the earliest is due, but no oftener than sixty
    times in ``seconds``; an item may expire later by that much, and never earlier. A caller that has just read
    the clock may store it in ``touched`` itself, for an item that is there already.
    """

    def __init__(self, clock: IReactorTime, seconds: float, expire: Callable[[T], None]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._expire = expire
        self.touched: dict[T, float] = {}
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self.touched)

    def touch(self, item: T) -> None:
        """Count the seconds of ``item`` from now on."""
        self.touched[item] = self._clock.seconds()
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._look)

    def change(self, seconds: float) -> None:
        """Have ``seconds`` from now on, for those that were touched before too."""
        self._seconds = seconds
        if self._timer is not None:
            self._timer.reset(0)

    def discard(self, item: T) -> None:
        """Forget ``item``, if it is known."""
        self.touched.pop(item, None)
        if not self.touched:
            self.touched.clear()  # emptied one by one, it keeps the memory of its best days
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _look(self) -> None:
        self._timer = None
        limit = self._clock.seconds() - self._seconds
        due = [item for item, touched in self.touched.items() if touched <= limit]
        for item in due:
            del self.touched[item]
        if self.touched:
            earliest = min(self.touched.values()) - limit
            self._timer = self._clock.callLater(max(earliest, self._seconds / 60), self._look)
        else:
            self.touched.clear()
        for item in due:
            self._expire(item)
