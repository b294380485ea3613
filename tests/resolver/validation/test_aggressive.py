"""Tests for :mod:`labnet.resolver.validation.aggressive`: what is answered by proofs that are known already."""

from __future__ import annotations

from collections import Counter

import dns.name
from twisted.internet.defer import Deferred

from labnet.resolver.files.trust_anchors import parse_anchors
from labnet.resolver.upstream.errors import Bogus
from labnet.resolver.validation.aggressive import MOST_PROOFS, KnownDenials, Proven
from labnet.resolver.validation.parent import ValidatingParent
from labnet.resolver.validation.validator import SecurityVerdict, Validator
from labnet.wire.names import ROOT, key_of
from labnet.wire.types import CHECKING_DISABLED, DNSSEC_OK, Question, Rcode, RRset, RRType, Security, Upstream
from tests.resolver.validation.test_parent import Parent
from tests.resolver.validation.trees import NAMES, Tree, TreeTests, question


class AggressiveTests(TreeTests):
    """A parent that says what the tree does, and is asked no more than it has to be."""

    def setUp(self) -> None:
        super().setUp()
        self.begin(Tree().grow())

    def begin(self, tree: Tree, **chain: object) -> None:
        self.parent = Parent(tree)
        self.validator = Validator(self.chain(tree, **chain))
        self.validating = ValidatingParent(self.parent, self.validator, Counter())

    def ask(self, text: str, dnssec: int = 0) -> tuple[Upstream, bool]:
        """What is answered, and whether the parent was asked for it."""
        before = len(self.parent.asked)
        upstream = self.successResultOf(self.validating.ask(question(text, dnssec)))
        return upstream, len(self.parent.asked) > before

    def test_names_that_a_proof_covers_are_known_not_to_be_there(self) -> None:
        """Of any type, with the SOA, secure, for as long as the proof holds."""
        self.assertTrue(self.ask("b.lab.test A")[1])
        self.clock.advance(20)
        upstream, is_asked = self.ask("c.lab.test MX")
        self.assertEqual((is_asked, upstream.rcode, upstream.security), (False, Rcode.NXDOMAIN, Security.SECURE))
        assert upstream.soa is not None
        self.assertEqual(
            (upstream.soa.key, upstream.soa.ttl, upstream.parent), (key_of("lab.test"), 40, "a proof of lab.test")
        )
        self.assertEqual(upstream.proofs, ())
        self.clock.advance(41)
        self.assertTrue(self.ask("c.lab.test A")[1])

    def test_who_validates_by_itself_gets_the_proofs(self) -> None:
        """Which it finds as secure as those of the zone."""
        self.ask("b.lab.test A")
        upstream, is_asked = self.ask("c.lab.test A", DNSSEC_OK)
        self.assertFalse(is_asked)
        self.assertTrue({RRType.NSEC, RRType.RRSIG} <= {each.rrtype for each in upstream.proofs})
        asked = question("c.lab.test A")
        checked = self.successResultOf(self.deferred(asked, upstream))
        self.assertEqual(checked[1].security, Security.SECURE)

    def deferred(self, asked: Question, upstream: Upstream) -> Deferred[tuple[Upstream, SecurityVerdict]]:
        return Deferred.fromCoroutine(Validator(self.chain(self.parent.tree)).validate(asked, upstream))

    def test_types_that_a_name_lacks_and_names_between_are_known(self) -> None:
        """NODATA by the record of the name, of a wildcard, and of the one before an empty non-terminal."""
        for first, then in (
            ("www.lab.test MX", "www.lab.test TXT"),
            ("ent.lab.test A", "ent.lab.test MX"),
            ("x.wild.lab.test MX", "y.wild.lab.test TXT"),
        ):
            self.begin(self.parent.tree)
            self.ask(first)
            upstream, is_asked = self.ask(then)
            self.assertEqual((is_asked, upstream.rcode), (False, Rcode.NOERROR), then)

    def test_nothing_else_is_known(self) -> None:
        """What is there, what a wildcard gives, what lies below a delegation or another anchor, and with CD."""
        self.ask("b.lab.test A")
        self.ask("x.wild.lab.test MX")
        self.ask("nothing.test A")
        for text in (
            "www.lab.test A",
            "y.wild.lab.test A",
            "www.plain.test A",
            "plain.test NS",
            "deep.ent.lab.test A",
        ):
            self.assertTrue(self.ask(text)[1], text)
        self.assertTrue(self.ask("c.lab.test A", CHECKING_DISABLED)[1])

    def test_a_zone_with_an_anchor_of_its_own_is_not_denied_by_one_above(self) -> None:
        """Nor is a domain that is not validated."""
        tree = Tree().grow()
        self.begin(tree, anchors=tree.anchors(".", "lab.test."), insecure=["home"])
        self.ask("b.test A")
        self.ask("a A")
        self.assertTrue(self.ask("www.lab.test MX")[1])
        self.assertTrue(self.ask("nas.home A")[1])
        self.assertFalse(self.ask("b A")[1])

    def test_a_zone_that_no_other_knows_is_not_denied(self) -> None:
        """It has an anchor of its own, and no delegation."""
        tree = Tree().grow()
        ds = tree.keys["test."].ds(dns.name.from_text("nowhere.test."))
        text = f". DS {tree.keys['.'].ds(dns.name.root)}\nnowhere.test. DS {ds}\n"
        self.begin(tree, anchors=parse_anchors(text.encode()))
        self.ask("other.test A")
        self.assertFalse(self.ask("nothing.test A")[1])
        before = len(self.parent.asked)
        self.failureResultOf(self.validating.ask(question("www.nowhere.test A")), Bogus)
        self.assertEqual(len(self.parent.asked), before + 1)

    def test_a_delegation_is_no_proof_of_what_is_on_its_other_side(self) -> None:
        """Its DS is not there, and that is all that is known."""
        self.ask("plain.test DS")
        self.assertFalse(self.ask("plain.test DS")[1])
        self.assertTrue(self.ask("plain.test A")[1])

    def test_what_is_insecure_or_hashed_is_not_learned(self) -> None:
        """An opted-out range has names in it."""
        for how in ({"nsec3": True}, {"nsec3": True, "opt_out": True}):
            self.begin(Tree(**how).grow())
            self.ask("b.lab.test A")
            self.assertTrue(self.ask("b.lab.test A")[1])

    def test_what_follows_from_proofs_is_what_the_zones_say(self) -> None:
        """Whatever was asked before, of every name and type that is there, is not, or is somebody else's."""
        tree = self.parent.tree
        texts = [f"{name} {rrtype}" for name in NAMES for rrtype in ("A", "MX", "DS", "NS", "CNAME")]
        told = {text: tree.told(question(text)) for text in texts}
        found = 0
        for first in [*texts, None]:
            if first is None:
                for text in texts:
                    self.ask(text)
            else:
                self.begin(tree)
                self.ask(first)
            for text, says in told.items():
                known = self.validator.known(question(text))
                if known is not None:
                    found += 1
                    self.assertEqual((known.rcode, known.rrsets), (says.rcode, says.rrsets), (first, text))
        self.assertGreater(found, 500)

    def test_a_proof_that_cannot_be_read_is_none(self) -> None:
        """Whoever signed it; those beside it count."""
        known = KnownDenials()
        lab, next_name = key_of("lab.test"), key_of("www.lab.test")
        soa = Proven(RRset(lab, RRType.SOA, 60, (b"",)), (), 100)
        nsec = [
            Proven(RRset(lab, RRType.NSEC, 60, (rdata,)), (), 100) for rdata in (b"\x03ww", next_name + b"\0\1\x40")
        ]
        known.learn(lab, soa, nsec[:1])
        self.assertIsNone(known.find(question("b.lab.test A"), ROOT, 0))
        known.learn(lab, soa, nsec)
        self.assertIsNotNone(known.find(question("b.lab.test A"), ROOT, 0))

    def test_a_flush_forgets_it(self) -> None:
        """And the keys of zones, too."""
        self.ask("b.lab.test A")
        self.validator.forget()
        self.assertTrue(self.ask("c.lab.test A")[1])

    def test_what_is_remembered_has_a_bound(self) -> None:
        """Of each zone."""
        known = KnownDenials()
        soa = Proven(RRset(ROOT, RRType.SOA, 60, (b"",)), (), 1e9)
        for number in range(2 * MOST_PROOFS):
            owner = b"\x04%04d\0" % number
            known.learn(ROOT, soa, [Proven(RRset(owner, RRType.NSEC, 60, (b"\x01z\0\0\1\x40",)), (), 1e9)])
        found = [known.find(question(f"{number:04} MX"), ROOT, 0.0) for number in range(2 * MOST_PROOFS)]
        self.assertLessEqual(sum(each is not None for each in found), MOST_PROOFS)
