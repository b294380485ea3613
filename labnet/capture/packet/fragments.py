"""IP fragments put together again (RFC 815's rule, with bounds), so that what they carry can be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from labnet.capture.model import Dissected, Joined
from labnet.capture.packet import headers
from labnet.capture.packet.headers import read_header

MOST_DATAGRAMS: Final = 256
"""Datagrams that may be incomplete at a time; past it the oldest is forgotten."""
MOST_PIECES: Final = 128

_UDP_HEADER: Final = 8


@dataclass(slots=True)
class _Pieces:
    parts: dict[int, bytes] = field(default_factory=dict)
    frames: list[int] = field(default_factory=list)
    length: int | None = None


class Fragments:
    """Keeps the fragments that went by until a datagram is whole."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, int, int], _Pieces] = {}

    def join(self, frame: Dissected) -> None:
        """Give ``frame`` the whole datagram's data and ports, if it is the fragment that completes it."""
        network = frame.network
        if frame.fragment is None or network is None or frame.packet.is_cut:
            return
        offset, more, identification = frame.fragment
        protocol = network.number("ip.proto")
        if protocol is None:
            extension = frame.layer("ipv6.fraghdr")
            protocol = extension.number("ipv6.fraghdr.nxt") if extension is not None else None
        start = self._start(frame)
        key = (frame.source, frame.destination, protocol or 0, identification)
        pieces = self._waiting.setdefault(key, _Pieces())
        data = frame.packet.data[start : frame.payload[1]]
        pieces.parts.setdefault(offset, data)
        pieces.frames.append(frame.packet.number)
        if not more:
            pieces.length = offset + len(data)
        whole = self._whole(pieces)
        if whole is not None:
            del self._waiting[key]
            self._give(frame, protocol or 0, whole, pieces)
        elif len(pieces.parts) > MOST_PIECES:
            del self._waiting[key]
        elif len(self._waiting) > MOST_DATAGRAMS:
            del self._waiting[next(iter(self._waiting))]

    @staticmethod
    def _start(frame: Dissected) -> int:
        """Where the datagram's own bytes begin: behind the last header of the network layer."""
        ends = [layer.end for layer in frame.layers if layer.name in ("ip", "ipv6") or layer.name.startswith("ipv6.")]
        return max(ends, default=0)

    @staticmethod
    def _whole(pieces: _Pieces) -> bytes | None:
        if pieces.length is None:
            return None
        whole = b""
        while len(whole) < pieces.length:
            part = pieces.parts.get(len(whole))
            if not part:
                return None
            whole += part
        return whole

    @staticmethod
    def _give(frame: Dissected, protocol: int, whole: bytes, pieces: _Pieces) -> None:
        ports = None
        if protocol == 17 and len(whole) >= _UDP_HEADER:
            ports = (int.from_bytes(whole[:2], "big"), int.from_bytes(whole[2:4], "big"))
            frame.data = whole[_UDP_HEADER:]
        elif protocol == 6 and len(whole) >= headers.TCP.size and 20 <= (start := 4 * (whole[12] >> 4)) <= len(whole):
            ports = (int.from_bytes(whole[:2], "big"), int.from_bytes(whole[2:4], "big"))
            frame.transport = read_header(headers.TCP, whole, 0, len(whole))
            frame.data = whole[start:]
        elif protocol in (1, 58):
            frame.data = whole
        frame.size = len(frame.data)
        frame.joined = Joined(protocol, ports, tuple(pieces.frames))
