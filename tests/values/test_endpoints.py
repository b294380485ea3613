"""Endpoint strings, read as Twisted reads them."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from labnet.values.endpoints import endpoint_of, tcp_address

PLAIN = (
    "tcp:8080",
    "tcp:0:interface=127.0.0.1",
    "tcp:80:interface=\\:\\:1:backlog=7",
    "tcp:80:backlog=7:interface=localhost",
    "unix:/run/lab.sock",
    "unix:a\\:b:mode=600:backlog=9:lockfile=0",
)
BAD = ("tcp", "tcp:", "tcp:x", "tcp:80:interfac=::1", "tcp:80:backlog=x", "unix:/x:mode=9", "nothing:1", "tcp:1:2:3:4")


class EndpointTests(SynchronousTestCase):
    def opened(self, read: Any, text: str) -> list[Any]:
        """What ``text``, as ``read`` takes it, has a reactor open."""
        reactor = MemoryReactor()
        factory = Factory()
        self.successResultOf(read(reactor, text).listen(factory))
        servers: list[Any] = [*reactor.tcpServers, *reactor.unixServers]
        return [tuple("factory" if part is factory else part for part in server) for server in servers]

    def test_tcp_and_unix_are_as_twisted_reads_them(self) -> None:
        """Each argument, and its default."""
        for text in PLAIN:
            self.assertEqual(self.opened(endpoint_of, text), self.opened(serverFromString, text), text)

    def test_what_is_wrong_is_what_twisted_finds_wrong(self) -> None:
        """The same words."""
        for text in BAD:
            told = []
            for read in (endpoint_of, serverFromString):
                with self.assertRaises((ValueError, TypeError)) as raised:
                    read(MemoryReactor(), text)
                told.append((type(raised.exception), str(raised.exception)))
            self.assertEqual(told[0], told[1], text)

    def test_where_it_listens(self) -> None:
        """Interface and port, of TCP alone."""
        self.assertEqual(tcp_address("tcp:80:interface=\\:\\:1"), ("::1", 80))
        self.assertEqual(tcp_address("unix:/x"), ("", 0))
