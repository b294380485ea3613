"""The static records of one resolver, as an authority answers from them (RFC 1034, section 4.3.2).

The steps of that section are those of :meth:`Zone.find`: the nearest zone above the name (step 2), from its apex down
the first delegation (3 b, a referral) or DNAME (RFC 6672, section 3.2), the records of the name (3 a), else those of
the wildcard below its closest encloser (3 c; RFC 4592, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from labnet.resolver.records.packed import FROM_HOSTS, HAS_DNAME, HAS_NS, Node, first_mapping
from labnet.resolver.records.proofs import PROVING
from labnet.resolver.records.reverse import address_of
from labnet.resolver.records.special import is_invalid
from labnet.resolver.records.zonedata import WILDCARD, ZoneData, address_rrset
from labnet.wire.names import LONGEST_NAME, ROOT, ancestors, is_below, parent, renamed, text_of
from labnet.wire.types import (
    Answer,
    ExtendedError,
    InfoCode,
    Mapping,
    Question,
    Rcode,
    RRset,
    RRType,
    failure_of,
)

ORIGIN: Final = "from the file"

_REMEMBERED: Final = 10_000


class Zone:
    """Answers from ``data``, whose names never expire.

    Names below authoritative zones that no file has do not exist. Elsewhere a name that no file has is not known here.
    """

    def __init__(self, data: ZoneData | None = None) -> None:
        self.data = ZoneData() if data is None else data
        self._authority_below: dict[bytes, bool] = {}

    def __len__(self) -> int:
        """How many names the files have."""
        return self.data.written

    def __contains__(self, key: object) -> bool:
        """Whether the files have records of this very key (a derived, empty or wildcard's name does not count)."""
        return bool(self.data.records.get(key)) if isinstance(key, bytes) else False

    def one_addresses(self, keys: Sequence[bytes]) -> Sequence[bytes | bytearray | None]:
        """For each of ``keys``, if it has one IPv4 address and nothing else, what a record has behind its class.

        That is TTL, length and address (4, 2 and 4 bytes). None for every other name, and where there are delegations
        or DNAMEs, which may stand above it.
        """
        return [None] * len(keys) if self.data.has_cuts else self.data.records.one_addresses(keys)

    def is_authority_below(self, above: bytes) -> bool:
        """Whether the answer for a name directly below ``above`` is authoritative."""
        authoritative = self._authority_below.get(above)
        if authoritative is None:
            if len(self._authority_below) > _REMEMBERED:
                self._authority_below.clear()
            authoritative = self._authority_below[above] = self.data.apex_of(above) is not None
        return authoritative

    def is_silent_about(self, key: bytes) -> bool:
        """Whether nothing in the files can say a thing about ``key``, no name above it included.

        It is quick and careful: False does not say that there is an answer. Reverse names are not looked at.
        """
        records = self.data.records
        if len(records):
            while key:
                if key in records:
                    return False
                key = key[1 + key[0] :]
        return True

    def find(self, question: Question) -> Answer | None:
        """The answer in one step (a CNAME is not followed), or None where the name is not known here.

        A referral (:attr:`~labnet.wire.types.Answer.is_referral`) is given below a delegation of an authoritative
        zone. Behind a DNAME the last RRset of the answer is the CNAME made from it (RFC 6672). The answer of a signed
        zone has signatures and proofs.
        """
        key, rrtype, data = question.key, question.rrtype, self.data
        apex = self._apex_of(key, rrtype) if data.authoritative else None
        if data.unavailable and apex in data.unavailable:
            return failure_of(f"no primary has given the zone {text_of(apex)} of late", InfoCode.NOT_READY)
        node = data.node_of(apex, key) if rrtype == RRType.DS else data.node(key)
        answer = self._find(question, apex, node)
        if not data.signed or apex not in data.signed or answer is None:
            return answer
        return data.signed[apex].complete(data, key, node, answer)

    def _find(self, question: Question, apex: bytes | None, node: Node | None) -> Answer | None:
        key, data = question.key, self.data
        if data.has_cuts:
            redirected = self._redirect(key, question.rrtype, apex)
            if redirected is not None:
                return redirected
        if node is not None:
            return self._answer(node, question, apex)
        pointers = self.pointers(key)
        if pointers is not None:
            return self._answer(Node(key, rrsets={RRType.PTR: pointers}), question, apex)
        exists = key in data.records
        if not exists:
            encloser = self._encloser(key)
            node = None if encloser is None else data.node(WILDCARD + encloser)
            if node is not None:
                return self._answer(node, question, apex)
            exists = encloser is not None
        if apex is None:
            return None
        exists = exists or data.reverse.has_below(key)
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
                pointers = self.pointers(question.key)
                found = None if pointers is None else RRset(node.name, RRType.PTR, *pointers)
            found = found or node.rrset(RRType.CNAME, owner)
        mapping = None
        if rrtype in (RRType.A, RRType.AAAA, RRType.ANY):
            mapping = self._mapping(node, owner)
        if found is not None:
            authoritative = apex is not None
            return Answer(Rcode.NOERROR, (found,), authoritative=authoritative, mapping=mapping, origin=ORIGIN)
        errors = _no_address(node.mapping) if rrtype == RRType.A else ()
        negative = self._negative(apex, Rcode.NOERROR)
        return replace(negative, mapping=mapping, errors=errors) if mapping is not None or errors else negative

    def _mapping(self, node: Node, owner: bytes | None) -> Mapping | None:
        if node.mapping is None:
            return first_mapping(node, self.data.loaded_at, owner)
        return node.mapping if owner is None else replace(node.mapping, name=text_of(owner))

    def _negative(self, apex: bytes | None, rcode: Rcode) -> Answer:
        node = None if apex is None else self.data.node(apex)
        soa = None if node is None else node.rrset(RRType.SOA)
        if soa is None:
            return Answer(rcode, authoritative=apex is not None, origin=ORIGIN)
        # RFC 2308, section 5: the lesser of the SOA's own TTL and of its last number, MINIMUM.
        minimum = int.from_bytes(soa.rdatas[0][-4:], "big")
        if minimum < soa.ttl:
            soa = replace(soa, ttl=minimum)
        return Answer(rcode, authority=(soa,), authoritative=True, origin=ORIGIN)

    def _redirect(self, key: bytes, rrtype: int, apex: bytes | None) -> Answer | None:
        """The referral or the DNAME that stands between the zone's apex and ``key``; the one nearest the apex."""
        path = []
        for name in ancestors(key):
            path.append(name)
            if name == apex:
                break
        for name in reversed(path):
            if self.data.flags(name) & (HAS_NS | HAS_DNAME):
                node = self.data.node(name) or Node(name)
                is_cut = apex is not None and RRType.NS in node.rrsets and self.data.is_cut(name)
                if apex is not None and is_cut and not (name == key and rrtype == RRType.DS):
                    return self._referral(node, apex)
                if RRType.DNAME in node.rrsets and name != key:
                    return _renamed(node, key, apex is not None)
        return None

    def _referral(self, cut: Node, apex: bytes) -> Answer:
        servers = cut.rrset(RRType.NS)
        assert servers is not None
        glue = []
        for server in servers.rdatas:
            node = self.data.node_of(apex, server.lower()) if is_below(server.lower(), apex) else None
            if node is not None:
                glue += [found for rrtype in (RRType.A, RRType.AAAA) if (found := node.rrset(rrtype)) is not None]
        return Answer(Rcode.NOERROR, authority=(servers,), additional=tuple(glue), origin=ORIGIN)

    def _encloser(self, key: bytes) -> bytes | None:
        """The closest encloser of a name that is not there, where a wildcard is below it; else None."""
        if not self.data.wildcards or is_invalid(key):
            return None
        for name in ancestors(parent(key)):
            if name in self.data.records:
                return name if name in self.data.wildcards else None
        return None

    def _apex_of(self, key: bytes, rrtype: int) -> bytes | None:
        """The authoritative zone that answers for ``key``; what a zone's parent says of it (DS) is the parent's."""
        apex = self.data.apex_of(key)
        if apex == key and rrtype == RRType.DS and key != ROOT:
            return self.data.apex_of(parent(key)) or apex
        return apex

    def pointers(self, key: bytes) -> tuple[int, tuple[bytes, ...]] | None:
        """TTL and rdatas of the PTR records that follow from addresses; of names of hosts files, the first alone."""
        nodes: list[Node] = []
        has_host = False
        address = address_of(key)
        for found in self.data.reverse.find(key):
            node = self.data.node(found)
            # An address may have been taken out since.
            has_it = node is not None and any(address in rdatas for _, rdatas in node.rrsets.values())
            if node is not None and has_it and not (has_host and node.hosts & FROM_HOSTS):
                nodes.append(node)
                has_host = has_host or bool(node.hosts & FROM_HOSTS)
        if not nodes:
            return None
        ttls = [node.rrsets[rrtype][0] for node in nodes for rrtype in (RRType.A, RRType.AAAA) if rrtype in node.rrsets]
        return min(ttls), tuple([node.name for node in nodes])


def _no_address(mapping: Mapping | None) -> tuple[ExtendedError, ...]:
    if mapping is None or address_rrset(ROOT, mapping) is not None:
        return ()
    return (ExtendedError(InfoCode.INVALID_DATA, f"the address of the record is no IPv4 address: {mapping.address!r}"),)


def _smallest(node: Node, owner: bytes | None) -> RRset | None:
    """The answer where any type will do: the RRset of the fewest bytes (RFC 8482, section 4.1), not of DNSSEC's own."""
    sizes = {rrtype: sum(map(len, rdatas)) for rrtype, (_, rdatas) in node.rrsets.items()}
    order = [(rrtype in PROVING, size, rrtype) for rrtype, size in sizes.items()]
    return node.rrset(min(order)[2], owner) if order else None


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
