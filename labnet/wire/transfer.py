"""Zone transfers (RFC 5936, RFC 1995) and NOTIFY (RFC 1996) as messages (sans-IO)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from labnet.wire.dns_common import (
    AA,
    HEADER,
    IN,
    OPCODE,
    QR,
    RD,
    RECORD,
    TYPE_CLASS,
    BadMessage,
    NameReader,
    compressed,
    end_of_name,
)
from labnet.wire.dns_request import Query
from labnet.wire.names import text_of
from labnet.wire.rdata import ADDRESS_BYTES
from labnet.wire.types import Rcode, RRType, type_text

IXFR, AXFR = 251, 252
"""The types of questions for zones."""

NOTIFY: Final = 4
"""The opcode of RFC 1996."""

MESSAGE: Final = 16_000
"""Bytes of a message of a transfer, if more than one record is in it: what is further in cannot be pointed to."""

LONGEST: Final = 65_000
"""Bytes of the longest one, which leaves room for a signature."""

_NOTIFY_FLAGS: Final = NOTIFY << 11 | AA
_PLAIN: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*"

Row = tuple[bytes, int, int, bytes]
"""A record of class IN: name of its owner, type, TTL (seconds), data; names are in wire form."""


def transfer_messages(
    query: Query, records: Iterable[Row | None], opt: bytes = b"", limit: int = MESSAGE
) -> Iterator[bytes]:
    """The messages that answer ``query`` with ``records`` in their order, ``opt`` in each; ``limit`` is in bytes.

    A record of None gives an empty message, which is not to be sent: more comes later. Raises :class:`BadMessage` for a
    record that no message has room for.
    """
    message = _Message(query, opt)
    for record in records:
        if record is None:
            yield b""
        elif not message.add(record, limit):
            if message.count:
                yield message.whole()
                message = _Message(query, opt)
            if not message.add(record, LONGEST):
                raise BadMessage(f"{text_of(record[0])} {type_text(record[1])} is too long for any message")
    yield message.whole()


class _Message:
    """One message of a transfer while it is written; names are compressed with their case kept (RFC 5936, 3.4)."""

    def __init__(self, query: Query, opt: bytes) -> None:
        self.count = 0
        self._query = query
        self._opt = opt
        self._places: dict[bytes, int] = {}
        self._wire = bytearray(HEADER.size)
        self._wire += self._owner(query.name)
        self._wire += TYPE_CLASS.pack(query.question.rrtype, query.rrclass)

    def add(self, record: Row, limit: int) -> bool:
        """Write ``record``; False where it does not fit into ``limit`` bytes."""
        name, rrtype, ttl, rdata = record
        if len(self._wire) + len(name) + RECORD.size + len(rdata) + len(self._opt) > limit:
            return False
        self._wire += self._owner(name)
        self._wire += RECORD.pack(rrtype, IN, ttl, len(rdata))
        self._wire += rdata
        self.count += 1
        return True

    def whole(self) -> bytes:
        """The message."""
        query = self._query
        counts = (1, self.count, 0, bool(self._opt))
        HEADER.pack_into(self._wire, 0, query.id, QR | AA | query.flags & RD, *counts)
        return bytes(self._wire + self._opt)

    def _owner(self, name: bytes) -> bytes:
        return compressed(name, name, self._places, len(self._wire))


class ReceivedRecord(NamedTuple):
    """A record of a zone that comes: the name of its owner in wire form, and the record as a line of a master file."""

    name: bytes
    rrtype: int
    rrclass: int
    ttl: int
    line: str
    rdata: bytes
    """That of an SOA, its names not compressed; empty for all other types."""


class TransferMessage(NamedTuple):
    """One of the messages that answer a question for a zone; ``asked`` are the names in its question section."""

    id: int
    flags: int
    asked: list[bytes]
    records: list[ReceivedRecord]


def read_transfer(message: bytes) -> TransferMessage:
    """The records in the answer section of ``message``; whatever comes behind it is not looked at.

    Raises :class:`BadMessage` for what cannot be read. dnspython reads all data but addresses, of which there are most.
    """
    try:
        return _read_transfer(message)
    except (dns.exception.DNSException, IndexError, struct.error, ValueError) as error:
        raise BadMessage(f"a message cannot be read: {error}") from None


def _read_transfer(message: bytes) -> TransferMessage:
    id, flags, questions, answers, _, _ = HEADER.unpack_from(message)
    names, texts, at = NameReader(message), _NameTexts(), HEADER.size
    asked, records = [], []
    for _ in range(questions):
        name, at = names.read(at)
        asked.append(name.lower())
        at += TYPE_CLASS.size
    for _ in range(answers):
        name, at = names.read(at)
        rrtype, rrclass, ttl, length = RECORD.unpack_from(message, at)
        at += RECORD.size
        data, rdata = message[at : at + length], b""
        if len(data) != length:
            raise BadMessage("a record is cut")
        if rrclass == IN and length == ADDRESS_BYTES.get(rrtype):
            text = socket.inet_ntop(socket.AF_INET if rrtype == RRType.A else socket.AF_INET6, data)
        else:
            found = dns.rdata.from_wire(
                dns.rdataclass.RdataClass.make(rrclass), dns.rdatatype.RdataType.make(rrtype), message, at, length
            )
            text = found.to_text()
            rdata = (found.to_wire() or b"") if rrtype == RRType.SOA else b""
        line = f"{texts.of(name)} {ttl} {_class_text(rrclass)} {type_text(rrtype)} {text}"
        records.append(ReceivedRecord(name, rrtype, rrclass, ttl, line, rdata))
        at += length
    return TransferMessage(id, flags, asked, records)


class _NameTexts:
    """Names of one message as a master file has them, most of which end alike."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {b"\0": ""}

    def of(self, name: bytes) -> str:
        """An absolute name, with what is no letter escaped as dnspython does."""
        label, rest = name[1 : 1 + name[0]], name[1 + name[0] :]
        if not label or label.translate(None, _PLAIN):
            return dns.name.from_wire(name, 0)[0].to_text()
        behind = self._known.get(rest)
        if behind is None:
            behind = self._known[rest] = dns.name.from_wire(rest, 0)[0].to_text()
        return f"{label.decode()}.{behind}"


