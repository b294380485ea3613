"""Many datagrams by one system call: recvmmsg(2) and sendmmsg(2).

:class:`Outbox` and :class:`Inbox` copy datagrams in and out. A port that replies in place, from where the bytes lie
already, is in :mod:`labnet.net.batches.batch`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from labnet.net.kernel.libc import IOVec, MMsgHdr, libc
from labnet.net.kernel.untouched import untouched

BATCH: Final = 64
"""Datagrams of one system call of an :class:`Outbox` or :class:`Inbox`."""

SLOT: Final = 4096
"""Bytes of a datagram that are sent or received at most."""

NAME: Final = 32
"""Bytes for a struct sockaddr_in6 (28), in whole words."""

_STARTS: Final = range(0, BATCH * SLOT, SLOT)


MESSAGE: Final = ctypes.sizeof(MMsgHdr)
"""Bytes of a struct mmsghdr."""


def messages_over(vectors: Any, each: int, names: int, name_bytes: int, name_step: int = NAME, skipped: int = 0) -> Any:
    """An array with one struct mmsghdr for each ``each`` of ``vectors``, without the first ``skipped`` of them.

    The addresses, of ``name_bytes`` bytes each, lie at ``names``, one every ``name_step`` bytes; with 0 bytes there are
    none (a connected socket).
    """
    messages = (MMsgHdr * (len(vectors) // each))()
    start = ctypes.addressof(vectors) + skipped * ctypes.sizeof(IOVec)
    for slot, message in enumerate(messages):
        header = message.header
        header.name, header.namelen = names + slot * name_step if name_bytes else 0, name_bytes
        header.vectors, header.vectorslen = start + slot * each * ctypes.sizeof(IOVec), each - skipped
    return messages


def lengths_of(messages: Any) -> memoryview:
    """The length that recvmmsg(2) notes in each of ``messages``."""
    return memoryview(messages).cast("B").cast("I")[MMsgHdr.length.offset // 4 :: MESSAGE // 4]


def send_from(fileno: int, messages: Any, done: int, count: int, stops: bool = False) -> tuple[int, int]:
    """Send ``messages`` from ``done`` to ``count``; returns how many were lost, and the last error (errno) or 0.

    A message that the system does not take is as good as lost on the way, and the next is tried; with ``stops`` all
    after it are lost too. A full buffer takes none of the others.
    """
    lost = error = 0
    while done < count:
        sent = libc.sendmmsg(fileno, ctypes.byref(messages, done * MESSAGE), count - done, 0)
        if sent > 0:
            done += sent
        elif (failed := ctypes.get_errno()) != errno.EINTR:
            error = failed
            skipped = count - done if stops or error == errno.EAGAIN else 1
            lost += skipped
            done += skipped
    return lost, error


class _Slots:
    """The memory of one batch: for each slot a buffer, an address, and the headers that point to them."""

    def __init__(self, name_bytes: int, control_bytes: int = 0) -> None:
        self.buffer = untouched(BATCH * SLOT)
        self.start = ctypes.addressof(self.buffer)
        step = name_bytes + control_bytes
        self.names = ctypes.create_string_buffer(BATCH * step + 1)
        self.vectors = (IOVec * BATCH)(*(IOVec(self.start + start, SLOT) for start in _STARTS))
        names = ctypes.addressof(self.names)
        self.messages = messages_over(self.vectors, 1, names, name_bytes, step)
        for slot, message in enumerate(self.messages):
            if control_bytes:
                message.header.control, message.header.controllen = names + slot * step + name_bytes, control_bytes
        words = memoryview(self.vectors).cast("B").cast("Q")
        self.bases, self.sizes = words[0::2], words[1::2]


class Outbox:
    """Sends datagrams, each to an address, or by a connected socket; ``unsent`` counts those lost.

    ``name_bytes`` is the length of the addresses, 0 for a connected socket; ``control_bytes`` that of the control data
    behind each.
    """

    def __init__(self, name_bytes: int, control_bytes: int = 0) -> None:
        self.unsent = 0
        self._is_connected = not name_bytes
        self._slots = slots = _Slots(name_bytes, control_bytes)
        self._bytes = memoryview(slots.buffer).cast("B")
        self._names = memoryview(slots.names).cast("B")

    def send(self, fileno: int, datagrams: Sequence[bytes], to: Sequence[bytes] = ()) -> None:
        """Send ``datagrams`` of at most :data:`SLOT` bytes, ``to`` each its address (struct sockaddr, control data).

        What the system does not take is lost. Raises OSError where it refuses one by a connected socket.
        """
        count = len(datagrams)
        for first in range(0, count, BATCH):
            end = min(count, first + BATCH)
            self._fill(datagrams[first:end], to[first:end])
            lost, error = send_from(fileno, self._slots.messages, 0, end - first, self._is_connected)
            self.unsent += lost
            if error and (self._is_connected or error == errno.EAGAIN):
                self.unsent += count - end
                if error != errno.EAGAIN:
                    raise OSError(error, os.strerror(error))
                return

    def _fill(self, datagrams: Sequence[bytes], to: Sequence[bytes]) -> None:
        """Have the headers point to them: all are copied at once, one behind the other."""
        together, names = b"".join(datagrams), b"".join(to)
        slots = self._slots
        self._bytes[: len(together)] = together
        self._names[: len(names)] = names
        slots.sizes[0] = len(together)
        if len(datagrams) > 1:
            sizes = array("Q", map(len, datagrams))
            slots.sizes[: len(sizes)] = memoryview(sizes)
            slots.bases[: len(sizes)] = memoryview(array("Q", accumulate(sizes[:-1], initial=slots.start)))


class Inbox:
    """Receives datagrams of connected sockets."""

    def __init__(self) -> None:
        self._slots = _Slots(0)
        self._lengths = lengths_of(self._slots.messages)

    def receive(self, fileno: int) -> list[bytes]:
        """The datagrams that have come, at most :data:`BATCH`. Raises OSError for what a send had failed of."""
        slots = self._slots
        count = libc.recvmmsg(fileno, slots.messages, BATCH, socket.MSG_DONTWAIT, None)
        if count < 0:
            error = ctypes.get_errno()
            if error in (errno.EAGAIN, errno.EINTR):
                return []
            raise OSError(error, os.strerror(error))
        buffer: Any = slots.buffer  # a slice of it is bytes
        return [buffer[start : start + length] for start, length in zip(_STARTS, self._lengths[:count], strict=False)]
