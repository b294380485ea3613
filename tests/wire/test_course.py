"""Tests for :mod:`labnet.wire.course`."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.course import decode_reply, encode_question, largest_reply
from labnet.wire.course_line import TextError, decode_since, decode_ttl, encode_record, parse_line
from labnet.wire.types import LONGEST_TTL, CourseReply, Mapping, is_name
from tests.wire.samples import mappings

GOOGLE = Mapping("www.google.co.il", "21.09.1992.8", 60, learned=True, since=1605280488.749312)
BIU = Mapping("www.biu.ac.il", "1.2.3.4", 180, learned=False, since=1605280488.0)


class RecordTests(SynchronousTestCase):
    """Lines of a records file, and the question itself."""

    def test_a_record_is_a_learned_line(self) -> None:
        """A mapping is stored as the records file's learned line, its epoch second exactly."""
        self.assertEqual(encode_record(GOOGLE), "www.google.co.il,21.09.1992.8,60,1,1605280488.749312")

    @given(mapping=mappings)
    def test_a_record_is_read_back(self, mapping: Mapping) -> None:
        """A stored line is read back as the same mapping, to the last digit of its epoch second."""
        if mapping.learned:
            self.assertEqual(parse_line(encode_record(mapping).encode(), now=7.0), mapping)

    def test_a_question_is_the_bare_name(self) -> None:
        """A question is the sixteen bytes of the transcript."""
        self.assertEqual(encode_question("www.google.co.il"), b"www.google.co.il")

    def test_three_times_as_much_goes_over_the_wire_at_most(self) -> None:
        """The 28 bytes of the headers count for both."""
        self.assertEqual(largest_reply(b""), 56)
        self.assertEqual(largest_reply(b"www.google.co.il"), 104)


