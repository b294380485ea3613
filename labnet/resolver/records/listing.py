"""All records of one zone, as another server has to have them (RFC 5936, section 3); and what two versions differ by.

A zone may have a million names, and a resolver many zones, so everything here comes bit by bit: where a step has looked
at many names without finding a record, it gives None, for the caller to let others have their turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from labnet.resolver.records.packed import Node, unpack
from labnet.resolver.records.reverse import reverse_name
from labnet.resolver.records.zone import Zone
from labnet.wire.types import RRType

TURN: Final = 1000
"""Names that are looked at in one step."""


class ZoneRecord(NamedTuple):
    """One record: the name of its owner and its data in wire form, its TTL in seconds."""

    name: bytes
    rrtype: int
    ttl: int
    rdata: bytes


def soa_of(zone: Zone, apex: bytes) -> ZoneRecord | None:
    """The SOA of the zone at ``apex``; None where it is none of the zones that there are, or has no records now."""
    data = zone.data
    node = data.node(apex) if apex in data.authoritative and apex not in data.unavailable else None
    soa = None if node is None else node.rrset(RRType.SOA)
    return None if soa is None else ZoneRecord(soa.name, RRType.SOA, soa.ttl, soa.rdatas[0])


def serial_of(soa: ZoneRecord) -> int:
    """The serial of an SOA (RFC 1035, section 3.3.13)."""
    return int.from_bytes(soa.rdata[-20:-16], "big")


def is_newer(serial: int, than: int) -> bool:
    """Whether ``serial`` comes behind ``than`` in the arithmetic of RFC 1982, section 3.2."""
    return 0 < (serial - than) & 0xFFFFFFFF < 1 << 31


def all_records(zone: Zone, apex: bytes) -> Iterator[ZoneRecord | None]:
    """Every record of the zone at ``apex`` but its SOA; None now and then, in place of one."""
    for found in _packed(zone, apex):
        if found is None:
            yield None
        else:
            key, value = found
            yield from records_of(unpack(value, key, zone.data.loaded_at))
    for node in _others(zone, apex):
        if node is None:
            yield None
        else:
            yield from records_of(node)


def records_of(node: Node) -> Iterator[ZoneRecord]:
    """The records of one name, without an SOA."""
    for rrtype, (ttl, rdatas) in node.rrsets.items():
        if rrtype != RRType.SOA:
            for rdata in rdatas:
                yield ZoneRecord(node.name, rrtype, ttl, rdata)


@dataclass
class Changes:
    """What is ``removed`` from and ``added`` to a zone between two versions, neither's SOA among it."""

    removed: list[ZoneRecord] = field(default_factory=list)
    added: list[ZoneRecord] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.removed) + len(self.added)

    def note(self, before: Node | None, now: Node | None) -> None:
        """Take up what one name has ``now`` that it had not ``before``, and the other way round."""
        had = set() if before is None else {(rrtype, ttl, data) for _, rrtype, ttl, data in records_of(before)}
        has = set() if now is None else {(rrtype, ttl, data) for _, rrtype, ttl, data in records_of(now)}
        if before is not None:
            self.removed += [ZoneRecord(before.name, *record) for record in sorted(had - has)]
        if now is not None:
            self.added += [ZoneRecord(now.name, *record) for record in sorted(has - had)]


def compare(before: Zone, now: Zone, apex: bytes, changes: Changes) -> Iterator[None]:
    """Put what the two versions of the zone at ``apex`` differ by into ``changes``, a step at a time."""
    known = now.data.records
    for found in _packed(before, apex):
        if found is not None:
            key, value = found
            other = known.get(key) or b""
            if other != value:
                node = unpack(other, key, now.data.loaded_at) if other else None
                changes.note(unpack(value, key, before.data.loaded_at), node)
        yield
    known = before.data.records
    for found in _packed(now, apex):
        if found is not None and not known.get(found[0]):
            key, value = found
            changes.note(None, unpack(value, key, now.data.loaded_at))
        yield
    nodes: dict[bytes, Node] = {}
    for node in _others(before, apex):
        if node is not None:
            nodes[node.name.lower()] = node
        yield
    for node in _others(now, apex):
        if node is not None:
            changes.note(nodes.pop(node.name.lower(), None), node)
        yield
    for node in nodes.values():
        changes.note(node, None)


def _packed(zone: Zone, apex: bytes) -> Iterator[tuple[bytes, bytes] | None]:
    """Key and packed value of each name that has records in the zone itself."""
    data, passed = zone.data, 0
    data.node(apex)  # what grew is merged
    for key, value in data.records.items():
        if value and data.apex_of(key) == apex:
            yield key, value
        else:
            passed += 1
            if passed % TURN == 0:
                yield None


def _others(zone: Zone, apex: bytes) -> Iterator[Node | None]:
    """What else is the zone's: glue below another of the resolver's zones, NSEC3, and names that follow from addresses.

    A name comes once, though not all that the zone has of it may be here.
    """
    data, passed = zone.data, 0
    for owner, _, node in data.beyond_cuts():
        if owner == apex:
            yield node
    if apex in data.signed:
        yield from data.signed[apex].hashed.values()
    for address in data.reverse.addresses_below(apex) if data.has_reverse else ():
        key = reverse_name(address)
        own = data.node(key) if data.apex_of(key) == apex else Node(key, rrsets={RRType.PTR: (0, ())})
        pointers = None
        if own is None or not own.rrsets.keys() & {RRType.PTR, RRType.CNAME}:
            pointers = zone.pointers(key)
        if pointers is not None:
            yield Node(key if own is None else own.name, rrsets={RRType.PTR: pointers})
        else:
            passed += 1
            if passed % TURN == 0:
                yield None
