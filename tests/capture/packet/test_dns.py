"""DNS messages with the place of every field."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRMX
from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.packet.dns import DNSError, read_message

HEADER = struct.pack("!HHHHHH", 0x1234, 0x8180, 1, 1, 0, 0)
QUESTION = b"\3www\7example\3org\0" + struct.pack("!HH", 1, 1)


def answered(name: bytes, rdata: bytes, kind: int = 1) -> bytes:
    return HEADER + QUESTION + name + struct.pack("!HHIH", kind, 1, 60, len(rdata)) + rdata


class MessageTests(SynchronousTestCase):
    """What is read."""

    def test_a_query_and_its_answer(self) -> None:
        """The values, and where they are in the frame."""
        message = read_message(answered(b"\xc0\x0c", b"\xc0\0\2\7"), 42)
        self.assertEqual(
            (message.ident, message.is_response, message.name, message.kind), (0x1234, True, "www.example.org", "A")
        )
        self.assertEqual(message.answers, ["www.example.org 60 A 192.0.2.7"])
        self.assertIsNone(message.problem)
        places = {field.name: (field.offset, field.length, field.value) for field in message.layer.fields}
        self.assertEqual(places["dns.qry.name"], (54, 17, "www.example.org"))
        self.assertEqual(places["dns.resp.name"], (75, 2, "www.example.org"))
        self.assertEqual(places["dns.a"], (87, 4, "192.0.2.7"))
        self.assertEqual(places["dns.resp.ttl"], (81, 4, 60))

    def test_records_of_each_kind_are_told(self) -> None:
        """As scapy makes them."""
        records = [
            DNSRR(rrname="a.example", type="AAAA", rdata="2001:db8::1"),
            DNSRR(rrname="a.example", type="CNAME", rdata="b.example"),
            DNSRRMX(rrname="a.example", preference=10, exchange="m.example"),
            DNSRR(rrname="a.example", type="TXT", rdata=[b"words"]),
            DNSRR(rrname="a.example", type=65400, rdata=b"\1\2"),
        ]
        message = read_message(bytes(DNS(qr=1, qd=DNSQR(qname="a.example"), an=records)), 0)
        said = [answer.split(" ", 2)[2] for answer in message.answers]
        self.assertEqual(
            said, ["AAAA 2001:db8::1", "CNAME b.example", "MX 10 m.example.", 'TXT "words"', "TYPE65400 \\# 2 0102"]
        )

    def test_odd_labels_are_written_as_in_a_zone_file(self) -> None:
        """RFC 1035, section 5.1: no control character reaches a terminal."""
        message = read_message(
            struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\5a.\\\x1b\xff\0" + struct.pack("!HH", 1, 1), 0
        )
        self.assertEqual(message.name, "a\\.\\\\\\027\\255")


class DamageTests(SynchronousTestCase):
    """What is told of a message that makes no sense."""

    def assertProblem(self, data: bytes, why: str) -> None:
        self.assertIn(why, read_message(data, 0).problem or "")

    def test_names_that_point_at_themselves_or_forward_are_loops(self) -> None:
        """A pointer may only lead to what came before."""
        at = len(HEADER + QUESTION)
        for pointer in (at, at + 30):
            self.assertProblem(answered(struct.pack("!H", 0xC000 | pointer), b"abcd"), "compression loop")

    def test_two_names_that_point_at_each_other_are_a_loop(self) -> None:
        """Each hop must lead further back."""
        at = len(HEADER + QUESTION)
        looping = answered(b"\1a" + struct.pack("!H", 0xC000 | at), b"abcd")
        self.assertProblem(looping, "compression loop")

    def test_a_message_that_ends_too_soon_says_where(self) -> None:
        """The part that is there is kept."""
        whole = answered(b"\xc0\x0c", b"\xc0\0\2\7")
        for length in range(12, len(whole)):
            message = read_message(whole[:length], 0)
            self.assertTrue(message.problem)
            self.assertTrue(all(field.end <= length for field in message.layer.fields))

    def test_counts_that_lie_end_with_the_bytes(self) -> None:
        """65535 records in a datagram of a few bytes."""
        self.assertProblem(struct.pack("!HHHHHH", 1, 0, 1, 65535, 65535, 65535) + QUESTION, "the message ends")

    def test_too_long_names_and_unknown_labels_are_refused(self) -> None:
        """255 bytes are the bound; 01 and 10 are no labels."""
        self.assertProblem(HEADER + (b"\x3f" + b"x" * 63) * 5 + b"\0", "longer than 255")
        self.assertProblem(HEADER + b"\x80", "of a kind that is not used")

    def test_fewer_bytes_than_a_header_are_no_message(self) -> None:
        """Twelve are needed."""
        with self.assertRaisesRegex(DNSError, "here are 11"):
            read_message(HEADER[:11], 0)

    @given(st.binary(min_size=12, max_size=300))
    def test_any_bytes_are_read_or_told(self, data: bytes) -> None:
        """Fields stay inside the message."""
        message = read_message(data, 0)
        self.assertTrue(all(field.end <= len(data) for field in message.layer.fields))
