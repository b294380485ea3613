"""Tests for :mod:`labnet.wire.reply_chain`: what of a reply may be believed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.dns_upstream import Sent, decode_reply, encode_query
from labnet.wire.names import is_opaque, key_of, text_of
from labnet.wire.reply_chain import MOST_CNAMES, ReplyChain, chain_of
from labnet.wire.types import (
    DNSSEC_OK,
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
    question,
    reply_to,
    rrset,
    wire,
)
from tests.wire.samples import WWW


class ChainTests(SynchronousTestCase):
    """The records of a reply that count, in order."""

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

    def test_an_alias_that_is_asked_for_comes_behind_the_dname_that_makes_it(self) -> None:
        """The DNAME alone is signed, so nothing else could prove it."""
        for rrtype in (CNAME, ANY):
            chain = self.chain(
                "example.com. 60 DNAME example.net.",
                "www.example.com. 60 CNAME www.example.net.",
                asked=question("www.example.com", rrtype),
            )
            self.assertEqual(self.names(chain), [(wire("example.com"), DNAME), (wire("www.example.com"), CNAME)])
            self.assertTrue(chain.is_answered)

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
