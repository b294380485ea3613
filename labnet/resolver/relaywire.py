"""The plain shapes of a forwarded question and its reply: what can be passed on byte for byte (sans-IO).

A question is plain where it has nothing but a name, a type, and perhaps EDNS without options; a reply where it has
nothing but the addresses asked for. Whatever looks otherwise gives None, and is read by the full codecs.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from labnet.resolver.dnsquery import PAYLOAD
from labnet.resolver.dnswire import RA, RD, Options, Refusal, Silence, decode_query, opt_of
from labnet.resolver.model import ExtendedError, Rcode, RRType

_HEADER: Final = 12
_ASKED: Final = b"\x01\0\0\1\0\0\0\0\0\1"  # RD, one question, one additional record: the OPT behind it
_OPT: Final = b"\0\0\x29" + PAYLOAD.to_bytes(2, "big") + bytes(6)
_LONGEST: Final = 140  # bytes up to the end of the name
_MOST_SHAPES: Final = 1000
_MOST_RECORDS: Final = 8  # with names and options as long as may be they still fit into 512 bytes
_RECORD: Final = {
    RRType.A.to_bytes(2, "big"): (b"\xc0\x0c\0\x01\0\x01", b"\0\x04", 4),
    RRType.AAAA.to_bytes(2, "big"): (b"\xc0\x0c\0\x1c\0\x01", b"\0\x10", 16),
}
_LETTERS: Final = bytes(0x20 if ord("a") <= byte <= ord("z") else 0 for byte in range(256))


def name_end(question: bytes) -> int:
    """Where the name in a DNS question ends, 0 where it has none that can be read, or a very long one."""
    end = _HEADER
    lengths = 0
    try:
        while length := question[end]:
            lengths |= length
            end += 1 + length
    except IndexError:
        return 0
    return 0 if lengths > 63 or end >= _LONGEST else end + 1


def matches(reply: bytes, query: bytes) -> bool | None:
    """Whether ``reply`` answers ``query``, whose id it has; None where it has to be ignored (RFC 5452, section 9.1).

    False is for what another query should find out about: the question in another case, or an error without it.
    """
    end = len(query) - len(_OPT)
    if len(reply) < _HEADER or reply[2] & 0xF8 != 0x80:
        return None
    asked, sent = reply[_HEADER:end], query[_HEADER:end]
    if asked == sent:
        return True
    return False if asked.lower() == sent.lower() or reply[3] & 15 in (Rcode.FORMERR, Rcode.NOTIMP) else None


class Shape(NamedTuple):
    """What questions have in common that differ in id and name alone: of which type, and what their replies have."""

    rrtype: int
    flags: bytes
    has_opt: bool
    opt: bytes


class Shapes:
    """Tells the shape of a question; ``errors`` go out in the EDNS of each reply."""

    def __init__(self, errors: tuple[ExtendedError, ...]) -> None:
        self._errors = errors
        self._shapes: dict[bytes, Shape | None] = {}

    def __len__(self) -> int:
        return len(self._shapes)

    def find(self, question: bytes, end: int) -> Shape | None:
        """The shape of a DNS question whose name ends at ``end``, or None where it is not plain."""
        what = question[2:_HEADER] + question[end:]
        try:
            return self._shapes[what]
        except KeyError:
            return self._look(what, question)

    def _look(self, what: bytes, question: bytes) -> Shape | None:
        if len(what) > 64:
            return None
        try:
            query = decode_query(question)
        except (Silence, Refusal):
            return None
        shape = None
        edns = query.edns
        if query.recursion_desired and (edns is None or not edns.has_options):
            flags = 0x8000 | query.flags & (RD | 0x10) | RA
            opt = b"" if edns is None else opt_of(edns, 0, self._errors, Options())
            shape = Shape(query.question.rrtype, flags.to_bytes(2, "big"), edns is not None, opt)
        if len(self._shapes) >= _MOST_SHAPES:
            self._shapes.clear()
        self._shapes[what] = shape
        return shape


def encode_plain_query(id: bytes, key: bytes, rrtype: bytes, random: bytes) -> bytes:
    """The query of ``id`` for the name ``key``, in the mixed case of ``random``, as many bytes as the name has.

    It asks for recursion, with EDNS: as :func:`labnet.resolver.dnsquery.encode_query` does.
    """
    capitals = int.from_bytes(key.translate(_LETTERS), "big") & int.from_bytes(random, "big")
    name = (int.from_bytes(key, "big") ^ capitals).to_bytes(len(key), "big")
    return id + _ASKED + name + rrtype + b"\0\1" + _OPT


def plain_addresses(reply: bytes, query: bytes) -> tuple[int, tuple[bytes, ...]] | None:
    """The lowest TTL (seconds) and the addresses in ``reply`` to ``query``, if that is all there is in it.

    The id is not looked at; the question has to be the same bit by bit.
    """
    end = len(query) - len(_OPT)
    count = reply[7] if len(reply) > end and not reply[6] else 0
    # QR and nothing else but AA, RD, RA, AD, CD; NOERROR; one question; no authority; at most one additional record
    if (
        not 0 < count <= _MOST_RECORDS
        or reply[2] & 0xFA != 0x80
        or reply[3] & 0x4F
        or reply[4:6] != b"\0\1"
        or reply[8:11] != b"\0\0\0"
        or reply[12:end] != query[12:end]
    ):
        return None
    shape = _RECORD.get(query[end - 4 : end - 2])
    if shape is None:
        return None
    start, size, length = shape
    addresses: dict[bytes, None] = {}
    lowest = 0x7FFFFFFF
    for _ in range(count):
        if reply[end : end + 6] != start or reply[end + 10 : end + 12] != size:
            return None
        ttl = int.from_bytes(reply[end + 6 : end + 10], "big")
        if ttl < lowest:
            lowest = ttl
        elif ttl > 0x7FFFFFFF:
            return None
        addresses[reply[end + 12 : end + 12 + length]] = None
        end += 12 + length
    rest = reply[end:]
    additional = reply[11]
    if additional > 1 or (not rest) != (not additional):
        return None
    if rest and not (len(rest) == 11 and rest[:3] == b"\0\0\x29" and rest[5:7] == b"\0\0" and rest[9:] == b"\0\0"):
        return None
    return lowest, tuple(addresses)


def encode_plain_records(rrtype: int, ttl: int, addresses: tuple[bytes, ...]) -> bytes:
    """The records of ``addresses`` behind a question for them."""
    start, size, _ = _RECORD[rrtype.to_bytes(2, "big")]
    head = start + ttl.to_bytes(4, "big") + size
    return b"".join([head + address for address in addresses])


def encode_plain_reply(question: bytes, end: int, shape: Shape, count: int, records: bytes) -> bytes:
    """The reply to ``question``, whose name ends at ``end``, with ``count`` records."""
    head = question[:2] + shape.flags + (b"\0\1\0%c\0\0\0\1" if shape.has_opt else b"\0\1\0%c\0\0\0\0") % count
    return head + question[12 : end + 4] + records + shape.opt
