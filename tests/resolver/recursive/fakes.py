"""Name servers in memory: they answer from zones written as text, or say what a test has them say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

import dns.rdatatype
import dns.zonefile
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from labnet.interfaces import IExchange
from labnet.resolver.files.root_hints import Hints, NameServer
from labnet.resolver.recursive.servers import Network, WalkOptions
from labnet.resolver.recursive.walk import RootWalk
from labnet.resolver.upstream.errors import ParentFailed
from labnet.resolver.upstream.infra import InfraCache
from labnet.wire.names import ancestors, is_below, key_of
from labnet.wire.types import Question, Rcode, Reply, RRset, RRType, Upstream


def records(text: str, origin: str = ".") -> tuple[RRset, ...]:
    """The RRsets in zone file lines, in their order."""
    rrsets = dns.zonefile.read_rrsets(text, default_ttl=300, origin=origin, rdclass=None)
    return tuple(
        RRset(rrset.name.to_wire(), int(rrset.rdtype), rrset.ttl, tuple(rdata.to_wire() for rdata in rrset))
        for rrset in rrsets
    )


def ask(text: str) -> Question:
    """The question in ``name type``."""
    name, rrtype = text.split()
    return Question(key_of(name), int(dns.rdatatype.from_text(rrtype)))


def shown(rrsets: Iterable[RRset | None]) -> list[str]:
    """RRsets as ``name type``, in their order."""
    return [str(Question(rrset.key, rrset.rrtype)) for rrset in rrsets if rrset is not None]


@dataclass
class FakeZone:
    """One zone as an authoritative server holds it, delegations and glue included."""

    origin: bytes
    rrsets: dict[tuple[bytes, int], RRset]

    def answer(self, question: Question) -> Reply:
        for cut in list(ancestors(question.key))[::-1]:
            if cut != self.origin and is_below(cut, self.origin) and (cut, RRType.NS) in self.rrsets:
                return self._referral(self.rrsets[cut, RRType.NS])
        soa = (self.rrsets[self.origin, RRType.SOA],)
        found: list[RRset] = []
        key = question.key
        while (alias := self.rrsets.get((key, RRType.CNAME))) and alias not in found:
            found.append(alias)
            key = alias.rdatas[0].lower()
        found += [rrset for (name, kind), rrset in self.rrsets.items() if (name, kind) == (key, question.rrtype)]
        if found:
            return Reply(Rcode.NOERROR, True, answer=tuple(found))
        exists = any(is_below(name, key) for name, _ in self.rrsets)
        return Reply(Rcode.NOERROR if exists else Rcode.NXDOMAIN, True, authority=soa)

    def _referral(self, cut: RRset) -> Reply:
        glue = [
            self.rrsets[name.lower(), kind]
            for name in cut.rdatas
            for kind in (RRType.A, RRType.AAAA)
            if (name.lower(), kind) in self.rrsets
        ]
        return Reply(Rcode.NOERROR, authority=(cut,), additional=tuple(glue))


@implementer(IExchange)
@dataclass
class Servers:
    """The exchange with every server there is.

    ``asked`` has each question as ``address name type``, with RD behind it where recursion is desired.
    """

    clock: Clock = field(default_factory=Clock)
    asked: list[str] = field(default_factory=list)
    zones: dict[str, list[FakeZone]] = field(default_factory=dict)
    replies: dict[str, Reply | Exception | Deferred[Reply]] = field(default_factory=dict)
    ports: set[int] = field(default_factory=set)
    holds: bool = False
    held: list[tuple[Deferred[Reply], Reply | Exception]] = field(default_factory=list)

    def serve(self, address: str, origin: str, text: str) -> None:
        """Have ``address`` serve a zone; a SOA is added where ``text`` has none."""
        if " SOA " not in text:
            text = f"@ 300 SOA ns.invalid. host.invalid. 1 1 1 1 60\n{text}"
        zone = FakeZone(key_of(origin), {(rrset.key, rrset.rrtype): rrset for rrset in records(text, origin)})
        self.zones.setdefault(address, []).append(zone)

    def tell(self, where: str, what: Reply | Exception | Deferred[Reply]) -> None:
        """Have a server say ``what``; ``where`` is its address, and behind it the question that this is for."""
        self.replies[where] = what

    def silence(self, where: str) -> None:
        self.tell(where, ParentFailed(f"{where.split()[0]} did not answer"))

    def is_regular(self, host: str, port: int) -> bool:
        return True

    def ask(
        self,
        host: str,
        port: int,
        question: Question,
        recursion_desired: bool,
        tcp: bool,
        sending: Callable[[], None] = lambda: None,
    ) -> Deferred[Reply]:
        try:
            sending()
        except ParentFailed as error:
            return fail(error)
        assert not tcp
        self.ports.add(port)
        text = f"{host} {question}"
        if recursion_desired:
            text += " RD"
        self.asked.append(text)
        what = self.replies.get(text, self.replies.get(host))
        if what is None:
            what = self._answer(host, question)
        if isinstance(what, Deferred):
            return what
        if self.holds:
            waiting: Deferred[Reply] = Deferred()
            self.held.append((waiting, what))
            return waiting
        return fail(what) if isinstance(what, Exception) else succeed(what)

    def release(self) -> None:
        """Let the servers answer what they were asked until now, while ``holds`` is set."""
        held, self.held = self.held, []
        for waiting, what in held:
            waiting.errback(what) if isinstance(what, Exception) else waiting.callback(what)

    def _answer(self, host: str, question: Question) -> Reply | Exception:
        if host not in self.zones:
            return ParentFailed("nobody listens")
        zones = [zone for zone in self.zones[host] if is_below(question.key, zone.origin)]
        if not zones:
            return Reply(Rcode.REFUSED)
        return max(zones, key=lambda zone: len(zone.origin)).answer(question)


ROOT = "192.0.2.1"
TLD = "192.0.2.2"
LAB = "192.0.2.3"
OTHER = "192.0.2.4"
EVIL = "203.0.113.66"
HINTS = Hints((NameServer(key_of("a.root-servers.test"), (ROOT,)),))


class WalkTestCase(SynchronousTestCase):
    """A small world: the root, the TLDs test and example on one server, lab.test on another."""

    def setUp(self) -> None:
        self.servers = Servers()
        self.clock = self.servers.clock
        self.steps: list[object] = []
        self.servers.serve(ROOT, ".", f"test. NS a.nic.test.\nexample. NS a.nic.test.\na.nic.test. A {TLD}")
        self.servers.serve(TLD, "test.", f"a.nic A {TLD}\nlab 3600 NS ns.lab\nns.lab 3600 A {LAB}")
        self.servers.serve(TLD, "example.", "www A 198.51.100.7")
        self.servers.serve(LAB, "lab.test.", f"@ NS ns\nns A {LAB}\nwww A 192.0.2.80\nmail A 192.0.2.25\nweb CNAME www")
        self.walk = self.make()

    def make(self, hints: Hints = HINTS, **options: object) -> RootWalk:
        network = Network(self.servers, InfraCache(1000), self.clock, Random(7))
        return RootWalk(network, hints, WalkOptions(**{"steps": self.steps.append, **options}))

    def asked(self) -> list[str]:
        """What was asked since the last call."""
        asked, self.servers.asked = self.servers.asked, []
        return asked

    def resolve(self, text: str) -> Upstream:
        return self.successResultOf(self.walk.ask(ask(text)))

    def failing(self, text: str) -> str:
        """How the walk for a question fails."""
        return str(self.failureResultOf(self.walk.ask(ask(text)), ParentFailed).value)

    def assertAnswers(self, upstream: Upstream, *rrsets: str) -> None:
        self.assertEqual(shown(upstream.rrsets), list(rrsets))


def addresses(upstream: Upstream) -> list[str]:
    """The IPv4 addresses in an answer."""
    return [
        ".".join(map(str, rdata)) for rrset in upstream.rrsets if rrset.rrtype == RRType.A for rdata in rrset.rdatas
    ]
