"""Many datagrams by one system call, for those that are no replies in place (:mod:`labnet.net.batch`)."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from labnet.net.batch import NAME, Message, Vector

BATCH: Final = 64
"""Datagrams of one system call."""

SLOT: Final = 4096
"""Bytes of a datagram that are kept; what is asked for is never as long."""

_STARTS: Final = range(0, BATCH * SLOT, SLOT)


class Slots:
    """The memory of one batch: for each slot a buffer, an address, and the headers that point to them."""

    def __init__(self, name_bytes: int) -> None:
        self.buffer = ctypes.create_string_buffer(BATCH * SLOT)
        self.names = ctypes.create_string_buffer(BATCH * NAME)
        self.vectors = (Vector * BATCH)()
        self.messages = (Message * BATCH)()
        for slot in range(BATCH):
            self.vectors[slot] = Vector(ctypes.addressof(self.buffer) + slot * SLOT, SLOT)
            header = self.messages[slot].header
            header.name = ctypes.addressof(self.names) + slot * name_bytes if name_bytes else 0
            header.namelen = name_bytes
            header.vectors = ctypes.addressof(self.vectors[slot])
            header.vectorslen = 1
        words = memoryview(self.vectors).cast("B").cast("Q")
        self.bases, self.sizes = words[0::2], words[1::2]
        words = memoryview(self.messages).cast("B").cast("I")
        self.lengths = words[Message.length.offset // 4 :: ctypes.sizeof(Message) // 4]


class Outbox:
    """Sends datagrams, each to an address, or by a connected socket; ``unsent`` counts those lost.

    ``name_bytes`` is the length of the addresses, 0 for a connected socket.
    """

    def __init__(self, name_bytes: int) -> None:
        self.unsent = 0
        self._slots = slots = Slots(name_bytes)
        self._start = ctypes.addressof(slots.buffer)
        self._bytes = memoryview(slots.buffer).cast("B")
        self._names = memoryview(slots.names).cast("B")
        self._sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg

    def send(self, fileno: int, datagrams: Sequence[bytes], to: Sequence[bytes] = ()) -> None:
        """Send ``datagrams`` of at most :data:`SLOT` bytes, ``to`` each its address (struct sockaddr).

        What the system does not take is lost; raises OSError where it takes nothing at all.
        """
        count = len(datagrams)
        done = filled = 0
        while done < count:
            if done == filled:
                first, filled = done, min(count, done + BATCH)
                self._fill(datagrams[first:filled], to[first:filled])
            rest = ctypes.byref(self._slots.messages, (done - first) * ctypes.sizeof(Message))
            sent = self._sendmmsg(fileno, rest, filled - done, 0)
            error = ctypes.get_errno() if sent < 0 else 0
            if sent > 0:
                done += sent
            elif error != errno.EINTR:
                self.unsent += count - done
                if error != errno.EAGAIN:
                    raise OSError(error, os.strerror(error))
                return

    def _fill(self, datagrams: Sequence[bytes], to: Sequence[bytes]) -> None:
        """Have the headers point to them: all are copied at once, one behind the other."""
        together, names = b"".join(datagrams), b"".join(to)
        self._bytes[: len(together)] = together
        self._names[: len(names)] = names
        self._slots.sizes[0] = len(together)
        if len(datagrams) > 1:
            sizes = array("Q", map(len, datagrams))
            self._slots.sizes[: len(sizes)] = memoryview(sizes)
            self._slots.bases[: len(sizes)] = memoryview(array("Q", accumulate(sizes[:-1], initial=self._start)))


class Inbox:
    """Receives datagrams of connected sockets."""

    def __init__(self) -> None:
        self._slots = Slots(0)
        self._recvmmsg = ctypes.CDLL(None, use_errno=True).recvmmsg

    def receive(self, fileno: int) -> list[bytes]:
        """The datagrams that have come, at most :data:`BATCH`. Raises OSError for what a send had failed of."""
        slots = self._slots
        count = self._recvmmsg(fileno, slots.messages, BATCH, socket.MSG_DONTWAIT, None)
        if count < 0:
            error = ctypes.get_errno()
            if error in (errno.EAGAIN, errno.EINTR):
                return []
            raise OSError(error, os.strerror(error))
        buffer: Any = slots.buffer  # a slice of it is bytes
        return [buffer[start : start + length] for start, length in zip(_STARTS, slots.lengths[:count], strict=False)]
