"""Replies to DNS queries, byte by byte: records, EDNS, what is made to cost much, and any bytes."""

from __future__ import annotations

import struct
import sys
import tracemalloc
from typing import Any

import dns.edns
import dns.message
import dns.rdata
import dns.rdatatype
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.dns_upstream import (
    Broken,
    NotOurs,
    Sent,
    Truncated,
    decode_reply,
    encode_query,
)
from labnet.wire.rdata import check_rdata
from labnet.wire.types import Question, Reply
from tests.resolver.dnsfakes import (
    AAAA,
    ASKED,
    CNAME,
    NS,
    SOA,
    TXT,
    A,
    message_of,
    record,
    reply_to,
    rrset,
    wire,
)
from tests.wire.samples import QUERY, SENT, WWW, dns_names, questions


class RecordTests(SynchronousTestCase):
    """What is read from a reply that counts."""

    def broken(self, *resource_records: bytes, sections: tuple[int, int, int] | None = None) -> None:
        self.assertRaises(Broken, decode_reply, message_of(QUERY, *resource_records, sections=sections), SENT)

    def test_each_section_has_its_rrsets_in_order(self) -> None:
        """Records of one name and type are one RRset, however they are mixed and written."""
        reply = decode_reply(
            message_of(
                QUERY,
                record(ASKED, A, b"\1\1\1\1"),
                record(wire("Other.example"), A, b"\2\2\2\2"),
                record(wire("WWW.example.com"), A, b"\3\3\3\3"),
                record(ASKED, A, b"\1\1\1\1"),
                record(wire("b.example"), TXT, b"\1b"),
                record(wire("c.example"), TXT, b"\1c"),
                sections=(4, 1, 1),
            ),
            SENT,
        )
        self.assertEqual(
            reply.answer,
            (
                rrset("www.example.com", 60, A, b"\1\1\1\1", b"\3\3\3\3"),
                rrset("Other.example", 60, A, b"\2\2\2\2"),
            ),
        )
        self.assertEqual(reply.authority, (rrset("b.example", 60, TXT, b"\1b"),))
        self.assertEqual(reply.additional, (rrset("c.example", 60, TXT, b"\1c"),))

    def test_the_lowest_ttl_of_an_rrset_counts_and_the_top_bit_makes_it_zero(self) -> None:
        """RFC 2181, sections 5.2 and 8."""
        for ttls, expected in (((300, 20, 60), 20), ((2**31 - 1,), 2**31 - 1), ((2**31,), 0), ((60, 2**32 - 1), 0)):
            lines = [record(ASKED, A, bytes([0, 0, 0, i]), ttl) for i, ttl in enumerate(ttls)]
            self.assertEqual(decode_reply(message_of(QUERY, *lines), SENT).answer[0].ttl, expected)

    def test_the_random_case_of_the_query_does_not_come_back(self) -> None:
        """Neither in the name, nor in what ends as it does, compressed or not; the server's own case is kept."""
        reply = decode_reply(
            message_of(
                QUERY,
                record(ASKED, CNAME, b"\x03Web\xc0\x10"),
                record(b"\x03Web\xc0\x10", A, b"\1\2\3\4"),
                record(SENT.question[:-4], TXT, b"\0"),
                record(wire("Web.eXample.coM"), NS, wire("nS.Sample.cOm")),
                record(wire("Elsewhere.NET"), NS, b"\0"),
            ),
            SENT,
        )
        self.assertEqual(
            reply.answer,
            (
                rrset("www.example.com", 60, CNAME, wire("Web.example.com")),
                rrset("Web.example.com", 60, A, b"\1\2\3\4"),
                rrset("www.example.com", 60, TXT, b"\0"),
                rrset("Web.example.com", 60, NS, wire("nS.Sample.com")),
                rrset("Elsewhere.NET", 60, NS, b"\0"),
            ),
        )

    def test_what_is_no_data_of_the_internet_is_left_out(self) -> None:
        """OPT, TSIG, types for questions alone, type 0, and other classes."""
        reply = decode_reply(
            message_of(
                QUERY,
                record(ASKED, A, b"\1\2\3\4", rrclass=3),
                record(ASKED, 0, b""),
                record(ASKED, 250, b"x"),
                record(ASKED, 255, b"x"),
                record(b"\0", 41, b"", rrclass=1232),
                record(ASKED, 65280, b"as it is"),
            ),
            SENT,
        )
        self.assertEqual(reply.answer, (rrset("www.example.com", 60, 65280, b"as it is"),))

    def test_names_in_rdata_lose_their_compression(self) -> None:
        """As dnspython says, for each type in which compression is allowed and some in which it is not."""
        rdatas = (
            "NS ns.example.com.",
            "CNAME example.com.",
            "PTR .",
            "DNAME example.com.",
            "SOA ns.example.com. admin.example.com. 1 2 3 4 4294967295",
            "MX 10 mail.example.com.",
            "AFSDB 1 db.example.com.",
            "RT 1 host.example.com.",
            "KX 1 host.example.com.",
            "PX 10 a.example.com. b.example.com.",
            "RP a.example.com. b.example.com.",
            "SRV 1 2 3 example.com.",
            "NAPTR 1 2 s sip !a!b! example.com.",
            "TXT one two",
            "AAAA 2001:db8::1",
            "HTTPS 1 . alpn=h2",
            "CAA 0 issue example.net",
        )
        query = encode_query(WWW, 0x1234, recursion_desired=True)
        for text in rdatas:
            datagram = reply_to(query, f"www.example.com. 60 {text}")
            (expected,) = dns.message.from_wire(datagram).answer
            (found,) = decode_reply(datagram, Sent.of(query)).answer
            self.assertEqual((found.rrtype, found.rdatas), (expected.rdtype, (expected[0].to_wire(),)), text)

    def test_rdata_that_cannot_be_read_makes_the_reply_broken(self) -> None:
        """Who shows or keeps a record later can rely on it."""
        for rrtype, rdata in (
            (A, b"\1\2\3"),
            (A, b"\1\2\3\4\5"),
            (AAAA, b"\1\2\3\4"),
            (NS, b""),
            (NS, b"\1a"),
            (NS, ASKED + b"x"),
            (15, b"\0"),
            (15, b"\0\1"),
            (SOA, ASKED + ASKED + bytes(19)),
            (SOA, ASKED + ASKED + bytes(21)),
            (35, b"\0\1\0\1\0\0\xff" + ASKED),
            (35, b"\0\1\0\1\0\0\0" + ASKED + b"x"),
            (24, bytes(17)),
        ):
            self.broken(record(ASKED, rrtype, rdata), record(b"\0", 65280, bytes(99)))

    def test_data_that_need_not_be_understood_is_passed_on_as_it_is(self) -> None:
        """Whatever its type says about it (RFC 3597, section 3; RFC 9460, section 2.4.2)."""
        for rrtype, rdata in (
            (TXT, b""),
            (TXT, b"\2a"),
            (257, b"\0"),  # CAA
            (65, b"\0\0\0\0\1\0\3\2h2"),  # HTTPS in alias mode, with parameters
            (64, b"\0\1\0\0\1\0\0"),  # SVCB with an empty list
            (46, b"x"),  # RRSIG
            (55, b"\1\2\0\1xy" + ASKED * 10),  # HIP
            (61, bytes(40000)),
            (65280, b""),
        ):
            reply = decode_reply(message_of(QUERY, record(ASKED, rrtype, rdata)), SENT)
            self.assertEqual(reply.answer, (rrset("www.example.com", 60, rrtype, rdata),))

    def test_compressed_names_of_older_types_are_read(self) -> None:
        """Of NAPTR behind its strings, of SIG and NXT before what follows the name (RFC 3597, section 4)."""
        for rrtype, before, after in (
            (35, bytes(4) + b"\1s\3sip\4!a!b", b""),
            (24, bytes(18), b"sig"),
            (30, b"", b"\1"),
        ):
            reply = decode_reply(message_of(QUERY, record(ASKED, rrtype, before + b"\1a" + ASKED + after)), SENT)
            expected = before + wire("a.www.example.com") + after
            self.assertEqual(reply.answer, (rrset("www.example.com", 60, rrtype, expected),))

    def test_a_record_that_cannot_be_read_is_left_out_beside_the_answer(self) -> None:
        """In the authority and additional sections; the others there are read, and the OPT record behind them."""
        soa = wire("ns.example.com") * 2 + bytes(20)
        reply = decode_reply(
            message_of(
                QUERY,
                record(ASKED, A, b"\1\2\3\4"),
                record(wire("example.com"), NS, b"\xff"),
                record(wire("example.com"), SOA, soa),
                record(wire("ns.example.com"), A, b"\1"),
                record(wire("ns.example.com"), SOA, b"\xc0"),
                record(b"\0", 41, b"\0\x0f\0\5\0\x16why", 0x01000000, 1232),
                sections=(1, 2, 3),
            ),
            SENT,
        )
        self.assertEqual(reply.answer, (rrset("www.example.com", 60, A, b"\1\2\3\4"),))
        self.assertEqual(reply.authority, (rrset("example.com", 60, SOA, soa),))
        self.assertEqual((reply.additional, int(reply.rcode), reply.errors[0].text), ((), 16, "why"))

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([ASKED, b"\1b" + ASKED, b"\xc0\x10"]),
                st.sampled_from([A, AAAA, 65280]),
                st.sampled_from([5, 60, 2**31]),
                st.integers(0, 2),
            ),
            max_size=12,
        )
    )
    def test_records_in_a_row_are_read_as_one_by_one(self, found: list[tuple[bytes, int, int, int]]) -> None:
        """Names, TTLs and data of an RRset are those of its records, whatever stands between them."""
        sizes, full = {A: 4, AAAA: 16, 65280: 4}, wire("www.example.com")
        owners = {ASKED: full, b"\1b" + ASKED: b"\1b" + full, b"\xc0\x10": full[4:]}
        expected: dict[tuple[bytes, int], tuple[int, dict[bytes, None]]] = {}
        ones = []
        for owner, rrtype, ttl, number in found:
            rdata = bytes([number]) * sizes[rrtype]
            ones.append(record(owner, rrtype, rdata, ttl))
            lowest, rdatas = expected.get((owners[owner], rrtype), (2**31 - 1, {}))
            expected[owners[owner], rrtype] = min(lowest, ttl % 2**31), {**rdatas, rdata: None}
        reply = decode_reply(message_of(QUERY, *ones), SENT)
        self.assertEqual(
            [(one.name, one.rrtype, one.ttl, one.rdatas) for one in reply.answer],
            [(name, rrtype, ttl, tuple(rdatas)) for (name, rrtype), (ttl, rdatas) in expected.items()],
        )

    def test_a_reply_that_ends_early_is_broken(self) -> None:
        """At whichever byte behind the question."""
        whole = reply_to(QUERY, "www.example.com. 60 MX 1 mail.example.net.", authority=["a.b. 1 TXT x"], edns=True)
        decode_reply(whole, SENT)
        for length in range(12 + len(SENT.question), len(whole)):
            self.assertRaises(Broken, decode_reply, whole[:length], SENT)

    def test_a_name_that_leads_nowhere_makes_the_reply_broken(self) -> None:
        """Pointers to themselves, forward, in a circle; labels of unknown kinds; names of more than 255 bytes."""
        here = 12 + len(SENT.question)
        rest = record(b"", A, b"\1\2\3\4")
        for name in (
            struct.pack("!H", 0xC000 | here),
            struct.pack("!H", 0xC000 | here + 2),
            b"\1a" + struct.pack("!H", 0xC000 | here),
            b"\x40a\0",
            b"\x80a\0",
            b"\x40" + b"a" * 64 + b"\0",
            b"\xbf" + b"a" * 191 + b"\0",
            b"\x3fa" * 5,
            (b"\x3f" + b"a" * 63) * 4 + b"\0",
            (b"\x3f" + b"a" * 63) * 3 + b"\x30" + b"a" * 48 + ASKED,
        ):
            self.broken(name + rest)
        data = b"\x03abc" + struct.pack("!H", 0xC000 | here + 11) + (b"\x3f" + b"a" * 63) * 4 + b"\0"
        for inside in (0, 6):
            self.broken(record(b"\0", 65280, data), struct.pack("!H", 0xC000 | here + 11 + inside) + rest)
        for data in (
            struct.pack("!H", 0xC000 | here + 11),
            struct.pack("!HH", 0xC000 | here + 13, 0xC000 | here + 11),
            b"\1a" + struct.pack("!H", 0xC000 | here + 11),
            b"\x40" + b"a" * 64 + b"\0",
            b"\xbf" + b"a" * 191 + b"\0",
        ):
            self.broken(record(b"\0", 65280, data), struct.pack("!H", 0xC000 | here + 11) + rest)

    def test_the_longest_name_is_read(self) -> None:
        """255 bytes, written out and through a pointer."""
        longest = (b"\x3f" + b"a" * 63) * 3 + b"\x2c" + b"b" * 44 + wire("www.example.com")
        self.assertEqual(len(longest), 254)
        longest = longest.replace(b"\x2c" + b"b" * 44, b"\x2d" + b"b" * 45)
        (whole,) = decode_reply(message_of(QUERY, record(longest, A, bytes(4))), SENT).answer
        (pointed,) = decode_reply(message_of(QUERY, record(longest[:-17] + ASKED, A, bytes(4))), SENT).answer
        self.assertEqual((whole.name, pointed.name), (longest, longest))

    def test_a_count_that_promises_too_much_is_broken(self) -> None:
        """65535 records that are not there."""
        self.broken(record(ASKED, A, b"\1\2\3\4"), sections=(65535, 65535, 65535))


