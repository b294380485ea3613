"""The client side of DNS in bytes: queries as they are sent, replies as they may come."""

from __future__ import annotations

import struct
from typing import Any

import dns.edns
import dns.message
import dns.rdata
import dns.rdatatype
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.dns_upstream import (
    MOST_ERRORS,
    Broken,
    NotOurs,
    OtherCase,
    Sent,
    Truncated,
    decode_reply,
    encode_query,
)
from labnet.wire.types import (
    CHECKING_DISABLED,
    DNSSEC_OK,
    ExtendedError,
    InfoCode,
    Question,
    Rcode,
    Reply,
)
from tests.resolver.dnsfakes import (
    A,
    message_of,
    question,
    record,
    reply_to,
    rrset,
)
from tests.wire.samples import QUERY, SENT, WWW, questions


def decoded(*answer: str, **more: Any) -> Reply:
    return decode_reply(reply_to(QUERY, *answer, **more), SENT)


class QueryTests(SynchronousTestCase):
    """What is sent."""

    def test_a_query_has_these_bytes(self) -> None:
        """One question of class IN, RD set, and an OPT record that tells 1232 bytes and no flag."""
        self.assertEqual(
            encode_query(WWW, 0x1234, recursion_desired=True),
            bytes.fromhex("1234 0100 0001 0000 0000 0001")
            + b"\x03www\x07example\x03com\0\x00\x01\x00\x01"
            + bytes.fromhex("00 0029 04d0 00000000 0000"),
        )

    def test_without_edns_there_is_no_opt_record(self) -> None:
        """For servers that do not know it; and without RD for those that do not resolve."""
        self.assertEqual(
            encode_query(WWW, 0x1234, recursion_desired=False, payload=None),
            bytes.fromhex("1234 0000 0001 0000 0000 0000") + b"\x03www\x07example\x03com\0\x00\x01\x00\x01",
        )

    def test_dnssec_bits_of_a_question_go_out_with_its_query(self) -> None:
        """DO in the OPT record (RFC 3225), none without EDNS; CD in the header (RFC 4035, section 3.2.2)."""
        for dnssec, flags, ttl in (
            (DNSSEC_OK, "0100", "00008000"),
            (CHECKING_DISABLED, "0110", "00000000"),
            (3, "0110", "00008000"),
        ):
            query = encode_query(Question(WWW.key, A, dnssec=dnssec), 1, recursion_desired=True)
            self.assertEqual((query[2:4].hex(), query[-6:-2].hex()), (flags, ttl))
        query = encode_query(Question(WWW.key, A, dnssec=DNSSEC_OK), 1, recursion_desired=True, payload=None)
        self.assertEqual((query[2:4].hex(), query[10:12]), ("0100", b"\0\0"))

    def test_a_set_bit_makes_a_letter_a_capital_and_changes_nothing_else(self) -> None:
        """Digits, hyphens and the labels' lengths stay as they are."""
        query = encode_query(question("a-1.xn--b{.z"), 1, recursion_desired=True, case_bits=(1 << 104) - 1)
        self.assertEqual(Sent.of(query).question[:-4], b"\x03A-1\x06XN--B{\x01Z\0")

    def test_a_name_that_dns_cannot_carry_is_refused(self) -> None:
        """The text of the error says so."""
        self.assertRaisesRegex(
            ValueError, "DNS cannot carry", encode_query, question("a..b"), 1, recursion_desired=True
        )

    @given(questions, st.integers(0, 65535), st.integers(0, 2**1024 - 1), st.booleans())
    def test_any_query_is_read_by_dnspython_as_what_was_asked(
        self, asked: Question, id: int, bits: int, recursion: bool
    ) -> None:
        """Whatever the name and its case."""
        query = encode_query(asked, id, recursion_desired=recursion, case_bits=bits & (1 << 8 * len(asked.key)) - 1)
        message = dns.message.from_wire(query)
        self.assertEqual((message.id, message.opcode(), message.payload), (id, 0, 1232))
        self.assertEqual(message.question[0].name.to_wire().lower(), asked.key)
        self.assertEqual((message.question[0].rdtype, message.question[0].rdclass), (asked.rrtype, 1))
        self.assertEqual(bool(message.flags & 0x100), recursion)
        self.assertEqual(Sent.of(query).question, query[12 : 12 + len(asked.key) + 4])


