"""Tests for :mod:`labnet.resolver.zone`, with the packing of records and the reverse names behind it."""

from __future__ import annotations

from struct import pack as packed

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver import packed as packing
from labnet.resolver.model import Answer, ExtendedError, InfoCode, Mapping, Question, Rcode, RRset, RRType
from labnet.resolver.names import key_of, text_of, wire_of
from labnet.resolver.reverse import MOST_NAMES, ReverseNames, reverse_name
from labnet.resolver.special import made_up_soa
from labnet.resolver.zone_new import MADE_UP_TTL, Zone
from labnet.resolver.zonefiles import parse_zone
from tests.resolver.fakes import reproducible

NOW = 1605280488.5
MX, TXT, DS = 15, 16, 43

LAB = b"""$TTL 3600
@ SOA ns host 1 2 3 4 300
@ NS ns
ns A 192.0.2.1
"""


def zone_of(text: str | bytes, *authoritative: str, origin: str = "lab", reverse: bool = True) -> Zone:
    """A finished zone with the records of a zone file, by default without being the authority for anything."""
    zone = Zone([key_of(name) for name in authoritative], NOW)
    file = parse_zone(text.encode() if isinstance(text, str) else text, origin, default_ttl=60)
    assert file.problems == [], file.problems
    for rrset in file.rrsets:
        assert zone.add(rrset) is None
    zone.finish(reverse)
    return zone


def course(*lines: tuple[str, str, int]) -> Zone:
    """A finished zone with a course's lines: name, address, TTL."""
    zone = Zone((), NOW)
    for name, address, ttl in lines:
        zone.add_mapping(static(name, address, ttl))
    zone.finish()
    return zone


def static(name: str, address: str, ttl: int = 60) -> Mapping:
    """A static line of a course's file."""
    return Mapping(name, address, ttl, learned=False, since=NOW)


def ask(zone: Zone, name: str, rrtype: int = RRType.A) -> Answer | None:
    """The zone's answer for a text name."""
    return zone.find(Question(key_of(name), rrtype))


def answer_of(zone: Zone, name: str, rrtype: int = RRType.A) -> Answer:
    """The zone's answer, which has to be there."""
    answer = ask(zone, name, rrtype)
    assert answer is not None, f"{name} is not known"
    return answer


def gist(zone: Zone, name: str, rrtype: int = RRType.A) -> str:
    """An answer in a word: what it holds, or that there is no such name, no such record, nothing known, a referral."""
    answer = ask(zone, name, rrtype)
    if answer is None:
        return "unknown"
    if answer.is_referral:
        return "referral"
    if answer.rcode != Rcode.NOERROR:
        return answer.rcode.name
    return (
        " ".join(
            [RRType(rrset.rrtype).name if rrset.rrtype in set(RRType) else str(rrset.rrtype) for rrset in answer.answer]
        )
        or "nodata"
    )


def ip(text: str) -> bytes:
    """An IPv4 address's bytes."""
    return bytes(map(int, text.split(".")))


def wire(text: str) -> bytes:
    """A name's wire form."""
    found = wire_of(text)
    assert found is not None
    return found


