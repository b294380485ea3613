"""Tests for :mod:`labnet.resolver.cache.tail`."""

from __future__ import annotations

import io
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.cache import tail
from labnet.resolver.cache.entry import size_of
from labnet.resolver.cache.lines import decode_line, encode_line
from labnet.resolver.cache.log import LogStart
from labnet.resolver.cache.tail import MOST_PROBLEMS, Tail, TailReader, authors_lines
from labnet.resolver.files.course import parse_lines, parse_records
from labnet.wire.names import key_of
from labnet.wire.types import Answer, Question, Rcode, RRset, RRType

NOW = 1_700_000_000.0
COMMENT = "#a,1.2.3.4,60,1,5 "
STATIC = "# ours\nwww.static,1.2.3.4,60\n"


def course(name: str, since: float = NOW, ttl: int = 60) -> str:
    return f"{name},1.2.3.4,{ttl},1,{since}"


def dns(name: str, since: float = NOW, ttl: int = 60) -> str:
    key = key_of(name)
    answer = Answer(Rcode.NOERROR, (RRset(key, RRType.A, ttl, (b"\1\2\3\4",)),))
    _, entry = decode_line(course(name, since, ttl), "x")
    entry.content, entry.from_course = answer, False
    return encode_line((Question(key, RRType.A), entry))


def names(found: Tail) -> list[str]:
    return [str(question).removesuffix(" A") for question, _ in found.cached]


class TailTests(SynchronousTestCase):
    """What is taken of a log."""

    def read_course(self, text: str, room: int = 10**9) -> Tail:
        return TailReader(NOW, room).course(io.BytesIO(text.encode()), "learned")

    def read_dns(self, text: str, room: int = 10**9) -> Tail:
        return TailReader(NOW, room).dns(io.BytesIO(text.encode()))

    def test_the_last_line_of_a_question_counts(self) -> None:
        """The newest comes last; a line whose time is over hides an older one that is still valid."""
        for line, read in ((course, self.read_course), (dns, self.read_dns)):
            lines = [line("a", ttl=900), line("b"), line("c"), line("b", NOW + 5), line("a", NOW - 100)]
            found = read("\n".join([*lines, ""]))
            self.assertEqual((names(found), found.start), (["c", "b"], LogStart(5)))
            self.assertEqual(found.cached[-1][1].since, NOW + 5)

    def test_no_more_is_taken_than_there_is_room_for(self) -> None:
        """The newest that fit are taken, every line is counted, and both logs share the room."""
        room = 3 * size_of(decode_line(course("a0000"), "x")[1])
        text = "".join(course(f"a{number:04}") + "\n" for number in range(1000))
        found = self.read_course(STATIC + text, room)
        self.assertEqual((names(found), found.start), (["a0997", "a0998", "a0999"], LogStart(1000)))
        reader = TailReader(NOW, room)
        self.assertEqual(len(reader.course(io.BytesIO(text.encode()), "x").cached), 3)
        self.assertEqual(reader.dns(io.BytesIO((dns("b") + "\n").encode())), Tail([], LogStart(1), []))

    @given(st.lists(st.sampled_from("abcdefgh"), max_size=30), st.integers(1, 90))
    def test_parts_make_no_difference(self, order: list[str], part: int) -> None:
        """However few bytes are read at a time, each question has its last line."""
        self.patch(tail, "_PART", part)
        self.patch(tail, "_MOST_PARTS", 1000)
        text = "".join(course(name, NOW + number) + "\n" for number, name in enumerate(order))
        found = self.read_course(text)
        last = {name: NOW + number for number, name in enumerate(order)}
        self.assertEqual({str(asked)[0]: entry.since for asked, entry in found.cached}, last)
        self.assertEqual(found.start, LogStart(len(order)))

    def test_a_cut_last_line_is_no_answer(self) -> None:
        """What a crash cut behind a learned line is told; of a DNS log nothing without a newline counts."""
        found = self.read_course(course("a") + "\nb,1.2.3.4,60")
        self.assertEqual((names(found), found.start), (["a"], LogStart(1, cut=True)))
        self.assertEqual([(one.line, one.says) for one in found.problems], [(2, tail._CUT)])
        self.assertEqual(self.read_course(STATIC + "b,1.2.3.4,60").start, LogStart(0))
        self.assertEqual(names(self.read_course(course("a") + "\n" + course("b"))), ["a", "b"])
        self.assertEqual(names(self.read_course(course("a"))), ["a"])
        self.assertEqual(self.read_dns(dns("a")[:-5]), Tail([], LogStart(0, cut=True), []))
        self.assertEqual(self.read_dns(""), Tail([], LogStart(0), []))

    def test_lines_that_cannot_be_read_are_named_up_to_a_bound(self) -> None:
        """The first are named by their line, the others counted; those around them are read."""
        junk = [f"junk {number}" for number in range(100)]
        for line, read in ((course, self.read_course), (dns, self.read_dns)):
            found = read("\n".join([line("a"), *junk, line("b"), ""]))
            self.assertEqual(names(found), ["a", "b"])
            self.assertEqual([one.line for one in found.problems], [*range(2, 2 + MOST_PROBLEMS), 0])
            self.assertEqual(found.problems[-1].says, "90 more lines cannot be read and were skipped")
            self.assertTrue(all(one.warning for one in found.problems))
        self.assertTrue(self.read_dns("junk\n").start.cut)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read(self, content: bytes) -> None:
        """Garbage costs its lines and raises nothing."""
        for line in (course, dns):
            content += b"\n" + line("a").encode() + b"\n"
            reader = TailReader(NOW, 10**9)
            found = reader.dns(io.BytesIO(content)) if line is dns else reader.course(io.BytesIO(content), "x")
            self.assertIn("a", names(found))

    def test_the_records_beside_learned_lines_keep_their_line_numbers(self) -> None:
        """Learned lines are passed over, the author's stay, and so do the last two lines, of which one may be cut."""
        text = (STATIC + course("a") + "\nx\n" + course("b") + "\n" + course("c") + "\nd,1.2.3.4,6").encode()
        left = list(authors_lines(io.BytesIO(text)))
        kept = [line.encode() for line in STATIC.splitlines(keepends=True)]
        numbers = [number for number, _ in left]
        self.assertEqual([line for _, line in left], [*kept, b"x\n", course("c").encode() + b"\n", b"d,1.2.3.4,6"])
        self.assertEqual(numbers, [*range(1, len(kept) + 1), len(kept) + 2, len(kept) + 4, len(kept) + 5])
        whole, part = parse_records(text, NOW, log=True), parse_lines(left, NOW, log=True)
        self.assertEqual((part.static, part.problems, part.cut), (whole.static, whole.problems, whole.cut))

    @given(st.lists(st.sampled_from([course("a"), course("b") + "\r", "www,1,60", COMMENT, "", "x\ry"])), st.booleans())
    def test_lines_are_the_authors_wherever_the_parts_begin(self, lines: list[str], is_whole: bool) -> None:
        """Of any file, read any number of bytes at a time."""
        content = ("\n".join(lines) + "\n" * is_whole).encode()
        every = list(enumerate(io.BytesIO(content), 1))
        last = len(every) - 1
        expected = [(number, line) for number, line in every if line[:2] not in (b"a,", b"b,") or number >= last]
        for part in (1, 7, 64, 1 << 20):
            with mock.patch.object(tail, "_PART", part):
                found = list(authors_lines(io.BytesIO(content)))
            self.assertEqual([each for each in found if each in expected or each[0] < last - 1], expected, part)
            self.assertLessEqual(set(found), set(every))
