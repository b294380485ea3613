"""Tests for :mod:`labnet.resolver.validation.chain`: which zone a name is in, what is asked for that, and how often."""

from __future__ import annotations

import dns.name
from twisted.internet.defer import Deferred, fail
from twisted.logger import LogEvent, globalLogPublisher

from labnet.resolver.files.trust_anchors import parse_anchors
from labnet.resolver.upstream.errors import Bogus, ParentFailed
from labnet.resolver.validation.chain import TrustChain, TrustZone
from labnet.wire.names import key_of, text_of
from labnet.wire.types import InfoCode, Question, Security, Upstream
from tests.resolver.validation.trees import Tree, TreeTests, key, question

ALL = [". DNSKEY", "test DS", "test DNSKEY", "lab.test DS", "lab.test DNSKEY"]


class ChainTests(TreeTests):
    """Links, from the anchor down."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = Tree().grow()
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def zone_of(self, chain: TrustChain, name: str) -> TrustZone:
        return self.successResultOf(Deferred.fromCoroutine(chain.zone_of(key_of(name))))

    def warned(self) -> list[str]:
        """The ids of what was logged."""
        return [str(event["event"]) for event in self.events if "event" in event]

    def test_each_link_is_asked_for_once(self) -> None:
        """And remembered for its TTL; what is below is asked for anew then."""
        chain = self.chain(self.tree)
        zone = self.zone_of(chain, "lab.test")
        self.assertEqual(zone.security, Security.SECURE)
        self.assertEqual([text_of(each) for each in zone.path], [".", "test"])
        self.assertEqual(self.tree.asked, ALL)
        self.zone_of(chain, "lab.test")
        self.assertEqual(self.tree.asked, ALL)
        self.clock.advance(301)
        self.zone_of(chain, "lab.test")
        self.assertEqual(self.tree.asked, ALL + ALL)

    def test_a_name_that_is_no_zone_is_in_the_one_above(self) -> None:
        """Of a name that is not there nothing below is asked for."""
        chain = self.chain(self.tree)
        for name in ("www.lab.test", "ent.lab.test", "x.y.z.nothing.lab.test", "a.old.lab.test", "x.alias.lab.test"):
            self.assertEqual(text_of(self.zone_of(chain, name).name), "lab.test", name)
        asked = self.tree.asked[len(ALL) :]
        self.assertEqual(
            asked, ["www.lab.test DS", "ent.lab.test DS", "nothing.lab.test DS", "old.lab.test DS", "a.old.lab.test DS",
                    "alias.lab.test DS"]
        )  # fmt: skip

    def test_who_needs_the_same_link_waits_for_it(self) -> None:
        """It is asked for once; who is left alone has it given up."""
        waiting: list[Deferred[Upstream]] = []
        cancelled: list[object] = []

        def ask(asked: Question) -> Deferred[Upstream]:
            waiting.append(Deferred(cancelled.append))
            return waiting[-1]

        chain = TrustChain(self.tree.anchors(), frozenset(), ask, self.clock)
        both = [Deferred.fromCoroutine(chain.zone_of(key_of("lab.test"))) for _ in range(2)]
        self.assertEqual(len(waiting), 1)
        both[0].cancel()
        self.failureResultOf(both[0])
        self.assertEqual(cancelled, [])
        both[1].cancel()
        self.failureResultOf(both[1])
        self.assertEqual(cancelled, waiting)
        self.zone_of(self.chain(self.tree), "lab.test")

    def test_a_link_that_cannot_be_had_is_not_remembered(self) -> None:
        """It is no word on the zone; the failure says what it was for."""
        chain = self.chain(self.tree)
        chain.ask = lambda asked: fail(ParentFailed("nobody answers"))
        failure = self.failureResultOf(Deferred.fromCoroutine(chain.zone_of(key_of("lab.test"))), ParentFailed)
        self.assertEqual(failure.getErrorMessage(), "what is in . needs . DNSKEY, which cannot be had: nobody answers")
        self.assertNotIsInstance(failure.value, Bogus)
        chain.ask = self.tree.ask
        self.assertEqual(self.zone_of(chain, "lab.test").security, Security.SECURE)

    def test_a_link_that_is_bogus_is_remembered_for_a_moment(self) -> None:
        """So a zone that is broken does not cost a walk for each question."""
        self.tree.zones["test."].delete_rdataset(dns.name.from_text("lab.test."), "RRSIG", "DS")
        chain = self.chain(self.tree)
        for _ in range(2):
            self.failureResultOf(Deferred.fromCoroutine(chain.zone_of(key_of("lab.test"))), Bogus)
        self.assertEqual(self.tree.asked, ALL[:4])
        self.clock.advance(6)
        self.failureResultOf(Deferred.fromCoroutine(chain.zone_of(key_of("lab.test"))), Bogus)
        self.assertEqual(self.tree.asked, [*ALL[:4], ALL[3]])

    def test_an_anchor_that_fits_no_key_is_told_once(self) -> None:
        """All below is bogus then."""
        anchors = parse_anchors(f". DS {key().ds(dns.name.root)}".encode(), "old.anchors")
        chain = self.chain(self.tree, anchors)
        for _ in range(2):
            code, says = self.bogus(self.tree, "www.lab.test A", chain)
            self.assertEqual(code, InfoCode.DNSKEY_MISSING)
            self.assertIn("the trust anchor of . leads to no key of it (old.anchors)", says)
            self.clock.advance(6)
        self.assertEqual(self.warned(), ["dnssec.anchor-fails"])

    def test_an_anchor_that_is_not_used_any_more_is_told(self) -> None:
        """Another one leads to a key."""
        old = key()
        text = f". DS {old.ds(dns.name.root)}\n. DS {self.tree.keys['.'].ds(dns.name.root)}\n"
        self.assertEqual(
            self.verdict(self.tree, "www.lab.test A", self.chain(self.tree, parse_anchors(text.encode()))), "secure"
        )
        self.assertEqual(self.warned(), ["dnssec.anchor-unused"])
        self.assertEqual(self.events[-1]["tags"], str(old.tag))

    def test_an_anchor_of_an_unknown_kind_makes_its_zone_insecure(self) -> None:
        """And that is told."""
        chain = self.chain(self.tree, parse_anchors(b". DS 1 200 2 " + b"aa" * 32))
        self.assertEqual(self.verdict(self.tree, "www.lab.test A", chain), "insecure")
        self.assertEqual(self.warned(), ["dnssec.anchor-unusable"])

    def test_an_anchor_may_be_a_key(self) -> None:
        """As it stands in the zone."""
        text = f". DNSKEY {self.tree.keys['.'].public.to_text()}"
        self.assertEqual(
            self.verdict(self.tree, "www.lab.test A", self.chain(self.tree, parse_anchors(text.encode()))), "secure"
        )

    def test_a_name_far_below_its_anchor_is_not_walked_to(self) -> None:
        """So many links are followed for one reply."""
        deep = ".".join("a" * 100) + ".lab.test"
        zone = self.tree.zones["lab.test."]
        from labnet.signing.zone import Signing, sign
        from tests.resolver.validation.trees import NOW

        zone.find_rdataset(dns.name.from_text(deep), "A", create=True).add(
            dns.rdata.from_text("IN", "A", "192.0.2.1"), 300
        )
        sign(zone, self.tree.keys["lab.test."], Signing(NOW))
        zone.delete_rdataset(dns.name.from_text(deep), "RRSIG", "A")
        self.assertIn("more than 40 links", self.bogus(self.tree, f"{deep} A")[1])

    def test_what_is_done_is_told_link_by_link(self) -> None:
        """For who traces a name."""
        told: list[str] = []
        chain = TrustChain(self.tree.anchors(), frozenset(), self.tree.ask, self.clock, told.append)
        self.zone_of(chain, "lab.test")
        self.zone_of(chain, "plain.test")
        tags = {origin: each.tag for origin, each in self.tree.keys.items()}
        self.assertEqual(
            told,
            [
                f"the trust anchor vouches for key {tags['.']} of ., which signs itself",
                f"the DS in . vouches for key {tags['test.']} of test, which signs itself",
                f"the DS in test vouches for key {tags['lab.test.']} of lab.test, which signs itself",
                "test proves that plain.test has no DS",
            ],
        )

    def test_the_question_has_what_is_needed(self) -> None:
        """Signatures and proofs, and also what another resolver takes for bogus."""
        asked: list[int] = []
        chain = self.chain(self.tree)
        chain.ask = lambda each: (asked.append(each.dnssec), self.tree.ask(each))[1]
        self.zone_of(chain, "test")
        self.assertEqual(set(asked), {3})
        self.assertEqual(question("www.lab.test A").dnssec, 0)
