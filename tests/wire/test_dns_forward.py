"""Forwardable questions and replies, held against the full codecs."""

from __future__ import annotations

import struct
from itertools import product
from random import Random

import dns.flags
import dns.message
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.dns_forward import (
    Shapes,
    encode_addresses,
    encode_forwarded_query,
    encode_forwarded_reply,
    encode_sections,
    forwardable_addresses,
    matches,
    name_end,
)
from labnet.wire.dns_request import decode_query
from labnet.wire.dns_response import Options, encode_answer
from labnet.wire.dns_upstream import Broken, NotOurs, Sent, Truncated, decode_reply, encode_query
from labnet.wire.names import key_of
from labnet.wire.types import Answer, ExtendedError, InfoCode, Question, Rcode, RRset, RRType

KEY = key_of("www.lab.test")
ERRORS = (ExtendedError(InfoCode.OTHER, "from 192.0.2.53:53"),)
A, AAAA = b"\0\x01\0\x01", b"\0\x1c\0\x01"
SECTION, SECTION_AAAA = encode_sections([KEY, KEY], [A, AAAA], 4 * b"\x5f\0\x20\x20\0\xff\0")
QUERY, QUERY_AAAA = (encode_forwarded_query(b"\x12\x34", section) for section in (SECTION, SECTION_AAAA))


def question(name: str = "www.lab.test", rrtype: str = "A", edns: bool = False, **options: object) -> bytes:
    return dns.message.make_query(name, rrtype, use_edns=0 if edns else False, **options).to_wire()


def response(query: bytes = QUERY) -> dns.message.Message:
    """An answer to ``query`` without records."""
    return dns.message.make_response(dns.message.from_wire(query))


def reply(*records: tuple[int, str], query: bytes = QUERY, rrtype: str = "A", edns: bool = True) -> bytes:
    """What a server answers to ``query`` with records of these TTLs and addresses."""
    message = response(query)
    message.flags |= dns.flags.RA
    if not edns:
        message.use_edns(False)
    name = message.question[0].name
    for ttl, address in records:
        message.answer.append(dns.rrset.from_text(name, ttl, "IN", rrtype, address))
    return message.to_wire()