class CourseLines(SynchronousTestCase):
    """Tests for Zone.add_mapping."""

    def test_a_line_is_a_record_and_what_the_course_protocol_is_told(self) -> None:
        """An IPv4 address becomes an A record with the line's TTL and case; the line itself is the mapping."""
        answer = answer_of(course(("WWW.lab", "192.0.2.1", 180)), "www.LAB.")
        self.assertEqual(answer.answer, (RRset(wire("WWW.lab"), RRType.A, 180, (ip("192.0.2.1"),)),))
        self.assertEqual(answer.mapping, static("WWW.lab", "192.0.2.1", 180))
        self.assertEqual((answer.rcode, answer.authoritative, answer.origin), (Rcode.NOERROR, False, "file"))
        self.assertEqual(answer.errors, ())

    def test_an_ipv6_address_is_an_aaaa_record(self) -> None:
        """It is told as it was written, and an A question has no data and no error."""
        zone = course(("six", "2001:DB8:0::1", 60))
        answer = answer_of(zone, "six", RRType.AAAA)
        self.assertEqual(answer.answer[0].rdatas, (bytes.fromhex("20010db8000000000000000000000001"),))
        self.assertEqual(answer.mapping, static("six", "2001:DB8:0::1"))
        nothing = answer_of(zone, "six")
        self.assertEqual((nothing.rcode, nothing.answer, nothing.errors), (Rcode.NOERROR, (), ()))
        self.assertEqual(nothing.mapping, answer.mapping)

    def test_the_first_line_of_a_name_is_told_and_all_form_one_rrset(self) -> None:
        """The course protocol gets the first line; DNS every address, with the lowest TTL (RFC 2181)."""
        zone = course(("www", "192.0.2.1", 180), ("WWW", "192.0.2.2", 60), ("www", "192.0.2.1", 90), ("www", "::1", 5))
        answer = answer_of(zone, "www")
        self.assertEqual(answer.mapping, static("www", "192.0.2.1", 180))
        self.assertEqual(answer.answer, (RRset(wire("www"), RRType.A, 60, (ip("192.0.2.1"), ip("192.0.2.2"))),))
        self.assertEqual(answer_of(zone, "www", RRType.AAAA).answer[0].ttl, 5)
        self.assertEqual(len(zone), 1)

    def test_an_address_that_is_none_is_served_as_text_and_said_to_dns(self) -> None:
        """For DNS the name has no A record, and the extended error says why; other types have none of it."""
        for address in ("21.09.1992.8", "21.09.1992", "fe80::1%eth0", "1.2.3.04"):
            zone = course(("www", address, 60))
            answer = answer_of(zone, "www")
            self.assertEqual((answer.rcode, answer.answer), (Rcode.NOERROR, ()))
            self.assertEqual(answer.mapping, static("www", address))
            says = f"the address of the record is no IPv4 address: {address!r}"
            self.assertEqual(answer.errors, (ExtendedError(InfoCode.INVALID_DATA, says),))
            self.assertEqual(answer_of(zone, "www", MX).errors, ())

    def test_a_name_that_dns_cannot_carry_is_told_all_the_same(self) -> None:
        """An empty or an over-long label is the course protocol's alone."""
        for name in ("a..b", "x" * 64 + ".lab"):
            zone = course((name.upper(), "192.0.2.1", 60))
            answer = answer_of(zone, name)
            self.assertEqual(answer.mapping, static(name.upper(), "192.0.2.1"))
            self.assertEqual((answer.answer, answer.errors), ((), ()))
            self.assertIsNone(ask(zone, name + "x"))

    def test_a_line_wins_over_records_of_other_files_for_the_course(self) -> None:
        """Where a name has records of a zone file too, the course protocol is told the line."""
        zone = zone_of("www A 192.0.2.1")
        zone.add_mapping(static("www.lab", "192.0.2.2", 5))
        answer = answer_of(zone, "www.lab")
        self.assertEqual(answer.mapping, static("www.lab", "192.0.2.2", 5))
        self.assertEqual(answer.answer[0].rdatas, (ip("192.0.2.1"), ip("192.0.2.2")))

    def test_a_line_beside_a_cname_is_told_but_is_no_record(self) -> None:
        """The conflict comes back as a sentence; DNS keeps the CNAME."""
        zone = zone_of("www CNAME ns")
        says = zone.add_mapping(static("www.lab", "192.0.2.2"))
        self.assertEqual(says, "www.lab has a CNAME, so it can have no other record; this one is left out")
        self.assertEqual(gist(zone, "www.lab"), "CNAME")
        self.assertEqual(answer_of(zone, "www.lab").mapping, static("www.lab", "192.0.2.2"))


