"""Tests for :mod:`labnet.resolver.validation.validator`: what a reply is, for each kind of reply there is."""

from __future__ import annotations

from dataclasses import replace

import dns.message
import dns.name
import dns.rcode
import dns.rdata
from twisted.internet.defer import Deferred

from labnet.resolver.upstream.errors import Bogus
from labnet.resolver.validation.validator import Validator
from labnet.resolver.validation.work import MOST_FAILURES
from labnet.signing.zone import Signing, sign
from labnet.wire.types import DNSSEC_OK, InfoCode, RRType, Upstream
from tests.resolver.validation.trees import DAY, NAMES, NOW, Tree, TreeTests, key, question

EVERY = (
    "www.lab.test A",
    "alias.lab.test A",
    "x.wild.lab.test A",
    "x.wild.lab.test MX",
    "www.lab.test MX",
    "ent.lab.test A",
    "nothing.lab.test A",
    "a.b.nothing.lab.test A",
    "a.old.lab.test A",
    "lab.test DS",
    "lab.test DNSKEY",
    ". DNSKEY",
    ". DS",
    "nowhere A",
)
"""A question for each kind of answer and of proof."""


class SecureTests(TreeTests):
    """What the owner of a zone signed."""

    def test_every_kind_of_answer_is_secure_with_nsec(self) -> None:
        """Positive, an alias, a wildcard, NODATA, NXDOMAIN, a DNAME, at the apex and at the root."""
        tree = Tree().grow()
        self.assertEqual({text: self.verdict(tree, text) for text in EVERY}, dict.fromkeys(EVERY, "secure"))

    def test_every_kind_of_answer_is_secure_with_nsec3(self) -> None:
        """As with NSEC."""
        tree = Tree(nsec3=True, salt=b"\1", iterations=3).grow()
        self.assertEqual({text: self.verdict(tree, text) for text in EVERY}, dict.fromkeys(EVERY, "secure"))

    def test_no_question_about_a_signed_tree_is_bogus(self) -> None:
        """Of any name and type; nothing about a zone that is not signed is secure, but for its DS."""
        types = ("A", "MX", "DS", "NS", "CNAME", "DNAME", "SOA", "DNSKEY", "NSEC", "ANY", "TYPE65400")
        for how in ({}, {"nsec3": True}, {"nsec3": True, "opt_out": True}):
            tree = Tree(**how).grow()
            chain = self.chain(tree)
            for text in [f"{name} {rrtype}" for name in NAMES for rrtype in types]:
                found = self.verdict(tree, text, chain)
                is_unsigned = "plain.test" in text and (text != "plain.test DS" or "opt_out" in how)
                is_certain = "opt_out" not in how and not text.startswith("out.lab.test")
                self.assertIn(
                    found, ("insecure",) if is_unsigned else ("secure",) if is_certain else ("secure", "insecure")
                )

    def test_the_reason_names_the_way_from_the_anchor(self) -> None:
        """Zone by zone."""
        verdict = self.validated(Tree().grow(), "www.lab.test A")[1]
        self.assertEqual(verdict.reason, "signed by lab.test, by way of . → test → lab.test")

    def test_signatures_are_given_to_who_asked_for_them_alone(self) -> None:
        """With DO they stay, and so do proofs; without it neither does."""
        tree = Tree().grow()
        shown = self.validated(tree, "x.wild.lab.test A", dnssec=DNSSEC_OK)[0]
        self.assertTrue(shown.signatures)
        self.assertTrue(shown.proofs)
        hidden = self.validated(tree, "x.wild.lab.test A")[0]
        self.assertEqual((hidden.signatures, hidden.proofs), ((), ()))
        self.assertEqual(hidden.rrsets, shown.rrsets)

    def test_a_ttl_is_at_most_what_was_signed_and_what_the_signature_has_left(self) -> None:
        """RFC 4035, section 5.3.3."""
        tree = Tree().grow()
        self.patch(tree, "told", lambda asked: _with_ttl(Tree.told(tree, asked), 90_000))
        self.assertEqual(self.validated(tree, "www.lab.test A")[0].rrsets[0].ttl, 300)
        tree = Tree()
        tree.how["lab.test."] = Signing(NOW, days=100 / DAY)
        self.assertEqual(self.validated(tree.grow(), "www.lab.test A")[0].rrsets[0].ttl, 100)

    def test_a_negative_ttl_is_at_most_that_of_the_proof(self) -> None:
        """RFC 9077; who does not get the proof has to hear of it by the SOA."""
        soa = self.validated(Tree().grow(), "nothing.lab.test A")[0].soa
        assert soa is not None
        self.assertEqual(soa.ttl, 60)


