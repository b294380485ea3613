"""What ``-v`` shows."""

from __future__ import annotations

import re
import socket
from typing import Any

import dns.message
from twisted.trial.unittest import SynchronousTestCase

from labnet.clients.verbose import shown
from tests.resolver.dnsfakes import reply_to

AT = 1605280488.749312


class FakeSocket:
    """A connected socket that receives ``received``."""

    def __init__(self, kind: socket.SocketKind, received: bytes = b"") -> None:
        self.type = kind
        self.received = received
        self.sent: list[bytes] = []

    def getpeername(self) -> tuple[str, int]:
        return "192.0.2.1", 1199

    def send(self, data: bytes) -> int:
        self.sent.append(data)
        return len(data)

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)

    def recv(self, size: int) -> bytes:
        return self.received[:size]


class ShownTests(SynchronousTestCase):
    """A socket that tells what passes."""

    def setUp(self) -> None:
        self.lines: list[str] = []

    def tapped(self, sock: FakeSocket, dns: bool = False) -> Any:
        wrapped: Any = sock
        return shown(lambda same: same, self.lines.append, lambda: AT, dns)(wrapped)

    def untimed(self) -> list[str]:
        """The lines without their times."""
        return [re.sub(r"^\d\d:\d\d:48\.749312 ", "", line) for line in self.lines]

    def test_a_datagram_is_shown_both_ways_with_its_time(self) -> None:
        """And passes on as it is."""
        sock = FakeSocket(socket.SOCK_DGRAM, b"www.a,1.2.3.4,60\n\x1b[2J")
        tapped = self.tapped(sock)
        self.assertEqual(tapped.send(b"x"), 1)
        self.assertEqual(tapped.recv(100), sock.received)
        self.assertEqual(sock.sent, [b"x"])
        self.assertEqual(
            self.untimed(),
            [
                "sent to 192.0.2.1 port 1199: 1 byte by UDP",
                "    x",
                "received from 192.0.2.1 port 1199: 21 bytes by UDP",
                r"    www.a,1.2.3.4,60\n",
                r"    \x1b[2J",
            ],
        )

    def test_a_stream_has_an_end(self) -> None:
        """Which is shown as such."""
        tapped = self.tapped(FakeSocket(socket.SOCK_STREAM))
        tapped.sendall(b"EXIT")
        tapped.recv(100)
        self.assertEqual(
            self.untimed(),
            [
                "sent to 192.0.2.1 port 1199: 4 bytes by TCP",
                "    EXIT",
                "received from 192.0.2.1 port 1199: the end of the connection",
            ],
        )

    def test_bytes_that_are_no_text_are_dumped(self) -> None:
        """Sixteen a line, 4096 at most."""
        self.tapped(FakeSocket(socket.SOCK_DGRAM)).send(b"\xff\x00AB" * 5)
        self.assertEqual(
            self.untimed()[1:],
            [
                "    0000  ff 00 41 42 ff 00 41 42 ff 00 41 42 ff 00 41 42  ..AB..AB..AB..AB",
                f"    0010  {'ff 00 41 42':<47}  ..AB",
            ],
        )
        self.lines.clear()
        self.tapped(FakeSocket(socket.SOCK_DGRAM)).send(b"\xff" * 65000)
        self.assertEqual((self.untimed()[0].split(": ")[1], len(self.lines)), ("65000 bytes by UDP", 1 + 4096 // 16))

    def test_a_dns_message_is_shown_as_text(self) -> None:
        """Of a datagram, and of a stream behind its length; what is none is dumped."""
        query = dns.message.make_query("www.lab", "TXT").to_wire()
        reply = reply_to(query, 'www.lab. 60 TXT "a\\027"')
        for sock in (
            FakeSocket(socket.SOCK_DGRAM, reply),
            FakeSocket(socket.SOCK_STREAM, len(reply).to_bytes(2) + reply),
        ):
            self.lines.clear()
            self.tapped(sock, dns=True).recv(65537)
            self.assertIn(r'    www.lab. 60 IN TXT "a\027"', self.lines)
        self.lines.clear()
        self.tapped(FakeSocket(socket.SOCK_DGRAM, b"[]"), dns=True).recv(10)
        self.assertEqual(self.untimed()[1:], [f"    0000  {'5b 5d':<47}  []"])
