"""The plain shapes of questions and replies, held against the full codecs."""

from __future__ import annotations

import struct

import dns.flags
import dns.message
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.dnsquery import Broken, NotOurs, Sent, Truncated, decode_reply, encode_query
from labnet.resolver.dnswire import Options, decode_query, encode_answer
from labnet.resolver.model import Answer, ExtendedError, InfoCode, Question, Rcode, RRset, RRType
from labnet.resolver.names import key_of
from labnet.resolver.relaywire import (
    Shapes,
    encode_plain_query,
    encode_plain_records,
    encode_plain_reply,
    matches,
    name_end,
    plain_addresses,
)

KEY = key_of("www.lab.test")
ERRORS = (ExtendedError(InfoCode.OTHER, "from 192.0.2.53:53"),)
A, AAAA = b"\0\x01", b"\0\x1c"
QUERY = encode_plain_query(b"\x12\x34", KEY, A, bytes(len(KEY)))


def question(name: str = "www.lab.test", rrtype: str = "A", edns: bool = False, **options: object) -> bytes:
    return dns.message.make_query(name, rrtype, use_edns=0 if edns else False, **options).to_wire()


def reply(*records: tuple[int, str], query: bytes = QUERY, rrtype: str = "A", edns: bool = True) -> bytes:
    """What a server answers to ``query`` with records of these TTLs and addresses."""
    message = dns.message.make_response(dns.message.from_wire(query))
    message.flags |= dns.flags.RA
    if not edns:
        message.use_edns(False)
    name = message.question[0].name
    for ttl, address in records:
        message.answer.append(dns.rrset.from_text(name, ttl, "IN", rrtype, address))
    return message.to_wire()


class QuestionTests(SynchronousTestCase):
    """What :class:`Shapes` takes for plain."""

    def test_a_name_ends_behind_its_last_label(self) -> None:
        """The end of the name is found, with and without EDNS."""
        for edns in (False, True):
            self.assertEqual(name_end(question(edns=edns)), 12 + len(KEY))

    def test_what_is_no_name_has_no_end(self) -> None:
        """A cut name, a compressed one and a very long one have none."""
        head = question()[:12]
        for name in (b"\x03www", b"\xc0\x0c\0", b"\x40" + 64 * b"a" + b"\0", 3 * (b"\x3f" + 63 * b"a") + b"\0"):
            self.assertEqual(name_end(head + name), 0)

    def test_a_shape_is_that_of_the_full_codec(self) -> None:
        """The reply that a shape makes is, byte for byte, what the full codec encodes."""
        rrset = RRset(KEY, RRType.A, 60, (b"\x01\x02\x03\x04",))
        for options in (
            {},
            {"flags": dns.flags.RD | dns.flags.CD},
            {"edns": True},
            {"edns": True, "want_dnssec": True},
        ):
            asked = question("WWW.Lab.test", **options)
            end = name_end(asked)
            shape = Shapes(ERRORS).find(asked, end)
            assert shape is not None
            records = encode_plain_records(RRType.A, 60, rrset.rdatas)
            plain = encode_plain_reply(asked, end, shape, 1, records)
            answer = Answer(Rcode.NOERROR, (rrset,), errors=ERRORS)
            self.assertEqual(plain, encode_answer(decode_query(asked), answer, False, True, Options()))

    def test_what_else_is_asked_is_not_plain(self) -> None:
        """No recursion, another opcode or class, EDNS options or version, more records and cut ones go the long way."""
        plain = question(edns=True)
        cookie = dns.message.make_query(
            "www.lab.test", "A", use_edns=0, options=[dns.edns.GenericOption(10, b"12345678")]
        )
        for asked in (
            question(flags=0),
            plain[:2] + b"\x09" + plain[3:],
            plain[:-12] + b"\x03" + plain[-11:],
            cookie.to_wire(),
            plain.replace(b"\0\0\x29\x04\xd0\0\0", b"\0\0\x29\x04\xd0\0\x01"),
            plain + b"\0",
            plain[:-1],
            plain[:7] + b"\x01" + plain[8:],
        ):
            self.assertIsNone(Shapes(ERRORS).find(asked, name_end(asked)), asked.hex())

    def test_a_shape_is_looked_at_once(self) -> None:
        """Questions that differ in id and name have one shape, and there are only so many."""
        shapes = Shapes(())
        first = shapes.find(question(), name_end(question()))
        other = question("other.lab.test")
        self.assertIs(first, shapes.find(other, name_end(other)))
        for rrtype in range(2000):
            asked = question()[:-4] + struct.pack("!HH", rrtype, 1)
            shapes.find(asked, name_end(asked))
        self.assertLess(len(shapes), 1001)


class QueryTests(SynchronousTestCase):
    """What a parent is asked."""

    @given(bits=st.binary(min_size=len(KEY), max_size=len(KEY)))
    def test_it_is_the_query_of_the_full_codec(self, bits: bytes) -> None:
        """Byte for byte, whatever the random case."""
        whole = encode_query(
            Question(KEY, RRType.A), 0x1234, recursion_desired=True, case_bits=int.from_bytes(bits, "big") or 1 << 200
        )
        self.assertEqual(encode_plain_query(b"\x12\x34", KEY, A, bits), whole)