class MatchingTests(SynchronousTestCase):
    """Which datagram is a reply to what was sent (RFC 5452, section 9.1)."""

    def test_the_case_of_what_was_sent_is_mixed_here(self) -> None:
        """What these tests rest on."""
        self.assertEqual(SENT, Sent(0x1234, b"\x03www\x07eXaMple\x03com\0\0\1\0\1"))

    def test_a_reply_that_repeats_id_and_question_counts(self) -> None:
        """Its flags and records are read."""
        self.assertEqual(
            decoded("www.example.com. 60 A 192.0.2.1", flags="QR AA RD"),
            Reply(Rcode.NOERROR, True, False, (rrset("www.example.com", 60, A, b"\xc0\0\2\1"),)),
        )

    def test_anything_else_is_not_ours(self) -> None:
        """A wrong id, a query, another opcode, another question or another number of them, a piece of a header."""
        good = reply_to(QUERY, "www.example.com. 60 A 192.0.2.1")
        wrong = {
            "id": b"\x12\x35" + good[2:],
            "QR=0": good[:2] + bytes([good[2] & 0x7F]) + good[3:],
            "opcode": good[:2] + bytes([good[2] | 0x20]) + good[3:],
            "name": good.replace(b"\x03www", b"\x03wwx", 1),
            "type": good.replace(b"com\0\0\1", b"com\0\0\2", 1),
            "class": good.replace(b"com\0\0\1\0\1", b"com\0\0\1\0\3", 1),
            "no question": good[:4] + b"\0\0" + good[6:],
            "two questions": good[:4] + b"\0\2" + good[6:],
            "cut question": good[:20],
            "header without question": good[:4] + b"\0\0\0\0\0\0\0\0",
            "nothing": b"",
            "eleven bytes": good[:11],
        }
        for why, datagram in wrong.items():
            with self.assertRaises(NotOurs, msg=why) as caught:
                decode_reply(datagram, SENT)
            self.assertIs(type(caught.exception), NotOurs, why)

    def test_another_case_is_not_ours_and_told_apart(self) -> None:
        """A server that changes the case has to be asked otherwise."""
        good = reply_to(QUERY, "www.example.com. 60 A 192.0.2.1")
        self.assertRaises(OtherCase, decode_reply, good.replace(b"eXaMple", b"example", 1), SENT)
        self.assertRaises(OtherCase, decode_reply, good.replace(b"eXaMple", b"ExAmPLE", 1), SENT)

    def test_type_and_class_have_no_case(self) -> None:
        """0x41 and 0x61 are different types."""
        query = encode_query(question("a.b", 0x61), 7, recursion_desired=True)
        other = reply_to(encode_query(question("a.b", 0x41), 7, recursion_desired=True))
        with self.assertRaises(NotOurs) as caught:
            decode_reply(other, Sent.of(query))
        self.assertIs(type(caught.exception), NotOurs)

    def test_a_truncated_reply_has_to_be_asked_for_again(self) -> None:
        """Whatever it holds, as it may end anywhere."""
        self.assertRaises(Truncated, decode_reply, reply_to(QUERY, flags="QR TC"), SENT)
        self.assertRaises(Truncated, decode_reply, reply_to(QUERY, "a. 1 A 192.0.2.1", flags="QR TC")[:-9], SENT)

    def test_a_refusal_of_the_form_counts_by_its_id(self) -> None:
        """Servers older than EDNS give FORMERR or NOTIMP with no question, or with what they did not understand."""
        for rcode in (Rcode.FORMERR, Rcode.NOTIMP):
            header = b"\x12\x34\x80" + bytes([rcode])
            self.assertEqual(decode_reply(header + bytes(8), SENT), Reply(rcode))
            self.assertEqual(decode_reply(header + QUERY[4:12], SENT).rcode, rcode)
            self.assertEqual(decode_reply(header + QUERY[4:-3], SENT).rcode, rcode)
            self.assertRaises(NotOurs, decode_reply, b"\x12\x35" + header[2:] + bytes(8), SENT)
        self.assertRaises(NotOurs, decode_reply, b"\x12\x34\x80\x02" + bytes(8), SENT)


