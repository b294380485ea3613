"""DNS messages as the server sees them: questions in, answers out (RFC 1035, RFC 6891; sans-IO).

Questions are read by hand in one pass, because what is wrong in them decides the RCODE; answers are written by
dnspython. Any bytes give a :class:`Query`, or raise :class:`Silence` or :class:`Refusal`, nothing else.
"""

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

from labnet.wire.names import LONGEST_NAME
from labnet.wire.types import Answer, ExtendedError, Question, Rcode, RRset, RRType

# A type whose class is imported when it is first seen would go without an answer while no file can be opened.
dns.rdata.load_all_types()

PAYLOAD: Final = 1232
"""Bytes of a UDP message that are sent and announced at most; fits any path without fragments (RFC 9715)."""

WITHOUT_EDNS: Final = 512
"""Bytes of a UDP message to a client without EDNS (RFC 1035, section 4.2.1)."""

IN: Final = 1

QR, AA, TC, RD, RA, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0010
QUERY, UPDATE = 0, 5

_HEADER: Final = struct.Struct("!HHHHHH")
_COUNT: Final = struct.Struct("!H")
_TYPE_CLASS: Final = struct.Struct("!HH")
_RECORD: Final = struct.Struct("!HHIH")
_OPTION: Final = struct.Struct("!HH")
_NSID, _COOKIE, _KEEPALIVE, _EXTENDED_ERROR = 3, 10, 11, 15
_TRANSFERS: Final = frozenset((251, 252, 253, 254, 249, 250))  # IXFR, AXFR, MAILB, MAILA, TKEY, TSIG


class Silence(ValueError):
    """The bytes get no answer: no header to answer by, or a response itself."""


@dataclass(frozen=True, slots=True)
class Edns:
    """What the client's OPT record says (RFC 6891); ``cookie`` is the whole option (RFC 7873)."""

    payload: int
    version: int
    dnssec_ok: bool
    cookie: bytes | None = None
    wants_nsid: bool = False
    wants_keepalive: bool = False
    has_options: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One question as it came. ``name`` keeps the asker's case."""

    id: int
    flags: int
    question: Question
    name: bytes
    rrclass: int
    edns: Edns | None

    @property
    def recursion_desired(self) -> bool:
        return bool(self.flags & RD)


class Refusal(Exception):
    """The message is answered without a look at zone or cache: by ``rcode`` and what could be read of it."""

    def __init__(self, rcode: Rcode, id: int, flags: int, query: Query | None = None, edns: Edns | None = None) -> None:
        super().__init__(rcode.name)
        self.rcode = rcode
        self.id = id
        self.flags = flags
        self.query = query
        self.edns = query.edns if query is not None else edns


@dataclass(frozen=True, slots=True)
class Options:
    """The options that go out with an answer to a client that has EDNS."""

    cookie: bytes | None = None
    nsid: bytes | None = None
    keepalive: int | None = None
    """Tenths of a second that an idle TCP connection is kept (RFC 7828)."""


def decode_query(message: bytes) -> Query:
    """The question in ``message``.

    Raises :class:`Silence` for what must not be answered and :class:`Refusal` for what is answered by an RCODE alone:
    FORMERR, NOTIMP, BADVERS, REFUSED, or NOERROR for a question after a cookie only (RFC 7873, section 5.4).
    """
    if len(message) < _HEADER.size:
        raise Silence("shorter than a header")
    id, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(message)
    if flags & QR:
        raise Silence("a response")
    opcode = flags >> 11 & 15
    if opcode != QUERY:
        raise Refusal(Rcode.REFUSED if opcode == UPDATE else Rcode.NOTIMP, id, flags)
    if questions > 1:
        raise Refusal(Rcode.FORMERR, id, flags)
    try:
        name, rrtype, rrclass, at = _question(message) if questions else (b"", 0, 0, _HEADER.size)
        edns = _edns(message, at, answers + authorities, additionals)
    except (ValueError, IndexError, struct.error):
        raise Refusal(Rcode.FORMERR, id, flags) from None
    if not questions:
        rcode = Rcode.NOERROR if edns is not None and edns.cookie is not None else Rcode.FORMERR
        raise Refusal(rcode, id, flags, edns=edns)
    query = Query(id, flags, Question(name.lower(), rrtype), name, rrclass, edns)
    if edns is not None and edns.version:
        raise Refusal(Rcode.BADVERS, id, flags, query)
    if rrtype in _TRANSFERS or rrclass != IN:
        raise Refusal(Rcode.REFUSED, id, flags, query)
    if rrtype in (0, RRType.OPT):
        raise Refusal(Rcode.FORMERR, id, flags, query)
    return query


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
    flags = QR | refusal.flags & (0x7800 | RD | CD) | (RA if recursion else 0) | refusal.rcode & 15
    edns = refusal.edns
    opt = b"" if edns is None else opt_of(edns, refusal.rcode, errors, options)
    query = refusal.query
    question = b"" if query is None else query.name + _TYPE_CLASS.pack(query.question.rrtype, query.rrclass)
    flags |= TC if truncated else 0
    return _HEADER.pack(refusal.id, flags, bool(question), 0, 0, bool(opt)) + question + opt


