"""What the log says of clients who do not get what they want: now and then, as outsiders could fill a disk with it."""

from __future__ import annotations

import math

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from labnet.command.admission import WHY, RefusalReason
from labnet.policy.loglimit import PERIOD, LogLimit, NetworkLogLimit


class RefusalLog:
    """Says at most once a second that connections were closed at once, of denied networks once a minute each."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._logged_at = -math.inf
        self._unlogged = 0
        self._denials = NetworkLogLimit()
        self._exits_alone = LogLimit()

    def refused(self, host: str, refusal: RefusalReason) -> None:
        """A new connection of ``host`` was closed because of ``refusal``."""
        now = self._clock.seconds()
        if refusal == "denied":
            if (count := self._denials.count(host, now)) is not None:
                self._say(host, refusal, count)
            return
        self._unlogged += 1
        if now - self._logged_at >= PERIOD:
            self._say(host, refusal, self._unlogged)
            self._logged_at, self._unlogged = now, 0

    def _say(self, host: str, refusal: RefusalReason, count: int) -> None:
        self.log.warn(
            "{count} new connection(s) closed at once, the last from {host}: {why}",
            count=count,
            host=host,
            why=WHY[refusal],
            event="command.refused",
        )

    def exit_alone(self, host: str) -> None:
        """EXIT came from ``host``, which may not close the server."""
        if (more := self._exits_alone.more(self._clock.seconds())) is not None:
            self.log.info(
                "EXIT from {host} closes its connection alone: `exit_from` does not name it{more}",
                host=host,
                more=more,
                event="command.exit-alone",
            )