class EDNSTests(SynchronousTestCase):
    """What the OPT record of a reply says."""

    def opt(self, *options: tuple[int, bytes], extended: int = 0) -> bytes:
        data = b"".join(struct.pack("!HH", code, len(value)) + value for code, value in options)
        return record(b"\0", 41, data, ttl=extended << 24, rrclass=1232)

    def errors(self, *values: bytes) -> tuple[ExtendedError, ...]:
        options = [(15, value) for value in values]
        return decode_reply(message_of(QUERY, self.opt((10, bytes(8)), *options), sections=(0, 0, 1)), SENT).errors

    def test_the_rcode_has_its_high_bits_there(self) -> None:
        """BADVERS is 16; one that has no name is a number."""
        self.assertIs(decoded(rcode="BADVERS", edns=True).rcode, Rcode.BADVERS)
        self.assertIs(decoded(rcode="NXDOMAIN", edns=True).rcode, Rcode.NXDOMAIN)
        self.assertEqual(decode_reply(message_of(QUERY, self.opt(extended=255)), SENT).rcode, 255 << 4)

    def test_extended_errors_are_told(self) -> None:
        """Those that the resolver knows by their code, any other by its number and name in the text."""
        self.assertEqual(
            self.errors(b"\0\x16no server", b"\0\x0fads\0", b"\0\x10state", b"\0\x06", b"\x02\x00odd", b"\0"),
            (
                ExtendedError(InfoCode.NO_REACHABLE_AUTHORITY, "no server"),
                ExtendedError(InfoCode.BLOCKED, "ads"),
                ExtendedError(InfoCode.OTHER, "Censored (16): state"),
                ExtendedError(InfoCode.DNSSEC_BOGUS, ""),
                ExtendedError(InfoCode.OTHER, "Extended error (512): odd"),
            ),
        )

    def test_dnspython_writes_an_extended_error_that_is_read(self) -> None:
        """A server's own encoding."""
        reply = decoded(rcode="SERVFAIL", options=[dns.edns.EDEOption(23, "192.0.2.1:53 rcode=REFUSED")])
        self.assertEqual(reply.errors, (ExtendedError(InfoCode.NETWORK_ERROR, "192.0.2.1:53 rcode=REFUSED"),))

    def test_the_text_of_an_extended_error_is_made_harmless(self) -> None:
        """It ends in logs: no line ends, no terminal codes, no end of it; and there are not too many."""
        (error,) = self.errors(b"\0\0two\nlines \x1b[2J \xff")
        self.assertEqual(error.text, "two?lines ?[2J �")
        (error,) = self.errors(b"\0\0" + b"x" * 5000)
        self.assertEqual(error.text, "x" * 200)
        self.assertEqual(len(self.errors(*[b"\0\0"] * 100)), MOST_ERRORS)

    def test_two_opt_records_and_cut_options_make_the_reply_broken(self) -> None:
        """RFC 6891, section 6.1.1."""
        for records in (
            (self.opt(), self.opt()),
            (record(b"\0", 41, b"\0\x0f\0\5ab"),),
            (record(b"\0", 41, b"\0\x0f\0"),),
            (record(b"\0", 41, b"\0\x0f\0"), record(b"\0", 65280, bytes(99))),
        ):
            self.assertRaises(Broken, decode_reply, message_of(QUERY, *records, sections=(0, 0, len(records))), SENT)
