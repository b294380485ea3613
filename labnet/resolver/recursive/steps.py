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
from labnet.wire.types import Rcode, RRset, type_text


@dataclass(frozen=True, slots=True)
class WalkStep:
    """One question that was put to one server of ``zone``.

    ``outcome`` says what came of it, ``seconds`` how long that took. ``depth`` is 0 on the way to the answer, and one
    more for each server's name whose address had to be found first.
    """

    server: str
    address: str
    zone: str
    question: str
    outcome: str
    seconds: float
    depth: int = 0

    def __str__(self) -> str:
        """One line without its end, indented by ``depth``."""
        where = f"{self.server} ({self.address})"
        return (
            f"{'  ' * self.depth}{self.zone}: {where}: {self.question}: {self.outcome} [{self.seconds * 1000:.1f} ms]"
        )


def result_text(result: Found | Delegation) -> str:
    """What a server result, in a few words."""
    if isinstance(result, Delegation):
        names = ", ".join(text_of(server.name) for server in result.servers)
        return f"referral to {text_of(result.zone)}, served by {names}"
    if result.rrsets:
        return "answer: " + "; ".join(record for rrset in result.rrsets for record in records_text(rrset))
    return (
        "NXDOMAIN: there is no such name" if result.rcode == Rcode.NXDOMAIN else "NODATA: no such record at that name"
    )


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
