"""What validation decides at once, and the fast path that has it do so, held against the full path."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import dns.flags
import dns.message
import dns.name
import dns.rrset
from twisted.internet.defer import Deferred

from labnet.resolver.files.trust_anchors import TrustAnchors
from labnet.resolver.upstream.dns import DNSExchange, ExchangeOptions, upstream_of
from labnet.resolver.upstream.errors import Bogus
from labnet.resolver.upstream.infra import InfraCache
from labnet.resolver.upstream.selection import Parents
from labnet.resolver.validation.chain import TrustChain, TrustZone
from labnet.resolver.validation.parent import ValidatingParents
from labnet.resolver.validation.signatures import Keys, read_signature, signed_data
from labnet.resolver.validation.validator import Validator
from labnet.wire.dns_forward import encode_sections, encode_signed_query, signed_addresses
from labnet.wire.dns_upstream import Broken, Sent, decode_reply
from labnet.wire.names import ROOT, key_of
from labnet.wire.types import DNSSEC_OK, Answer, InfoCode, Question, Rcode, RRset, RRType, Security, Upstream
from tests.resolver.dnsfakes import FakeSockets
from tests.resolver.relayfakes import ADA, BOB, FastPathCase, asking
from tests.resolver.validation.trees import DAY, NAMES, NOW, Tree, TreeTests

TYPE_A = b"\0\1\0\1"


def section_of(name: str) -> bytes:
    """The question section for the addresses of ``name``."""
    (section,) = encode_sections([key_of(name)], [TYPE_A], bytes(len(key_of(name))))
    return section


def wire_of(tree: Tree, name: str) -> bytes:
    """What the tree's servers reply to the question for the addresses of ``name``."""
    query = dns.message.from_wire(encode_signed_query(b"\0\7", section_of(name)))
    return tree.world.reply(query).to_wire(max_size=65535)


