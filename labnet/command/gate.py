"""The gate of N clients: who is served, who waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from labnet.interfaces import ISession


class Gate:
    """Serves at most ``limit`` sessions at a time (0: any number), the others in the order in which they came.

    ``hold(True)`` is called when somebody starts to wait, so that the welcome port accepts no more, and ``hold(False)``
    when nobody waits any longer. A port may have accepted several connections in one wake-up by then: those wait here.
    """

    def __init__(self, limit: int, hold: Callable[[bool], None]) -> None:
        self._limit = limit
        self._hold = hold
        self._served: set[ISession] = set()
        self._waiting: deque[ISession] = deque()

    @property
    def sessions(self) -> list[ISession]:
        """All sessions, those served first."""
        return [*self._served, *self._waiting]

    @property
    def is_empty(self) -> bool:
        """Whether there is no session at all."""
        return not self._served and not self._waiting

    def arrive(self, session: ISession) -> None:
        """A connection came: serve it now or when its turn comes."""
        if self._limit and len(self._served) >= self._limit:
            self._waiting.append(session)
            self._hold(True)
        else:
            self._served.add(session)
            session.serve()

    def leave(self, session: ISession) -> None:
        """A connection is gone; the next in line is served."""
        if session in self._served:
            self._served.discard(session)
        elif session in self._waiting:
            self._waiting.remove(session)
        while self._waiting and len(self._served) < self._limit:
            turn = self._waiting.popleft()
            self._served.add(turn)
            turn.serve()
        if not self._served:
            self._served = set()  # an emptied set keeps the memory of its best days
        if not self._waiting:
            self._hold(False)
