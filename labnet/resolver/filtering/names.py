"""Names by the million, each with a number: those that count alone, and those that stand for all below them (sans-IO).

Both lie in the tables that zones have for names with one address (:mod:`labnet.resolver.records.table`): a name of a
list takes as much memory as one of a zone.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from labnet.resolver.records.table import AddressTable
from labnet.wire.names import ancestors

_ITSELF: Final = 1 << 31
"""In the number of a name that stands for all below it: it stands for itself too."""


class Match(NamedTuple):
    """The entry that fits a name: its key, whether it fits for what is below it, and its number."""

    key: bytes
    is_below: bool
    number: int


class NameSet:
    """Keys with a number (from 0 on) each; of two entries that are the same the first counts."""

    def __init__(self) -> None:
        self._exact = AddressTable()
        self._below = AddressTable()

    def __len__(self) -> int:
        return len(self._exact) + len(self._below)

    def add(self, keys: Collection[bytes], number: int = 0) -> None:
        """Names that count alone."""
        _add(self._exact, keys, number)

    def add_below(self, keys: Collection[bytes], number: int = 0, itself: bool = False) -> None:
        """Names that stand for all names below them, and with ``itself`` for themselves."""
        _add(self._below, keys, number | _ITSELF * itself)

    def find(self, key: bytes) -> Match | None:
        """The entry that fits ``key`` best: the name itself, else the longest one that it is below."""
        if len(self._exact):
            place = self._exact.find(key)
            if place >= 0:
                return Match(key, False, _number(self._exact, place))
        if len(self._below):
            for name in ancestors(key):
                place = self._below.find(name)
                if place >= 0:
                    number = _number(self._below, place)
                    if name != key or number & _ITSELF:
                        return Match(name, True, number & ~_ITSELF)
        return None

    def expect(self, count: int, below: bool) -> None:
        """Make room for ``count`` names at once instead of bit by bit: that stand for all ``below`` them, or alone."""
        (self._below if below else self._exact).make_room(count)

    def settle(self) -> None:
        """Nothing more will come."""
        self._exact.settle()
        self._below.settle()


def _add(table: AddressTable, keys: Collection[bytes], number: int) -> None:
    value = number.to_bytes(4, "big")
    if keys and not table.add(list(keys), [0] * len(keys), [value] * len(keys), ()):
        fresh = [key for key in dict.fromkeys(keys) if table.find(key) < 0]
        if fresh:
            table.add(fresh, [0] * len(fresh), [value] * len(fresh), ())


def _number(table: AddressTable, place: int) -> int:
    return int.from_bytes(table.value(place)[-4:], "big")
