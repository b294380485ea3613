"""A question that is asked on the page."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.page.asking import LATE, MOST, PATIENCE, Asking
from labnet.console.page.queries import BadRequest
from labnet.console.ring import Ring
from tests.console.happenings import exchange
from tests.resolver.dnsfakes import FakeSockets, reply_to

LAB = {"resolvers": [{"name": "main", "listens": ["udp 0.0.0.0:1199"]}, {"name": "six", "listens": ["udp [::]:1200"]}]}
HERE = ("127.0.0.1", 5353)


class AskingTests(SynchronousTestCase):
    """By a datagram to a resolver that is played."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.ring = Ring(self.clock)
        self.ring.look()
        self.addCleanup(self.ring.stop)
        self.sockets: Any = FakeSockets()
        self.asking = Asking(self.clock, self.ring, lambda what, arguments: succeed(LAB), self.sockets)

    def ask(self, name: str = "www.lab", protocol: str = "dns", resolver: str = "") -> Deferred[dict[str, Any]]:
        asked = self.asking.ask(resolver, name, "A", protocol)
        asked.addErrback(lambda failure: failure.trap(BadRequest) and {"error": str(failure.value)})
        return asked

    def test_the_exchange_that_it_made_is_what_comes(self) -> None:
        """Found by where it was asked from; the socket is closed."""
        asked = self.ask()
        socket = self.sockets.last
        self.assertEqual((socket.host, socket.port), ("127.0.0.1", 1199))
        self.ring.happened(exchange("1", client=("127.0.0.1", 999)))
        self.ring.happened(exchange("2", client=HERE))
        socket.receive(reply_to(socket.sent[0]))
        self.assertEqual(self.successResultOf(asked)["id"], "2")
        self.assertTrue(self.sockets.all_closed)

    def test_what_is_told_may_come_later_from_another_process(self) -> None:
        """It is waited for; not for ever."""
        asked = self.ask(protocol="course")
        self.sockets.last.receive(b"www.lab,10.0.0.1,60")
        self.assertNoResult(asked)
        self.ring.happened(exchange("2", client=HERE))
        self.clock.advance(LATE / 2)
        self.assertEqual(self.successResultOf(asked)["id"], "2")
        asked = self.ask("other.lab", protocol="course")
        self.ring = Ring(self.clock)
        self.asking._ring = self.ring
        self.sockets.last.receive(b"other.lab,10.0.0.1,60")
        self.clock.pump([0.05] * 30)
        self.assertIn("more happens", self.successResultOf(asked)["error"])

    def test_a_resolver_that_is_silent_is_told(self) -> None:
        """After a while; what is no reply does not count, and so does a port that nobody listens on."""
        asked = self.ask(resolver="six")
        self.assertEqual(self.sockets.last.host, "::1")
        self.sockets.last.receive(b"\xff\xff\0")
        self.clock.pump([PATIENCE, *[0.05] * 30])
        self.assertIn("no answer", self.successResultOf(asked)["error"])

    def test_no_more_wait_than_may(self) -> None:
        """One that is answered makes room."""
        waiting = [self.ask() for _ in range(MOST)]
        with self.assertRaises(BadRequest) as raised:
            self.asking.ask("", "www.lab", "A", "dns")
        self.assertEqual(raised.exception.code, 429)
        self.clock.pump([PATIENCE, *[0.05] * 30])
        for asked in waiting:
            self.successResultOf(asked)
        self.assertNoResult(self.ask())
        self.clock.pump([PATIENCE, *[0.05] * 30])

    def test_without_a_socket_it_is_said(self) -> None:
        """And nothing waits any more."""
        self.sockets.open_error = OSError(24, "Too many open files")
        self.assertIn("Too many open files", self.successResultOf(self.ask())["error"])
        self.assertEqual(self.asking._waiting, 0)
