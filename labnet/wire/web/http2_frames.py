"""Frames of HTTP/2: their kinds, flags, settings and errors (RFC 9113, sections 4, 6 and 7)."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

LONGEST_FRAME: Final = 16384
"""Bytes of a frame that every peer has to take, and that are taken here (section 4.2)."""

HEAD: Final = Struct("!HBBBI")
"""The head of a frame: length (two bytes and one), kind, flags, stream."""

_BEFORE_STREAM: Final = Struct("!HBBB")
LONG: Final = Struct("!I")
SETTING: Final = Struct("!HI")

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 32
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 3, 4, 5, 6


class H2Error(IntEnum):
    """Why a stream or a connection ends (section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


def head_of(kind: int, flags: int, length: int) -> bytes:
    """What stands before the number of its stream in a frame, whose payload has so many bytes."""
    return _BEFORE_STREAM.pack(length >> 8, length & 255, kind, flags)


def frame_of(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame, whose payload has :data:`LONGEST_FRAME` bytes at most."""
    length = len(payload)
    return HEAD.pack(length >> 8, length & 255, kind, flags, stream) + payload
