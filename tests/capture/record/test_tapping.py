"""Reactors and sockets that tell of what passes through them."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from labnet.capture.record.own_traffic import OwnTraffic
from labnet.capture.record.tapping import TappedSocket, TappedSockets, tapped_reactor
from labnet.interfaces import IDatagramSocket, IDatagramSockets, ITraffic

HERE, THERE = ("192.168.1.1", 54321), ("10.0.0.1", 12345)


@implementer(ITraffic)
class Told:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.all: list[tuple[Any, ...]] = []

    def datagram(self, source: Any, destination: Any, data: bytes, outward: bool) -> None:
        self.all.append(("datagram", source, destination, data, outward))

    def opened(self, client: Any, server: Any) -> None:
        self.all.append(("opened", client, server))

    def sent(self, source: Any, destination: Any, data: bytes, outward: bool) -> None:
        self.all.append(("sent", source, destination, data, outward))

    def closed(self, source: Any, destination: Any, reset: bool, outward: bool) -> None:
        self.all.append(("closed", source, destination, reset, outward))

    def ended(self, source: Any, destination: Any) -> None:
        self.all.append(("ended", source, destination))

    def close(self) -> None:
        """Nothing is kept open."""


class Echo(Protocol):
    """Sends back what it receives; EXIT closes, ABORT resets."""

    def dataReceived(self, data: bytes) -> None:
        if data == b"EXIT":
            self.transport.loseConnection()
        elif data == b"ABORT":
            self.transport.abortConnection()
        else:
            self.transport.write(data)


class StreamTests(SynchronousTestCase):
    """TCP through the reactor."""

    def setUp(self) -> None:
        self.told = Told()
        self.reactor = MemoryReactorClock()
        tapped_reactor(self.reactor, self.told).listenTCP(8080, Factory.forProtocol(Echo))
        self.protocol = self.reactor.tcpServers[0][1].buildProtocol(None)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def test_an_accepted_connection_is_told_with_both_directions(self) -> None:
        """The peer is the client."""
        self.protocol.dataReceived(b"hello")
        self.assertEqual(
            self.told.all,
            [
                ("opened", HERE, THERE),
                ("sent", HERE, THERE, b"hello", False),
                ("sent", THERE, HERE, b"hello", True),
            ],
        )
        self.assertEqual(self.transport.value(), b"hello")

    def test_who_closes_is_told(self) -> None:
        """We, or the peer, in order or by a reset."""
        for ends, event in (
            (lambda: self.protocol.dataReceived(b"EXIT"), ("closed", THERE, HERE, False, True)),
            (lambda: self.protocol.dataReceived(b"ABORT"), ("closed", THERE, HERE, True, True)),
            (lambda: None, ("closed", HERE, THERE, False, False)),
        ):
            self.setUp()
            ends()
            self.protocol.connectionLost(Failure(ConnectionDone()))
            self.assertIn(event, self.told.all)
            self.assertEqual(self.told.all[-1][0], "ended")
            self.assertEqual(sum(one[0] == "closed" for one in self.told.all), 1)

    def test_a_reset_by_the_peer_is_one(self) -> None:
        """The connection was not ended but lost."""
        self.protocol.connectionLost(Failure(ConnectionLost()))
        self.assertIn(("closed", HERE, THERE, True, False), self.told.all)

    def test_a_connection_that_is_made_has_us_for_its_client(self) -> None:
        """As when a DNS parent is asked over TCP."""
        tapped_reactor(self.reactor, self.told).connectTCP("10.9.9.9", 53, ClientFactory.forProtocol(Echo))
        protocol = self.reactor.tcpClients[0][2].buildProtocol(None)
        protocol.makeConnection(StringTransport())
        self.assertEqual(self.told.all[-1], ("opened", THERE, HERE))

    def test_everything_else_is_the_reactors_own(self) -> None:
        """Its clock, its interfaces, its attributes."""
        tapped = tapped_reactor(self.reactor, self.told)
        self.reactor.advance(5)
        self.assertEqual(tapped.seconds(), 5)
        self.assertTrue(IReactorTime.providedBy(tapped))


class DatagramTests(SynchronousTestCase):
    """UDP through the reactor, and to the parents."""

    def test_datagrams_are_told_both_ways(self) -> None:
        """With the addresses that the socket knows."""
        told, ports = Told(), []

        class Answer(DatagramProtocol):
            def datagramReceived(self, datagram: bytes, addr: Any) -> None:
                self.transport.write(datagram + b"!", addr)

        class Reactor(MemoryReactorClock):
            def listenUDP(self, port: int, protocol: Any, interface: str = "", size: int = 8192) -> None:
                ports.append(protocol)

        tapped_reactor(Reactor(), told).listenUDP(1199, Answer(), "127.0.0.1", 8192)
        sent: list[Any] = []

        class Transport:
            def getHost(self) -> Any:
                return type("Address", (), {"host": "127.0.0.1", "port": 1199})()

            def write(self, datagram: bytes, addr: Any) -> None:
                sent.append((datagram, addr))

        ports[0].makeConnection(Transport())
        ports[0].datagramReceived(b"name", ("127.0.0.1", 5000))
        self.assertEqual(sent, [(b"name!", ("127.0.0.1", 5000))])
        self.assertEqual(
            told.all,
            [
                ("datagram", ("127.0.0.1", 5000), ("127.0.0.1", 1199), b"name", False),
                ("datagram", ("127.0.0.1", 1199), ("127.0.0.1", 5000), b"name!", True),
            ],
        )

    def test_a_socket_to_a_parent_is_told_of_with_its_own_port(self) -> None:
        """The system picked it."""
        told, received = Told(), []
        here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(here.close)
        here.bind(("127.0.0.1", 0))

        @implementer(IDatagramSocket)
        class Sock:
            fileno = staticmethod(here.fileno)
            sent: list[bytes] = []

            def send(self, datagram: bytes) -> None:
                self.sent.append(datagram)

            def close(self) -> None:
                self.sent.append(b"closed")

        @implementer(IDatagramSockets)
        class Sockets:
            def open(self, host: str, port: int, arrived: Any, failed: Any) -> Any:
                self.arrived = arrived
                return Sock()

        sockets = Sockets()
        tapped = TappedSockets(sockets, told).open("127.0.0.1", 1200, received.append, lambda error: None)
        self.assertTrue(verifyObject(IDatagramSocket, tapped))
        tapped.send(b"name")
        sockets.arrived(b"reply")
        tapped.close()
        own, parent = here.getsockname(), ("127.0.0.1", 1200)
        self.assertEqual(
            told.all, [("datagram", own, parent, b"name", True), ("datagram", parent, own, b"reply", False)]
        )
        self.assertEqual((received, Sock.sent), ([b"reply"], [b"name", b"closed"]))


class ClientSocketTests(SynchronousTestCase):
    """The clients' blocking sockets."""

    def test_a_stream_is_told_from_its_first_bytes_to_its_close(self) -> None:
        """The peer's close too."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        told = Told()
        sock = socket.create_connection(listening.getsockname())
        own, server = sock.getsockname(), listening.getsockname()
        peer, _ = listening.accept()
        with TappedSocket(sock, told) as tapped:
            tapped.sendall(b"TIME")
            peer.sendall(b"now")
            self.assertEqual(tapped.recv(100), b"now")
            self.assertEqual(peer.recv(100), b"TIME")
            peer.close()
            self.assertEqual(tapped.recv(100), b"")
        self.assertEqual(
            told.all,
            [
                ("opened", own, server), ("sent", own, server, b"TIME", True), ("sent", server, own, b"now", False),
                ("closed", server, own, False, False), ("ended", own, server),
            ],
        )  # fmt: skip

    def test_datagrams_are_told_connected_or_not(self) -> None:
        """send and recv, sendto and recvfrom."""
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(peer.close)
        peer.bind(("127.0.0.1", 0))
        told, server = Told(), peer.getsockname()
        with TappedSocket(sock, told) as tapped:
            tapped.bind(("127.0.0.1", 0))
            own = tapped.getsockname()
            tapped.sendto(b"a", server)
            peer.sendto(b"b", own)
            self.assertEqual(tapped.recvfrom(9), (b"b", server))
            tapped.connect(server)
            tapped.send(b"c")
        self.assertEqual(
            told.all,
            [
                ("datagram", own, server, b"a", True), ("datagram", server, own, b"b", False),
                ("datagram", own, server, b"c", True),
            ],
        )  # fmt: skip

    def test_the_sink_is_what_its_interface_says(self) -> None:
        """The one of the product and the one of these tests."""
        self.assertTrue(verifyObject(ITraffic, OwnTraffic("x", lambda: 0, lambda why: None)))
        self.assertTrue(verifyObject(ITraffic, Told()))


class LessCommonTests(SynchronousTestCase):
    """Other ways to send and to close."""

    def setUp(self) -> None:
        self.told = Told()
        self.reactor = MemoryReactorClock()

        class Adopting(MemoryReactorClock):
            adopted: Any = None

            def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> None:
                Adopting.adopted = factory

        self.reactor = Adopting()
        self.tapped: Any = tapped_reactor(self.reactor, self.told)

    def connected(self, factory: Any) -> Any:
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(StringTransport())
        return protocol

    def test_a_socket_that_systemd_opened_is_told_of_and_a_unix_one_is_not(self) -> None:
        """It has no IP addresses."""
        plain = Factory.forProtocol(Echo)
        self.tapped.adoptStreamPort(3, socket.AF_INET, plain)
        self.connected(self.reactor.adopted)
        self.assertEqual(self.told.all, [("opened", HERE, THERE)])
        self.tapped.adoptStreamPort(3, socket.AF_UNIX, plain)
        self.assertIs(self.reactor.adopted, plain)

    def test_sequences_are_written_as_one_and_half_closes_are_told(self) -> None:
        """Ours and the peer's, once each."""

        class Halves(Protocol):
            def connectionMade(self) -> None:
                self.transport.writeSequence([b"a", b"b"])
                self.transport.loseWriteConnection()

            def readConnectionLost(self) -> None:
                """The peer sends no more."""

        class Transport(StringTransport):
            def loseWriteConnection(self) -> None:
                """Nothing to do."""

        self.tapped.listenTCP(1, Factory.forProtocol(Halves))
        protocol = self.reactor.tcpServers[0][1].buildProtocol(None)
        protocol.makeConnection(Transport())
        protocol.readConnectionLost()
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(
            self.told.all[1:],
            [
                ("sent", THERE, HERE, b"ab", True),
                ("closed", THERE, HERE, False, True),
                ("closed", HERE, THERE, False, False),
                ("ended", HERE, THERE),
            ],
        )

    def test_a_factory_that_refuses_is_left_to_refuse(self) -> None:
        """No connection, nothing told."""

        class Refusing(Factory):
            def buildProtocol(self, addr: Any) -> None:
                return None

        self.tapped.listenTCP(1, Refusing())
        self.assertIsNone(self.reactor.tcpServers[0][1].buildProtocol(None))
        self.assertEqual(self.told.all, [])