class AtOnceTests(TreeTests):
    """One validator, asked both ways."""

    def begin(self, tree: Tree, anchors: TrustAnchors | None = None, insecure: tuple[str, ...] = ()) -> None:
        self.validator = Validator(self.chain(tree, anchors, insecure))

    def full(self, wire: bytes, name: str) -> tuple[Security, RRset] | None:
        """What the full path says, where the answer is one RRset and there is nothing to explain."""
        asked = Question(key_of(name), RRType.A)
        try:
            reply = decode_reply(wire, Sent(7, section_of(name)))
        except Broken:
            return None
        upstream = upstream_of(Question(asked.key, RRType.A, dnssec=DNSSEC_OK), reply, "192.0.2.53")
        validating = Deferred.fromCoroutine(self.validator.validate(asked, upstream))
        said: list[Upstream] = []
        validating.addCallback(lambda found: said.append(found[0]))
        validating.addErrback(lambda failure: failure.trap(Bogus))
        if not said:
            return None
        checked = said[0]
        if len(checked.rrsets) != 1 or checked.errors:
            return None
        return checked.security, replace(checked.rrsets[0], name=asked.key)

    def at_once(self, wire: bytes, name: str) -> tuple[Security, RRset] | None:
        """What is said at once, where the fast path can read the reply."""
        found = signed_addresses(wire, section_of(name))
        if found is None:
            return None
        ttl, addresses, signature = found
        return self.validator.at_once(RRset(key_of(name), RRType.A, ttl, addresses), signature)

    def test_what_is_said_at_once_is_what_the_full_path_says(self) -> None:
        """Of every name; all that is there without a wildcard or an alias can be said at once."""
        for how in ({}, {"nsec3": True}, {"nsec3": True, "opt_out": True}):
            tree = Tree(**how).grow()
            self.begin(tree)
            said = {}
            for name in NAMES:
                wire = wire_of(tree, name)
                self.assertIsNone(self.at_once(wire, name), "no link is known")
                full = self.full(wire, name)
                found = self.at_once(wire, name)
                if found is not None:
                    self.assertEqual(found, full, name)
                    said[name] = found[0]
                self.validator.forget()
            expected = dict.fromkeys(("www.lab.test", "deep.ent.lab.test", "*.wild.lab.test"), Security.SECURE)
            self.assertEqual(said, expected | {"www.plain.test": Security.INSECURE}, how)

    def test_no_reply_with_a_byte_changed_is_secure_that_was_not_signed(self) -> None:
        """Each byte of a reply, changed: it is not taken, or says what the full path says."""
        tree = Tree().grow()
        self.begin(tree)
        good = wire_of(tree, "www.lab.test")
        self.full(good, "www.lab.test")
        secure = 0
        random = Random(1)
        for at in range(2, len(good)):
            changed = good[:at] + bytes((good[at] ^ random.randrange(1, 256),)) + good[at + 1 :]
            found = self.at_once(changed, "www.lab.test")
            if found is not None:
                secure += 1
                self.assertEqual(found, self.full(changed, "www.lab.test"), at)
                self.assertEqual(found[1].rdatas, (b"\xc0\0\2\1",), at)
        self.assertGreater(secure, 0, "a TTL may be another one")

    def test_a_signature_that_does_not_hold_is_for_the_full_path(self) -> None:
        """Over, not yet valid, of another key, of another RRset, or missing."""
        for days in (-1, 40):
            tree = Tree().grow()
            self.begin(tree)
            wire = wire_of(tree, "www.lab.test")
            self.full(wire, "www.lab.test")
            self.assertIsNotNone(self.at_once(wire, "www.lab.test"))
            self.validator._chain.now = lambda days=days: NOW + days * DAY
            self.assertIsNone(self.at_once(wire, "www.lab.test"), days)
        tree, other = Tree().grow(), Tree().grow()
        self.begin(tree)
        self.full(wire_of(tree, "www.lab.test"), "www.lab.test")
        self.assertIsNone(self.at_once(wire_of(other, "www.lab.test"), "www.lab.test"))
        own, deep = (
            signed_addresses(wire_of(tree, name), section_of(name)) for name in ("www.lab.test", "deep.ent.lab.test")
        )
        assert own is not None
        assert deep is not None
        rrset = RRset(key_of("www.lab.test"), RRType.A, own[0], own[1])
        self.assertIsNotNone(self.validator.at_once(rrset, own[2]))
        of_other_type = b"\0\x1c" + own[2][2:]
        read = read_signature(of_other_type)
        assert read is not None
        of_other_type = of_other_type[:-64] + tree.keys["lab.test."].private.sign(signed_data(rrset, read))
        for signature in (deep[2], b"", own[2][:20], own[2][:-1], of_other_type):
            self.assertIsNone(self.validator.at_once(rrset, signature), signature)

    def test_a_name_that_was_made_of_a_wildcard_needs_a_proof(self) -> None:
        """Its signature holds; without the proof nothing is said."""
        tree = Tree().grow()
        self.begin(tree)
        self.full(wire_of(tree, "x.wild.lab.test"), "x.wild.lab.test")
        rrset, signed = decode_reply(wire_of(tree, "x.wild.lab.test"), Sent(7, section_of("x.wild.lab.test"))).answer
        self.assertIsNone(self.validator.at_once(rrset, signed.rdatas[0]))

    def test_a_remembered_link_that_is_broken_is_for_the_full_path(self) -> None:
        """Which says what is wrong with it."""
        tree = Tree()
        tree.how["lab.test."] = replace(tree.how["lab.test."], now=NOW - 100 * DAY)
        self.begin(tree.grow())
        wire = wire_of(tree, "www.lab.test")
        self.assertIsNone(self.full(wire, "www.lab.test"))
        self.assertIsNone(self.at_once(wire, "www.lab.test"))

    def test_an_insecure_zone_of_which_there_is_more_to_say_is_for_the_full_path(self) -> None:
        """As where its algorithm cannot be checked: the client is told."""
        tree = Tree().grow()
        self.begin(tree)
        wire = wire_of(tree, "www.plain.test")
        for code in (None, InfoCode.UNSUPPORTED_DNSKEY_ALGORITHM):
            zone = TrustZone(ROOT, Security.INSECURE, Keys(ROOT, ()), (), "signed by others", code)
            self.validator._chain.known_zone_of = lambda name, zone=zone: zone
            self.assertEqual(self.at_once(wire, "www.plain.test") is None, code is not None)

    def test_names_outside_of_all_anchors_need_no_signature(self) -> None:
        """Nor those that are told to be insecure, at once."""
        tree = Tree().grow()
        self.begin(tree, tree.anchors("lab.test."))
        found = self.at_once(wire_of(tree, "www.plain.test"), "www.plain.test")
        assert found is not None
        self.assertEqual(found[0], Security.INDETERMINATE)
        self.begin(tree, insecure=("lab.test",))
        found = self.at_once(wire_of(tree, "www.lab.test"), "www.lab.test")
        assert found is not None
        self.assertEqual(found[0], Security.INSECURE)


