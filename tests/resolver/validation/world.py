"""A name space of signed and broken zones, which answers as a resolver that does not validate would.

It says what its zones hold, however wrong that is: signatures and proofs are what the zones have, found as RFC 4035,
section 3.1, and RFC 5155, section 7.2, say. What a zone's ``mangle`` does to a reply comes on top.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Callable, Iterator

import dns.dnssec
import dns.message
import dns.name
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone

Mangle = Callable[[dns.message.Message], None]

_MOST_ALIASES = 8


class World:
    """The zones by their origin, and what is done to the replies from each."""

    def __init__(self) -> None:
        self.zones: dict[dns.name.Name, dns.zone.Zone] = {}
        self.mangles: dict[dns.name.Name, Mangle] = {}
        self._chains: dict[dns.name.Name, list[tuple[bytes | dns.name.Name, dns.name.Name]]] = {}

    def reply(self, query: dns.message.Message) -> dns.message.Message:
        """The reply to ``query``, with all that it may have of signatures and proofs."""
        reply = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        name = question.name.canonicalize()
        origin = None
        for _ in range(_MOST_ALIASES):
            zone = self._zone(name, question.rdtype)
            origin = zone.origin
            target = self._answer(reply, zone, name, question.rdtype)
            if target is None:
                break
            name = target
        first = self._zone(question.name, question.rdtype).origin
        for each in dict.fromkeys((first, origin)):
            if each in self.mangles:
                self.mangles[each](reply)
        return reply

    def _zone(self, name: dns.name.Name, rrtype: int) -> dns.zone.Zone:
        above = name.parent() if rrtype == dns.rdatatype.DS and name != dns.name.root else name
        return next(self.zones[each] for each in _upward(above) if each in self.zones)

    def _answer(
        self, reply: dns.message.Message, zone: dns.zone.Zone, name: dns.name.Name, rrtype: int
    ) -> dns.name.Name | None:
        """Add what ``zone`` says; gives the name to go on with."""
        for owner in list(_upward(name))[1:]:
            dname = zone.get_rdataset(owner, dns.rdatatype.DNAME) if owner.is_subdomain(zone.origin) else None
            if dname is not None:
                _add(reply.answer, zone, owner, owner, dname)
                target = name.relativize(owner).derelativize(dname[0].target)
                reply.answer.append(dns.rrset.from_text(name, dname.ttl, "IN", "CNAME", str(target)))
                return target if rrtype != dns.rdatatype.CNAME else None
        source, encloser = name, None
        if not _exists(zone, name):
            encloser = next(each for each in _upward(name) if _exists(zone, each))
            source = dns.name.from_text("*", encloser)
        for kind in (rrtype, dns.rdatatype.CNAME):
            rdataset = zone.get_rdataset(source, kind)
            if rdataset is not None:
                _add(reply.answer, zone, name, source, rdataset)
                if encloser is not None:
                    self._prove(reply, zone, [_closer(name, encloser)], [])
                return rdataset[0].target if kind != rrtype else None
        soa = zone.get_rdataset(zone.origin, dns.rdatatype.SOA)
        if soa is not None:
            _add(reply.authority, zone, zone.origin, zone.origin, soa)
        if encloser is None:
            self._prove(reply, zone, [], [name])
        elif zone.get_node(source) is not None:
            self._prove(reply, zone, [_closer(name, encloser)], [encloser, source])
        else:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            self._prove(reply, zone, [_closer(name, encloser), source], [encloser])
        return None

    def _prove(
        self, reply: dns.message.Message, zone: dns.zone.Zone, absent: list[dns.name.Name], present: list[dns.name.Name]
    ) -> None:
        """Add the records that cover the names that are ``absent``, and those of the ones that are ``present``."""
        chain = self._chain(zone)
        hashes = zone.get_rdataset(zone.origin, dns.rdatatype.NSEC3PARAM)
        for name in [*present, *absent]:
            place = name if hashes is None else _hash(name, hashes[0])
            if not chain:
                return
            at = bisect_right([each[0] for each in chain], place) - 1
            is_match = chain[at][0] == place
            if name in present and not is_match and hashes is not None:
                # Left out by opt-out: what is next above it has one.
                encloser = next(e for e in _upward(name) if any(_hash(e, hashes[0]) == each[0] for each in chain))
                self._prove(reply, zone, [_closer(name, encloser)], [encloser])
                continue
            owner = chain[at][1]
            kind = dns.rdatatype.NSEC if hashes is None else dns.rdatatype.NSEC3
            rdataset = zone.get_rdataset(owner, kind)
            if rdataset is not None and not any(r.name == owner and r.rdtype == kind for r in reply.authority):
                _add(reply.authority, zone, owner, owner, rdataset)

    def _chain(self, zone: dns.zone.Zone) -> list[tuple[bytes | dns.name.Name, dns.name.Name]]:
        found = self._chains.get(zone.origin)
        if found is None:
            found = []
            for name, node in zone.nodes.items():
                if node.get_rdataset(zone.rdclass, dns.rdatatype.NSEC3) is not None:
                    found.append((base64.b32hexdecode(name.labels[0].upper()), name))
                elif node.get_rdataset(zone.rdclass, dns.rdatatype.NSEC) is not None:
                    found.append((name, name))
            found.sort(key=lambda each: each[0])
            self._chains[zone.origin] = found
        return found


def _exists(zone: dns.zone.Zone, name: dns.name.Name) -> bool:
    node = zone.get_node(name)
    if node is not None and not any(each.rdtype == dns.rdatatype.NSEC3 for each in node):
        return True
    return any(each != name and each.is_subdomain(name) for each in zone.nodes if not _is_hashed(zone, each))


def _is_hashed(zone: dns.zone.Zone, name: dns.name.Name) -> bool:
    return any(each.rdtype == dns.rdatatype.NSEC3 for each in zone.nodes[name])


def _add(
    section: list[dns.rrset.RRset],
    zone: dns.zone.Zone,
    name: dns.name.Name,
    source: dns.name.Name,
    rdataset: dns.rdataset.Rdataset,
) -> None:
    """Add records under ``name``, with those of their signatures that the zone has at ``source``."""
    section.append(dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset)))
    signatures = zone.get_rdataset(source, dns.rdatatype.RRSIG, rdataset.rdtype)
    if signatures is not None:
        rrset = dns.rrset.RRset(name, zone.rdclass, dns.rdatatype.RRSIG, rdataset.rdtype)
        rrset.update(signatures)
        section.append(rrset)


def _upward(name: dns.name.Name) -> Iterator[dns.name.Name]:
    while True:
        yield name
        if name == dns.name.root:
            return
        name = name.parent()


def _closer(name: dns.name.Name, encloser: dns.name.Name) -> dns.name.Name:
    return name.split(len(encloser) + 1)[1]


def _hash(name: dns.name.Name, parameters: object) -> bytes:
    salt, iterations = parameters.salt, parameters.iterations
    return base64.b32hexdecode(dns.dnssec.nsec3_hash(name, salt, iterations, 1))
