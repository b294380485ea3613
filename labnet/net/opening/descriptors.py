"""Connections that come when no file descriptor is left: Twisted closes them, and says so line by line.

A crowd of clients must not fill the log with that: here it becomes one sentence a minute.
"""

from __future__ import annotations

import math
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogEvent, Logger, globalLogPublisher
from zope.interface import implementer

from labnet.net.twisted_private import redirect_log

SAID_FOR: Final = 60.0
"""Seconds for which it is not said again."""

_CLOSED: Final = ("EMFILE recovery: Closed", "Could not accept new connection")
_BESIDE: Final = ("EMFILE encountered", "Re-reserving EMFILE")


@implementer(ILogObserver)
class RefusedConnections:
    """What Twisted's ports log: connections that could not be accepted are counted, all else goes to ``publisher``."""

    log = Logger()

    def __init__(self, clock: IReactorTime, publisher: ILogObserver = globalLogPublisher) -> None:
        self._clock = clock
        self._publisher = publisher
        self._said_at = -math.inf
        self._closed = 0

    def __call__(self, event: LogEvent) -> None:
        text = str(event.get("log_format"))
        if text.startswith(_CLOSED):
            self._closed += 1
            self._say()
        elif not text.startswith(_BESIDE):
            self._publisher(event)

    def watch(self, port: Any) -> Any:
        """Return ``port``, a TCP port of Twisted's, which logs to this observer from now on."""
        redirect_log(port, self)
        return port

    def _say(self) -> None:
        now = self._clock.seconds()
        if now - self._said_at < SAID_FOR:
            return
        self.log.warn(
            "no file descriptor is left: connections are closed as they come ({closed} since this was said last); "
            "raise the limit of open files (LimitNOFILE=, ulimit -n)",
            closed=self._closed,
            event="descriptors.none-left",
        )
        self._said_at, self._closed = now, 0
