"""Whether batches and busy polling can be trusted here; tried once, before the first port opens.

Both hand raw addresses and 64-bit layouts to the C library, so a machine where these are otherwise would read or write
memory that is somebody else's. What cannot be checked by arithmetic is tried: a datagram goes through and back.
"""

from __future__ import annotations

import contextlib
import ctypes
import select
import socket
import struct
import sys
from functools import cache
from typing import Final

from twisted.logger import Logger

from labnet.net.batches.batch import Incoming, Outgoing, vector_of
from labnet.net.kernel.libc import IOVec, MMsgHdr, MsgHdr, PollFD, libc

_PATIENCE: Final = 1.0  # seconds for a datagram to come over loopback
_CALLS: Final = "recvmmsg", "sendmmsg", "ppoll"

_log = Logger()


@cache
def is_trusted() -> bool:
    """Whether the raw calls may be used; where not, one line of the log (``lab.no-batches``) says why."""
    why = hindrance()
    if why:
        _log.warn("datagrams are taken one at a time, without batches: {why}", why=why, event="lab.no-batches")
    return not why


def hindrance() -> str:
    """What speaks against the raw calls on this machine; "" for nothing."""
    return next(filter(None, (check() for check in (_platform, _layouts, _bytes, _loopback))), "")


def _platform() -> str:
    if sys.platform != "linux":
        return f"they need Linux, and this is {sys.platform}"
    if sys.implementation.name != "cpython":
        return f"they need CPython, and this is {sys.implementation.name}"
    if struct.calcsize("P") != 8:
        return "they need a Python of 64 bits"
    missing = [name for name in _CALLS if not hasattr(libc, name)]
    return f"the C library lacks {', '.join(missing)}" if missing else ""


def _layouts() -> str:
    found = [ctypes.sizeof(kind) for kind in (IOVec, MsgHdr, MMsgHdr, PollFD)]
    found += [MsgHdr.vectors.offset, MsgHdr.control.offset, MsgHdr.flags.offset, MMsgHdr.length.offset]
    return "" if found == [16, 56, 64, 8, 16, 32, 48, 56] else "the structs of the system calls have another layout"


def _bytes() -> str:
    probe = b"where these bytes lie is worked out"
    base, length, _ = struct.unpack("=QQQ", vector_of(probe, None))
    where = ctypes.pythonapi.PyBytes_AsString
    where.argtypes, where.restype = [ctypes.py_object], ctypes.c_void_p
    return "" if (base, length) == (where(probe), len(probe)) else "bytes objects lie otherwise in memory"


def _loopback() -> str:
    with contextlib.ExitStack() as stack:
        port, client = (stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
        try:
            return _through_and_back(port, client)
        except OSError as error:
            return f"no datagram goes through and back over loopback ({error.strerror or error})"


def _through_and_back(port: socket.socket, client: socket.socket) -> str:
    port.bind(("127.0.0.1", 0))
    client.connect(port.getsockname())
    client.settimeout(_PATIENCE)
    question, replies = b"id" + b"question" * 20, (b"first", b"second" * 50)
    client.send(question)
    fds = (PollFD * 1)(PollFD(port.fileno(), select.POLLIN))
    ready = libc.ppoll(fds, 1, (ctypes.c_int64 * 2)(1, 0), None)
    incoming = Incoming(port.fileno(), ipv6=False)
    outgoing = Outgoing(incoming, echoed=2)
    if (ready, fds[0].revents) != (1, select.POLLIN) or incoming.receive() != 1:
        return "a datagram over loopback did not come"
    if (incoming.datagram(0), incoming.address(0)) != (question, client.getsockname()):
        return "a datagram over loopback did not come as it was sent"
    outgoing.reply_first(vector_of(replies[0], None))
    outgoing.reply_to(replies[1:], None)
    if [client.recv(1000) for _ in replies] != [b"id" + reply for reply in replies]:
        return "a reply over loopback did not come as it was sent"
    return ""
