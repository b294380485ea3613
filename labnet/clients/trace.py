"""``labnet resolve --trace``: a walk down from a root that prints each step as it is taken."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from random import SystemRandom
from typing import Any, Final

import dns.rdatatype
from twisted.internet.task import react

from labnet.interfaces import IReactor
from labnet.net.datagrams import SystemSockets
from labnet.resolver.files.root_hints import Hints, NameServer
from labnet.resolver.recursive.servers import Network, WalkOptions
from labnet.resolver.recursive.steps import records_text
from labnet.resolver.recursive.walk import RootWalk
from labnet.resolver.upstream.dns import DNSExchange, ExchangeOptions
from labnet.resolver.upstream.errors import ParentFailed
from labnet.resolver.upstream.infra import InfraCache
from labnet.wire.names import key_of
from labnet.wire.quoting import quoted
from labnet.wire.types import Question, Rcode, RRType

_MOST_SERVERS: Final = 1000
"""Servers whose round-trips are remembered while the names are resolved."""


def trace(host: str, port: int, names: Sequence[str], rrtype: str, timeout: float, tries: int) -> int:
    """Walk from the server at the address ``host`` as from a root, all servers met being asked at ``port``.

    Prints each step and then the records; the exit status is that of the other clients: 0, 1 not found, 2 no answer.
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
        for name in names:
            statuses.append(await _one(walker, name, int(dns.rdatatype.from_text(rrtype))))

    try:
        react(walk, ())
    except SystemExit as ended:
        if ended.code:
            raise
    return max(statuses, default=0)


async def _one(walker: RootWalk, name: str, rrtype: int) -> int:
    try:
        upstream = await walker.ask(Question(key_of(name), rrtype))
    except ParentFailed as error:
        print(f"labnet: {name}: {quoted(str(error))}", file=sys.stderr)
        return 2
    found = [rrset for rrset in upstream.rrsets if rrset.rrtype == rrtype or rrtype == RRType.ANY]
    for rrset in found:
        for text in records_text(rrset):
            print(quoted(text), flush=True)
    if not found:
        why = "there is no such name" if upstream.rcode == Rcode.NXDOMAIN else "there is no such record"
        print(f"labnet: {name}: {why}", file=sys.stderr)
    return 0 if found else 1


def _say(step: object) -> None:
    print(quoted(str(step), keep="\n"), flush=True)
