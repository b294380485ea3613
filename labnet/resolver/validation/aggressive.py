"""What zones have proven not to be there, used for the next question about it (RFC 8198): nobody is asked.

NSEC records alone: a range of names is in each. What NSEC3 covers are hashes, of which the names that are asked for hit
hardly any. Positive answers are not made of wildcards.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from labnet.resolver.upstream.errors import Bogus
from labnet.resolver.validation.denial import PROVEN
from labnet.resolver.validation.nsec import NsecProofs
from labnet.resolver.validation.signatures import WILDCARD
from labnet.wire.dns_common import end_of_name
from labnet.wire.names import ROOT, ancestors, canonical, is_below, parent, text_of
from labnet.wire.types import DNSSEC_OK, Question, Rcode, RRset, RRType, Security, Upstream

MOST_ZONES: Final = 500
"""Zones whose proofs are remembered."""

MOST_PROOFS: Final = 200
"""Proofs of one zone that are remembered."""

_NOT_MADE: Final = frozenset((RRType.ANY, RRType.NSEC, RRType.RRSIG))


class Proven(NamedTuple):
    """A verified RRset with its signatures, until the epoch second ``until``."""

    rrset: RRset
    signatures: tuple[RRset, ...]
    until: float


@dataclass(slots=True)
class _Zone:
    soa: Proven
    proofs: dict[bytes, Proven] = field(default_factory=dict)
    order: list[tuple[tuple[bytes, ...], bytes]] = field(default_factory=list)
    following: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    """By the owner of a proof the next name, as it sorts."""

    def add(self, proof: Proven) -> None:
        owner, rdata = proof.rrset.key, proof.rrset.rdatas[0]
        try:
            following = canonical(rdata[: end_of_name(rdata, 0)].lower())
        except (ValueError, IndexError):
            return
        if owner not in self.proofs:
            if len(self.proofs) >= MOST_PROOFS:
                self.proofs.clear()
                self.order.clear()
                self.following.clear()
            insort(self.order, (canonical(owner), owner))
        self.proofs[owner] = proof
        self.following[owner] = following

    def near(self, name: bytes) -> Proven | None:
        """The proof that matches or covers ``name``: that of the last owner up to it."""
        sought = canonical(name)
        place = bisect_right(self.order, (sought, b"\xff" * 256))
        if not place:
            return None
        before, owner = self.order[place - 1]
        following = self.following[owner]
        if before != sought and before < following <= sought:
            return None
        return self.proofs[owner]


class KnownDenials:
    """The proofs of zones, by the zone's key; the zone used longest ago goes first."""

    def __init__(self) -> None:
        self._zones: OrderedDict[bytes, _Zone] = OrderedDict()

    def learn(self, zone: bytes, soa: Proven, proofs: Iterable[Proven]) -> None:
        """``zone`` has proven something by these."""
        known = self._zones.setdefault(zone, _Zone(soa))
        known.soa = soa
        for proof in proofs:
            known.add(proof)
        self._zones.move_to_end(zone)
        if len(self._zones) > MOST_ZONES:
            self._zones.popitem(last=False)

    def forget(self) -> None:
        """Forget all."""
        self._zones.clear()

    def find(self, question: Question, anchor: bytes, now: float) -> Upstream | None:
        """The negative answer to ``question`` that follows from what a zone below ``anchor`` has proven, if one does.

        ``now`` is the epoch second that lifetimes are counted by.
        """
        if not self._zones or question.rrtype in _NOT_MADE:
            return None
        key = question.key
        above = parent(key) if question.rrtype == RRType.DS and key != ROOT else key
        for name in ancestors(above):
            zone = self._zones.get(name)
            if zone is not None:
                return _answer(zone, name, question, now)
            if name == anchor:
                break
        return None


def _answer(zone: _Zone, origin: bytes, question: Question, now: float) -> Upstream | None:
    name = question.key
    near = zone.near(name)
    if near is None or near.until <= now or zone.soa.until <= now:
        return None
    used = [near]
    covered = NsecProofs(origin, [near.rrset])
    rcode = Rcode.NOERROR
    try:
        if near.rrset.key == name or _is_empty(near.rrset, name):
            proof = covered.no_data(name, question.rrtype)
        else:
            star = WILDCARD + covered.encloser(name)
            wildcard = zone.near(star)
            if wildcard is None or wildcard.until <= now:
                return None
            used += [wildcard] if wildcard is not near else []
            both = NsecProofs(origin, [each.rrset for each in used])
            if wildcard.rrset.key == star:
                proof = both.no_data(name, question.rrtype)
            else:
                proof, rcode = both.no_name(name), Rcode.NXDOMAIN
    except Bogus:
        return None
    if proof is not PROVEN:
        return None
    every = [zone.soa, *used]
    left = int(min(each.until for each in every) - now)
    if left <= 0:
        return None
    shown = [part.lasting(left) for each in used for part in (each.rrset, *each.signatures)]
    shown += [part.lasting(left) for part in zone.soa.signatures]
    return Upstream(
        rcode,
        f"a proof of {text_of(origin)}",
        soa=zone.soa.rrset.lasting(left),
        proofs=tuple(shown) if question.dnssec & DNSSEC_OK else (),
        security=Security.SECURE,
    )


def _is_empty(nsec: RRset, name: bytes) -> bool:
    """Whether ``name`` is an empty non-terminal, as the record before it says."""
    following = nsec.rdatas[0][: end_of_name(nsec.rdatas[0], 0)].lower()
    return following != name and is_below(following, name)
