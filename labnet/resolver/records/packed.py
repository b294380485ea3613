"""The records of one name packed into bytes: a million names are a million small values, not millions of objects.

A value is a byte of flags, the name where its case is not the key's, the course's mapping where it does not follow from
the first address, and the RRsets: type, TTL and number of records (2, 4 and 2 bytes), then each record's data behind
its length (2 bytes). A name with one IPv4 address takes 15 bytes. Values live in memory only.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from labnet.wire.names import text_of
from labnet.wire.rdata import ADDRESS_BYTES
from labnet.wire.types import Mapping, RRset, RRType

MOST_RECORDS: Final = 65535
"""Records of one RRset; a DNS message counts no more (RFC 1035, section 4.1.1)."""

HAS_NS: Final = 1
"""Flag: the name has an NS RRset, so what is below it may be another zone's."""

HAS_DNAME: Final = 16
"""Flag: the name has a DNAME, so no name is below it."""

FROM_HOSTS: Final = 32
"""Flag: the addresses are from a hosts file, where one address has one name that it leads back to."""

IS_ALIAS: Final = 64
"""Flag: the name stands behind another one in a hosts file, so its addresses do not lead back to it."""

_HOSTS: Final = FROM_HOSTS | IS_ALIAS
_HAS_NAME: Final = 2
_HAS_MAPPING: Final = 4
_MAPS_FIRST: Final = 8

_RRSET = Struct(">HIH")
_LENGTH = Struct(">H")
_ADDRESSES = {rrtype: Struct(f"2x{size}s") for rrtype, size in ADDRESS_BYTES.items()}
_MAPPING = Struct(">IdHH")
_ONE_ADDRESS = Struct(">BHIHH4s")

ADDRESS_HEADS: Final = frozenset(bytes((flags, 0, RRType.A)) for flags in (0, FROM_HOSTS, IS_ALIAS, _HOSTS))
"""How a value begins that may be one of :func:`pack_address` or :func:`pack_host`."""

ADDRESS_SIZE: Final = _ONE_ADDRESS.size
"""Bytes of such a value, which has the TTL in the four from the third on, and the address in the last four."""


@dataclass(slots=True)
class Node:
    """The records of one name: ``rrsets`` holds TTL (seconds) and rdatas by type, ``mapping`` the course's line.

    ``hosts`` has the flags :data:`FROM_HOSTS` and :data:`IS_ALIAS`.
    """

    name: bytes
    mapping: Mapping | None = None
    rrsets: dict[int, tuple[int, tuple[bytes, ...]]] = field(default_factory=dict)
    hosts: int = 0

    def rrset(self, rrtype: int, owner: bytes | None = None) -> RRset | None:
        """The RRset of one type, owned by ``owner`` where that is another name (a wildcard's), or None."""
        found = self.rrsets.get(rrtype)
        return None if found is None else RRset(owner or self.name, rrtype, *found)

    def merge(self, rrset: RRset) -> None:
        """Take in ``rrset``: equal records once, the lowest TTL for all (RFC 2181, sections 5 and 5.2)."""
        ttl, rdatas = self.rrsets.get(rrset.rrtype, (rrset.ttl, ()))
        merged = tuple(dict.fromkeys(rdatas + rrset.rdatas))
        self.rrsets[rrset.rrtype] = min(ttl, rrset.ttl), merged[:MOST_RECORDS]


def pack_address(rrset: RRset) -> bytes | None:
    """The value of a name whose case is its key's and that has one IPv4 address, no more; None for any other RRset."""
    if rrset.rrtype != RRType.A or len(rrset.rdatas) != 1:
        return None
    return _ONE_ADDRESS.pack(0, RRType.A, rrset.ttl, 1, 4, rrset.rdatas[0])


def pack_host(hosts: int, ttl: int, address: bytes) -> bytes:
    """The value of a name in small letters that has one IPv4 address, from a hosts file."""
    return _ONE_ADDRESS.pack(hosts, RRType.A, ttl, 1, 4, address)


def pack_address_head(ttl: int) -> bytes:
    """What stands before the address in the value that :func:`pack_address` gives, for a TTL in seconds."""
    return _ONE_ADDRESS.pack(0, RRType.A, ttl, 1, 4, b"")[:-4]


