"""Which records can stand beside each other (RFC 2181, section 10.1; RFC 1034, section 3.6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from labnet.wire.names import text_of
from labnet.wire.types import RRset, RRType

_SINGLE: Final = frozenset((RRType.CNAME, RRType.SOA, RRType.DNAME))
_BESIDE_CNAME: Final = frozenset((25, 46, 47, 50))  # KEY, RRSIG, NSEC, NSEC3: RFC 2181, section 10.1; RFC 4034


def clash(present: Mapping[int, Iterable[bytes]], rrset: RRset) -> str | None:
    """Why ``rrset`` cannot stand beside its name's records, or None where it can.

    ``present`` are the rdatas that the name has, by type.
    """
    if rrset.rrtype == RRType.CNAME:
        if any(rrtype not in _BESIDE_CNAME for rrtype in present if rrtype != RRType.CNAME):
            return f"{text_of(rrset.name)} has other records, so it can have no CNAME; the CNAME is left out"
    elif RRType.CNAME in present and rrset.rrtype not in _BESIDE_CNAME:
        return f"{text_of(rrset.name)} has a CNAME, so it can have no other record; this one is left out"
    if rrset.rrtype in _SINGLE and len({*present.get(rrset.rrtype, ()), *rrset.rdatas}) > 1:
        return f"{text_of(rrset.name)} has more than one {RRType(rrset.rrtype).name}; the first is the one answered"
    return None
