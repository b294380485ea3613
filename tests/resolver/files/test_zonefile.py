"""Tests for :mod:`labnet.resolver.files.zonefile`: its two readers, and dnspython's zones beside them."""

from __future__ import annotations

import re
from typing import Any
from unittest import mock

import dns.zone
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files import zonefile
from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.names import text_of
from labnet.wire.types import RRType
from tests.resolver.zonefiles import ZONE_WORDS, Read, ip, read, wire

MX, TXT = 15, 16

NAMES = st.sampled_from(
    ["@", "a", "B", "a.b", "*.w", "x.lab.", "y.sub.lab.", "", "1", "in", "_s._tcp", "0/25", "\\065"]
)
TTLS = st.sampled_from(["", "5", "300", "1h"])
CLASSES = st.sampled_from(["", "IN", "in"])
DATA = st.sampled_from(
    [
        "A 192.0.2.1",
        "a 192.0.2.2",
        "AAAA 2001:DB8::1",
        "AAAA ::ffff:192.0.2.1",
        "AAAA ::",
        "NS ns",
        "NS ns.other.",
        "PTR a.b",
        "MX 10 mail",
        "A 1.2.3",
        "A 1.2.3.04",
        "AAAA 1::2::3",
        "TXT a",
        "CNAME b",
        "A 192.0.2.9 more",
    ]
)


@st.composite
def zone_lines(draw: st.DrawFn) -> str:
    """A line of a zone file: mostly a record in one of its many forms."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(["$TTL 77", "$ORIGIN sub.lab.", "", "; note", " ", "@ SOA ns host 1 2 3 4 99"]))
    ttl, of_class = draw(TTLS), draw(CLASSES)
    middle = [ttl, of_class] if draw(st.booleans()) else [of_class, ttl]
    gap = draw(st.sampled_from([" ", "\t", "  "]))
    end = draw(st.sampled_from(["", " ", " ; note", ";note", "\r"]))
    return gap.join([draw(NAMES), *filter(None, middle), draw(DATA)]) + end


class BothReaders(SynchronousTestCase):
    """Common lines are read by labnet, all others with dnspython; the result is equal."""

    @given(st.lists(zone_lines(), max_size=12))
    def test_a_line_means_the_same_to_either_reader(self, lines: list[str]) -> None:
        """With every line left to dnspython's reader, the RRsets and the lines of the problems are the same."""
        content = "\n".join(lines).encode()
        fast = read(content, "lab")
        with mock.patch.object(zonefile, "COMMON_LINE", re.compile(rb"(?!)")):
            slow = read(content, "lab")
        self.assertEqual(fast.shown, slow.shown)
        self.assertEqual([problem.line for problem in fast.problems], [problem.line for problem in slow.problems])

    @given(st.lists(zone_lines(), max_size=12))
    def test_a_good_file_means_what_it_means_to_dnspython(self, lines: list[str]) -> None:
        """Where the whole file is without a problem, dnspython's own zone holds the same records."""
        content = "\n".join(lines)
        file = read(content.encode(), "lab", add=ZoneData().add)
        if file.problems:
            return
        text = content.replace("\r\n", "\n").replace("\r", "")
        theirs = dns.zone.from_text(text, "lab.", relativize=False, check_origin=False)
        self.assertEqual(_comparable(file), _of_dnspython(theirs))

    def test_common_lines_are_not_left_to_dnspython(self) -> None:
        """The reader that makes large zones bearable does read the lines it is for."""
        lines = b"a 60 IN A 192.0.2.1\nb IN 60 AAAA ::1\n\t60 NS ns ; note\nc.lab. 5 CNAME x.\r\nd PTR e"
        with mock.patch.object(zonefile, "read_record") as slow:
            file = read(lines, "lab")
        slow.assert_not_called()
        self.assertEqual(len(file.rrsets), 5)


def _comparable(file: Read) -> dict[tuple[str, int], tuple[int, frozenset[bytes]]]:
    merged: dict[tuple[str, int], tuple[int, frozenset[bytes]]] = {}
    for rrset in file.rrsets:
        at = text_of(rrset.key), int(rrset.rrtype)
        ttl, rdatas = merged.get(at, (rrset.ttl, frozenset()))
        merged[at] = min(ttl, rrset.ttl), rdatas | {rdata.lower() for rdata in rrset.rdatas}
    return merged


