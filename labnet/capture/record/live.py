"""A real capture on Linux: a packet socket in, pcapng out."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from labnet.capture.model import COOKED_V2, ETHERNET, RAW, CaptureError
from labnet.net.kernel.packet_filter import ATTACH_FILTER, attach, program_of

ALL_PROTOCOLS: Final = 0x0003
SNAP_LENGTH: Final = 262_144
TICK: Final = 0.25
"""Seconds after which what was captured is on disk and the counts are shown."""

_SO_TIMESTAMPNS: Final = 35
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_AUXDATA: Final = 8
_PACKET_OUTGOING: Final = 4
_VLAN_VALID: Final = 1 << 4
_NOTHING: Final = program_of([(0x06, 0, 0, 0)])
"""The filter that lets nothing through: return 0."""
_BUFFER: Final = 8 * 1024 * 1024
_LOOPBACK, _ETHER, _NO_LINK = 772, 1, (65534, 519, 768, 769, 776, 778)
"""ARPHRD numbers of /sys/class/net/*/type: interfaces of Linux by the header that their packets have."""

_NO_RIGHT: Final = (
    "capturing needs the right to: run it with sudo, or give your Python the right once with sudo setcap "
    "cap_net_raw+ep $(readlink -f $(which python3)). Without any right the lab writes its own traffic: [capture] file "
    "in its configuration, --capture FILE at its clients"
)


@dataclass(frozen=True, slots=True)
class PacketSource:
    """The interface ``name`` and what its packets begin with."""

    name: str
    link_type: int
    is_any: bool

    @classmethod
    def find(cls, name: str) -> PacketSource:
        """Raises :class:`CaptureError` with the interfaces that there are."""
        if name == "any":
            return cls(name, COOKED_V2, True)
        try:
            with open(f"/sys/class/net/{name}/type") as file:
                kind = int(file.read())
        except (OSError, ValueError):
            there = ", ".join(sorted(index[1] for index in socket.if_nameindex()))
            raise CaptureError(f"there is no interface {name!r}; there are: any, {there}") from None
        if kind in (_ETHER, _LOOPBACK):
            return cls(name, ETHERNET, False)
        if kind in _NO_LINK:
            return cls(name, RAW, False)
        raise CaptureError(f"interface {name} is of a kind not known here (ARPHRD {kind}): capture on any")


class Live:
    """An open packet socket on ``source``. Raises :class:`CaptureError`, also where ``filter`` does not compile."""

    def __init__(self, source: PacketSource, filter: str | None = None) -> None:
        if not hasattr(socket, "AF_PACKET"):
            raise CaptureError("capturing needs Linux: use Wireshark or tcpdump here, labnet explain reads their files")
        program = compile_filter(filter, source) if filter else b""
        # Without a link header the socket gives packets from the network layer on, the same for every interface.
        kind = socket.SOCK_DGRAM if source.is_any or source.link_type == RAW else socket.SOCK_RAW
        try:
            # With no protocol it receives nothing until it is bound; for all interfaces there is nothing to bind to.
            everything = socket.htons(ALL_PROTOCOLS) if source.is_any else 0
            self._socket = socket.socket(socket.AF_PACKET, kind, everything)
        except PermissionError:
            raise CaptureError(_NO_RIGHT) from None
        self._source = source
        try:
            self._set_up(program)
        except OSError as error:
            self._socket.close()
            raise CaptureError(f"cannot capture on {source.name}: {error.strerror}") from None

    def _set_up(self, program: bytes) -> None:
        sock = self._socket
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        sock.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        if program and self._source.is_any:
            attach(sock, ATTACH_FILTER, _NOTHING)
            self._drain()
        if program:
            attach(sock, ATTACH_FILTER, program)
        sock.settimeout(TICK)
        if not self._source.is_any:
            sock.bind((self._source.name, ALL_PROTOCOLS))

    def _drain(self) -> None:
        """Forget what came before there was a filter."""
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(1)

    def __iter__(self) -> Iterator[tuple[int, bytes, int] | None]:
        """Time in nanoseconds, bytes and length on the wire of each packet; None where none came for a moment."""
        while True:
            try:
                data, extra, _, address = self._socket.recvmsg(SNAP_LENGTH, 512)
            except TimeoutError:
                yield None
                continue
            except OSError as error:
                raise CaptureError(f"capturing on {self._source.name} ended: {error.strerror}") from None
            if address[2] == _PACKET_OUTGOING and address[3] == _LOOPBACK:
                continue  # on a loopback interface every packet comes in again
            stamp, length, data = self._extra(extra, data, time.time_ns())
            if self._source.is_any:
                data = self._cooked(address) + data
                length += 20
            yield stamp, data, max(length, len(data))

    def _extra(self, extra: list[tuple[int, int, bytes]], data: bytes, stamp: int) -> tuple[int, int, bytes]:
        length = len(data)
        for level, kind, value in extra:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(value) >= 16:
                seconds, nanoseconds = struct.unpack("qq", value[:16])
                stamp = seconds * 1_000_000_000 + nanoseconds
            elif level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(value) >= 20:
                status, length, _, _, _, tag, tag_type = struct.unpack("IIIHHHH", value[:20])
                if status & _VLAN_VALID and self._source.link_type == ETHERNET:
                    # The kernel takes the tag off; it belongs between the addresses and the EtherType.
                    data = data[:12] + struct.pack("!HH", tag_type or 0x8100, tag) + data[12:]
                    length += 4
        return stamp, length, data

    @staticmethod
    def _cooked(address: tuple[str, int, int, int, bytes]) -> bytes:
        name, protocol, kind, hardware, mac = address
        index = _index(name)
        return struct.pack("!HHIHBB8s", protocol, 0, index, hardware, kind, min(len(mac), 8), mac[:8])

    def dropped(self) -> int:
        """Packets that the kernel had no room for since this was last asked."""
        value = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("II", value)[1])

    def close(self) -> None:
        self._socket.close()


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0  # the interface is gone again


def compile_filter(text: str, source: PacketSource) -> bytes:
    """The kernel's program for a filter in tcpdump's language, compiled by tcpdump. Raises :class:`CaptureError`.

    On `any` the kernel shows the filter the IP packet and nothing before it.
    """
    tcpdump = shutil.which("tcpdump", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if tcpdump is None:
        raise CaptureError("--filter needs tcpdump to compile it: install tcpdump, or capture all")
    link = "EN10MB" if source.link_type == ETHERNET else "RAW"
    done = subprocess.run(
        [tcpdump, "-ddd", "-s", str(SNAP_LENGTH), "-y", link, "--", text], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("Warning")]
        why = lines[-1].removeprefix("tcpdump: ") if lines else "tcpdump does not say why"
        on_any = " (on `any` it can speak of IP packets only)" if source.link_type != ETHERNET else ""
        raise CaptureError(f"the filter {text!r} does not compile{on_any}: {why}")
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    return program_of(map(int, row) for row in rows)
