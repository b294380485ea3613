"""The NSEC and NSEC3 records of one zone beside an answer: their signatures checked, ready to be asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from labnet.resolver.validation.denial import Proofs
from labnet.resolver.validation.nsec import NsecProofs
from labnet.resolver.validation.nsec3 import Nsec3Proofs
from labnet.resolver.validation.signatures import Keys, lifetime, signatures_of, verify
from labnet.resolver.validation.work import Work
from labnet.wire.names import is_below
from labnet.wire.types import RRset, RRType


class Denials(NamedTuple):
    """What a zone proves, for how long (seconds), and by which NSEC records, if it has such."""

    proofs: Proofs
    ttl: int
    nsec: tuple[RRset, ...] = ()


def proofs_of(beside: Sequence[RRset], keys: Keys, now: float, work: Work) -> Denials | None:
    """What the records of the zone of these ``keys``, among those ``beside`` an answer, prove at ``now``.

    None where there are no such records. Raises :class:`~labnet.resolver.upstream.errors.Bogus` where the signature of
    one does not hold.
    """
    ttls: list[int] = []
    verified: dict[int, list[RRset]] = {RRType.NSEC: [], RRType.NSEC3: []}
    for rrset in _denials(beside):
        signatures = signatures_of(rrset, beside)
        is_own = is_below(rrset.key, keys.zone)
        if is_own and any(signature.signer == keys.zone for signature in signatures):
            signature = verify(rrset, signatures, keys, now, work)
            ttls.append(lifetime(rrset, signature, now))
            verified[rrset.rrtype].append(rrset)
    if not ttls:
        return None
    hashed = verified[RRType.NSEC3]
    if hashed:
        return Denials(Nsec3Proofs(keys.zone, hashed, work), min(ttls))
    nsec = verified[RRType.NSEC]
    return Denials(NsecProofs(keys.zone, nsec), min(ttls), tuple(nsec))


def _denials(beside: Iterable[RRset]) -> list[RRset]:
    return list(
        {(each.key, each.rrtype): each for each in beside if each.rrtype in (RRType.NSEC, RRType.NSEC3)}.values()
    )
