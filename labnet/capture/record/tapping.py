"""A reactor that tells a traffic sink of every datagram and every TCP connection that passes through it.

The services are given their reactor, so this one in its place sees all their traffic, and they need no code for it.
Where nothing is captured it is not there and costs nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

from labnet.interfaces import IDatagramSocket, IDatagramSockets, IReactor, ITraffic

End = tuple[str, int]


class _Proxy:
    """Passes on everything but what a subclass has itself."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped
        directlyProvides(self, providedBy(wrapped))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


class _Reactor(_Proxy):
    def __init__(self, reactor: Any, traffic: ITraffic) -> None:
        super().__init__(reactor)
        self._traffic = traffic

    def listenUDP(self, port: int, protocol: Any, *arguments: Any, **options: Any) -> Any:
        return self._wrapped.listenUDP(port, _Datagrams(protocol, self._traffic), *arguments, **options)

    def listenTCP(self, port: int, factory: Any, *arguments: Any, **options: Any) -> Any:
        return self._wrapped.listenTCP(port, _Factory(factory, self._traffic, True), *arguments, **options)

    def connectTCP(self, host: str, port: int, factory: Any, *arguments: Any, **options: Any) -> Any:
        return self._wrapped.connectTCP(host, port, _Factory(factory, self._traffic, False), *arguments, **options)

    def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> Any:
        if family in (socket.AF_INET, socket.AF_INET6):
            factory = _Factory(factory, self._traffic, True)
        return self._wrapped.adoptStreamPort(descriptor, family, factory)


def tapped_reactor(reactor: IReactor, traffic: ITraffic) -> IReactor:
    """``reactor``, reporting to ``traffic`` all that its sockets send and receive."""
    proxy: Any = _Reactor(reactor, traffic)
    return cast(IReactor, proxy)


@implementer(IDatagramSocket)
class _ParentSocket:
    """A socket to a parent whose datagrams are reported."""

    def __init__(self, there: End, traffic: ITraffic, received: Callable[[bytes], None]) -> None:
        self._there = there
        self._traffic = traffic
        self._received = received
        self.here: End = ("0.0.0.0", 0)
        self._socket: Any = None

    def opened(self, sock: Any) -> None:
        """It is ``sock`` that sends and receives; its own end is asked of a duplicate, as it does not give it."""
        self._socket = sock
        with socket.socket(fileno=os.dup(sock.fileno())) as same:
            self.here = same.getsockname()[:2]

    def received(self, datagram: bytes) -> None:
        self._traffic.datagram(self._there, self.here, datagram, outward=False)
        self._received(datagram)

    def send(self, datagram: bytes) -> None:
        self._traffic.datagram(self.here, self._there, datagram, outward=True)
        self._socket.send(datagram)

    def close(self) -> None:
        self._socket.close()


@implementer(IDatagramSockets)
class TappedSockets:
    """Sockets to the parents, from ``sockets``, reporting to ``traffic`` what passes through them."""

    def __init__(self, sockets: IDatagramSockets, traffic: ITraffic) -> None:
        self._sockets = sockets
        self._traffic = traffic

    def open(
        self, host: str, port: int, received: Callable[[bytes], None], failed: Callable[[OSError], None]
    ) -> IDatagramSocket:
        tapped = _ParentSocket((host, port), self._traffic, received)
        tapped.opened(self._sockets.open(host, port, tapped.received, failed))
        return tapped


class _Datagrams(_Proxy):
    """A DatagramProtocol whose datagrams are reported."""

    def __init__(self, protocol: Any, traffic: ITraffic) -> None:
        super().__init__(protocol)
        self._traffic = traffic
        self.transport_of_protocol: Any = None
        """What the protocol has for its port, and what may be diverted as that."""

    def makeConnection(self, transport: Any) -> None:
        self.transport_of_protocol = _DatagramTransport(transport, self._traffic, self._wrapped)
        self._wrapped.makeConnection(self.transport_of_protocol)

    def datagramReceived(self, datagram: bytes, addr: End) -> None:
        port = self.transport_of_protocol
        self._traffic.datagram(addr[:2], _end(port.getHost()), datagram, outward=False)
        port.protocol.datagramReceived(datagram, addr)


class _DatagramTransport(_Proxy):
    def __init__(self, transport: Any, traffic: ITraffic, protocol: Any) -> None:
        super().__init__(transport)
        self._traffic = traffic
        self.protocol = protocol
        self._peer: End = ("0.0.0.0", 0)

    def divert(self, protocol: Any) -> None:
        """Give datagrams to ``protocol``, which stands before the one that this began with."""
        self.protocol = protocol

    restore = divert

    def connect(self, host: str, port: int) -> Any:
        self._peer = (host, port)
        return self._wrapped.connect(host, port)

    def write(self, datagram: bytes, addr: End | None = None) -> Any:
        result = self._wrapped.write(datagram, addr)
        there = addr[:2] if addr is not None else self._peer
        self._traffic.datagram(_end(self._wrapped.getHost()), there, datagram, outward=True)
        return result