def _question(message: bytes) -> tuple[bytes, int, int, int]:
    at = end = _HEADER.size
    while length := message[end]:
        if length > 63:
            raise ValueError("a compressed question")  # it has nothing to point to
        end += 1 + length
    end += 1
    if end - at > LONGEST_NAME:
        raise ValueError("a name too long")
    rrtype, rrclass = _TYPE_CLASS.unpack_from(message, end)
    return message[at:end], rrtype, rrclass, end + _TYPE_CLASS.size


def _edns(message: bytes, at: int, others: int, additionals: int) -> Edns | None:
    """The OPT record among the additional ones; the others are read over."""
    found = None
    for number in range(others + additionals):
        at_root = not message[at]
        while 0 < message[at] < 64:
            at += 1 + message[at]
        if 64 <= message[at] < 192:
            raise ValueError("a label of no known type")
        at += 2 if message[at] else 1
        rrtype, rrclass, ttl, length = _RECORD.unpack_from(message, at)
        at += _RECORD.size
        rdata = message[at : at + length]
        if len(rdata) != length:
            raise ValueError("a record that is cut")
        at += length
        if rrtype == RRType.OPT:
            if found is not None or not at_root or number < others:
                raise ValueError("an OPT record too many")
            found = _opened(rrclass, ttl, rdata)
    if at != len(message):
        raise ValueError("bytes behind the message")
    return found


def _opened(payload: int, ttl: int, rdata: bytes) -> Edns:
    options: dict[int, bytes] = {}
    at = 0
    while at < len(rdata):
        code, length = _OPTION.unpack_from(rdata, at)
        at += _OPTION.size
        value = rdata[at : at + length]
        if len(value) != length:
            raise ValueError("an option that is cut")
        options.setdefault(code, value)
        at += length
    cookie = options.get(_COOKIE)
    if cookie is not None and len(cookie) != 8 and not 16 <= len(cookie) <= 40:
        raise ValueError("a cookie of a wrong size")
    return Edns(
        payload, ttl >> 16 & 255, bool(ttl & 0x8000), cookie, _NSID in options, _KEEPALIVE in options, bool(options)
    )


def opt_of(edns: Edns, rcode: int, errors: Sequence[ExtendedError], options: Options) -> bytes:
    parts = []
    if options.nsid is not None and edns.wants_nsid:
        parts.append((_NSID, options.nsid))
    if options.cookie is not None:
        parts.append((_COOKIE, options.cookie))
    if options.keepalive is not None and edns.wants_keepalive:
        parts.append((_KEEPALIVE, struct.pack("!H", options.keepalive)))
    for error in errors:
        parts.append((_EXTENDED_ERROR, struct.pack("!H", error.code) + _cut_text(error.text)))
    rdata = b"".join([_OPTION.pack(code, len(value)) + value for code, value in parts])
    ttl = (rcode >> 4) << 24 | (0x8000 if edns.dnssec_ok else 0)
    return b"\0" + _RECORD.pack(RRType.OPT, PAYLOAD, ttl, len(rdata)) + rdata


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
        _COUNT.pack_into(wire, 10, _COUNT.unpack_from(wire, 10)[0] + 1)
        wire += opt
    return bytes(wire)


def _rrset(rrset: RRset) -> dns.rrset.RRset:
    rrtype = dns.rdatatype.RdataType.make(rrset.rrtype)
    rdatas = [dns.rdata.from_wire(dns.rdataclass.IN, rrtype, rdata, 0, len(rdata)) for rdata in rrset.rdatas]
    return dns.rrset.from_rdata_list(dns.name.from_wire(rrset.name, 0)[0], rrset.ttl, rdatas)
