"""The steps of a walk from the root, as people read them."""

from __future__ import annotations

from dataclasses import dataclass

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from labnet.resolver.recursive.bailiwick import Found
from labnet.resolver.recursive.delegation import Delegation
from labnet.wire.names import text_of
from labnet.wire.types import Question, Rcode, RRset


@dataclass(frozen=True, slots=True)
class Step:
    """One question that was put to one server of ``zone``.

    ``came`` says what came of it, ``seconds`` how long that took. ``depth`` is 0 on the way to the answer, and one more
    for each server's name whose address had to be found first.
    """

    server: str
    address: str
    zone: str
    question: str
    came: str
    seconds: float
    depth: int = 0

    def __str__(self) -> str:
        """One line without its end, indented by ``depth``."""
        where = f"{self.server} ({self.address})"
        return f"{'  ' * self.depth}{self.zone}: {where}: {self.question}: {self.came} [{self.seconds * 1000:.1f} ms]"


def type_text(rrtype: int) -> str:
    """The mnemonic of a type, or ``TYPEn`` (RFC 3597)."""
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rrtype))


def question_text(question: Question) -> str:
    """The question as ``name type``."""
    return f"{text_of(question.key)} {type_text(question.rrtype)}"


def told_text(told: Found | Delegation) -> str:
    """What a server told, in a few words."""
    if isinstance(told, Delegation):
        names = ", ".join(text_of(server.name) for server in told.servers)
        return f"referral to {text_of(told.zone)}, served by {names}"
    if told.rrsets:
        return "answer: " + "; ".join(record for rrset in told.rrsets for record in records_text(rrset))
    return "NXDOMAIN: there is no such name" if told.rcode == Rcode.NXDOMAIN else "NODATA: no such record at that name"


def records_text(rrset: RRset) -> list[str]:
    """Each record as a line of a zone file."""
    return [
        f"{text_of(rrset.name)} {rrset.ttl} {type_text(rrset.rrtype)} {_value(rrset, rdata)}" for rdata in rrset.rdatas
    ]


def _value(rrset: RRset, rdata: bytes) -> str:
    rdtype = dns.rdatatype.RdataType.make(rrset.rrtype)
    try:
        return dns.rdata.from_wire(dns.rdataclass.IN, rdtype, rdata, 0, len(rdata)).to_text()
    except dns.exception.DNSException:
        return f"\\# {len(rdata)} {rdata.hex()}"
