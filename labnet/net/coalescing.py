"""Whether datagrams are given a moment to gather, so that one wake-up serves several.

It is the interrupt moderation of network cards: at some ten thousand questions a second the wake-ups cost more than the
answers. The price is the moment by which a reply comes later, so it is spent only where an answer costs less with it,
and where no fewer come in a second: clients that wait for a reply before they ask again would be slowed down. That is
tried out, again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

WORTH: Final = 3
"""So many datagrams have to come in a moment."""

ENOUGH: Final = 12
"""Where more come in it, a part of it will do."""

NATURAL: Final = 64
"""Wake-ups without a moment, to see how many datagrams come in a second."""

TRIAL: Final = 32
"""Wake-ups with it, to see whether as many come."""

STRETCH: Final = 1024
"""Wake-ups with it, until that is looked at again."""

_LESS: Final = 0.97
_AS_MANY: Final = 0.8  # so few are counted that chance has its part
_LONGEST_REST: Final = 16384


class Moderation:
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

    def begin(self) -> None:
        """The port begins to wait by itself; what was counted before lies too far back, but a rest goes on."""
        self._start(0.0, NATURAL if self.nap else max(NATURAL, self._left))

    def change(self, moment: float) -> None:
        """``moment`` is the longest from now on."""
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
