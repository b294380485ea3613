"""What happens in a worker, on its way to the supervisor that somebody looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from labnet.console.encoding import packed
from labnet.console.ring import Ring
from labnet.events import LogLine

MOST: Final = 100
"""Events of one message."""


class EventRelay:
    """Gives the events of a worker's ``ring`` to ``send``, in lists, while the supervisor watches.

    While ``is_busy`` says that the supervisor does not read, nothing is sent; what the ring has no more then is lost.
    """

    def __init__(self, ring: Ring, send: Callable[[list[Any]], object], is_busy: Callable[[], bool]) -> None:
        self._ring = ring
        self._send = send
        self._is_busy = is_busy
        self._position = 0
        self._watched = False

    def watch(self, watched: bool) -> None:
        """Somebody looks at the supervisor from now on, or nobody does any more; either may be said twice."""
        if watched == self._watched:
            return
        self._watched = watched
        if watched:
            self._position = self._ring.last
            self._ring.attach(self)
        else:
            self._ring.detach(self)
            self._ring.stop()

    def ready(self) -> None:
        """Send what is new."""
        while self._position < self._ring.last and not self._is_busy():
            found = self._ring.after(self._position, MOST)
            self._position = found[-1].number if found else self._ring.last
            # The log goes another way, whoever looks.
            told = [packed(noted.event) for noted in found if not isinstance(noted.event, LogLine)]
            if told:
                self._send(told)
