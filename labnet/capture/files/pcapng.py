"""Reading pcapng files (draft-ietf-opsawg-pcapng): sections of either byte order, interfaces, comments."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from labnet.capture.files.pcap import LONGEST_PACKET
from labnet.capture.files.source import CaptureBytes
from labnet.capture.model import CaptureError, Packet

MAGIC: Final = b"\x0a\x0d\x0d\x0a"
LONGEST_BLOCK: Final = 16 * 1024 * 1024
"""Bytes of one block that are believed, Wireshark's own bound."""
MOST_INTERFACES: Final = 65_536

SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_COMMENT, _NAME, _RESOLUTION, _TIME_OFFSET = 1, 2, 9, 14


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of a section: ``units`` of its time stamps make a second, counted from ``offset`` seconds."""

    link_type: int
    snap_length: int
    name: str | None = None
    units: int = 1_000_000
    offset: int = 0

    def nanoseconds(self, stamp: int) -> int:
        return self.offset * 1_000_000_000 + stamp * 1_000_000_000 // self.units


class _Damaged(Exception):
    """A block cannot be read; the text says why."""


def read(source: CaptureBytes) -> Iterator[Packet]:
    """The packets of a file whose first four bytes, :data:`MAGIC`, are taken; ``source`` records where it stops early.

    Raises :class:`CaptureError` where the first section header cannot be read.
    """
    section = _Section()
    start, kind = 0, MAGIC
    while True:
        try:
            block, body = section.next_block(source, kind)
            packet = section.packet(block, body)
        except _Damaged as error:
            if not section.is_open:
                raise CaptureError(f"{source.path}: {error}: this is no whole pcapng file") from None
            source.stop(f"the block at byte {start} {error}; what was read is shown up to there")
            return
        if packet is not None:
            yield packet
        start = source.position
        kind = source.take(4)
        if len(kind) < 4:
            if kind:
                source.stop(f"the file ends at byte {source.position}, inside the header of a block")
            return


class _Section:
    """The state that a pcapng reader carries: byte order, interfaces, and the number of the last frame."""

    def __init__(self) -> None:
        self.is_open = False
        self._order = "<"
        self._interfaces: list[Interface] = []
        self._frames = 0
        self._time_ns = 0

    def next_block(self, source: CaptureBytes, kind: bytes) -> tuple[int, bytes]:
        """The type and body of the block whose first four bytes are ``kind``. Raises _Damaged."""
        is_section = kind == MAGIC
        head = source.take(8 if is_section else 4)
        if len(head) < (8 if is_section else 4):
            raise _Damaged("is cut by the end of the file")
        if is_section:
            if head[4:] not in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
                raise _Damaged("has no byte-order magic")
            self._order = ">" if head[4:] == b"\x1a\x2b\x3c\x4d" else "<"
        length = self._unpack("I", head[:4])[0]
        if length < (28 if is_section else 12) or length % 4 or length > LONGEST_BLOCK:
            raise _Damaged(f"claims a length of {length} bytes, which no block can have")
        body = source.take(length - 4 - len(head))
        if len(body) < length - 4 - len(head):
            raise _Damaged("is cut by the end of the file")
        if self._unpack("I", body[-4:])[0] != length:
            raise _Damaged("ends with another length than it begins with")
        return self._unpack("I", kind)[0], body[:-4]

    def packet(self, block: int, body: bytes) -> Packet | None:
        """The packet in a block; None in one of another kind. Raises _Damaged."""
        if block == SECTION:
            self.is_open, self._interfaces = True, []
        elif block == INTERFACE:
            if len(self._interfaces) >= MOST_INTERFACES:
                raise _Damaged(f"is the interface after {MOST_INTERFACES} others")
            self._interfaces.append(self._interface(body))
        elif block in (PACKET, OLD_PACKET):
            return self._enhanced(body, block == OLD_PACKET)
        elif block == SIMPLE_PACKET:
            return self._simple(body)
        return None

    def _interface(self, body: bytes) -> Interface:
        if len(body) < 8:
            raise _Damaged("is too short for an interface")
        link_type, _, snap_length = self._unpack("HHI", body[:8])
        name, units, offset = None, 1_000_000, 0
        for code, value in self._options(body[8:]):
            if code == _NAME:
                name = value.decode(errors="replace")
            elif code == _RESOLUTION and value:
                # No clock is finer than 10^-18 s; a larger exponent would only make numbers without end.
                exponent = min(value[0] & 0x7F, 60)
                units = 1 << exponent if value[0] & 0x80 else 10 ** min(exponent, 18)
            elif code == _TIME_OFFSET and len(value) == 8:
                offset = self._unpack("q", value)[0]
        return Interface(link_type, snap_length, name, units, offset)

    def _enhanced(self, body: bytes, old: bool) -> Packet:
        if len(body) < 20:
            raise _Damaged("is too short for a packet")
        index, high, low, captured, wire = self._unpack("IIIII", body[:20])
        interface = self._at(index & 0xFFFF if old and self._order == "<" else index >> 16 if old else index)
        padded = captured + -captured % 4
        if captured > LONGEST_PACKET or 20 + captured > len(body):
            raise _Damaged(f"claims a packet of {captured} bytes and holds {len(body) - 20}")
        comment = None
        for code, value in self._options(body[20 + padded :]):
            if code == _COMMENT:
                comment = value.decode(errors="replace")
        return self._number(interface, interface.nanoseconds(high << 32 | low), wire, body[20 : 20 + captured], comment)

    def _simple(self, body: bytes) -> Packet:
        if len(body) < 4:
            raise _Damaged("is too short for a packet")
        wire = self._unpack("I", body[:4])[0]
        interface = self._at(0)
        captured = min(wire, interface.snap_length or wire, len(body) - 4)
        return self._number(interface, None, wire, body[4 : 4 + captured], None)

    def _number(self, interface: Interface, time_ns: int | None, wire: int, data: bytes, comment: str | None) -> Packet:
        self._frames += 1
        wire = max(wire, len(data))
        if time_ns is not None:
            self._time_ns = time_ns
        return Packet(
            self._frames, self._time_ns, wire, data, interface.link_type, interface.name, comment, time_ns is not None
        )

    def _at(self, index: int) -> Interface:
        if index >= len(self._interfaces):
            raise _Damaged(f"names interface {index}, which the file does not describe")
        return self._interfaces[index]

    def _options(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        at = 0
        while at + 4 <= len(data):
            code, length = self._unpack("HH", data[at : at + 4])
            if code == 0:
                return
            yield code, data[at + 4 : at + 4 + length]
            at += 4 + length + -length % 4

    def _unpack(self, fields: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(self._order + fields, data)