class OneStep(SynchronousTestCase):
    """Tests for Zone.find where no zone is authoritative."""

    def test_each_question_has_its_answer(self) -> None:
        """Exact records, CNAMEs, other types and names that no file has."""
        zone = zone_of(
            "a A 192.0.2.1\na MX 1 a\nc CNAME a\nx.y.z TXT t\nsub NS ns.sub\nns.sub A 192.0.2.3\n@ SOA a b 1 2 3 4 5"
        )
        table = [
            ("a.lab", RRType.A, "A"),
            ("A.LAB", MX, "15"),
            ("a.lab", TXT, "nodata"),
            ("a.lab", RRType.CNAME, "nodata"),
            ("c.lab", RRType.A, "CNAME"),
            ("c.lab", RRType.CNAME, "CNAME"),
            ("c.lab", RRType.ANY, "CNAME"),
            ("lab", RRType.SOA, "SOA"),
            ("lab", RRType.A, "nodata"),
            ("b.lab", RRType.A, "unknown"),
            ("x.a.lab", RRType.A, "unknown"),
            ("y.z.lab", RRType.A, "unknown"),
            ("sub.lab", RRType.NS, "NS"),
            ("x.sub.lab", RRType.A, "unknown"),
            ("ns.sub.lab", RRType.A, "A"),
            (".", RRType.NS, "unknown"),
        ]
        for name, rrtype, expected in table:
            self.assertEqual(gist(zone, name, rrtype), expected, (name, rrtype))

    def test_any_is_answered_with_the_smallest_rrset(self) -> None:
        """One RRset is enough (RFC 8482), and no question gets a small answer more easily than this one."""
        zone = zone_of('a TXT "a long text that nobody needs"\na A 192.0.2.1\na AAAA ::1')
        self.assertEqual(gist(zone, "a.lab", RRType.ANY), "A")

    def test_the_course_is_told_the_first_address_of_a_name(self) -> None:
        """Of names from zone and hosts files, the first A address with its TTL, else the first AAAA address."""
        zone = zone_of(
            "Both AAAA ::1\nBoth 5 A 192.0.2.2\nBoth 5 A 192.0.2.1\nsix AAAA 2001:DB8::0\nnone MX 1 a\nc CNAME both"
        )
        self.assertEqual(answer_of(zone, "both.lab").mapping, static("Both.lab", "192.0.2.2", 5))
        self.assertEqual(answer_of(zone, "six.lab").mapping, static("six.lab", "2001:db8::", 60))
        self.assertEqual(answer_of(zone, "six.lab").errors, ())
        self.assertIsNone(answer_of(zone, "none.lab").mapping)
        self.assertIsNone(answer_of(zone, "c.lab").mapping)

    def test_records_of_one_name_and_type_are_merged(self) -> None:
        """Equal ones count once, the first one's case stays, the lowest TTL holds for all."""
        zone = Zone()
        zone.add(RRset(wire("WWW"), RRType.A, 60, (b"1111",)))
        zone.add(RRset(wire("www"), RRType.A, 30, (b"2222", b"1111")))
        zone.add(RRset(wire("www"), RRType.A, 90, (b"3333",)))
        expected = RRset(wire("WWW"), RRType.A, 30, (b"1111", b"2222", b"3333"))
        self.assertEqual(answer_of(zone, "www").answer, (expected,))

    def test_what_cannot_stand_beside_a_cname_is_left_out(self) -> None:
        """The first of the two stays; the sentence says which name it is."""
        zone = Zone()
        self.assertIsNone(zone.add(RRset(wire("c"), RRType.CNAME, 60, (wire("a"),))))
        says = zone.add(RRset(wire("c"), RRType.A, 60, (b"1111",)))
        self.assertEqual(says, "c has a CNAME, so it can have no other record; this one is left out")
        self.assertEqual(gist(zone, "c"), "CNAME")

    def test_no_name_below_invalid_is_taken(self) -> None:
        """Records and lines there are left out with a sentence, and no wildcard covers them (RFC 6761)."""
        zone = Zone((), NOW)
        says = "x.invalid is below invalid, where no name exists (RFC 6761); the record is left out"
        self.assertEqual(zone.add(RRset(wire("x.invalid"), RRType.A, 60, (b"1111",))), says)
        self.assertEqual(zone.add_mapping(static("x.invalid", "192.0.2.1")), says)
        zone.add(RRset(wire("*"), RRType.A, 60, (b"1111",)))
        zone.finish()
        self.assertEqual(gist(zone, "x.other"), "A")
        self.assertEqual(gist(zone, "x.invalid"), "unknown")

    def test_it_counts_and_knows_the_names_that_are_written(self) -> None:
        """Empty, made-up and derived names do not count as names of the files."""
        zone = zone_of("a.b.c A 192.0.2.1\na.b.c TXT t\n*.w A 192.0.2.2", "lab")
        self.assertEqual(len(zone), 2)
        for name, known in (
            ("a.b.c.lab", True),
            ("b.c.lab", False),
            ("1.2.0.192.in-addr.arpa", False),
            ("x.lab", False),
        ):
            self.assertEqual(key_of(name) in zone, known, name)

    def test_a_name_with_the_bytes_of_another_is_another(self) -> None:
        """A label that holds a length byte and the rest of a name is not below it."""
        zone = zone_of("@ SOA a b 1 2 3 4 5", "lab")
        self.assertIsNone(zone.find(Question(b"\x06x\x03lab\0\0", RRType.A)))


