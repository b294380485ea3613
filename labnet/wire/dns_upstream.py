"""DNS messages as a client sends and receives them: questions out, replies in (RFC 1035; RFC 5452; sans-IO).

Decoding takes any bytes. It gives a :class:`~labnet.wire.types.Reply` or raises :class:`NotOurs`,
:class:`Truncated` or :class:`Broken`, nothing else, after work that grows with the reply's length alone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

import dns.edns

from labnet.wire.address_runs import HEAD, KIND, has_runs, in_row, same_in_row
from labnet.wire.dns_common import (
    AA,
    CD,
    DO,
    EXTENDED_ERROR,
    HEADER,
    IN,
    OPCODE,
    OPT_HEAD,
    OPTION,
    PAYLOAD,
    QR,
    RA,
    RD,
    RECORD,
    TC,
    TYPE_CLASS,
    BadMessage,
    NameReader,
    end_of_name,
    mixed_case,
    padded,
)
from labnet.wire.names import is_opaque
from labnet.wire.rdata import ADDRESS_BYTES, WITH_NAMES, names_at
from labnet.wire.types import (
    CHECKING_DISABLED,
    DNSSEC_OK,
    LONGEST_TTL,
    ExtendedError,
    InfoCode,
    Question,
    Rcode,
    Reply,
    RRset,
    RRType,
)

BLOCK: Final = 128
"""Bytes that an encrypted query is padded to a multiple of (RFC 8467, section 4.1)."""

MOST_ERRORS: Final = 8
"""Extended errors of one reply that are passed on."""

_RCODES: Final = {int(rcode): rcode for rcode in Rcode}
_INFO_CODES: Final = {int(code): code for code in InfoCode}
_CUT: Final = "the reply ends in the middle of a record"
_ERROR_NAMES: Final = {int(code): code.name.replace("_", " ").capitalize() for code in dns.edns.EDECode}


class NotOurs(Exception):
    """The datagram is no reply to what was sent; the text says why. It has to be ignored (RFC 5452, section 9.1)."""


class OtherCase(NotOurs):
    """All matches but the case of the name's letters: a guess from elsewhere, or a server that changes the case."""


class Truncated(Exception):
    """The reply did not fit; the question has to be asked again by TCP."""


class Broken(ValueError):
    """The reply matches what was sent and cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a reply has to repeat: the id and, bit by bit, the question section."""

    id: int
    question: bytes

    @classmethod
    def of(cls, query: bytes) -> Self:
        """What the reply to ``query``, a result of :func:`encode_query`, has to repeat."""
        end = end_of_name(query, HEADER.size) + TYPE_CLASS.size
        return cls(int.from_bytes(query[:2], "big"), query[HEADER.size : end])


@dataclass(frozen=True, slots=True)
class EarlyReply:
    """A ``datagram`` that has come by UDP before the usual way was taken: the reply to what was ``sent``.

    That was sent with EDNS, at the epoch second ``since``.
    """

    datagram: bytes
    sent: Sent
    since: float


def encode_query(
    question: Question, id: int, *, recursion_desired: bool, case_bits: int = 0, payload: int | None = PAYLOAD
) -> bytes:
    """The query for ``question``, which DNS must be able to carry (else ValueError).

    Each bit of ``case_bits`` that is set makes the letter under it a capital: for mixed case
    (draft-vixie-dnsext-dns0x20) give eight random bits for each byte of the name. ``payload`` is the size that EDNS
    (RFC 6891) announces, None for a query without EDNS.
    """
    key = question.key
    if is_opaque(key):
        raise ValueError("DNS cannot carry this name")
    if case_bits:
        key = mixed_case(key, case_bits)
    flags = (RD if recursion_desired else 0) | (CD if question.dnssec & CHECKING_DISABLED else 0)
    query = HEADER.pack(id, flags, 1, 0, 0, payload is not None) + key + TYPE_CLASS.pack(question.rrtype, IN)
    if payload is None:
        return query
    return query + b"\0" + RECORD.pack(RRType.OPT, payload, DO if question.dnssec & DNSSEC_OK else 0, 0)


def encode_padded_query(question: Question, id: int) -> bytes:
    """The query for ``question`` over an encrypted connection: padded to a multiple of :data:`BLOCK` bytes."""
    query = encode_query(question, id, recursion_desired=True)
    at = len(query) - OPT_HEAD
    return query[:at] + padded(query[at:], at, BLOCK)


