"""Tests for :mod:`labnet.resolver.records.special`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.records.special import TTL, made_up_soa, special_find
from labnet.wire.names import key_of
from labnet.wire.types import Answer, Mapping, Question, Rcode, RRset, RRType

ONE_V4 = "1.0.0.127.in-addr.arpa"
ONE_V6 = "1." + "0." * 31 + "ip6.arpa"
LOOPBACK_V6 = bytes(15) + b"\1"
MX = 15
SVCB = 64


def ask(name: str, rrtype: int, *known: str) -> Answer | None:
    """The answer for a text name; ``known`` are names that the files have."""
    return special_find(Question(key_of(name), rrtype), {key_of(one) for one in known}, since=5.0)


class SpecialNames(SynchronousTestCase):
    """Tests for special_find."""

    def test_localhost_and_what_is_below_it_is_this_machine(self) -> None:
        """A and AAAA give the loopback addresses, under the name asked for."""
        for name in ("localhost", "LocalHost.", "www.localhost", "a.b.localhost"):
            for rrtype, rdata in ((RRType.A, b"\x7f\0\0\1"), (RRType.AAAA, LOOPBACK_V6), (RRType.ANY, b"\x7f\0\0\1")):
                answer = ask(name, rrtype)
                assert answer is not None
                found = RRType.A if rrtype == RRType.ANY else rrtype
                self.assertEqual(answer.answer, (RRset(key_of(name), found, TTL, (rdata,)),), (name, rrtype))
                self.assertEqual((answer.rcode, answer.authoritative), (Rcode.NOERROR, True))

    def test_localhost_has_a_mapping_for_the_course_protocol(self) -> None:
        """The mapping is the IPv4 address, static, since the time given."""
        answer = ask("www.localhost", RRType.A)
        assert answer is not None
        self.assertEqual(answer.mapping, Mapping("www.localhost", "127.0.0.1", TTL, learned=False, since=5.0))

    def test_localhost_has_no_other_records(self) -> None:
        """Another type is answered with NODATA and an SOA."""
        answer = ask("www.localhost", MX)
        assert answer is not None
        self.assertEqual((answer.rcode, answer.answer), (Rcode.NOERROR, ()))
        self.assertEqual(answer.authority, (made_up_soa(key_of("localhost")),))

    def test_the_loopback_addresses_are_named_localhost(self) -> None:
        """The reverse names of 127.0.0.1 and ::1 point to localhost, and have nothing else."""
        for name in (ONE_V4, ONE_V6):
            answer = ask(name, RRType.PTR)
            assert answer is not None
            self.assertEqual(answer.answer, (RRset(key_of(name), RRType.PTR, TTL, (key_of("localhost"),)),))
            nothing = ask(name, RRType.A)
            assert nothing is not None
            self.assertEqual((nothing.rcode, nothing.answer), (Rcode.NOERROR, ()))

    def test_no_name_exists_below_invalid_and_onion(self) -> None:
        """They are answered with NXDOMAIN and an SOA, and never asked of a parent."""
        for name, top in (("invalid", "invalid"), ("a.b.INVALID", "invalid"), ("onion", "onion"), ("x.onion", "onion")):
            answer = ask(name, RRType.A)
            assert answer is not None
            self.assertEqual((answer.rcode, answer.authoritative), (Rcode.NXDOMAIN, True), name)
            self.assertEqual(answer.authority, (made_up_soa(key_of(top)),), name)

    def test_a_resolver_without_encryption_designates_none(self) -> None:
        """All names of resolver.arpa are answered with NODATA (RFC 9462, section 4), unless a file has them."""
        for name in ("_dns.resolver.arpa", "resolver.arpa", "x.y.Resolver.ARPA"):
            answer = ask(name, SVCB)
            assert answer is not None
            self.assertEqual((answer.rcode, answer.answer, answer.authoritative), (Rcode.NOERROR, (), True), name)
            self.assertEqual(answer.authority, (made_up_soa(key_of("resolver.arpa")),), name)
        self.assertIsNone(ask("_dns.resolver.arpa", SVCB, "_dns.resolver.arpa"))
        self.assertIsNone(ask("myresolver.arpa", SVCB))

    def test_other_names_are_not_special(self) -> None:
        """test and example are the lab's; names that only look alike are ordinary."""
        names = [
            "test",
            "www.test",
            "example",
            "www.example.com",
            "localhost.lab",
            "mylocalhost",
            "notinvalid",
            "2.0.0.127.in-addr.arpa",
            "lab",
            ".",
            "a..invalid",
        ]
        for name in names:
            self.assertIsNone(ask(name, RRType.A), name)
        for one_label in (b"\x09x\x07invalid\0", b"\x0bx\x09localhost\0"):
            self.assertIsNone(special_find(Question(one_label, RRType.A)), one_label)

    def test_the_files_records_win_except_below_invalid(self) -> None:
        """A name that a file has is left to it; invalid stays invalid."""
        for name in ("localhost", "www.localhost", "x.onion", ONE_V4):
            self.assertIsNone(ask(name, RRType.A, name), name)
        answer = ask("x.invalid", RRType.A, "x.invalid")
        assert answer is not None
        self.assertEqual(answer.rcode, Rcode.NXDOMAIN)
        self.assertIsNotNone(ask("other.localhost", RRType.A, "localhost"))
