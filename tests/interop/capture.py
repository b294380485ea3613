"""tcpdump as a real process, and its pcap stream read as it comes."""

from __future__ import annotations

import select
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from types import TracebackType
from typing import Self

from tests.interop.daemon import DEADLINE

LOOPBACK = 772
"""ARPHRD_LOOPBACK: the packet was on lo."""

INCOMING, OUTGOING = 0, 4
"""The packet types of the Linux cooked capture (LINKTYPE_LINUX_SLL)."""


@dataclass(frozen=True)
class Datagram:
    """One UDP datagram as a capture has it; ``way`` is INCOMING or OUTGOING."""

    way: int
    on_loopback: bool
    source: tuple[str, int]
    destination: tuple[str, int]
    data: bytes


class Capture:
    """``tcpdump`` on all interfaces, UDP alone; ``command`` is what starts it, in whatever network."""

    def __init__(self, command: Sequence[str]) -> None:
        options = [
            "--interface=any",
            "--linktype=LINUX_SLL",
            "--immediate-mode",
            "--packet-buffered",
            "-n",
            "-w-",
            "udp",
        ]
        self._process = subprocess.Popen(
            [*command, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._bytes = b""

    def __enter__(self) -> Self:
        assert self._process.stderr is not None
        said = b""
        while b"listening on any" not in said:
            line = self._process.stderr.readline()
            assert line, said
            said += line
        magic, _, _, _, _, _, linktype = struct.unpack("=IHHiIII", self._read(24))
        assert (magic, linktype) == (0xA1B2C3D4, 113)
        return self

    def until(self, port: int) -> list[Datagram]:
        """Every datagram up to the first one to ``port``, which is the caller's mark and left out."""
        datagrams: list[Datagram] = []
        while not datagrams or datagrams[-1].destination[1] != port:
            _, _, kept, length = struct.unpack("=IIII", self._read(16))
            assert kept == length
            datagrams.append(_datagram(self._read(kept)))
        return datagrams[:-1]

    def _read(self, count: int) -> bytes:
        assert self._process.stdout is not None
        until = time.monotonic() + DEADLINE
        while len(self._bytes) < count:
            assert select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))[0], (
                "no packet came"
            )
            piece = self._process.stdout.read(65536)
            assert piece, "tcpdump ended"
            self._bytes += piece
        read, self._bytes = self._bytes[:count], self._bytes[count:]
        return read

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.communicate(timeout=DEADLINE)


def _datagram(packet: bytes) -> Datagram:
    """A Linux cooked header of 16 bytes, IPv4 (RFC 791), UDP (RFC 768)."""
    way, hardware, _, _, ethertype = struct.unpack("!HHH8sH", packet[:16])
    header = 4 * (packet[16] & 15)
    total, protocol = struct.unpack("!2xH5xB", packet[16:26])
    assert (ethertype, packet[16] >> 4, protocol) == (0x0800, 4, 17)
    source, destination = (str(IPv4Address(packet[at : at + 4])) for at in (28, 32))
    udp = packet[16 + header : 16 + total]
    source_port, destination_port, length = struct.unpack("!HHH", udp[:6])
    assert length == len(udp)
    return Datagram(way, hardware == LOOPBACK, (source, source_port), (destination, destination_port), udp[8:])
