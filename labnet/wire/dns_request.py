"""DNS messages as a server receives them (RFC 1035, RFC 6891; sans-IO).

A question is read by hand in one pass, because what is wrong in it decides the RCODE. Any bytes give a :class:`Query`,
or raise :class:`Silence` or :class:`Refusal`, nothing else.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from labnet.wire.dns_common import (
    AD,
    CD,
    DO,
    HEADER,
    IN,
    OPCODE,
    OPTION,
    PADDING,
    QR,
    RD,
    RECORD,
    TSIG,
    TYPE_CLASS,
    Tsig,
    end_of_name,
    read_additional,
)
from labnet.wire.names import text_of
from labnet.wire.types import CHECKING_DISABLED, DNSSEC_OK, Question, Rcode, RRType, type_text

NSID, COOKIE, KEEPALIVE = 3, 10, 11
"""EDNS options (RFC 5001, RFC 7873, RFC 7828)."""

_QUERY, _UPDATE = 0, 5
_ANY: Final = 255
_BADKEY: Final = 17
_TRANSFERS: Final = frozenset((251, 252, 253, 254, 249, 250))  # IXFR, AXFR, MAILB, MAILA, TKEY, TSIG


class Silence(ValueError):
    """The bytes get no answer: they have no header to answer by, or are a response."""


@dataclass(frozen=True, slots=True)
class Edns:
    """What a client's OPT record says (RFC 6891); ``payload`` is in bytes, ``cookie`` the whole option (RFC 7873)."""

    payload: int
    version: int
    dnssec_ok: bool
    cookie: bytes | None = None
    wants_nsid: bool = False
    wants_keepalive: bool = False
    has_options: bool = False
    wants_padding: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One question as a client sent it. ``name`` keeps the client's case."""

    id: int
    flags: int
    question: Question
    name: bytes
    rrclass: int
    edns: Edns | None

    @property
    def recursion_desired(self) -> bool:
        return bool(self.flags & RD)

    @property
    def wants_ad(self) -> bool:
        """Whether the client wants to hear that the answer is authentic (AD; RFC 6840, section 5.7 and 5.8)."""
        return bool(self.flags & AD or self.question.dnssec & DNSSEC_OK)

    def as_asked(self) -> tuple[str, str, Question]:
        """The name and the type that are asked for, in presentation form, and the question that they are."""
        return text_of(self.name), type_text(self.question.rrtype), self.question


class Refusal(Exception):
    """A message that is answered by ``rcode`` and what could be read of it, without a look at zones or cache.

    ``signature`` is the TSIG record of the response.
    """

    def __init__(
        self,
        rcode: Rcode,
        id: int,
        flags: int,
        query: Query | None = None,
        edns: Edns | None = None,
        signature: bytes = b"",
    ) -> None:
        super().__init__(rcode.name)
        self.rcode = rcode
        self.id = id
        self.flags = flags
        self.query = query
        self.edns = query.edns if query is not None else edns
        self.signature = signature


def decode_query(message: bytes) -> Query:
    """The question in ``message``.

    Raises :class:`Silence` for what must not be answered and :class:`Refusal` for what is answered by an RCODE alone:
    FORMERR, NOTIMP, BADVERS, REFUSED, NOTAUTH for a TSIG record (RFC 8945, section 5.2.1: whoever knows keys looks at
    it before that is said), or NOERROR for a question after a cookie only (RFC 7873, section 5.4). Bytes behind the
    message are ignored.
    """
    if len(message) < HEADER.size:
        raise Silence("shorter than a header")
    id, flags, questions, answers, authorities, additionals = HEADER.unpack_from(message)
    if flags & QR:
        raise Silence("a response")
    opcode = (flags & OPCODE) >> 11
    if opcode != _QUERY:
        raise Refusal(Rcode.REFUSED if opcode == _UPDATE else Rcode.NOTIMP, id, flags)
    if questions > 1:
        raise Refusal(Rcode.FORMERR, id, flags)
    name, rrtype, rrclass, at = b"", 0, 0, HEADER.size
    try:
        if questions:
            end = end_of_name(message, at)  # the first name of a message has nothing to point to
            name = message[at:end]
            rrtype, rrclass = TYPE_CLASS.unpack_from(message, end)
            at = end + TYPE_CLASS.size
        opt, tsig = read_additional(message, at, answers + authorities, additionals)
        edns = None if opt is None else _edns_of(opt.rrclass, opt.ttl, opt.rdata)
        signature = b"" if tsig is None else tsig_error(tsig, _BADKEY)
    except (ValueError, IndexError, struct.error):
        raise Refusal(Rcode.FORMERR, id, flags) from None
    if not questions:
        rcode = Rcode.NOERROR if edns is not None and edns.cookie is not None else Rcode.FORMERR
        raise Refusal(rcode, id, flags, edns=edns)
    dnssec = (DNSSEC_OK if edns is not None and edns.dnssec_ok else 0) | (CHECKING_DISABLED if flags & CD else 0)
    query = Query(id, flags, Question(name.lower(), rrtype, dnssec=dnssec), name, rrclass, edns)
    if signature:
        raise Refusal(Rcode.NOTAUTH, id, flags, query, signature=signature)
    if edns is not None and edns.version:
        raise Refusal(Rcode.BADVERS, id, flags, query)
    if rrtype in _TRANSFERS or rrclass != IN:
        raise Refusal(Rcode.REFUSED, id, flags, query)
    if rrtype in (0, RRType.OPT):
        raise Refusal(Rcode.FORMERR, id, flags, query)
    return query


def tsig_error(tsig: Tsig, error: int) -> bytes:
    """The TSIG record, not signed itself, that says what is wrong with ``tsig`` (RFC 8945, sections 4.2 and 5.2)."""
    rdata = tsig.algorithm + tsig.time_and_fudge + b"\0\0" + tsig.original_id + error.to_bytes(2, "big") + b"\0\0"
    return tsig.key_name + RECORD.pack(TSIG, _ANY, 0, len(rdata)) + rdata


def _edns_of(payload: int, ttl: int, rdata: bytes) -> Edns:
    options: dict[int, bytes] = {}
    at = 0
    while at < len(rdata):
        code, length = OPTION.unpack_from(rdata, at)
        at += OPTION.size
        value = rdata[at : at + length]
        if len(value) != length:
            raise ValueError("an option that is cut")
        options.setdefault(code, value)
        at += length
    cookie = options.get(COOKIE)
    if cookie is not None and len(cookie) != 8 and not 16 <= len(cookie) <= 40:
        raise ValueError("a cookie of a wrong size")
    wants_nsid, wants_keepalive, wants_padding = (code in options for code in (NSID, KEEPALIVE, PADDING))
    version, dnssec_ok = ttl >> 16 & 255, bool(ttl & DO)
    return Edns(payload, version, dnssec_ok, cookie, wants_nsid, wants_keepalive, bool(options), wants_padding)
