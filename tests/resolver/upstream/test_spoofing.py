"""Spoofed and poisoned replies, end to end: what a hostile parent or its neighbour sends never becomes an answer.

RFC 5452 for who may answer, RFC 2181, section 5.4.1, for what of an answer counts.
"""

from __future__ import annotations

import dns.message
from twisted.trial.unittest import SynchronousTestCase

from tests.resolver.dnsfakes import FakeConnection, record, reply_to, wire
from tests.resolver.fakes import Datagram
from tests.resolver.lab import PARENT, Lab, rcode, shown

EVIL = "203.0.113.66"
GOOD = "web.example. 60 A 192.0.2.1"


class ForgedTests(SynchronousTestCase):
    """A reply that is not the parent's reply to the very question is not looked at."""

    def setUp(self) -> None:
        self.lab = Lab(self)
        self.lab.begin("web.example")
        self.query = self.lab.asked("web.example")

    def forged(self, query: Datagram | None = None) -> bytes:
        """A reply that would be believed, but for what the test changes."""
        return reply_to((query or self.query).payload, f"web.example. 3600 A {EVIL}")

    def deliver(self, payload: bytes, source: tuple[str, int] = PARENT) -> None:
        self.lab.network.deliver(payload, source, self.query.source)

    def true_reply_wins(self) -> None:
        """No client was answered so far; the parent's own reply is the answer, now and later."""
        self.assertFalse(self.lab.network.sent)
        self.lab.tell(self.query, GOOD)
        self.assertEqual(shown(self.lab.told()), ["web.example. 60 IN A 192.0.2.1"])
        self.assertEqual(shown(self.lab.ask("web.example")), ["web.example. 60 IN A 192.0.2.1"])

    def test_believed_if_nothing_is_wrong(self) -> None:
        """The reply that the tests here vary is believed as it stands."""
        self.deliver(self.forged())
        self.assertIn(EVIL, shown(self.lab.told())[0])

    def test_wrong_id(self) -> None:
        """No other id is believed, whichever bit of it differs."""
        for bit in range(16):
            forged = bytearray(self.forged())
            forged[bit // 8] ^= 1 << bit % 8
            self.deliver(bytes(forged))
        self.true_reply_wins()

    def test_wrong_address_or_port(self) -> None:
        """What comes from another address, or another port of the parent's, is not heard."""
        for source in (("192.0.2.54", 53), ("192.0.2.53", 54), (EVIL, 53)):
            self.deliver(self.forged(), source)
        self.true_reply_wins()

    def test_wrong_port_of_ours(self) -> None:
        """A reply to our listening port is a response, and gets silence."""
        self.lab.send(self.forged(), PARENT)
        self.true_reply_wins()

    def test_wrong_question(self) -> None:
        """Another name, type or class in the question section is another question."""
        other = dns.message.from_wire(self.query.payload)
        for name, rrtype, rrclass in (
            ("xeb.example", "A", "IN"),
            ("web.example", "AAAA", "IN"),
            ("web.example", "A", "CH"),
        ):
            asked = dns.message.make_query(name, rrtype, rrclass, id=other.id)
            self.deliver(reply_to(asked.to_wire(), f"web.example. 3600 A {EVIL}"))
        self.true_reply_wins()

    def test_no_question(self) -> None:
        """A reply without its question is not believed."""
        forged = dns.message.from_wire(self.forged())
        forged.question = []
        self.deliver(forged.to_wire())
        self.true_reply_wins()

    def test_query_instead_of_a_reply(self) -> None:
        """Our own query sent back, with an answer in it, is no reply."""
        self.deliver(reply_to(self.query.payload, f"web.example. 3600 A {EVIL}", flags="RD"))
        self.true_reply_wins()

    def test_garbage(self) -> None:
        """Bytes that are no message do not end the waiting."""
        for garbage in (b"", b"\0" * 11, b"\xff" * 100):
            self.deliver(garbage)
        self.true_reply_wins()

    def test_wrong_case_is_asked_again_by_tcp(self) -> None:
        """A reply in another case is not believed: the question goes by TCP, and only what comes there counts."""
        forged = bytearray(self.forged())
        forged[12 : 12 + 13] = bytes(forged[12 : 12 + 13]).swapcase()
        self.deliver(bytes(forged))
        self.assertFalse(self.lab.network.sent)
        connection = FakeConnection(self.lab.reactor)
        self.assertEqual((connection.host, connection.port), PARENT)
        self.deliver(self.forged())
        self.assertFalse(self.lab.network.sent)
        connection.receive(reply_to(connection.query, GOOD))
        self.assertEqual(shown(self.lab.told()), ["web.example. 60 IN A 192.0.2.1"])
        self.assertEqual(shown(self.lab.ask("web.example")), ["web.example. 60 IN A 192.0.2.1"])

    def test_late_reply(self) -> None:
        """A second reply changes nothing: its socket is closed, and the next question has another port and id."""
        self.lab.tell(self.query, GOOD)
        self.lab.told()
        self.deliver(self.forged())
        self.assertEqual(shown(self.lab.ask("web.example")), ["web.example. 60 IN A 192.0.2.1"])
        self.lab.begin("other.example")
        query = self.lab.asked("other.example")
        self.assertNotEqual((query.source, query.payload[:2]), (self.query.source, self.query.payload[:2]))
        self.lab.tell(query)
        self.lab.told()

    def test_flood_fails_the_question(self) -> None:
        """So many wrong replies that one might guess right give a failure, which is not remembered for long."""
        forged = bytearray(self.forged())
        forged[0] ^= 1
        for _ in range(200):
            self.deliver(bytes(forged))
        self.assertEqual(rcode(self.lab.told()), "SERVFAIL")
        self.deliver(self.forged())
        self.lab.pass_time(6)
        self.assertIn("192.0.2.1", shown(self.lab.resolve("web.example", GOOD))[0])

    def test_queries_cannot_be_foreseen(self) -> None:
        """Each query has an id, a port and a case of its own."""
        seen = [self.query]
        for number in range(20):
            self.lab.begin(f"web{number}.example")
            seen.append(self.lab.asked())
        self.assertGreater(len({query.payload[:2] for query in seen}), 15)
        self.assertEqual(len({query.source for query in seen}), 21)
        self.assertGreater(len({bytes(0x20 & byte for byte in query.payload[13:16]) for query in seen}), 3)


class PoisonTests(SynchronousTestCase):
    """A parent's own reply, with more in it than was asked for: only the answer to the question counts."""

    VICTIM = "bank.example"

    def setUp(self) -> None:
        self.lab = Lab(self)

    def never_passed_on(self, *names: tuple[str, str]) -> None:
        """The names are not known: their parent has to be asked for them, before and after a restart."""
        for _ in range(2):
            for name, rrtype in names:
                reply = self.lab.ask(name, rrtype, rd=False)
                self.assertEqual((rcode(reply), reply.answer, reply.authority), ("REFUSED", [], []))
            self.lab.restart()

    def test_extra_answers(self) -> None:
        """Answers about names that were not asked for are neither passed on nor cached."""
        reply = self.lab.resolve(
            "web.example", GOOD, f"{self.VICTIM}. 3600 A {EVIL}", f"com. 3600 NS ns.{self.VICTIM}."
        )
        self.assertEqual(shown(reply), ["web.example. 60 IN A 192.0.2.1"])
        self.never_passed_on((self.VICTIM, "A"), ("com", "NS"))

    def test_other_types_of_the_name(self) -> None:
        """Answers of another type than the one asked for are neither passed on nor cached."""
        reply = self.lab.resolve("web.example", GOOD, "web.example. 3600 AAAA 2001:db8::66")
        self.assertEqual(len(reply.answer), 1)
        self.never_passed_on(("web.example", "AAAA"))

    def test_out_of_bailiwick_records(self) -> None:
        """What stands in the authority and additional sections is neither passed on nor cached."""
        reply = self.lab.resolve(
            "web.example",
            GOOD,
            authority=["example. 3600 NS ns.bank.example.", "bank.example. 3600 NS ns.bank.example."],
            additional=[f"ns.bank.example. 3600 A {EVIL}", f"{self.VICTIM}. 3600 A {EVIL}"],
        )
        self.assertEqual((len(reply.answer), reply.authority, reply.additional), (1, [], []))
        self.never_passed_on((self.VICTIM, "A"), (self.VICTIM, "NS"), ("ns.bank.example", "A"), ("example", "NS"))

    def test_poisoned_cname_target(self) -> None:
        """Where a CNAME leads counts for the name that was asked for, and not for the target's own name."""
        replied = (f"web.example. 60 CNAME {self.VICTIM}.", f"{self.VICTIM}. 3600 A {EVIL}")
        self.assertEqual(len(self.lab.resolve("web.example", *replied).answer), 2)
        self.never_passed_on((self.VICTIM, "A"))
        reply = self.lab.resolve(self.VICTIM, f"{self.VICTIM}. 60 A 192.0.2.9")
        self.assertEqual(shown(reply), [f"{self.VICTIM}. 60 IN A 192.0.2.9"])

    def test_cname_that_nobody_asked_for(self) -> None:
        """A CNAME of another name does not count, with what it leads to."""
        replied = (f"{self.VICTIM}. 3600 CNAME evil.example.", f"evil.example. 3600 A {EVIL}")
        self.lab.begin("web.example")
        self.lab.tell(self.lab.asked("web.example"), *replied)
        self.assertEqual((rcode(reply := self.lab.told()), shown(reply)), ("SERVFAIL", []))
        self.never_passed_on((self.VICTIM, "A"), ("evil.example", "A"), (self.VICTIM, "CNAME"))

    def test_negative_answer_for_another_zone(self) -> None:
        """A SOA that is not above the name does not make the answer last, nor is its zone known by it."""
        soa = [f"{self.VICTIM}. 3600 SOA ns.example. h.example. 1 2 3 4 3600"]
        self.assertEqual(rcode(self.lab.resolve("web.example", rcode="NXDOMAIN", authority=soa)), "NXDOMAIN")
        self.never_passed_on(("web.example", "A"), (self.VICTIM, "A"), (self.VICTIM, "SOA"))

    def test_parent_of_one_domain_says_nothing_of_others(self) -> None:
        """A domain's parent cannot speak for our records or for names that another parent is there for."""
        lab = Lab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"}, forward={"evil.example": ["dns:192.0.2.54"]})
        for target, answer in (("www.lab", "10.0.0.1"), (self.VICTIM, "192.0.2.9")):
            lab.begin(f"{target}.evil.example")
            replied = (f"{target}.evil.example. 60 CNAME {target}.", f"{target}. 60 A {EVIL}")
            lab.tell(lab.asked(parent=("192.0.2.54", 53)), *replied)
            if target == self.VICTIM:
                lab.tell(lab.asked(target), f"{target}. 60 A {answer}")
            self.assertEqual(shown(lab.told())[1:], [f"{target}. 60 IN A {answer}"])
            self.assertEqual(shown(lab.ask(target)), [f"{target}. 60 IN A {answer}"])

    def test_records_of_other_classes(self) -> None:
        """Records of a class other than IN, and OPT records in the wrong place, do not become answers."""
        self.lab.begin("web.example")
        query = self.lab.asked("web.example")
        reply = bytearray(reply_to(query.payload, GOOD))
        reply[7] += 1
        self.lab.network.deliver(
            bytes(reply) + record(wire("web.example"), 1, b"\xcb\0\x71\x42", rrclass=3), PARENT, query.source
        )
        self.assertEqual(shown(self.lab.told()), ["web.example. 60 IN A 192.0.2.1"])
