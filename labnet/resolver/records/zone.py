"""The static records of one resolver: what its files say, as an authority answers it (RFC 1034, section 4.3.2)."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from labnet.resolver.records.packed import (
    HAS_DNAME,
    HAS_NS,
    Node,
    addresses,
    first_mapping,
    pack,
    pack_address,
    unpack,
)
from labnet.resolver.records.reverse import ReverseNames
from labnet.resolver.records.rules import clash
from labnet.resolver.records.special import is_invalid, made_up_soa
from labnet.resolver.records.table import PackedRecords
from labnet.wire.names import LONGEST_NAME, ROOT, ancestors, is_below, key_of, parent, renamed, text_of, wire_of
from labnet.wire.types import Answer, ExtendedError, InfoCode, Mapping, Question, Rcode, RRset, RRType

ORIGIN: Final = "from the file"

MADE_UP_TTL: Final = 60
"""Seconds of a negative answer from a zone whose file has no SOA: short, since a lab's files change."""

_DS: Final = 43
_REMEMBERED: Final = 10_000
_WILDCARD: Final = b"\x01*"
_EMPTY: Final = b""


class Zone:
    """Names that never expire, whichever files they come from.

    ``authoritative`` are the keys of the zones that the resolver is the authority for: names below them that no file
    has do not exist. Elsewhere a name that no file has is not known here. ``loaded_at`` (epoch seconds) is what the
    course protocol is told. Fill it, call :meth:`finish`, then ask.
    """

    def __init__(self, authoritative: Iterable[bytes] = (), loaded_at: float = 0.0) -> None:
        self._authoritative = frozenset(authoritative)
        self._loaded_at = loaded_at
        # Packed nodes by key; an empty non-terminal has an empty value. A key of no wire form has no ancestors.
        self._nodes = PackedRecords()
        self._written = 0
        self._wildcards: set[bytes] = set()
        self._has_cuts = False
        self._authority_below: dict[bytes, bool] = {}
        self._reverse = ReverseNames()

    def __len__(self) -> int:
        """How many names the files have."""
        return self._written

    def __contains__(self, key: object) -> bool:
        """Whether the files have records of this very key (a derived, empty or wildcard's name does not count)."""
        return bool(self._nodes.get(key)) if isinstance(key, bytes) else False

    def add_mapping(self, mapping: Mapping) -> str | None:
        """Add a line of a course's file; gives None, or in one sentence what of it was left out.

        The first line of a name is what the course protocol is told. Each address that is one becomes an A or AAAA
        record too, those of several lines together one RRset.
        """
        wire = wire_of(mapping.name)
        key = key_of(mapping.name)
        if is_invalid(key):
            return _invalid(mapping.name)
        node = self._node(key) or Node(wire or key)
        if node.mapping is None:
            node.mapping = mapping
        rrset = None if wire is None else _address_rrset(wire, mapping)
        says = None if rrset is None else _merged(node, rrset)
        self._keep(key, node)
        return says

    def add(self, rrset: RRset) -> str | None:
        """Add records; gives None, or in one sentence why they were left out.

        RRsets of one name and type are merged; the lowest TTL holds for all (RFC 2181, section 5.2).
        """
        key = rrset.key
        if key not in self._nodes and key == rrset.name and not key.startswith(_WILDCARD):
            value = pack_address(rrset)
            if value is not None and not is_invalid(key):
                self._nodes[key] = value
                self._written += 1
                return None
        if is_invalid(key):
            return _invalid(text_of(rrset.name))
        node = self._node(key) or Node(rrset.name)
        says = _merged(node, rrset)
        if says is None:
            self._keep(key, node)
        return says

    def expect(self, names: int) -> None:
        """Make room for about so many names that :meth:`add_addresses` will bring."""
        self._nodes.expect(names)

    def add_addresses(
        self, keys: list[bytes], ttls: list[int], addresses: list[bytes], parents: Collection[bytes]
    ) -> bool:
        """Add names with one IPv4 address each, in small letters and not below ``invalid``; False where one is there.

        Then none is added. ``parents`` is what stands behind the first labels of the keys.
        """
        added = self._nodes.add_addresses(keys, ttls, addresses, parents)
        self._written += added * len(keys)
        return added

    def finish(self, reverse: bool = True) -> None:
        """Work out what follows from the records: empty non-terminals, missing SOAs, with ``reverse`` PTR records.

        To be called when all is added; what is added later is found, but nothing follows from it.
        """
        for apex in self._authoritative:
            node = self._node(apex)
            if node is None or RRType.SOA not in node.rrsets:
                written, node = self._written, node or Node(apex)
                node.merge(made_up_soa(apex, MADE_UP_TTL, int(self._loaded_at)))
                self._keep(apex, node)
                self._written = written
        for key in self._non_terminals():
            self._nodes.setdefault(key, _EMPTY)
        self._nodes.bulk().settle()
        if reverse:
            self._reverse = self._reversed()

    def one_addresses(self, keys: Sequence[bytes]) -> Sequence[bytes | bytearray | None]:
        """For each of ``keys``, if it has one IPv4 address and nothing else, what a record has behind its class.

        That is TTL, length and address (4, 2 and 4 bytes). None for every other name, and where there are delegations
        or DNAMEs, which may stand above it.
        """
        return [None] * len(keys) if self._has_cuts else self._nodes.one_addresses(keys)

    def is_authority_below(self, above: bytes) -> bool:
        """Whether the answer for a name directly below ``above`` is authoritative."""
        authoritative = self._authority_below.get(above)
        if authoritative is None:
            if len(self._authority_below) > _REMEMBERED:
                self._authority_below.clear()
            authoritative = self._authority_below[above] = self._apex_of(above, RRType.A) is not None
        return authoritative

    def is_silent_about(self, key: bytes) -> bool:
        """Whether nothing in the files can say a thing about ``key``, no name above it included.

        It is quick and careful: False does not say that there is an answer. Reverse names are not looked at.
        """
        nodes = self._nodes
        if len(nodes):
            while key:
                if key in nodes:
                    return False
                key = key[1 + key[0] :]
        return True

    def find(self, question: Question) -> Answer | None:
        """The answer in one step (a CNAME is not followed), or None where the name is not known here.

        A referral (:attr:`~labnet.wire.types.Answer.is_referral`) is given below a delegation of an authoritative
        zone. Behind a DNAME the last RRset of the answer is the CNAME made from it (RFC 6672).
        """
        key, rrtype = question.key, question.rrtype
        apex = self._apex_of(key, rrtype)
        if self._has_cuts:
            redirected = self._redirect(key, rrtype, apex)
            if redirected is not None:
                return redirected
        node = self._node(key)
        if node is not None:
            return self._answer(node, question, apex)
        pointers = self._pointers(key)
        if pointers is not None:
            return self._answer(Node(key, rrsets={RRType.PTR: pointers}), question, apex)
        exists = key in self._nodes
        if not exists:
            node = self._wildcard(key)
            if node is not None:
                return self._answer(node, question, apex)
        if apex is None:
            return None
        exists = exists or self._reverse.has_below(key)
        return self._negative(apex, Rcode.NOERROR if exists else Rcode.NXDOMAIN)

    def _answer(self, node: Node, question: Question, apex: bytes | None) -> Answer:
        """The answer from the records of a name; ``node`` is a wildcard's where the question's name has none."""
        rrtype = question.rrtype
        # The name of a wildcard's records is the one that was asked for (RFC 4592, section 2.2).
        owner = None if node.name.lower() == question.key else question.key
        found = node.rrset(rrtype, owner)
        if found is None:
            if rrtype == RRType.ANY:
                found = _smallest(node, owner)
            elif rrtype == RRType.PTR and RRType.CNAME not in node.rrsets:
                pointers = self._pointers(question.key)
                found = None if pointers is None else RRset(node.name, RRType.PTR, *pointers)
            found = found or node.rrset(RRType.CNAME, owner)
        mapping = None
        if rrtype in (RRType.A, RRType.AAAA, RRType.ANY):
            mapping = self._mapping(node, owner)
        if found is not None:
            authoritative = apex is not None
            return Answer(Rcode.NOERROR, (found,), authoritative=authoritative, mapping=mapping, origin=ORIGIN)
        errors = _no_address(node.mapping) if rrtype == RRType.A else ()
        return replace(self._negative(apex, Rcode.NOERROR), mapping=mapping, errors=errors)

    def _mapping(self, node: Node, owner: bytes | None) -> Mapping | None:
        if node.mapping is None:
            return first_mapping(node, self._loaded_at, owner)
        return node.mapping if owner is None else replace(node.mapping, name=text_of(owner))

    def _negative(self, apex: bytes | None, rcode: Rcode) -> Answer:
        soa = None
        node = None if apex is None else self._node(apex)
        if node is not None:
            soa = node.rrset(RRType.SOA)
        if soa is None:
            return Answer(rcode, authoritative=apex is not None, origin=ORIGIN)
        # RFC 2308, section 5: the lesser of the SOA's own TTL and of its last number, MINIMUM.
        minimum = int.from_bytes(soa.rdatas[0][-4:], "big")
        soa = replace(soa, ttl=min(soa.ttl, minimum))
        return Answer(rcode, authority=(soa,), authoritative=True, origin=ORIGIN)

    def _redirect(self, key: bytes, rrtype: int, apex: bytes | None) -> Answer | None:
        """The referral or the DNAME that stands between the zone's apex and ``key``; the one nearest the apex."""
        path = []
        for name in ancestors(key):
            path.append(name)
            if name == apex:
                break
        for name in reversed(path):
            flags = (self._nodes.get(name) or _EMPTY)[:1]
            if flags and flags[0] & (HAS_NS | HAS_DNAME):
                node = self._node(name) or Node(name)
                if apex is not None and self._is_cut(name, node) and not (name == key and rrtype == _DS):
                    return self._referral(node, apex)
                if RRType.DNAME in node.rrsets and name != key:
                    return _renamed(node, key, apex is not None)
        return None

    def _is_cut(self, name: bytes, node: Node) -> bool:
        return RRType.NS in node.rrsets and name not in self._authoritative and not name.startswith(_WILDCARD)

    def _referral(self, cut: Node, apex: bytes) -> Answer:
        servers = cut.rrset(RRType.NS)
        assert servers is not None
        glue = []
        for server in servers.rdatas:
            node = self._node(server.lower()) if is_below(server.lower(), apex) else None
            if node is not None:
                glue += [found for rrtype in (RRType.A, RRType.AAAA) if (found := node.rrset(rrtype)) is not None]
        return Answer(Rcode.NOERROR, authority=(servers,), additional=tuple(glue), origin=ORIGIN)

    def _wildcard(self, key: bytes) -> Node | None:
        """The wildcard that covers ``key``: the one below its closest encloser, or none (RFC 4592, section 3.3.1)."""
        if not self._wildcards or is_invalid(key):
            return None
        for name in ancestors(parent(key)):
            if name in self._nodes:
                return self._node(_WILDCARD + name) if name in self._wildcards else None
        return None

    def _apex_of(self, key: bytes, rrtype: int) -> bytes | None:
        """The authoritative zone that answers for ``key``; what a zone's parent says of it (DS) is the parent's."""
        if not self._authoritative:
            return None
        above = ancestors(key)
        found = next((name for name in above if name in self._authoritative), None)
        if found == key and rrtype == _DS:
            found = next((name for name in above if name in self._authoritative), found)
        return found

    def _pointers(self, key: bytes) -> tuple[int, tuple[bytes, ...]] | None:
        """TTL and rdatas of the PTR records that follow from addresses."""
        nodes = [node for found in self._reverse.find(key) if (node := self._node(found)) is not None]
        if not nodes:
            return None
        ttls = [node.rrsets[rrtype][0] for node in nodes for rrtype in (RRType.A, RRType.AAAA) if rrtype in node.rrsets]
        return min(ttls), tuple([node.name for node in nodes])

    def _non_terminals(self) -> list[bytes]:
        """The names without records that are needed above others: below authoritative zones and wildcards' parents."""
        tops = self._authoritative | self._wildcards
        needed = set(tops)
        if tops:
            for above in self._nodes.parents():
                between: list[bytes] = []
                for name in ancestors(above):
                    if name in needed:
                        needed.update(between)
                        break
                    between.append(name)
        return [name for name in needed if name not in self._nodes]

    def _reversed(self) -> ReverseNames:
        """The names of reverse mapping; those of names with one IPv4 address, mostly all, in one go."""
        table = self._nodes.bulk()
        owners = [
            (key, address)
            for key, value in self._nodes.others()
            if value and not key.startswith(_WILDCARD)
            for address in addresses(value)
        ]
        return ReverseNames(owners, table.addresses(), table.end, table.key)

    def _node(self, key: bytes) -> Node | None:
        value = self._nodes.get(key)
        return unpack(value, key, self._loaded_at) if value else None

    def _keep(self, key: bytes, node: Node) -> None:
        self._written += not self._nodes.get(key)
        value = pack(node, key, self._loaded_at)
        self._nodes[key] = value
        if value[0] & HAS_DNAME or (value[0] & HAS_NS and key not in self._authoritative):
            self._has_cuts = True
        if key.startswith(_WILDCARD):
            self._wildcards.add(parent(key))


