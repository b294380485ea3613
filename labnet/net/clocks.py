"""The clock that lifetimes and time-outs are counted by, and the one that people read.

Twisted counts by the system's clock. Were that set back an hour, no time-out would come for an hour; were it set
forward, every session and every answer would be over at once. So the reactor is given a clock that nobody sets, and the
system's is read only where a person or a file wants the time of day.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, cast

from twisted.internet.interfaces import IReactorTime

Seconds = Callable[[], float]
"""A clock: what it shows now, in seconds."""

_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def since_boot() -> float:
    """Seconds since the machine started, those that it slept included; elsewhere than on Linux, without them."""
    return time.clock_gettime(_BOOT)


class Steady:
    """Epoch seconds as ``wall`` shows them now, and from then on as ``counter`` counts them, whoever sets ``wall``."""

    def __init__(self, wall: Seconds = time.time, counter: Seconds = since_boot) -> None:
        self.wall = wall
        self._counter = counter
        self._start = wall() - counter()

    def __call__(self) -> float:
        return self._counter() + self._start


def count_steadily(reactor: IReactorTime) -> None:
    """Have ``reactor`` count the seconds of its timers, and the time it gives to others, as :class:`Steady` does.

    Its timers ask ``reactor.seconds`` as every part of labnet does. To be called before the first of them is set;
    idempotent.
    """
    if not isinstance(reactor.seconds, Steady):
        cast(Any, reactor).seconds = Steady()  # a method there: the instance's own attribute goes before it


def wall_of(clock: IReactorTime) -> Seconds:
    """The clock that people read beside ``clock``: the system's, where :func:`count_steadily` has parted the two."""
    return cast(Seconds, getattr(clock.seconds, "wall", clock.seconds))


def ahead(clock: IReactorTime) -> float:
    """By how many whole seconds the clock that people read was set forward since ``clock`` was made; back: negative.

    What the system corrects its clock by all the time counts as nothing.
    """
    return float(round(wall_of(clock)() - clock.seconds()))


def until_next(clock: IReactorTime, period: float) -> float:
    """Seconds until ``clock`` shows the next multiple of ``period``; never 0.

    Timers that wait so come together, whenever each was set: a process at rest is woken once for all of them.
    """
    return period - clock.seconds() % period
