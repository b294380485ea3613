"""The sockets to the parents, on loopback."""

from __future__ import annotations

import select
import socket
from random import Random
from typing import Any

from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from labnet.interfaces import IDatagramSocket
from labnet.net import datagrams
from labnet.net.datagrams import FIRST_PORT, SystemSockets, bind_randomly


class PortTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.parent = self.bound()
        self.received: list[bytes] = []

    def bound(self, address: str = "127.0.0.1") -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.bind((address, 0))
        sock.settimeout(5)
        return sock

    def open(self, random: Random) -> IDatagramSocket:
        reactor: Any = self.reactor
        opened = SystemSockets(reactor, random).open(
            "127.0.0.1", self.parent.getsockname()[1], self.received.append, self.fail
        )
        self.addCleanup(opened.close)
        return opened

    def port_of(self, sock: IDatagramSocket) -> int:
        sock.send(b"which")
        return int(self.parent.recvfrom(10)[1][1])

    def test_ports_of_questions_are_spread_over_all_that_need_no_right(self) -> None:
        """The system picks from half of them, from 32768 on; a forger has to guess one in 64,512."""
        random = Random(7)
        ports = [self.port_of(self.open(random)) for _ in range(40)]
        self.assertGreater(len(set(ports)), 35)
        self.assertGreaterEqual(min(ports), FIRST_PORT)
        self.assertLess(min(ports), 20_000)
        self.assertGreater(max(ports), 61_000)

    def test_a_port_that_is_taken_is_left_for_another(self) -> None:
        taken = self.bound().getsockname()[1]
        ports = iter([taken, taken, 0])
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        bind_randomly(sock, lambda: next(ports))
        self.assertNotIn(sock.getsockname()[1], (0, taken))

    def test_where_all_ports_tried_are_taken_the_system_picks_one(self) -> None:
        taken = self.bound().getsockname()[1]

        class Taken(Random):
            def randint(self, a: int, b: int) -> int:
                return taken

        self.assertNotIn(self.port_of(self.open(Taken())), (0, taken))

    def test_what_came_before_the_socket_was_connected_is_no_reply(self) -> None:
        """Bound to a port and not yet connected, it takes datagrams from anywhere."""
        stranger = self.bound()
        port = self.bound_once()

        def strike(host: str, parent: int) -> tuple[str, int]:
            stranger.sendto(b"forged", (host, port))
            return host, parent

        self.patch(datagrams, "socket_address", strike)

        class Only(Random):
            def randint(self, a: int, b: int) -> int:
                return port

        opened: Any = self.open(Only())
        self.assertEqual(self.port_of(opened), port)
        self.parent.sendto(b"true", ("127.0.0.1", port))
        for _ in range(2):
            select.select([opened], [], [], 5)
            opened.doRead()
        self.assertEqual(self.received, [b"true"])

    def bound_once(self) -> int:
        """A port that was free a moment ago."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            return int(sock.getsockname()[1])