def _merged(node: Node, rrset: RRset) -> str | None:
    """Merge ``rrset`` into ``node`` where it can stand there; else why not."""
    says = clash({rrtype: rdatas for rrtype, (_, rdatas) in node.rrsets.items()}, rrset)
    if says is None:
        node.merge(rrset)
    return says


def _address_rrset(wire: bytes, mapping: Mapping) -> RRset | None:
    try:
        address = ipaddress.ip_address(mapping.address)
    except ValueError:
        return None
    if "%" in mapping.address:
        return None
    return RRset(wire, RRType.A if address.version == 4 else RRType.AAAA, mapping.ttl, (address.packed,))


def _no_address(mapping: Mapping | None) -> tuple[ExtendedError, ...]:
    if mapping is None or _address_rrset(ROOT, mapping) is not None:
        return ()
    return (ExtendedError(InfoCode.INVALID_DATA, f"the address of the record is no IPv4 address: {mapping.address!r}"),)


def _smallest(node: Node, owner: bytes | None) -> RRset | None:
    """What is told where any type will do: the RRset of the fewest bytes (RFC 8482, section 4.1)."""
    sizes = {rrtype: sum(map(len, rdatas)) for rrtype, (_, rdatas) in node.rrsets.items()}
    return node.rrset(min(sizes, key=lambda rrtype: (sizes[rrtype], rrtype)), owner) if sizes else None


def _renamed(node: Node, key: bytes, authoritative: bool) -> Answer:
    """The answer below a DNAME: it, and the CNAME that follows from it (RFC 6672, section 3.1)."""
    dname = node.rrset(RRType.DNAME)
    assert dname is not None
    target = renamed(key, node.name, dname.rdatas[0])
    if target is None:
        says = f"the name that {text_of(node.name)} (DNAME) makes of it is longer than {LONGEST_NAME} bytes"
        errors = (ExtendedError(InfoCode.OTHER, says),)
        return Answer(Rcode.YXDOMAIN, (dname,), authoritative=authoritative, errors=errors, origin=ORIGIN)
    cname = RRset(key, RRType.CNAME, dname.ttl, (target,))
    return Answer(Rcode.NOERROR, (dname, cname), authoritative=authoritative, origin=ORIGIN)


def _invalid(name: str) -> str:
    return f"{name} is below invalid, where no name exists (RFC 6761); the record is left out"
