"""What counts of a reply from a zone's server: only what lies in that zone (its *bailiwick*), and only with authority.

Whatever else a server adds, it has no say in (RFC 2181, section 5.4.1; RFC 5452, section 6): it is dropped here, so it
is neither answered nor cached.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import dns.rcode

from labnet.resolver.files.root_hints import NameServer
from labnet.resolver.recursive.delegation import Delegation
from labnet.wire.names import is_below, text_of
from labnet.wire.types import Question, Rcode, Reply, RRset, RRType

MOST_SERVERS: Final = 13
"""Servers of one referral that are looked at; as many as the root has."""
MOST_ADDRESSES: Final = 8
"""Addresses of one server that are looked at."""

_FAMILIES: Final[dict[int, tuple[int, int]]] = {RRType.A: (socket.AF_INET, 4), RRType.AAAA: (socket.AF_INET6, 16)}
"""Of each type of address: its family, and its length in bytes."""


class Lame(Exception):
    """The server does not serve the zone as it should; the text says what it did instead (RFC 9499, section 7)."""


@dataclass(frozen=True, slots=True)
class Found:
    """The end of one way down from the root.

    ``rrsets`` begin with the name asked for. ``target`` is the key of the name that the last CNAME in them leads to,
    where that name has to be asked for anew; ``soa`` stands in a negative answer.
    """

    rcode: Rcode
    rrsets: tuple[RRset, ...] = ()
    soa: RRset | None = None
    target: bytes | None = None


def read_reply(reply: Reply, question: Question, zone: bytes, now: float) -> Found | Delegation:
    """What a server of ``zone`` says about ``question``: an answer, or who is to be asked next.

    Raises :class:`Lame` for everything else.
    """
    if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        reasons = "; ".join(error.text for error in reply.errors if error.text)
        rcode = dns.rcode.to_text(dns.rcode.Rcode.make(int(reply.rcode)))
        raise Lame(f"answered {rcode}" + (f" ({reasons})" if reasons else ""))
    rrsets, target = _chain(reply.answer, question, zone)
    if rrsets:
        if not reply.authoritative:
            raise Lame("answered without authority")
        return Found(Rcode.NOERROR, rrsets, target=target)
    soa = next((rrset for rrset in reply.authority if _is_soa_of(rrset, question.key, zone)), None)
    if reply.rcode == Rcode.NOERROR and soa is None:
        referral = _read_referral(reply, question.key, zone, now)
        if referral is not None:
            return referral
    if reply.authoritative and not reply.answer:
        return Found(Rcode(reply.rcode), soa=soa)
    if reply.answer:
        raise Lame(f"answered with records that are not {text_of(question.key)}'s or not in its zone")
    owner = next((rrset.key for rrset in reply.authority if rrset.rrtype == RRType.NS), None)
    raise Lame("answered without authority" if owner is None else f"referred upwards or sideways, to {text_of(owner)}")


def addresses_in(rrsets: Iterable[RRset], name: bytes) -> tuple[str, ...]:
    """The IP addresses that ``rrsets`` give for ``name`` itself; a name server may not be an alias (RFC 2181, 10.3)."""
    found = []
    for rrset in rrsets:
        if rrset.key == name and rrset.rrtype in _FAMILIES:
            family, size = _FAMILIES[rrset.rrtype]
            found += [socket.inet_ntop(family, rdata) for rdata in rrset.rdatas if len(rdata) == size]
    return tuple(found[:MOST_ADDRESSES])


def _chain(answer: Iterable[RRset], question: Question, zone: bytes) -> tuple[tuple[RRset, ...], bytes | None]:
    """The CNAMEs from the name asked for, and what they lead to as far as the zone's server has a say in it."""
    here = [rrset for rrset in answer if is_below(rrset.key, zone)]
    chain: list[RRset] = []
    key = question.key
    while True:
        wanted = [rrset for rrset in here if rrset.key == key and question.rrtype in (rrset.rrtype, RRType.ANY)]
        if wanted:
            return (*chain, *wanted), None
        alias = next((rrset for rrset in here if rrset.key == key and rrset.rrtype == RRType.CNAME), None)
        if alias is None or alias in chain:
            return tuple(chain), key if chain else None
        if len(alias.rdatas) != 1:
            raise Lame(f"answered with {len(alias.rdatas)} CNAME records at one name")
        chain.append(alias)
        key = alias.rdatas[0].lower()


def _is_soa_of(rrset: RRset, key: bytes, zone: bytes) -> bool:
    return rrset.rrtype == RRType.SOA and is_below(rrset.key, zone) and is_below(key, rrset.key)


def _read_referral(reply: Reply, key: bytes, zone: bytes, now: float) -> Delegation | None:
    """The delegation in ``reply``: of a zone above ``key`` and below ``zone``, with glue from inside ``zone`` only."""
    cuts = [
        rrset
        for rrset in reply.authority
        if rrset.rrtype == RRType.NS and rrset.key != zone and is_below(rrset.key, zone) and is_below(key, rrset.key)
    ]
    if not cuts:
        return None
    cut = max(cuts, key=lambda rrset: len(rrset.key))
    glue = [rrset for rrset in reply.additional if is_below(rrset.key, zone)]
    names = dict.fromkeys(rdata.lower() for rdata in cut.rdatas)
    servers = [NameServer(name, addresses_in(glue, name)) for name in names]
    servers.sort(key=lambda server: not server.addresses)
    servers = servers[:MOST_SERVERS]
    used = {server.name for server in servers if server.addresses}
    ttl = min([cut.ttl, *(rrset.ttl for rrset in glue if rrset.key in used and rrset.rrtype in _FAMILIES)])
    return Delegation(cut.key, tuple(servers), now + ttl)
