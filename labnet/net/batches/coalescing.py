"""Wake-up coalescing: datagrams are given a moment to gather, so that one wake-up serves several.

Network cards do it with interrupts. At some ten thousand questions a second the wake-ups cost more than the answers.
The price is the moment by which a reply comes later, so it is paid only where an answer costs less CPU time with it,
and where as many datagrams come in a second: clients that wait for a reply before they ask again would be slowed down.
Both are measured, again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

WORTH: Final = 3
"""Datagrams that have to come in a moment for it to be tried."""

ENOUGH: Final = 12
"""Datagrams of a moment; where more come in it, the moment is shortened."""

NATURAL: Final = 64
"""Wake-ups without a moment, which measure how many datagrams come in a second."""

TRIAL: Final = 32
"""Wake-ups with a moment, which measure whether as many come."""

STRETCH: Final = 1024
"""Wake-ups with a moment, until it is measured again without."""

_LESS: Final = 0.97
_AS_MANY: Final = 0.8  # so few are counted that chance has its part
_LONGEST_REST: Final = 16384


class Coalescing:
    """Decides for one port; ``moment`` is in seconds, 0 for never; ``seconds`` and ``cpu`` are clocks."""

    def __init__(
        self,
        moment: float,
        seconds: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self.moment = moment
        self.nap = 0.0
        """Seconds by which the next wake-up is to be put off."""
        self._seconds = seconds
        self._cpu = cpu
        self._rest = NATURAL
        self._rate = self._cost = 0.0
        self._is_trial = False
        self._start(0.0, NATURAL)

    def restart(self) -> None:
        """The port begins to poll: earlier counts are too old, but a rest after a failed trial goes on."""
        self._start(0.0, NATURAL if self.nap else max(NATURAL, self._left))

    def change(self, moment: float) -> None:
        """Give datagrams at most ``moment`` seconds from now on."""
        self.moment = moment
        self._start(0.0, NATURAL)

    def woken(self, came: int) -> None:
        """``came`` datagrams were there at a wake-up."""
        self._came += came
        self._left -= 1
        if self._left == 0:
            self._decide()

    def _decide(self) -> None:
        rate = self._came / max(1e-9, self._seconds() - self._since)
        cost = (self._cpu() - self._used) / max(1, self._came)
        if not self.nap:
            self._rate, self._cost = rate, cost
            self._is_trial = rate * self.moment >= WORTH
            self._start(
                min(self.moment, ENOUGH / rate) if self._is_trial else 0.0, TRIAL if self._is_trial else NATURAL
            )
        elif not self._is_trial:
            self._start(0.0, NATURAL)
        elif cost < _LESS * self._cost and rate > _AS_MANY * self._rate:
            self._is_trial = False
            self._rest = NATURAL
            self._start(self.nap, STRETCH)
        else:
            self._rest = min(2 * self._rest, _LONGEST_REST)
            self._start(0.0, self._rest)

    def _start(self, nap: float, wakeups: int) -> None:
        self.nap = nap
        self._left = wakeups
        self._came = 0
        self._since = self._seconds()
        self._used = self._cpu()
