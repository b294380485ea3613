"""Tests for :mod:`labnet.resolver.files.detect` and the reader behind it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files import zonefile as masterfile
from labnet.resolver.files.detect import HostsFile, ZoneFile, kind_of, parse_hosts, parse_zone, read_zone
from labnet.wire.names import text_of, wire_of
from labnet.wire.types import RRset, RRType

MX, TXT = 15, 16

Shown = tuple[str, int, int, tuple[bytes, ...]]


def shown(file: HostsFile | ZoneFile) -> list[Shown]:
    """The RRsets with their names as text."""
    return [(text_of(rrset.name), int(rrset.rrtype), rrset.ttl, rrset.rdatas) for rrset in file.rrsets]


def complaints(file: HostsFile | ZoneFile) -> list[tuple[int, str, bool]]:
    """What is wrong in a file: line, sentence, whether it is but a warning."""
    return [(problem.line, problem.says, problem.warning) for problem in file.problems]


def ip(text: str) -> bytes:
    """An IPv4 address's bytes."""
    return bytes(map(int, text.split(".")))


def wire(text: str) -> bytes:
    """A name's wire form."""
    found = wire_of(text)
    assert found is not None
    return found


class HostsFiles(SynchronousTestCase):
    """Tests for parse_hosts."""

    def test_every_name_of_a_line_has_its_address(self) -> None:
        """The canonical name and the aliases get an A or AAAA record of the default TTL."""
        file = parse_hosts(b"192.0.2.1 www.lab www\n2001:db8::1\tsix.lab\n", ttl=99)
        six = bytes.fromhex("20010db8000000000000000000000001")
        self.assertEqual(
            shown(file),
            [
                ("www.lab", RRType.A, 99, (ip("192.0.2.1"),)),
                ("www", RRType.A, 99, (ip("192.0.2.1"),)),
                ("six.lab", RRType.AAAA, 99, (six,)),
            ],
        )
        self.assertEqual(file.problems, [])

    def test_several_lines_of_a_name_form_one_rrset(self) -> None:
        """A name that stands in two lines has both addresses, whatever its case; the same one twice counts once."""
        file = parse_hosts(b"192.0.2.1 www\n192.0.2.2 WWW\n192.0.2.1 www\n")
        self.assertEqual(shown(file), [("www", RRType.A, 60, (ip("192.0.2.1"), ip("192.0.2.2")))])

    def test_what_is_the_authors_is_passed_over(self) -> None:
        """Comments, blank lines, CRLF, a byte order mark and a missing final newline are no problems."""
        file = parse_hosts(b"\xef\xbb\xbf# mine\r\n\r\n  192.0.2.1  www # not-a-name\r\n192.0.2.2 mail")
        self.assertEqual([name for name, *_ in shown(file)], ["www", "mail"])
        self.assertEqual(file.problems, [])

    def test_each_bad_line_is_one_problem_with_its_number(self) -> None:
        """Bad lines are told one by one, and the good ones between them are read."""
        table = {
            b"192.0.2 www": "'192.0.2' is no IPv4 or IPv6 address",
            b"192.0.2.010 www": "'192.0.2.010' is no IPv4 or IPv6 address",
            b"fe80::1%eth0 www": (
                "'fe80::1%eth0' has a zone index (%), which DNS cannot carry: write the address without it"
            ),
            b"192.0.2.1": "no name stands behind the address 192.0.2.1",
            b"192.0.2.1 # www": "no name stands behind the address 192.0.2.1",
            b"192.0.2.1 a..b": "'a..b' is no host name: labels of 1 to 63 bytes, 255 bytes in all",
            b"192.0.2.1 a,b": "'a,b' is no host name: labels of 1 to 63 bytes, 255 bytes in all",
            b"192.0.2.1 \xff": "the line is not UTF-8",
        }
        for line, says in table.items():
            file = parse_hosts(b"192.0.2.7 before\n" + line + b"\n192.0.2.8 after\n")
            self.assertEqual(complaints(file), [(2, says, False)], line)
            self.assertEqual([name for name, *_ in shown(file)], ["before", "after"], line)


