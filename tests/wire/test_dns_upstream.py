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
    MOST_CNAMES,
    MOST_ERRORS,
    Broken,
    NotOurs,
    OtherCase,
    ReplyChain,
    Sent,
    Truncated,
    chain_of,
    decode_reply,
    encode_query,
)
from labnet.wire.names import is_opaque, key_of, text_of
from labnet.wire.types import (
    CHECKING_DISABLED,
    DNSSEC_OK,
    ExtendedError,
    InfoCode,
    Question,
    Rcode,
    Reply,
    RRset,
    RRType,
)
from tests.resolver.dnsfakes import (
    ANY,
    CNAME,
    DNAME,
    SOA,
    TXT,
    A,
    message_of,
    question,
    record,
    reply_to,
    rrset,
    wire,
)

WWW = question("www.example.com")
QUERY = encode_query(WWW, 0x1234, recursion_desired=True, case_bits=0x00_20_00_20 << 64)
SENT = Sent.of(QUERY)

names = st.lists(st.binary(min_size=1, max_size=20), max_size=6).map(
    lambda labels: b"".join(bytes([len(label)]) + label for label in labels).lower() + b"\0"
)
questions = st.builds(Question, names, st.integers(1, 65535))


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
        """Its flags and records are told."""
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
            self.errors(b"\0\x16no server", b"\0\x0fads\0", b"\0\x06", b"\x02\x00odd", b"\0"),
            (
                ExtendedError(InfoCode.NO_REACHABLE_AUTHORITY, "no server"),
                ExtendedError(InfoCode.OTHER, "Blocked (15): ads"),
                ExtendedError(InfoCode.OTHER, "Dnssec bogus (6)"),
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


class ChainTests(SynchronousTestCase):
    """What of a forwarder's reply may be believed and kept."""

    def chain(self, *answer: str, asked: Question = WWW, **more: Any) -> ReplyChain:
        query = encode_query(asked, 1, recursion_desired=True)
        return chain_of(asked, decode_reply(reply_to(query, *answer, **more), Sent.of(query)))

    def names(self, chain: ReplyChain) -> list[tuple[bytes, int]]:
        return [(each.name, each.rrtype) for each in chain.rrsets]

    def test_the_chain_comes_in_order_however_the_reply_is_mixed(self) -> None:
        """From the name asked for, over each CNAME, to the records of the type asked for."""
        chain = self.chain(
            "c.example. 1 A 192.0.2.1",
            "b.example. 2 CNAME c.example.",
            "www.example.com. 3 CNAME b.example.",
        )
        self.assertEqual(
            chain,
            ReplyChain(
                (
                    rrset("www.example.com", 3, CNAME, wire("b.example")),
                    rrset("b.example", 2, CNAME, wire("c.example")),
                    rrset("c.example", 1, A, b"\xc0\0\2\1"),
                ),
                key_of("c.example"),
                True,
                None,
            ),
        )

    def test_records_that_the_question_does_not_lead_to_are_dropped(self) -> None:
        """Of other names, of other types, and in whichever section: nothing but the chain can be cached."""
        chain = self.chain(
            "www.bank.example. 60 A 203.0.113.66",
            "www.example.com. 60 A 192.0.2.1",
            "www.example.com. 60 TXT poison",
            "example.com. 60 A 203.0.113.66",
            "a.www.example.com. 60 A 203.0.113.66",
            authority=["example.com. 60 NS ns.bad.example.", "com. 60 NS ns.bad.example.", "com. 60 SOA . . 1 2 3 4 5"],
            additional=["ns.bad.example. 60 A 203.0.113.66", "www.example.com. 60 A 203.0.113.66"],
        )
        self.assertEqual(chain.rrsets, (rrset("www.example.com", 60, A, b"\xc0\0\2\1"),))
        self.assertIsNone(chain.soa)

    def test_records_beside_a_cname_are_no_part_of_the_chain(self) -> None:
        """Only what the last CNAME leads to is."""
        chain = self.chain("www.example.com. 60 CNAME b.example.", "c.example. 60 A 203.0.113.66")
        self.assertEqual(self.names(chain), [(wire("www.example.com"), CNAME)])
        self.assertEqual((chain.target, chain.is_answered), (key_of("b.example"), False))

    def test_a_question_for_the_cname_itself_is_answered_by_it(self) -> None:
        """It is not followed."""
        chain = self.chain(
            "www.example.com. 60 CNAME b.example.",
            "b.example. 60 CNAME c.example.",
            asked=question("www.example.com", CNAME),
        )
        self.assertEqual((self.names(chain), chain.is_answered), ([(wire("www.example.com"), CNAME)], True))

    def test_a_dname_stands_before_the_cname_made_of_it(self) -> None:
        """The DNAME is of another name than the one asked for, the CNAME of that one; others' DNAMEs are dropped."""
        chain = self.chain(
            "example.com. 60 DNAME example.net.",
            "example.org. 60 DNAME example.net.",
            "www.example.com. 60 CNAME www.example.net.",
            "www.example.net. 60 A 192.0.2.1",
        )
        self.assertEqual(
            self.names(chain),
            [(wire("example.com"), DNAME), (wire("www.example.com"), CNAME), (wire("www.example.net"), A)],
        )

    def test_a_dname_without_its_cname_has_it_made(self) -> None:
        """With the DNAME's TTL (RFC 6672, section 3.1), from the nearest DNAME above each name of the chain."""
        chain = self.chain(
            "com. 60 DNAME org.",
            "example.com. 77 DNAME Sub.example.net.",
            "example.net. 50 DNAME example.org.",
            "www.sub.example.org. 60 A 192.0.2.1",
        )
        self.assertEqual(
            chain.rrsets[:2],
            (
                rrset("example.com", 77, DNAME, wire("Sub.example.net")),
                rrset("www.example.com", 77, CNAME, wire("www.Sub.example.net")),
            ),
        )
        self.assertEqual((len(chain.rrsets), chain.is_answered), (5, True))

    def test_the_letters_of_the_query_are_not_carried_over_by_a_dname(self) -> None:
        """A server makes its CNAME of the name as it was sent, in random case."""
        chain = self.chain(
            "example.com. 60 DNAME Example.NET.",
            "www.example.com. 30 CNAME wWw.Example.NET.",
            "wWw.Example.NET. 60 A 192.0.2.1",
        )
        self.assertEqual(chain.rrsets[1], rrset("www.example.com", 30, CNAME, wire("www.Example.NET")))
        self.assertTrue(chain.is_answered)

    def test_a_dname_that_makes_a_name_too_long_ends_the_chain(self) -> None:
        """No name of more than 255 bytes is made; the DNAME shows why."""
        chain = self.chain(f"example.com. 60 DNAME {'.'.join(['x' * 62] * 4)}.", rcode="YXDOMAIN")
        self.assertEqual((self.names(chain), chain.is_answered), ([(wire("example.com"), DNAME)], False))
        self.assertTrue(chain.is_too_long)

    def test_signatures_and_proofs_are_those_of_what_counts(self) -> None:
        """RRSIGs of the chain and of its proofs, for a question with DO alone; others, and of other types, are not."""
        sig = "60 RRSIG {} 8 2 60 20300101000000 20200101000000 1 example.com. AAAA"
        answer = [
            "www.example.com. 60 CNAME b.example.",
            f"www.example.com. {sig.format('CNAME')}",
            f"www.example.com. {sig.format('TXT')}",
            "b.example. 60 A 192.0.2.1",
            f"b.example. {sig.format('A')}",
            f"c.example. {sig.format('A')}",
        ]
        authority = [
            "example. 60 NS ns.example.",
            f"example. {sig.format('NS')}",
            "a.example. 60 NSEC c.example. A RRSIG NSEC",
            f"a.example. {sig.format('NSEC')}",
        ]
        chain = self.chain(*answer, authority=authority, asked=Question(WWW.key, A, dnssec=DNSSEC_OK))
        covered = [(text_of(one.name), [rdata[1] for rdata in one.rdatas]) for one in chain.signatures]
        self.assertEqual(covered, [("www.example.com", [CNAME]), ("b.example", [A])])
        self.assertEqual(
            [(text_of(one.name), one.rrtype) for one in chain.proofs],
            [("a.example", RRType.NSEC), ("a.example", RRType.RRSIG)],
        )
        chain = self.chain(*answer, authority=authority)
        self.assertEqual((len(chain.rrsets), chain.signatures, chain.proofs), (2, (), ()))

    def test_a_loop_ends_with_the_cname_that_closes_it(self) -> None:
        """Of one name, and of more."""
        chain = self.chain("www.example.com. 60 CNAME WWW.example.com.")
        self.assertEqual((len(chain.rrsets), chain.target, chain.is_answered), (1, WWW.key, False))
        chain = self.chain("www.example.com. 60 CNAME b.example.", "b.example. 60 CNAME www.example.com.")
        self.assertEqual((len(chain.rrsets), chain.target, chain.is_answered), (2, WWW.key, False))

    def test_a_chain_is_followed_only_so_far(self) -> None:
        """The rest has to be asked for."""
        links = [f"n{i}.example. 60 CNAME n{i + 1}.example." for i in range(40)]
        chain = self.chain(*links, asked=question("n0.example"))
        self.assertEqual((len(chain.rrsets), chain.target), (MOST_CNAMES, key_of(f"n{MOST_CNAMES}.example")))

    def test_of_several_cnames_at_one_name_the_first_counts(self) -> None:
        """There can be but one (RFC 2181, section 10.1)."""
        reply = Reply(
            Rcode.NOERROR, answer=(rrset("www.example.com", 60, CNAME, wire("b.example"), wire("c.example")),)
        )
        self.assertEqual(chain_of(WWW, reply).rrsets, (rrset("www.example.com", 60, CNAME, wire("b.example")),))

    def test_any_type_is_answered_by_all_of_the_name(self) -> None:
        """And by nothing of another."""
        chain = self.chain(
            "www.example.com. 60 A 192.0.2.1",
            "www.example.com. 60 TXT x",
            "b.example. 60 A 203.0.113.66",
            asked=question("www.example.com", ANY),
        )
        self.assertEqual(self.names(chain), [(wire("www.example.com"), A), (wire("www.example.com"), TXT)])
        self.assertTrue(chain.is_answered)

    def test_the_soa_of_a_negative_answer_is_that_of_a_zone_the_last_name_is_in(self) -> None:
        """Not that of an unrelated zone, nor of one below, and the first of several."""
        for owner, counts in (
            ("example.com.", True),
            ("WWW.Example.COM.", True),
            ("com.", True),
            (".", True),
            ("ample.com.", False),
            ("example.net.", False),
            ("a.www.example.com.", False),
        ):
            chain = self.chain(rcode="NXDOMAIN", authority=[f"{owner} 60 SOA . . 1 2 3 4 5"])
            self.assertEqual(chain.soa is not None, counts, owner)
        chain = self.chain(
            "www.example.com. 60 CNAME b.example.",
            authority=["example.com. 60 SOA . . 1 2 3 4 5", "example. 60 SOA . . 6 7 8 9 10"],
        )
        self.assertEqual(chain.soa and chain.soa.name, wire("example"))
        self.assertIsNone(self.chain(rcode="NXDOMAIN", authority=["com. 60 NS ns.example."]).soa)
        two = RRset(wire("com"), SOA, 60, (b"one", b"two"))
        self.assertEqual(chain_of(WWW, Reply(0, authority=(two,))).soa, RRset(wire("com"), SOA, 60, (b"one",)))

    @given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.booleans()), max_size=8))
    def test_any_tangle_gives_a_chain(self, links: list[tuple[str, str, bool]]) -> None:
        """Each RRset is of the name that the one before leads to, and the first of the name asked for."""
        answer = tuple(
            rrset(name, 60, A, b"\1\2\3\4") if is_end else rrset(name, 60, CNAME, wire(target))
            for name, target, is_end in links
        )
        chain = chain_of(question("a"), Reply(0, answer=answer))
        name = key_of("a")
        for each in chain.rrsets:
            self.assertEqual(each.key, name)
            name = each.rdatas[0] if each.rrtype == CNAME else name
        self.assertEqual(chain.target, name)
        self.assertFalse(is_opaque(chain.target))
