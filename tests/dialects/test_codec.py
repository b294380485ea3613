"""Tests for :mod:`labnet.dialects.codec`: the dialects of the assignment, json and line."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.dialects.codec import AskedName, Codec
from labnet.dialects.library import find
from labnet.wire.course import encode_question, largest_reply
from labnet.wire.course_line import TextError, encode_record
from labnet.wire.types import LONGEST_NAME, CourseReply, Mapping, is_name
from tests.wire.samples import course_names, mappings

GOOGLE = Mapping("www.google.co.il", "21.09.1992.8", 60, learned=True, since=1605280488.749312)
BIU = Mapping("www.biu.ac.il", "1.2.3.4", 180, learned=False, since=1605280488.0)
X = AskedName("www.x")


def json_list(unknown: str | None = None, end: str = "") -> Codec:
    """The transcript's dialect."""
    return Codec(find("json"))


def line(unknown: str | None = None, end: str = "") -> Codec:
    """The assignment's dialect."""
    return Codec(find("line"), end, unknown)


class EncodeTests(SynchronousTestCase):
    """What a server says."""

    def test_json_is_the_transcripts_list(self) -> None:
        """Dialect json gives the transcript's bytes: texts but for the epoch second, flag 1 where it was learned."""
        self.assertEqual(
            json_list().encode_found(X, GOOGLE), b'["www.google.co.il", "21.09.1992.8", "60", "1", 1605280488.749312]'
        )
        self.assertEqual(json_list().encode_found(X, BIU), b'["www.biu.ac.il", "1.2.3.4", "180", "0", 1605280488.0]')

    def test_json_escapes_as_json_dumps(self) -> None:
        """Dialect json escapes quotes and what is not ASCII as json.dumps does."""
        self.assertEqual(
            json_list().encode_found(X, Mapping('www."é"', "1.2.3.4", 1, False, 0.0)),
            b'["www.\\"\\u00e9\\"", "1.2.3.4", "1", "0", 0.0]',
        )

    def test_json_unknown_is_the_empty_list(self) -> None:
        """Dialect json says [] for an unknown name, and has neither an end nor another text for it."""
        self.assertEqual(json_list().encode_unknown(X), b"[]")
        self.assertEqual(json_list(end="\n", unknown="no").encode_unknown(X), b"[]")
        self.assertEqual(json_list(end="\n").encode_found(X, BIU)[-1:], b"]")

    def test_line_is_the_assignments(self) -> None:
        """Dialect line gives name, address and TTL, with the newline only where it is wanted."""
        self.assertEqual(line().encode_found(X, GOOGLE), b"www.google.co.il,21.09.1992.8,60")
        self.assertEqual(line(end="\n").encode_found(X, BIU), b"www.biu.ac.il,1.2.3.4,180\n")

    def test_line_unknown_is_the_configured_text(self) -> None:
        """Dialect line says the configured text, by default a line of its own that every client can split, for an
        unknown name; where that is empty it says nothing at all, then without a newline too."""
        self.assertEqual(line().encode_unknown(X), b"www.x,not found,0")
        self.assertEqual(line(unknown="not found").encode_unknown(X), b"not found")
        self.assertEqual(line(end="\n", unknown="not found").encode_unknown(X), b"not found\n")
        self.assertEqual(line(unknown="").encode_unknown(X), b"")
        self.assertEqual(line(end="\n", unknown="").encode_unknown(X), b"")

    def test_the_stamp_has_six_decimals_at_most(self) -> None:
        """A clock that is finer than a microsecond makes no reply longer than the transcript's."""
        fine = Mapping("www.google.co.il", "21.09.1992.8", 60, learned=True, since=1795292315.0072834)
        self.assertEqual(
            json_list().encode_found(X, fine), b'["www.google.co.il", "21.09.1992.8", "60", "1", 1795292315.007283]'
        )
        self.assertEqual(encode_record(fine), "www.google.co.il,21.09.1992.8,60,1,1795292315.007283")

    @given(mapping=mappings)
    def test_json_is_what_json_dumps_prints(self, mapping: Mapping) -> None:
        """Dialect json is json.dumps of the five fields, whatever they hold."""
        flag = "1" if mapping.learned else "0"
        expected = json.dumps([mapping.name, mapping.address, str(mapping.ttl), flag, mapping.since])
        self.assertEqual(json_list().encode_found(X, mapping), expected.encode("ascii"))

    @given(mapping=mappings, dialect=st.sampled_from([json_list(), line(), line(end="\n")]))
    def test_what_is_encoded_is_decoded(self, mapping: Mapping, dialect: Codec) -> None:
        """A reply in either dialect is read back as the same name, address and TTL, and is no question."""
        reply = dialect.encode_found(X, mapping)
        self.assertEqual(dialect.decode_reply(reply, X), CourseReply(mapping.name, mapping.address, mapping.ttl))
        with self.assertRaisesRegex(TextError, "shape of a reply"):
            dialect.decode_question(reply)