class Wildcards(SynchronousTestCase):
    """Tests for RFC 4592, each with and without authority for the zone."""

    ZONE = """
*.w 60 A 192.0.2.1
*.w TXT "*"
*.c CNAME target.elsewhere.
host.w A 192.0.2.2
a.ent.w A 192.0.2.3
sub.*.w TXT "no wildcard"
"""
    TABLE = [
        ("x.w.lab", RRType.A, "A", "A"),
        ("x.y.w.lab", RRType.A, "A", "A"),
        ("x.w.lab", MX, "nodata", "nodata"),
        ("*.w.lab", RRType.A, "A", "A"),
        ("x.*.w.lab", RRType.A, "unknown", "NXDOMAIN"),
        ("host.w.lab", TXT, "nodata", "nodata"),
        ("x.host.w.lab", RRType.A, "unknown", "NXDOMAIN"),
        ("ent.w.lab", RRType.A, "unknown", "nodata"),
        ("x.ent.w.lab", RRType.A, "unknown", "NXDOMAIN"),
        ("w.lab", RRType.A, "unknown", "nodata"),
        ("x.c.lab", RRType.A, "CNAME", "CNAME"),
        ("x.c.lab", RRType.CNAME, "CNAME", "CNAME"),
        ("x.lab", RRType.A, "unknown", "NXDOMAIN"),
    ]

    def test_a_wildcard_covers_what_its_closest_encloser_leaves_open(self) -> None:
        """Names that exist, empty ones among them, block it; outside authoritative zones the rest is not known."""
        plain, authority = zone_of(self.ZONE), zone_of(self.ZONE, "lab")
        for name, rrtype, without, under in self.TABLE:
            self.assertEqual(gist(plain, name, rrtype), without, name)
            self.assertEqual(gist(authority, name, rrtype), under, name)

    def test_the_records_have_the_name_that_was_asked_for(self) -> None:
        """So has what the course protocol is told."""
        answer = answer_of(zone_of(self.ZONE), "X.y.w.lab")
        self.assertEqual(answer.answer, (RRset(wire("x.y.w.lab"), RRType.A, 60, (ip("192.0.2.1"),)),))
        self.assertEqual(answer.mapping, static("x.y.w.lab", "192.0.2.1"))
        line = answer_of(course(("*.lab", "21.09.1992.8", 60)), "x.lab")
        self.assertEqual(line.mapping, static("x.lab", "21.09.1992.8"))
        self.assertEqual(len(line.errors), 1)

    def test_a_delegation_and_a_derived_name_come_before_a_wildcard(self) -> None:
        """A wildcard covers neither what is delegated nor a reverse name that follows from an address."""
        zone = zone_of("* A 192.0.2.1\nsub NS ns.sub\na A 192.0.2.9", "lab")
        self.assertEqual(gist(zone, "x.lab"), "A")
        self.assertEqual(gist(zone, "x.sub.lab"), "referral")
        pointers = Zone((), NOW)
        pointers.add(RRset(wire("*.192.in-addr.arpa"), RRType.PTR, 60, (wire("other"),)))
        pointers.add(RRset(wire("a"), RRType.A, 60, (ip("192.0.2.9"),)))
        pointers.finish()
        self.assertEqual(answer_of(pointers, "9.2.0.192.in-addr.arpa", RRType.PTR).answer[0].rdatas, (wire("a"),))
        self.assertEqual(answer_of(pointers, "8.2.0.192.in-addr.arpa", RRType.PTR).answer[0].rdatas, (wire("other"),))


