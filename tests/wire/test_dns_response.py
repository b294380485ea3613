"""Tests for :mod:`labnet.wire.dns_response`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NoReturn

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.dns_common import PAYLOAD
from labnet.wire.dns_request import decode_query
from labnet.wire.dns_response import Options, encode_answer
from labnet.wire.types import Answer, ExtendedError, InfoCode, Rcode, RRset, RRType
from tests.resolver.dnsfakes import CNAME, NS, SOA, A, rrset, wire

ADDRESS = rrset("www.lab", 60, A, b"\x0a\0\0\1")
REFERRAL = (rrset("lab", 60, NS, wire("ns.lab")),)


def encoded(answer: Answer, payload: int | None = 1232, stream: bool = False) -> dns.message.Message:
    """``answer`` as it goes to a client that takes ``payload`` bytes, or has no EDNS."""
    asked = dns.message.make_query("www.lab", "A", use_edns=-1 if payload is None else 0, payload=payload or 0)
    return dns.message.from_wire(encode_answer(decode_query(asked.to_wire()), answer, stream, True, Options()))


def glue(count: int, name: str = "ns.lab") -> tuple[RRset, ...]:
    """``count`` addresses, of one RRset."""
    return (rrset(name, 60, A, *[b"\x0a\0" + number.to_bytes(2, "big") for number in range(count)]),)


class EncodingTests(SynchronousTestCase):
    """What fits goes out; what does not is left out in order of its worth."""

    def test_additional_records_go_first(self) -> None:
        """Where the addresses beside an answer do not fit, the answer goes without them."""
        reply = encoded(Answer(Rcode.NOERROR, (ADDRESS,), additional=glue(100)))
        self.assertEqual((len(reply.answer), reply.additional), (1, []))
        self.assertFalse(reply.flags & dns.flags.TC)
        self.assertEqual(len(encoded(Answer(Rcode.NOERROR, (ADDRESS,), additional=glue(10))).additional[0]), 10)

    def test_referral_without_its_addresses_is_truncated(self) -> None:
        """A referral is of no use without them: the client has to come by TCP (RFC 9471)."""
        reply = encoded(Answer(Rcode.NOERROR, authority=REFERRAL, additional=glue(100)))
        self.assertTrue(reply.flags & dns.flags.TC)

    def test_reasons_go_before_the_answer_does(self) -> None:
        """Extended errors that would make the answer too long are left out; it is not truncated for them."""
        reasons = tuple([ExtendedError(InfoCode.OTHER, "x" * 200)] * 8)
        for answer in (
            Answer(Rcode.NOERROR, (ADDRESS,), errors=reasons),
            Answer(Rcode.NOERROR, (ADDRESS,), additional=glue(100), errors=reasons),
        ):
            reply = encoded(answer)
            self.assertEqual((len(reply.answer), list(reply.extended_errors())), (1, []))
            self.assertFalse(reply.flags & dns.flags.TC)
            self.assertEqual(len(list(encoded(replace(answer, additional=()), stream=True).extended_errors())), 8)

    def test_many_additional_records_are_counted(self) -> None:
        """More than 255 records beside an OPT record are counted in both bytes of the count."""
        for count in (254, 255, 256, 600):
            reply = encoded(Answer(Rcode.NOERROR, authority=REFERRAL, additional=glue(count)), stream=True)
            self.assertEqual((len(reply.additional[0]), reply.edns), (count, 0))

    def test_reason_is_cut_between_characters(self) -> None:
        """A long text is cut to 200 bytes of whole characters (RFC 8914: UTF-8)."""
        for text in ("x" * 300, "xé" * 100, "€" * 100):
            (error,) = encoded(Answer(Rcode.SERVFAIL, errors=(ExtendedError(InfoCode.OTHER, text),))).extended_errors()
            assert error.text is not None
            self.assertTrue(text.startswith(error.text))
            self.assertIn(len(error.text.encode()), range(198, 201))

    def test_client_without_edns_is_told_no_reason(self) -> None:
        """Without EDNS there is no place for it, and 512 bytes are the limit."""
        answer = Answer(Rcode.NOERROR, glue(28, "www.lab"), errors=(ExtendedError(InfoCode.OTHER, "x"),))
        reply = encoded(answer, payload=None)
        self.assertEqual((reply.edns, len(reply.answer[0])), (-1, 28))
        self.assertTrue(encoded(replace(answer, answer=glue(40, "www.lab")), payload=None).flags & dns.flags.TC)

    def test_limit_is_the_clients_and_ours(self) -> None:
        """A UDP answer is no longer than the client takes, nor than 1232 bytes."""
        answer = Answer(Rcode.NOERROR, glue(75, "www.lab"))
        for payload, fits in ((1231, False), (1232, True), (65535, True)):
            size = 12 + 13 + 75 * 16 + 11
            self.assertEqual(
                bool(encoded(answer, payload).flags & dns.flags.TC), not (fits and size <= PAYLOAD), payload
            )

    def test_type_that_nobody_knows(self) -> None:
        """A record of an unknown type goes out as it is (RFC 3597)."""
        reply = encoded(Answer(Rcode.NOERROR, (rrset("www.lab", 60, 65280, b"\1\2\3"),)))
        self.assertEqual(reply.answer[0][0].to_text(), r"\# 3 010203")


names = st.lists(st.sampled_from(["a", "B", "b", "lab", "Lab", "x" * 63]), max_size=3).map(
    lambda labels: wire(".".join(labels)) if labels else b"\0"
)
addresses = st.binary(min_size=4, max_size=4)
opaque = st.binary(max_size=20)
soas = st.builds(lambda one, two, rest: one + two + rest, names, names, st.binary(min_size=20, max_size=20))
rrsets = st.one_of(
    [
        st.builds(
            lambda name, rrtype, ttl, rdatas: RRset(name, rrtype, ttl, tuple(rdatas)),
            names,
            st.just(rrtype),
            st.integers(0, 2**31 - 1),
            st.lists(rdatas, min_size=1, max_size=4, unique_by=bytes.lower),
        )
        for rrtype, rdatas in (
            (RRType.A, addresses),
            (RRType.NS, names),
            (15, names.map(lambda name: b"\0\7" + name)),  # MX
            (14, st.builds(lambda one, two: one + two, names, names)),  # MINFO
            (33, names.map(lambda name: bytes(6) + name)),  # SRV
            (65280, opaque),
        )
    ]
    + [
        st.builds(lambda name, rdata, kind=kind: RRset(name, kind, 60, (rdata,)), names, rdatas)
        for kind, rdatas in ((RRType.CNAME, names), (RRType.SOA, soas), (RRType.DNAME, names))
    ]
)


def records(section: list[dns.rrset.RRset]) -> set[tuple[bytes, int, int, bytes]]:
    """What dnspython reads, in lower case and without compression."""
    found = set()
    for each in section:
        for rdata in each:
            name, data = each.name.to_wire(), rdata.to_wire()
            assert name is not None
            assert data is not None
            found.add((name.lower(), int(each.rdtype), each.ttl, data.lower()))
    return found


class Untouched(tuple[bytes, ...]):
    """Records whose number may be known, and nothing else."""

    __slots__ = ()

    def __iter__(self) -> Iterator[bytes]:
        self._fail()

    def __getitem__(self, _: object) -> NoReturn:
        self._fail()

    def _fail(self) -> NoReturn:
        raise AssertionError("the records were looked at")


class RenderingTests(SynchronousTestCase):
    """The bytes of a response, as another implementation reads them and as RFC 1035 counts them."""

    @given(sections=st.lists(st.lists(rrsets, max_size=3), min_size=3, max_size=3), id=st.integers(0, 65535))
    def test_dnspython_reads_every_record_back(self, sections: list[list[RRset]], id: int) -> None:
        """Names, compressed or not, types, TTLs and data are what the answer has."""
        unique = [list({(one.key, one.rrtype): one for one in section}.values()) for section in sections]
        asked = dns.message.make_query("B.lab", "A", id=id, use_edns=0).to_wire()
        encoded_answer = Answer(Rcode.NOERROR, *map(tuple, unique))
        wire_form = encode_answer(decode_query(asked), encoded_answer, True, True, Options())
        message = dns.message.from_wire(wire_form)
        for section, expected in zip((message.answer, message.authority, message.additional), unique, strict=True):
            self.assertEqual(
                records(section),
                {(one.key, int(one.rrtype), one.ttl, rdata.lower()) for one in expected for rdata in one.rdatas},
            )
        self.assertEqual(wire_form, encode_answer(decode_query(asked), encoded_answer, True, True, Options()))

    def test_names_of_rfc_1035_types_are_compressed_and_others_are_not(self) -> None:
        """A CNAME points into the question; a SRV record's target is written out (RFC 3597, section 4)."""
        asked = dns.message.make_query("www.lab", "A", use_edns=False).to_wire()
        alias = Answer(Rcode.NOERROR, (rrset("www.lab", 60, CNAME, wire("x.LAB")),))
        reply = encode_answer(decode_query(asked), alias, False, True, Options())
        self.assertTrue(reply.endswith(b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1x\xc0\x10"), reply.hex())
        service = Answer(Rcode.NOERROR, (rrset("www.lab", 60, 33, bytes(6) + wire("www.lab")),))
        reply = encode_answer(decode_query(asked), service, False, True, Options())
        self.assertTrue(reply.endswith(bytes(6) + wire("www.lab")), reply.hex())

    def test_no_pointer_leads_past_what_fourteen_bits_can_say(self) -> None:
        """Names that are first written behind 16383 bytes are written in full each time."""
        many = tuple([rrset(f"n{number}.other", 60, NS, wire(f"s{number}.example")) for number in range(1200)])
        message = encoded(Answer(Rcode.NOERROR, many), stream=True)
        self.assertEqual({one.name.to_text() for one in message.answer}, {f"n{n}.other." for n in range(1200)})

    def test_records_take_turns_by_the_id_of_the_query(self) -> None:
        """With consecutive ids each address is once the first, the order otherwise being the RRset's."""
        answer, firsts = Answer(Rcode.NOERROR, glue(3, "www.lab")), []
        for id in range(6):
            asked = dns.message.make_query("www.lab", "A", id=id)
            reply = dns.message.from_wire(encode_answer(decode_query(asked.to_wire()), answer, False, True, Options()))
            firsts.append(reply.answer[0][0].to_text())
        self.assertEqual(firsts, ["10.0.0.0", "10.0.0.1", "10.0.0.2"] * 2)

    def test_second_alias_of_a_name_and_repeated_records_are_left_out(self) -> None:
        """A name has one CNAME and one SOA, and an RRset each record once (RFC 2181, sections 5 and 10.1)."""
        two = rrset("www.lab", 60, CNAME, wire("x.lab"), wire("y.lab"))
        twice = rrset("x.lab", 60, A, b"\1\1\1\1", b"\1\1\1\1")
        soa = rrset("lab", 60, SOA, b"\0\0" + bytes(20), b"\0\0" + bytes(19) + b"\1")
        reply = encoded(Answer(Rcode.NOERROR, (two, twice), authority=(soa,)))
        self.assertEqual([len(one) for one in (*reply.answer, *reply.authority)], [1, 1, 1])
        self.assertEqual(reply.answer[0][0].to_text(), "x.lab.")

    def test_long_rrset_is_truncated_without_a_look_at_its_records(self) -> None:
        """Over UDP the number of records alone decides, so that 4,000 addresses cost as little as none."""
        large = RRset(wire("www.lab"), RRType.A, 60, Untouched([bytes(4)] * 4000))
        asked = decode_query(dns.message.make_query("www.lab", "A", use_edns=0).to_wire())
        reply = dns.message.from_wire(encode_answer(asked, Answer(Rcode.NOERROR, (large,)), False, True, Options()))
        self.assertEqual((bool(reply.flags & dns.flags.TC), reply.answer), (True, []))
        with self.assertRaises(AssertionError):
            encode_answer(asked, Answer(Rcode.NOERROR, (large,)), True, True, Options())
