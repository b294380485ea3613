"""Records that are added and taken out while they are served, until the files are read anew."""

from __future__ import annotations

from labnet.resolver.records.packed import Node
from labnet.resolver.records.proofs import PROVING
from labnet.resolver.records.zonedata import WILDCARD, ZoneData, address_rrset
from labnet.wire.names import ancestors, key_of, parent, text_of, wire_of
from labnet.wire.types import Mapping, RRset, RRType

_ADDRESSES = (RRType.A, RRType.AAAA)


class EditError(Exception):
    """It cannot be done; the text is a sentence."""


def add_record(data: ZoneData, rrset: RRset) -> None:
    """Have the finished ``data`` answer with ``rrset`` too. Raises :class:`EditError`."""
    _check(data, rrset.key, rrset.rrtype)
    _raise(data.add(rrset))
    _follow(data, rrset.key, rrset)


def add_mapping(data: ZoneData, mapping: Mapping) -> None:
    """Have the finished ``data`` answer with a line of the course too. Raises :class:`EditError`."""
    key, wire = key_of(mapping.name), wire_of(mapping.name)
    _check(data, key, RRType.A)
    _raise(data.add_mapping(mapping))
    _follow(data, key, None if wire is None else address_rrset(wire, mapping))


def remove_records(data: ZoneData, key: bytes, rrtype: int | None = None, text: str = "", rdata: bytes = b"") -> int:
    """Take out what the finished ``data`` has of a name; how many records that were. Raises :class:`EditError`.

    Without ``rrtype`` it is everything but the SOA, which no zone can do without; with ``rdata`` one record alone,
    which is ``text`` in a line of the course.
    """
    _check(data, key, rrtype)
    node = data.node(key)
    if node is None:
        return 0
    count = 0
    for kind in [kind for kind in node.rrsets if kind == rrtype or (rrtype is None and kind != RRType.SOA)]:
        ttl, rdatas = node.rrsets.pop(kind)
        kept = tuple([one for one in rdatas if rdata and one != rdata])
        count += len(rdatas) - len(kept)
        if kept:
            node.rrsets[kind] = (ttl, kept)
    count += _without_mapping(node, rrtype, text)
    if node.rrsets or node.mapping is not None:
        data.put(key, node)
    elif count:
        _take_out(data, key)
    return count


def _without_mapping(node: Node, rrtype: int | None, text: str) -> int:
    """Take the course's line out of ``node`` where its record is gone; 1 where it was no record of DNS."""
    mapping = node.mapping
    if mapping is None:
        return 0
    record = address_rrset(node.name, mapping)
    if record is not None:
        _, rdatas = node.rrsets.get(record.rrtype, (0, ()))
        if record.rdatas[0] not in rdatas:
            node.mapping = None
        return 0
    if rrtype not in (None, RRType.A) or (text and text != mapping.address):
        return 0
    node.mapping = None
    return 1


def _take_out(data: ZoneData, key: bytes) -> None:
    """No record of the name ``key`` is left: it goes, and so do names above it that were there for it alone."""
    data.written -= 1
    data.records.discard(key)
    if key.startswith(WILDCARD):
        data.wildcards.discard(parent(key))
    apex = data.apex_of(key)
    above = data.records.parents()
    if key in above and (apex is not None or key in data.wildcards):
        data.records.setdefault(key, b"")
        return
    for name in ancestors(parent(key)) if data.records.get(parent(key)) == b"" else ():
        if name in above or name in data.authoritative or data.records.get(name) != b"":
            break
        data.records.discard(name)
        above = data.records.parents()


def _follow(data: ZoneData, key: bytes, rrset: RRset | None) -> None:
    """Have in ``data`` what follows from a record that was added: names above it, and that of reverse mapping."""
    data.node(key)  # what grew is merged
    apex = data.apex_of(key)
    for name in ancestors(parent(key)) if apex is not None and key != apex else ():
        data.records.setdefault(name, b"")
        if name == apex:
            break
    if key.startswith(WILDCARD):
        data.records.setdefault(parent(key), b"")
        data.wildcards.add(parent(key))
    if rrset is not None and rrset.rrtype in _ADDRESSES and data.has_reverse and not key.startswith(WILDCARD):
        for address in rrset.rdatas:
            data.reverse.add(key, address)


def _check(data: ZoneData, key: bytes, rrtype: int | None) -> None:
    apex = data.apex_of(key)
    if apex is not None and apex in data.signed:
        raise EditError(f"the zone {text_of(apex)} is signed in its file: its records are changed there")
    if rrtype == RRType.SOA:
        raise EditError("the SOA of a zone is changed in its file")
    if rrtype in PROVING:
        raise EditError("records of DNSSEC are changed in their file, which is signed as a whole")


def _raise(says: str | None) -> None:
    if says is not None:
        raise EditError(says)
