"""The gate of N clients: who is served, who waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from labnet.interfaces import ISession

S = TypeVar("S", bound=ISession)


class Gate(Generic[S]):
    """Serves at most ``limit`` sessions at a time (0: any number), the others in the order in which they came.

    ``seconds`` is the clock that says since when a session is served, which counts where there is a limit alone.
    ``hold(True)`` is called when a session starts to wait, so that the welcome port accepts no more, and
    ``hold(False)`` when none waits any longer. A port may have accepted several connections in one wake-up by then:
    those wait here.
    """

    def __init__(self, limit: int, hold: Callable[[bool], None], seconds: Callable[[], float]) -> None:
        self._limit = limit
        self._hold = hold
        self._seconds = seconds
        self._served: dict[S, float | None] = {}  # of a set each one takes twice as much
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

    @property
    def longest(self) -> tuple[S, float]:
        """Which session is served for the longest time, and since when; where one waits there is one."""
        session, since = next(iter(self._served.items()))
        return session, since or 0.0

    def since(self, session: S) -> float | None:
        """Since when ``session`` is served; None where it waits, and where it does not count as there is no limit."""
        return self._served.get(session)

    def arrive(self, session: S) -> None:
        """A connection came: serve it now or when its turn comes."""
        if self._limit and len(self._served) >= self._limit:
            self._waiting.append(session)
            self._hold(True)
        else:
            self._serve(session)

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
        if not self._limit:
            self._served = dict.fromkeys(self._served, self._seconds())
        self._limit = limit
        if self._waiting:
            self._serve_next()
            self._hold(bool(self._waiting))

    def _serve_next(self) -> None:
        while self._waiting and (not self._limit or len(self._served) < self._limit):
            self._serve(self._waiting.popleft())

    def _serve(self, session: S) -> None:
        self._served[session] = self._seconds() if self._limit else None
        session.serve()
