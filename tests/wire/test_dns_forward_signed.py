"""Queries for signed replies, those replies, and what is said of them to clients, held against the full codecs."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.dns_forward import (
    Shapes,
    encode_addresses,
    encode_forwarded_reply,
    encode_sections,
    encode_secure_reply,
    encode_signed_query,
    forwardable_addresses,
    name_end,
    signed_addresses,
)
from labnet.wire.dns_request import decode_query
from labnet.wire.dns_response import Options, encode_answer
from labnet.wire.dns_upstream import Broken, NotOurs, Sent, Truncated, decode_reply, encode_query
from labnet.wire.names import key_of
from labnet.wire.types import CHECKING_DISABLED, DNSSEC_OK, Answer, Question, Rcode, RRset, RRType, Security

KEY = key_of("www.lab.test")
BITS = 4 * b"\x5f\0\x20\x20\0\xff\0"
(SECTION,) = encode_sections([KEY], [b"\0\x01\0\x01"], BITS)
QUERY = encode_signed_query(b"\x12\x34", SECTION)
SIGNATURE = "A 13 3 60 20270102000000 20270101000000 7 lab.test. " + "A" * 86 + "=="


def reply(addresses: int = 1, signatures: int = 1, edns: bool = True) -> bytes:
    """What a server answers to :data:`QUERY` with so many addresses and signatures."""
    message = dns.message.make_response(dns.message.from_wire(QUERY))
    if not edns:
        message.use_edns(False)
    name = message.question[0].name
    records = [("A", f"192.0.2.{n}") for n in range(addresses)] + [("RRSIG", SIGNATURE)] * min(signatures, 1)
    records += [("RRSIG", SIGNATURE.replace(" 7 ", " 8 "))] * (signatures - 1)
    for rrtype, text in records:
        message.answer.append(dns.rrset.from_text(name, 60, "IN", rrtype, text))
    return message.to_wire()


class SignedTests(SynchronousTestCase):
    """The codec of the fast path where replies are validated."""

    def test_the_query_is_that_of_the_full_codec(self) -> None:
        """Byte for byte, with DO and CD."""
        asked = Question(KEY, RRType.A, dnssec=DNSSEC_OK | CHECKING_DISABLED)
        bits = int.from_bytes(BITS[: len(KEY)], "big")
        self.assertEqual(QUERY, encode_query(asked, 0x1234, recursion_desired=True, case_bits=bits))

    def test_addresses_and_their_one_signature(self) -> None:
        """With and without EDNS; with no signature its data are empty."""
        for addresses in (1, 2, 7):
            for edns in (False, True):
                found = signed_addresses(reply(addresses, edns=edns), SECTION)
                assert found is not None
                self.assertEqual(found[:2], forwardable_addresses(reply(addresses, 0, edns), SECTION))
                signed = decode_reply(reply(addresses, edns=edns), Sent.of(QUERY)).answer[-1]
                self.assertEqual((found[2],), signed.rdatas)
        unsigned = forwardable_addresses(reply(1, 0), SECTION)
        assert unsigned is not None
        self.assertEqual(signed_addresses(reply(1, 0), SECTION), (*unsigned, b""))

    def test_all_else_is_left_to_the_full_codec(self) -> None:
        """Several signatures, one alone, too many addresses, what is cut, what follows."""
        good = reply()
        cut = [good[:length] for length in range(len(good))]
        for wire in (reply(1, 2), reply(0, 1), reply(8, 1), reply(0, 0), *cut, good + b"\0"):
            self.assertIsNone(signed_addresses(wire, SECTION), wire.hex())

    @given(st.lists(st.tuples(st.integers(2, 200), st.integers(0, 255)), min_size=1, max_size=4), st.integers(1, 3))
    def test_whatever_is_taken_reads_the_same_in_full(self, changes: list[tuple[int, int]], addresses: int) -> None:
        """A reply with bytes changed is either left to the full codec, or means what that says it means."""
        wire = bytearray(reply(addresses))
        for at, value in changes:
            wire[at % len(wire)] = value
        wire[:2] = QUERY[:2]
        found = signed_addresses(bytes(wire), SECTION)
        if found is None:
            return
        try:
            full = decode_reply(bytes(wire), Sent.of(QUERY))
        except (Broken, NotOurs, Truncated) as error:
            self.fail(f"{wire.hex()} is taken, but {error!r}")
        ttl, rdatas, signature = found
        self.assertEqual((full.rcode, full.authority, full.additional), (Rcode.NOERROR, (), ()))
        expected = [(RRType.A, ttl, rdatas)]
        self.assertEqual([(one.rrtype, one.ttl, one.rdatas) for one in full.answer[:1]], expected)
        self.assertEqual([one.rdatas for one in full.answer[1:]], [(signature,)] * bool(signature))
        self.assertTrue(all(one.key == KEY for one in full.answer))

    def test_authentic_replies_say_so_to_who_asks(self) -> None:
        """With AD in the question, with and without EDNS: byte for byte what the full codec encodes."""
        for edns in (False, 0):
            for flags in (dns.flags.RD, dns.flags.RD | dns.flags.AD):
                asked = dns.message.make_query("WWW.Lab.test", "A", use_edns=edns, flags=flags).to_wire()
                end = name_end(asked)
                shape = Shapes(()).find(asked, end)
                assert shape is not None
                rrset = RRset(KEY, RRType.A, 60, (b"\xc0\0\2\1",))
                records = encode_addresses(shape.type_class, 60, rrset.rdatas)
                for encode, security in (
                    (encode_forwarded_reply, Security.INSECURE),
                    (encode_secure_reply, Security.SECURE),
                ):
                    answer = Answer(Rcode.NOERROR, (rrset,), security=security)
                    full = encode_answer(decode_query(asked), answer, False, True, Options())
                    self.assertEqual(encode(asked, end, shape, 1, records), full)