class ZoneFiles(SynchronousTestCase):
    """Tests for parse_zone."""

    def test_the_records_of_a_zone_file_are_read(self) -> None:
        """$ORIGIN, $TTL, @, blank owners, parentheses, comments, classes and TTLs mean what RFC 1035 says."""
        file = parse_zone(
            b"$ORIGIN lab.\n$TTL 1h\n@ SOA ns host ( 1 2 3 ; comment (\n 4 5 )\n  NS ns\nns A 192.0.2.1\n"
            b'  300 IN A 192.0.2.2 ; more\nWWW IN 60 CNAME ns\nt TXT "a;b" ( "c"\n )\r\nabs.lab. 5 MX 1 @\n'
        )
        numbers = b"".join(number.to_bytes(4, "big") for number in (1, 2, 3, 4, 5))
        self.assertEqual(
            shown(file),
            [
                ("lab", RRType.SOA, 3600, (wire("ns.lab") + wire("host.lab") + numbers,)),
                ("lab", RRType.NS, 3600, (wire("ns.lab"),)),
                ("ns.lab", RRType.A, 300, (ip("192.0.2.1"), ip("192.0.2.2"))),
                ("WWW.lab", RRType.CNAME, 60, (wire("ns.lab"),)),
                ("t.lab", TXT, 3600, (b"\3a;b\1c",)),
                ("abs.lab", MX, 5, (b"\0\1" + wire("lab"),)),
            ],
        )
        self.assertEqual((file.problems, file.origin), ([], wire("lab")))

    def test_the_last_line_may_end_anyhow(self) -> None:
        """Half a CRLF, or nothing, at the end of the file is no part of the record."""
        for end in (b"", b"\r", b"\n", b"\r\n"):
            for record, rdata in ((b"a 60 TXT b", b"\1b"), (b"a 60 A 192.0.2.1", ip("192.0.2.1"))):
                self.assertEqual(parse_zone(record + end, "lab").rrsets[0].rdatas, (rdata,), end)

    def test_generate_makes_its_records(self) -> None:
        """$GENERATE is read as dnspython reads it."""
        file = parse_zone(b"$GENERATE 1-3 h$ 60 A 192.0.2.$\n", "lab")
        self.assertEqual([name for name, *_ in shown(file)], ["h1.lab", "h2.lab", "h3.lab"])

    def test_the_origin_is_given_or_found(self) -> None:
        """The zone's name is the one given, else the SOA's owner, else the first $ORIGIN."""
        soa = b"a.lab. 60 IN SOA ns. host. 1 2 3 4 5\n"
        table = [
            (b"www 60 A 192.0.2.1\n", "LAB.", "lab"),
            (soa, None, "a.lab"),
            (b"$ORIGIN lab.\n" + soa, None, "a.lab"),
            (b"$ORIGIN LAB.\n$ORIGIN b.lab.\n", None, "lab"),
        ]
        for content, origin, found in table:
            self.assertEqual(parse_zone(content, origin).origin, wire(found), content)
        self.assertIsNone(parse_zone(b"").origin)

    def test_a_relative_origin_is_below_the_one_before(self) -> None:
        """$ORIGIN without a final dot is relative to the current origin."""
        file = parse_zone(b"$ORIGIN sub\nwww 60 A 192.0.2.1\n", "lab")
        self.assertEqual(shown(file), [("www.sub.lab", RRType.A, 60, (ip("192.0.2.1"),))])

    def test_absolute_names_need_no_origin(self) -> None:
        """A file as dig prints a transfer, every name absolute, is read without $ORIGIN."""
        file = parse_zone(b"www.lab.\t60\tIN\tA\t192.0.2.1\nwww.lab. 60 IN MX 1 mail.lab.\n")
        self.assertEqual([name for name, *_ in shown(file)], ["www.lab", "www.lab"])
        self.assertEqual(file.problems, [])

    def test_what_is_outside_the_zone_is_left_out(self) -> None:
        """Records outside the origin given are left out with a warning, by either reader."""
        file = parse_zone(b"a.other. 60 A 192.0.2.1\nxlab. 60 MX 1 a\nin 60 A 192.0.2.2\n", "lab")
        says = "is outside the zone lab and is left out"
        self.assertEqual(complaints(file), [(1, f"a.other {says}", True), (2, f"xlab {says}", True)])
        self.assertEqual([name for name, *_ in shown(file)], ["in.lab"])
        self.assertEqual(len(parse_zone(b"x\\003lab. 60 A 192.0.2.1\n", "lab").problems), 1)

    def test_a_default_ttl_stands_in_for_the_directive(self) -> None:
        """Records without a TTL get the default given; an explicit TTL wins."""
        file = parse_zone(b"a A 192.0.2.1\nb 5 A 192.0.2.1\nc MX 1 a\n", "lab", default_ttl=77)
        self.assertEqual([ttl for _, _, ttl, _ in shown(file)], [77, 5, 77])

    def test_each_bad_record_is_one_problem_with_its_number(self) -> None:
        """Bad records are told one by one in a sentence, and the good ones around them are read."""
        table = {
            b"x A 192.0.2.300": "'x A 192.0.2.300' cannot be read: Text input is malformed",
            b"x A": "'x A' cannot be read: ",
            b"x ZZZ 1": "'ZZZ' is no record type",
            b"x 5 IN 6 A 192.0.2.1": "'6' is no record type",
            b".".join([b"x" * 60] * 5) + b" A 192.0.2.1": "cannot be read: A DNS name is > 255 octets long",
            b"x CH A 192.0.2.1": "the record's class is not IN; no other is served",
            b"x TYPE255 \\# 0": "ANY is a type for questions, not for a zone file",
            b"x OPT \\# 0": "OPT is a type for questions, not for a zone file",
            b"x 4000000000 A 192.0.2.1": "the TTL 4000000000 is more than 2147483647 seconds",
            b"x TXT" + b" %b" % (b"y" * 255) * 257: "the record's data has 65792 bytes, more than 65535",
            b"$TTL 4000000000": "$TTL is more than 2147483647 seconds",
            b"$INCLUDE /etc/passwd": "$INCLUDE is refused: name the other file in the configuration",
            b"$WHAT 1": "'$WHAT 1' cannot be read: zone file directive '$WHAT' is not allowed",
            b"a..b A 192.0.2.1": "'a..b A 192.0.2.1' cannot be read: A DNS label is empty",
            b"x" * 64 + b" A 192.0.2.1": "cannot be read: A DNS label is > 63 octets long",
            b'x TXT "open': "'x TXT \"open' cannot be read: newline in quoted string",
            b"x TXT )": "'x TXT )' cannot be read: ",
            b"\xff A 192.0.2.1": "the record is not UTF-8; other bytes are written \\DDD",
            b"$GENERATE 1-x h$ A 192.0.2.1": "'$GENERATE 1-x h$ A 192.0.2.1' cannot be read: ",
        }
        for line, says in table.items():
            file = parse_zone(b"$TTL 60\nbefore A 192.0.2.1\n" + line + b"\n\nafter A 192.0.2.1\n", "lab")
            (problem,) = file.problems
            self.assertEqual((problem.line, problem.warning), (3, False), line)
            self.assertIn(says, problem.says)
            self.assertEqual([name for name, *_ in shown(file)], ["before.lab", "after.lab"], line)

    def test_a_record_needs_a_name_a_ttl_and_an_origin(self) -> None:
        """What is missing before the first record is told: origin, TTL, name."""
        relative = "a name without a final dot is relative, and no origin is known: put $ORIGIN before it"
        table = {
            b"www 60 A 192.0.2.1": relative,
            b"www.lab. 60 MX 1 mail": relative,
            b"www.lab. A 192.0.2.1": "the record has no TTL, and no $TTL stands before it",
            b" 60 A 192.0.2.1": "the record has no name, and none stands before it",
            b"$ORIGIN lab": "the name behind $ORIGIN is relative, and no origin is known: end it with a dot",
        }
        for line, says in table.items():
            file = parse_zone(line)
            self.assertEqual(complaints(file), [(1, says, False)], line)
            self.assertEqual(file.rrsets, [])

    def test_a_parenthesis_never_closed_is_told_where_it_opens(self) -> None:
        """The line of the open parenthesis is the problem's, not the end of the file."""
        file = parse_zone(b"a 60 A 192.0.2.1\nb 60 TXT (\n x\n", "lab")
        self.assertEqual(complaints(file), [(2, "a parenthesis is opened here and never closed", False)])

    def test_a_cname_stands_alone(self) -> None:
        """A CNAME beside other records, or a second one, is a problem; the first of them is kept."""
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
            file = parse_zone(content, "lab")
            self.assertEqual(complaints(file), [(2, says, False)], content)
            self.assertEqual([rrtype for _, rrtype, _, _ in shown(file)], types)

    def test_generate_is_bounded(self) -> None:
        """A $GENERATE of more records than the bound is stopped with a problem."""
        self.patch(masterfile, "MOST_GENERATED", 10)
        file = parse_zone(b"$GENERATE 1-4294967295 h$ 60 A 192.0.2.1\n", "lab")
        self.assertEqual(
            complaints(file), [(1, "$GENERATE makes more than 10 records; write several smaller ones", False)]
        )

    def test_an_origin_that_is_no_name_is_a_problem(self) -> None:
        """The configuration's origin is checked like the file."""
        self.assertEqual(complaints(parse_zone(b"", "a..b")), [(1, "'a..b' is no name of a zone", False)])

    def test_what_is_added_may_be_refused(self) -> None:
        """The sentence of the one who takes the records becomes the problem of the line."""
        taken: list[RRset] = []
        file = read_zone(b"a 60 A 192.0.2.1\nb 60 MX 1 a\n", lambda rrset: taken.append(rrset) or "no room", "lab")
        self.assertEqual(complaints(file), [(1, "no room", False), (2, "no room", False)])
        self.assertEqual((len(taken), file.rrsets), (2, []))


