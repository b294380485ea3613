"""Questions and replies that are forwarded byte for byte (sans-IO).

A question is forwardable where it has nothing but a name, a type, and perhaps EDNS without options, DO or CD; a reply
where it has nothing but the addresses asked for. All others give None and are read by the full codecs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product
from struct import Struct
from typing import Final, NamedTuple

from labnet.wire.dns_common import AD, DO, PAYLOAD, QR, RA, RD, mixed_case
from labnet.wire.dns_request import Refusal, Silence, decode_query
from labnet.wire.dns_response import Options, opt_of
from labnet.wire.types import LONGEST_TTL, ExtendedError, Rcode

_HEADER: Final = 12
_TYPE_CLASS: Final = 4
_ASKED: Final = b"\x01\0\0\1\0\0\0\0\0\1"  # RD, one question, one additional record: the OPT behind it
_OPT: Final = b"\0\0\x29" + PAYLOAD.to_bytes(2, "big") + bytes(6)
_ASKED_UNCHECKED: Final = b"\x01\x10" + _ASKED[2:]  # CD as well
_OPT_SIGNED: Final = _OPT[:7] + DO.to_bytes(2, "big") + _OPT[9:]
_COUNT: Final = 7  # where the lower byte of the number of answers stands
_RRSIG: Final = b"\xc0\x0c\0\x2e\0\x01"
_DATA: Final = 12  # bytes of a record before its data, its name being a pointer
_LONGEST: Final = 140  # bytes up to the end of the name
_MOST_SHAPES: Final = 1000
_MOST_OPTS: Final = 100
_MOST_RECORDS: Final = 8  # with names and options as long as may be they still fit into 512 bytes


class _Form(NamedTuple):
    """An address record behind its question: ``start``, TTL, ``size``, the address."""

    record: Struct
    start: bytes
    size: bytes


_FORMS: Final = {
    b"\0\x01\0\x01": _Form(Struct("!6sI2s4s"), b"\xc0\x0c\0\x01\0\x01", b"\0\x04"),
    b"\0\x1c\0\x01": _Form(Struct("!6sI2s16s"), b"\xc0\x0c\0\x1c\0\x01", b"\0\x10"),
}
"""By the type and class that are asked for."""

_HEADS: Final = {
    bytes((0x80 | upper, lower, 0, 1, 0, count, 0, 0, 0, opt)): (count, opt * len(_OPT))
    for upper, lower, count, opt in product((0, 1, 4, 5), range(0, 0x100, 0x10), range(1, _MOST_RECORDS + 1), range(2))
    if not lower & 0x40
}
"""What stands behind the id of a forwardable reply: how many records it has, and how many bytes of OPT behind them.