class InsecureTests(TreeTests):
    """What is proven to need no signature."""

    def test_below_an_insecure_delegation_nothing_is_signed(self) -> None:
        """It is proven that its zone has no DS."""
        tree = Tree().grow()
        for text in ("www.plain.test A", "nothing.plain.test A", "plain.test NS"):
            self.assertEqual(self.verdict(tree, text), "insecure")
        self.assertIn("test proves that plain.test has no DS", self.validated(tree, "www.plain.test A")[1].reason)
        self.assertEqual(self.verdict(tree, "plain.test DS"), "secure")

    def test_a_delegation_that_is_opted_out_is_insecure(self) -> None:
        """So is what is not there beside it: there might be another one."""
        tree = Tree(nsec3=True, opt_out=True).grow()
        self.assertEqual(self.verdict(tree, "www.plain.test A"), "insecure")
        self.assertEqual(self.verdict(tree, "nothing.test A"), "insecure")
        self.assertEqual(self.verdict(tree, "www.lab.test A"), "secure")

    def test_a_chain_is_as_secure_as_its_least_secure_part(self) -> None:
        """A signed alias leads to a name that is not signed."""
        self.assertEqual(self.verdict(Tree().grow(), "out.lab.test A"), "insecure")

    def test_too_many_iterations_prove_nothing_and_are_told(self) -> None:
        """RFC 9276, section 3.2; 150 of them count."""
        tree = Tree(nsec3=True, iterations=151).grow()
        upstream, verdict = self.validated(tree, "nothing.lab.test A")
        self.assertEqual(verdict.security.word, "insecure")
        self.assertEqual(upstream.errors[-1].code, InfoCode.UNSUPPORTED_NSEC3_ITERATIONS)
        self.assertEqual(self.verdict(Tree(nsec3=True, iterations=150).grow(), "nothing.lab.test A"), "secure")

    def test_a_name_in_the_list_is_not_validated(self) -> None:
        """Nor what is below it, whatever is wrong there."""
        tree = Tree()
        tree.how["lab.test."] = Signing(NOW - 90 * DAY)
        tree.grow()
        chain = self.chain(tree, insecure=["lab.test"])
        self.assertEqual(self.verdict(tree, "www.lab.test A", chain), "insecure")
        self.assertEqual(self.verdict(tree, "nowhere A", chain), "secure")

    def test_without_an_anchor_above_it_an_answer_is_indeterminate(self) -> None:
        """And where one is, it is the nearest that counts."""
        tree = Tree().grow()
        chain = self.chain(tree, tree.anchors("lab.test."))
        self.assertEqual(self.verdict(tree, "www.lab.test A", chain), "secure")
        self.assertEqual(self.verdict(tree, "www.plain.test A", chain), "indeterminate")
        self.assertEqual(tree.asked, ["lab.test DNSKEY"])

    def test_a_signer_above_the_nearest_anchor_does_not_put_it_out_of_force(self) -> None:
        """The anchor is for a zone that the zone above does not vouch for; its own names are insecure."""
        tree = Tree()
        del tree.keys["test."], tree.how["test."]
        tree.grow()
        chain = self.chain(tree, tree.anchors(".", "lab.test."))
        self.assertEqual(self.verdict(tree, "www.lab.test A", chain), "secure")
        found = tree.zones["lab.test."].get_rdataset(dns.name.from_text("www.lab.test."), "RRSIG", "A")
        found.add(found[0].replace(signer=dns.name.from_text("test.")), 300)
        found.remove(found[0])
        self.assertEqual(self.bogus(tree, "www.lab.test A", chain)[0], InfoCode.DNSSEC_BOGUS)


