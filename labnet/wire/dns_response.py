"""DNS messages as a server sends them: answers and refusals (RFC 1035, RFC 6891; sans-IO)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.renderer
import dns.rrset

from labnet.wire.dns_common import (
    AA,
    CD,
    DO,
    EXTENDED_ERROR,
    HEADER,
    OPCODE,
    OPTION,
    PAYLOAD,
    QR,
    RA,
    RD,
    RECORD,
    TC,
    TYPE_CLASS,
)
from labnet.wire.dns_request import COOKIE, KEEPALIVE, NSID, Edns, Query, Refusal
from labnet.wire.types import Answer, ExtendedError, RRset, RRType

# A type whose class is imported when it is first seen would go without an answer while no file can be opened.
dns.rdata.load_all_types()

WITHOUT_EDNS: Final = 512
"""Bytes of a UDP message to a client without EDNS (RFC 1035, section 4.2.1)."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options that go out with an answer to a client that has EDNS."""

    cookie: bytes | None = None
    nsid: bytes | None = None
    keepalive: int | None = None
    """Tenths of a second that an idle TCP connection is kept (RFC 7828)."""


def encode_answer(query: Query, answer: Answer, stream: bool, recursion: bool, options: Options) -> bytes:
    """The response to ``query``; over UDP one that does not fit is truncated (TC) to be asked for by TCP.

    ``recursion`` says whether the resolver can ask on (RA).
    """
    limit = 65535 if stream else WITHOUT_EDNS if query.edns is None else min(max(query.edns.payload, 512), PAYLOAD)
    flags = query.flags & (RD | CD) | (RA if recursion else 0) | (AA if answer.authoritative else 0)
    sections: tuple[tuple[RRset, ...], ...] = (answer.answer, answer.authority, answer.additional)
    wire = _render(query, flags, answer.rcode, sections, answer.errors, options, limit)
    if wire is None and answer.additional and not answer.is_referral:
        sections = (*sections[:2], ())
        wire = _render(query, flags, answer.rcode, sections, answer.errors, options, limit)
    if wire is None and answer.errors:
        wire = _render(query, flags, answer.rcode, sections, (), options, limit)  # what it is goes before why it is
    if wire is None:
        wire = _render(query, flags | TC, answer.rcode, ((), (), ()), (), options, limit)
    assert wire is not None, "a header, one question and our options fit into any limit"
    return wire


def encode_refusal(
    refusal: Refusal,
    recursion: bool,
    options: Options,
    errors: Sequence[ExtendedError] = (),
    truncated: bool = False,
) -> bytes:
    """The response to a message that is answered by an RCODE alone; ``truncated`` (TC) sends the client to TCP."""
    flags = QR | refusal.flags & (OPCODE | RD | CD) | (RA if recursion else 0) | refusal.rcode & 15
    edns = refusal.edns
    opt = b"" if edns is None else opt_of(edns, refusal.rcode, errors, options)
    query = refusal.query
    question = b"" if query is None else query.name + TYPE_CLASS.pack(query.question.rrtype, query.rrclass)
    flags |= TC if truncated else 0
    return HEADER.pack(refusal.id, flags, bool(question), 0, 0, bool(opt)) + question + opt


def opt_of(edns: Edns, rcode: int, errors: Sequence[ExtendedError], options: Options) -> bytes:
    parts = []
    if options.nsid is not None and edns.wants_nsid:
        parts.append((NSID, options.nsid))
    if options.cookie is not None:
        parts.append((COOKIE, options.cookie))
    if options.keepalive is not None and edns.wants_keepalive:
        parts.append((KEEPALIVE, struct.pack("!H", options.keepalive)))
    for error in errors:
        parts.append((EXTENDED_ERROR, struct.pack("!H", error.code) + _cut_text(error.text)))
    rdata = b"".join([OPTION.pack(code, len(value)) + value for code, value in parts])
    ttl = (rcode >> 4) << 24 | (DO if edns.dnssec_ok else 0)
    return b"\0" + RECORD.pack(RRType.OPT, PAYLOAD, ttl, len(rdata)) + rdata


def _cut_text(text: str) -> bytes:
    """At most 200 bytes of ``text``, in whole characters."""
    return text.encode()[:200].decode(errors="ignore").encode()


def _render(
    query: Query,
    flags: int,
    rcode: int,
    sections: Sequence[Sequence[RRset]],
    errors: Sequence[ExtendedError],
    options: Options,
    limit: int,
) -> bytes | None:
    opt = b"" if query.edns is None else opt_of(query.edns, rcode, errors, options)
    renderer = dns.renderer.Renderer(query.id, QR | flags | rcode & 15, max(limit - len(opt), 1))
    try:
        renderer.add_question(
            dns.name.from_wire(query.name, 0)[0],
            dns.rdatatype.RdataType.make(query.question.rrtype),
            dns.rdataclass.RdataClass.make(query.rrclass),
        )
        for section, rrsets in enumerate(sections, dns.renderer.ANSWER):
            for rrset in rrsets:
                renderer.add_rrset(section, _rrset(rrset))
    except dns.exception.TooBig:
        return None
    renderer.write_header()
    wire = bytearray(renderer.get_wire())
    if opt:
        struct.pack_into("!H", wire, 10, struct.unpack_from("!H", wire, 10)[0] + 1)
        wire += opt
    return bytes(wire)


def _rrset(rrset: RRset) -> dns.rrset.RRset:
    rrtype = dns.rdatatype.RdataType.make(rrset.rrtype)
    rdatas = [dns.rdata.from_wire(dns.rdataclass.IN, rrtype, rdata, 0, len(rdata)) for rdata in rrset.rdatas]
    return dns.rrset.from_rdata_list(dns.name.from_wire(rrset.name, 0)[0], rrset.ttl, rdatas)
