"""Whether datagrams are given a moment to gather, so that one wake-up serves several.

It is the interrupt moderation of network cards: at some ten thousand questions a second the wake-ups cost more than the
answers. The price is the moment by which a reply comes later, so it is spent only where several datagrams come in it,
and only where no fewer come in a second than without it: clients that wait for a reply before they ask again would be
slowed down by it. That is tried out, again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

WORTH: Final = 3
"""So many datagrams have to come in a moment."""

MANY: Final = 12
"""Where more come in it, there is enough to do without."""

NATURAL: Final = 16
"""Wake-ups without a moment, to see how many datagrams come in a second."""

TRIAL: Final = 8
"""Wake-ups with it, to see whether as many come."""

STRETCH: Final = 256
"""Wake-ups with it, until that is looked at again."""

_AS_MANY: Final = 0.6  # so few are counted that chance has its part
_LONGEST_REST: Final = 4096


class Moderation:
    """Decides for one port; ``moment`` is in seconds, 0 for never; ``seconds`` is a clock."""

    def __init__(self, moment: float, seconds: Callable[[], float] = time.monotonic) -> None:
        self.moment = moment
        self.gathers = False
        """Whether the next wake-up is to be preceded by a moment."""
        self._seconds = seconds
        self._rest = NATURAL
        self._rate = 0.0
        self._is_trial = False
        self.begin()

    def begin(self) -> None:
        """The port begins to wait by itself; what was counted before lies too far back."""
        self._start(gathers=False, wakeups=NATURAL)

    def woken(self, came: int) -> None:
        """``came`` datagrams were there at a wake-up."""
        self._came += came
        self._left -= 1
        if self._left:
            return
        rate = self._came / max(1e-9, self._seconds() - self._since)
        if not self.gathers:
            self._rate = rate
            self._is_trial = bool(self.moment) and WORTH <= rate * self.moment <= MANY
            self._start(self._is_trial, TRIAL if self._is_trial else NATURAL)
        elif self._is_trial and rate < _AS_MANY * self._rate:
            self._rest = min(2 * self._rest, _LONGEST_REST)
            self._start(gathers=False, wakeups=self._rest)
        elif self._is_trial:
            self._is_trial = False
            self._rest = NATURAL
            self._start(gathers=True, wakeups=STRETCH)
        else:
            self._start(gathers=False, wakeups=NATURAL)

    def _start(self, gathers: bool, wakeups: int) -> None:
        self.gathers = gathers
        self._came = 0
        self._left = wakeups
        self._since = self._seconds()
