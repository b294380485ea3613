"""The end of a running lab: what is in flight is finished first, within bounds."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.daemon.running.signals import Signals


class Ending:
    """Drains for at most ``grace`` seconds, and until one of the ``signals`` that end a process comes again."""

    log = Logger()

    def __init__(self, clock: IReactorTime, signals: Signals, grace: float) -> None:
        self._clock = clock
        self._signals = signals
        self._grace = grace
        self._timer: IDelayedCall | None = None
        self._over: Deferred[None] = Deferred()

    def drain(self, drains: Iterable[Callable[[], Deferred[None]]]) -> Deferred[None]:
        """Fires when all that the ``drains`` wait for is done, or the time for it is over; it never fails."""
        for number in signal.SIGTERM, signal.SIGINT:
            self._signals.catch(number, self._signalled)
        self._timer = self._clock.callLater(self._grace, self._expired)
        waiting = [maybeDeferred(drain).addErrback(self._failed) for drain in drains]
        DeferredList(waiting).addCallback(lambda _: self._finish())
        if not self._over.called:
            self.log.info(
                "finishing what is in flight, for {grace} s at most; a second signal ends that",
                grace=f"{self._grace:g}",
                event="stop.drains",
            )
        return self._over

    def _failed(self, failure: Failure) -> None:
        self.log.failure("finishing what is in flight failed", failure, event="stop.broken")

    def _signalled(self) -> None:
        if not self._over.called:
            self.log.warn("a second signal: what is in flight is given up", event="stop.hurried")
            self._finish()

    def _expired(self) -> None:
        self._timer = None
        self.log.warn(
            "{grace} s were not enough: what is in flight is given up", grace=f"{self._grace:g}", event="stop.late"
        )
        self._finish()

    def _finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._over.called:
            self._over.callback(None)