def lines_run(datagram: bytes) -> int:
    """How many lines of Python reading ``datagram`` takes."""
    count = 0

    def trace(*_: object) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        decode_reply(datagram, SENT)
    except Broken:
        pass
    finally:
        sys.settrace(before)
    return count


class WorkTests(SynchronousTestCase):
    """Replies of 64 KiB that are made to cost much cost no more than their bytes."""

    def fill(self, head: bytes, one: bytes) -> bytes:
        """A reply of 64 KiB: ``head``, then ``one`` as often as it fits."""
        count = (65535 - 12 - len(SENT.question) - len(head)) // len(one)
        return message_of(QUERY, head, one * count, sections=(count + bool(head), 0, 0))

    def test_records_cost_a_few_lines_each(self) -> None:
        """Thousands of the smallest ones."""
        for one in (record(ASKED, A, b"\1\2\3\4"), record(b"\0", 65280, b""), record(wire("X.cOm"), NS, b"\1A\0")):
            self.assertLess(lines_run(self.fill(b"", one)), 8 * 65536)

    def test_a_chain_of_pointers_is_followed_once(self) -> None:
        """8000 pointers in a row, and two thousand names that begin at the end of them."""
        at = start = 12 + len(SENT.question) + 11
        data = b"\0"
        while (length := len(data)) < 16380 - start:
            data += struct.pack("!H", 0xC000 | at)
            at = start + length
        last = struct.pack("!H", 0xC000 | at)
        datagram = self.fill(record(b"\0", 65280, data), record(last, NS, last))
        self.assertEqual(decode_reply(datagram, SENT).answer[1].rdatas, (b"\0",))
        self.assertLess(lines_run(datagram), 8 * 65536)

    def test_labels_are_read_once(self) -> None:
        """Names of 126 labels, entered by pointers at each of them, again and again."""
        start = 12 + len(SENT.question) + 11
        data = (b"\1a" * 126 + b"\0") * 63
        entries = [struct.pack("!H", 0xC000 | start + 253 * block + 2 * i) for block in range(63) for i in range(126)]
        names = iter(entries * 2)
        ones = b"".join(record(next(names), NS, next(names)) for _ in range(3500))
        datagram = message_of(QUERY, record(b"\0", 65280, data), ones, sections=(3501, 0, 0))
        self.assertLess(lines_run(datagram), 8 * 65536)

    def test_a_name_without_an_end_takes_no_memory(self) -> None:
        """8000 labels in a row, each of which could begin a name of its own."""
        start = 12 + len(SENT.question) + 11
        data = b"\1a" * 8000 + b"\0"
        datagram = message_of(QUERY, record(b"\0", 65280, data), struct.pack("!H", 0xC000 | start), bytes(10))
        tracemalloc.start()
        try:
            self.assertRaises(Broken, decode_reply, datagram, SENT)
            self.assertLess(tracemalloc.get_traced_memory()[1], 10_000_000)
        finally:
            tracemalloc.stop()

    def test_a_large_rrset_is_read_in_one_pass(self) -> None:
        """No address of one name is looked at by itself; where their TTLs differ each is, briefly."""
        ones = [record(ASKED, A, number.to_bytes(4, "big")) for number in range(4000)]
        datagram = message_of(QUERY, *ones)
        self.assertEqual(
            decode_reply(datagram, SENT).answer[0].rdatas, tuple(n.to_bytes(4, "big") for n in range(4000))
        )
        self.assertLess(lines_run(datagram), 2000)
        others = [record(ASKED, A, number.to_bytes(4, "big"), 60 + number % 7) for number in range(2000)]
        self.assertLess(lines_run(message_of(QUERY, *others)), 16 * 2000)

    def test_addresses_in_a_row_are_those_of_one_name_type_and_class(self) -> None:
        """Wherever the row ends or a TTL changes, all of them are there, and the lowest TTL counts."""
        like = [record(ASKED, A, bytes((10, 0, 0, number)), 60) for number in range(130)]
        other = record(ASKED, A, b"\1\2\3\4", 30)
        alias = record(ASKED, 16, b"\1x", 5)
        for at in (0, 1, 2, 63, 64, 65, 129, 130):
            for odd, ttl, count in ((other, 30, 131), (alias, 60, 130)):
                found = decode_reply(message_of(QUERY, *like[:at], odd, *like[at:]), SENT).answer
                (rrset,) = [each for each in found if each.rrtype == A]
                self.assertEqual((rrset.ttl, len(rrset.rdatas)), (ttl, count), at)