class DecodeReplyTests(SynchronousTestCase):
    """What a parent says."""

    def test_a_list(self) -> None:
        """A JSON list of 2 to 5 fields, numbers or texts, gives name, address and TTL where there is one."""
        self.assertEqual(decode_reply(b'["www.a", "1.2.3.4"]'), CourseReply("www.a", "1.2.3.4", None))
        for reply in (
            b'["www.a", "1.2.3.4", "60"]',
            b'["www.a","1.2.3.4",60]',
            b'["www.a", "1.2.3.4", "60", "1"]',
            b'["www.a", "1.2.3.4", "60", "1", 1605280488.749312]',
            b' [" www.a ", "1.2.3.4", "60\\n", 0, "never"]\n',
        ):
            self.assertEqual(decode_reply(reply), CourseReply("www.a", "1.2.3.4", 60), reply)

    def test_a_line(self) -> None:
        """Comma-separated text of 2 to 5 fields gives the same; spaces and a final newline do not count."""
        self.assertEqual(decode_reply(b"www.a,1.2.3.4"), CourseReply("www.a", "1.2.3.4", None))
        for reply in (
            b"www.a,1.2.3.4,60",
            b"www.a, 1.2.3.4, 60\r\n",
            b"www.a,1.2.3.4,60,1",
            b"www.a,1.2.3.4,60,1,1605280488.749312\n",
        ):
            self.assertEqual(decode_reply(reply), CourseReply("www.a", "1.2.3.4", 60), reply)

    def test_a_bare_address(self) -> None:
        """A bare address is an address without name and TTL, as text or alone in a list; it may be the transcript's."""
        for address in ("1.2.3.4", "21.09.1992.8", "21.09.1992", "2001:db8::1", "::1"):
            self.assertEqual(decode_reply(address.encode() + b"\n"), CourseReply(None, address, None))
            self.assertEqual(decode_reply(json.dumps([address]).encode()), CourseReply(None, address, None))

    def test_an_unknown_name(self) -> None:
        """The empty list, the empty datagram, white space, and what servers of the courses say: it is not known."""
        words = (b"not found", b"Not found\n", b"www.a,not found,0", b"www.a,Not Found\n", b"non-existent domain")
        for reply in (b"[]", b"[]\n", b"[ ]", b'[""]', b"", b"\n", b" \r\n", *words):
            self.assertIsNone(decode_reply(reply), reply)

    def test_garbage(self) -> None:
        """What is none of these is refused."""
        for reply in (
            b"\xff\xfe",
            b"[",
            b'["www.a", "1.2.3.4"',
            b"[]]",
            b"{}",
            b"unknown",
            b"404",  # what an address is made of, but neither dot nor colon
            b"dead:beef",  # and no digit
            b"...",
            b"www.a,1.2.3.4,60,1,5,6",
            b'["www.a", "1.2.3.4", "60", "1", 5.0, 6]',
            b",",
            b"www.a,",
            b",1.2.3.4",
            b"www.a,1.2 .3.4",
            b"www a,1.2.3.4",
            b"#www.a,1.2.3.4",
            b"www.a,1.2.3.4,sixty",
            b"www.a,1.2.3.4,",
            b'["www.a", "1.2.3.4", 60.5]',
            b'["www.a", "1.2\\u00003.4"]',
            b'["www.\\ud800", "1.2.3.4"]',
        ):
            with self.assertRaises(TextError, msg=reply):
                decode_reply(reply)

    def test_fields_that_are_neither_text_nor_number(self) -> None:
        """A list with null, true, a list or an object in it is refused; none of them is taken for an address."""
        for field in (b"null", b"true", b"[]", b'["1.2.3.4"]', b'{"a": 1}'):
            with self.assertRaisesRegex(TextError, "neither text nor a number"):
                decode_reply(b'["www.a", ' + field + b', "60"]')

    def test_deep_and_long_lists(self) -> None:
        """Lists too deep or numbers too long for the JSON parser are refused like any other garbage."""
        for reply in (b"[" * 100_000, b"[" * 500 + b"]" * 500, b"[" + b"9" * 60_000 + b"]"):
            with self.assertRaises(TextError):
                decode_reply(reply)

    def test_an_error_shows_little_of_a_long_field(self) -> None:
        """An error quotes at most the start of a field, so that no reply fills the log."""
        with self.assertRaises(TextError) as caught:
            decode_reply(b"www.a,1.2.3.4," + b"x" * 50_000)
        self.assertIn("'" + "x" * 60 + "…'", str(caught.exception))
        self.assertLess(len(str(caught.exception)), 200)

    @given(datagram=st.binary(max_size=300) | st.text('[],"0:.a #\n', max_size=30).map(str.encode))
    @example(datagram=b"[NaN,1]")
    @example(datagram=b"[-Infinity]")
    def test_any_bytes(self, datagram: bytes) -> None:
        """Any bytes give an answer that can be answered and stored, or a TextError, nothing else."""
        try:
            reply = decode_reply(datagram)
        except TextError:
            return
        if reply is not None:
            self.assertTrue(reply.name is None or is_name(reply.name))
            self.assertTrue(is_name(reply.address))
            self.assertTrue(reply.ttl is None or 0 <= reply.ttl <= LONGEST_TTL)

    @given(
        value=st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=6).map(json.dumps)
    )
    def test_any_json(self, value: str) -> None:
        """Any JSON gives an answer or a TextError, nothing else."""
        try:
            decode_reply(value.encode())
        except TextError as error:
            self.assertTrue(str(error))


class FieldTests(SynchronousTestCase):
    """The numbers of an information line."""

    def test_a_ttl_is_a_whole_number_of_seconds(self) -> None:
        """A TTL is 0 to 2147483647 in ASCII digits."""
        self.assertEqual([decode_ttl(text) for text in ("0", "060", str(LONGEST_TTL))], [0, 60, LONGEST_TTL])
        for text in ("", "-1", "+1", "1.5", "1e3", "1_0", str(LONGEST_TTL + 1), "9" * 5000, "00000000001", "٣", "²"):
            with self.assertRaises(TextError, msg=text):
                decode_ttl(text)

    def test_an_epoch_second_is_finite(self) -> None:
        """An epoch second is a number from 0 up, whole or not."""
        self.assertEqual([decode_since(text) for text in ("0", "1605280488", "5.25")], [0.0, 1605280488.0, 5.25])
        for text in ("", "-1", "nan", "inf", "1e999", "yesterday"):
            with self.assertRaises(TextError, msg=text):
                decode_since(text)