def addresses(value: bytes) -> Iterator[bytes]:
    """The IPv4 and IPv6 addresses in a value that lead back to its name."""
    if value[0] & IS_ALIAS:
        return
    if len(value) == _ONE_ADDRESS.size and not value[0] & ~(_MAPS_FIRST | FROM_HOSTS):
        rrtype = _ONE_ADDRESS.unpack(value)[1]
        if rrtype == RRType.A:
            yield value[-4:]
        return
    rrsets = unpack(value, b"\0", 0).rrsets
    for rrtype in (RRType.A, RRType.AAAA):
        if rrtype in rrsets:
            yield from rrsets[rrtype][1]


def pack(node: Node, key: bytes, loaded_at: float) -> bytes:
    """The value that :func:`unpack` makes ``node`` of, given the same ``key`` and ``loaded_at`` (epoch seconds)."""
    flags, parts = node.hosts, []
    if node.name != key:
        flags |= _HAS_NAME
        parts += [bytes((len(node.name),)), node.name]
    if node.mapping is not None and node.mapping == first_mapping(node, loaded_at):
        flags |= _MAPS_FIRST
    elif node.mapping is not None:
        flags |= _HAS_MAPPING
        parts += _packed_mapping(node.mapping)
    flags |= HAS_NS * (RRType.NS in node.rrsets) | HAS_DNAME * (RRType.DNAME in node.rrsets)
    for rrtype, (ttl, rdatas) in node.rrsets.items():
        parts.append(_RRSET.pack(rrtype, ttl, len(rdatas)))
        for rdata in rdatas:
            parts += [_LENGTH.pack(len(rdata)), rdata]
    return b"".join([bytes((flags,)), *parts])


def unpack(value: bytes, key: bytes, loaded_at: float) -> Node:
    """The records in a value."""
    flags, at = value[0], 1
    node = Node(key, hosts=flags & _HOSTS)
    if flags == node.hosts and len(value) == _ONE_ADDRESS.size:
        _, rrtype, ttl, count, length, address = _ONE_ADDRESS.unpack(value)
        if count == 1 and length == len(address):
            node.rrsets[rrtype] = ttl, (address,)
            return node
    if flags & _HAS_NAME:
        end = at + 1 + value[at]
        node.name, at = value[at + 1 : end], end
    if flags & _HAS_MAPPING:
        node.mapping, at = _unpacked_mapping(value, at)
    while at < len(value):
        rrtype, ttl, count = _RRSET.unpack_from(value, at)
        at += _RRSET.size
        rdatas = []
        if (form := _ADDRESSES.get(rrtype)) is not None:  # of which a name may have thousands
            end = at + count * form.size
            rdatas = [rdata for (rdata,) in form.iter_unpack(value[at:end])]
            at, count = end, 0
        for _ in range(count):
            start = at + _LENGTH.size
            at = start + _LENGTH.unpack_from(value, at)[0]
            rdatas.append(value[start:at])
        node.rrsets[rrtype] = ttl, tuple(rdatas)
    if flags & _MAPS_FIRST:
        node.mapping = first_mapping(node, loaded_at)
    return node


def first_mapping(node: Node, loaded_at: float, owner: bytes | None = None) -> Mapping | None:
    """The course's mapping that follows from the records: the first A address, else the first AAAA address."""
    for rrtype, family in ((RRType.A, socket.AF_INET), (RRType.AAAA, socket.AF_INET6)):
        found = node.rrsets.get(rrtype)
        if found is not None:
            ttl, rdatas = found
            name = text_of(owner or node.name)
            return Mapping(name, socket.inet_ntop(family, rdatas[0]), ttl, learned=False, since=loaded_at)
    return None


def _packed_mapping(mapping: Mapping) -> list[bytes]:
    name = mapping.name.encode("utf-8", "surrogatepass")
    address = mapping.address.encode("utf-8", "surrogatepass")
    return [_MAPPING.pack(mapping.ttl, mapping.since, len(name), len(address)), name, address]


def _unpacked_mapping(value: bytes, at: int) -> tuple[Mapping, int]:
    ttl, since, name_length, address_length = _MAPPING.unpack_from(value, at)
    at += _MAPPING.size
    middle, end = at + name_length, at + name_length + address_length
    name = value[at:middle].decode("utf-8", "surrogatepass")
    address = value[middle:end].decode("utf-8", "surrogatepass")
    return Mapping(name, address, ttl, learned=False, since=since), end
