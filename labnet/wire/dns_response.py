"""DNS messages as a server sends them: answers and refusals (RFC 1035, RFC 6891; sans-IO)."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from labnet.wire.dns_common import (
    AA,
    AD,
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
    compressed,
    end_of_name,
    padded,
    record_places,
    skip_name,
)
from labnet.wire.dns_request import COOKIE, KEEPALIVE, NSID, Edns, Query, Refusal
from labnet.wire.rdata import ADDRESS_BYTES, COMPRESSED
from labnet.wire.types import Answer, ExtendedError, Rcode, RRset, RRType, Security

WITHOUT_EDNS: Final = 512
"""Bytes of a UDP message to a client without EDNS (RFC 1035, section 4.2.1)."""

_SINGLE: Final = frozenset((RRType.CNAME, RRType.SOA, RRType.DNAME))
"""Types of which a name has one record (RFC 2181, section 10.1; RFC 1035, section 5.2; RFC 6672, section 2.4)."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options that go out with an answer to a client that has EDNS."""

    cookie: bytes | None = None
    nsid: bytes | None = None
    keepalive: int | None = None
    """Tenths of a second that an idle TCP connection stays open (RFC 7828)."""
    block: int = 0
    """Bytes; a response is padded to a multiple of them where the client asks for that (RFC 7830). 0: it is not."""


def encode_answer(
    query: Query, answer: Answer, stream: bool, recursion: bool, options: Options, truncated: bool = False
) -> bytes:
    """The response to ``query``; over UDP one that does not fit is truncated (TC) to be asked for by TCP.

    ``truncated`` sends the client to TCP with an answer that fits, too.

    ``recursion`` says whether the resolver can ask on (RA). What does not fit is left out in order of its worth:
    additional records first, unless they are a referral's (RFC 9471), then extended errors, then everything. The
    records of an RRset take turns in being the first, by the id of the query.
    """
    edns = query.edns
    limit = limit_of(edns, stream)
    flags = QR | query.flags & (RD | CD) | (RA if recursion else 0) | (AA if answer.authoritative else 0)
    if answer.security is Security.SECURE and query.wants_ad:
        flags |= AD
    flags |= TC if truncated else 0
    opt = bare = b"" if edns is None else opt_of(edns, answer.rcode, (), options)
    if edns is not None and answer.errors:
        opt = opt_of(edns, answer.rcode, answer.errors, options)
    body = _Body(query, limit - len(bare))
    counts = [0, 0, 0]
    try:
        counts[0] = body.add(answer.answer)
        counts[1] = body.add(answer.authority)
        if answer.is_referral:
            counts[2] = body.add(answer.additional)
    except _Full:
        body, counts, flags, opt = _Body(query, limit), [0, 0, 0], flags | TC, bare
    else:
        if len(body.wire) + len(opt) > limit:
            opt = bare
        elif not answer.is_referral:
            body.limit = limit - len(opt)
            with contextlib.suppress(_Full):
                counts[2] = body.add(answer.additional)
    HEADER.pack_into(body.wire, 0, query.id, flags | answer.rcode & 15, 1, *counts[:2], counts[2] + bool(opt))
    if options.block and edns is not None and edns.wants_padding:
        opt = padded(opt, len(body.wire), options.block)
    return bytes(body.wire + opt)


def limit_of(edns: Edns | None, stream: bool) -> int:
    """How many bytes a response may have, to a client that said ``edns``."""
    return 65535 if stream else WITHOUT_EDNS if edns is None else min(max(edns.payload, WITHOUT_EDNS), PAYLOAD)


def truncated(response: bytes) -> bytes:
    """A response of our own with one question without its records, but for EDNS, to be asked for by TCP (TC)."""
    id, flags, *_ = HEADER.unpack_from(response)
    end = skip_name(response, HEADER.size) + TYPE_CLASS.size
    places = [place for place in record_places(response) if place.rrtype == RRType.OPT]
    opt = b"".join([response[place.at - 1 : place.end] for place in places])
    return HEADER.pack(id, flags | TC, 1, 0, 0, bool(opt)) + response[HEADER.size : end] + opt