class AnyBytesTests(SynchronousTestCase):
    """Whatever comes, one of four things happens."""

    def outcome(self, datagram: bytes, sent: Sent = SENT) -> Reply | None:
        """The reply, of which each record can be read again; None where there was one of the three exceptions."""
        try:
            reply = decode_reply(datagram, sent)
        except (NotOurs, Truncated, Broken):
            return None
        for each in (*reply.answer, *reply.authority, *reply.additional):
            self.assertTrue(0 <= each.ttl < 2**31 and each.rdatas and len(each.name) <= 255)
            for rdata in each.rdatas:
                check_rdata(each.rrtype, rdata)
        return reply

    @given(st.binary(max_size=600))
    def test_any_bytes(self, datagram: bytes) -> None:
        """Alone, and behind a header and a question that match."""
        self.outcome(datagram)
        self.outcome(message_of(QUERY, datagram, sections=(1, 1, 1)))
        self.outcome(message_of(QUERY, record(ASKED, 41, datagram)))

    @given(st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=40)), max_size=5))
    def test_any_records(self, pairs: list[tuple[int, bytes]]) -> None:
        """Any type with any rdata."""
        self.outcome(message_of(QUERY, *[record(ASKED, rrtype, rdata) for rrtype, rdata in pairs]))

    @given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8), st.integers(12, 400))
    def test_a_real_reply_with_bytes_changed(self, changes: list[tuple[int, int]], end: int) -> None:
        """What arrives damaged, or was made to look so."""
        datagram = bytearray(
            reply_to(
                QUERY,
                "www.example.com. 60 CNAME web.example.com.",
                "web.example.com. 60 A 192.0.2.1",
                "web.example.com. 60 MX 1 mail.example.com.",
                authority=["example.com. 60 SOA ns.example.com. a.example.com. 1 2 3 4 5"],
                additional=["_s.example.com. 60 HTTPS 1 . alpn=h2", "example.com. 60 NAPTR 1 2 s sip !a!b! ."],
                options=[dns.edns.EDEOption(22, "why")],
            )
        )
        for at, byte in changes:
            datagram[at % len(datagram)] = byte
        self.outcome(bytes(datagram[:end]))

    @given(questions, st.lists(st.tuples(dns_names, dns_names, st.integers(0, 2**31 - 1)), max_size=6))
    def test_what_dnspython_writes_is_read_as_it_reads_it(
        self, asked: Question, found: list[tuple[bytes, bytes, int]]
    ) -> None:
        """Names of any bytes, compressed as it likes."""
        query = encode_query(asked, 9, recursion_desired=True)
        message = dns.message.make_response(dns.message.from_wire(query))
        for owner, target, ttl in found:
            lines = (dns.name.from_wire(owner, 0)[0], dns.name.from_wire(target, 0)[0])
            message.answer.append(dns.rrset.from_rdata(lines[0], ttl, dns.rdata.from_text("IN", "NS", str(lines[1]))))
        datagram = message.to_wire()
        reply = self.outcome(datagram, Sent.of(query))
        expected: dict[bytes, tuple[int, set[bytes]]] = {}
        for owner, target, ttl in found:
            before = expected.get(owner, (ttl, set()))
            expected[owner] = (min(before[0], ttl), before[1] | {target})
        assert reply is not None
        self.assertEqual({each.name: (each.ttl, set(each.rdatas)) for each in reply.answer}, expected)
