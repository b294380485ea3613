"""A network in memory: a clock, UDP sockets that touch no kernel, and everything that was sent over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock

Address = tuple[str, int]

THIS_HOST = "127.0.0.1"
"""The address that a socket sends from when it was bound to none."""


@dataclass(frozen=True)
class Datagram:
    """What ``socket`` sent to ``destination``."""

    socket: FakeSocket
    destination: Address
    payload: bytes

    @property
    def source(self) -> Address:
        return self.socket.address

    def __str__(self) -> str:
        return f"{self.source[0]}:{self.source[1]} sent {self.destination[0]}:{self.destination[1]} {self.payload!r}"


class FakeSocket:
    """One open UDP socket. What kind it is, a port or another, decides who hears of what comes in."""

    def __init__(self, network: Network, address: Address) -> None:
        self.network = network
        self.address = address
        network.sockets[address] = self

    @property
    def is_open(self) -> bool:
        return self.network.sockets.get(self.address) is self

    def receive(self, payload: bytes, source: Address) -> None:
        """A datagram comes in."""
        raise NotImplementedError

    def refuse(self) -> None:
        """What was sent came back: nobody listens there."""
        raise NotImplementedError

    def transmit(self, payload: bytes, destination: Address) -> None:
        if destination in self.network.send_errors:
            raise self.network.send_errors[destination]
        self.network.sent.append(Datagram(self, destination, payload))

    def release(self) -> None:
        if self.is_open:
            del self.network.sockets[self.address]


class FakePort(FakeSocket):
    """What ``listenUDP`` gives: Twisted's UDP port and the transport of its protocol.

    Unlike a kernel it does not hold back what comes from elsewhere than where it is connected to: between bind() and
    connect() such a datagram gets through on a real socket too.
    """

    def __init__(self, network: Network, address: Address, protocol: DatagramProtocol) -> None:
        super().__init__(network, address)
        self.protocol = protocol
        self.peer: Address | None = None
        self._closing: Deferred[None] | None = None
        protocol.makeConnection(self)

    def getHost(self) -> IPv4Address | IPv6Address:
        return (IPv6Address if ":" in self.address[0] else IPv4Address)("UDP", *self.address)

    def connect(self, host: str, port: int) -> None:
        assert self.peer is None, "a port connects once"
        self.network.check_route((host, port))
        self.peer = (host, port)

    def write(self, payload: bytes, addr: Address | None = None) -> None:
        assert self.is_open, "a closed socket cannot send"
        assert self.peer is None or addr in (None, self.peer), "a connected port sends to its peer alone"
        destination = self.peer or addr
        assert destination is not None, "a port that is not connected has to be told where to send"
        self.transmit(payload, destination)

    def receive(self, payload: bytes, source: Address) -> None:
        self.protocol.datagramReceived(payload, source)

    def refuse(self) -> None:
        self.protocol.connectionRefused()

    def stopListening(self) -> Deferred[None]:
        """As Twisted does: the socket closes in the reactor's next turn, then the Deferred fires."""
        if self._closing is None:
            self._closing = Deferred()
            self.network.clock.callLater(0, self._closed, self._closing)
        return self._closing

    def _closed(self, closing: Deferred[None]) -> None:
        self.release()
        self.protocol.doStop()
        closing.callback(None)


class FakeConnectedSocket(FakeSocket):
    """A socket to one parent, below the protocols: it takes what comes from there and nothing else."""

    def __init__(
        self,
        network: Network,
        address: Address,
        peer: Address,
        received: Callable[[bytes], None],
        failed: Callable[[OSError], None],
    ) -> None:
        super().__init__(network, address)
        self.here = address
        self.peer = peer
        self._received = received
        self._failed = failed

    def send(self, payload: bytes) -> None:
        try:
            self.transmit(payload, self.peer)
        except OSError as error:
            self._failed(error)

    def close(self) -> None:
        self.release()

    def receive(self, payload: bytes, source: Address) -> None:
        if source == self.peer:
            self._received(payload)

    def refuse(self) -> None:
        self._failed(ConnectionRefusedError(111, "Connection refused"))


@dataclass
class FakeStreamPort:
    """What ``listenTCP`` gives: nobody connects to it, but it closes as a real one does."""

    reactor: FakeReactor
    address: IPv4Address

    def getHost(self) -> IPv4Address:
        return self.address

    def stopListening(self) -> Deferred[None]:
        closing: Deferred[None] = Deferred()
        self.reactor.callLater(0, closing.callback, None)
        return closing


@dataclass
class Network:
    """All sockets of a test, and ``sent``, which the test takes datagrams from."""

    clock: Clock
    sockets: dict[Address, FakeSocket] = field(default_factory=dict)
    sent: list[Datagram] = field(default_factory=list)
    send_errors: dict[Address, OSError] = field(default_factory=dict)
    connect_errors: dict[Address, OSError] = field(default_factory=dict)
    bind_error: OSError | None = None
    _next_port: int = 42460

    def bind(self, port: int, interface: str) -> Address:
        """The address of a new socket; port 0 picks one that no socket has had yet."""
        if self.bind_error is not None:
            raise CannotListenError(interface, port, self.bind_error)
        if port == 0:
            port = self._next_port
            self._next_port += 1
        address = (interface or THIS_HOST, port)
        if address in self.sockets:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        return address

    def check_route(self, peer: Address) -> None:
        """What connecting to ``peer`` does first."""
        if peer in self.connect_errors:
            raise self.connect_errors[peer]

    def open(
        self, host: str, port: int, received: Callable[[bytes], None], failed: Callable[[OSError], None]
    ) -> FakeConnectedSocket:
        """A socket connected to ``host`` and ``port``."""
        if self.bind_error is not None:
            raise self.bind_error
        self.check_route((host, port))
        return FakeConnectedSocket(self, self.bind(0, ""), (host, port), received, failed)

    def deliver(self, payload: bytes, source: Address, destination: Address) -> None:
        """Bring a datagram to the socket at ``destination``; where there is none, it is lost."""
        if (found := self.sockets.get(destination)) is not None:
            found.receive(payload, source)


class FakeReactor(Clock):
    """A reactor whose time the test sets and whose UDP is ``network``. ``seconds()`` starts at ``now``."""

    def __init__(self, now: float = 0.0) -> None:
        super().__init__()
        self.rightNow = now
        self.network = Network(self)
        self.stream_factories: list[Any] = []
        """What connections to this reactor's TCP ports are made by."""

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = "", maxPacketSize: int = 8192
    ) -> FakePort:
        return FakePort(self.network, self.network.bind(port, interface), protocol)

    def listenTCP(self, port: int, factory: object, backlog: int = 50, interface: str = "") -> FakeStreamPort:
        self.stream_factories.append(factory)
        return FakeStreamPort(self, IPv4Address("TCP", interface or THIS_HOST, port))

    def next_turn(self) -> None:
        """Run what waits for the reactor's next turn; no time passes."""
        self.advance(0)

    def pass_time(self, seconds: float, after_each: Callable[[], Any] = lambda: None) -> None:
        """Let ``seconds`` pass from one delayed call to the next, as real time does; ``after_each`` comes between."""
        end = self.seconds() + seconds
        while (calls := self.getDelayedCalls()) and (due := min(call.getTime() for call in calls)) <= end:
            self.advance(max(0.0, due - self.seconds()))
            after_each()
        self.advance(max(0.0, end - self.seconds()))
        self.rightNow = end
