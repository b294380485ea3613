"""What counts of a reply from a zone's server: only what lies in that zone (its *bailiwick*).

Whatever else a server adds, it has no say in (RFC 2181, section 5.4.1; RFC 5452, section 6): it is dropped here, so it
is neither answered nor cached.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import dns.rcode

from labnet.resolver.files.root_hints import NameServer
from labnet.resolver.recursive.delegation import Delegation
from labnet.wire.names import is_below, text_of
from labnet.wire.reply_chain import chain_of
from labnet.wire.types import Question, Rcode, Reply, RRset, RRType

MOST_SERVERS: Final = 13
"""Servers of one referral that are looked at; as many as the root has."""
MOST_ADDRESSES: Final = 8
"""Addresses of one server that are looked at."""

_FAMILIES: Final[dict[int, tuple[int, int]]] = {RRType.A: (socket.AF_INET, 4), RRType.AAAA: (socket.AF_INET6, 16)}
"""Of each type of address: its family, and its length in bytes."""


@dataclass(frozen=True, slots=True)
class Found:
    """The end of one way down from the root.

    ``rrsets`` begin with the name asked for. ``target`` is the key of the name that the last CNAME in them leads to,
    where that name has to be asked for anew; ``soa`` stands in a negative answer. ``signatures`` and ``proofs`` are
    those of :class:`~labnet.wire.types.Answer`.
    """

    rcode: Rcode
    rrsets: tuple[RRset, ...] = ()
    soa: RRset | None = None
    target: bytes | None = None
    signatures: tuple[RRset, ...] = ()
    proofs: tuple[RRset, ...] = ()


class Lame(Exception):
    """The server does not serve the zone as it should; the text says what it did instead (RFC 9499, section 7).

    ``found`` is what it said where that counts as a last resort. ``is_resolver`` says that it offers recursion (RA) and
    has no authority (AA).
    """

    def __init__(self, text: str, found: Found | None = None, is_resolver: bool = False) -> None:
        super().__init__(text)
        self.found = found
        self.is_resolver = is_resolver


def read_reply(
    reply: Reply, question: Question, zone: bytes, now: float, recursion_desired: bool = False
) -> Found | Delegation:
    """What a server of ``zone`` says about ``question``: an answer, or who is to be asked next.

    An answer counts without AA too: many servers forget it. That of a resolver, and a negative one with neither AA nor
    a SOA, are a last resort, unless recursion was desired of the server. Raises :class:`Lame` for everything else.
    """
    is_resolver = reply.recursion_available and not reply.authoritative and not recursion_desired
    found = _read_chain(reply, question, zone)
    if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN, found.rcode):
        reasons = "; ".join(error.text for error in reply.errors if error.text)
        rcode = dns.rcode.to_text(dns.rcode.Rcode.make(int(reply.rcode)))
        raise Lame(f"answered {rcode}" + (f" ({reasons})" if reasons else ""), is_resolver=is_resolver)
    if found.rrsets and reply.authoritative:
        return found
    if reply.rcode == Rcode.NOERROR and found.soa is None:
        referral = _read_referral(reply, question.key, zone, now)
        if referral is not None:
            # The parent of a zone answers for its DS records (RFC 4035, section 3.1.4.1): here there are none.
            is_own_cut = question.rrtype == RRType.DS and referral.zone == question.key
            return found if is_own_cut else referral
    if not found.rrsets:
        _check_negative(reply, question, zone, found, recursion_desired)
    if is_resolver:
        raise Lame("answered without authority, as a resolver does", found, is_resolver)
    return found


def _check_negative(reply: Reply, question: Question, zone: bytes, found: Found, recursion_desired: bool) -> None:
    """Raise :class:`Lame` where ``reply``, without records of the name asked for, does not say that there are none."""
    if reply.answer:
        raise Lame(f"answered with records that are not {text_of(question.key)}'s or not in its zone")
    is_resolver = reply.recursion_available and not reply.authoritative
    if found.soa is None and not reply.authoritative:
        owner = next((rrset.key for rrset in reply.authority if rrset.rrtype == RRType.NS), None)
        if owner is not None and not (recursion_desired and owner == zone):
            raise Lame(f"referred upwards or sideways, to {text_of(owner)}", is_resolver=is_resolver)
        if not recursion_desired:
            raise Lame("answered without authority", found, is_resolver)
    if question.rrtype == RRType.DS and found.soa is not None and found.soa.key == question.key != zone:
        raise Lame("answered for the zone below the cut, not for its parent", found)


def read_glue(reply: Reply, name: bytes, zone: bytes) -> Found:
    """The addresses that a server of ``zone`` gives for the name server ``name``, wherever in its reply; maybe none."""
    sections = (*reply.answer, *reply.additional)
    return Found(
        Rcode.NOERROR,
        tuple(rrset for rrset in sections if rrset.key == name and rrset.rrtype in _FAMILIES and is_below(name, zone)),
    )


def servers_of_its_own(reply: Reply, question: Question, zone: bytes, now: float) -> Delegation | None:
    """The servers that ``zone`` itself names where one of them was asked for that; None where it names none.

    NS records beside another answer do not count: who forges one reply would have the zone.
    """
    if not reply.authoritative or question != Question(zone, RRType.NS):
        return None
    own = next((rrset for rrset in reply.answer if rrset.rrtype == RRType.NS and rrset.key == zone), None)
    return None if own is None else _delegation(own, reply, zone, now)


def addresses_in(rrsets: Iterable[RRset], name: bytes) -> tuple[str, ...]:
    """The IP addresses that ``rrsets`` give for ``name`` itself; a name server may not be an alias (RFC 2181, 10.3)."""
    found = []
    for rrset in rrsets:
        if rrset.key == name and rrset.rrtype in _FAMILIES:
            family, size = _FAMILIES[rrset.rrtype]
            found += [socket.inet_ntop(family, rdata) for rdata in rrset.rdatas if len(rdata) == size]
    return tuple(found[:MOST_ADDRESSES])


def _read_chain(reply: Reply, question: Question, zone: bytes) -> Found:
    """What the records in ``zone`` say: those of the name asked for and of names it leads to, or that it has none."""
    answer, authority = (
        tuple([rrset for rrset in section if is_below(rrset.key, zone)]) for section in (reply.answer, reply.authority)
    )
    for rrset in answer:
        if rrset.rrtype == RRType.CNAME and len(rrset.rdatas) != 1:
            raise Lame(f"answered with {len(rrset.rdatas)} CNAME records at one name")
    chain = chain_of(question, replace(reply, answer=answer, authority=authority))
    rcode, soa, target = Rcode.NOERROR, None, None
    if not chain.rrsets:
        rcode, soa = Rcode.NXDOMAIN if reply.rcode == Rcode.NXDOMAIN else Rcode.NOERROR, chain.soa
    elif chain.is_too_long:
        rcode = Rcode.YXDOMAIN
    elif not chain.is_answered:
        target = chain.target
    return Found(rcode, chain.rrsets, soa=soa, target=target, signatures=chain.signatures, proofs=chain.proofs)


def _read_referral(reply: Reply, key: bytes, zone: bytes, now: float) -> Delegation | None:
    """The delegation in ``reply``: of a zone above ``key`` and below ``zone``, with glue from inside ``zone`` only."""
    cuts = [
        rrset
        for rrset in reply.authority
        if rrset.rrtype == RRType.NS and rrset.key != zone and is_below(rrset.key, zone) and is_below(key, rrset.key)
    ]
    if not cuts:
        return None
    return _delegation(max(cuts, key=lambda rrset: len(rrset.key)), reply, zone, now)


def _delegation(cut: RRset, reply: Reply, zone: bytes, now: float) -> Delegation:
    """The servers that the NS records ``cut`` name, with their addresses beside them as far as they lie in ``zone``."""
    glue = [rrset for rrset in reply.additional if is_below(rrset.key, zone)]
    names = dict.fromkeys(rdata.lower() for rdata in cut.rdatas)
    servers = [NameServer(name, addresses_in(glue, name)) for name in names]
    servers.sort(key=lambda server: not server.addresses)
    servers = servers[:MOST_SERVERS]
    used = {server.name for server in servers if server.addresses}
    ttl = min([cut.ttl, *(rrset.ttl for rrset in glue if rrset.key in used and rrset.rrtype in _FAMILIES)])
    return Delegation(cut.key, tuple(servers), now + ttl)
