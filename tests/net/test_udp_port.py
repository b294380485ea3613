"""A UDP port that takes one datagram at a time, over real sockets on loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.opening.listening import open_datagrams
from labnet.net.udp_port import UDPPort


class Reactor(Clock):
    """Notes who reads; the test takes the turns."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)


class Echo(DatagramProtocol):
    """Answers with what came; ``fails`` is called before."""

    def __init__(self) -> None:
        self.came: list[tuple[bytes, Any]] = []
        self.fails: Callable[[], object] = lambda: None
        self.stopped = 0

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.fails()
        self.came.append((datagram, addr))
        if self.transport is not None:
            self.transport.write(b"echo:" + datagram, addr)

    def stopProtocol(self) -> None:
        self.stopped += 1


class UDPPortTests(SynchronousTestCase):
    def listen(self, interface: str) -> UDPPort:
        self.reactor, self.protocol = Reactor(), Echo()
        reactor: Any = self.reactor
        port = UDPPort(reactor, (interface, 0), self.protocol, open_datagrams, most=100)
        port.startListening()
        self.addCleanup(port.connectionLost)
        return port

    def client(self, port: UDPPort, host: str) -> socket.socket:
        """A socket that takes replies from ``host`` alone."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.settimeout(10)
        sock.connect((host, port.getHost().port))
        return sock

    def test_each_datagram_is_answered_from_the_address_it_was_sent_to(self) -> None:
        """On one address, and on all addresses of either family."""
        for interface, hosts in (
            ("127.0.0.1", ["127.0.0.1"]),
            ("0.0.0.0", ["127.0.0.1", "127.0.0.2", "127.9.9.9"]),
            ("::1", ["::1"]),
            ("::", ["::1"]),
        ):
            port = self.listen(interface)
            for host in hosts:
                client = self.client(port, host)
                client.send(b"one")
                client.send(b"two")
                port.doRead()
                self.assertEqual([client.recv(100), client.recv(100)], [b"echo:one", b"echo:two"], host)
                self.assertEqual(self.protocol.came[-1], (b"two", client.getsockname()[:2]))

    def test_what_is_too_long_is_cut(self) -> None:
        port = self.listen("0.0.0.0")
        client = self.client(port, "127.0.0.1")
        client.send(b"x" * 101)
        port.doRead()
        self.assertEqual(client.recv(1000), b"echo:" + b"x" * 100)

    def test_a_datagram_whose_answer_fails_costs_no_other_one(self) -> None:
        """It is logged with the client's address."""
        port = self.listen("127.0.0.1")
        client = self.client(port, "127.0.0.1")
        client.send(b"one")
        self.protocol.fails = lambda: 1 // 0
        with capturedLogs() as events:
            port.doRead()
        self.assertEqual(events[0]["address"], client.getsockname())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.protocol.fails = lambda: None
        client.send(b"two")
        port.doRead()
        self.assertEqual(client.recv(100), b"echo:two")

    def test_an_answer_that_closes_the_port_is_the_last(self) -> None:
        port = self.listen("127.0.0.1")
        client = self.client(port, "127.0.0.1")
        self.protocol.fails = port.connectionLost
        client.send(b"one")
        client.send(b"two")
        port.doRead()
        self.assertEqual([datagram for datagram, _ in self.protocol.came], [b"one"])
        self.assertEqual((port.fileno(), self.protocol.stopped), (-1, 1))
        self.assertRaises(ValueError, port.getHost)

    def test_a_closed_port_leaves_the_reactor_and_tells_its_protocol_once(self) -> None:
        port = self.listen("127.0.0.1")
        self.assertEqual(self.reactor.readers, [port])
        stopped = port.stopListening()
        self.assertIs(port.stopListening(), stopped)
        self.assertNoResult(stopped)
        self.assertEqual(self.reactor.readers, [])
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(self.protocol.stopped, 1)

    def test_a_port_that_is_taken_cannot_be_listened_on(self) -> None:
        taken = self.listen("127.0.0.1").getHost().port
        reactor: Any = Reactor()
        with self.assertRaises(CannotListenError):
            UDPPort(reactor, ("127.0.0.1", taken), Echo(), open_datagrams).startListening()
