"""What the files of a resolver say: records by name, each zone's own, and what follows from them."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from labnet.resolver.records.growing import Growing
from labnet.resolver.records.packed import (
    FROM_HOSTS,
    HAS_DNAME,
    HAS_NS,
    IS_ALIAS,
    Node,
    addresses,
    pack,
    pack_address,
    pack_host,
    unpack,
)
from labnet.resolver.records.packed_records import PackedRecords
from labnet.resolver.records.proofs import NSEC, PROVING, RRSIG, SignedZone, hash_of, is_of_nsec3
from labnet.resolver.records.reverse import ReverseNames
from labnet.resolver.records.rules import clash
from labnet.resolver.records.special import INVALID, is_invalid, made_up_soa
from labnet.wire.names import ancestors, key_of, parent, text_of, wire_of
from labnet.wire.types import Mapping, RRset, RRType

MADE_UP_TTL: Final = 60
"""Seconds of a negative answer from a zone whose file has no SOA: short, since a lab's files change."""

WILDCARD: Final = b"\x01*"
"""What the key of a wildcard begins with."""

_ADDRESSES: Final = frozenset((RRType.A, RRType.AAAA))

_OF_COURSE: Final = -1  # in place of flags: the records are lines of a course's file


class ZoneData:
    """Names that never expire, whichever files they come from. Fill it, call :meth:`finish`, then ask a zone of it.

    ``authoritative`` are the keys of the zones that the resolver is the authority for, ``loaded_at`` (epoch seconds) is
    since when the course protocol has the records. A record belongs to the nearest of these zones above it; only what
    the file of an upper zone has at or below the apex of another one (its delegation, glue) stays the upper zone's.
    """

    def __init__(self, authoritative: Iterable[bytes] = (), loaded_at: float = 0.0) -> None:
        self.authoritative = frozenset(authoritative)
        self.loaded_at = loaded_at
        # Packed nodes by key; an empty non-terminal has an empty value. A key of no wire form has no ancestors.
        self.records = PackedRecords()
        self.unavailable: frozenset[bytes] = frozenset()
        """Those of them whose records are not here now: they come from another server, which has not given them."""
        self.written = 0
        """How many names the files have."""
        self.wildcards: set[bytes] = set()
        """The names with a wildcard directly below them, be it an empty non-terminal (RFC 4592, section 2.2.2)."""
        self.has_cuts = False
        """Whether there is a delegation or a DNAME."""
        self.reverse = ReverseNames()
        self.has_reverse = False
        """Whether names of reverse mapping follow from addresses."""
        self.signed: dict[bytes, SignedZone] = {}
        """The authoritative zones that are signed in their files."""
        self._hashed: dict[bytes, dict[bytes, Node]] = defaultdict(dict)  # NSEC3 records by zone and hash
        self._upper: dict[bytes, dict[bytes, Node]] = defaultdict(dict)
        self._not_reversed: set[tuple[bytes, bytes]] = set()
        self._growing = Growing()

    def add_mapping(self, mapping: Mapping) -> str | None:
        """Add a line of a course's file; gives None, or in one sentence what of it was left out.

        The first line of a name is its answer in the course protocol. Each address that is one becomes an A or AAAA
        record too, those of several lines together one RRset.
        """
        wire = wire_of(mapping.name)
        key = key_of(mapping.name)
        if is_invalid(key):
            return _invalid(mapping.name)
        rrset = None if wire is None else address_rrset(wire, mapping)
        if rrset is not None and self._growing.takes(rrset, _OF_COURSE):
            return None
        node = self.node(key) or Node(wire or key)
        if node.mapping is None:
            node.mapping = mapping
        says = None if rrset is None else self._merge(key, node, rrset)
        self.put(key, node)
        if rrset is not None and says is None:
            self._growing.begin(rrset, _OF_COURSE)
        return says

    def add(self, rrset: RRset, hosts: int = 0) -> str | None:
        """Add records; gives None, or in one sentence why they were left out.

        RRsets of one name and type are merged; the lowest TTL holds for all (RFC 2181, section 5.2). ``hosts`` has the
        flags of a record from a hosts file.
        """
        if self._growing.takes(rrset, hosts):
            return None
        key = rrset.key
        if not hosts and key not in self.records and key == rrset.name and not key.startswith(WILDCARD):
            value = pack_address(rrset)
            if value is not None and not is_invalid(key):
                self.records[key] = value
                self.written += 1
                return None
        if is_invalid(key):
            return _invalid(text_of(rrset.name))
        if rrset.rrtype in PROVING and is_of_nsec3(rrset) and parent(key) in self.authoritative:
            # No name of the zone: who asks for it gets NXDOMAIN (RFC 5155, section 7.2.8).
            return _merged(self._hashed[parent(key)].setdefault(hash_of(key), Node(rrset.name)), rrset)
        node = self.node(key) or Node(rrset.name, hosts=hosts)
        says = self._merge(key, node, rrset, hosts)
        if says is None:
            self.put(key, node)
            self._growing.begin(rrset, hosts)
        return says

    def add_host(self, owner: bytes, rrtype: int, ttl: int, address: bytes, is_alias: bool) -> str | None:
        """Add a name (in wire form) of a line of a hosts file; ``is_alias`` where it is not the first one.

        Gives None, or in one sentence why the name was left out.
        """
        hosts = FROM_HOSTS | IS_ALIAS if is_alias else FROM_HOSTS
        is_common = rrtype == RRType.A and owner.islower() and not owner.endswith(INVALID)
        if is_common and not owner.startswith(WILDCARD) and owner not in self.records:
            self.records[owner] = pack_host(hosts, ttl, address)
            self.written += 1
            return None
        return self.add(RRset(owner, rrtype, ttl, (address,)), hosts)

    def add_upper(self, zone: bytes, rrset: RRset) -> str | None:
        """Add what the file of ``zone`` has at or below the apex of another zone that the resolver has."""
        node = self._upper[zone].setdefault(rrset.key, Node(rrset.name))
        return _merged(node, rrset)

    def add_addresses(
        self, keys: list[bytes], ttls: list[int], addresses: list[bytes], parents: Collection[bytes]
    ) -> bool:
        """Add names with one IPv4 address each, in small letters and not below ``invalid``; False where one is there.

        Then none is added. ``parents`` is what stands behind the first labels of the keys.
        """
        added = self.records.add_addresses(keys, ttls, addresses, parents)
        self.written += added * len(keys)
        return added

    def finish(self, reverse: bool = True) -> None:
        """Work out what follows from the records: empty non-terminals, missing SOAs, with ``reverse`` PTR records.

        To be called when all is added; what is added later is found, but nothing follows from it.
        """
        self._grow()
        self._fill_lower()
        for apex in self.authoritative:
            node = self.node(apex)
            if node is None or RRType.SOA not in node.rrsets:
                written, node = self.written, node or Node(apex)
                node.merge(made_up_soa(apex, MADE_UP_TTL, int(self.loaded_at)))
                self.put(apex, node)
                self.written = written
        self._find_non_terminals()
        self._find_signed()
        self.records.bulk().settle()
        self.has_reverse = reverse
        if reverse:
            self.reverse = self._reversed()

    def node(self, key: bytes) -> Node | None:
        """The records of a name, or None where it has none."""
        if self._growing:
            self._grow()
        value = self.records.get(key)
        return unpack(value, key, self.loaded_at) if value else None

    def exists(self, key: bytes) -> bool:
        """Whether there is a name, with records or as an empty non-terminal."""
        return key in self.records

    def node_of(self, zone: bytes | None, key: bytes) -> Node | None:
        """The records that ``zone`` has of a name at or below its apex, those beyond a cut included."""
        if zone is not None and self.apex_of(key) != zone:
            return self._upper[zone].get(key) if zone in self._upper else None
        return self.node(key)

    def flags(self, key: bytes) -> int:
        """The flags of a name: :data:`~labnet.resolver.records.packed.HAS_NS` and others."""
        value = self.records.get(key)
        return value[0] if value else 0

    def apex_of(self, key: bytes) -> bytes | None:
        """The nearest authoritative zone at or above ``key``."""
        authoritative = self.authoritative
        if authoritative:
            for name in ancestors(key):
                if name in authoritative:
                    return name
        return None

    def is_cut(self, key: bytes) -> bool:
        """Whether a name with an NS RRset is a delegation: no apex of ours, and no wildcard (RFC 4592, section 4.2)."""
        return key not in self.authoritative and not key.startswith(WILDCARD)

    def beyond_cuts(self) -> Iterator[tuple[bytes, bytes, Node]]:
        """What upper zones have at or below the apex of another zone: the upper zone, that apex, the records."""
        for zone, nodes in self._upper.items():
            for key, node in nodes.items():
                apex = self.apex_of(key)
                assert apex is not None
                yield zone, apex, node

    def give_down(self, apex: bytes) -> None:
        """Make what the files of upper zones have of the zone ``apex`` its own."""
        for nodes in self._upper.values():
            for key in [key for key in nodes if self.apex_of(key) == apex]:
                node = nodes.pop(key)
                for rrtype, (ttl, rdatas) in node.rrsets.items():
                    self.add(RRset(node.name, rrtype, ttl, rdatas))

    def _grow(self) -> None:
        """Merge what more of one RRset was added since."""
        grown = self._growing.take()
        if grown is not None:
            rrset, flags = grown
            hosts = 0 if flags == _OF_COURSE else flags
            node = self.node(rrset.key) or Node(rrset.name, hosts=hosts)
            self._merge(rrset.key, node, rrset, hosts)
            self.put(rrset.key, node)

    def _fill_lower(self) -> None:
        """Give a zone that no file is of what the file of an upper zone has of it."""
        if self._upper:
            filled = {self.apex_of(above) for above in self.records.parents()}
            for apex in self.authoritative - filled:
                if apex not in self.records:
                    self.give_down(apex)

    def _find_non_terminals(self) -> None:
        """Find the wildcards and the names without records that are needed above others.

        These are the names between those with records and an authoritative zone, or the parent of a wildcard.
        """
        if not (self.authoritative or self.wildcards):
            return
        above: set[bytes] = set()
        for name in self.records.parents():
            for ancestor in ancestors(name):
                if ancestor in above:
                    break
                above.add(ancestor)
        self.wildcards |= {parent(name) for name in above if name.startswith(WILDCARD)}
        needed = set(self.authoritative | self.wildcards)
        for name in sorted(above, key=len):  # so that each comes behind its ancestors
            if parent(name) in needed:
                needed.add(name)
        for name in needed:
            self.records.setdefault(name, b"")

    def _find_signed(self) -> None:
        """Find the zones that are signed, and their NSEC records."""
        apexes = {apex: node for apex in self.authoritative if RRSIG in (node := self.node(apex) or Node(apex)).rrsets}
        if not apexes:
            return
        owners: dict[bytes | None, list[bytes]] = defaultdict(list)
        for key, value in self.records.others():
            if value and NSEC in unpack(value, key, self.loaded_at).rrsets:
                owners[self.apex_of(key)].append(key)
        for apex, node in apexes.items():
            self.signed[apex] = SignedZone(node, owners[apex], self._hashed.get(apex, {}))

    def _reversed(self) -> ReverseNames:
        """The names of reverse mapping; those of names with one IPv4 address, mostly all, in one go."""
        table = self.records.bulk()
        owners = [
            (key, address)
            for key, value in self.records.others()
            if value and not key.startswith(WILDCARD)
            for address in addresses(value)
            if not self._not_reversed or (key, address) not in self._not_reversed
        ]
        return ReverseNames(owners, table.addresses(), table.end, table.key)

    def _merge(self, key: bytes, node: Node, rrset: RRset, hosts: int = 0) -> str | None:
        """Merge ``rrset`` into ``node`` where it can stand there; else why not.

        An alias that has records of another kind too is none: just its addresses as an alias do not lead back to it.
        """
        present = {address for rrtype in _ADDRESSES if rrtype in node.rrsets for address in node.rrsets[rrtype][1]}
        says = _merged(node, rrset)
        if says is None and node.hosts & IS_ALIAS != hosts & IS_ALIAS:
            aliased = present if node.hosts & IS_ALIAS else set(rrset.rdatas) - present
            self._not_reversed |= {(key, address) for address in aliased}
            if not hosts & IS_ALIAS:
                self._not_reversed -= {(key, address) for address in rrset.rdatas}
            node.hosts &= ~IS_ALIAS
        if says is None:
            node.hosts &= hosts | ~FROM_HOSTS
        return says

    def put(self, key: bytes, node: Node) -> None:
        """Have ``node`` stand for all records of the name ``key``."""
        self.written += not self.records.get(key)
        value = pack(node, key, self.loaded_at)
        self.records[key] = value
        if value[0] & HAS_DNAME or (value[0] & HAS_NS and key not in self.authoritative):
            self.has_cuts = True
        if key.startswith(WILDCARD):
            self.wildcards.add(parent(key))


def address_rrset(wire: bytes, mapping: Mapping) -> RRset | None:
    """The record of a course's line for the name ``wire``; None where its address is not one that DNS can carry."""
    try:
        address = ipaddress.ip_address(mapping.address)
    except ValueError:
        return None
    if "%" in mapping.address:
        return None
    return RRset(wire, RRType.A if address.version == 4 else RRType.AAAA, mapping.ttl, (address.packed,))


def _merged(node: Node, rrset: RRset) -> str | None:
    """Merge ``rrset`` into ``node`` where it can stand there; else why not."""
    says = clash({rrtype: rdatas for rrtype, (_, rdatas) in node.rrsets.items()}, rrset)
    if says is None:
        node.merge(rrset)
    return says


def _invalid(name: str) -> str:
    return f"{name} is below invalid, where no name exists (RFC 6761); the record is left out"
