"""Questions of the course over TCP, and DNS beside them on the same port."""

from __future__ import annotations

from typing import Any

import dns.message
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.resolver.lab import CLIENT, COURSE, Lab

RECORDS = {"records": "www.a 1.2.3.4 A\n"}


class CourseStreamTests(SynchronousTestCase):
    """A connection in a dialect that is for TCP."""

    def connect(self, lab: Lab) -> tuple[Any, StringTransport]:
        stream = lab.reactor.stream_factories[0].buildProtocol(IPv4Address("TCP", *CLIENT))
        transport = StringTransport()
        transport.peerAddr = IPv4Address("TCP", *CLIENT)
        stream.makeConnection(transport)
        self.addCleanup(stream.connectionLost, None)
        return stream, transport

    def lab(self, **config: Any) -> Lab:
        return Lab(self, RECORDS, **({"dialect": "hostname-table", "parents": []} | config))

    def test_dns_is_spoken_on_the_same_port(self) -> None:
        """The first byte of its length tells it from text."""
        stream, transport = self.connect(self.lab())
        query = dns.message.make_query("www.a", "A", id=7).to_wire()
        stream.dataReceived(len(query).to_bytes(2, "big") + query)
        reply = dns.message.from_wire(transport.value()[2:])
        self.assertEqual([str(rdata) for rrset in reply.answer for rdata in rrset], ["1.2.3.4"])

    def test_a_question_waits_for_the_one_before(self) -> None:
        """There are no ids: a reply that comes early would be taken for another's."""
        lab = self.lab(parents=["text+address:192.0.2.53:1200"])
        stream, transport = self.connect(lab)
        stream.dataReceived(b"www.b\nwww.a\n")
        self.assertEqual(transport.value(), b"")
        query = lab.take(COURSE)
        lab.network.deliver(b"1.2.3.5", COURSE, query.source)
        self.assertEqual(transport.value(), b"www.b 1.2.3.5 Awww.a 1.2.3.4 A")

    def test_who_says_that_it_is_done_gets_all_answers_first(self) -> None:
        """As with nc at the end of a file."""
        lab = self.lab(parents=["text+address:192.0.2.53:1200"])
        stream, transport = self.connect(lab)
        stream.dataReceived(b"www.b\nwww.a\n")
        stream.readConnectionLost()
        self.assertFalse(transport.disconnecting)
        lab.network.deliver(b"1.2.3.5", COURSE, lab.take(COURSE).source)
        self.assertEqual(transport.value(), b"www.b 1.2.3.5 Awww.a 1.2.3.4 A")
        self.assertTrue(transport.disconnecting)

    def test_a_silent_connection_is_closed(self) -> None:
        """After ``tcp_idle`` seconds."""
        lab = self.lab(tcp_idle=5)
        stream, transport = self.connect(lab)
        stream.dataReceived(b"www.a")
        lab.pass_time(6)
        self.assertTrue(transport.disconnecting)

    def test_who_is_not_served_hears_nothing(self) -> None:
        lab = self.lab(allow=["192.0.2.0/24"])
        self.assertIsNone(lab.reactor.stream_factories[0].buildProtocol(IPv4Address("TCP", *CLIENT)))