It has QR and nothing else but AA, RD, RA, AD, CD; NOERROR; one question; no authority; at most one additional record.
"""


def name_end(question: bytes) -> int:
    """Where the name in a DNS question ends.

    0 where there is no name that can be read, where it is longer than 127 bytes, or where no type and class follow.
    """
    end = _HEADER
    lengths = 0
    try:
        while length := question[end]:
            lengths |= length
            end += 1 + length
    except IndexError:
        return 0
    return 0 if lengths > 63 or end >= _LONGEST or end + _TYPE_CLASS >= len(question) else end + 1


def matches(reply: bytes, section: bytes) -> bool:
    """Whether ``reply``, to a query with the question ``section``, must not be ignored (RFC 5452, section 9.1).

    A reply in another case, or an error without a question, is not believed either: the full path asks again.
    """
    if len(reply) < _HEADER or reply[2] & 0xF8 != 0x80:
        return False
    same = reply[_HEADER : _HEADER + len(section)].lower() == section.lower()
    return same or reply[3] & 15 in (Rcode.FORMERR, Rcode.NOTIMP)


class Shape(NamedTuple):
    """What the replies to all questions that differ in id and name alone have in common.

    ``type_class`` is the type and class of the questions, ``heads`` the rest of the header behind the id by the number
    of records, ``opt`` what stands behind the records. ``secure_heads`` are for what is authentic.
    """

    type_class: bytes
    heads: tuple[bytes, ...]
    opt: bytes
    secure_heads: tuple[bytes, ...]


class Shapes:
    """The shapes of questions, found once each; ``errors`` go out in the EDNS of each reply."""

    def __init__(self, errors: tuple[ExtendedError, ...]) -> None:
        self._errors = errors
        self._shapes: dict[bytes, Shape | None] = {}

    def __len__(self) -> int:
        return len(self._shapes)

    def find(self, question: bytes, end: int) -> Shape | None:
        """The shape of a DNS question whose name ends at ``end``, or None where it is not forwardable."""
        what = question[2:_HEADER] + question[end:]
        try:
            return self._shapes[what]
        except KeyError:
            return self._look(what, question, end)

    def _look(self, what: bytes, question: bytes, end: int) -> Shape | None:
        if len(what) > 64:
            return None
        try:
            query = decode_query(question)
        except (Silence, Refusal):
            return None
        shape = None
        edns = query.edns
        is_all = len(question) == end + _TYPE_CLASS + (0 if edns is None else len(_OPT))
        if is_all and query.recursion_desired and not query.question.dnssec:
            opt = b"" if edns is None else opt_of(edns, 0, self._errors, Options())
            heads, secure_heads = (_heads(flags, bool(opt)) for flags in (0, AD if query.wants_ad else 0))
            shape = Shape(question[end : end + _TYPE_CLASS], heads, opt, secure_heads)
        if len(self._shapes) >= _MOST_SHAPES:
            self._shapes.clear()
        self._shapes[what] = shape
        return shape


def _heads(flags: int, additional: int) -> tuple[bytes, ...]:
    """The header of a reply with ``flags`` besides the usual ones, behind its id, by the number of its records."""
    head, behind = (QR | RD | RA | flags).to_bytes(2, "big"), additional.to_bytes(4, "big")
    return tuple([head + b"\0\1\0%c" % count + behind for count in range(_MOST_RECORDS + 1)])


def encode_sections(keys: Sequence[bytes], kinds: Iterable[bytes], random: bytes) -> list[bytes]:
    """The question sections that ask for the names ``keys``, each with its type and class.

    They are in the mixed case of ``random``, as many bytes as the names have together.
    """
    names = mixed_case(b"".join(keys), int.from_bytes(random, "big"))
    sections = []
    end = 0
    for key, kind in zip(keys, kinds, strict=True):
        start, end = end, end + len(key)
        sections.append(names[start:end] + kind)
    return sections


def encode_forwarded_query(id: bytes, section: bytes) -> bytes:
    """The query of ``id`` with the question ``section``.

    It asks for recursion, with EDNS: as :func:`labnet.wire.dns_upstream.encode_query` does.
    """
    return id + _ASKED + section + _OPT


def encode_signed_query(id: bytes, section: bytes) -> bytes:
    """The query of ``id`` with the question ``section``, for a reply with signatures (DO), be they bogus (CD)."""
    return id + _ASKED_UNCHECKED + section + _OPT_SIGNED


def signed_addresses(reply: bytes, section: bytes) -> tuple[int, tuple[bytes, ...], bytes] | None:
    """The lowest TTL (seconds), the addresses and the data of the one RRSIG record in ``reply``, if that is all it has.

    The latter is empty where there is no such record; whether it is of the addresses is not looked at. The reply is one
    to the question ``section``, as :func:`forwardable_addresses` says.
    """
    head, form = _HEADS.get(reply[2:_HEADER]), _FORMS.get(section[-_TYPE_CLASS:])
    if head is None or form is None:
        return None
    count, opt = head
    at = _HEADER + len(section) + (count - 1) * form.record.size
    if reply[at : at + len(_RRSIG)] != _RRSIG:
        found, signature = forwardable_addresses(reply, section), b""
    elif count == 1:
        return None
    else:
        end = at + _DATA + int.from_bytes(reply[at + _DATA - 2 : at + _DATA], "big")
        signature = reply[at + _DATA : end]
        if not signature or len(reply) != end + opt:
            return None
        unsigned = reply[:_COUNT] + bytes((count - 1,)) + reply[_COUNT + 1 : at] + reply[end:]
        found = forwardable_addresses(unsigned, section)
    return None if found is None else (*found, signature)


def forwardable_addresses(reply: bytes, section: bytes) -> tuple[int, tuple[bytes, ...]] | None:
    """The lowest TTL (seconds) and the addresses in ``reply`` to the question ``section``, if that is all it has.

    The id is not looked at; the question has to be the same bit by bit.
    """
    head, form = _HEADS.get(reply[2:_HEADER]), _FORMS.get(section[-_TYPE_CLASS:])
    if head is None or form is None or not reply.startswith(section, _HEADER):
        return None
    record, start, size = form
    count, opt = head
    at = _HEADER + len(section)
    end = at + count * record.size
    if len(reply) != end + opt or (opt and not _is_bare_opt(reply[end:])):
        return None
    if count == 1:
        began, ttl, sized, address = record.unpack_from(reply, at)
        return (ttl, (address,)) if began == start and sized == size and ttl <= LONGEST_TTL else None
    lowest = LONGEST_TTL
    addresses: dict[bytes, None] = {}
    for began, ttl, sized, address in record.iter_unpack(reply[at:end]):
        if began != start or sized != size or ttl > LONGEST_TTL:
            return None
        lowest = min(lowest, ttl)
        addresses[address] = None
    return lowest, tuple(addresses)


@lru_cache(_MOST_OPTS)
def _is_bare_opt(opt: bytes) -> bool:
    """Whether it is an OPT record of EDNS version 0, with neither an extended RCODE nor options."""
    return opt[:3] == b"\0\0\x29" and opt[5:7] == b"\0\0" and opt[9:] == b"\0\0"


def encode_addresses(type_class: bytes, ttl: int, addresses: tuple[bytes, ...]) -> bytes:
    """The records of ``addresses`` behind a question for them."""
    _, start, size = _FORMS[type_class]
    head = start + ttl.to_bytes(4, "big") + size
    return head + head.join(addresses)


def encode_forwarded_reply(question: bytes, end: int, shape: Shape, count: int, records: bytes) -> bytes:
    """The reply to ``question``, whose name ends at ``end``, with ``count`` records."""
    return question[:2] + shape.heads[count] + question[_HEADER : end + _TYPE_CLASS] + records + shape.opt


def encode_secure_reply(question: bytes, end: int, shape: Shape, count: int, records: bytes) -> bytes:
    """The reply to ``question``, whose name ends at ``end``, with ``count`` records that are authentic (AD)."""
    return question[:2] + shape.secure_heads[count] + question[_HEADER : end + _TYPE_CLASS] + records + shape.opt
