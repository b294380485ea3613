"""How long a session may last while others wait for its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from labnet.command.gate import Gate
from labnet.command.protocol import CommandProtocol

GRACE: Final = 0.5
"""Seconds that a closed connection has to send what is still to be sent."""

_BETWEEN_TURNS: Final = 2 * GRACE
"""Seconds between two sessions that are closed because others wait: the first is gone by then."""


class SessionTurns:
    """Closes sessions of ``gate`` that have lasted longer than ``bound`` gives in seconds, one after the other."""

    log = Logger()

    def __init__(self, clock: IReactorTime, gate: Gate[CommandProtocol], bound: Callable[[], float]) -> None:
        self._clock = clock
        self._gate = gate
        self._bound = bound
        self._next: IDelayedCall | None = None

    def look(self) -> None:
        """Sessions wait: close the one that is served for the longest time, once its turn has lasted its bound.

        The next look is when the bound of the one that is served for the longest time is reached.
        """
        self.stop()
        session, since = self._gate.longest
        lasted = self._clock.seconds() - since
        left = self._bound() - lasted
        if left <= 0:
            self.log.info(
                "the session of {host} is closed after {seconds:.0f} s, for others wait",
                host=session.host,
                seconds=lasted,
                event="command.turn",
            )
            session.close("turn")
        self._next = self._clock.callLater(max(left, _BETWEEN_TURNS), self.look)

    def stop(self) -> None:
        """None waits any more."""
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None
