"""What all DNS codecs share: header fields and numbers, names inside messages, random case (RFC 1035, section 4)."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from labnet.wire.names import LONGEST_NAME, ROOT

PAYLOAD: Final = 1232
"""Bytes of a UDP message that are sent, announced and asked for at most; no path has to fragment it (RFC 9715)."""

HEADER: Final = Struct("!HHHHHH")
"""Id, flags, and the numbers of questions and of answer, authority and additional records."""

TYPE_CLASS: Final = Struct("!HH")
"""The type and class behind the name of a question."""

RECORD: Final = Struct("!HHIH")
"""Type, class, TTL (seconds) and data length (bytes) behind the owner name of a record."""

OPTION: Final = Struct("!HH")
"""Code and length (bytes) of an EDNS option (RFC 6891, section 6.1.2)."""

QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
OPCODE: Final = 0x7800
DO: Final = 0x8000
"""The bit in the TTL of an OPT record that asks for DNSSEC records (RFC 3225)."""

IN: Final = 1
OPT, TSIG = 41, 250
"""The types of the records that EDNS (RFC 6891) and a signature (RFC 8945) are in."""

EXTENDED_ERROR: Final = 15
"""The EDNS option of RFC 8914."""

PADDING: Final = 12
"""The EDNS option of RFC 7830."""

OPT_HEAD: Final = 1 + RECORD.size
"""Bytes of an OPT record before its options."""

LONGEST_LABEL: Final = 63
"""Bytes; RFC 1035, section 2.3.4."""

_POINTER: Final = 0xC0
_SIZE: Final = Struct("!H")
_LETTERS: Final = bytes(0x20 if ord("a") <= byte <= ord("z") else 0 for byte in range(256))


class BadMessage(ValueError):
    """The bytes are no DNS message; the text says why."""


class Opt(NamedTuple):
    """The class, TTL and data of an OPT record (RFC 6891, section 6.1.2)."""

    rrclass: int
    ttl: int
    rdata: bytes


class Tsig(NamedTuple):
    """What a TSIG record says (RFC 8945, section 4.2): the names of key and algorithm, in wire form, and three fields.

    The time signed and the fudge are together, as they stand in the record, which begins at ``at``.
    """

    key_name: bytes
    algorithm: bytes
    time_and_fudge: bytes
    original_id: bytes
    at: int


class RecordPlace(NamedTuple):
    """A record in a message: its type and TTL (seconds), where its type stands, and where its data begins and ends."""

    rrtype: int
    ttl: int
    at: int
    data: int
    end: int


def mixed_case(names: bytes, bits: int) -> bytes:
    """``names`` (keys) with a capital letter for each bit of ``bits`` that is set (draft-vixie-dnsext-dns0x20).

    ``bits`` has eight bits for each byte of ``names``; those under no letter do not count.
    """
    capitals = int.from_bytes(names.translate(_LETTERS), "big") & bits
    return (int.from_bytes(names, "big") ^ capitals).to_bytes(len(names), "big")


def end_of_name(message: bytes, at: int) -> int:
    """Where the name at ``at``, which must not be compressed, ends.

    Raises :class:`BadMessage` for a label or name that is too long, IndexError where the message ends before the name.
    """
    start = at
    while length := message[at]:
        if length > LONGEST_LABEL:
            raise BadMessage("a name has a label that cannot be")
        at += 1 + length
    if at + 1 - start > LONGEST_NAME:
        raise BadMessage("a name is too long")
    return at + 1


def skip_name(message: bytes, at: int) -> int:
    """Where the name at ``at``, compressed or not, ends; a pointer is not followed. Raises as :func:`end_of_name`."""
    while length := message[at]:
        if length >= _POINTER:
            return at + 2
        if length > LONGEST_LABEL:
            raise BadMessage("a name has a label that cannot be")
        at += 1 + length
    return at + 1


def read_additional(message: bytes, at: int, others: int, additionals: int) -> tuple[Opt | None, Tsig | None]:
    """The OPT and the TSIG record among ``additionals`` records behind ``others``, which begin at ``at``.

    All other records are read over; bytes behind the last one are ignored. Raises :class:`BadMessage`, struct.error or
    IndexError for records that cannot be read, for two OPT records, and for a TSIG record that is not the last one.
    """
    opt: Opt | None = None
    tsig: Tsig | None = None
    for number in range(others + additionals):
        owner, at = at, skip_name(message, at)
        rrtype, rrclass, ttl, length = RECORD.unpack_from(message, at)
        at += RECORD.size
        rdata = message[at : at + length]
        if len(rdata) != length:
            raise BadMessage("a record that is cut")
        if rrtype == OPT:
            if opt is not None or message[owner] or number < others:
                raise BadMessage("an OPT record too many")
            opt = Opt(rrclass, ttl, rdata)
        elif rrtype == TSIG:
            if number < others or number != others + additionals - 1:
                raise BadMessage("a TSIG record that is not the last")
            tsig = _read_tsig(message, owner, at, at + length)
        at += length
    return opt, tsig


def _read_tsig(message: bytes, owner: int, at: int, end: int) -> Tsig:
    names = NameReader(message)
    key_name, _ = names.read(owner)
    algorithm, at = names.read(at)
    time_and_fudge, (size,) = message[at : at + 8], _SIZE.unpack_from(message, at + 8)
    at += 10 + size
    if at + 6 > end:
        raise BadMessage("a TSIG record that is cut")
    return Tsig(key_name, algorithm, time_and_fudge, message[at : at + 2], owner)


def tsig_of(message: bytes) -> Tsig | None:
    """The TSIG record of ``message``, if it has one. Raises as :func:`read_additional`, and for half a header."""
    _, _, questions, answers, authorities, additionals = HEADER.unpack_from(message)
    at = HEADER.size
    for _ in range(questions):
        at = skip_name(message, at) + TYPE_CLASS.size
    return read_additional(message, at, answers + authorities, additionals)[1]


def padded(opt: bytes, others: int, block: int) -> bytes:
    """The OPT record ``opt`` with padding (RFC 7830): it and the ``others`` bytes of its message fill blocks.

    The last block may be cut where the message would be too long.
    """
    size = others + len(opt) + OPTION.size
    padding = min(-size % block, max(0, 65535 - size))
    rdata = opt[OPT_HEAD:] + OPTION.pack(PADDING, padding) + bytes(padding)
    return opt[: OPT_HEAD - 2] + len(rdata).to_bytes(2, "big") + rdata


def record_places(message: bytes) -> list[RecordPlace]:
    """The records of ``message``, a response of our own with one question, in their order."""
    at = skip_name(message, HEADER.size) + TYPE_CLASS.size
    places = []
    for _ in range(sum(HEADER.unpack_from(message)[3:])):
        at = skip_name(message, at)
        rrtype, _, ttl, length = RECORD.unpack_from(message, at)
        data = at + RECORD.size
        places.append(RecordPlace(rrtype, ttl, at, data, data + length))
        at = data + length
    return places


class NameReader:
    """Reads the names of one message, compressed or not (RFC 1035, section 4.1.4).

    ``known`` holds the name that begins at an offset. Each label that a pointer leads to is put there with the rest of
    its name, and so is read once however many pointers there are: the work grows with the message's length alone.
    """

    def __init__(self, message: bytes) -> None:
        self._message = message
        self.known: dict[int, bytes] = {}

    def read(self, at: int) -> tuple[bytes, int]:
        """The name at ``at`` in wire form without compression, and where what follows it begins.

        Raises :class:`BadMessage`, or IndexError where the message ends before the name.
        """
        message = self._message
        start = at
        while length := message[at]:
            if length >= _POINTER:
                name = message[start:at] + self._pointed((length & 0x3F) << 8 | message[at + 1], start)
                if len(name) > LONGEST_NAME:
                    raise BadMessage("a name is too long")
                return name, at + 2
            at += 1 + length
            if length > LONGEST_LABEL or at - start >= LONGEST_NAME:
                raise BadMessage("a name has a label that cannot be or is too long")
        return message[start : at + 1], at + 1

    def _pointed(self, at: int, before: int) -> bytes:
        """The name at ``at``, where a pointer leads to: before ``before``, the start of the name that it is in."""
        message, known = self._message, self.known
        passed: list[tuple[int, bytes]] = []
        if at >= before:
            raise BadMessage("a name points forward")
        start = at
        while (rest := known.get(at)) is None:
            length = message[at]
            if not length:
                rest = ROOT
                break
            if length >= _POINTER:
                passed.append((at, b""))
                at = (length & 0x3F) << 8 | message[at + 1]
                if at >= start:
                    raise BadMessage("a name points forward")
                start = at
                continue
            passed.append((at, message[at : at + 1 + length]))
            at += 1 + length
            if length > LONGEST_LABEL:
                raise BadMessage("a name has a label that cannot be")
        for at, label in reversed(passed):
            known[at] = rest = label + rest
            if len(rest) > LONGEST_NAME:
                raise BadMessage("a name is too long")
        return rest


def compressed(name: bytes, key: bytes, places: dict[bytes, int], here: int) -> bytes:
    """``name`` as it is written at ``here`` in a message: what stands there already is a pointer (RFC 1035, 4.1.4).

    ``places`` has where each name stands, by the form of it that ``key`` has, and learns of this one.
    """
    at = 0
    while length := key[at]:
        rest = key[at:]
        if (place := places.get(rest)) is not None:
            return name[:at] + (0xC000 | place).to_bytes(2, "big")
        if here + at < 0x4000:
            places[rest] = here + at
        at += 1 + length
    return name