def encode_refusal(refusal: Refusal, recursion: bool, options: Options) -> bytes:
    """The response to a message that is answered by an RCODE alone."""
    flags = QR | refusal.flags & OPCODE | refusal.rcode & 15
    if refusal.rcode != Rcode.NOTIMP:  # what the other bits mean with another opcode is not known here
        flags |= refusal.flags & (RD | CD) | (RA if recursion else 0)
    edns = refusal.edns
    opt = b"" if edns is None else opt_of(edns, refusal.rcode, (), options)
    query = refusal.query
    question = b"" if query is None else query.name + TYPE_CLASS.pack(query.question.rrtype, query.rrclass)
    if options.block and edns is not None and edns.wants_padding:
        opt = padded(opt, HEADER.size + len(question) + len(refusal.signature), options.block)
    counts = (bool(question), 0, 0, bool(opt) + bool(refusal.signature))
    return HEADER.pack(refusal.id, flags, *counts) + question + opt + refusal.signature


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


class _Full(Exception):
    """A section does not fit."""


class _Body:
    """A message while it is written: room for the header, the question, then records; ``limit`` is in bytes."""

    def __init__(self, query: Query, limit: int) -> None:
        self.wire = bytearray(HEADER.size)
        self.limit = limit
        self._turn = query.id
        self._rrclass = query.rrclass
        self._places: dict[bytes, int] = {}
        self.wire += self._name(query.name)
        self.wire += TYPE_CLASS.pack(query.question.rrtype, query.rrclass)

    def add(self, rrsets: Sequence[RRset]) -> int:
        """Write a section and give the number of its records; :class:`_Full` where it does not fit, none is written."""
        begin, count = len(self.wire), 0
        for rrset in rrsets:
            # Each record takes 11 bytes and its data, so a long RRset is known not to fit before it is written.
            if len(self.wire) + 11 * len(rrset.rdatas) <= self.limit:
                rdatas = self._turned(rrset)
                count += len(rdatas)
                if rrset.rrtype in COMPRESSED:
                    self._add_with_names(rrset, rdatas)
                elif rdatas:
                    self._add_opaque(rrset, rdatas)
                if len(self.wire) <= self.limit:
                    continue
            del self.wire[begin:]
            raise _Full
        return count

    def _add_opaque(self, rrset: RRset, rdatas: Sequence[bytes]) -> None:
        self.wire += self._name(rrset.name)
        again = self._name(rrset.name)
        kind = TYPE_CLASS.pack(rrset.rrtype, self._rrclass) + rrset.ttl.to_bytes(4, "big")
        size = ADDRESS_BYTES.get(rrset.rrtype, len(rdatas[0]) if len(rdatas) == 1 else None)
        if size is not None:
            behind = kind + size.to_bytes(2, "big")
            self.wire += behind + (again + behind).join(rdatas)
        else:
            self.wire += again.join([kind + len(rdata).to_bytes(2, "big") + rdata for rdata in rdatas])

    def _add_with_names(self, rrset: RRset, rdatas: Sequence[bytes]) -> None:
        before, names, _, _ = COMPRESSED[rrset.rrtype]
        wire = self.wire
        for rdata in rdatas:
            wire += self._name(rrset.name)
            wire += RECORD.pack(rrset.rrtype, self._rrclass, rrset.ttl, 0)
            begin = len(wire)
            wire += rdata[:before]
            at = before
            for _ in range(names):
                end = end_of_name(rdata, at)
                wire += self._name(rdata[at:end])
                at = end
            wire += rdata[at:]
            wire[begin - 2 : begin] = (len(wire) - begin).to_bytes(2, "big")

    def _turned(self, rrset: RRset) -> Sequence[bytes]:
        """The data of ``rrset``, each once (RFC 2181, section 5), beginning with the one whose turn it is."""
        if len(rrset.rdatas) < 2 or rrset.rrtype in _SINGLE:
            return rrset.rdatas[:1]
        once = list(dict.fromkeys(rrset.rdatas))
        first = self._turn % len(once)
        return once[first:] + once[:first]

    def _name(self, name: bytes) -> bytes:
        """``name`` as it is written next: what of it was written before becomes a pointer (RFC 1035, section 4.1.4)."""
        return compressed(name, name.lower(), self._places, len(self.wire))
