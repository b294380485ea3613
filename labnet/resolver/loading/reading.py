"""How long the reading of files goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LONGEST: Final = 300.0
"""Seconds that reading all files of a lab may take."""


class ReadingEnded(Exception):
    """The reading of files was cancelled or took too long; the text says which."""


class Reading:
    """The reading of a lab's files, in one thread; another one may cancel it, and ask which file it is at.

    ``monotonic`` is the clock by which it takes :data:`LONGEST` seconds at most.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = ""
        """The file that is being read."""
        self._monotonic = monotonic
        self._until = monotonic() + LONGEST
        self._is_cancelled = False

    def cancel(self) -> None:
        """Have it end at its next checkpoint."""
        self._is_cancelled = True

    def checkpoint(self) -> None:
        """Raise :class:`ReadingEnded` where the reading is to end; to be called now and then."""
        if self._is_cancelled:
            raise ReadingEnded("the reading was cancelled")
        if self._monotonic() > self._until:
            raise ReadingEnded(f"{self.path}: reading all files takes more than {LONGEST:g} s; make them smaller")
