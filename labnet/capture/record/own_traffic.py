"""The program's own traffic as a capture, without any rights.

A program sees data, addresses, ports and times, and nothing of the headers that carried them. So the link type is raw
IP (no MAC addresses are made up), what the headers must hold is reconstructed, what cannot be known is 0, and every
packet's comment says which is which.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from zope.interface import implementer

from labnet.capture.files.writing import PcapngWriter
from labnet.capture.model import OWN_MARK, RAW
from labnet.capture.traffic.checks import ones_sum
from labnet.interfaces import ITraffic
from labnet.net.kernel.regular import open_made

End = tuple[str, int]
INTERFACE: Final = "labnet's own sockets"
MOST_SENT: Final = 256
"""Datagrams remembered in case they arrive at another of the program's sockets."""
LARGEST_SEGMENT: Final = 60_000
"""Bytes of data in one segment, so that it fits an IP packet."""

_TCP, _UDP = 6, 17
_FIN, _SYN, _RST, _PSH, _ACK = 1, 2, 4, 8, 16
_REAL: Final = (
    f"{OWN_MARK}: the data, addresses, ports and time are real; lengths and checksums are computed from them; "
)
_UDP_COMMENT: Final = f"{_REAL}the TTL and the identification are not known and are 0"
_TCP_COMMENT: Final = (
    f"{_REAL}sequence numbers count from 0, segments are cut as the program wrote or read, acknowledgements alone are "
    f"left out, the window is always 65535; the TTL and the identification are not known and are 0"
)
_EVENT_COMMENT: Final = f"{OWN_MARK}: this segment stands for {{}}; only addresses, ports and time are real"
_UNKNOWN: Final = "; the address {} stands for the program's own, which it does not know on a socket for all addresses"


class PacketWriter(Protocol):
    """What takes the packets, such as a :class:`~labnet.capture.files.writing.PcapngWriter`."""

    def write(self, time_ns: int, data: bytes, wire_length: int | None = None, comment: str | None = None) -> None:
        """Take one packet: ``time_ns`` in nanoseconds of the epoch."""

    def flush(self) -> None:
        """What was taken is to be seen."""


@dataclass(slots=True)
class _Connection:
    """The bytes that each side has sent so far, counted as TCP counts them."""

    client: End
    server: End
    sent: dict[End, int]
    is_ours_alone: bool = False
    """Whether both ends are the program's, so that everything is reported by the one and by the other."""


