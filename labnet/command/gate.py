"""The gate of N clients: who is served, who waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from labnet.interfaces import ISession

S = TypeVar("S", bound=ISession)


class Gate(Generic[S]):
    """Serves at most ``limit`` sessions at a time (0: any number), the others in the order in which they came.

    ``hold(True)`` is called when a session starts to wait, so that the welcome port accepts no more, and
    ``hold(False)`` when none waits any longer. A port may have accepted several connections in one wake-up by then:
    those wait here.
    """

    def __init__(self, limit: int, hold: Callable[[bool], None]) -> None:
        self._limit = limit
        self._hold = hold
        self._served: dict[S, None] = {}  # of a set each one takes twice as much
        self._waiting: deque[S] = deque()

    @property
    def sessions(self) -> list[S]:
        """All sessions, those served first."""
        return [*self._served, *self._waiting]

    @property
    def served(self) -> int:
        """How many are served."""
        return len(self._served)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def is_empty(self) -> bool:
        """Whether there is no session at all."""
        return not self._served and not self._waiting

    def arrive(self, session: S) -> None:
        """A connection came: serve it now or when its turn comes."""
        if self._limit and len(self._served) >= self._limit:
            self._waiting.append(session)
            self._hold(True)
        else:
            self._served[session] = None
            session.serve()

    def leave(self, session: S) -> None:
        """A connection is gone; the next in line is served."""
        if session in self._served:
            del self._served[session]
        elif session in self._waiting:
            self._waiting.remove(session)
        self._serve_next()
        if not self._served:
            self._served.clear()  # emptied one by one, a dictionary holds the memory of its largest size
        if not self._waiting:
            self._hold(False)

    def change(self, limit: int) -> None:
        """Serve ``limit`` at a time from now on: who waits and has a place by that is served at once.

        Those who are served are served on, be they more than that.
        """
        self._limit = limit
        if self._waiting:
            self._serve_next()
            self._hold(bool(self._waiting))

    def _serve_next(self) -> None:
        while self._waiting and (not self._limit or len(self._served) < self._limit):
            turn = self._waiting.popleft()
            self._served[turn] = None
            turn.serve()
