"""Record data in which the resolver looks at something: addresses by their length, types that hold names.

All other data is passed on as it is (RFC 3597, section 3), whatever is in it.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from labnet.wire.dns_common import BadMessage, end_of_name
from labnet.wire.types import RRType


class Layout(NamedTuple):
    """Where the names in the data of a type are.

    They are ``names`` in number behind ``before`` bytes and ``strings`` character-strings; ``after`` bytes follow, any
    number where it is None.
    """

    before: int
    names: int
    after: int | None = 0
    strings: int = 0


COMPRESSED: Final = {
    2: Layout(0, 1),  # NS
    5: Layout(0, 1),  # CNAME
    6: Layout(0, 2, 20),  # SOA
    12: Layout(0, 1),  # PTR
    15: Layout(2, 1),  # MX
}
"""Types whose names are sent compressed: those of RFC 1035 that every receiver knows (RFC 3597, section 4)."""

WITH_NAMES: Final = COMPRESSED | {
    3: Layout(0, 1),  # MD
    4: Layout(0, 1),  # MF
    7: Layout(0, 1),  # MB
    8: Layout(0, 1),  # MG
    9: Layout(0, 1),  # MR
    14: Layout(0, 2),  # MINFO
    17: Layout(0, 2),  # RP
    18: Layout(2, 1),  # AFSDB
    21: Layout(2, 1),  # RT
    24: Layout(18, 1, None),  # SIG
    26: Layout(2, 2),  # PX
    30: Layout(0, 1, None),  # NXT
    33: Layout(6, 1),  # SRV
    35: Layout(4, 1, strings=3),  # NAPTR
    36: Layout(2, 1),  # KX
    39: Layout(0, 1),  # DNAME
}
"""Types whose names a receiver decompresses (RFC 3597, section 4; RFC 2230; RFC 6672, section 2.5)."""

ADDRESS_BYTES: Final[dict[int, int]] = {RRType.A: 4, RRType.AAAA: 16}


def check_rdata(rrtype: int, rdata: bytes) -> None:
    """Raise :class:`BadMessage` for data, its names not compressed, that no record of the type can have."""
    if (size := ADDRESS_BYTES.get(rrtype)) is not None:
        if len(rdata) != size:
            raise BadMessage(f"an address has {len(rdata)} bytes, not {size}")
        return
    if (layout := WITH_NAMES.get(rrtype)) is None:
        return
    try:
        at = names_at(layout, rdata, 0)
        for _ in range(layout.names):
            at = end_of_name(rdata, at)
    except IndexError:
        at = -1
    if at < 0 or (at > len(rdata) if layout.after is None else at + layout.after != len(rdata)):
        raise BadMessage(f"a record of type {rrtype} has another length than its names")


def names_at(layout: Layout, data: bytes, at: int) -> int:
    """Where the names begin in record data that begins at ``at``. IndexError where ``data`` ends before."""
    at += layout.before
    for _ in range(layout.strings):
        at += 1 + data[at]
    return at


SERVICE_TYPES: Final = frozenset((64, 65))  # SVCB, HTTPS
_HINTS: Final = {4: 4, 6: 16}  # ipv4hint, ipv6hint: bytes of each address
_PARAMETER: Final = Struct("!HH")


def hinted_addresses(rdata: bytes) -> list[bytes]:
    """The addresses that the data of a record of one of :data:`SERVICE_TYPES` hint at (RFC 9460, section 7.3).

    Where the data are cut or wrong, those before.
    """
    at = 2
    while at < len(rdata) and rdata[at]:
        at += 1 + rdata[at]
    at += 1
    found: list[bytes] = []
    while at + _PARAMETER.size <= len(rdata):
        key, length = _PARAMETER.unpack_from(rdata, at)
        at += _PARAMETER.size
        size, end = _HINTS.get(key), min(at + length, len(rdata))
        if size is not None:
            found += [rdata[place : place + size] for place in range(at, end - size + 1, size)]
        at += length
    return found
