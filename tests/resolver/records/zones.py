"""Zones as tests make and ask them."""

from __future__ import annotations

from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.names import key_of
from labnet.wire.types import Answer, Mapping, Question, Rcode, RRType
from tests.resolver.zonefiles import read

NOW = 1605280488.5
MX, TXT, DS = 15, 16, 43

LAB = b"""$TTL 3600
@ SOA ns host 1 2 3 4 300
@ NS ns
ns A 192.0.2.1
"""


def zone_of(text: str | bytes, *authoritative: str, origin: str = "lab", reverse: bool = True) -> Zone:
    """A finished zone with the records of a zone file, by default without being the authority for anything."""
    data = ZoneData([key_of(name) for name in authoritative], NOW)
    file = read(text, origin, default_ttl=60, add=data.add)
    assert file.problems == [], file.problems
    data.finish(reverse)
    return Zone(data)


def course(*lines: tuple[str, str, int]) -> Zone:
    """A finished zone with a course's lines: name, address, TTL."""
    data = ZoneData((), NOW)
    for name, address, ttl in lines:
        data.add_mapping(static(name, address, ttl))
    data.finish()
    return Zone(data)


def static(name: str, address: str, ttl: int = 60) -> Mapping:
    """A static line of a course's file."""
    return Mapping(name, address, ttl, learned=False, since=NOW)


def ask(zone: Zone, name: str, rrtype: int = RRType.A) -> Answer | None:
    """The zone's answer for a text name."""
    return zone.find(Question(key_of(name), rrtype))


def answer_of(zone: Zone, name: str, rrtype: int = RRType.A) -> Answer:
    """The zone's answer, which has to be there."""
    answer = ask(zone, name, rrtype)
    assert answer is not None, f"{name} is not known"
    return answer


def gist(zone: Zone, name: str, rrtype: int = RRType.A) -> str:
    """An answer in a word: what it holds, or that there is no such name, no such record, nothing known, a referral."""
    answer = ask(zone, name, rrtype)
    if answer is None:
        return "unknown"
    if answer.is_referral:
        return "referral"
    if answer.rcode != Rcode.NOERROR:
        return answer.rcode.name
    return (
        " ".join(
            [RRType(rrset.rrtype).name if rrset.rrtype in set(RRType) else str(rrset.rrtype) for rrset in answer.answer]
        )
        or "nodata"
    )