@implementer(ITraffic)
class OwnTraffic:
    """Writes what is reported to it to the file at ``path`` as pcapng, anew at each :meth:`open`.

    ``now`` gives nanoseconds of the epoch. A file that cannot be written costs no traffic: ``failed`` is called once
    with a sentence, and no more is written. Before it is opened and after it is closed nothing is.
    """

    def __init__(self, path: str, now: Callable[[], int], failed: Callable[[str], None]) -> None:
        self._path = path
        self._now = now
        self._failed = failed
        self._connections: dict[frozenset[End], _Connection] = {}
        self._sent: dict[tuple[End, End, bytes], int] = {}
        self.remark = ""
        """What is said of the packets from now on, behind what is always said."""
        self._done_to: Callable[[End, End, bytes], str] | None = None
        self._soon: Callable[[Callable[[], object]], object] = lambda call: None
        self._held: deque[Callable[[], None]] = deque()
        self._file: BinaryIO | None = None
        self._writer: PacketWriter | None = None

    def open(self) -> None:
        """Begin the file, in its folder made if need be; a new one is for its owner and group alone (0640)."""
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self._path)), exist_ok=True)
            # Without O_NONBLOCK a FIFO that nobody reads would stop the server.
            opener = lambda name, flags: open_made(name, flags | os.O_NONBLOCK, 0o640)  # noqa: E731
            self._file = open(self._path, "wb", opener=opener)  # noqa: SIM115
            self.write_to(PcapngWriter(self._file, RAW, INTERFACE))
        except OSError as error:
            self._fail(error)

    def write_to(self, writer: PacketWriter) -> None:
        """Give the packets to ``writer`` from now on."""
        self._writer = writer

    def remark_faults(
        self, done_to: Callable[[End, End, bytes], str], soon: Callable[[Callable[[], object]], object]
    ) -> None:
        """From now on ``done_to`` says which fault was done to data between two ends, in a sentence, if any was.

        What comes is seen here before a fault is done to it, so each packet is written by a call of ``soon``.
        """
        self._done_to = done_to
        self._soon = soon

    def datagram(self, source: End, destination: End, data: bytes, outward: bool) -> None:
        if not self._is_new((source, destination, data), outward):
            return
        header = struct.pack("!HHHH", source[1], destination[1], 8 + len(data), 0)
        self._put(source, destination, _UDP, header, data, 6, _UDP_COMMENT)

    def _is_new(self, datagram: tuple[End, End, bytes], outward: bool) -> bool:
        """Whether it is reported for the first time.

        What goes between two of the program's sockets is reported by each of them.
        """
        if outward:
            self._sent[datagram] = self._sent.pop(datagram, 0) + 1
            if len(self._sent) > MOST_SENT:
                del self._sent[next(iter(self._sent))]
            return True
        left = self._sent.pop(datagram, 0)
        if left > 1:
            self._sent[datagram] = left - 1
        return not left

    def opened(self, client: End, server: End) -> None:
        known = self._connections.get(frozenset((client, server)))
        if known is not None:
            known.is_ours_alone = True
            return
        connection = _Connection(client, server, {client: 0, server: 0})
        self._connections[frozenset((client, server))] = connection
        says = _EVENT_COMMENT.format("the opening of the connection")
        self._segment(connection, client, b"", _SYN, says)
        self._segment(connection, server, b"", _SYN | _ACK, says)

    def sent(self, source: End, destination: End, data: bytes, outward: bool) -> None:
        connection = self._connections.get(frozenset((source, destination)))
        if connection is None or (connection.is_ours_alone and not outward):
            return
        for at in range(0, len(data), LARGEST_SEGMENT):
            self._segment(connection, source, data[at : at + LARGEST_SEGMENT], _PSH | _ACK, _TCP_COMMENT)

    def closed(self, source: End, destination: End, reset: bool, outward: bool) -> None:
        connection = self._connections.get(frozenset((source, destination)))
        if connection is not None and (outward or not connection.is_ours_alone):
            says = "the reset of the connection" if reset else "this side's close"
            flags = _RST if reset else _FIN | _ACK
            self._segment(connection, source, b"", flags, _EVENT_COMMENT.format(says))

    def ended(self, source: End, destination: End) -> None:
        self._connections.pop(frozenset((source, destination)), None)

    def close(self) -> None:
        """End the file."""
        while self._held:
            self._write_next()
        file, self._file, self._writer = self._file, None, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        file, self._file, self._writer = self._file, None, None
        if file is not None:
            # What is buffered cannot be written either; left to the garbage collector, that would be said again.
            with contextlib.suppress(OSError):
                file.close()
        self._failed(f"cannot capture into {self._path}: {error.strerror}")

    def _segment(self, connection: _Connection, source: End, data: bytes, flags: int, comment: str) -> None:
        destination = connection.server if source == connection.client else connection.client
        sequence, acknowledged = connection.sent[source] % 2**32, connection.sent[destination] % 2**32
        if not flags & _ACK:
            acknowledged = 0
        header = struct.pack(
            "!HHIIBBHHH", source[1], destination[1], sequence, acknowledged, 5 << 4, flags, 65535, 0, 0
        )  # fmt: skip
        connection.sent[source] += len(data) + bool(flags & (_SYN | _FIN))
        self._put(source, destination, _TCP, header, data, 16, comment)

    def _put(
        self, source: End, destination: End, protocol: int, header: bytes, data: bytes, at: int, comment: str
    ) -> None:
        """Write one IP packet around ``header`` and ``data``, whose checksum belongs at byte ``at``; now or soon."""
        time, done_to = self._now(), self._done_to
        if done_to is None:
            self._write(time, source, destination, protocol, header + data, at, comment)
            return

        known = done_to(source, destination, data) if protocol == _TCP else ""  # its connection may be over soon

        def write() -> None:
            fault = known or (done_to(source, destination, data) if protocol == _UDP else "")
            said = f"{comment}; a fault was ordered: {fault}" if fault else comment
            self._write(time, source, destination, protocol, header + data, at, said)

        self._held.append(write)
        self._soon(self._write_next)

    def _write_next(self) -> None:
        if self._held:  # else they were all written at the end
            self._held.popleft()()

    def _write(
        self, time: int, source: End, destination: End, protocol: int, data: bytes, at: int, comment: str
    ) -> None:
        if self._writer is None:
            return
        first, second = _packed(source[0]), _packed(destination[0])
        if len(first) != len(second):
            return
        pseudo = first + second + struct.pack("!IHH", len(data), 0, protocol)
        checksum = ones_sum(pseudo + data) ^ 0xFFFF or 0xFFFF
        data = data[:at] + checksum.to_bytes(2, "big") + data[at + 2 :]
        for host in (source[0], destination[0]):
            if not any(_packed(host)):
                comment += _UNKNOWN.format(host)
        if self.remark:
            comment += f"; {self.remark}"
        packet = _ip_header(first, second, protocol, len(data)) + data
        try:
            self._writer.write(time, packet, comment=comment)
            self._writer.flush()
        except OSError as error:
            self._fail(error)


def _packed(host: str) -> bytes:
    """The address in bytes, an IPv4 one in IPv6's clothes as itself; zeros for what is none."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return bytes(4)
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped.packed if mapped is not None else address.packed


def _ip_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, length, protocol, 0) + source + destination
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 0, protocol, 0) + source + destination
    checksum = ones_sum(header) ^ 0xFFFF
    return header[:10] + checksum.to_bytes(2, "big") + header[12:]
