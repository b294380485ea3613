"""Buffers that take memory only where they are written to: most datagrams are short, and most batches are small."""

from __future__ import annotations

import ctypes
import mmap


def untouched(size: int) -> ctypes.Array[ctypes.c_char]:
    """A buffer of ``size`` bytes, all zero, that no other process shares; ctypes' own writes its zeros everywhere."""
    held = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return (ctypes.c_char * size).from_buffer(held)
