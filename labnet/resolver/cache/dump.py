"""What is learned, as lines like those of a master file (RFC 1035, section 5), for people (sans-IO)."""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from labnet.resolver.cache.entry import Entry
from labnet.wire.names import ROOT, text_of
from labnet.wire.quoting import quoted
from labnet.wire.types import Question, Rcode, RRset, type_text

# A type whose class is imported when it is first seen could not be shown while no file can be opened.
dns.rdata.load_all_types()


def dump_lines(question: Question, entry: Entry, now: float) -> Iterator[str]:
    """A line for each record of ``entry`` at ``now`` (epoch seconds), its TTL what is left; the source is behind ``;``.

    What is no record is a comment: that there is none, and a course's address that is no IP address.
    """
    answer = entry.aged(now)
    left = max(0, int(entry.since + entry.ttl - now))
    source = f"; {quoted(entry.source)}"
    for rrset in answer.answer:
        yield from (f"{line} {source}" for line in record_lines(rrset))
    if answer.answer:
        return
    if answer.mapping is not None:
        yield f"; {shown_name(question.key)} {left} IN A {quoted(answer.mapping.address)!r} is no IP address {source}"
    else:
        what = "NXDOMAIN" if answer.rcode == Rcode.NXDOMAIN else "NODATA"
        yield f"; {shown_name(question.key)} {left} IN {type_text(question.rrtype)} {what} {source}"


def record_lines(rrset: RRset) -> Iterator[str]:
    """A line for each record of ``rrset``."""
    for wire in rrset.rdatas:
        text = data_text(rrset.rrtype, wire)
        yield f"{shown_name(rrset.name)} {rrset.ttl} IN {type_text(rrset.rrtype)} {text}"


def data_text(rrtype: int, wire: bytes) -> str:
    """The data of a record in presentation form, or as that of an unknown type (RFC 3597, section 5)."""
    try:
        kind = dns.rdatatype.RdataType.make(rrtype)
        return str(dns.rdata.from_wire(dns.rdataclass.IN, kind, wire, 0, len(wire)).to_text())
    except (dns.exception.DNSException, ValueError):
        return f"\\# {len(wire)} {wire.hex()}"


def shown_name(wire: bytes) -> str:
    """A wire form or a key as a line has it, with its final dot."""
    text = quoted(text_of(wire))
    return text if wire == ROOT else f"{text}."
