"""One parent of the course protocol."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from labnet.dialects.codec import Codec
from labnet.dialects.library import find
from labnet.resolver.upstream.course import TextParent
from labnet.resolver.upstream.course_exchange import MOST_IGNORED, TextNetwork
from labnet.resolver.upstream.errors import ParentFailed, Unusable
from labnet.resolver.upstream.selection import Parents
from tests.resolver.dnsfakes import FakeSockets, question


def network(sockets: FakeSockets, clock: Clock, tries: int = 1, dialect: str = "json") -> TextNetwork:
    """How parents are asked, with a second a try."""
    return TextNetwork(sockets, clock, Codec(find(dialect)), 1.0, tries)


class CourseParentTests(SynchronousTestCase):
    def test_the_address_of_a_parent_on_ipv6_stands_in_brackets(self) -> None:
        for host, address in (("127.0.0.1", "127.0.0.1:1200"), ("::1", "[::1]:1200")):
            self.assertEqual(TextParent(host, 1200, network(FakeSockets(), Clock())).address, address)

    def test_nonsense_of_a_parent_is_logged_once_a_second(self) -> None:
        """The line says how many were left out before it: a parent must not be able to fill the log."""
        sockets, clock = FakeSockets(), Clock()
        parent = TextParent("192.0.2.53", 1200, network(sockets, clock))
        with capturedLogs() as events:
            for seconds in (0.0, 1.0):
                clock.advance(seconds)
                for _ in range(50):
                    answered = parent.ask(question("www.example"))
                    sockets.last.received(b"\x00nonsense")
                    says = str(self.failureResultOf(answered, Unusable).value)
                    self.assertIn("192.0.2.53:1200 sent a reply that cannot be read", says)
        self.assertEqual([event["more"] for event in events], ["", " (and 49 more before)"])

    def test_a_question_fails_where_its_port_gets_too_much_that_is_no_reply(self) -> None:
        """Somebody has found the port and guesses; the reply that comes next is not believed. All of it is counted."""
        sockets, clock = FakeSockets(), Clock()
        parent = TextParent("192.0.2.53", 1200, network(sockets, clock, tries=2))
        parents = Parents([parent], clock, 2.0)
        answered = parents.ask(question("www.example"))
        port = sockets.last
        for number in range(MOST_IGNORED):
            port.received(b"www%d.example,6.6.6.6,60" % number)
        self.assertNoResult(answered)
        port.received(b"evil.example,6.6.6.6,60")
        self.assertIn("sent too much that is no reply", str(self.failureResultOf(answered, ParentFailed).value))
        self.assertTrue(port.closed)
        self.assertEqual(clock.getDelayedCalls(), [])
        counted = {sample.name: sample.value for sample in parents.samples("main")}
        self.assertEqual(counted["labnet_parent_forged_total"], MOST_IGNORED + 1)