class Authority(SynchronousTestCase):
    """Tests for Zone.find under authoritative zones."""

    ZONE = (
        LAB
        + b"""
www CNAME ns
a.b.deep A 192.0.2.3
sub NS ns.sub
sub NS ns
sub NS ns.other.
ns.sub A 192.0.2.7
ns.sub AAAA ::7
signed NS ns.signed
signed DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000
under.signed TXT t
"""
    )

    def test_each_question_has_its_answer(self) -> None:
        """Positive and negative answers, empty non-terminals, delegations."""
        zone = zone_of(self.ZONE, "lab")
        table = [
            ("lab", RRType.SOA, "SOA"),
            ("lab", RRType.NS, "NS"),
            ("lab", RRType.A, "nodata"),
            ("lab", DS, "nodata"),
            ("ns.lab", RRType.A, "A"),
            ("www.lab", RRType.A, "CNAME"),
            ("no.lab", RRType.A, "NXDOMAIN"),
            ("x.ns.lab", RRType.A, "NXDOMAIN"),
            ("deep.lab", RRType.A, "nodata"),
            ("b.deep.lab", TXT, "nodata"),
            ("c.deep.lab", RRType.A, "NXDOMAIN"),
            ("sub.lab", RRType.A, "referral"),
            ("sub.lab", RRType.NS, "referral"),
            ("sub.lab", DS, "nodata"),
            ("ns.sub.lab", RRType.A, "referral"),
            ("a.b.sub.lab", MX, "referral"),
            ("signed.lab", DS, "43"),
            ("under.signed.lab", TXT, "referral"),
            ("under.signed.lab", DS, "referral"),
            ("other", RRType.A, "unknown"),
            ("xlab", RRType.A, "unknown"),
        ]
        for name, rrtype, expected in table:
            self.assertEqual(gist(zone, name, rrtype), expected, (name, rrtype))

    def test_answers_are_authoritative_and_referrals_are_not(self) -> None:
        """AA is for what the zone itself says."""
        zone = zone_of(self.ZONE, "lab")
        for name, authoritative in (
            ("ns.lab", True),
            ("www.lab", True),
            ("no.lab", True),
            ("deep.lab", True),
            ("sub.lab", False),
        ):
            self.assertEqual(answer_of(zone, name).authoritative, authoritative, name)

    def test_negative_answers_hold_the_soa(self) -> None:
        """Its TTL is the lesser of its own and MINIMUM (RFC 2308)."""
        for ttl, minimum, told in ((3600, 300, 300), (100, 300, 100)):
            zone = zone_of(f"@ {ttl} SOA ns host 1 2 3 4 {minimum}\na A 192.0.2.1", "lab")
            for name in ("no.lab", "a.lab"):
                (soa,) = answer_of(zone, name, TXT).authority
                self.assertEqual((soa.name, soa.rrtype, soa.ttl), (wire("lab"), RRType.SOA, told))
            self.assertEqual(answer_of(zone, "lab", RRType.SOA).answer[0].ttl, ttl)

    def test_a_zone_without_an_soa_gets_one(self) -> None:
        """It stands in negative answers and is answered when asked for, whether the apex has records or not."""
        soa = made_up_soa(wire("lab"), MADE_UP_TTL, int(NOW))
        self.assertEqual(
            soa.rdatas[0], wire("lab") + wire("nobody.invalid") + packed(">5I", int(NOW), 3600, 1200, 604800, 60)
        )
        for text in ("a A 192.0.2.1", "@ A 192.0.2.1"):
            zone = zone_of(text, "lab")
            self.assertEqual(answer_of(zone, "no.lab").authority, (soa,))
            self.assertEqual(answer_of(zone, "lab", RRType.SOA).answer, (soa,))

    def test_a_referral_has_the_servers_and_their_addresses(self) -> None:
        """Addresses that the zone has are glue, wherever in it they are; others are not told."""
        answer = answer_of(zone_of(self.ZONE, "lab"), "x.sub.lab")
        servers = (wire("ns.sub.lab"), wire("ns.lab"), wire("ns.other"))
        self.assertEqual(answer.authority, (RRset(wire("sub.lab"), RRType.NS, 3600, servers),))
        self.assertEqual(
            [(text_of(rrset.name), rrset.rrtype) for rrset in answer.additional],
            [("ns.sub.lab", RRType.A), ("ns.sub.lab", RRType.AAAA), ("ns.lab", RRType.A)],
        )

    def test_the_nearest_zone_answers(self) -> None:
        """Below a delegation that is itself an authoritative zone, that zone answers; only DS is its parent's."""
        zone = Zone([key_of("lab"), key_of("sub.lab")], NOW)
        for origin, content in (("lab", self.ZONE), ("sub.lab", LAB)):
            for rrset in parse_zone(content, origin).rrsets:
                zone.add(rrset)
        zone.finish()
        self.assertEqual(answer_of(zone, "no.sub.lab").authority[0].name, wire("sub.lab"))
        self.assertEqual(answer_of(zone, "sub.lab", DS).authority[0].name, wire("lab"))
        self.assertEqual(gist(zone, "sub.lab", RRType.NS), "NS")
        self.assertEqual(answer_of(zone, "lab", DS).authority[0].name, wire("lab"))

    def test_the_root_can_be_the_zone(self) -> None:
        """A lab's own root answers for every name: with a referral, or with NXDOMAIN."""
        zone = zone_of(
            "@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nlab NS ns.lab\nns.lab A 192.0.2.2", ".", origin="."
        )
        for name, expected in ((".", "NS"), ("www.lab", "referral"), ("other", "NXDOMAIN"), ("x.y.other", "NXDOMAIN")):
            self.assertEqual(gist(zone, name, RRType.NS), expected, name)

    def test_the_course_is_told_of_no_name_that_does_not_exist(self) -> None:
        """Negative answers and referrals have no mapping."""
        zone = zone_of(self.ZONE, "lab")
        for name in ("no.lab", "deep.lab", "ns.sub.lab"):
            self.assertIsNone(answer_of(zone, name).mapping, name)


