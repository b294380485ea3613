"""A UDP port that takes one datagram at a time, as Twisted's does, and replies from the address that was asked.

Twisted's own loses the scope of a link-local client, and replies from whatever address the route has.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IReactor
from labnet.net.addresses import host_and_port, socket_address
from labnet.net.datagrams import never_fragment
from labnet.net.kernel import packet_info
from labnet.net.kernel.reflectors import ignore_reflectors

_READS: Final = 128
"""Datagrams read in one turn of the reactor."""


@implementer(IReadDescriptor, IListeningPort)
class UDPPort:
    """Listens on ``address``, an interface and a port, for ``protocol``, a DatagramProtocol.

    ``open_socket`` gives the socket for the address; datagrams are cut after ``most`` bytes.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactor,
        address: tuple[str, int],
        protocol: Any,
        open_socket: Callable[[str, int], socket.socket],
        most: int = 8192,
    ) -> None:
        self.socket: socket.socket | None = None
        self.protocol = protocol
        self._reactor = reactor
        self._address = address
        self._open_socket = open_socket
        self._most = most
        self._receive = self._receive_from
        self._stopped: Deferred[None] | None = None

    def startListening(self) -> None:
        """Open the socket. Raises CannotListenError."""
        try:
            self.socket = sock = self._open_socket(*self._address)
        except OSError as error:
            raise CannotListenError(*self._address, error) from error
        never_fragment(sock)
        ignore_reflectors(sock)
        self._prepare(sock)
        self.protocol.makeConnection(self)
        self._reactor.addReader(self)

    def _prepare(self, sock: socket.socket) -> None:
        """Get ready to read from ``sock``."""
        if packet_info.ask_for_destination(sock):
            self._receive = self._receive_message

    def divert(self, protocol: Any) -> None:
        """Give datagrams to ``protocol``, one at a time, until :meth:`restore`."""
        self.protocol = protocol

    def restore(self, protocol: Any) -> None:
        """Give datagrams to ``protocol``, which this port began with, as before :meth:`divert`."""
        self.protocol = protocol

    def stopReading(self) -> None:
        """Take no further datagrams; replies to earlier ones can still be sent."""
        self._reactor.removeReader(self)

    def doRead(self) -> None:
        for _ in range(_READS):
            if self.socket is None:
                return  # closed by an answer
            try:
                datagram, address = self._receive(self.socket)
            except OSError:
                return  # nothing is there, or an earlier reply was refused (ICMP)
            try:
                self.protocol.datagramReceived(datagram, address)
            except Exception:
                self.log.failure("answering a datagram of {address} failed", address=address, event="resolver.failed")

    def _receive_from(self, sock: socket.socket) -> tuple[bytes, tuple[str, int]]:
        datagram, address = sock.recvfrom(self._most)
        return datagram, host_and_port(address)

    def _receive_message(self, sock: socket.socket) -> tuple[bytes, tuple[str, int]]:
        datagram, ancillary, _, address = sock.recvmsg(self._most, packet_info.IPV6_BYTES)
        return datagram, packet_info.AskingAddress.of(host_and_port(address), ancillary)

    def write(self, datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        """Send ``datagram`` to ``addr``, from the local address that it asked. Raises OSError."""
        if self.socket is None or addr is None:
            return
        if isinstance(addr, packet_info.AskingAddress):
            self.socket.sendmsg([datagram], addr.ancillary, 0, socket_address(*addr))
        else:
            self.socket.sendto(datagram, socket_address(*addr))

    def getHost(self) -> IPv4Address | IPv6Address:
        if self.socket is None:
            raise ValueError("the port is closed")
        host, port, *more = self.socket.getsockname()
        if more and more[1]:
            with contextlib.suppress(OSError):
                host += f"%{socket.if_indextoname(more[1])}"
        return (IPv6Address if self.socket.family == socket.AF_INET6 else IPv4Address)("UDP", host, port)

    def stopListening(self) -> Deferred[None]:
        """Close the socket in the reactor's next turn, as Twisted's port does."""
        if self._stopped is None:
            self._stopped = Deferred()
            self.stopReading()
            self._reactor.callLater(0, self.connectionLost)
        return self._stopped

    def connectionLost(self, reason: Failure | None = None) -> None:
        sock = self.socket
        if sock is not None:
            self.stopReading()
            self.socket = None
            sock.close()
            self.protocol.doStop()
        if self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)

    def fileno(self) -> int:
        return -1 if self.socket is None else self.socket.fileno()

    def logPrefix(self) -> str:
        return "resolver"
