"""One parent of the course protocol."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.upstream.course import TextParent
from tests.resolver.dnsfakes import FakeSockets


class CourseParentTests(SynchronousTestCase):
    def test_the_address_of_a_parent_on_ipv6_stands_in_brackets(self) -> None:
        for host, address in (("127.0.0.1", "127.0.0.1:1200"), ("::1", "[::1]:1200")):
            self.assertEqual(TextParent(host, 1200, 1.0, 1, FakeSockets(), Clock()).address, address)