ZONE_WORDS = st.sampled_from(
    [
        *rb"$ORIGIN $TTL $INCLUDE $GENERATE 1-9 @ ( ) \ \# ; $ ${1,2,d} a. . .. * A AAAA SOA TXT MX".split(),
        *rb"NAPTR LOC IN CH 300 99999999999 192.0.2.1 ::1 xn--".split(),
        *(b" ", b" ", b"\t", b"\n", b"\n", b"\r\n", b'"', b"\xff", b"\xc3\xbc", b"\0"),
    ]
)


class AnyBytes(SynchronousTestCase):
    """Any content gives records and problems, never an exception."""

    def check_zone(self, content: bytes, origin: str | None) -> None:
        file = parse_zone(content, origin)
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

    @given(
        st.binary(max_size=200) | st.lists(st.sampled_from([b"::1", b"%", b" ", b"\n", b"a", b".", b"#"])).map(b"".join)
    )
    def test_a_hosts_file_of_any_bytes_is_read(self, content: bytes) -> None:
        """Random bytes and shuffled words give records and problems, one a line at most for each name."""
        file = parse_hosts(content)
        lines = content.count(b"\n") + 1
        self.assertTrue(all(0 < problem.line <= lines for problem in file.problems))

    @given(st.binary(max_size=200) | st.lists(ZONE_WORDS, max_size=30).map(b"".join))
    def test_any_bytes_are_of_some_kind(self, content: bytes) -> None:
        """The guess is one of the three, whatever the content."""
        self.assertIn(kind_of("records", content), ("course", "hosts", "zone"))


