"""What a message of either protocol says, in a line for people; each is read once, however often it is shown."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from labnet.wire.dns_common import HEADER, QR
from labnet.wire.dns_request import Refusal, Silence, decode_query
from labnet.wire.quoting import quoted

LONGEST: Final = 300
"""Characters of the line."""


class Said(NamedTuple):
    """The whole ``line``; of a reply also what it answers, and its least TTL in seconds."""

    line: str
    answer: str = ""
    ttl: int | None = None


@lru_cache(maxsize=2000)
def said(data: bytes) -> Said:
    """What ``data`` says, harmless for a terminal; bytes that are neither protocol's say how many they are."""
    if b"\0" not in data:
        line = quoted(data.decode(errors="backslashreplace").strip())[:LONGEST]
        return Said(line, line)
    try:
        if len(data) >= HEADER.size and not HEADER.unpack_from(data)[1] & QR:
            return Said(quoted(f"Query {' '.join(decode_query(data).as_asked()[:2])}")[:LONGEST])
        return _reply(dns.message.from_wire(data, ignore_trailing=True))
    except (dns.exception.DNSException, ValueError, Silence, Refusal):
        return Said(f"{len(data)} bytes that are no DNS message")


def _reply(message: dns.message.Message) -> Said:
    records = [
        f"{dns.rdatatype.to_text(rrset.rdtype)} {rdata.to_text()}"
        for rrset in message.answer[:4]
        for rdata in list(rrset)[:4]
    ]
    answer = quoted(", ".join(records) or dns.rcode.to_text(message.rcode()))[:LONGEST]
    ttl = min([rrset.ttl for rrset in message.answer or message.authority], default=None)
    line = f"Reply {answer}" + (f" TTL {ttl}" if message.answer else "")
    return Said(line + " truncated" * bool(message.flags & dns.flags.TC), answer, ttl)
