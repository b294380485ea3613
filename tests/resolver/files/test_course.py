"""Tests for :mod:`labnet.resolver.files.course`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.course import Problem, Records, authored, is_ip_address, parse_records
from labnet.wire.course_line import encode_record
from labnet.wire.types import Mapping
from tests.wire.samples import mappings

NOW = 1605280488.5

file_lines = st.sampled_from(
    [
        b"www.a,1.2.3.4,60",
        b"www.b,1.2.3.5,60\r",
        b" www.c , 1.2.3.6 , 60 ",
        b"www.d,1.2.3.7,60,0,5.0",
        b"www.l,1.2.3.8,60,1,5.0",
        b"www.m,1.2.3.9,60,1,5.0\r",
        b"# ours",
        b"\t# ours\r",
        b"",
        b"\r",
        b"nonsense",
        b"\xff,1.2.3.4,60",
    ]
)
files = st.builds(
    lambda lines, end, start: start + b"\n".join(lines) + end,
    st.lists(file_lines, max_size=12),
    st.sampled_from([b"\n", b""]),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
) | st.binary(max_size=100)


def static(name: str, address: str, ttl: int) -> Mapping:
    return Mapping(name, address, ttl, learned=False, since=NOW)


class ParseTests(SynchronousTestCase):
    """Reading a file."""

    def parsed(self, content: bytes, log: bool = False) -> Records:
        return parse_records(content, NOW, log)

    def test_an_empty_file(self) -> None:
        """An empty file holds nothing, and nothing is wrong with it."""
        self.assertEqual(self.parsed(b""), Records())
        self.assertEqual(self.parsed(b"", log=True), Records())

    def test_a_static_line(self) -> None:
        """name,address,ttl is a static mapping, loaded now."""
        self.assertEqual(
            self.parsed(b"www.biu.ac.il,1.2.3.4,180\n"), Records([static("www.biu.ac.il", "1.2.3.4", 180)])
        )

    def test_a_static_line_with_flag_and_epoch(self) -> None:
        """Flag 0 is a static mapping too; it was loaded now, whatever its epoch says."""
        self.assertEqual(self.parsed(b"www.a,1.2.3.4,60,0,1600000000.5\n"), Records([static("www.a", "1.2.3.4", 60)]))

    def test_a_learned_line(self) -> None:
        """Flag 1 is a learned mapping, since the epoch second it says."""
        self.assertEqual(
            self.parsed(b"www.a,1.2.3.4,60,1,1600000000.5\n"),
            Records(learned=[Mapping("www.a", "1.2.3.4", 60, learned=True, since=1600000000.5)]),
        )

    def test_files_as_they_are(self) -> None:
        """CRLF, blank lines, comments, spaces, a byte order mark and a missing final newline change nothing."""
        whole = self.parsed(b"www.a,1.2.3.4,60\nwww.b,1.2.3.5,60\n")
        self.assertEqual(len(whole.static), 2)
        for content in (
            b"www.a,1.2.3.4,60\r\nwww.b,1.2.3.5,60\r\n",
            b"www.a,1.2.3.4,60\nwww.b,1.2.3.5,60",
            b"www.a,1.2.3.4,60\r\nwww.b,1.2.3.5,60\r",
            b"\n\r\n \nwww.a,1.2.3.4,60\n\n\nwww.b,1.2.3.5,60\n \n",
            b"# one\nwww.a,1.2.3.4,60\n  # two\nwww.b,1.2.3.5,60\n#",
            b" www.a, 1.2.3.4,\t60\nwww.b , 1.2.3.5 , 60 \n",
            b"\xef\xbb\xbfwww.a,1.2.3.4,60\nwww.b,1.2.3.5,60\n",
            b"\xef\xbb\xbf# one\nwww.a,1.2.3.4,60\nwww.b,1.2.3.5,60\n",
        ):
            self.assertEqual(self.parsed(content), whole, content)
            self.assertEqual(self.parsed(content, log=True), whole, content)

    def test_a_byte_order_mark_counts_at_the_start_alone(self) -> None:
        """A byte order mark further down is part of a name, and makes it none."""
        records = self.parsed(b"www.a,1.2.3.4,60\n\xef\xbb\xbfwww.b,1.2.3.5,60\n")
        self.assertEqual([problem.line for problem in records.problems], [2])

    def test_each_wrong_line_is_an_error(self) -> None:
        """Each line that cannot be read is one error with its number and its reason; the others are read."""
        records = self.parsed(
            b"www.a,1.2.3.4\n"
            b"www.b,1.2.3.4,60,1\n"
            b"\n"
            b"www.c,1.2.3.4,sixty\n"
            b"www d,1.2.3.4,60\n"
            b"www.e,,60\n"
            b"www.f,1.2.3.4,60,2,5.0\n"
            b"www.g,1.2.3.4,60,1,soon\n"
            b"\xff,1.2.3.4,60\n"
            b"www.h,1.2.3.4,60\n"
        )
        self.assertEqual([mapping.name for mapping in records.static], ["www.h"])
        self.assertEqual(records.learned, [])
        self.assertFalse(records.cut)
        self.assertFalse(any(problem.warning for problem in records.problems))
        expected = [
            (1, "2 field(s), expected name,address,ttl or name,address,ttl,flag,epoch"),
            (2, "4 field(s), expected name,address,ttl or name,address,ttl,flag,epoch"),
            (4, "'sixty' is no TTL: a whole number of seconds, 0 to 2147483647"),
            (5, "'www d' is no name: 1 to 255 bytes without white space, not starting with #"),
            (6, "'' is no address: 1 to 255 bytes without white space"),
            (7, "the flag is '2', expected 0 (static) or 1 (learned)"),
            (8, "'soon' is no epoch second"),
            (9, "the line is not UTF-8"),
        ]
        self.assertEqual([(problem.line, problem.says) for problem in records.problems], expected)

    def test_an_opaque_address_is_served_with_a_warning(self) -> None:
        """The transcript's own addresses are no IP addresses: each is taken, with a warning."""
        records = self.parsed(b"www.google.co.il,21.09.1992.8,60\nwww.a,1.2.3.4,60\nwww.six,2001:db8::1,60\n")
        self.assertEqual(records.static[0], static("www.google.co.il", "21.09.1992.8", 60))
        self.assertEqual(len(records.static), 3)
        says = "'21.09.1992.8' is no IP address; it is served all the same, but only to the course protocol"
        self.assertEqual(records.problems, [Problem(1, says, warning=True)])

    def test_a_name_that_stands_twice_warns(self) -> None:
        """Each later line of a name is a warning that names the first; case and a final dot do not count."""
        records = self.parsed(b"www.a,1.2.3.4,60\n# ours\nWWW.A.,1.2.3.5,60\nwww.a,1.2.3.6,60\nwww.b,1.2.3.7,60\n")
        self.assertEqual(len(records.static), 4)
        self.assertEqual(
            records.problems,
            [
                Problem(3, "WWW.A. stands in line 1 already; that line is the one answered", warning=True),
                Problem(4, "www.a stands in line 1 already; that line is the one answered", warning=True),
            ],
        )

    def test_a_name_that_was_learned_twice_does_not_warn(self) -> None:
        """A log holds a name as often as it was learned, also one that a static line has, and any address."""
        records = self.parsed(b"www.a,1.2.3.4,60\nwww.a,x.y,60,1,5.0\nwww.a,x.y,60,1,6.0\n")
        self.assertEqual((len(records.static), len(records.learned), records.problems), (1, 2, []))

    @given(content=st.binary(max_size=200) | files, log=st.booleans())
    def test_any_bytes(self, content: bytes, log: bool) -> None:
        """Any bytes give mappings and problems, nothing else; every line that is not the author's is one of them."""
        records = self.parsed(content, log)
        lines = content.count(b"\n") + 1
        numbers = [problem.line for problem in records.problems]
        self.assertEqual(numbers, sorted(numbers))
        self.assertTrue(all(1 <= problem.line <= lines and problem.says for problem in records.problems))
        wrong = {problem.line for problem in records.problems if not problem.warning or "cut" in problem.says}
        stripped = [line.strip() for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
        authors = [line for line in stripped if not line or line.startswith(b"#")]
        self.assertEqual(len(records.static) + len(records.learned) + len(wrong) + len(authors), lines)
        self.assertTrue(log or not records.cut)


class CutLineTests(SynchronousTestCase):
    """What a crash in the middle of a write leaves."""

    LOG = b"www.b,1.2.3.5,300,1,5.0\n"

    def cut(self, content: bytes, log: bool = True) -> Records:
        return parse_records(content, NOW, log)

    def test_a_cut_line_is_skipped_with_a_warning(self) -> None:
        """An unfinished last line that cannot be read is skipped with a warning, wherever it was cut."""
        for part in (b"w", b"www.a", b"www.a,1.2", b"www.a,1.2.3.4,", b"www.a,1.2.3.4,60,", b"www.a,1.2.3.4,60,1,"):
            records = self.cut(self.LOG + part)
            self.assertTrue(records.cut, part)
            self.assertEqual([mapping.name for mapping in records.learned], ["www.b"])
            self.assertEqual(records.static, [])
            says = "the last line is cut in the middle and was skipped"
            self.assertEqual(records.problems, [Problem(2, says, warning=True)])

    def test_a_cut_line_is_never_taken_for_a_static_one(self) -> None:
        """A learned line that was cut behind its TTL is not a mapping that never expires."""
        for part in (b"www.a,1.2.3.4,6", b"www.a,1.2.3.4,60"):
            records = self.cut(self.LOG + part)
            self.assertEqual((records.static, records.cut), ([], True))

    def test_a_learned_line_without_its_newline_counts(self) -> None:
        """A last line that is whole but for its newline is read."""
        records = self.cut(self.LOG + b"www.a,1.2.3.4,60,1,6.0")
        self.assertEqual([mapping.name for mapping in records.learned], ["www.b", "www.a"])
        self.assertFalse(records.cut)

    def test_a_finished_line_is_not_cut(self) -> None:
        """A wrong line with its newline is an error, not the work of a crash."""
        records = self.cut(self.LOG + b"www.a,1.2\n")
        self.assertFalse(records.cut)
        self.assertEqual([problem.warning for problem in records.problems], [False])

    def test_only_a_log_is_cut(self) -> None:
        """In a file that the resolver does not append to, the unfinished line is its author's."""
        records = self.cut(self.LOG + b"www.a,1.2", log=False)
        self.assertFalse(records.cut)
        self.assertEqual([problem.warning for problem in records.problems], [False])
        self.assertEqual(self.cut(self.LOG + b"www.a,1.2.3.4,60", log=False).static, [static("www.a", "1.2.3.4", 60)])

    def test_only_what_stands_behind_a_learned_line_is_cut(self) -> None:
        """An unfinished last line behind one of the author's is the author's, right or wrong."""
        for before in (b"", b"www.c,1.2.3.4,60\n", self.LOG + b"# ours\n", self.LOG + b"\n", self.LOG + b"wrong\n"):
            self.assertEqual(self.cut(before + b"www.a,1.2.3.4,60").static[-1:], [static("www.a", "1.2.3.4", 60)])
            records = self.cut(before + b"www.a,1.2")
            self.assertFalse(records.cut)
            self.assertFalse(records.problems[-1].warning)

    def test_a_crash_at_any_byte(self) -> None:
        """Whatever of a log a crash leaves, every whole line is read and no mapping is wrong."""
        authors = b"# ours\nwww.biu.ac.il,1.2.3.4,180\n"
        learned = [
            Mapping("www.a", "1.2.3.4", 60, True, 1605280488.749312),
            Mapping("www.é", "21.09.1992.8", 2147483647, True, 1605280489.5),
            Mapping("b", "2001:db8::1", 5, True, 1605280490.0),
        ]
        content = authors
        ends = [len(content)]
        for mapping in learned:
            content += encode_record(mapping).encode() + b"\n"
            ends.append(len(content))
        for size in range(ends[1], len(content) + 1):
            self.check_prefix(content[:size], learned, sum(size >= end for end in ends[1:]))

    @given(learned=st.lists(mappings, min_size=1, max_size=4), data=st.data())
    def test_a_crash_at_any_byte_of_any_log(self, learned: list[Mapping], data: st.DataObject) -> None:
        """The same of any mappings, in any alphabet."""
        learned = [Mapping(each.name, each.address, each.ttl, True, each.since) for each in learned]
        lines = [encode_record(mapping).encode() + b"\n" for mapping in learned]
        whole = data.draw(st.integers(1, len(lines)))
        part = lines[whole][: data.draw(st.integers(0, len(lines[whole]) - 1))] if whole < len(lines) else b""
        self.check_prefix(b"".join(lines[:whole]) + part, learned, whole, authors=0)

    def check_prefix(self, prefix: bytes, learned: list[Mapping], whole: int, authors: int = 1) -> None:
        records = parse_records(prefix, NOW, log=True)
        self.assertEqual(len(records.static), authors, prefix)
        self.assertEqual(records.learned[:whole], learned[:whole], prefix)
        for mapping in records.learned[whole:]:
            # Only digits of its last field can be missing: it ends earlier, if at all.
            written = learned[whole]
            self.assertEqual((mapping.name, mapping.address, mapping.ttl), (written.name, written.address, written.ttl))
            self.assertTrue(mapping.since <= written.since, prefix)
        self.assertFalse([problem for problem in records.problems if not problem.warning], prefix)
        unfinished = not prefix.endswith(b"\n")
        self.assertEqual(records.cut, unfinished and len(records.learned) == whole, prefix)


def compacted(content: bytes, learned: list[Mapping] | tuple[Mapping, ...]) -> bytes:
    """The file anew: what is its author's, then what is learned."""
    return b"".join([*authored(content), *(encode_record(mapping).encode() + b"\n" for mapping in learned)])


class AuthoredTests(SynchronousTestCase):
    """Rewriting a file."""

    FRESH = (Mapping("www.new", "1.2.3.9", 60, True, 7.5),)
    LINE = b"www.new,1.2.3.9,60,1,7.5\n"

    def test_learned_lines_are_replaced(self) -> None:
        """The learned lines give way to the live ones, which stand at the end in their order."""
        content = b"www.a,1.2.3.4,60,1,5.0\nwww.s,1.2.3.4,60\nwww.b,1.2.3.4,60,1,6.0\n"
        second = Mapping("www.b", "1.2.3.5", 60, True, 8.0)
        self.assertEqual(
            compacted(content, [*self.FRESH, second]), b"www.s,1.2.3.4,60\n" + self.LINE + b"www.b,1.2.3.5,60,1,8.0\n"
        )
        self.assertEqual(compacted(content, []), b"www.s,1.2.3.4,60\n")
        self.assertEqual(compacted(b"", []), b"")

    def test_the_authors_lines_stay_as_they_are(self) -> None:
        """Comments, blank lines, spaces, CRLF, a byte order mark and unreadable lines stay, byte by byte, in order."""
        before = b"\xef\xbb\xbf# ours\r\n\r\nwww.b , 1.2.3.4,\t60\r\n"
        behind = b"\n  # more\nnonsense\n\xff\xfe\nwww.a,1.2.3.4,60,0,5.0\n"
        content = before + b"www.x,1.2.3.4,60,1,5.0\r\n" + behind
        self.assertEqual(compacted(content, self.FRESH), before + behind + self.LINE)

    def test_a_missing_final_newline_is_added(self) -> None:
        """An author's last line without its newline gets one, so that the first learned line stands alone."""
        self.assertEqual(compacted(b"www.s,1.2.3.4,60", self.FRESH), b"www.s,1.2.3.4,60\n" + self.LINE)
        self.assertEqual(compacted(b"# ours", self.FRESH), b"# ours\n" + self.LINE)
        self.assertEqual(compacted(b"wrong", self.FRESH), b"wrong\n" + self.LINE)

    def test_a_cut_line_is_dropped(self) -> None:
        """What a crash left of a learned line is gone afterwards."""
        for part in (b"www.a,1.2", b"www.a,1.2.3.4,60", b"www.a,1.2.3.4,60,1,5"):
            self.assertEqual(compacted(b"www.b,1.2.3.5,300,1,5.0\n" + part, self.FRESH), self.LINE)

    @given(content=files, learned=st.lists(mappings, max_size=3))
    def test_any_file(self, content: bytes, learned: list[Mapping]) -> None:
        """Rewriting keeps the author's lines and problems, holds exactly the live mappings, and twice is as once."""
        learned = [Mapping(each.name, each.address, each.ttl, True, each.since) for each in learned]
        before = parse_records(content, NOW, log=True)
        result = compacted(content, learned)
        after = parse_records(result, NOW, log=True)
        self.assertEqual(after.static, before.static)
        self.assertEqual(after.learned, learned)
        self.assertFalse(after.cut)
        self.assertEqual(
            sum(not problem.warning for problem in after.problems),
            sum(not problem.warning for problem in before.problems),
        )
        self.assertEqual(compacted(result, learned), result)
        rest = result.split(b"\n")[: -1 - len(learned)]
        lines = iter(content.split(b"\n"))
        self.assertTrue(all(line in lines for line in rest), "the author's lines, in their order")


class IPAddressTests(SynchronousTestCase):
    """Which addresses DNS can carry."""

    def test_is_ip_address(self) -> None:
        """IPv4 and IPv6 addresses are, but not with a zone, nor what only looks like one."""
        for address in ("1.2.3.4", "::1", "2001:db8::1", "::ffff:1.2.3.4"):
            self.assertTrue(is_ip_address(address), address)
        for address in ("21.09.1992.8", "21.09.1992", "1.2.3.04", "1.2.3.4/32", "fe80::1%eth0", "localhost", "", "5"):
            self.assertFalse(is_ip_address(address), address)
