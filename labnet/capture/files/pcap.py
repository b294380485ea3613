"""Reading pcap files, both byte orders, micro- and nanoseconds (draft-ietf-opsawg-pcap).

A student's file that was cut by a full disk or a half download is read up to the byte where it ends, in bounded memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from labnet.capture.files.source import CaptureBytes
from labnet.capture.model import CaptureError, Packet

MAGICS: Final = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
"""The first four bytes, with the byte order and the nanoseconds in a unit of a record's second time field."""

LONGEST_PACKET: Final = 262_144
"""Bytes of one packet that are believed; tcpdump and Wireshark write no longer ones."""


def read(source: CaptureBytes, magic: bytes) -> Iterator[Packet]:
    """The packets of a file whose first four bytes were ``magic``; where it stops early, ``source`` records why.

    Raises :class:`CaptureError` where the header itself is cut.
    """
    order, unit = MAGICS[magic]
    header = source.take(20)
    if len(header) < 20:
        raise CaptureError(f"{source.path}: the file ends inside its own header: capture again or download again")
    network = struct.unpack(order + "HHiIII", header)[5]
    link_type = network & 0xFFFF
    record = struct.Struct(order + "IIII")
    number = 0
    while True:
        start = source.position
        head = source.take(16)
        if len(head) < 16:
            if head:
                source.stop(f"the file ends at byte {source.position}, inside the header of frame {number + 1}")
            return
        seconds, fraction, captured, wire = record.unpack(head)
        if captured > LONGEST_PACKET:
            source.stop(
                f"frame {number + 1}, at byte {start}, claims {captured} bytes, more than any packet has: "
                f"the file is damaged there and nothing behind it can be read"
            )
            return
        data = source.take(captured)
        number += 1
        yield Packet(number, seconds * 1_000_000_000 + fraction * unit, max(wire, captured), data, link_type)
        if len(data) < captured:
            missing = captured - len(data)
            source.stop(
                f"the file ends at byte {source.position}, inside frame {number}: {missing} byte(s) are missing"
            )
            return