class QuestionTests(SynchronousTestCase):
    """What :class:`Shapes` takes for forwardable."""

    def test_a_name_ends_behind_its_last_label(self) -> None:
        """The end of the name is found, with and without EDNS."""
        for edns in (False, True):
            self.assertEqual(name_end(question(edns=edns)), 12 + len(KEY))

    def test_what_is_no_name_has_no_end(self) -> None:
        """A cut name, a compressed one and a very long one have none."""
        head = question()[:12]
        for name in (b"\x03www", b"\xc0\x0c\0", b"\x40" + 64 * b"a" + b"\0", 3 * (b"\x3f" + 63 * b"a") + b"\0"):
            self.assertEqual(name_end(head + name), 0)
            self.assertEqual(name_end(head + name + A), 0)

    def test_a_name_alone_is_no_question(self) -> None:
        """Type and class have to be there, whole."""
        self.assertEqual([name_end(question()[:cut]) for cut in (-4, -3, -2, -1)], [0, 0, 0, 0])

    def test_a_shape_is_that_of_the_full_codec(self) -> None:
        """The reply that a shape makes is, byte for byte, what the full codec encodes."""
        every: tuple[dict[str, object], ...] = ({}, {"edns": True})
        for options, count, (rrtype, length) in product(every, (1, 2, 8), (("A", 4), ("AAAA", 16))):
            asked = question("WWW.Lab.test", rrtype, **options)
            end = name_end(asked)
            shape = Shapes(ERRORS).find(asked, end)
            assert shape is not None
            rrset = RRset(KEY, RRType[rrtype], 60, tuple(bytes((number,)) * length for number in range(count)))
            records = encode_addresses(shape.type_class, 60, rrset.rdatas)
            forwarded = encode_forwarded_reply(asked, end, shape, count, records)
            answer = Answer(Rcode.NOERROR, (rrset,), errors=ERRORS)
            full = encode_answer(decode_query(asked), answer, False, True, Options())
            self.assertEqual(dns.message.from_wire(forwarded), dns.message.from_wire(full))
            self.assertEqual(forwarded[:12], full[:12])
            if count == 1:  # more of them may stand in another order
                self.assertEqual(forwarded, full)

    def test_any_other_question_is_not_forwardable(self) -> None:
        """No recursion, DO, CD, another opcode or class, EDNS options or version, more or cut records: full path."""
        good = question(edns=True)
        cookie = dns.message.make_query(
            "www.lab.test", "A", use_edns=0, options=[dns.edns.GenericOption(10, b"12345678")]
        )
        for asked in (
            question(flags=0),
            question(flags=dns.flags.RD | dns.flags.CD),
            question(edns=True, want_dnssec=True),
            good[:2] + b"\x09" + good[3:],
            good[:-12] + b"\x03" + good[-11:],
            cookie.to_wire(),
            good.replace(b"\0\0\x29\x04\xd0\0\0", b"\0\0\x29\x04\xd0\0\x01"),
            good + b"\0",
            good[:-1],
            good[:7] + b"\x01" + good[8:],
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

    @given(bits=st.binary(min_size=len(KEY), max_size=len(KEY)), rrtype=st.integers(0, 65535))
    def test_it_is_the_query_of_the_full_codec(self, bits: bytes, rrtype: int) -> None:
        """Byte for byte, whatever the type and the random case."""
        whole = encode_query(
            Question(KEY, rrtype), 0x1234, recursion_desired=True, case_bits=int.from_bytes(bits, "big") or 1 << 200
        )
        (section,) = encode_sections([KEY], [rrtype.to_bytes(2, "big") + b"\0\1"], bits)
        self.assertEqual(encode_forwarded_query(b"\x12\x34", section), whole)

    @given(names=st.lists(st.binary(min_size=1, max_size=30)), random=st.randoms(use_true_random=False))
    def test_each_name_has_its_own_part_of_what_is_random(self, names: list[bytes], random: Random) -> None:
        """Together they are what each would be alone, and all that differs is the case of letters."""
        keys = [name.lower() for name in names]
        bits = random.randbytes(sum(map(len, keys)))
        sections = encode_sections(keys, [A] * len(keys), bits)
        for key, section in zip(keys, sections, strict=True):
            own, bits = bits[: len(key)], bits[len(key) :]
            self.assertEqual(encode_sections([key], [A], own), [section])
            pairs = zip(key, own, strict=True)
            mixed = [byte & ~0x20 if bit & 0x20 and byte in range(97, 123) else byte for byte, bit in pairs]
            self.assertEqual(section, bytes(mixed) + A)


class MatchTests(SynchronousTestCase):
    """Which replies count (RFC 5452)."""

    def test_the_same_question_matches(self) -> None:
        """A response with the question bit by bit is a reply."""
        self.assertTrue(matches(reply((60, "192.0.2.1")), SECTION))

    def test_another_question_is_ignored(self) -> None:
        """So is what is no response, another opcode, and what is cut."""
        good = reply((60, "192.0.2.1"))
        other = good.replace(b"\x03Lab", b"\x03Lob")
        self.assertNotEqual(other, good)
        for datagram in (QUERY, other, good[:2] + b"\xa8" + good[3:], good[:5], good[: 11 + len(SECTION)], b""):
            self.assertFalse(matches(datagram, SECTION), datagram.hex())

    def test_another_case_and_errors_without_a_question_are_asked_about(self) -> None:
        """They are no answers, and another query finds out."""
        good = reply((60, "192.0.2.1"))
        other = good.replace(b"\x03Lab", b"\x03lAb")
        self.assertNotEqual(other, good)
        for datagram in (other, b"\x12\x34\x80\x01" + bytes(8), b"\x12\x34\x80\x04" + bytes(8)):
            self.assertTrue(matches(datagram, SECTION), datagram.hex())
            self.assertIsNone(forwardable_addresses(datagram, SECTION), datagram.hex())
        self.assertFalse(matches(b"\x12\x34\x80\x02" + bytes(8), SECTION))


def step_by_step(reply: bytes, section: bytes) -> tuple[int, tuple[bytes, ...]] | None:
    """What :func:`forwardable_addresses` gives, field by field."""
    length = {A: 4, AAAA: 16}.get(section[-4:])
    end = 12 + len(section)
    if length is None or len(reply) < end or reply[12:end] != section:
        return None
    _, flags, questions, answers, authorities, additional = struct.unpack("!6H", reply[:12])
    if flags & 0xFA4F != 0x8000 or (questions, authorities) != (1, 0) or not 0 < answers < 9 or additional > 1:
        return None
    ttls, addresses = [], []
    for _ in range(answers):
        record, end = reply[end : end + 12 + length], end + 12 + length
        if len(record) < 12 + length or record[:6] != b"\xc0\x0c" + section[-4:]:
            return None
        if record[10:12] != bytes((0, length)) or record[6] > 127:
            return None
        ttls.append(int.from_bytes(record[6:10], "big"))
        addresses.append(record[12:])
    rest = reply[end:]
    if len(rest) != 11 * additional:
        return None
    if rest and (rest[:3] != b"\0\0\x29" or rest[5:7] != b"\0\0" or rest[9:] != b"\0\0"):
        return None
    return min(ttls), tuple(dict.fromkeys(addresses))


class ReplyTests(SynchronousTestCase):
    """What :func:`forwardable_addresses` takes for forwardable."""

    def test_addresses_and_the_lowest_ttl(self) -> None:
        """Of A and AAAA records, with and without EDNS in the reply."""
        for edns in (False, True):
            found = forwardable_addresses(reply((60, "192.0.2.1"), edns=edns), SECTION)
            self.assertEqual(found, (60, (b"\xc0\0\x02\x01",)))
        found = forwardable_addresses(reply((30, "2001:db8::1"), query=QUERY_AAAA, rrtype="AAAA"), SECTION_AAAA)
        self.assertEqual(found, (30, (bytes.fromhex("20010db8000000000000000000000001"),)))

    def test_different_ttls_and_the_same_address_twice(self) -> None:
        """The lowest TTL counts, and an address once (RFC 2181, section 5)."""
        head, record = reply((60, "192.0.2.1"), edns=False)[:-16], b"\xc0\x0c\0\x01\0\x01\0\0\0%c\0\x04\xc0\0\x02\x01"
        head = head[:6] + b"\0\x03" + head[8:]
        self.assertEqual(
            forwardable_addresses(head + record % 60 + record % 7 + record % 60, SECTION), (7, (b"\xc0\0\x02\x01",))
        )

    def test_all_else_is_left_to_the_full_codec(self) -> None:
        """No answer, an error, truncation, other records and sections, options, and cut replies are not forwardable."""
        good = reply((60, "192.0.2.1"))
        nxdomain = response()
        nxdomain.set_rcode(dns.rcode.NXDOMAIN)
        cname = response()
        cname.answer.append(dns.rrset.from_text("www.lab.test.", 60, "IN", "CNAME", "host.lab.test."))
        explained = response()
        explained.answer.append(dns.rrset.from_text("www.lab.test.", 60, "IN", "A", "192.0.2.1"))
        explained.use_edns(0, options=[dns.edns.EDEOption(3)])
        with_ns = response()
        with_ns.answer.append(dns.rrset.from_text("www.lab.test.", 60, "IN", "A", "192.0.2.1"))
        with_ns.authority.append(dns.rrset.from_text("lab.test.", 60, "IN", "NS", "ns.lab.test."))
        many = reply(*[(60, f"192.0.2.{n}") for n in range(9)])
        huge = good.replace(b"\0\0\0\x3c", b"\x80\0\0\x3c")
        truncated = good[:2] + bytes((good[2] | 2,)) + good[3:]
        messages = [message.to_wire() for message in (nxdomain, cname, explained, with_ns)]
        for wire in (*messages, many, huge, truncated, good[:-1], good + b"\0", good[:30], reply()):
            self.assertIsNone(forwardable_addresses(wire, SECTION), wire.hex())
        for count in (1, 2):
            bare = reply(*[(60, f"192.0.2.{n}") for n in range(count)], edns=False)
            self.assertIsNotNone(forwardable_addresses(bare, SECTION))
            for cut in range(len(bare)):
                self.assertIsNone(forwardable_addresses(bare[:cut], SECTION), "a part of an address is none")

    @given(
        st.sampled_from((1, 2, 8, 9)),
        st.booleans(),
        st.booleans(),
        st.lists(st.tuples(st.integers(), st.integers(0, 255)), max_size=3),
        st.integers(-20, 12),
    )
    def test_it_reads_what_stands_there(
        self, count: int, ipv6: bool, edns: bool, changes: list[tuple[int, int]], longer: int
    ) -> None:
        """A reply with bytes changed, cut or added is taken for forwardable if and only if it is, field by field."""
        query, section, rrtype = (QUERY_AAAA, SECTION_AAAA, "AAAA") if ipv6 else (QUERY, SECTION, "A")
        every = [f"2001:db8::{n}" if ipv6 else f"192.0.2.{n}" for n in (1, 2, 3, 4, 5, 6, 7, 1, 9)]
        wire = bytearray(reply(*[(60, text) for text in every[:count]], query=query, rrtype=rrtype, edns=edns))
        for at, value in changes:
            wire[at % len(wire)] = value
        changed = bytes(wire[:longer]) if longer < 0 else bytes(wire) + bytes(longer)
        self.assertEqual(forwardable_addresses(changed, section), step_by_step(changed, section))

    def test_every_bit_is_looked_at(self) -> None:
        """Each bit, turned over, leaves a reply forwardable or not, as field by field; so does any value of flags."""
        for records in (1, 2):
            good = reply(*[(60, f"192.0.2.{n}") for n in range(records)])
            found_count = 0
            for bit in range(16, 8 * len(good)):
                turned = bytearray(good)
                turned[bit // 8] ^= 0x80 >> bit % 8
                found = forwardable_addresses(bytes(turned), SECTION)
                self.assertEqual(found, step_by_step(bytes(turned), SECTION), f"bit {bit}")
                found_count += found is not None
            own = records * (31 + 32) + 5 + 32
            self.assertEqual(
                found_count, own, "TTL but for a bit, address; AA, RD, RA, AD and CD; payload and flags in the OPT"
            )
            for value in range(256):
                for flags in (bytes((value, 0x80)), bytes((0x81, value))):
                    turned[:] = good[:2] + flags + good[4:]
                    self.assertEqual(
                        forwardable_addresses(bytes(turned), SECTION), step_by_step(bytes(turned), SECTION)
                    )

    @given(
        st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), min_size=1, max_size=4),
        st.sampled_from(((), (1,), (1, 2, 3))),
    )
    def test_whatever_is_forwardable_reads_the_same_in_full(
        self, changes: list[tuple[int, int]], last: tuple[int, ...]
    ) -> None:
        """A reply with bytes changed is either left to the full codec, or means what that says it means."""
        wire = bytearray(reply(*[(60, f"192.0.2.{n}") for n in (*last, 9)]))
        for at, value in changes:
            wire[at % len(wire)] = value
        wire[:2] = QUERY[:2]
        found = forwardable_addresses(bytes(wire), SECTION)
        if found is None:
            return
        self.assertTrue(matches(bytes(wire), SECTION))
        try:
            full = decode_reply(bytes(wire), Sent.of(QUERY))
        except (Broken, NotOurs, Truncated) as error:
            self.fail(f"{wire.hex()} is taken for forwardable, but {error!r}")
        self.assertEqual([(rrset.ttl, rrset.rdatas) for rrset in full.answer], [found])
        self.assertEqual(full.rcode, Rcode.NOERROR)