def decode_reply(datagram: bytes, sent: Sent) -> Reply:
    """The reply in ``datagram``, over TCP in one message.

    Raises :class:`NotOurs`, :class:`Truncated` or :class:`Broken`. FORMERR and NOTIMP count without a question section
    too, and with records that cannot be read: so answer servers that do not know EDNS.
    """
    flags = _matched_flags(datagram, sent)
    if flags & TC:
        raise Truncated("the reply is truncated")
    try:
        return _Reader(datagram, sent).read(flags)
    except (BadMessage, IndexError, struct.error) as error:
        rcode = flags & 0xF
        if rcode in (Rcode.FORMERR, Rcode.NOTIMP):
            return Reply(_RCODES[rcode])
        why = str(error) if isinstance(error, BadMessage) else _CUT
        raise Broken(why) from None


def _matched_flags(datagram: bytes, sent: Sent) -> int:
    """The second word of a reply's header, once the reply is known to be one to what was sent."""
    if len(datagram) < HEADER.size:
        raise NotOurs("the datagram is shorter than a header")
    id, flags, questions, *_ = HEADER.unpack_from(datagram)
    if id != sent.id:
        raise NotOurs("the id is another one")
    if not flags & QR or flags & OPCODE:
        raise NotOurs("it is no reply to a query")
    asked = datagram[HEADER.size : HEADER.size + len(sent.question)]
    if questions == 1 and asked == sent.question:
        return int(flags)
    if (questions == 0 or len(datagram) == HEADER.size) and flags & 0xF in (Rcode.FORMERR, Rcode.NOTIMP):
        return int(flags)
    # The type and class behind the name have no case, so they must be the very same.
    if questions == 1 and asked[-4:] == sent.question[-4:] and asked[:-4].lower() == sent.question[:-4].lower():
        raise OtherCase("the letters of the question are in another case")
    raise NotOurs("the question is another one")


class _Found:
    """An RRset while its records are read."""

    __slots__ = ("name", "rdatas", "ttl")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.ttl = LONGEST_TTL
        self.rdatas: dict[bytes, None] = {}

    def add(self, ttl: int, rdata: bytes) -> None:
        if ttl < self.ttl:
            self.ttl = ttl
        elif ttl > LONGEST_TTL:
            self.ttl = 0  # RFC 2181, section 8
        self.rdatas[rdata] = None


