"""Answers as the sections of a text, a record a line: ``name TYPE data`` (sans-IO)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from labnet.wire.names import text_of
from labnet.wire.types import Answer, CourseReply, Referral, RRset, fold, type_text

SECTIONS = ("answer", "authority", "additional")


def sections_of(answer: Answer) -> dict[str, str]:
    """The text of each section of ``answer``."""
    return {name: "\n".join(_lines(rrsets)) for name, rrsets in zip(SECTIONS, _rrsets(answer), strict=True)}


def _rrsets(answer: Answer) -> tuple[tuple[RRset, ...], ...]:
    return answer.answer, answer.authority, answer.additional


def _lines(rrsets: Iterable[RRset]) -> Iterator[str]:
    import dns.rdata
    import dns.rdatatype

    for rrset in rrsets:
        for wire in rrset.rdatas:
            rdata = dns.rdata.from_wire("IN", dns.rdatatype.RdataType.make(rrset.rrtype), wire, 0, len(wire))
            yield f"{text_of(rrset.name)} {type_text(rrset.rrtype)} {rdata.to_text()}"


def reply_of(fields: dict[str, str]) -> CourseReply | Referral | None:
    """What the sections say of the name that is asked for: its address, a server to ask, or neither."""
    name = fields.get("name")
    addresses = [(owner, data) for owner, kind, data in _records(fields["answer"]) if kind in ("A", "AAAA")]
    if addresses:
        return CourseReply(name, addresses[-1][1], None)
    glue = {fold(owner): data for owner, kind, data in _records(fields["additional"]) if kind in ("A", "AAAA")}
    for owner, kind, data in _records(fields["authority"]):
        if kind == "NS" and fold(data) in glue:
            suffix = fold(owner)
            return Referral(f".{suffix}" if suffix else "", glue[fold(data)])
    return None


def _records(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 3 and (parts[1].upper() not in ("A", "AAAA") or _is_address(parts[2])):
            yield parts[0], parts[1].upper(), parts[2]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
