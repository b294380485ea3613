"""Many datagrams by one system call, for those that are no replies in place (:mod:`labnet.resolver.batches`)."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from typing import Any, Final, Literal

from labnet.resolver.batches import NAME, Message, Vector

BATCH: Final = 64
"""Datagrams of one system call."""

SLOT: Final = 4096
"""Bytes of a datagram that are kept; what is asked for is never as long."""


class Slots:
    """The memory of one batch: for each slot a buffer, an address, and the headers that point to them."""

    def __init__(self, name_bytes: int) -> None:
        self.buffer = ctypes.create_string_buffer(BATCH * SLOT)
        self.names = ctypes.create_string_buffer(BATCH * NAME)
        self.vectors = (Vector * BATCH)()
        self.messages = (Message * BATCH)()
        for slot in range(BATCH):
            self.vectors[slot].base = ctypes.addressof(self.buffer) + slot * SLOT
            self.vectors[slot].length = SLOT
            header = self.messages[slot].header
            header.name = ctypes.addressof(self.names) + slot * NAME if name_bytes else 0
            header.namelen = name_bytes
            header.vectors = ctypes.addressof(self.vectors[slot])
            header.vectorslen = 1
        self.bytes = memoryview(self.buffer).cast("B")
        self.addresses = memoryview(self.names).cast("B")
        self.lengths = _words(self.messages, Message.length.offset, "I")
        self.sizes = _words(self.vectors, Vector.length.offset, "Q")


def _words(structures: Any, offset: int, kind: Literal["I", "Q"]) -> tuple[memoryview, int, int]:
    """A view on one field of all structures: the view, the index of the first, and the step to the next."""
    size = struct.calcsize(kind)
    view = memoryview(structures).cast("B").cast(kind)
    return view, offset // size, ctypes.sizeof(structures) // BATCH // size


class Outbox:
    """Datagrams that wait to be sent, each to an address, or by a connected socket; ``unsent`` counts those lost.

    ``name_bytes`` is the length of the addresses, 0 for a connected socket.
    """

    def __init__(self, name_bytes: int) -> None:
        self.unsent = 0
        self.count = 0
        self._name_bytes = name_bytes
        self._slots = Slots(name_bytes)
        self._sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg

    def put(self, datagram: bytes, to: bytes = b"") -> bool:
        """Add ``datagram``, at most :data:`SLOT` bytes; True where there is no room for another one."""
        slots, slot = self._slots, self.count
        at = slot * SLOT
        slots.bytes[at : at + len(datagram)] = datagram
        sizes, first, step = slots.sizes
        sizes[first + slot * step] = len(datagram)
        if to:
            slots.addresses[slot * NAME : slot * NAME + self._name_bytes] = to[: self._name_bytes]
        self.count = slot + 1
        return self.count == BATCH

    def send(self, fileno: int) -> None:
        """Send all there is. What the system does not take is lost; raises OSError where it takes nothing at all."""
        count, self.count = self.count, 0
        done = 0
        while done < count:
            first = ctypes.byref(self._slots.messages, done * ctypes.sizeof(Message))
            sent = self._sendmmsg(fileno, first, count - done, 0)
            error = ctypes.get_errno() if sent < 0 else 0
            if sent > 0:
                done += sent
            elif error != errno.EINTR:
                self.unsent += count - done
                if error != errno.EAGAIN:
                    raise OSError(error, os.strerror(error))
                return


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
        lengths, first, step = slots.lengths
        buffer = slots.bytes
        return [buffer[slot * SLOT : slot * SLOT + lengths[first + slot * step]].tobytes() for slot in range(count)]