@lru_cache(maxsize=100)
def _class_text(rrclass: int) -> str:
    return str(dns.rdataclass.to_text(dns.rdataclass.RdataClass.make(rrclass)))


def serial_in(message: bytes) -> int | None:
    """The serial that an IXFR question or a NOTIFY has in the SOA that comes with it; None where there is none."""
    try:
        found = dns.message.from_wire(message, ignore_trailing=True, continue_on_error=True)
    except (dns.exception.DNSException, ValueError, struct.error):
        return None
    for rrset in (*found.answer, *found.authority):
        if rrset.rdtype == dns.rdatatype.SOA and len(rrset):
            return int(rrset[0].serial)
    return None


class Notify(NamedTuple):
    """A NOTIFY that came: the zone's key, and the serial it has there if it says so."""

    zone: bytes
    serial: int | None


def read_notify(message: bytes) -> Notify | None:
    """What ``message``, whose opcode is NOTIFY, says; None where it cannot be read or is not about an SOA."""
    try:
        found = dns.message.from_wire(message, ignore_trailing=True, question_only=True)
    except (dns.exception.DNSException, ValueError, struct.error):
        return None
    if len(found.question) != 1:
        return None
    question = found.question[0]
    if question.rdtype != dns.rdatatype.SOA or question.rdclass != dns.rdataclass.IN:
        return None
    return Notify(question.name.to_digestable(), serial_in(message))


def notify_reply(message: bytes, rcode: Rcode) -> bytes:
    """What answers the NOTIFY ``message``, with the question alone (RFC 1996, section 4.7)."""
    id, flags, *_ = HEADER.unpack_from(message)
    question = question_of(message)
    return HEADER.pack(id, QR | flags & (OPCODE | AA) | rcode, bool(question), 0, 0, 0) + question


def question_of(message: bytes) -> bytes:
    """The question of ``message`` as bytes, if it has one that can be read."""
    try:
        end = end_of_name(message, HEADER.size) + TYPE_CLASS.size
    except (ValueError, IndexError):
        return b""
    return message[HEADER.size : end]


def notify_query(id: int, soa: Row) -> bytes:
    """A NOTIFY about the zone that has ``soa`` (RFC 1996, section 3.7)."""
    name, rrtype, ttl, rdata = soa
    question = name + TYPE_CLASS.pack(RRType.SOA, IN)
    record = name + RECORD.pack(rrtype, IN, ttl, len(rdata)) + rdata
    return HEADER.pack(id, _NOTIFY_FLAGS, 1, 1, 0, 0) + question + record


def transfer_query(id: int, zone: bytes, soa: Row | None) -> bytes:
    """A question for all of ``zone`` (its name in wire form); with ``soa`` for what changed since (RFC 1995)."""
    if soa is None:
        return HEADER.pack(id, 0, 1, 0, 0, 0) + zone + TYPE_CLASS.pack(AXFR, IN)
    name, rrtype, ttl, rdata = soa
    record = name + RECORD.pack(rrtype, IN, ttl, len(rdata)) + rdata
    return HEADER.pack(id, 0, 1, 0, 1, 0) + zone + TYPE_CLASS.pack(IXFR, IN) + record
