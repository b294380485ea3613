"""The decision about one reply: secure, insecure, or bogus, and why (RFC 4035, section 5; RFC 5155; RFC 6840)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime

from labnet.resolver.upstream.errors import Bogus
from labnet.resolver.validation.aggressive import KnownDenials, Proven
from labnet.resolver.validation.chain import TrustChain, TrustZone
from labnet.resolver.validation.denial import DenialProof, unproven
from labnet.resolver.validation.proofs import Denials, proofs_of
from labnet.resolver.validation.signatures import (
    Keys,
    Signature,
    expanded_from,
    lifetime,
    read_signature,
    rrset_text,
    signatures_of,
    unsigned,
    verify,
)
from labnet.resolver.validation.work import Work
from labnet.wire.names import ROOT, is_below, parent, renamed, text_of
from labnet.wire.types import (
    DNSSEC_OK,
    ExtendedError,
    InfoCode,
    Question,
    Rcode,
    RRset,
    RRType,
    Security,
    Upstream,
)


class SecurityVerdict(NamedTuple):
    """What a reply, or a part of it, is, and why; ``code`` is what a client is told of what is insecure."""

    security: Security
    reason: str
    code: InfoCode | None = None


@dataclass(slots=True)
class _Reply:
    """A reply that is being validated; ``denials`` are its proofs by the zone that they are of."""

    question: Question
    upstream: Upstream
    now: float
    work: Work = field(default_factory=Work)
    denials: dict[bytes, Denials | None] = field(default_factory=dict)
    verdicts: list[SecurityVerdict] = field(default_factory=list)

    def denials_of(self, keys: Keys) -> Denials | None:
        """What the zone of these ``keys`` proves beside the answer."""
        if keys.zone not in self.denials:
            self.denials[keys.zone] = proofs_of(self.upstream.proofs, keys, self.now, self.work)
        return self.denials[keys.zone]

    def take(self, proof: DenialProof, zone: TrustZone) -> None:
        """Something is proven by ``zone``."""
        if proof.security is Security.SECURE:
            self.verdicts.append(_secure(zone))
        else:
            self.verdicts.append(SecurityVerdict(proof.security, proof.reason, proof.code))


class Validator:
    """Decides by the zones and keys that ``chain`` finds."""

    def __init__(self, chain: TrustChain) -> None:
        self._chain = chain
        self._known = KnownDenials()

    @property
    def clock(self) -> IReactorTime:
        """What the links' lifetimes are counted by."""
        return self._chain.clock

    def known(self, question: Question) -> Upstream | None:
        """The negative answer to ``question`` that follows from what its zone has proven before (RFC 8198), if any."""
        anchor = self._chain.anchor_above(question.key)
        if isinstance(anchor, TrustZone):
            return None
        return self._known.find(question, anchor, self.clock.seconds())

    def forget(self) -> None:
        """Forget what zones have proven, and their keys."""
        self._known.forget()
        self._chain.forget()

    async def validate(self, question: Question, upstream: Upstream) -> tuple[Upstream, SecurityVerdict]:
        """What counts of ``upstream``, a reply to ``question`` that was asked for with signatures, and what it is.

        TTLs are as the signatures allow. Raises :class:`Bogus`, or ParentFailed where the chain of trust is cut off.
        """
        reply = _Reply(question, upstream, self._chain.now())
        rrsets = [await self._rrset(reply, number) for number in range(len(upstream.rrsets))]
        soa = upstream.soa
        if soa is not None or not rrsets:
            soa = await self._negative(reply, _target(question, upstream.rrsets))
        verdict = min(reply.verdicts, key=lambda each: each.security)
        errors = upstream.errors
        if verdict.code is not None:
            errors = (*errors, ExtendedError(verdict.code, verdict.reason))
        shown = bool(question.dnssec & DNSSEC_OK)
        checked = replace(
            upstream,
            rrsets=tuple(rrsets),
            soa=soa,
            errors=errors,
            signatures=upstream.signatures if shown else (),
            proofs=upstream.proofs if shown else (),
            security=verdict.security,
        )
        return checked, verdict

    async def _rrset(self, reply: _Reply, number: int) -> RRset:
        """Validate one RRset of the answer; gives it with the TTL that counts."""
        rrsets = reply.upstream.rrsets
        rrset = rrsets[number]
        if number and _is_made(rrset, rrsets[number - 1]):
            return rrset
        if rrset.rrtype == RRType.RRSIG:  # nothing signs it
            if len(rrsets) == 1:
                reply.verdicts.append(
                    SecurityVerdict(Security.INSECURE, f"{rrset_text(rrset)} is signatures, which none signs")
                )
            return rrset
        signatures = signatures_of(rrset, reply.upstream.signatures)
        zone = await self._zone(rrset.key, rrset.rrtype, signatures)
        if zone.security is not Security.SECURE:
            reply.verdicts.append(SecurityVerdict(zone.security, zone.reason, zone.code))
            return rrset
        signature = verify(rrset, signatures, zone.keys, reply.now, reply.work)
        encloser = expanded_from(rrset, signature)
        if encloser is None:
            reply.verdicts.append(_secure(zone))
        else:
            denials = reply.denials_of(zone.keys)
            if denials is None:
                raise unproven(f"nothing proves that {text_of(rrset.key)} is no name and made of a wildcard")
            reply.take(denials.proofs.no_closer(rrset.key, encloser), zone)
        return rrset.lasting(lifetime(rrset, signature, reply.now))

    def at_once(self, rrset: RRset, rdata: bytes) -> tuple[Security, RRset] | None:
        """What :meth:`validate` would say of an answer that is ``rrset`` with the RRSIG in ``rdata``, or with none.

        The ``rrset`` is given with the TTL that counts. None where it takes more than what is known now, where a
        proof has to stand beside it, and where it is bogus or a client is to be told more.
        """
        signature = read_signature(rdata)
        signatures = [signature] if signature is not None and signature.covered == rrset.rrtype else []
        try:
            place = self._place(rrset.key, rrset.rrtype, signatures)
            zone = place if isinstance(place, TrustZone) else self._chain.known_zone_of(place)
            if zone is None or zone.code is not None:
                return None
            if zone.security is not Security.SECURE:
                return zone.security, rrset
            now = self._chain.now()
            signature = verify(rrset, signatures, zone.keys, now, Work())
        except Bogus:
            return None
        if expanded_from(rrset, signature) is not None:
            return None
        return zone.security, rrset.lasting(lifetime(rrset, signature, now))

    async def _negative(self, reply: _Reply, name: bytes) -> RRset | None:
        """Validate that ``name`` has no such records, or is none; gives the SOA with the TTL that counts."""
        upstream, rrtype = reply.upstream, reply.question.rrtype
        soa, proofs = upstream.soa, upstream.proofs
        own = [] if soa is None else signatures_of(soa, proofs)
        signatures = own or [each for rrset in proofs if _denies(rrset) for each in signatures_of(rrset, proofs)]
        zone = await self._zone(name, rrtype, signatures)
        if zone.security is not Security.SECURE:
            reply.verdicts.append(SecurityVerdict(zone.security, zone.reason, zone.code))
            return soa
        ttl = None
        if soa is not None:
            if not own:
                raise unsigned(soa, zone.name)
            ttl = lifetime(soa, verify(soa, own, zone.keys, reply.now, reply.work), reply.now)
        denials = reply.denials_of(zone.keys)
        if denials is None:
            what = f"{text_of(name)} {'has no such records' if upstream.rcode == Rcode.NOERROR else 'is none'}"
            raise unproven(f"nothing proves that {what}, and {text_of(zone.name)} is signed")
        if upstream.rcode == Rcode.NXDOMAIN:
            reply.take(denials.proofs.no_name(name), zone)
        else:
            reply.take(denials.proofs.no_data(name, rrtype), zone)
        if soa is None or ttl is None:
            return None
        soa = soa.lasting(min(ttl, denials.ttl))
        if denials.nsec and reply.verdicts[-1].security is Security.SECURE:
            self._learn(zone.name, soa, denials, proofs)
        return soa

    def _learn(self, zone: bytes, soa: RRset, denials: Denials, beside: Sequence[RRset]) -> None:
        """Remember what ``zone`` has proven, with the signatures that stand ``beside`` it."""
        until = self.clock.seconds() + soa.ttl

        def proven(rrset: RRset) -> Proven:
            covered = rrset.rrtype.to_bytes(2, "big")
            signing = [each for each in beside if each.rrtype == RRType.RRSIG and each.key == rrset.key]
            return Proven(rrset, tuple(each for each in signing if each.rdatas[0].startswith(covered)), until)

        self._known.learn(zone, proven(soa), map(proven, denials.nsec))

    async def _zone(self, name: bytes, rrtype: int, signatures: Sequence[Signature]) -> TrustZone:
        """The zone that has the say about records of ``rrtype`` at ``name``: by its ``signatures``, or its place."""
        place = self._place(name, rrtype, signatures)
        return place if isinstance(place, TrustZone) else await self._chain.zone_of(place)

    def _place(self, name: bytes, rrtype: int, signatures: Sequence[Signature]) -> TrustZone | bytes:
        """What such records are in where no signature counts there, else a name that is in their zone."""
        above = parent(name) if rrtype == RRType.DS and name != ROOT else name
        anchor = self._chain.anchor_above(above)
        if isinstance(anchor, TrustZone):
            return anchor
        # Who signs it says where the zone begins. A signer elsewhere is none, and one above the anchor would take that
        # out of force.
        signers = {each.signer for each in signatures if is_below(above, each.signer) and is_below(each.signer, anchor)}
        return max(signers, key=len, default=above)


def _target(question: Question, rrsets: Sequence[RRset]) -> bytes:
    """The name that is not there, or has no such records: the one that the aliases lead to."""
    aliases = [rrset for rrset in rrsets if rrset.rrtype == RRType.CNAME]
    return aliases[-1].rdatas[0].lower() if aliases else question.key


def _is_made(rrset: RRset, before: RRset) -> bool:
    """Whether ``rrset`` is the CNAME that follows from the DNAME ``before`` it (RFC 6672, section 5.3.1)."""
    if (rrset.rrtype, before.rrtype) != (RRType.CNAME, RRType.DNAME):
        return False
    if rrset.key == before.key or not is_below(rrset.key, before.key):
        return False
    made = renamed(rrset.key, before.key, before.rdatas[0])
    return made is not None and made.lower() == rrset.rdatas[0].lower()


def _denies(rrset: RRset) -> bool:
    return rrset.rrtype in (RRType.NSEC, RRType.NSEC3)


def _secure(zone: TrustZone) -> SecurityVerdict:
    path = " → ".join(text_of(each) for each in (*zone.path, zone.name))
    return SecurityVerdict(Security.SECURE, f"signed by {text_of(zone.name)}, by way of {path}")