class BogusTests(TreeTests):
    """What is wrong, in a sentence, and the code that a client gets (RFC 8914)."""

    def test_a_signature_that_is_over(self) -> None:
        """Since when is told."""
        tree = Tree()
        tree.how["lab.test."] = Signing(NOW - 60 * DAY)
        code, says = self.bogus(tree.grow(), "www.lab.test A")
        self.assertEqual(code, InfoCode.SIGNATURE_EXPIRED)
        tag = tree.keys["lab.test."].tag
        self.assertEqual(
            says, f"the signature of lab.test DNSKEY by key {tag} of lab.test expired 2026-12-16 08:00:00 UTC"
        )

    def test_a_signature_that_is_not_yet_valid(self) -> None:
        """From when on is told."""
        tree = Tree()
        tree.how["lab.test."] = Signing(NOW + 60 * DAY)
        code, says = self.bogus(tree.grow(), "www.lab.test A")
        self.assertEqual(code, InfoCode.SIGNATURE_NOT_YET_VALID)
        self.assertIn("is not valid before 2027-03-16 07:00:00 UTC", says)

    def test_records_that_were_changed(self) -> None:
        """The signature does not fit them."""
        tree = Tree().grow()
        rdataset = tree.zones["lab.test."].find_rdataset(dns.name.from_text("www.lab.test."), "A")
        rdataset.clear()
        rdataset.add(dns.rdata.from_text("IN", "A", "192.0.2.66"), 300)
        code, says = self.bogus(tree, "www.lab.test A")
        self.assertEqual(code, InfoCode.DNSSEC_BOGUS)
        self.assertIn("the signature of www.lab.test A by key", says)
        self.assertIn("does not fit", says)

    def test_records_without_a_signature(self) -> None:
        """In a zone that is signed."""
        tree = Tree().grow()
        tree.zones["lab.test."].delete_rdataset(dns.name.from_text("www.lab.test."), "RRSIG", "A")
        self.assertEqual(
            self.bogus(tree, "www.lab.test A"),
            (InfoCode.RRSIGS_MISSING, "www.lab.test A has no signature, and lab.test is signed"),
        )

    def test_a_zone_that_is_not_signed_though_its_parent_says_so(self) -> None:
        """Its keys are missing."""
        tree = Tree().grow()
        plain = dns.name.from_text("plain.test.")
        tree.zones["test."].find_rdataset(plain, "DS", create=True).add(key().ds(plain), 300)
        sign(tree.zones["test."], tree.keys["test."], Signing(NOW))
        code, says = self.bogus(tree, "www.plain.test A")
        self.assertEqual((code, says), (InfoCode.DNSKEY_MISSING, "plain.test is vouched for, and has no keys"))

    def test_another_key_than_the_parent_vouches_for(self) -> None:
        """Both tags are told."""
        tree = Tree()
        other = tree.keys["lab.test."]
        tree.grow()
        tree.keys["lab.test."] = mine = key()
        sign(tree.zones["lab.test."], mine, Signing(NOW))
        code, says = self.bogus(tree, "www.lab.test A")
        self.assertEqual(code, InfoCode.DNSKEY_MISSING)
        self.assertEqual(
            says,
            f"lab.test has no key with tag {other.tag} that fits what vouches for it; its keys are {mine.tag}",
        )

    def test_a_proof_that_is_missing(self) -> None:
        """Of each kind: NXDOMAIN, NODATA, and a wildcard's."""
        for how in ({}, {"nsec3": True}):
            tree = Tree(**how).grow()
            tree.world.mangles[dns.name.from_text("lab.test.")] = lambda reply: reply.authority.clear()
            for text in ("nothing.lab.test A", "www.lab.test MX", "x.wild.lab.test A"):
                self.assertEqual(self.bogus(tree, text)[0], InfoCode.NSEC_MISSING, text)

    def test_a_proof_of_another_kind(self) -> None:
        """NXDOMAIN for a name that is there, and NODATA for one that is not."""
        tree = Tree().grow()

        def mangle(reply: dns.message.Message) -> None:
            reply.set_rcode(dns.rcode.NXDOMAIN if reply.rcode() == dns.rcode.NOERROR else dns.rcode.NOERROR)

        tree.world.mangles[dns.name.from_text("lab.test.")] = mangle
        self.assertEqual(self.bogus(tree, "www.lab.test MX")[0], InfoCode.NSEC_MISSING)
        self.assertEqual(self.bogus(tree, "nothing.lab.test A")[0], InfoCode.NSEC_MISSING)

    def test_a_wildcards_answer_for_a_name_that_is_there(self) -> None:
        """The proof is of another name, and says so."""
        tree = Tree().grow()
        told = tree.told(question("x.wild.lab.test A"))
        forged = replace(
            told,
            rrsets=tuple(replace(each, name=b"\x03www\x03lab\x04test\0") for each in told.rrsets),
            signatures=tuple(replace(each, name=b"\x03www\x03lab\x04test\0") for each in told.signatures),
        )
        self.patch(tree, "told", lambda asked: forged if asked.rrtype == RRType.A else Tree.told(tree, asked))
        self.assertEqual(self.bogus(tree, "www.lab.test A")[0], InfoCode.DNSSEC_BOGUS)

    def test_an_alias_that_no_dname_makes(self) -> None:
        """One at the DNAME's own name, one to elsewhere; neither has a signature."""
        tree = Tree().grow()
        told = tree.told(question("a.old.lab.test A"))
        dname, cname = told.rrsets[:2]
        for changed in (replace(cname, name=dname.name, rdatas=dname.rdatas), replace(cname, rdatas=(b"\1x\0",))):
            forged = replace(told, rrsets=(dname, changed))
            validating = Deferred.fromCoroutine(
                Validator(self.chain(tree)).validate(question("a.old.lab.test A"), forged)
            )
            self.assertEqual(self.failureResultOf(validating, Bogus).value.code, InfoCode.RRSIGS_MISSING)

    def test_signatures_that_do_not_fit_are_tried_up_to_a_bound(self) -> None:
        """KeyTrap: many signatures by many keys of one tag."""
        tree = Tree().grow()
        found = tree.zones["lab.test."].get_rdataset(dns.name.from_text("www.lab.test."), "RRSIG", "A")
        right = found[0]
        found.clear()
        for number in range(50):
            found.add(right.replace(signature=number.to_bytes(2, "big") + right.signature[2:]), 300)
        self.assertEqual(self.bogus(tree, "www.lab.test A")[0], InfoCode.DNSSEC_BOGUS)
        self.assertLess(MOST_FAILURES, 50)


def _with_ttl(upstream: Upstream, ttl: int) -> Upstream:
    return replace(upstream, rrsets=tuple(replace(each, ttl=ttl) for each in upstream.rrsets))
