"""A UDP port that reads and writes datagrams in batches: one system call for many (recvmmsg(2), sendmmsg(2)).

What the packet caches know is answered here; the rest goes to the DatagramProtocol one by one, as Twisted's own port
does it. It is for Linux, through ctypes alone; elsewhere Twisted's port serves with the same answers.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import socket
import struct
import sys
from typing import Any, Final, Literal, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReadDescriptor
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IReactor
from labnet.resolver.packetcache import PacketCaches

BATCH: Final = 64
"""Datagrams read by one system call."""

BATCHES: Final = 4
"""System calls to read by, until the reactor's other sockets have their turn: a flood must not starve them."""

SLOT: Final = 4096
"""Bytes of a datagram that are kept; none of either protocol's questions is as long."""

RECEIVE_BUFFER: Final = 4 << 20
"""Bytes that the system is asked to hold for the port: the usual 208 KiB hold 256 small questions of a burst."""

_SO_RXQ_OVFL: Final = 40
_CONTROL: Final = 64
_IPV4: Final = struct.Struct("!2xH4s")
_IPV6: Final = struct.Struct("!2xH4x16s")
_SCOPE: Final = struct.Struct("=24xI")  # the one field in the machine's own byte order


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vectorslen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Message(ctypes.Structure):
    _fields_ = [("header", _Header), ("length", ctypes.c_uint)]


class _Slots:
    """The memory of one batch: for each slot a buffer, an address, and the headers that point to them."""

    def __init__(self, names: Any = None) -> None:
        self.buffer = ctypes.create_string_buffer(BATCH * SLOT)
        self.names = names or ctypes.create_string_buffer(BATCH * 32)
        self.vectors = (_Vector * BATCH)()
        self.messages = (_Message * BATCH)()
        for slot in range(BATCH):
            self.vectors[slot].base = ctypes.addressof(self.buffer) + slot * SLOT
            self.vectors[slot].length = SLOT
            header = self.messages[slot].header
            header.name = self.name_at(slot)
            header.namelen = 28
            header.vectors = ctypes.addressof(self.vectors[slot])
            header.vectorslen = 1
        self.bytes = memoryview(self.buffer).cast("B")

    def name_at(self, slot: int) -> int:
        """Where the address of ``slot`` lies in memory."""
        return ctypes.addressof(self.names) + slot * 32

    def words(self, structures: Any, field_offset: int, kind: Literal["I", "Q"]) -> tuple[memoryview, int, int]:
        """A view on one field of all structures: the view, the index of the first, and the step to the next."""
        view = memoryview(structures).cast("B").cast(kind)
        size = struct.calcsize(kind)
        return view, field_offset // size, ctypes.sizeof(structures) // BATCH // size


def is_available(reactor: object) -> bool:
    """Whether this system and ``reactor`` can have a batch port: it has to watch real file descriptors."""
    return sys.platform == "linux" and isinstance(reactor, PosixReactorBase)


