"""Addresses of one name that stand in a row in a message: of a large RRset, read in one pass (sans-IO)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from struct import Struct
from typing import Final

from labnet.wire.rdata import ADDRESS_BYTES

HEAD: Final = 12
"""Bytes of a record behind a pointer before its data: pointer, type and class, TTL, length."""

KIND: Final = 6
"""Bytes of it that are the same for all records of an RRset: pointer, type and class."""

_MANY: Final = 64
_EACH: Final = {int(rrtype): Struct(f"!{KIND}sIH{size}s") for rrtype, size in ADDRESS_BYTES.items()}
_DATA: Final = {int(rrtype): Struct(f"{HEAD}x{size}s") for rrtype, size in ADDRESS_BYTES.items()}
_DATA_OF_MANY: Final = {int(rrtype): Struct(f"{HEAD}x{size}s" * _MANY) for rrtype, size in ADDRESS_BYTES.items()}


def has_runs(rrtype: int) -> bool:
    """Whether records of this type are read here."""
    return rrtype in _EACH


def same_in_row(data: bytes, at: int, rrtype: int, head: bytes, most: int) -> tuple[int, Iterator[bytes]]:
    """The addresses that stand from ``at`` on behind the same ``head`` (:data:`HEAD` bytes), and how many they are.

    They are as many as have the same byte in each column of their heads, so no record is looked at by itself.
    """
    step = _DATA[rrtype].size
    count = min(most, (len(data) - at) // step)
    for index in range(HEAD):
        column = data[at + index : at + count * step : step]
        count -= len(column.lstrip(head[index : index + 1]))
    cut, end = at + count // _MANY * _MANY * step, at + count * step
    view = memoryview(data)
    parts = _DATA_OF_MANY[rrtype].iter_unpack(view[at:cut]), _DATA[rrtype].iter_unpack(view[cut:end])
    return count, chain.from_iterable(chain(*parts))


def in_row(data: bytes, at: int, rrtype: int, kind: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    """The TTL and the address of each that stands from ``at`` on and begins with ``kind`` (:data:`KIND` bytes)."""
    form, size = _EACH[rrtype], ADDRESS_BYTES[rrtype]
    most = min(most, (len(data) - at) // form.size)
    for began, ttl, length, rdata in form.iter_unpack(memoryview(data)[at : at + most * form.size]):
        if began != kind or length != size:
            break
        yield ttl, rdata
