"""What a reply of our own says, in a few words, for logs: its answer and how long that holds (sans-IO)."""

from __future__ import annotations

import json
import socket
import struct
from typing import Final

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from labnet.wire.dns_common import HEADER, RECORD, TYPE_CLASS, skip_name
from labnet.wire.types import RRType, type_text

MOST_RECORDS: Final = 8
"""Records of an answer that are told; of more it is said how many there are."""

MOST_TEXT: Final = 200
"""Characters of an answer that are told."""

_A: Final = int(RRType.A)
_AAAA: Final = int(RRType.AAAA)
_MOST_REMEMBERED: Final = 1000
_LONGEST_REMEMBERED: Final = 600

Told = tuple[str, int | None]
"""The answer, "" where there is none, and its least TTL in seconds."""

_remembered: dict[bytes, Told] = {}


def told_in(reply: bytes) -> Told:
    """What ``reply`` says, which is one that a server of ours sent: a DNS message, or a reply of the course."""
    # DNS counts its questions in byte 4; an id before a text of a course is no longer than that.
    if b"\0" not in reply or reply[4:5] not in (b"\0", b""):
        return _told_by_course(reply)
    body = reply[2:]  # without the id, for the same is said to many
    told = _remembered.get(body)
    if told is None:
        told = _told_by_dns(reply)
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        if len(body) <= _LONGEST_REMEMBERED:
            _remembered[body] = told
    return told


def _told_by_course(reply: bytes) -> Told:
    text = reply.decode(errors="backslashreplace").strip()
    try:
        fields = [str(field) for field in json.loads(text)] if text.startswith("[") else text.split(",")
    except (ValueError, TypeError, RecursionError):
        fields = [text]
    if len(fields) < 3:
        return text[:MOST_TEXT], None
    return fields[1][:MOST_TEXT], int(fields[2]) if fields[2].isascii() and fields[2].isdigit() else None


def _told_by_dns(reply: bytes) -> Told:
    """The data of the records of the type that was asked for, else of the aliases."""
    try:
        end = skip_name(reply, HEADER.size)
        (rrtype, _), at = TYPE_CLASS.unpack_from(reply, end), end + TYPE_CLASS.size
        wanted: list[tuple[int, int, int]] = []
        others: list[tuple[int, int, int]] = []
        ttls = []
        for _ in range(HEADER.unpack_from(reply)[3]):
            at = skip_name(reply, at)
            kind, _, ttl, length = RECORD.unpack_from(reply, at)
            at += RECORD.size
            (wanted if kind == rrtype or rrtype == RRType.ANY else others).append((kind, at, length))
            ttls.append(ttl)
            at += length
    except (IndexError, struct.error):
        return "", None
    shown = wanted or [one for one in others if one[0] == RRType.CNAME]
    text = ", ".join([_data(reply, *one) for one in shown[:MOST_RECORDS]])
    more = f" and {len(shown) - MOST_RECORDS} more" if len(shown) > MOST_RECORDS else ""
    return text[: MOST_TEXT - len(more)] + more, min(ttls, default=None)


def _data(reply: bytes, kind: int, at: int, length: int) -> str:
    if kind == _A and length == 4:
        return socket.inet_ntop(socket.AF_INET, reply[at : at + 4])
    if kind == _AAAA and length == 16:
        return socket.inet_ntop(socket.AF_INET6, reply[at : at + 16])
    try:
        data = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.RdataType.make(kind), reply, at, length)
    except (dns.exception.DNSException, ValueError):
        return f"{type_text(kind)} \\# {length}"  # RFC 3597, section 5
    return f"CNAME {data.to_text()}" if kind == RRType.CNAME else str(data.to_text())