class _Reader:
    """Reads the records of one reply; ``_at`` is where the next one begins."""

    def __init__(self, data: bytes, sent: Sent) -> None:
        self._data = data
        self._key = sent.question[:-4].lower()
        self._counts = HEADER.unpack_from(data)[2:]
        self._at = HEADER.size
        self._names = NameReader(data)
        self._edns = False
        self._rcode_high = 0
        self._errors: list[ExtendedError] = []
        if self._counts[0]:
            self._at += len(sent.question)
            # What points into the question gets the name without the random case that it was sent in.
            start = 0
            while start < len(self._key):
                self._names.known[HEADER.size + start] = self._key[start:]
                start += 1 + self._key[start]

    def read(self, flags: int) -> Reply:
        answer = self._section(self._counts[1], is_needed=True)
        authority, additional = (self._section(count, is_needed=False) for count in self._counts[2:])
        rcode = self._rcode_high | flags & 0xF
        return Reply(
            _RCODES.get(rcode, rcode),
            bool(flags & AA),
            bool(flags & RA),
            answer,
            authority,
            additional,
            tuple(self._errors),
        )

    def _section(self, count: int, is_needed: bool) -> tuple[RRset, ...]:
        """``count`` records as RRsets. Where their TTLs differ the lowest counts (RFC 2181, section 5.2).

        A record whose data cannot be read is left out where the section is not needed for the answer.
        """
        data = self._data
        found: dict[tuple[bytes, int], _Found] = {}
        left = count
        while left:
            left -= 1
            start = self._at
            name, at = self._name(start)
            rrtype, rrclass, ttl, length = RECORD.unpack_from(data, at)
            at += RECORD.size
            self._at = end = at + length
            if end > len(data):
                raise BadMessage(_CUT)
            if rrtype == RRType.OPT:
                self._options(rrclass, ttl, at, end)
            elif rrclass == IN and rrtype and not 128 <= rrtype <= 255:  # RFC 6895, section 3.1: no data
                try:
                    rdata = self._rdata(rrtype, at, end)
                except BadMessage:
                    if is_needed:
                        raise
                    continue
                key = name.lower(), rrtype
                if (rrset := found.get(key)) is None:
                    rrset = found[key] = _Found(name)
                rrset.add(ttl, rdata)
                is_like = at - start == HEAD and data[end : end + KIND] == data[start : start + KIND]
                if is_like and has_runs(rrtype):
                    left -= self._run(rrset, rrtype, data[start:at], left)
        return tuple(
            [RRset(rrset.name, rrtype, rrset.ttl, tuple(rrset.rdatas)) for (_, rrtype), rrset in found.items()]
        )

    def _run(self, rrset: _Found, rrtype: int, head: bytes, most: int) -> int:
        """Read addresses of one name that stand in a row; how many they are."""
        count, addresses = same_in_row(self._data, self._at, rrtype, head, most)
        rrset.rdatas.update(dict.fromkeys(addresses))
        self._at += count * (HEAD + ADDRESS_BYTES[rrtype])
        for ttl, rdata in in_row(self._data, self._at, rrtype, head[:KIND], most - count):
            rrset.add(ttl, rdata)
            self._at += HEAD + ADDRESS_BYTES[rrtype]
            count += 1
        return count

    def _rdata(self, rrtype: int, at: int, end: int) -> bytes:
        """The record data between ``at`` and ``end``, without compression. Raises :class:`BadMessage`."""
        data = self._data
        if (layout := WITH_NAMES.get(rrtype)) is None:
            rdata = data[at:end]
            if (size := ADDRESS_BYTES.get(rrtype)) is not None and len(rdata) != size:
                raise BadMessage(f"an address has {len(rdata)} bytes, not {size}")
            return rdata
        parts, begin = [], at
        try:
            at = names_at(layout, data, at)
            parts.append(data[begin:at])
            for _ in range(layout.names):
                name, at = self._name(at)
                parts.append(name)
        except IndexError:
            raise BadMessage(_CUT) from None
        if at > end if layout.after is None else at + layout.after != end:
            raise BadMessage(f"a record of type {rrtype} has another length than its names")
        return b"".join(parts) + data[at:end]

    def _name(self, at: int) -> tuple[bytes, int]:
        """The name at ``at`` without compression and random case, and where what follows it begins."""
        name, at = self._names.read(at)
        return self._in_own_case(name), at

    def _in_own_case(self, name: bytes) -> bytes:
        """``name`` in lower case where it ends as the name asked for does.

        Servers give back the random case of a query also in what they do not compress, some even that of earlier ones.
        """
        lower = name.lower()
        if lower == name:
            return name
        size = min(len(name), len(self._key))
        different = int.from_bytes(lower[-size:], "big") ^ int.from_bytes(self._key[-size:], "big")
        common = ((different & -different).bit_length() - 1) // 8 if different else size
        return name[:-common] + lower[-common:]

    def _options(self, payload: int, extended: int, at: int, end: int) -> None:
        """The OPT record (RFC 6891, section 6.1.2): the high bits of the RCODE, and extended errors (RFC 8914)."""
        if self._edns:
            raise BadMessage("the reply has two OPT records")
        self._edns = True
        self._rcode_high = extended >> 24 << 4
        while at < end:
            code, length = OPTION.unpack_from(self._data, at)
            value = self._data[at + 4 : at + 4 + length]
            at += 4 + length
            if at > end:
                raise BadMessage("the reply ends in the middle of an option")
            if code == EXTENDED_ERROR and length >= 2 and len(self._errors) < MOST_ERRORS:
                self._errors.append(_extended_error(value))


def _extended_error(value: bytes) -> ExtendedError:
    """One extended error; a code that the resolver does not give itself stands in the text."""
    number = int.from_bytes(value[:2], "big")
    text = value[2:].decode("utf-8", "replace").rstrip("\0")[:200]
    text = "".join(char if char.isprintable() else "?" for char in text)
    if (code := _INFO_CODES.get(number)) is not None:
        return ExtendedError(code, text)
    known = _ERROR_NAMES.get(number, "Extended error")
    return ExtendedError(InfoCode.OTHER, f"{known} ({number})" + (f": {text}" if text else ""))
