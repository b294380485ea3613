"""Memory that a crowd has left behind, given back to the system."""

from __future__ import annotations

import ctypes
import gc
import os
from typing import Final

from twisted.internet.interfaces import IReactorTime

_POOL: Final = 16384  # bytes that Python takes at a time for small objects of one size
_MOVED: Final = 3.0  # seconds within which every timer of a second has come

# Looked for before there is a crowd: what is made in its midst holds memory there. Another C library has none.
_MALLOC_TRIM: Final = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None


def give_back(clock: IReactorTime) -> None:
    """Return free memory to the system, now and once the program's timers have moved.

    Python keeps lists of free objects, and glibc all of its heap but the end. Python can return a megabyte only when
    the last object in it is gone. What timers make and drop every second would stay where there was room last, in the
    crowd's midst: that room is taken until they have moved elsewhere.
    """
    gc.collect()
    filling: list[object] = [float(number) for number in range(_POOL // 32)]
    filling += [bytes(size - 40) for size in range(48, 513, 16) for _ in range(_POOL // size)]
    clock.callLater(_MOVED, _give_back_rest, filling)


def trim() -> None:
    """Have the C library return what it can; one that is not glibc does nothing."""
    if _MALLOC_TRIM is not None:
        _MALLOC_TRIM(0)


def _give_back_rest(filling: list[object]) -> None:
    filling.clear()
    trim()
