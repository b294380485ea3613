"""A network in memory: Twisted's own TCP ports and connections over sockets that are lists.

Only the sockets and the clock are fake, so what a test sees of half-closing, back pressure, aborting and accepting is
what Twisted does.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections import deque
from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.posixbase import _DisconnectSelectableMixin
from twisted.internet.testing import MemoryReactorClock, StringTransport

START = time.mktime((2023, 10, 1, 13, 33, 3, 0, 0, -1))
"""Epoch seconds of the assignment's ``Sun Oct  1 13:33:03 2023`` in local time."""


_NO_SOCKET = os.open(os.devnull, os.O_RDONLY)
"""A descriptor that has flags: Twisted 24.7 sets one of each connection that it accepts."""


class _Socket:
    """What both kinds of socket share."""

    closed = False

    def setblocking(self, blocking: bool) -> None:
        """Every socket here is non-blocking."""

    def fileno(self) -> int:
        return _NO_SOCKET

    def close(self) -> None:
        self.closed = True


class ConnectedSocket(_Socket):
    """The server's end of a connection, and what the client sees and does at the other.

    ``room`` is how many more bytes the client's system takes; None for any number.
    """

    def __init__(self) -> None:
        self.arrived: deque[bytes | OSError] = deque()
        self.sent = bytearray()
        self.room: int | None = None
        self.reset = False

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 0

    def recv(self, size: int) -> bytes:
        if not self.arrived:
            raise BlockingIOError(errno.EWOULDBLOCK, "nothing has come")
        first = self.arrived[0]
        if isinstance(first, OSError):
            raise first
        if len(first) > size:
            self.arrived[0] = first[size:]
            return first[:size]
        # The end of the stream stays.
        return self.arrived.popleft() if first else first

    def send(self, data: memoryview) -> int:
        if self.arrived and isinstance(self.arrived[-1], OSError):
            raise self.arrived[-1]
        taken = len(data) if self.room is None else min(self.room, len(data))
        if self.room is not None:
            if data and not taken:
                raise BlockingIOError(errno.EWOULDBLOCK, "the client does not read")
            self.room -= taken
        self.sent += data[:taken]
        return taken

    def shutdown(self, how: int) -> None:
        """Closing says the same."""

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        self.reset = option == socket.SO_LINGER


class ListeningSocket(_Socket):
    """A welcome socket: clients wait in ``queue`` until they are accepted."""

    def __init__(self, refuses: OSError | None) -> None:
        self.queue: deque[tuple[ConnectedSocket, tuple[Any, ...]]] = deque()
        self._refuses = refuses
        self._bound: tuple[Any, ...] = ()

    def bind(self, address: tuple[Any, ...]) -> None:
        if self._refuses is not None:
            raise self._refuses
        self._bound = address

    def listen(self, backlog: int) -> None:
        """The queue is open from the start."""

    def getsockname(self) -> tuple[Any, ...]:
        return self._bound

    def accept(self) -> tuple[ConnectedSocket, tuple[Any, ...]]:
        if not self.queue:
            raise BlockingIOError(errno.EWOULDBLOCK, "nobody waits")
        return self.queue.popleft()

    def shutdown(self, how: int) -> None:
        """Closing says the same."""


class MemoryPort(tcp.Port):
    """Twisted's TCP port over a :class:`ListeningSocket`."""

    refuses: OSError | None = None

    def createInternetSocket(self) -> ListeningSocket:
        self.welcome = ListeningSocket(self.refuses)
        return self.welcome


class MemoryUDPPort:
    """As much of a UDP port as the composition root touches."""

    def __init__(self, number: int, interface: str) -> None:
        self._host = IPv4Address("UDP", interface, number)
        self.open = True

    def getHost(self) -> IPv4Address:
        return self._host

    def stopListening(self) -> Deferred[None]:
        self.open = False
        return succeed(None)