class DecodeQuestionTests(SynchronousTestCase):
    """What a client asks."""

    def refuses(self, datagram: bytes, why: str, dialect: Codec | None = None) -> None:
        with self.assertRaisesRegex(TextError, why):
            (dialect or json_list()).decode_question(datagram)

    def test_the_bare_name(self) -> None:
        """The bare name is taken as it is spelt."""
        self.assertEqual(json_list().decode_question(b"WWW.google.co.il.").name, "WWW.google.co.il.")
        self.assertEqual(json_list().decode_question("www.é".encode()).name, "www.é")

    def test_white_space_around_it(self) -> None:
        """White space around the name is ignored, such as the newline that some clients add."""
        for datagram in (b"www.a\n", b"www.a\r\n", b" www.a\t"):
            self.assertEqual(json_list().decode_question(datagram).name, "www.a")

    def test_what_a_server_could_have_sent(self) -> None:
        """Nothing, a list, a line, a bare address and fields with keys have the shape of a reply."""
        lists = (b"", b"\n", b"[]", b'["www.a", "1.2.3.4", "60", "0", 1.0]', b"[www.a", b"www.a,1.2.3.4,60\n", b"{}")
        for datagram in (*lists, b"10.0.0.1", b"2001:db8::1\n", b"::", b"STATUS=NOT_FOUND"):
            self.refuses(datagram, "shape of a reply")
            self.refuses(datagram, "shape of a reply", line())

    def test_names_that_resemble_an_address_are_names(self) -> None:
        """A number, a version, a name with a colon, a hexadecimal word."""
        for name in "42", "1.0", "cafe", "de:ad", "10.0.0.1.lab", "a1.b2.c3":
            self.assertEqual(json_list().decode_question(name.encode()).name, name)

    def test_the_text_for_an_unknown_name(self) -> None:
        """The configured text for an unknown name has the shape of a reply, but only in dialect line."""
        for unknown in ("unknown", " unknown "):
            dialect = line(end="\n", unknown=unknown)
            self.refuses(dialect.encode_unknown(X) or b"", "shape of a reply", dialect)
        self.assertEqual(json_list(unknown="unknown").decode_question(b"unknown").name, "unknown")
        self.refuses(b"not found", "shape of a reply", line(unknown="not found"))

    def test_what_is_no_name(self) -> None:
        """Other bytes than UTF-8, white space and control characters inside, and too long a name are no name."""
        for datagram in (b"\xff\xfe", b"www a", b"www\x00a", b"www\x07a", b"a" * (LONGEST_NAME + 1)):
            self.refuses(datagram, "no name|not UTF-8")
        self.assertEqual(len(json_list().decode_question(b"a" * LONGEST_NAME).name), LONGEST_NAME)

    def test_a_comment_is_no_name(self) -> None:
        """A name that starts with # is refused: it would be stored as a comment of the records file."""
        self.refuses(b"#www.a", "no name")
        self.assertEqual(json_list().decode_question(b"www.#a").name, "www.#a")

    @given(datagram=st.binary(max_size=300), dialect=st.sampled_from([json_list(), line()]))
    def test_any_bytes(self, datagram: bytes, dialect: Codec) -> None:
        """Any bytes give a name that can be asked and stored, or a TextError, nothing else."""
        try:
            name = dialect.decode_question(datagram)
        except TextError:
            return
        self.assertEqual(encode_question(name.name), datagram.decode().strip().encode())
        self.assertTrue(is_name(name.name))

    @given(name=course_names)
    def test_what_is_asked_is_read(self, name: str) -> None:
        """A question is read back as the name it was made of."""
        self.assertEqual(json_list().decode_question(encode_question(name)).name, name)


class AmplificationTests(SynchronousTestCase):
    """How much longer than its question a reply may be."""

    @given(name=course_names.filter(str.isascii), ttl=st.integers(0, 99_999))
    def test_an_ipv4_address_always_fits(self, name: str, ttl: int) -> None:
        """In both dialects, whatever the name."""
        mapping = Mapping(name, "255.255.255.255", ttl, learned=True, since=1605280488.749312)
        for dialect in json_list(), line(end="\n"):
            if not {'"', "\\"} & set(name):  # JSON doubles them
                self.assertLessEqual(len(dialect.encode_found(X, mapping)), largest_reply(name.encode()))
