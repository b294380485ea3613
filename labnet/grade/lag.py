"""How late this machine runs what is due, so that a slow machine is not taken for a slow program."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from typing import Final

_STEP: Final = 0.02


class LagMeter:
    """A thread that sleeps 20 ms at a time and remembers how much longer it took. Ends by :meth:`close`."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._lags: list[float] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self._thread.start()

    def _measure(self) -> None:
        before = time.monotonic()
        while not self._closed.wait(_STEP):
            now = time.monotonic()
            lag = now - before - _STEP
            if lag > _STEP:
                self._times.append(now)
                self._lags.append(lag)
            before = now

    def most(self, since: float) -> float:
        """The longest delay (seconds) since ``since``, by time.monotonic()."""
        return max(self._lags[bisect_left(self._times, since) :], default=0.0)

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()