class _Factory(_Proxy):
    def __init__(self, factory: Any, traffic: ITraffic, is_server: bool) -> None:
        super().__init__(factory)
        self._traffic = traffic
        self._is_server = is_server

    def buildProtocol(self, addr: Any) -> Any:
        protocol = self._wrapped.buildProtocol(addr)
        return None if protocol is None else _Stream(protocol, self._traffic, self._is_server)


class _Stream(_Proxy):
    """A Protocol whose connection is reported."""

    def __init__(self, protocol: Any, traffic: ITraffic, is_server: bool) -> None:
        super().__init__(protocol)
        self._traffic = traffic
        self._is_server = is_server
        self._transport: Any = None
        self._here: End = ("0.0.0.0", 0)
        self._there: End = ("0.0.0.0", 0)
        self._peer_closed = False

    def makeConnection(self, transport: Any) -> None:
        self._here, self._there = _end(transport.getHost()), _end(transport.getPeer())
        if self._is_server:
            self._traffic.opened(self._there, self._here)
        else:
            self._traffic.opened(self._here, self._there)
        self._transport = _StreamTransport(transport, self._traffic, self._here, self._there)
        self._wrapped.makeConnection(self._transport)

    def dataReceived(self, data: bytes) -> None:
        self._traffic.sent(self._there, self._here, data, outward=False)
        self._wrapped.dataReceived(data)

    def readConnectionLost(self) -> None:
        self._peer_closed = True
        self._traffic.closed(self._there, self._here, reset=False, outward=False)
        self._wrapped.readConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        if not self._peer_closed and not self._transport.closed:
            reset = not reason.check(ConnectionDone)
            self._traffic.closed(self._there, self._here, reset, outward=False)
        self._traffic.ended(self._there, self._here)
        self._wrapped.connectionLost(reason)


class _StreamTransport(_Proxy):
    def __init__(self, transport: Any, traffic: ITraffic, here: End, there: End) -> None:
        super().__init__(transport)
        self._traffic = traffic
        self._ends = (here, there)
        self.closed = False

    def write(self, data: bytes) -> None:
        self._traffic.sent(*self._ends, data, outward=True)
        self._wrapped.write(data)

    def writeSequence(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def loseConnection(self, *arguments: Any) -> Any:
        self._close(reset=False)
        return self._wrapped.loseConnection(*arguments)

    def loseWriteConnection(self) -> Any:
        self._close(reset=False)
        return self._wrapped.loseWriteConnection()

    def abortConnection(self) -> Any:
        self._close(reset=True)
        return self._wrapped.abortConnection()

    def _close(self, reset: bool) -> None:
        if not self.closed:
            self.closed = True
            self._traffic.closed(*self._ends, reset, outward=True)


def _end(address: Any) -> End:
    """Address and port; zeros for a socket that has none, such as a UNIX one."""
    return getattr(address, "host", "0.0.0.0"), getattr(address, "port", 0)


class TappedSocket:
    """A blocking socket of a client's, reporting to ``traffic`` what it sends and receives."""

    def __init__(self, sock: socket.socket, traffic: ITraffic) -> None:
        self._socket = sock
        self._traffic = traffic
        self._is_stream = sock.type == socket.SOCK_STREAM
        self._ends: tuple[End, End] | None = None
        self._told_end = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def __enter__(self) -> TappedSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> int:
        count = self._socket.send(data)
        self._tell(data[:count], outward=True)
        return count

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(data)
        self._tell(data, outward=True)

    def sendto(self, data: bytes, address: Any) -> int:
        count = self._socket.sendto(data, address)
        self._traffic.datagram(self._socket.getsockname()[:2], address[:2], data, outward=True)
        return count

    def recv(self, size: int) -> bytes:
        data = self._socket.recv(size)
        self._tell(data, outward=False)
        return data

    def recvfrom(self, size: int) -> tuple[bytes, Any]:
        data, address = self._socket.recvfrom(size)
        self._traffic.datagram(address[:2], self._socket.getsockname()[:2], data, outward=False)
        return data, address

    def close(self) -> None:
        if self._ends is not None and self._is_stream:
            here, there = self._ends
            self._close_told(here, there, True)
            self._traffic.ended(here, there)
            self._ends = None
        self._socket.close()

    def _tell(self, data: bytes, outward: bool) -> None:
        """Of the connection at its first bytes, and of ``data``; no bytes received are the peer's close."""
        if self._ends is None:
            self._ends = (self._socket.getsockname()[:2], self._socket.getpeername()[:2])
            if self._is_stream:
                self._traffic.opened(*self._ends)
        source, destination = self._ends if outward else self._ends[::-1]
        if not self._is_stream:
            self._traffic.datagram(source, destination, data, outward)
        elif data:
            self._traffic.sent(source, destination, data, outward)
        else:
            self._close_told(source, destination, outward)

    def _close_told(self, source: End, destination: End, outward: bool) -> None:
        if not self._told_end:
            self._told_end = True
            self._traffic.closed(source, destination, False, outward)
