"""Names that a zone has and never answers with, because they are beyond a delegation or a DNAME of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Set
from typing import Final

from labnet.resolver.records.packed import HAS_DNAME, HAS_NS, unpack
from labnet.resolver.records.proofs import NSEC, RRSIG
from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.names import ancestors, parent, text_of
from labnet.wire.types import RRType

_SHOWN: Final = 3
_ADDRESSES: Final = frozenset((RRType.A, RRType.AAAA))
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
    cuts: dict[bytes, bool] = {}  # whether it is a delegation
    servers: set[bytes] = set()
    for key, value in data.records.others():
        if value and value[0] & (HAS_NS | HAS_DNAME):
            node = unpack(value, key, data.loaded_at)
            is_delegation = RRType.NS in node.rrsets and data.is_cut(key) and data.apex_of(key) is not None
            if is_delegation or RRType.DNAME in node.rrsets:
                cuts[key] = is_delegation
            servers.update(rdata.lower() for rdata in node.rrsets.get(RRType.NS, (0, ()))[1])
    beyond = {above: cut for above in data.records.parents() if (cut := _cut_above(data, cuts, above)) is not None}
    for key, types in _types(data, None if beyond else cuts):
        cut = key if cuts.get(key) else beyond.get(parent(key))
        if cut is not None and key not in data.authoritative:
            glue = _ADDRESSES if key in servers and cuts[cut] else frozenset()
            if not types <= (_AT_A_CUT | glue if key == cut else glue):
                yield cut, key


def _cut_above(data: ZoneData, cuts: Collection[bytes], name: bytes) -> bytes | None:
    """The nearest of ``cuts`` at or above a name, in the zone that the name is in."""
    for above in ancestors(name):
        if above in cuts:
            return above
        if above in data.authoritative:
            return None
    return None


def _types(data: ZoneData, among: Iterable[bytes] | None) -> Iterator[tuple[bytes, Set[int]]]:
    """The types of every name that has records, or of those ``among`` them."""
    if among is not None:
        yield from ((key, node.rrsets.keys()) for key in among if (node := data.node(key)) is not None)
        return
    for key, value in data.records.others():
        if value:
            yield key, unpack(value, key, data.loaded_at).rrsets.keys()
    table = data.records.bulk()
    for _, place in table.addresses():
        yield table.key(place), {RRType.A}


def _beyond_apexes(data: ZoneData) -> Iterator[tuple[bytes, bytes]]:
    """What the files of upper zones have at or below the apex of another zone."""
    found = list(data.beyond_cuts())
    servers = {rdata.lower() for _, _, node in found for rdata in node.rrsets.get(RRType.NS, (0, ()))[1]}
    for _, apex, node in found:
        key = node.name.lower()
        glue = _ADDRESSES if key in servers else frozenset()
        if not node.rrsets.keys() <= (_AT_A_CUT | glue if key == apex else glue):
            yield apex, key
