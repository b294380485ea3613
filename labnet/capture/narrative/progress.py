"""A progress bar for files that take a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TextIO

_EVERY: Final = 0.2
_PATIENCE: Final = 1.0
"""Seconds before the bar is drawn at all: most captures are read by then."""


class ProgressBar:
    """Draws on ``stream`` if it is a terminal and ``beside``, where the results go, is not one."""

    def __init__(self, stream: TextIO, beside: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._on = stream.isatty() and not beside.isatty()
        self._next = clock() + _PATIENCE
        self._drawn = False

    def show(self, done: float) -> None:
        """``done`` is how much is read, 0 to 1; at 1 the bar goes away."""
        if not self._on:
            return
        now = self._clock()
        if done >= 1:
            if self._drawn:
                self._stream.write("\r\x1b[K")
                self._drawn = False
        elif now >= self._next:
            self._next = now + _EVERY
            self._drawn = True
            filled = int(done * 40)
            self._stream.write(f"\r[{'#' * filled}{' ' * (40 - filled)}] {done:>4.0%} ")
        self._stream.flush()