class CheckedPathTests(FastPathCase):
    """The fast path before a tree."""

    def setUp(self) -> None:
        self.tree = Tree().grow()
        super().setUp()
        self.reactor.advance(NOW - self.reactor.seconds())
        self.sockets = FakeSockets()
        self.counts: Counter[str] = Counter()
        options = ExchangeOptions(2.0, 3, True)
        self.exchange = DNSExchange(self.sockets, self.reactor, Random(1), InfraCache(10), options)
        self.serve(Parents([self.server(self.parent)], self.reactor, 2.0))
        chain = TrustChain(self.tree.anchors(), frozenset(), self.tree.ask, self.reactor)
        self.validator = Validator(chain)
        self.forwards[ROOT] = ValidatingParents(self.parents, self.validator, self.counts)
        self.port.resolver = self.resolver

    def reply(self, query: bytes) -> bytes:
        return self.tree.world.reply(dns.message.from_wire(query)).to_wire(max_size=65535)

    def exchanged(self, name: str, **options: object) -> tuple[list[dns.message.Message], list[Answer]]:
        """What two clients are answered that ask for the addresses of ``name``: on the fast path, and on the full."""
        self.port.replies.clear()
        self.port.answers.clear()
        self.assertTrue(self.take(asking(name, 1, **options), ADA))
        self.assertTrue(self.take(asking(name, 2), BOB))
        self.parent.answer(self.reply)
        self.reactor.turn()
        return [reply for _, reply in self.port.replies], self.port.answers

    def test_once_the_keys_are_known_a_secure_answer_is_passed_back(self) -> None:
        """With AD to who asks for it; it is learned as secure, without its signature."""
        fast, full = self.exchanged("www.lab.test")
        self.assertEqual((fast, [each.security for each in full]), ([], [Security.SECURE] * 2))
        fast, full = self.exchanged("deep.ent.lab.test", flags=dns.flags.RD | dns.flags.AD)
        self.assertEqual((full, [bool(each.flags & dns.flags.AD) for each in fast]), ([], [True, False]))
        self.assertEqual({str(each.answer) for each in fast}, {"[<DNS deep.ent.lab.test. IN A RRset: [<192.0.2.5>]>]"})
        answer = self.learned[-1][1].answer
        self.assertEqual((answer.security, answer.signatures), (Security.SECURE, ()))
        self.assertEqual((self.counts, self.sockets.opened, self.resolver.in_flight), ({"secure": 2}, [], 0))

    def test_what_is_not_signed_is_passed_back_where_it_need_not_be(self) -> None:
        """Without AD."""
        self.exchanged("www.lab.test")
        self.exchanged("www.plain.test")
        dns_name, text = dns.name.from_text("b.plain.test."), "192.0.2.8"
        self.tree.zones["plain.test."].replace_rdataset(dns_name, dns.rrset.from_text(dns_name, 60, "IN", "A", text))
        fast, full = self.exchanged("b.plain.test", flags=dns.flags.RD | dns.flags.AD)
        self.assertEqual((full, [each.flags & dns.flags.AD for each in fast]), ([], [0, 0]))
        self.assertEqual(self.learned[-1][1].answer.security, Security.INSECURE)

    def test_a_bogus_reply_costs_one_question_and_fails(self) -> None:
        """It is neither passed back nor learned."""
        self.exchanged("www.lab.test")
        node = self.tree.zones["lab.test."].find_rdataset(dns.name.from_text("deep.ent.lab.test."), "A")
        other = dns.rrset.from_text("deep.ent.lab.test.", 300, "IN", "A", "192.0.2.66")
        node.clear()
        node.update(other)
        fast, full = self.exchanged("deep.ent.lab.test")
        self.assertEqual((fast, [each.rcode for each in full]), ([], [Rcode.SERVFAIL] * 2))
        self.assertIn("does not fit", full[0].errors[0].text)
        self.assertEqual((len(self.learned), len(self.parent.asked), self.sockets.opened), (1, 2, []))
        self.assertEqual(self.counts, {"secure": 1, "bogus": 1})

    def test_what_is_proven_not_to_be_there_is_not_asked(self) -> None:
        """The full path answers it by the proof."""
        self.exchanged("b.lab.test")
        self.assertFalse(self.take(asking("c.lab.test")))
        self.assertTrue(self.take(asking("www.lab.test")))

    def test_a_wildcard_and_a_negative_answer_cost_one_question(self) -> None:
        """The full path goes on from the reply."""
        for name, rcode in (("x.wild.lab.test", 0), ("b.lab.test", 3)):
            fast, full = self.exchanged(name)
            self.assertEqual((fast, [(each.rcode, each.security) for each in full]), ([], [(rcode, 2)] * 2))
        self.assertEqual((len(self.parent.asked), self.sockets.opened), (2, []))