@implementer(IReadDescriptor, IListeningPort)
class BatchPort:
    """Listens on ``interface`` and ``port`` and answers from ``packets``; what they lack goes to ``protocol``.

    ``dropped`` counts datagrams that came while the system's buffer was full, ``unsent`` replies that it did not take.
    """

    log = Logger()

    def __init__(
        self, reactor: IReactor, port: int, protocol: DatagramProtocol, interface: str, packets: PacketCaches
    ) -> None:
        self.dropped = 0
        self.unsent = 0
        self._reactor = reactor
        self._port = port
        self._interface = interface
        self._protocol = protocol
        self._packets = packets
        self._ipv6 = ":" in interface
        self._socket: socket.socket | None = None
        self._stopped: Deferred[None] | None = None

    def startListening(self) -> None:
        """Open the socket. Raises CannotListenError."""
        family = socket.AF_INET6 if self._ipv6 else socket.AF_INET
        try:
            self._socket = sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            sock.bind((self._interface, self._port))
        except OSError as error:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            raise CannotListenError(self._interface, self._port, error) from error
        _enlarge(sock)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        self._fileno = sock.fileno()
        library = ctypes.CDLL(None, use_errno=True)
        self._recvmmsg, self._sendmmsg = library.recvmmsg, library.sendmmsg
        self._in = _Slots()
        self._out = _Slots(self._in.names)
        for message in self._out.messages:
            message.header.namelen = 28 if self._ipv6 else 16
        self._control = ctypes.create_string_buffer(_CONTROL)
        self._in.messages[0].header.control = ctypes.addressof(self._control)
        self._lengths = self._in.words(self._in.messages, _Message.length.offset, "I")
        self._sizes = self._out.words(self._out.vectors, _Vector.length.offset, "Q")
        self._protocol.makeConnection(cast(Any, self))
        self._reactor.addReader(self)

    def doRead(self) -> None:
        for _ in range(BATCHES):
            self._in.messages[0].header.controllen = _CONTROL
            count = self._recvmmsg(self._fileno, self._in.messages, BATCH, socket.MSG_DONTWAIT, None)
            if count <= 0:
                return  # nothing more, or an error that belongs to an earlier reply (ICMP)
            self._count_dropped()
            self._answer(count)
            if count < BATCH or self._socket is None:
                return

    def _answer(self, count: int) -> None:
        """Send what is known for the ``count`` datagrams that came, and hand the others on."""
        now = self._packets.seconds()
        find_dns, find_course = self._packets.dns.packets.get, self._packets.course.packets.get
        lengths, first, step = self._lengths
        sizes, first_size, size_step = self._sizes
        came, goes = self._in.bytes, self._out.bytes
        replies = 0
        others: list[tuple[int, bytes]] | None = None
        for slot in range(count):
            at = slot * SLOT
            datagram = came[at : at + lengths[first + slot * step]].tobytes()
            packet = find_dns(datagram[2:])
            if packet is not None and now < packet[1]:
                reply = datagram[:2] + packet[0]
            else:
                packet = find_course(datagram)
                if packet is not None and now < packet[1]:
                    reply = packet[0]
                else:
                    folded = self._packets.find_folded(datagram, now)
                    if folded is None:
                        others = others or []
                        others.append((slot, datagram))
                        continue
                    reply = folded
            to = replies * SLOT
            goes[to : to + len(reply)] = reply
            sizes[first_size + replies * size_step] = len(reply)
            if others is not None:
                self._out.messages[replies].header.name = self._in.name_at(slot)
            replies += 1
        if replies:
            self._send(replies)
        if others is not None:
            for slot in range(replies):
                self._out.messages[slot].header.name = self._in.name_at(slot)
            for slot, datagram in others:
                self._hand_on(datagram, self._address(slot))

    def _hand_on(self, datagram: bytes, address: tuple[str, int]) -> None:
        """As Twisted's port does it: one datagram that fails must not close the port for all."""
        try:
            self._protocol.datagramReceived(datagram, address)
        except Exception:
            self.log.failure("answering a datagram of {address} failed", address=address)

    def _send(self, count: int) -> None:
        done = 0
        while done < count:
            sent = self._sendmmsg(
                self._fileno, ctypes.byref(self._out.messages, done * ctypes.sizeof(_Message)), count - done, 0
            )
            if sent > 0:
                done += sent
            elif ctypes.get_errno() != errno.EINTR:
                # The system does not take this one: as good as lost on the way. A full buffer takes none of the others.
                lost = count - done if ctypes.get_errno() == errno.EAGAIN else 1
                self.unsent += lost
                done += lost

    def _address(self, slot: int) -> tuple[str, int]:
        name = self._in.names
        if self._ipv6:
            port, packed = _IPV6.unpack_from(name, slot * 32)
            (scope,) = _SCOPE.unpack_from(name, slot * 32)
            host = socket.inet_ntop(socket.AF_INET6, packed)
            return (f"{host}%{scope}" if scope else host), port
        port, packed = _IPV4.unpack_from(name, slot * 32)
        return socket.inet_ntop(socket.AF_INET, packed), port

    def _count_dropped(self) -> None:
        if self._in.messages[0].header.controllen >= 20:
            self.dropped = struct.unpack_from("=I", self._control, 16)[0]

    def write(self, datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        """Send ``datagram`` to ``addr``. Raises OSError where the system does not take it."""
        if self._socket is not None and addr is not None:
            host, _, scope = addr[0].partition("%")
            self._socket.sendto(datagram, (host, addr[1], 0, int(scope)) if scope else addr)

    def getHost(self) -> IPv4Address | IPv6Address:
        if self._socket is None:
            raise ValueError("the port is closed")
        host, port = self._socket.getsockname()[:2]
        return (IPv6Address if self._ipv6 else IPv4Address)("UDP", host, port)

    def stopListening(self) -> Deferred[None]:
        """Close the socket in the reactor's next turn, as Twisted's port does."""
        if self._stopped is None:
            self._stopped = Deferred()
            self._reactor.removeReader(self)
            self._reactor.callLater(0, self.connectionLost)
        return self._stopped

    def connectionLost(self, reason: Failure | None = None) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            self._reactor.removeReader(self)
            sock.close()
            self._protocol.doStop()
        if self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        return "resolver"


def _enlarge(sock: socket.socket) -> None:
    """Ask for :data:`RECEIVE_BUFFER`; past the system's limit (net.core.rmem_max) only an administrator gets it."""
    for option in (getattr(socket, "SO_RCVBUFFORCE", 33), socket.SO_RCVBUF):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
        except OSError:
            continue
        return
