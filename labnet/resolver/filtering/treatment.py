"""What becomes of a question that a list speaks of, and the answer that it gets (sans-IO)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from labnet.resolver.records.special import made_up_soa
from labnet.wire.names import LONGEST_NAME, text_of
from labnet.wire.rdata import ADDRESS_BYTES
from labnet.wire.types import BlockedAnswer, ExtendedError, Mapping, Question, Rcode, RRset, RRType

TTL: Final = 60
"""Seconds that a client may keep an answer that a list gave, and one without records: so long a mistake lasts there."""

_WILDCARD: Final = b"\x01*"


class TreatmentKind(Enum):
    """What the answer is, as people read it."""

    NXDOMAIN = "NXDOMAIN"
    NODATA = "NODATA"
    REFUSED = "REFUSED"
    PASS = "as without lists"
    DROP = "none at all"
    DATA = "the list's own"


@dataclass(slots=True)
class Treatment:
    """One way to treat questions; ``rrsets`` are, by type, TTL (seconds) and data of the records of kind DATA.

    A CNAME whose target begins with ``*`` puts the name that was asked for in the star's place.
    """

    kind: TreatmentKind
    rrsets: dict[int, tuple[int, tuple[bytes, ...]]] = field(default_factory=dict)

    def merge(self, rrtype: int, ttl: int, rdatas: tuple[bytes, ...]) -> None:
        """Take in records: equal ones once, the lowest TTL for all (RFC 2181, sections 5 and 5.2)."""
        known_ttl, known = self.rrsets.get(rrtype, (ttl, ()))
        self.rrsets[rrtype] = min(ttl, known_ttl), tuple(dict.fromkeys(known + rdatas))

    def answer(self, question: Question, by: str, error: ExtendedError) -> BlockedAnswer:
        """What ``question`` gets because of the list ``by``, with ``error`` to say so. It is of no kind PASS."""
        rcode = _RCODES.get(self.kind, Rcode.NOERROR)
        found = self._rrset(question) if self.kind is TreatmentKind.DATA else None
        negative = found is None and rcode in (Rcode.NOERROR, Rcode.NXDOMAIN)
        return BlockedAnswer(
            rcode,
            answer=() if found is None else (found,),
            authority=(made_up_soa(question.key, TTL),) if negative else (),
            mapping=None if found is None else _mapping_of(question, found),
            errors=(error,),
            until=0.0 if self.kind is TreatmentKind.DROP else float("inf"),
            by=by,
            is_dropped=self.kind is TreatmentKind.DROP,
        )

    def _rrset(self, question: Question) -> RRset | None:
        rrtype = question.rrtype
        if rrtype == RRType.ANY:
            rrtype = min(self.rrsets, default=rrtype)
        elif rrtype not in self.rrsets:
            rrtype = RRType.CNAME
        if rrtype not in self.rrsets:
            return None
        ttl, rdatas = self.rrsets[rrtype]
        if rrtype == RRType.CNAME and rdatas[0].startswith(_WILDCARD):
            target = question.key[:-1] + rdatas[0][len(_WILDCARD) :]
            if len(target) > LONGEST_NAME:
                return None
            rdatas = (target,)
        return RRset(question.key, rrtype, ttl, rdatas)


_RCODES: Final = {
    TreatmentKind.NXDOMAIN: Rcode.NXDOMAIN,
    TreatmentKind.REFUSED: Rcode.REFUSED,
    TreatmentKind.DROP: Rcode.REFUSED,
}
"""By TCP a question has an answer even where it is dropped by UDP: its connection is for others too."""


def treatment_of(answers: Iterable[str]) -> Treatment:
    """What the key ``answer`` of a list says: one of its words, or addresses."""
    words = tuple(answers)
    if words[0] in _WORDS:
        return Treatment(_WORDS[words[0]])
    found = Treatment(TreatmentKind.DATA)
    for address in map(ipaddress.ip_address, ("0.0.0.0", "::") if words == ("zero",) else words):
        found.merge(RRType.A if address.version == 4 else RRType.AAAA, TTL, (address.packed,))
    return found


_WORDS: Final = {
    "nxdomain": TreatmentKind.NXDOMAIN,
    "nodata": TreatmentKind.NODATA,
    "refused": TreatmentKind.REFUSED,
    "allow": TreatmentKind.PASS,
}


def _mapping_of(question: Question, rrset: RRset) -> Mapping | None:
    """The address as the course protocol has it."""
    if rrset.rrtype not in ADDRESS_BYTES:
        return None
    family = socket.AF_INET if rrset.rrtype == RRType.A else socket.AF_INET6
    return Mapping(text_of(question.key), socket.inet_ntop(family, rrset.rdatas[0]), rrset.ttl, False, 0.0)
