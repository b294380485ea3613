"""How late the event loop is: what every client waits for beside what it asked for."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator
from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from labnet.interfaces import IMeasured
from labnet.metrics import Histogram, Sample
from labnet.net.clocks import until_next

PERIOD: Final = 1.0
"""Seconds between two measurements."""

WINDOW: Final = 60
"""Measurements that the largest is taken of: more than one scrape sees it, however many scrape."""


@implementer(IMeasured)
class ReactorLag(Service):
    """Measures each second by how much ``reactor`` calls late, by a ``monotonic`` clock that is never set."""

    def __init__(self, reactor: IReactorTime, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._reactor = reactor
        self._monotonic = monotonic
        self._due = 0.0
        self._call: IDelayedCall | None = None
        # Numbers without an object each: one made while thousands of clients are there would keep the memory around it.
        self._late = array("d", [0.0] * WINDOW)
        self._measured = 0
        self._histogram = Histogram()

    def startService(self) -> None:
        super().startService()
        self._wait()

    def stopService(self) -> None:
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def samples(self) -> Iterator[Sample]:
        yield Sample("labnet_reactor_lag_seconds", (), self._late[self._measured % WINDOW])
        yield Sample("labnet_reactor_lag_max_seconds", (), max(self._late))
        yield self._histogram.sample("labnet_reactor_late_seconds")

    def _wait(self) -> None:
        wait = until_next(self._reactor, PERIOD)
        self._due = self._monotonic() + wait
        self._call = self._reactor.callLater(wait, self._called)

    def _called(self) -> None:
        late = max(0.0, self._monotonic() - self._due)
        self._measured += 1
        self._late[self._measured % WINDOW] = late
        self._histogram.observe(late)
        self._wait()
