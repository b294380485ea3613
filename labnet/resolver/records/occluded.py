"""Names that a zone has and never answers with, because they are beyond a delegation or a DNAME of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Set
from functools import cache
from typing import Final

from labnet.resolver.records.packed import ADDRESS_HEADS, ADDRESS_SIZE, HAS_DNAME, HAS_NS, unpack
from labnet.resolver.records.proofs import NSEC, RRSIG
from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.names import ancestors, parent, text_of
from labnet.wire.types import RRType

_SHOWN: Final = 3
_ADDRESSES: Final = frozenset((RRType.A, RRType.AAAA))
_NONE: Final[frozenset[int]] = frozenset()
_AT_A_CUT: Final = frozenset((RRType.NS, RRType.DS, RRSIG, NSEC))


def occluded(data: ZoneData) -> Iterator[tuple[bytes | None, str]]:
    """A sentence for each delegation and DNAME at or beyond which a zone has records that are never answered.

    With it comes the key of the zone, None where that is not one of the authoritative ones. Addresses of name servers,
    the zone's own too, are not meant: they are glue (RFC 1034, section 4.2.1; RFC 6672, section 2.4).
    """
    names: dict[bytes, list[bytes]] = defaultdict(list)
    for cut, key in (*_beyond_own_cuts(data), *_beyond_apexes(data)):
        names[cut].append(key)
    for cut, keys in sorted(names.items()):
        some = ", ".join(map(text_of, sorted(keys)[:_SHOWN]))
        more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
        what = "delegation" if data.flags(cut) & HAS_NS else "DNAME"
        yield (
            data.apex_of(parent(cut)),
            f"{some}{more}: at or below the {what} of {text_of(cut)}, so never answered by the zone above it; "
            f"remove them there, or the {what}",
        )


def _beyond_own_cuts(data: ZoneData) -> Iterator[tuple[bytes, bytes]]:
    if not data.has_cuts:
        return
    cuts: dict[bytes, Set[int]] = {}  # types that are out of place there; of a DNAME alone none is
    delegations: set[bytes] = set()
    servers: set[bytes] = set()
    apex_of = cache(data.apex_of)
    for key, value in data.records.others():
        if value and value[0] & (HAS_NS | HAS_DNAME):
            types = unpack(value, key, data.loaded_at).rrsets
            servers.update([rdata.lower() for rdata in types.get(RRType.NS, (0, ()))[1]])
            if RRType.NS in types and data.is_cut(key) and apex_of(parent(key)) is not None:
                delegations.add(key)
                cuts[key] = types.keys() - _AT_A_CUT
            elif RRType.DNAME in types:
                cuts[key] = frozenset()
    yield from ((key, key) for key, types in cuts.items() if not types <= (_ADDRESSES if key in servers else _NONE))
    beyond = {above: cut for above in data.records.parents() if (cut := _cut_above(data, cuts, above)) is not None}
    if beyond:
        for key, value in _everything(data):
            cut = beyond.get(parent(key))
            if cut is not None and key not in data.authoritative:
                is_glue = key in servers and cut in delegations
                if not (is_glue and _types(value, key) <= _ADDRESSES):
                    yield cut, key


def _cut_above(data: ZoneData, cuts: Collection[bytes], name: bytes) -> bytes | None:
    """The nearest of ``cuts`` at or above a name, in the zone that the name is in."""
    for above in ancestors(name):
        if above in cuts:
            return above
        if above in data.authoritative:
            return None
    return None


def _everything(data: ZoneData) -> Iterator[tuple[bytes, bytes]]:
    """Every name that has records, with their packed form."""
    yield from ((key, value) for key, value in data.records.others() if value)
    table = data.records.bulk()
    yield from ((table.key(place), table.value(place)) for _, place in table.addresses())


def _types(value: bytes, key: bytes) -> Set[int]:
    if value[:3] in ADDRESS_HEADS and len(value) == ADDRESS_SIZE:
        return _ADDRESSES
    return unpack(value, key, 0).rrsets.keys()


def _beyond_apexes(data: ZoneData) -> Iterator[tuple[bytes, bytes]]:
    """What the files of upper zones have at or below the apex of another zone."""
    found = list(data.beyond_cuts())
    servers = {rdata.lower() for _, _, node in found for rdata in node.rrsets.get(RRType.NS, (0, ()))[1]}
    for _, apex, node in found:
        key = node.name.lower()
        glue = _ADDRESSES if key in servers else frozenset()
        if not node.rrsets.keys() <= (_AT_A_CUT | glue if key == apex else glue):
            yield apex, key
