"""Tests for :mod:`labnet.resolver.records.zone`: what goes in, and one step's answers; more in test_zone_authority."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.names import key_of
from labnet.wire.types import ExtendedError, InfoCode, Question, Rcode, RRset, RRType
from tests.resolver.records.zones import MX, NOW, TXT, answer_of, ask, course, gist, static, zone_of
from tests.resolver.zonefiles import ip, wire


class CourseLines(SynchronousTestCase):
    """Tests for Zone.add_mapping."""

    def test_a_line_of_a_course_file_is_a_record_and_a_mapping(self) -> None:
        """An IPv4 address becomes an A record with the line's TTL and case; the line itself is the mapping."""
        answer = answer_of(course(("WWW.lab", "192.0.2.1", 180)), "www.LAB.")
        self.assertEqual(answer.answer, (RRset(wire("WWW.lab"), RRType.A, 180, (ip("192.0.2.1"),)),))
        self.assertEqual(answer.mapping, static("WWW.lab", "192.0.2.1", 180))
        self.assertEqual((answer.rcode, answer.authoritative, answer.origin), (Rcode.NOERROR, False, "from the file"))
        self.assertEqual(answer.errors, ())

    def test_an_ipv6_address_is_an_aaaa_record(self) -> None:
        """The course protocol has it as it was written, and an A question has no data and no error."""
        zone = course(("six", "2001:DB8:0::1", 60))
        answer = answer_of(zone, "six", RRType.AAAA)
        self.assertEqual(answer.answer[0].rdatas, (bytes.fromhex("20010db8000000000000000000000001"),))
        self.assertEqual(answer.mapping, static("six", "2001:DB8:0::1"))
        nothing = answer_of(zone, "six")
        self.assertEqual((nothing.rcode, nothing.answer, nothing.errors), (Rcode.NOERROR, (), ()))
        self.assertEqual(nothing.mapping, answer.mapping)

    def test_the_first_line_of_a_name_is_its_mapping_and_all_form_one_rrset(self) -> None:
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

    def test_a_name_that_dns_cannot_carry_has_a_mapping_all_the_same(self) -> None:
        """An empty or an over-long label is the course protocol's alone."""
        for name in ("a..b", "x" * 64 + ".lab"):
            zone = course((name.upper(), "192.0.2.1", 60))
            answer = answer_of(zone, name)
            self.assertEqual(answer.mapping, static(name.upper(), "192.0.2.1"))
            self.assertEqual((answer.answer, answer.errors), ((), ()))
            self.assertIsNone(ask(zone, name + "x"))

    def test_a_line_wins_over_records_of_other_files_for_the_course(self) -> None:
        """Where a name has records of a zone file too, the course protocol has the line."""
        zone = zone_of("www A 192.0.2.1")
        zone.data.add_mapping(static("www.lab", "192.0.2.2", 5))
        answer = answer_of(zone, "www.lab")
        self.assertEqual(answer.mapping, static("www.lab", "192.0.2.2", 5))
        self.assertEqual(answer.answer[0].rdatas, (ip("192.0.2.1"), ip("192.0.2.2")))

    def test_a_line_beside_a_cname_is_a_mapping_but_no_record(self) -> None:
        """The conflict comes back as a sentence; DNS keeps the CNAME."""
        zone = zone_of("www CNAME ns")
        says = zone.data.add_mapping(static("www.lab", "192.0.2.2"))
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

    def test_the_mapping_of_a_name_has_its_first_address(self) -> None:
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
        zone.data.add(RRset(wire("WWW"), RRType.A, 60, (b"1111",)))
        zone.data.add(RRset(wire("www"), RRType.A, 30, (b"2222", b"1111")))
        zone.data.add(RRset(wire("www"), RRType.A, 90, (b"3333",)))
        expected = RRset(wire("WWW"), RRType.A, 30, (b"1111", b"2222", b"3333"))
        self.assertEqual(answer_of(zone, "www").answer, (expected,))

    def test_what_cannot_stand_beside_a_cname_is_left_out(self) -> None:
        """The first of the two stays; the sentence says which name it is."""
        zone = Zone()
        self.assertIsNone(zone.data.add(RRset(wire("c"), RRType.CNAME, 60, (wire("a"),))))
        says = zone.data.add(RRset(wire("c"), RRType.A, 60, (b"1111",)))
        self.assertEqual(says, "c has a CNAME, so it can have no other record; this one is left out")
        self.assertEqual(gist(zone, "c"), "CNAME")

    def test_no_name_below_invalid_is_taken(self) -> None:
        """Records and lines there are left out with a sentence, and no wildcard covers them (RFC 6761)."""
        zone = Zone(ZoneData((), NOW))
        says = "x.invalid is below invalid, where no name exists (RFC 6761); the record is left out"
        self.assertEqual(zone.data.add(RRset(wire("x.invalid"), RRType.A, 60, (b"1111",))), says)
        self.assertEqual(zone.data.add_mapping(static("x.invalid", "192.0.2.1")), says)
        zone.data.add(RRset(wire("*"), RRType.A, 60, (b"1111",)))
        zone.data.finish()
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
        self.assertIsNone(zone.find(Question(b"\x05x\x03lab\0", RRType.A)))