class Kinds(SynchronousTestCase):
    """Tests for kind_of."""

    def test_the_content_tells_the_kind(self) -> None:
        """The first telling line decides, whatever the file is called."""
        table = [
            (b"www.biu.ac.il,1.2.3.4,180\n", "course"),
            (b"# note\r\n\r\nwww.biu.ac.il, 21.09.1992.8, 60\r\n", "course"),
            (b"\xef\xbb\xbfwww,1.2.3.4,60,1,1605280488.749312", "course"),
            (b"127.0.0.1 localhost\n", "hosts"),
            (b"# note\n::1\tlocalhost ip6-localhost\n", "hosts"),
            (b"fe80::1%eth0 router\n", "hosts"),
            (b"192.0.2.1 mx ns txt\n", "hosts"),
            (b"192.0.2.1 host # a, b, 3\n", "hosts"),
            (b"$ORIGIN lab.\n", "zone"),
            (b"; note\n", "zone"),
            (b"@ IN SOA ns host (\n", "zone"),
            (b"example.lab. 3600 IN SOA ns host 1 2 3 4 5\n", "zone"),
            (b"www A 192.0.2.1\n", "zone"),
            (b'www 1h TXT "a,b,60"\n', "zone"),
            (b"1.2.3.4 IN A 192.0.2.1\n", "zone"),
            (b"1 PTR www.lab.\n", "zone"),
        ]
        for content, kind in table:
            for path in ("/etc/hosts", "lab.zone", "ips.txt"):
                self.assertEqual(kind_of(path, content), kind, content)

    def test_the_name_tells_where_the_content_does_not(self) -> None:
        """An empty file is what its name says; any other is a course's, whose reader then says what is wrong."""
        table = [
            ("/etc/hosts", "hosts"),
            ("ads.hosts", "hosts"),
            ("lab.zone", "zone"),
            ("/etc/bind/db.lab", "zone"),
            ("ips.txt", "course"),
            ("hosts/ips.txt", "course"),
        ]
        for path, kind in table:
            self.assertEqual(kind_of(path, b"# nothing yet\n"), kind, path)