class MatchTests(SynchronousTestCase):
    """Which replies count (RFC 5452)."""

    def test_the_same_question_matches(self) -> None:
        """A response with the question bit by bit is the reply."""
        self.assertIs(matches(reply((60, "192.0.2.1")), QUERY), True)

    def test_another_question_is_ignored(self) -> None:
        """So is what is no response, another opcode, and what is cut."""
        good = reply((60, "192.0.2.1"))
        other = good.replace(b"\x03lab", b"\x03lob")
        for datagram in (QUERY, other, good[:2] + b"\xa8" + good[3:], good[:5], b""):
            self.assertIsNone(matches(datagram, QUERY), datagram.hex())

    def test_another_case_and_errors_without_a_question_are_asked_about(self) -> None:
        """They do not count, and another query finds out."""
        good = reply((60, "192.0.2.1"))
        self.assertIs(matches(good.replace(b"\x03lab", b"\x03lAb"), QUERY), False)
        self.assertIs(matches(b"\x12\x34\x80\x01" + bytes(8), QUERY), False)
        self.assertIsNone(matches(b"\x12\x34\x80\x02" + bytes(8), QUERY))


class ReplyTests(SynchronousTestCase):
    """What :func:`plain_addresses` takes for plain."""

    def test_addresses_and_the_lowest_ttl(self) -> None:
        """Of A and AAAA records, with and without EDNS in the reply."""
        for edns in (False, True):
            found = plain_addresses(reply((60, "192.0.2.1"), edns=edns), QUERY)
            self.assertEqual(found, (60, (b"\xc0\0\x02\x01",)))
        query = encode_plain_query(b"\x12\x34", KEY, AAAA, bytes(len(KEY)))
        found = plain_addresses(reply((30, "2001:db8::1"), query=query, rrtype="AAAA"), query)
        self.assertEqual(found, (30, (bytes.fromhex("20010db8000000000000000000000001"),)))

    def test_different_ttls_and_the_same_address_twice(self) -> None:
        """The lowest TTL counts, and an address once (RFC 2181, section 5)."""
        head, record = reply((60, "192.0.2.1"), edns=False)[:-16], b"\xc0\x0c\0\x01\0\x01\0\0\0%c\0\x04\xc0\0\x02\x01"
        head = head[:6] + b"\0\x03" + head[8:]
        self.assertEqual(
            plain_addresses(head + record % 60 + record % 7 + record % 60, QUERY), (7, (b"\xc0\0\x02\x01",))
        )

    def test_all_else_is_left_to_the_full_codec(self) -> None:
        """No answer, an error, truncation, other records and sections, options, and cut replies are not plain."""
        good = reply((60, "192.0.2.1"))
        nxdomain = dns.message.make_response(dns.message.from_wire(QUERY))
        nxdomain.set_rcode(dns.rcode.NXDOMAIN)
        cname = dns.message.make_response(dns.message.from_wire(QUERY))
        cname.answer.append(dns.rrset.from_text("www.lab.test.", 60, "IN", "CNAME", "host.lab.test."))
        explained = dns.message.make_response(dns.message.from_wire(QUERY))
        explained.answer.append(dns.rrset.from_text("www.lab.test.", 60, "IN", "A", "192.0.2.1"))
        explained.use_edns(0, options=[dns.edns.EDEOption(3)])
        with_ns = dns.message.make_response(dns.message.from_wire(QUERY))
        with_ns.answer.append(dns.rrset.from_text("www.lab.test.", 60, "IN", "A", "192.0.2.1"))
        with_ns.authority.append(dns.rrset.from_text("lab.test.", 60, "IN", "NS", "ns.lab.test."))
        many = reply(*[(60, f"192.0.2.{n}") for n in range(9)])
        huge = good.replace(b"\0\0\0\x3c", b"\x80\0\0\x3c")
        truncated = good[:2] + bytes((good[2] | 2,)) + good[3:]
        messages = [message.to_wire() for message in (nxdomain, cname, explained, with_ns)]
        for wire in (*messages, many, huge, truncated, good[:-1], good + b"\0", good[:30], reply()):
            self.assertIsNone(plain_addresses(wire, QUERY), wire.hex())

    @given(
        st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), min_size=1, max_size=4),
        st.sampled_from(((), (1,), (1, 2, 3))),
    )
    def test_whatever_is_plain_reads_the_same_in_full(
        self, changes: list[tuple[int, int]], last: tuple[int, ...]
    ) -> None:
        """A reply with bytes changed is either left to the full codec, or means what that says it means."""
        wire = bytearray(reply(*[(60, f"192.0.2.{n}") for n in (*last, 9)]))
        for at, value in changes:
            wire[at % len(wire)] = value
        wire[:2] = QUERY[:2]
        if not matches(bytes(wire), QUERY):
            return
        found = plain_addresses(bytes(wire), QUERY)
        if found is None:
            return
        try:
            full = decode_reply(bytes(wire), Sent.of(QUERY))
        except (Broken, NotOurs, Truncated) as error:
            self.fail(f"{wire.hex()} is taken for plain, but {error!r}")
        self.assertEqual([(rrset.ttl, rrset.rdatas) for rrset in full.answer], [found])
        self.assertEqual(full.rcode, Rcode.NOERROR)