class Renamed(SynchronousTestCase):
    """Tests for DNAMEs (RFC 6672)."""

    def test_names_below_a_dname_are_renamed(self) -> None:
        """The answer is the DNAME and a CNAME of its TTL, with or without authority."""
        for authoritative in ((), ("lab",)):
            zone = zone_of("old 77 DNAME new.other.\nold TXT t\nx.old A 192.0.2.1", *authoritative)
            for name in ("x.old.lab", "a.x.old.lab"):
                answer = answer_of(zone, name, RRType.A)
                target = name.replace("old.lab", "new.other")
                self.assertEqual(
                    answer.answer,
                    (
                        RRset(wire("old.lab"), RRType.DNAME, 77, (wire("new.other"),)),
                        RRset(wire(name), RRType.CNAME, 77, (wire(target),)),
                    ),
                )
                self.assertEqual(answer.authoritative, bool(authoritative))
            self.assertEqual(gist(zone, "old.lab", TXT), "16")
            self.assertEqual(gist(zone, "old.lab", RRType.DNAME), "DNAME")
            self.assertEqual(gist(zone, "old.lab", RRType.A), "nodata")

    def test_a_name_that_becomes_too_long_is_a_failure(self) -> None:
        """The answer fails with the DNAME in it and says why; no name of more than 255 bytes is made."""
        long = ".".join(["x" * 60] * 3)
        zone = zone_of(f"old DNAME {long}.{'y' * 20}.")
        self.assertEqual(gist(zone, "a.old.lab"), "DNAME CNAME")
        answer = answer_of(zone, "z" * 60 + ".old.lab")
        self.assertEqual((answer.rcode, len(answer.answer)), (Rcode.SERVFAIL, 1))
        says = "the name that old.lab (DNAME) makes of it is longer than 255 bytes"
        self.assertEqual(answer.errors, (ExtendedError(InfoCode.OTHER, says),))


