"""The packed records of all names of a zone: a dictionary, and a table for names with one IPv4 address.

Most names of a large zone have one IPv4 address and no more. In a dictionary each costs 150 bytes, most of them for
Python's objects; the table has no objects: the keys stand one behind the other, their hashes, addresses and TTLs in
arrays, and an open-addressed index (linear probing, at most half full) leads to them. That is 45 bytes for a key of 21.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from labnet.resolver.names import parent
from labnet.resolver.packed import is_one_address, pack_address_head

_WORD: Final = 0xFFFFFFFF
_SMALLEST: Final = 1 << 10
_GONE: Final = b"\xff\xff\xff\xff"
"""In the place of a TTL: the entry was taken out. No TTL is as long."""


class Nodes:
    """Values (:mod:`labnet.resolver.packed`) by key, as a dictionary has them; what is one address may come in bulk."""

    def __init__(self) -> None:
        self._others: dict[bytes, bytes] = {}
        self._table = AddressTable()

    def __len__(self) -> int:
        return len(self._others) + len(self._table)

    def __contains__(self, key: object) -> bool:
        return key in self._others or (isinstance(key, bytes) and self._table.find(key) >= 0)

    def __setitem__(self, key: bytes, value: bytes) -> None:
        if key not in self._others:
            self._table.discard(key)
        self._others[key] = value

    def get(self, key: bytes, default: bytes | None = None) -> bytes | None:
        """The value of ``key``."""
        value = self._others.get(key)
        if value is None:
            found = self._table.find(key)
            return default if found < 0 else self._table.value(found)
        return value

    def one_address(self, key: bytes) -> bytes | None:
        """TTL and address, 4 bytes each, of a name that has one IPv4 address and nothing else; None for any other."""
        found = self._table.find(key)
        if found >= 0:
            return self._table.record(found)
        value = self._others.get(key)
        return value[3:7] + value[-4:] if value and is_one_address(value) else None

    def setdefault(self, key: bytes, value: bytes) -> None:
        """Keep ``value`` where there is none for ``key``."""
        if key not in self:
            self._others[key] = value

    def expect(self, count: int) -> None:
        """Make room for ``count`` more names that come in bulk, at once instead of bit by bit."""
        self._table.make_room(self._table.end + count)

    def add_addresses(self, keys: list[bytes], ttls: list[int], addresses: list[bytes]) -> bool:
        """Add keys with a TTL and an IPv4 address each; False, and none is added, where one is there already."""
        others = self._others
        if others and not others.keys().isdisjoint(keys):
            return False
        return self._table.add(keys, ttls, addresses)

    def parents(self) -> set[bytes]:
        """What stands behind the first labels of all keys."""
        return {parent(key) for key in self._others} | self._table.parents

    def others(self) -> Iterable[tuple[bytes, bytes]]:
        """Keys and values of the dictionary: all that did not come in bulk."""
        return self._others.items()

    def bulk(self) -> AddressTable:
        """All that came in bulk."""
        return self._table


class AddressTable:
    """Keys with one IPv4 address each; an entry is known by its number."""

    def __init__(self) -> None:
        self.parents: set[bytes] = set()
        """What stands behind the first labels of the keys."""
        self._keys = bytearray()
        self._ends = array("Q", (0,))
        self._hashes = array("I")
        self._records = bytearray()
        self._gone = 0
        self._index = array("I", bytes(4 * _SMALLEST))  # numbers from 1; 0 is a free place

    def __len__(self) -> int:
        return self.end - self._gone

    @property
    def end(self) -> int:
        """The number behind the last one."""
        return len(self._records) // 8

    def find(self, key: bytes) -> int:
        """The number of ``key``, -1 where it is not there."""
        index, hashes = self._index, self._hashes
        mask = len(index) - 1
        wanted = hash(key) & _WORD
        place = wanted & mask
        while number := index[place]:
            if hashes[number - 1] == wanted and self.key(number - 1) == key:
                return -1 if self._records[8 * number - 8 : 8 * number - 4] == _GONE else number - 1
            place = place + 1 & mask
        return -1

    def key(self, number: int) -> bytes:
        """The key of an entry."""
        return bytes(self._keys[self._ends[number] : self._ends[number + 1]])

    def record(self, number: int) -> bytes:
        """TTL and address of an entry, 4 bytes each."""
        return bytes(self._records[8 * number : 8 * number + 8])

    def value(self, number: int) -> bytes:
        """The value of an entry."""
        record = self.record(number)
        return pack_address_head(int.from_bytes(record[:4], "big")) + record[4:]

    def addresses(self) -> Iterator[tuple[int, int]]:
        """The addresses as numbers, each with the number of its entry."""
        fields = array("I", bytes(self._records))
        if sys.byteorder == "little":
            fields.byteswap()
        pairs = zip(fields[1::2], range(self.end), strict=True)
        return ((address, number) for address, number in pairs if fields[2 * number] != _WORD) if self._gone else pairs

    def add(self, keys: list[bytes], ttls: list[int], addresses: list[bytes]) -> bool:
        """Add entries; False, and none is added, where one of the keys is there already or comes twice."""
        first = self.end
        self.make_room(first + len(keys))
        fresh = [hash(key) & _WORD for key in keys]
        # Before the index: what is behind the numbers in it has to be there.
        self._hashes.extend(fresh)
        self._keys += b"".join(keys)
        self._ends.extend(accumulate(map(len, keys[1:]), initial=self._ends[-1] + len(keys[0])))
        index, hashes = self._index, self._hashes
        mask = len(index) - 1
        for number, wanted in enumerate(fresh, first + 1):
            place = wanted & mask
            while other := index[place]:
                if hashes[other - 1] == wanted and self.key(other - 1) == self.key(number - 1):
                    self._undo(first, number - 1)
                    return False
                place = place + 1 & mask
            index[place] = number
        heads = {ttl: ttl.to_bytes(4, "big") for ttl in set(ttls)}
        self._records += b"".join([heads[ttl] + address for ttl, address in zip(ttls, addresses, strict=True)])
        self.parents.update({key[1 + key[0] :] for key in keys})
        return True

    def discard(self, key: bytes) -> None:
        """Take ``key`` out, if it is there."""
        number = self.find(key)
        if number >= 0:
            self._records[8 * number : 8 * number + 4] = _GONE
            self._gone += 1

    def _undo(self, first: int, last: int) -> None:
        """Take out the entries from ``first`` on; those up to ``last`` are in the index: last in, first out."""
        for number in range(last, first, -1):
            place = self._hashes[number - 1] & len(self._index) - 1
            while self._index[place] != number:
                place = place + 1 & len(self._index) - 1
            self._index[place] = 0
        del self._hashes[first:], self._ends[first + 1 :]
        del self._keys[self._ends[-1] :]

    def make_room(self, count: int) -> None:
        """Have an index that is large enough for ``count`` entries in all."""
        size = len(self._index)
        if 2 * count <= size:
            return
        while 2 * count > size:
            size *= 2
        self._index = index = array("I", bytes(4 * size))
        mask = size - 1
        for number, wanted in enumerate(self._hashes, 1):
            place = wanted & mask
            while index[place]:
                place = place + 1 & mask
            index[place] = number
