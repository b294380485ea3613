"""``labnet resolve --trace``: a walk down from a root that prints each step as it is taken, and may validate."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final

import dns.rdatatype
from twisted.internet.task import react

from labnet.cli.missing import needs
from labnet.clients.errors import NoAnswer
from labnet.interfaces import IReactor
from labnet.net.datagrams import SystemSockets
from labnet.resolver.files.root_hints import Hints, NameServer
from labnet.resolver.files.trust_anchors import TrustAnchors, builtin_anchors, parse_anchors
from labnet.resolver.recursive.servers import Network, WalkOptions
from labnet.resolver.recursive.steps import records_text
from labnet.resolver.recursive.walk import RootWalk
from labnet.resolver.upstream.dns import DNSExchange, ExchangeOptions
from labnet.resolver.upstream.errors import Bogus, ParentFailed
from labnet.resolver.upstream.infra import InfraCache
from labnet.wire.names import key_of
from labnet.wire.quoting import quoted
from labnet.wire.types import DNSSEC_OK, Question, Rcode, RRType, Upstream

if TYPE_CHECKING:
    from labnet.resolver.validation.validator import Validator

_MOST_SERVERS: Final = 1000
"""Servers whose round-trips are remembered while the names are resolved."""

_LARGEST: Final = 1_000_000
"""Bytes of a file of trust anchors."""


@dataclass(frozen=True)
class Sought:
    """Names, the type of their records, and the ``anchors`` that what is found is validated from, if it is."""

    names: tuple[str, ...]
    rrtype: str
    anchors: TrustAnchors | None = None


def read_anchors(path: str) -> TrustAnchors:
    """The trust anchors in the file at ``path``; those of the Internet's root where it is empty. Raises NoAnswer."""
    if not path:
        return builtin_anchors()
    try:
        with open(path, "rb") as file:
            anchors = parse_anchors(file.read(_LARGEST), path)
    except OSError as error:
        raise NoAnswer(f"{path}: cannot be read: {error.strerror}") from None
    for problem in anchors.problems:
        raise NoAnswer(f"{path}:{problem.line}: {problem.says}")
    return anchors


def trace(host: str, port: int, sought: Sought, timeout: float, tries: int) -> int:
    """Walk from the server at the address ``host`` as from a root, all servers met being asked at ``port``.

    Prints each step and then the records; the exit status is that of the other clients: 0, 1 not found, 2 no answer, or
    a bogus one.
    """
    statuses: list[int] = []

    async def walk(reactor: Any) -> None:
        root: IReactor = reactor
        random = SystemRandom()
        infra = InfraCache(_MOST_SERVERS)
        exchange = DNSExchange(SystemSockets(root, random), root, random, infra, ExchangeOptions(timeout, tries))
        hints = Hints((NameServer(key_of("."), (host,)),))
        network = Network(exchange, infra, root, random)
        walker = RootWalk(network, hints, WalkOptions(port, steps=_say))
        validator = None if sought.anchors is None else _validator(sought.anchors, walker, root)
        for name in sought.names:
            asked = Question(key_of(name), int(dns.rdatatype.from_text(sought.rrtype)))
            statuses.append(await _one(walker, validator, name, asked))

    try:
        react(walk, ())
    except SystemExit as ended:
        if ended.code:
            raise
    return max(statuses, default=0)


def _validator(anchors: TrustAnchors, walker: RootWalk, clock: IReactor) -> Validator:
    with needs("cryptography", "dnssec"):
        from labnet.resolver.validation.chain import TrustChain
        from labnet.resolver.validation.validator import Validator
    return Validator(TrustChain(anchors, frozenset(), walker.ask, clock, _say))


async def _one(walker: RootWalk, validator: Validator | None, name: str, asked: Question) -> int:
    try:
        upstream = await _found(walker, validator, asked)
    except ParentFailed as error:
        bogus = "bogus: " if isinstance(error, Bogus) else ""
        print(f"labnet: {name}: {bogus}{quoted(str(error))}", file=sys.stderr)
        return 2
    found = [rrset for rrset in upstream.rrsets if rrset.rrtype == asked.rrtype or asked.rrtype == RRType.ANY]
    for rrset in found:
        for text in records_text(rrset):
            print(quoted(text), flush=True)
    if not found:
        why = "there is no such name" if upstream.rcode == Rcode.NXDOMAIN else "there is no such record"
        print(f"labnet: {name}: {why}", file=sys.stderr)
    return 0 if found else 1


async def _found(walker: RootWalk, validator: Validator | None, asked: Question) -> Upstream:
    if validator is None:
        return await walker.ask(asked)
    upstream = await walker.ask(Question(asked.key, asked.rrtype, dnssec=DNSSEC_OK))
    checked, verdict = await validator.validate(asked, upstream)
    _say(f"{asked}: {verdict.security.word}: {verdict.reason}")
    return checked


def _say(step: object) -> None:
    print(quoted(str(step), keep="\n"), flush=True)
