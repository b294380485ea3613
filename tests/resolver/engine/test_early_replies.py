"""A reply that the fast path cannot pass on: the full path goes on from it, so one question costs one round."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import dns.edns
import dns.message
import dns.rcode
import dns.rrset

from labnet.resolver.upstream.dns import DNSExchange, ExchangeOptions
from labnet.resolver.upstream.infra import InfraCache
from labnet.resolver.upstream.relay_sockets import MOST_FORGED
from labnet.resolver.upstream.selection import Parents
from labnet.wire.types import Answer, Rcode
from tests.resolver.dnsfakes import FakeConnection, FakeSockets, reply_to
from tests.resolver.relayfakes import ADA, BOB, FastPathCase, LoopbackParent, asking

SOA = "lab.test. 60 SOA ns.lab.test. a.lab.test. 1 2 3 4 60"
BLOCKED = dns.edns.EDEOption(dns.edns.EDECode.BLOCKED, "not in this school")
Make = Callable[[bytes], bytes]


def other_case(query: bytes) -> bytes:
    """A reply with the letters of its question in the other case."""
    reply = reply_to(query, "www.lab.test. 60 A 192.0.2.1")
    end = reply.index(b"\0", 12)
    return reply[:12] + reply[12:end].swapcase() + reply[end:]


class EarlyReplyTests(FastPathCase):
    """The parent on loopback is asked by the fast path, whatever the full path asks goes to memory."""

    def setUp(self) -> None:
        super().setUp()
        self.sockets = FakeSockets()
        options = ExchangeOptions(2.0, 3, True)
        self.exchange = DNSExchange(self.sockets, self.reactor, Random(1), InfraCache(10), options)
        self.serve(Parents([self.server(self.parent)], self.reactor, 2.0))
        self.port.resolver = self.resolver

    def exchanged(self, make: Make, rrtype: str = "A") -> list[Answer]:
        """What two clients are answered that ask the same, where the parent replies what ``make`` says."""
        self.port.answers.clear()
        self.take(asking("www.lab.test", 1, rrtype), ADA)
        self.take(asking("WWW.lab.test", 2, rrtype), BOB)
        self.parent.answer(make)
        self.reactor.turn()
        return self.port.answers

    def questions(self) -> tuple[int, int, int]:
        """How many the parent got: by the fast path, and of the full path by UDP and by TCP."""
        return len(self.parent.asked), len(self.sockets.opened), len(self.reactor.tcpClients)

    def test_every_answer_costs_one_question(self) -> None:
        """Those of other types, chains, negative ones, those with extended errors; all of them are learned."""
        address = "www.lab.test. 60 A 192.0.2.1"
        for rrtype, reply, rcode, records in (
            ("A", lambda q: reply_to(q, "www.lab.test. 60 CNAME a.lab.test.", "a.lab.test. 60 A 192.0.2.1"), 0, 2),
            ("A", lambda q: reply_to(q, authority=[SOA]), 0, 0),
            ("A", lambda q: reply_to(q, authority=[SOA], rcode="NXDOMAIN"), 3, 0),
            ("A", lambda q: reply_to(q, address, options=[BLOCKED]), 0, 1),
            ("A", lambda q: reply_to(q, *[f"www.lab.test. 60 A 192.0.2.{n}" for n in range(20)]), 0, 1),
            ("MX", lambda q: reply_to(q, "www.lab.test. 60 MX 1 a.lab.test."), 0, 1),
            ("TXT", lambda q: reply_to(q, 'www.lab.test. 60 TXT "hello"'), 0, 1),
            ("HTTPS", lambda q: reply_to(q, "www.lab.test. 60 HTTPS 1 . alpn=h2"), 0, 1),
        ):
            self.setUp()
            answers = self.exchanged(reply, rrtype)
            told = [(answer.rcode, len(answer.answer)) for answer in answers]
            self.assertEqual((told, self.questions()), ([(rcode, records)] * 2, (1, 0, 0)), rrtype)
            self.assertEqual((len(self.learned), self.resolver.in_flight, self.resolver.misses), (1, 0, 2))
            self.assertFalse(self.take(asking("www.lab.test", 3, rrtype)), "it is known")
            self.assertEqual(self.parents.states()[0].failures, 0)

    def test_a_refusal_costs_one_question(self) -> None:
        """It is told with what the parent said of it, is remembered, and counts as a failure but not as silence."""
        for text in ("REFUSED", "SERVFAIL"):
            self.setUp()
            answers = self.exchanged(lambda query, text=text: reply_to(query, rcode=text, options=[BLOCKED]))
            self.assertEqual([answer.rcode for answer in answers], [Rcode.SERVFAIL] * 2)
            self.assertIn("not in this school", answers[0].errors[0].text)
            self.assertEqual((self.questions(), self.resolver.in_flight), ((1, 0, 0), 0))
            self.assertFalse(self.take(asking("www.lab.test")), "the failure is known")
            self.assertEqual((self.health().failed, self.health().failures), (1, 0))

    def test_a_reply_that_cannot_be_read_costs_one_question(self) -> None:
        """Whoever sent it is up."""
        answers = self.exchanged(lambda query: reply_to(query, "www.lab.test. 60 A 192.0.2.1")[:-14])
        self.assertEqual(([answer.rcode for answer in answers], self.questions()), ([Rcode.SERVFAIL] * 2, (1, 0, 0)))
        self.assertEqual((self.health().failed, self.health().failures), (1, 0))

    def test_a_truncated_reply_costs_one_more_by_tcp(self) -> None:
        self.exchanged(lambda query: reply_to(query, flags="QR TC RD RA"))
        self.assertEqual((self.questions(), self.port.answers), ((1, 0, 1), []))
        connection = FakeConnection(self.reactor)
        connection.receive(reply_to(connection.query, "www.lab.test. 60 A 192.0.2.1"))
        self.assertEqual([len(answer.answer) for answer in self.port.answers], [1, 1])
        self.assertEqual((self.questions(), self.resolver.in_flight), ((1, 0, 1), 0))

    def test_a_question_whose_port_a_forger_has_found_goes_by_tcp(self) -> None:
        """What is no reply is counted until then; the port is closed, and asked in its place is by one that is new."""
        self.take(asking("www.lab.test", 1))
        ((query, address),) = self.parent.receive()
        forged = bytes((query[0] ^ 1, query[1])) + reply_to(query, "www.lab.test. 60 A 192.0.2.66")[2:]
        for count in range(1, MOST_FORGED + 1):
            self.parent.socket.sendto(forged, address)
            self.reactor.turn()
            self.assertEqual((self.health().forged, self.questions(), len(self.reactor.readers)), (count, (1, 0, 0), 1))
        for _ in range(2):
            self.parent.socket.sendto(forged, address)
        self.reactor.turn()
        self.assertEqual((self.health().forged, self.questions(), self.port.answers), (102, (1, 0, 1), []))
        self.assertEqual((self.reactor.readers, self.learned), ([], []))
        connection = FakeConnection(self.reactor)
        connection.receive(reply_to(connection.query, "www.lab.test. 60 A 192.0.2.1"))
        self.assertEqual([answer.answer[0].rdatas for answer in self.port.answers], [(bytes((192, 0, 2, 1)),)])
        self.take(asking("other.lab.test", 2))
        ((_, other),) = self.parent.receive()
        self.assertNotEqual(other, address)

    def test_forged_replies_do_not_keep_the_right_one_from_its_question(self) -> None:
        """As long as there are few."""
        self.take(asking("www.lab.test", 1))
        ((query, address),) = self.parent.receive()
        for _ in range(MOST_FORGED):
            self.parent.socket.sendto(b"forged", address)
        self.reactor.turn()
        self.parent.socket.sendto(reply_to(query, "www.lab.test. 60 A 192.0.2.1", flags="QR RD RA"), address)
        self.reactor.turn()
        self.assertEqual((len(self.learned), self.questions(), self.health().forged), (1, (1, 0, 0), MOST_FORGED))

    def test_a_reply_in_other_letters_is_not_believed(self) -> None:
        """The question goes by TCP at once, where nobody can guess."""
        self.exchanged(other_case)
        self.assertEqual((self.questions(), self.port.answers, self.learned), ((1, 0, 1), [], []))

    def test_a_parent_without_edns_is_asked_once_more_and_remembered(self) -> None:
        """Then it is no longer asked on the fast path, whose queries have EDNS."""
        self.exchanged(lambda query: reply_to(query, rcode="FORMERR"))
        self.assertEqual((self.questions(), dns.message.from_wire(self.sockets.last.query).edns), ((1, 1, 0), -1))
        self.sockets.last.receive(reply_to(self.sockets.last.query, "www.lab.test. 60 A 192.0.2.1"))
        self.assertEqual([len(answer.answer) for answer in self.port.answers], [1, 1])
        self.assertFalse(self.take(asking("other.lab.test")))

    def test_after_a_refusal_the_next_parent_is_asked(self) -> None:
        """The one that refused is not asked again, whatever the order is by then."""
        second = LoopbackParent()
        self.addCleanup(second.socket.close)
        self.serve(Parents([self.server(self.parent), self.server(second)], self.reactor, 2.0))
        self.port.resolver = self.resolver
        self.take(asking("www.lab.test"))
        for _ in range(3):
            self.health().stayed_silent(self.reactor.seconds(), self.reactor.seconds())
        self.parent.answer(lambda query: reply_to(query, rcode="REFUSED"))
        self.reactor.turn()
        self.assertEqual((len(self.parent.asked), self.sockets.last.port), (1, second.port))
        self.sockets.last.receive(reply_to(self.sockets.last.query, "www.lab.test. 60 A 192.0.2.1"))
        self.assertEqual([len(answer.answer) for answer in self.port.answers], [1])

    def test_the_time_of_a_reply_is_measured_once(self) -> None:
        """By the path that got it."""
        self.take(asking("www.lab.test"))
        self.reactor.advance(0.25)
        self.parent.answer(lambda query: reply_to(query, authority=[SOA], rcode="NXDOMAIN"))
        self.reactor.turn()
        self.assertEqual((self.health().srtt, self.health().variance), (0.25, 0.125))
