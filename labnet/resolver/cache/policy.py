"""From a parent's reply to what is answered and cached: bounds on lifetimes, the course's mappings as DNS records."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import Final

from labnet.resolver.cache.entry import Entry, mapping_of
from labnet.wire.names import text_of, wire_of
from labnet.wire.types import (
    Answer,
    ExtendedError,
    InfoCode,
    Mapping,
    Question,
    Rcode,
    RRset,
    RRType,
    Upstream,
)

_SOA_FIXED: Final = 20  # bytes of the five numbers that end a SOA; the last is the negative TTL


@dataclass(frozen=True)
class Bounds:
    """Limits of one resolver, in seconds, but for ``in_flight``: questions asked of the parents at a time.

    A question that takes more than ``patience`` gives way to a new one where so many are in flight.

    ``default_ttl`` is for a course reply without one, and ``course_ttl_max`` the most that one lives: whoever forges it
    must not have it last for 68 years. The others bound the lifetimes of DNS replies.
    """

    default_ttl: int = 60
    course_ttl_max: int = 86400
    ttl_min: int = 0
    ttl_max: int = 86400
    negative_ttl_max: int = 3600
    prefetch: bool = True
    in_flight: int = 500
    patience: float = 0.2


def entry_of(question: Question, upstream: Upstream, now: float, bounds: Bounds) -> tuple[Question, Entry] | None:
    """What is cached of ``upstream``, and for which question; None where nothing in it lasts.

    A course parent is asked for a name, not a type: its reply is cached for type A.
    """
    now = now if upstream.since is None else upstream.since
    if (reply := upstream.course_reply) is not None:
        name = reply.name or question.spelled or text_of(question.key)
        ttl = min(bounds.default_ttl if reply.ttl is None else reply.ttl, bounds.course_ttl_max)
        mapping = Mapping(name, reply.address, ttl, True, now)
        return entry_of_mapping(question.key, mapping, upstream.parent)
    if upstream.rrsets:
        rrsets = _bounded(upstream.rrsets, bounds)
        signatures = upstream.signatures and _bounded(upstream.signatures, bounds)
        proofs = upstream.proofs and _bounded(upstream.proofs, bounds)
        lifetimes = [rrset.ttl for rrset in (*rrsets, *signatures, *proofs)]
        authority: tuple[RRset, ...] = ()
        if upstream.soa is not None:  # what the chain leads to is not there
            lasts = min(upstream.soa.ttl, negative_ttl(upstream.soa), bounds.negative_ttl_max)
            lifetimes.append(lasts)
            authority = (replace(upstream.soa, ttl=lasts),)
        ttl = min(lifetimes)
        answer = Answer(
            upstream.rcode,
            rrsets,
            authority,
            mapping=mapping_of(question, rrsets, ttl, now),
            errors=upstream.errors,
            signatures=signatures,
            proofs=proofs,
            security=upstream.security,
        )
        return question, Entry(answer, now, ttl, upstream.parent)
    if upstream.soa is None:
        return None  # a negative answer without a SOA is not cached (RFC 2308, section 5)
    denying = (upstream.soa, *upstream.proofs)
    ttl = min([negative_ttl(upstream.soa), bounds.negative_ttl_max, *(rrset.ttl for rrset in denying)])
    soa, *denials = (rrset.lasting(ttl) for rrset in denying)
    answer = Answer(
        upstream.rcode, authority=(soa,), errors=upstream.errors, proofs=tuple(denials), security=upstream.security
    )
    return question, Entry(answer, now, ttl, upstream.parent)


def _bounded(rrsets: tuple[RRset, ...], bounds: Bounds) -> tuple[RRset, ...]:
    least, most = bounds.ttl_min, bounds.ttl_max
    return tuple(
        [
            rrset if least <= rrset.ttl <= most else replace(rrset, ttl=min(max(rrset.ttl, least), most))
            for rrset in rrsets
        ]
    )


def entry_of_mapping(key: bytes, mapping: Mapping, source: str) -> tuple[Question, Entry]:
    """What is cached of a course mapping from a reply or from the log."""
    question = Question(key, RRType.A)
    return question, Entry(answer_of_mapping(mapping, question), mapping.since, mapping.ttl, source, from_course=True)


def capped(cached: tuple[Question, Entry], most: int) -> tuple[Question, Entry]:
    """``cached``, with a lifetime of ``most`` seconds at most where a course parent said it."""
    question, entry = cached
    mapping = entry.answer.mapping
    if not entry.from_course or mapping is None or mapping.ttl <= most:
        return cached
    return entry_of_mapping(question.key, replace(mapping, ttl=most), entry.source)


def answer_of_mapping(mapping: Mapping, question: Question) -> Answer:
    """A course mapping as DNS has it: A or AAAA where its address is one, and otherwise nothing, which is said."""
    try:
        address = ipaddress.ip_address(mapping.address)
    except ValueError:
        error = ExtendedError(
            InfoCode.INVALID_DATA, f"the address of the record is no IPv4 address: {mapping.address!r}"
        )
        return Answer(Rcode.NOERROR, mapping=mapping, errors=(error,))
    rrtype = RRType.A if address.version == 4 else RRType.AAAA
    name = wire_of(mapping.name)
    if name is None or question.rrtype not in (rrtype, RRType.ANY):
        return Answer(Rcode.NOERROR, mapping=mapping)
    return Answer(Rcode.NOERROR, (RRset(name, rrtype, mapping.ttl, (address.packed,)),), mapping=mapping)


def negative_ttl(soa: RRset) -> int:
    """The MINIMUM field of a SOA RRset, seconds (RFC 2308, section 4)."""
    return int.from_bytes(soa.rdatas[0][-4:]) if len(soa.rdatas[0]) > _SOA_FIXED else 0
