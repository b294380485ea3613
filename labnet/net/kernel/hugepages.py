"""Large tables on large pages: a look-up at random then waits for one memory access, not for two."""

from __future__ import annotations

import ctypes
import sys
from array import array
from typing import Final

SIZE: Final = 2 << 20
"""Bytes of a huge page; on systems where they are larger, nothing changes."""

_MADV_COLLAPSE: Final = 25  # of Linux 6.1; Python has no name for it yet


def collapse(memory: bytearray | array[int]) -> None:
    """Have the system put the huge pages that lie in ``memory`` together; where it cannot, all stays as it is.

    Without it a page of 4 KiB has to be looked up first for nearly every entry of a table of some megabytes.
    """
    if sys.platform != "linux" or len(memory) == 0:
        return
    held = (ctypes.c_char * 0).from_buffer(memory)
    start = ctypes.addressof(held)
    end = start + len(memory) * memory.itemsize if isinstance(memory, array) else start + len(memory)
    first, last = -(-start // SIZE) * SIZE, end // SIZE * SIZE
    if first < last:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _MADV_COLLAPSE)