class Reverse(SynchronousTestCase):
    """Tests for the PTR records that follow from addresses."""

    V6 = "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"

    def test_an_address_leads_back_to_its_names(self) -> None:
        """The names have their case and the lowest TTL, in the order of the files; IPv6 likewise."""
        zone = zone_of("WWW 50 A 192.0.2.1\nmail 40 A 192.0.2.1\nmail A 192.0.2.2\nmail AAAA 2001:db8::1")
        answer = answer_of(zone, "1.2.0.192.in-addr.arpa", RRType.PTR)
        expected = RRset(wire("1.2.0.192.in-addr.arpa"), RRType.PTR, 40, (wire("WWW.lab"), wire("mail.lab")))
        self.assertEqual(answer.answer, (expected,))
        self.assertFalse(answer.authoritative)
        self.assertEqual(answer_of(zone, self.V6, RRType.PTR).answer[0].rdatas, (wire("mail.lab"),))
        self.assertEqual(gist(zone, self.V6), "nodata")

    def test_course_lines_have_reverse_names_too(self) -> None:
        """An address that is none has none."""
        zone = course(("www", "192.0.2.1", 60), ("a..b", "192.0.2.2", 60), ("old", "21.09.1992.8", 60))
        self.assertEqual(answer_of(zone, "1.2.0.192.in-addr.arpa", RRType.PTR).answer[0].rdatas, (wire("www"),))
        self.assertEqual(gist(zone, "2.2.0.192.in-addr.arpa", RRType.PTR), "unknown")

    def test_an_explicit_pointer_wins(self) -> None:
        """Where the files have a PTR record or a CNAME (RFC 2317), nothing is derived; beside other types it is."""
        zone = Zone((), NOW)
        for number in (1, 2, 3):
            zone.add(RRset(wire(f"a{number}"), RRType.A, 60, (ip(f"192.0.2.{number}"),)))
        zone.add(RRset(wire("1.2.0.192.in-addr.arpa"), RRType.PTR, 60, (wire("other"),)))
        zone.add(RRset(wire("2.2.0.192.in-addr.arpa"), RRType.CNAME, 60, (wire("other"),)))
        zone.add(RRset(wire("3.2.0.192.in-addr.arpa"), TXT, 60, (b"\1t",)))
        zone.finish()
        self.assertEqual(answer_of(zone, "1.2.0.192.in-addr.arpa", RRType.PTR).answer[0].rdatas, (wire("other"),))
        self.assertEqual(gist(zone, "2.2.0.192.in-addr.arpa", RRType.PTR), "CNAME")
        self.assertEqual(answer_of(zone, "3.2.0.192.in-addr.arpa", RRType.PTR).answer[0].rdatas, (wire("a3"),))

    def test_under_authority_the_names_between_exist(self) -> None:
        """Derived names make their ancestors exist; what has no address does not."""
        zone = zone_of("www A 192.0.2.1", "192.in-addr.arpa")
        table = [
            ("1.2.0.192.in-addr.arpa", "PTR"),
            ("2.0.192.in-addr.arpa", "nodata"),
            ("0.192.in-addr.arpa", "nodata"),
            ("192.in-addr.arpa", "nodata"),
            ("2.2.0.192.in-addr.arpa", "NXDOMAIN"),
            ("3.0.192.in-addr.arpa", "NXDOMAIN"),
            ("01.2.0.192.in-addr.arpa", "NXDOMAIN"),
            ("0.1.2.0.192.in-addr.arpa", "NXDOMAIN"),
            ("x.0.192.in-addr.arpa", "NXDOMAIN"),
            ("193.in-addr.arpa", "unknown"),
        ]
        for name, expected in table:
            self.assertEqual(gist(zone, name, RRType.PTR), expected, name)
        self.assertTrue(answer_of(zone, "1.2.0.192.in-addr.arpa", RRType.PTR).authoritative)

    def test_an_address_of_many_names_tells_a_few(self) -> None:
        """A block list gives one address a million names; the first ones are told."""
        zone = course(*[(f"h{number}", "0.0.0.0", 60) for number in range(MOST_NAMES + 5)])
        (pointers,) = answer_of(zone, "0.0.0.0.in-addr.arpa", RRType.PTR).answer
        self.assertEqual(pointers.rdatas, tuple(wire(f"h{number}") for number in range(MOST_NAMES)))

    def test_wildcards_have_no_reverse_names(self) -> None:
        """There is no one name that the address belongs to."""
        self.assertEqual(gist(zone_of("*.w A 192.0.2.1"), "1.2.0.192.in-addr.arpa", RRType.PTR), "unknown")

    def test_it_can_be_left_out(self) -> None:
        """finish(reverse=False) derives nothing."""
        zone = zone_of("www A 192.0.2.1", reverse=False)
        self.assertEqual(gist(zone, "1.2.0.192.in-addr.arpa", RRType.PTR), "unknown")

    @reproducible
    @given(st.lists(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16), max_size=20))
    def test_every_address_is_found_and_no_other(self, addresses: list[bytes]) -> None:
        """What was put in is found under its reverse name, and every name above exists."""
        names = ReverseNames((b"%d" % place, address) for place, address in enumerate(addresses))
        for address in addresses:
            owners = [b"%d" % place for place, other in enumerate(addresses) if other == address]
            name = reverse_name(address)
            self.assertEqual(names.find(name), owners[:MOST_NAMES])
            while len(name) > len(b"\x07in-addr\x04arpa\0"):
                self.assertTrue(names.has_below(name))
                name = name[1 + name[0] :]
        for other in (bytes(4), b"\xff" * 4, bytes(16)):
            self.assertEqual(bool(names.find(reverse_name(other))), other in addresses)

    @reproducible
    @given(st.binary(max_size=60))
    def test_any_labels_are_looked_up(self, label: bytes) -> None:
        """Whatever stands before in-addr.arpa or ip6.arpa, also one label with dots or lengths in it."""
        names = ReverseNames([(b"k", ip("192.0.2.1")), (b"k", bytes(16))])
        for suffix in (b"\x07in-addr\x04arpa\0", b"\x03ip6\x04arpa\0", b"\x010\x07in-addr\x04arpa\0"):
            key = bytes((len(label),)) + label + suffix if label else suffix
            found = names.find(key)
            self.assertIn(found, ([], [b"k"]))
        self.assertEqual(names.find(b"\x0d1\x07in-addr\x04arp\0"), [])


