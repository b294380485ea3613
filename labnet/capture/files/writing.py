"""Writing pcapng files (draft-ietf-opsawg-pcapng) with nanoseconds and comments."""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6
_COMMENT, _NAME, _RESOLUTION, _PROGRAM = 1, 2, 9, 4


class PcapngWriter:
    """Writes packets to ``file``: one section, one interface of ``link_type`` named ``name``.

    Every method may raise OSError; a packet is one write, so that a file that is read meanwhile is whole.
    """

    def __init__(self, file: BinaryIO, link_type: int, name: str, snap_length: int = 0) -> None:
        self._file = file
        section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _options((_PROGRAM, b"labnet"))
        about = _options((_NAME, name.encode()), (_RESOLUTION, b"\x09"))
        interface = struct.pack("<HHI", link_type, 0, snap_length) + about
        file.write(_block(_SECTION, section) + _block(_INTERFACE, interface))
        file.flush()

    def write(self, time_ns: int, data: bytes, wire_length: int | None = None, comment: str | None = None) -> None:
        """Add one packet: ``time_ns`` in nanoseconds of the epoch, ``wire_length`` in bytes if more than ``data``."""
        length = len(data) if wire_length is None else wire_length
        head = struct.pack("<IIIII", 0, time_ns >> 32, time_ns & 0xFFFFFFFF, len(data), length)
        body = head + data + bytes(-len(data) % 4)
        if comment is not None:
            body += _options((_COMMENT, comment.encode()))
        self._file.write(_block(_PACKET, body))

    def flush(self) -> None:
        self._file.flush()


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def _options(*options: tuple[int, bytes]) -> bytes:
    encoded = b"".join(struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options)
    return encoded + struct.pack("<HH", 0, 0)
