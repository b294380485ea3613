"""A forwarder's parent: what of a DNS reply gets through, and what counts as a failure."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from labnet.interfaces import IParent
from labnet.resolver.upstream.dns import DNSParent, upstream_of
from labnet.resolver.upstream.errors import ParentFailed, Unusable
from labnet.wire.types import ExtendedError, InfoCode, Question, Rcode, Reply, Upstream
from tests.resolver.dnsfakes import (
    AAAA,
    CNAME,
    DNAME,
    NS,
    SOA,
    A,
    FakeExchange,
    question,
    rrset,
    wire,
)

WWW = question("www.example.com")
RECORD = "www.example.com. 60 A 192.0.2.1"
EXPECTED = (rrset("www.example.com", 60, A, b"\xc0\0\2\1"),)


class ParentTests(SynchronousTestCase):
    """A forwarder's parent."""

    def setUp(self) -> None:
        self.exchange = FakeExchange()
        self.parent = DNSParent("192.0.2.53", 53, False, self.exchange)

    def read(self, reply: Reply, asked: Question = WWW) -> Upstream:
        return upstream_of(asked, reply, "192.0.2.53:53")

    def unusable(self, reply: Reply) -> Unusable:
        return self.assertRaises(Unusable, self.read, reply)

    def test_it_is_a_parent(self) -> None:
        """As the interface says; its address is host and port."""
        verifyObject(IParent, self.parent)
        self.assertEqual(self.parent.address, "192.0.2.53:53")

    def test_it_asks_for_recursion_by_udp_or_tcp_as_configured(self) -> None:
        """And gives what its exchange got."""
        asked = self.parent.ask(WWW)
        DNSParent("::1", 5353, True, self.exchange).ask(WWW)
        self.assertEqual(self.exchange.asked, [("192.0.2.53", 53, WWW, True, False), ("::1", 5353, WWW, True, True)])
        self.exchange.replies[0].callback(Reply(Rcode.NOERROR, answer=EXPECTED))
        self.assertEqual(self.successResultOf(asked), Upstream(Rcode.NOERROR, "192.0.2.53:53", EXPECTED))

    def test_the_failure_of_the_exchange_is_its_own(self) -> None:
        """With its text."""
        asked = self.parent.ask(WWW)
        self.exchange.replies[0].errback(Failure(ParentFailed("silent")))
        self.assertEqual(str(self.failureResultOf(asked, ParentFailed).value), "silent")

    def test_cancelling_cancels_the_exchange(self) -> None:
        """Which closes what it has open."""
        asked = self.parent.ask(WWW)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(self.exchange.cancelled, ["192.0.2.53"])

    def test_only_the_chain_and_a_credible_soa_get_through(self) -> None:
        """What else a hostile parent adds is not there."""
        poison = rrset("www.bank.example", 60, A, b"\xcb\0\x71\x42")
        reply = Reply(
            Rcode.NOERROR,
            answer=(poison, *EXPECTED, rrset("www.example.com", 60, AAAA, bytes(16))),
            authority=(rrset("example.com", 60, NS, wire("ns.bad.example")), rrset("bank.example", 60, SOA, b"soa")),
            additional=(rrset("ns.bad.example", 60, A, b"\xcb\0\x71\x42"), poison),
        )
        self.assertEqual(self.read(reply), Upstream(Rcode.NOERROR, "192.0.2.53:53", EXPECTED))
        reply = Reply(Rcode.NXDOMAIN, answer=(poison,), authority=reply.authority, additional=reply.additional)
        self.assertEqual(self.read(reply), Upstream(Rcode.NXDOMAIN, "192.0.2.53:53"))

    def test_negative_answers_come_with_their_soa_and_errors(self) -> None:
        """No such name, no such record, and without an SOA where the parent gives none."""
        soa = rrset("example.com", 60, SOA, b"soa")
        errors = (ExtendedError(InfoCode.STALE_ANSWER, "old"),)
        for rcode in (Rcode.NXDOMAIN, Rcode.NOERROR):
            self.assertEqual(
                self.read(Reply(rcode, authority=(soa,), errors=errors)),
                Upstream(rcode, "192.0.2.53:53", soa=soa, errors=errors),
            )
            self.assertEqual(self.read(Reply(rcode)), Upstream(rcode, "192.0.2.53:53"))

    def test_a_chain_that_ends_at_no_name_is_passed_on(self) -> None:
        """NXDOMAIN is then about the last name (RFC 6604); where the records are there the RCODE does not count."""
        alias = rrset("www.example.com", 60, CNAME, wire("b.example"))
        self.assertEqual(
            self.read(Reply(Rcode.NXDOMAIN, answer=(alias,))), Upstream(Rcode.NXDOMAIN, "192.0.2.53:53", (alias,))
        )
        self.assertEqual(self.read(Reply(Rcode.NXDOMAIN, answer=EXPECTED)).rcode, Rcode.NOERROR)

    def test_yxdomain_is_passed_on_with_its_dname(self) -> None:
        """The parent says that a DNAME makes a name too long (RFC 6672, section 2.2): that is an answer."""
        dname = rrset("example.com", 60, DNAME, wire(".".join(["x" * 62] * 4)))
        upstream = self.read(Reply(Rcode.YXDOMAIN, answer=(dname,)))
        self.assertEqual(upstream, Upstream(Rcode.YXDOMAIN, "192.0.2.53:53", (dname,)))

    def test_an_rcode_without_an_answer_is_a_failure(self) -> None:
        """With the parent's own reasons."""
        for rcode, why in (
            (Rcode.FORMERR, "could not read the question (FORMERR)"),
            (Rcode.SERVFAIL, "could not resolve the name (SERVFAIL)"),
            (Rcode.NOTIMP, "does not answer such questions (NOTIMP)"),
            (Rcode.REFUSED, "refused to answer (REFUSED)"),
            (Rcode.BADVERS, "answered with RCODE 16"),
            (7, "answered with RCODE 7"),
        ):
            error = self.unusable(Reply(rcode, answer=EXPECTED))
            self.assertEqual((str(error), error.rcode, error.errors), (f"192.0.2.53:53 {why}", rcode, ()))
        errors = (ExtendedError(InfoCode.OTHER, "Dnssec bogus (6)"), ExtendedError(InfoCode.NETWORK_ERROR, ""))
        error = self.unusable(Reply(Rcode.SERVFAIL, errors=errors))
        self.assertEqual(str(error), "192.0.2.53:53 could not resolve the name (SERVFAIL): Dnssec bogus (6)")
        self.assertEqual(error.errors, errors)

    def test_a_referral_is_a_failure(self) -> None:
        """It comes from a server that does not resolve; NS records in an answer of its own are none."""
        servers = rrset("com", 60, NS, wire("ns.example"))
        error = self.unusable(Reply(Rcode.NOERROR, authority=(servers,)))
        self.assertIn("only referred to other servers", str(error))
        self.read(Reply(Rcode.NOERROR, True, authority=(servers,)))
        self.read(Reply(Rcode.NOERROR, authority=(servers, rrset("example.com", 60, SOA, b"soa"))))
        self.read(Reply(Rcode.NOERROR, answer=EXPECTED, authority=(servers,)))

    def test_an_answer_about_other_names_alone_is_a_failure(self) -> None:
        """It is not taken for the name's having no records."""
        error = self.unusable(Reply(Rcode.NOERROR, answer=(rrset("b.example", 60, A, b"\1\2\3\4"),)))
        self.assertIn("answered about other names", str(error))