def _of_dnspython(zone: Any) -> dict[tuple[str, int], tuple[int, frozenset[bytes]]]:
    return {
        (text_of(name.to_wire().lower()), int(rdataset.rdtype)): (
            rdataset.ttl,
            frozenset(rdata.to_wire().lower() for rdata in rdataset),
        )
        for name, rdataset in zone.iterate_rdatasets()
    }


class ZoneFiles(SynchronousTestCase):
    """Tests for read_zone."""

    def test_the_records_of_a_zone_file_are_read(self) -> None:
        """$ORIGIN, $TTL, @, blank owners, parentheses, comments, classes and TTLs mean what RFC 1035 says."""
        file = read(
            b"$ORIGIN lab.\n$TTL 1h\n@ SOA ns host ( 1 2 3 ; comment (\n 4 5 )\n  NS ns\nns A 192.0.2.1\n"
            b'  300 IN A 192.0.2.2 ; more\nWWW IN 60 CNAME ns\nt TXT "a;b" ( "c"\n )\r\nabs.lab. 5 MX 1 @\n'
        )
        numbers = b"".join(number.to_bytes(4, "big") for number in (1, 2, 3, 4, 5))
        self.assertEqual(
            file.shown,
            [
                ("lab", RRType.SOA, 3600, (wire("ns.lab") + wire("host.lab") + numbers,)),
                ("lab", RRType.NS, 3600, (wire("ns.lab"),)),
                ("ns.lab", RRType.A, 3600, (ip("192.0.2.1"),)),
                ("ns.lab", RRType.A, 300, (ip("192.0.2.2"),)),
                ("WWW.lab", RRType.CNAME, 60, (wire("ns.lab"),)),
                ("t.lab", TXT, 3600, (b"\3a;b\1c",)),
                ("abs.lab", MX, 5, (b"\0\1" + wire("lab"),)),
            ],
        )
        self.assertEqual(file.problems, [])

    def test_the_last_line_may_end_anyhow(self) -> None:
        """Half a CRLF, or nothing, at the end of the file is no part of the record."""
        for end in (b"", b"\r", b"\n", b"\r\n"):
            for record, rdata in ((b"a 60 TXT b", b"\1b"), (b"a 60 A 192.0.2.1", ip("192.0.2.1"))):
                self.assertEqual(read(record + end, "lab").rrsets[0].rdatas, (rdata,), end)

    def test_a_relative_origin_is_below_the_one_before(self) -> None:
        """$ORIGIN without a final dot is relative to the current origin."""
        file = read(b"$ORIGIN sub\nwww 60 A 192.0.2.1\n", "lab")
        self.assertEqual(file.shown, [("www.sub.lab", RRType.A, 60, (ip("192.0.2.1"),))])

    def test_absolute_names_need_no_origin(self) -> None:
        """A file as dig prints a transfer, every name absolute, is read without $ORIGIN."""
        file = read(b"www.lab.\t60\tIN\tA\t192.0.2.1\nwww.lab. 60 IN MX 1 mail.lab.\n")
        self.assertEqual(file.names, ["www.lab", "www.lab"])
        self.assertEqual(file.problems, [])

    def test_a_default_ttl_is_for_records_without_one(self) -> None:
        """Records without a TTL get that of $TTL; an explicit TTL wins."""
        file = read(b"a A 192.0.2.1\nb 5 A 192.0.2.1\nc MX 1 a\n", "lab", default_ttl=77)
        self.assertEqual([ttl for _, _, ttl, _ in file.shown], [77, 5, 77])

    def test_each_bad_record_is_one_problem_with_its_number(self) -> None:
        """Each bad record has a sentence, and the good ones around them are read."""
        table = {
            b"x A 192.0.2.300": "'x A 192.0.2.300' cannot be read: Text input is malformed",
            b"x A": "'x A' cannot be read: ",
            b"x ZZZ 1": "'ZZZ' is no record type",
            b"x 5 IN 6 A 192.0.2.1": "'6' is no record type",
            b".".join([b"x" * 60] * 5) + b" A 192.0.2.1": "cannot be read: A DNS name is > 255 octets long",
            b"x CH A 192.0.2.1": "the record's class is not IN; no other is served",
            b"x TYPE255 \\# 0": "ANY is a type for questions, not for a zone file",
            b"x OPT \\# 0": "OPT is a type for questions, not for a zone file",
            b"x TXT" + b" %b" % (b"y" * 255) * 257: "the record's data has 65792 bytes, more than 65535",
            b"$TTL 1y": "'1y' behind $TTL is no number of seconds",
            b"$TTL 1 2": "'$TTL 1 2' cannot be read: one value stands behind $TTL",
            b"$INCLUDE /etc/passwd": "$INCLUDE '/etc/passwd' is refused here",
            b"$INCLUDE": "'$INCLUDE' cannot be read: write $INCLUDE FILE [ORIGIN]",
            b"$WHAT 1": "'$WHAT 1' cannot be read: zone file directive '$WHAT' is not allowed",
            b"a..b A 192.0.2.1": "'a..b A 192.0.2.1' cannot be read: A DNS label is empty",
            b"x" * 64 + b" A 192.0.2.1": "cannot be read: A DNS label is > 63 octets long",
            b'x TXT "open': "'x TXT \"open' cannot be read: newline in quoted string",
            b"x TXT )": "'x TXT )' cannot be read: ",
            b"\xff A 192.0.2.1": "the name is not UTF-8; other bytes are written \\DDD",
            b"$GENERATE 1-x h$ A 192.0.2.1": "'$GENERATE 1-x h$ A 192.0.2.1' cannot be read: ",
        }
        for line, says in table.items():
            file = read(b"$TTL 60\nbefore A 192.0.2.1\n" + line + b"\n\nafter A 192.0.2.1\n", "lab")
            (problem,) = file.problems
            self.assertEqual((problem.line, problem.warning), (3, False), line)
            self.assertIn(says, problem.says)
            self.assertEqual(file.names, ["before.lab", "after.lab"], line)

    def test_a_record_needs_a_name_a_ttl_and_an_origin(self) -> None:
        """What is missing before the first record is a problem: origin, TTL, name."""
        relative = "a name without a final dot is relative, and no origin is known: put $ORIGIN before it"
        table = {
            b"www 60 A 192.0.2.1": relative,
            b"www.lab. 60 MX 1 mail": relative,
            b"www.lab. A 192.0.2.1": "the record has no TTL, and no $TTL stands before it",
            b" 60 A 192.0.2.1": "the record has no name, and none stands before it",
            b"$ORIGIN lab": "the name behind $ORIGIN is relative, and no origin is known: end it with a dot",
        }
        for line, says in table.items():
            file = read(line)
            self.assertEqual(file.complaints, [(1, says, False)], line)
            self.assertEqual(file.rrsets, [])

    def test_an_owner_may_be_quoted(self) -> None:
        """What stands between the marks is the name, spaces and all; escapes mean what they mean elsewhere."""
        file = read('"q" 60 A 192.0.2.1\n"a b" 60 TXT t\n"x\\.y" 60 TXT t\n"abs." 60 TXT t', "lab")
        names = [b"\1q\3lab\0", b"\3a b\3lab\0", b"\3x.y\3lab\0", b"\3abs\0"]
        self.assertEqual(([rrset.name for rrset in file.rrsets], file.problems), (names, []))

    def test_types_of_names_alone_are_read(self) -> None:
        """MB, MG, MR, MINFO, MD and MF (RFC 1035, section 3.3), whose names may be relative; or in generic form."""
        file = read(
            "a 60 MB h\na 60 MG h\na 60 MR h.\na 60 MINFO h m.x.\na 60 MD h\na 60 MF h\na 60 MB \\# 3 016800", "lab"
        )
        rdatas = [rrset.rdatas[0] for rrset in file.rrsets]
        self.assertEqual([rrset.rrtype for rrset in file.rrsets], [7, 8, 9, 14, 3, 4, 7])
        below, top = wire("h.lab"), wire("h")
        self.assertEqual(rdatas, [below, below, top, below + wire("m.x"), below, below, top])
        self.assertEqual(file.problems, [])
        self.assertEqual(len(read("a 60 MINFO h\na 60 MB h i", "lab").problems), 2)

    def test_a_ttl_of_more_than_31_bits_counts_as_none(self) -> None:
        """It is warned of (RFC 2181, section 8): the record's own, that of $TTL and of $GENERATE; MINIMUM of an SOA."""
        file = read("x 4000000000 A 192.0.2.1\ny A 192.0.2.1\n$TTL 99999999999\nz MX 1 a\n", "lab")
        self.assertEqual([rrset.ttl for rrset in file.rrsets], [0, 0, 0])
        says = "the TTL {} is more than 2147483647 seconds and counts as 0 (RFC 2181, section 8)"
        self.assertEqual(file.complaints, [(1, says.format(4000000000), True), (3, says.format(99999999999), True)])
        file = read("$GENERATE 1-2 h$ 2147483648 MX 1 a\n@ SOA a b 1 2 3 4 4294967295\n", "lab")
        self.assertEqual(([rrset.ttl for rrset in file.rrsets], len(file.problems)), ([0, 0, 0], 2))
        self.assertEqual(read("x 2147483647 A 192.0.2.1\n", "lab").shown[0][2], 2147483647)

    def test_bytes_that_are_not_utf8_stand_for_themselves(self) -> None:
        """In comments, in TXT and in names of data, as in BIND; UTF-8 stays what it is."""
        lines = [b'a 60 TXT "caf\xe9" ; \xff', b"; \xe9", b"b 60 TXT ( caf\xe9 ; \xe9", b" x )", b"c 60 TXT \xc3\xa9"]
        content = b"\n".join([*lines, b"d 60 MX 1 \xe9", b""])
        file = read(content + "e\u00e9 60 TXT ".encode() + b"\xe9\n", "lab")
        self.assertEqual(file.problems, [])
        rdatas = [rrset.rdatas[0] for rrset in file.rrsets]
        mx = b"\0\1\1\xe9\3lab\0"
        self.assertEqual(rdatas, [b"\4caf\xe9", b"\4caf\xe9\1x", b"\2\xc3\xa9", mx, b"\1\xe9"])
        self.assertEqual(file.names[-1], "e\u00e9.lab")

    def test_a_parenthesis_never_closed_is_a_problem_where_it_opens(self) -> None:
        """The line of the open parenthesis is the problem's, not the end of the file."""
        file = read(b"a 60 A 192.0.2.1\nb 60 TXT (\n x\n", "lab")
        self.assertEqual(file.complaints, [(2, "a parenthesis is opened here and never closed", False)])

    def test_a_cname_stands_alone(self) -> None:
        """A CNAME beside other records, or a second one, is a problem; the first of them stays."""
        table = {
            b"x 60 CNAME a\nx 60 A 192.0.2.1": (
                "x.lab has a CNAME, so it can have no other record; this one is left out",
                [RRType.CNAME],
            ),
            b"x 60 A 192.0.2.1\nx 60 CNAME a": (
                "x.lab has other records, so it can have no CNAME; the CNAME is left out",
                [RRType.A],
            ),
            b"x 60 CNAME a\nX 60 CNAME b": (
                "X.lab has more than one CNAME; the first is the one answered",
                [RRType.CNAME],
            ),
        }
        for content, (says, types) in table.items():
            file = read(content, "lab", add=ZoneData().add)
            self.assertEqual(file.complaints, [(2, says, False)], content)
            self.assertEqual([rrtype for _, rrtype, _, _ in file.shown], types)

    def test_what_is_added_may_be_refused(self) -> None:
        """The sentence of the one who takes the records becomes the problem of the line."""
        file = read("a 60 A 192.0.2.1\nb 60 MX 1 a\n", "lab", add=lambda rrset: "no room")
        self.assertEqual(file.complaints, [(1, "no room", False), (2, "no room", False)])


class AnyBytes(SynchronousTestCase):
    """Any content gives records and problems, never an exception."""

    def check_zone(self, content: bytes, origin: str | None) -> None:
        file = read(content, origin)
        lines = content.count(b"\n") + 1
        for problem in file.problems:
            self.assertTrue(0 < problem.line <= lines)
            self.assertTrue(problem.says)
            self.assertNotIn("\n", problem.says)
        for rrset in file.rrsets:
            self.assertTrue(all(len(rdata) <= 65535 for rdata in rrset.rdatas))
            self.assertTrue(len(rrset.name) <= 255 and 0 <= rrset.ttl < 2**31)

    @given(st.binary(max_size=200), st.sampled_from([None, "lab", "."]))
    def test_a_zone_file_of_any_bytes_is_read(self, content: bytes, origin: str | None) -> None:
        """Random bytes give RRsets and problems within their bounds."""
        self.check_zone(content, origin)

    @given(st.lists(ZONE_WORDS, max_size=30).map(b"".join), st.sampled_from([None, "lab", "."]))
    def test_a_zone_file_of_its_own_words_in_any_order_is_read(self, content: bytes, origin: str | None) -> None:
        """So do the words of zone files, shuffled, which get much further into the reader."""
        self.check_zone(content, origin)
