"""Tests for :mod:`labnet.resolver.records.zone`: wildcards, authoritative zones, DNAMEs."""

from __future__ import annotations

from struct import pack as packed

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.records.special import made_up_soa
from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import MADE_UP_TTL, ZoneData
from labnet.resolver.records.zonefile_records import ZoneFileRecords
from labnet.wire.names import key_of, parent, text_of
from labnet.wire.types import ExtendedError, InfoCode, Rcode, RRset, RRType
from tests.resolver.records.zones import DS, LAB, MX, NOW, TXT, answer_of, course, gist, static, zone_of
from tests.resolver.zonefiles import ip, read, wire


def of_files(*files: tuple[bytes, str], apexes: tuple[str, ...] = ()) -> Zone:
    """A finished zone of zone files, each with its origin; it is the authority for these, or for ``apexes``."""
    data = ZoneData([key_of(apex) for apex in apexes or [origin for _, origin in files]], NOW)
    for content, origin in files:
        assert read(content, origin, default_ttl=60, add=ZoneFileRecords(data).add).problems == []
    data.finish()
    return Zone(data)


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
        heap, authority = zone_of(self.ZONE), zone_of(self.ZONE, "lab")
        for name, rrtype, without, under in self.TABLE:
            self.assertEqual(gist(heap, name, rrtype), without, name)
            self.assertEqual(gist(authority, name, rrtype), under, name)

    def test_the_names_above_a_wildcard_exist(self) -> None:
        """The parent of a wildcard and all names between that and the apex are empty non-terminals (RFC 8020)."""
        zone = zone_of("*.x.entw A 192.0.2.1\n*.nested A 192.0.2.6\n*.a.b.nested A 192.0.2.5", "lab")
        table = [
            ("entw.lab", "nodata"),
            ("x.entw.lab", "nodata"),
            ("ada.x.entw.lab", "A"),
            ("y.entw.lab", "NXDOMAIN"),
            ("nested.lab", "nodata"),
            ("b.nested.lab", "nodata"),
            ("a.b.nested.lab", "nodata"),
            ("z.a.b.nested.lab", "A"),
            ("z.b.nested.lab", "NXDOMAIN"),
            ("z.nested.lab", "A"),
        ]
        for name, expected in table:
            self.assertEqual(gist(zone, name), expected, name)

    def test_an_empty_non_terminal_can_be_a_wildcard(self) -> None:
        """One above another name, or between two wildcards, is for all names below its parent, and has nothing."""
        zone = zone_of("foo.*.mid A 192.0.2.1\n*.*.dbl A 192.0.2.2\n* A 192.0.2.3\n@ SOA a b 1 2 3 4 5", "lab")
        table = [
            ("mid.lab", "nodata"),
            ("zz.mid.lab", "nodata"),
            ("q.zz.mid.lab", "nodata"),
            ("*.mid.lab", "nodata"),
            ("foo.*.mid.lab", "A"),
            ("bar.*.mid.lab", "NXDOMAIN"),
            ("zz.dbl.lab", "nodata"),
            ("q.zz.dbl.lab", "nodata"),
            ("q.*.dbl.lab", "A"),
            ("r.q.*.dbl.lab", "A"),
            ("other.lab", "A"),
        ]
        for name, expected in table:
            self.assertEqual(gist(zone, name), expected, name)

    def test_the_records_have_the_name_that_was_asked_for(self) -> None:
        """So has the mapping of the course protocol."""
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
        pointers = Zone(ZoneData((), NOW))
        pointers.data.add(RRset(wire("*.192.in-addr.arpa"), RRType.PTR, 60, (wire("other"),)))
        pointers.data.add(RRset(wire("a"), RRType.A, 60, (ip("192.0.2.9"),)))
        pointers.data.finish()
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
            ("signed.lab", DS, "DS"),
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
        for ttl, minimum, lesser in ((3600, 300, 300), (100, 300, 100)):
            zone = zone_of(f"@ {ttl} SOA ns host 1 2 3 4 {minimum}\na A 192.0.2.1", "lab")
            for name in ("no.lab", "a.lab"):
                (soa,) = answer_of(zone, name, TXT).authority
                self.assertEqual((soa.name, soa.rrtype, soa.ttl), (wire("lab"), RRType.SOA, lesser))
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
        """Addresses that the zone has are glue, wherever in it they are; others are left out."""
        zone = zone_of(self.ZONE, "lab")
        zone.data.add(RRset(wire("ns.other"), RRType.A, 60, (b"1111",)))
        answer = answer_of(zone, "x.sub.lab")
        servers = (wire("ns.sub.lab"), wire("ns.lab"), wire("ns.other"))
        self.assertEqual(answer.authority, (RRset(wire("sub.lab"), RRType.NS, 3600, servers),))
        self.assertEqual(
            [(text_of(rrset.name), rrset.rrtype) for rrset in answer.additional],
            [("ns.sub.lab", RRType.A), ("ns.sub.lab", RRType.AAAA), ("ns.lab", RRType.A)],
        )

    def test_the_nearest_zone_answers(self) -> None:
        """Below a delegation that is itself an authoritative zone, that zone answers; only DS is its parent's."""
        zone = Zone(ZoneData([key_of("lab"), key_of("sub.lab")], NOW))
        for origin, content in (("lab", self.ZONE), ("sub.lab", LAB)):
            read(content, origin, add=zone.data.add)
        zone.data.finish()
        self.assertEqual(answer_of(zone, "no.sub.lab").authority[0].name, wire("sub.lab"))
        self.assertEqual(answer_of(zone, "sub.lab", DS).authority[0].name, wire("lab"))
        self.assertEqual(gist(zone, "sub.lab", RRType.NS), "NS")
        self.assertEqual(answer_of(zone, "lab", DS).authority[0].name, wire("lab"))

    def test_what_the_upper_zones_file_has_of_a_zone_is_not_answered_by_that(self) -> None:
        """Glue, the delegation's NS and occluded records are the upper zone's; its DS is answered by it."""
        upper = (
            LAB
            + b"sub NS ns.sub\nsub DS 1 8 1 "
            + b"00" * 20
            + b"\nns.sub A 192.0.2.7\nwww.sub A 192.0.2.8\nother NS ns.sub\n"
        )
        lower = b"@ SOA ns host 1 2 3 4 300\n@ NS ns2\nns2 A 192.0.2.9\n"
        for files in (((upper, "lab"), (lower, "sub.lab")), ((lower, "sub.lab"), (upper, "lab"))):
            zone = of_files(*files)
            self.assertEqual(answer_of(zone, "sub.lab", RRType.NS).answer[0].rdatas, (wire("ns2.sub.lab"),))
            for name, rrtype, expected in (
                ("ns.sub.lab", RRType.A, "NXDOMAIN"),
                ("www.sub.lab", RRType.A, "NXDOMAIN"),
                ("ns2.sub.lab", RRType.A, "A"),
                ("sub.lab", DS, "DS"),
                ("x.other.lab", RRType.A, "referral"),
            ):
                self.assertEqual(gist(zone, name, rrtype), expected, name)
            self.assertEqual(answer_of(zone, "ns.sub.lab").authority[0].name, wire("sub.lab"))
            (glue,) = answer_of(zone, "x.other.lab").additional
            self.assertEqual(glue.rdatas, (ip("192.0.2.7"),))

    def test_a_zone_without_a_file_has_what_the_upper_zones_file_says(self) -> None:
        """One file for several of the zones is enough."""
        zone = of_files((LAB + b"sub NS ns\nwww.sub A 192.0.2.8\n", "lab"), apexes=("lab", "sub.lab"))
        self.assertEqual(gist(zone, "www.sub.lab"), "A")
        self.assertEqual(answer_of(zone, "no.sub.lab").authority[0].name, wire("sub.lab"))
        self.assertEqual(gist(zone, "sub.lab", RRType.NS), "NS")

    def test_a_file_with_both_soas_is_of_both_zones(self) -> None:
        """What stands below the lower apex is the lower zone's, before its SOA or behind it."""
        text = LAB + b"www.sub A 192.0.2.8\nsub SOA ns.sub host.sub 1 2 3 4 300\nmail.sub A 192.0.2.9\n"
        zone = of_files((text, "lab"), apexes=("lab", "sub.lab"))
        self.assertEqual((gist(zone, "www.sub.lab"), gist(zone, "mail.sub.lab")), ("A", "A"))

    def test_addresses_in_bulk_are_the_upper_zones_too(self) -> None:
        """A chunk of addresses with one beyond the cut is taken line by line, and that one is glue."""
        data = ZoneData([wire("lab"), wire("sub.lab")], NOW)
        data.add(RRset(wire("sub.lab"), RRType.SOA, 60, (bytes(22),)))
        records = ZoneFileRecords(data)
        records.add(RRset(wire("lab"), RRType.SOA, 60, (bytes(22),)))
        for keys in ([wire("a.lab"), wire("sub.lab")], [wire("a.lab"), wire("ns.sub.lab")]):
            self.assertFalse(records.add_addresses(keys, [60, 60], [b"1111", b"2222"], {parent(key) for key in keys}))
        self.assertTrue(records.add_addresses([wire("a.lab")], [60], [b"1111"], {wire("lab")}))
        data.finish()
        self.assertEqual((gist(Zone(data), "a.lab"), gist(Zone(data), "sub.lab")), ("A", "nodata"))

    def test_a_delegation_above_the_zone_is_the_parents_affair(self) -> None:
        """What is below a delegation of one zone is answered all the same where it is a zone of its own here."""
        zone = zone_of(self.ZONE + b"www.z.sub A 192.0.2.9", "lab", "z.sub.lab")
        self.assertEqual(gist(zone, "www.z.sub.lab"), "A")
        self.assertEqual(gist(zone, "z.sub.lab", RRType.SOA), "SOA")
        self.assertEqual(gist(zone, "x.sub.lab"), "referral")

    def test_of_two_delegations_the_upper_is_answered(self) -> None:
        """The zone is not the authority for a delegation further down."""
        zone = zone_of(self.ZONE + b"a.sub NS ns", "lab")
        self.assertEqual(answer_of(zone, "x.a.sub.lab").authority[0].name, wire("sub.lab"))

    def test_a_wildcard_delegates_nothing(self) -> None:
        """NS records of a wildcard are ordinary ones (RFC 4592, section 4.2)."""
        zone = zone_of(self.ZONE + b"*.n NS ns", "lab")
        self.assertEqual(gist(zone, "*.n.lab"), "nodata")
        self.assertEqual(gist(zone, "x.n.lab", RRType.NS), "NS")

    def test_the_root_can_be_the_zone(self) -> None:
        """A lab's own root answers for every name: with a referral, or with NXDOMAIN."""
        zone = zone_of(
            "@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nlab NS ns.lab\nns.lab A 192.0.2.2", ".", origin="."
        )
        for name, expected in ((".", "NS"), ("www.lab", "referral"), ("other", "NXDOMAIN"), ("x.y.other", "NXDOMAIN")):
            self.assertEqual(gist(zone, name, RRType.NS), expected, name)

    def test_a_name_that_does_not_exist_has_no_mapping(self) -> None:
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
        for authoritative in ((), ("lab",)):
            zone = zone_of(f"old DNAME {long}.{'y' * 20}.", *authoritative)
            self.assertEqual(gist(zone, "a.old.lab"), "DNAME CNAME")
            answer = answer_of(zone, "z" * 60 + ".old.lab")
            self.assertEqual((answer.rcode, len(answer.answer)), (Rcode.YXDOMAIN, 1))
            self.assertEqual(answer.authoritative, bool(authoritative))
            says = "the name that old.lab (DNAME) makes of it is longer than 255 bytes"
            self.assertEqual(answer.errors, (ExtendedError(InfoCode.OTHER, says),))
