"""The C library, and the structs that its calls take (Linux, 64 bits).

:mod:`labnet.net.batches.selftest` finds out whether they are as the system has them.
"""

from __future__ import annotations

import ctypes
from typing import Final

libc: Final = ctypes.CDLL(None, use_errno=True)
"""The C library; ``ctypes.get_errno()`` has the error of the last call."""


class IOVec(ctypes.Structure):
    """A struct iovec."""

    _fields_ = [("base", ctypes.c_uint64), ("length", ctypes.c_uint64)]


class MsgHdr(ctypes.Structure):
    """A struct msghdr; addresses are numbers."""

    _fields_ = [
        ("name", ctypes.c_uint64),
        ("namelen", ctypes.c_uint32),
        ("vectors", ctypes.c_uint64),
        ("vectorslen", ctypes.c_uint64),
        ("control", ctypes.c_uint64),
        ("controllen", ctypes.c_uint64),
        ("flags", ctypes.c_int),
    ]


class MMsgHdr(ctypes.Structure):
    """A struct mmsghdr."""

    _fields_ = [("header", MsgHdr), ("length", ctypes.c_uint)]


class PollFD(ctypes.Structure):
    """A struct pollfd."""

    _fields_ = [("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short)]