class Packed(SynchronousTestCase):
    """Tests for the packing of a name's records."""

    def test_a_name_with_one_address_takes_fifteen_bytes(self) -> None:
        """A million names are a million of these; 16 bytes would cost 16 MB more."""
        zone = zone_of("www A 192.0.2.1")
        self.assertEqual(len(zone._nodes[key_of("www.lab")]), 15)
        zone = course(("www.lab", "192.0.2.1", 60))
        self.assertEqual(len(zone._nodes[key_of("www.lab")]), 15)

    mappings = st.builds(
        Mapping,
        st.sampled_from(["www.lab", "WWW.lab", "ü", "a..b"]),
        st.sampled_from(["192.0.2.1", "::1", "21.09.1992.8"]),
        st.integers(0, 2**31 - 1),
        st.just(False),
        st.sampled_from([NOW, 0.0]),
    )
    nodes = st.builds(
        packing.Node,
        st.sampled_from([b"\x03www\x03lab\0", b"\x03WWW\x03lab\0"]),
        st.none() | mappings,
        st.dictionaries(
            st.sampled_from([1, 2, 5, 6, 15, 28, 39, 65535]),
            st.tuples(
                st.integers(0, 2**31 - 1),
                st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=3).map(tuple),
            ),
            max_size=3,
        ).map(
            lambda rrsets: {
                rrtype: (ttl, tuple(r * 4 if rrtype == 28 else r for r in rdatas))
                for rrtype, (ttl, rdatas) in rrsets.items()
            }
        ),
    )

    @reproducible
    @given(nodes)
    def test_what_is_packed_comes_out_again(self, node: packing.Node) -> None:
        """Name, mapping and RRsets are the same, and the flags and addresses are those of the records."""
        key = b"\x03www\x03lab\0"
        value = packing.pack(node, key, NOW)
        self.assertEqual(packing.unpack(value, key, NOW), node)
        self.assertEqual(bool(value[0] & packing.HAS_NS), 2 in node.rrsets)
        self.assertEqual(bool(value[0] & packing.HAS_DNAME), 39 in node.rrsets)
        expected = [rdata for rrtype in (1, 28) for rdata in node.rrsets.get(rrtype, (0, ()))[1]]
        self.assertEqual(list(packing.addresses(value)), expected)
