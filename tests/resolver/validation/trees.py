"""A small signed tree for unit tests, and what validates in it without sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.zone
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.trust_anchors import TrustAnchors, parse_anchors
from labnet.resolver.upstream.dns import upstream_of
from labnet.resolver.upstream.errors import Bogus
from labnet.resolver.validation.chain import TrustChain
from labnet.resolver.validation.validator import SecurityVerdict, Validator
from labnet.signing.zone import Key, Signing, make_key, sign
from labnet.wire.dns_upstream import Sent, decode_reply
from labnet.wire.names import key_of
from labnet.wire.types import DNSSEC_OK, InfoCode, Question, Upstream
from tests.resolver.validation.world import World

NOW = 1_800_000_000
DAY = 86_400
TTL = 300

HEAD = "$ORIGIN {origin}\n$TTL 300\n@ SOA ns.test. admin.test. 1 3600 600 86400 60\n@ NS ns.test.\n"
ZONES = {
    ".": "",
    "test.": "",
    "lab.test.": "www A 192.0.2.1\nalias CNAME www\nout CNAME www.plain.test.\n*.wild A 192.0.2.4\n"
    "deep.ent A 192.0.2.5\nold DNAME new\na.new A 192.0.2.6\n",
    "plain.test.": "www A 192.0.2.7\n",
}
"""The zones of the tree; that of plain.test is not signed."""

NAMES = (
    ".",
    "test",
    "lab.test",
    "www.lab.test",
    "alias.lab.test",
    "out.lab.test",
    "old.lab.test",
    "a.old.lab.test",
    "b.old.lab.test",
    "ent.lab.test",
    "deep.ent.lab.test",
    "wild.lab.test",
    "x.wild.lab.test",
    "*.wild.lab.test",
    "b.lab.test",
    "x.www.lab.test",
    "x.alias.lab.test",
    "zz.lab.test",
    "plain.test",
    "www.plain.test",
    "x.plain.test",
    "b.test",
    "nowhere",
    "x.nowhere",
)
"""One of each kind that there is in the tree, and that there is not."""


def key() -> Key:
    """A new key of the usual kind."""
    return make_key("ECDSAP256SHA256")


def question(text: str, dnssec: int = 0) -> Question:
    """The question in ``name type``."""
    name, rrtype = text.split()
    return Question(key_of(name), int(dns.rdatatype.from_text(rrtype)), dnssec=dnssec)


class Tree:
    """The zones by their names, their keys, and how they are signed; :meth:`grow` makes the world of them.

    A test may change any of that before. ``asked`` are the questions that the world got.
    """

    def __init__(self, **how: Any) -> None:
        self.zones = {
            origin: dns.zone.from_text(HEAD.format(origin=origin) + text, relativize=False)
            for origin, text in ZONES.items()
        }
        self.keys = {origin: key() for origin in ZONES if origin != "plain.test."}
        self.how = dict.fromkeys(self.keys, Signing(NOW, **how))
        self.world = World()
        self.asked: list[str] = []

    def grow(self) -> Tree:
        """Sign the zones, each with the DS of those below it."""
        for origin in reversed(ZONES):
            zone = self.zones[origin]
            if origin in self.keys:
                sign(zone, self.keys[origin], self.how[origin])
            if origin != ".":
                above = self.zones["test." if origin.endswith(".test.") else "."]
                name = dns.name.from_text(origin)
                above.find_rdataset(name, "NS", create=True).add(zone.find_rdataset(name, "NS")[0], TTL)
                if origin in self.keys:
                    above.find_rdataset(name, "DS", create=True).add(self.keys[origin].ds(name), TTL)
            assert zone.origin is not None
            self.world.zones[zone.origin] = zone
        return self

    def anchors(self, *origins: str) -> TrustAnchors:
        """The anchors of these zones, or of the root."""
        lines = [f"{origin} DS {self.keys[origin].ds(dns.name.from_text(origin))}\n" for origin in origins or (".",)]
        return parse_anchors("".join(lines).encode(), "a test's file")

    def ask(self, asked: Question) -> Deferred[Upstream]:
        """What a parent says that is asked with signatures."""
        self.asked.append(str(asked))
        return succeed(self.told(asked))

    def told(self, asked: Question, change: Callable[[bytes], bytes] = bytes) -> Upstream:
        """The same at once, once its bytes have been changed."""
        wire = asked.key + asked.rrtype.to_bytes(2, "big") + b"\0\1"
        query = dns.message.from_wire(b"\0\7\1\0\0\1\0\0\0\0\0\0" + wire)
        query.use_edns(0, dns.flags.DO)
        reply = decode_reply(change(self.world.reply(query).to_wire(max_size=65535)), Sent(7, wire))
        return upstream_of(Question(asked.key, asked.rrtype, dnssec=DNSSEC_OK), reply, "192.0.2.53:53")


class TreeTests(SynchronousTestCase):
    """Tests that validate in a tree."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)

    def chain(self, tree: Tree, anchors: TrustAnchors | None = None, insecure: Iterable[str] = ()) -> TrustChain:
        """A chain of trust from the anchors, or the root's."""
        names = frozenset(key_of(name) for name in insecure)
        return TrustChain(anchors or tree.anchors(), names, tree.ask, self.clock)

    def validated(
        self, tree: Tree, text: str, chain: TrustChain | None = None, dnssec: int = 0
    ) -> tuple[Upstream, SecurityVerdict]:
        """What counts of the tree's reply to ``text``, and what it is."""
        asked = question(text, dnssec)
        validator = Validator(chain or self.chain(tree))
        return self.successResultOf(Deferred.fromCoroutine(validator.validate(asked, tree.told(asked))))

    def verdict(self, tree: Tree, text: str, chain: TrustChain | None = None) -> str:
        """What the reply to ``text`` is, in a word."""
        return self.validated(tree, text, chain)[1].security.word

    def bogus(self, tree: Tree, text: str, chain: TrustChain | None = None) -> tuple[InfoCode, str]:
        """Why the reply to ``text`` is bogus: the code, and the sentence."""
        asked = question(text)
        validating = Deferred.fromCoroutine(Validator(chain or self.chain(tree)).validate(asked, tree.told(asked)))
        error = self.failureResultOf(validating, Bogus).value
        return error.code, str(error)