class Client:
    """A client of the command server, as seen from its own end."""

    def __init__(self, reactor: MemoryReactor, sock: ConnectedSocket) -> None:
        self._reactor = reactor
        self._socket = sock
        self._read = 0

    def send(self, *segments: bytes) -> None:
        """Send each segment by itself; the server reads one before the next arrives."""
        for segment in segments:
            self.post(segment)
            self._reactor.turn()

    def post(self, data: bytes) -> None:
        """Send without giving the server a turn."""
        self._socket.arrived.append(data)

    def half_close(self) -> None:
        self.send(b"")

    def vanish(self) -> None:
        """The connection is reset."""
        self._socket.arrived.append(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))
        self._reactor.turn()

    def stop_reading(self, room: int = 0) -> None:
        """From now on the client's system takes ``room`` more bytes and nobody reads them."""
        self._socket.room = room

    def read_on(self) -> None:
        self._socket.room = None
        self._reactor.turn()

    def received(self) -> bytes:
        """What has come since the last call."""
        fresh = bytes(self._socket.sent[self._read :])
        self._read = len(self._socket.sent)
        return fresh

    def forget(self) -> None:
        """Keep nothing of what has come so far."""
        self._socket.sent.clear()
        self._read = 0

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection."""
        return self._socket.closed

    @property
    def reset(self) -> bool:
        """Whether the server has aborted the connection instead of closing it."""
        return self._socket.reset

    @property
    def unread_by_server(self) -> int:
        """Bytes that the server has left in its system's buffer."""
        return sum(len(data) for data in self._socket.arrived if isinstance(data, bytes))

    @property
    def taken(self) -> int:
        """Bytes that the client's system has taken from the server."""
        return len(self._socket.sent)


class MemoryReactor(_DisconnectSelectableMixin, MemoryReactorClock):
    """Twisted's reactor for tests, with sockets in memory and a clock that starts at :data:`START`."""

    def __init__(self) -> None:
        super().__init__()
        self.rightNow = START
        self.hasStopped = False  # Twisted 24.7 says it has
        self.tcpPorts: list[MemoryPort] = []
        self.udpPorts: list[MemoryUDPPort] = []
        self._clients: list[Client] = []
        self.taken: set[int] = set()
        """Ports that another process has."""

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> MemoryPort:
        listening = MemoryPort(port, factory, backlog, interface, self)
        if port in self.taken:
            listening.refuses = OSError(errno.EADDRINUSE, "Address already in use")
        listening.startListening()
        self.tcpPorts.append(listening)
        return listening

    def listenUDP(self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> MemoryUDPPort:
        if port in self.taken:
            raise CannotListenError(interface, port, OSError(errno.EADDRINUSE, "Address already in use"))
        listening = MemoryUDPPort(port, interface)
        self.udpPorts.append(listening)
        return listening

    def arrive(self, *addresses: tuple[Any, ...], port: int = 0) -> list[Client]:
        """Clients connect to the welcome port number ``port``, all before the server's next turn."""
        clients = []
        for address in addresses:
            sock = ConnectedSocket()
            self.tcpPorts[port].welcome.queue.append((sock, address))
            clients.append(Client(self, sock))
        self._clients += clients
        self.turn()
        return clients

    def connect(self, host: str = "127.0.0.1", number: int = 39770, *more: int) -> Client:
        """One client connects; ``more`` are the flow label and the scope of an IPv6 address."""
        return self.arrive((host, number, *more))[0]

    def turn(self) -> None:
        """Accept, read and write until nothing moves, and run what is due at once."""
        before = None
        while (now := self._state()) != before:
            before = now
            self.advance(0)
            for one in sorted(self.readers | self.writers, key=lambda one: (one not in self.tcpPorts, one.sessionno)):
                self._ready(one)
            self.advance(0)

    def pass_time(self, seconds: float) -> None:
        """Let ``seconds`` pass, with a turn at each moment at which something is due."""
        until = self.rightNow + seconds
        while (due := min((call.getTime() for call in self.getDelayedCalls()), default=until)) < until:
            self.rightNow = max(due, self.rightNow)
            self.turn()
        self.rightNow = until
        self.turn()

    def _state(self) -> tuple[object, ...]:
        moved = [(client.unread_by_server, client.taken) for client in self._clients]
        return frozenset(self.readers), frozenset(self.writers), moved

    def _ready(self, one: Any) -> None:
        if isinstance(one, MemoryPort):
            if one in self.readers and one.welcome.queue:
                one.doRead()
            return
        for is_read, waiting in (True, self.readers), (False, self.writers):
            if one in waiting and (one.socket.arrived or not is_read):
                why = one.doRead() if is_read else one.doWrite()
                if why is not None:
                    self._disconnectSelectable(one, why, is_read)


class UnixTransport(StringTransport):
    """A connection over a UNIX socket: its peer has a path at most."""

    def __init__(self) -> None:
        super().__init__(peerAddress=UNIXAddress(None), lenient=True)

    def write(self, data: bytes) -> None:
        """Not every transport takes what is written after its closing."""
        assert not self.disconnecting, f"{data!r} is written after the connection was closed"
        super().write(data)
