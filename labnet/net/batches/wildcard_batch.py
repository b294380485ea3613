"""Batches on a socket that is bound to all addresses: each reply leaves from the address that was asked.

The control data that a datagram came with (:mod:`labnet.net.kernel.packet_info`) is that of its reply, from where it
lies. On a socket that is bound to one address none of this is there.
"""

from __future__ import annotations

import ctypes
import socket
from array import array
from collections.abc import Sequence
from typing import Any

from labnet.net.batches.batch import BATCH, Incoming, Outgoing
from labnet.net.batches.mmsg import MESSAGE, Outbox
from labnet.net.kernel import packet_info
from labnet.net.kernel.libc import MMsgHdr, MsgHdr

_WORDS = MESSAGE // 8
_CONTROL, _SIZE = MsgHdr.control.offset // 8, MsgHdr.controllen.offset // 8


class WildcardIncoming(Incoming):
    """A batch whose datagrams come with the address that they were sent to."""

    def __init__(self, fileno: int, ipv6: bool) -> None:
        super().__init__(fileno, ipv6)
        self.control_bytes = size = packet_info.IPV6_BYTES if ipv6 else packet_info.IPV4_BYTES
        self.controls: Any = ctypes.create_string_buffer(BATCH * size)  # a slice of it is bytes
        sizes = have_controls(self, self._messages)
        self._control_sizes, self._full_sizes = sizes, memoryview(array("Q", sizes))
        at = packet_info.IPV6_INTERFACE if ipv6 else packet_info.IPV4_INTERFACE
        self._interfaces = memoryview(self.controls).cast("B").cast("I")[at // 4 :: size // 4]
        self._no_interfaces = memoryview(array("I", bytes(4 * BATCH)))

    def receive(self) -> int:
        used = self._used
        self._control_sizes[:used] = self._full_sizes[:used]
        count = super().receive()
        # The route decides by which interface a reply leaves, not the question.
        self._interfaces[:count] = self._no_interfaces[:count]
        return count

    def name(self, slot: int) -> bytes:
        """The address of the sender of the datagram in ``slot``, and behind it the control data for the reply."""
        at = slot * self.control_bytes
        control: bytes = self.controls[at : at + self.control_bytes]
        return super().name(slot) + control

    def outgoing(self, echoed: int) -> Outgoing:
        return WildcardOutgoing(self, echoed)

    def outbox(self) -> Outbox:
        return Outbox(self.name_bytes, self.control_bytes)


class WildcardOutgoing(Outgoing):
    """Replies to the datagrams of a :class:`WildcardIncoming`."""

    def __init__(self, incoming: WildcardIncoming, echoed: int) -> None:
        super().__init__(incoming, echoed)
        have_controls(incoming, self._messages)
        self._controls = memoryview(self._messages).cast("B").cast("Q")[_CONTROL::_WORDS]
        self._own_controls = array("Q", self._controls)

    def _map(self, slots: Sequence[int] | None, count: int) -> None:
        super()._map(slots, count)
        if slots is None:
            self._controls[:] = memoryview(self._own_controls)
        else:
            self._controls[:count] = memoryview(array("Q", [self._own_controls[slot] for slot in slots]))


def have_controls(incoming: WildcardIncoming, messages: ctypes.Array[MMsgHdr]) -> memoryview:
    """Have each of ``messages`` point to the control data of its slot; returns the words with its size in each."""
    start, size = ctypes.addressof(incoming.controls), incoming.control_bytes
    for slot, message in enumerate(messages):
        message.header.control, message.header.controllen = start + slot * size, size
    return memoryview(messages).cast("B").cast("Q")[_SIZE::_WORDS]


def memory_of(sock: socket.socket) -> Incoming:
    """The memory for batches that are received on ``sock``."""
    kind = WildcardIncoming if packet_info.ask_for_destination(sock) else Incoming
    return kind(sock.fileno(), sock.family == socket.AF_INET6)
