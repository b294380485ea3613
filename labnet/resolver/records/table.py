"""A table of names with one IPv4 address each, which most names of a large zone are.

In a dictionary each costs 150 bytes, most of them for Python's objects; the table has no objects: TTL, address and key
of all names stand one behind the other, and an open-addressed index (linear probing, at most a fourth full) leads to
them. That is 50 to 70 bytes for a key of 21, and a look-up touches two spots of the memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate, chain
from operator import itemgetter
from struct import Struct, unpack
from typing import Any, Final

from labnet.net.kernel.hugepages import collapse
from labnet.resolver.records.packed import pack_address_head

_WORD: Final = 0xFFFFFFFF
_RECORD: Final = 10  # bytes before the key
_LENGTH: Final = b"\0\4"  # of an address, between TTL and address
_SPARSE: Final = 4  # so many times as many places in the index as entries
_ADDRESS: Final = Struct("!I")
_SMALLEST: Final = 1 << 10
_GONE: Final = b"\xff\xff\xff\xff"
"""In the place of a TTL: the entry was taken out. No TTL is as long."""


class AddressTable:
    """Keys with one IPv4 address each; an entry is known by its place, a number that grows from one to the next.

    An entry is TTL, length of the address (as a record has it), address and key, in this order, at one spot of the
    memory; its place is where the key begins. A key says itself where it ends, so none is the beginning of another one.
    """

    def __init__(self) -> None:
        self.parents: set[bytes] = set()
        """What stands behind the first labels of the keys."""
        self._entries = bytearray()
        self._places: list[range | array[int]] = []  # of the entries that came together
        self._count = 0
        self._index = array("I", [0]) * _SMALLEST  # 0 is free: no key begins there
        self._gone = 0

    def __len__(self) -> int:
        return self._count - self._gone

    @property
    def end(self) -> int:
        """A number above all places."""
        return len(self._entries)

    def find(self, key: bytes) -> int:
        """The place of ``key``, -1 where it is not there."""
        index, entries = self._index, self._entries
        mask = len(index) - 1
        at = hash(key) & mask
        while place := index[at]:
            if entries.startswith(key, place):
                return -1 if entries.startswith(_GONE, place - _RECORD) else place
            at = at + 1 & mask
        return -1

    def key(self, place: int) -> bytes:
        """The key of an entry."""
        entries = self._entries
        end = place
        while length := entries[end]:
            end += 1 + length
        return bytes(entries[place : end + 1])

    def records(self, keys: Sequence[bytes]) -> list[bytes | bytearray | None]:
        """For each of ``keys`` TTL, length and address of its entry, None where it has none. No key is empty."""
        if not (self._count and keys):
            return [None] * len(keys)
        index, entries = self._index, self._entries
        mask = len(index) - 1
        places: Sequence[int] = _each(index, [hashed & mask for hashed in map(hash, keys)])
        if self._gone:
            places = [place and self.find(key) for place, key in zip(places, keys, strict=True)]
        _each(entries, places)
        is_at = entries.startswith
        return [
            (entries[place - _RECORD : place] if is_at(key, place) else self._record(key)) if place > 0 else None
            for place, key in zip(places, keys, strict=True)
        ]

    def _record(self, key: bytes) -> bytearray | None:
        place = self.find(key)
        return self._entries[place - _RECORD : place] if place > 0 else None

    def value(self, place: int) -> bytes:
        """The value of an entry."""
        record = self._entries[place - _RECORD : place]
        return pack_address_head(int.from_bytes(record[:4], "big")) + record[-4:]

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of all entries, a chunk of the memory at a time; entries may be taken out meanwhile."""
        for places in self._places:
            for place, key in zip(places, self._keys(places), strict=True):
                if not self._gone or not self._entries.startswith(_GONE, place - _RECORD):
                    yield key, self.value(place)

    def addresses(self) -> Iterator[tuple[int, int]]:
        """The addresses as numbers, each with the place of its entry."""
        entries = self._entries
        pairs = chain.from_iterable(zip(self._numbers(places), places, strict=True) for places in self._places)
        if not self._gone:
            return pairs
        return (pair for pair in pairs if not entries.startswith(_GONE, pair[1] - _RECORD))

    def _numbers(self, places: range | array[int]) -> Iterable[int]:
        """The addresses of entries that came together."""
        if isinstance(places, range):
            part = self._entries[places.start - _RECORD : places.stop - _RECORD]
            addresses = bytearray(4 * len(places))
            for byte in range(4):
                addresses[byte::4] = part[_RECORD - 4 + byte :: places.step]
            return unpack(f"!{len(places)}I", addresses)
        read, entries = _ADDRESS.unpack_from, self._entries
        return [read(entries, place - 4)[0] for place in places]

    def add(self, keys: list[bytes], ttls: list[int], addresses: list[bytes], parents: Collection[bytes]) -> bool:
        """Add entries; False, and none is added, where one of the keys is there already or comes twice.

        ``parents`` is what stands behind the first labels of the keys.
        """
        first = self.end
        places, end = _places(keys, first + _RECORD)
        if end > _WORD:
            return False  # a place would not fit; so much is better held one by one than refused
        self.make_room(len(keys))
        heads = {ttl: ttl.to_bytes(4, "big") + _LENGTH for ttl in set(ttls)}
        parts = [heads[ttls[0]]] * (3 * len(keys))
        if len(heads) > 1:
            parts[0::3] = [heads[ttl] for ttl in ttls]
        parts[1::3], parts[2::3] = addresses, keys
        self._entries += b"".join(parts)
        entries, index = self._entries, self._index
        mask = len(index) - 1
        for place, key in zip(places, keys, strict=True):
            at = hash(key) & mask
            while other := index[at]:
                if entries.startswith(key, other):
                    self._undo(keys[: places.index(place)], first)
                    return False
                at = at + 1 & mask
            index[at] = place
        self._places.append(places)
        self._count += len(keys)
        self.parents.update(parents)
        return True

    def discard(self, key: bytes) -> None:
        """Take ``key`` out, if it is there."""
        place = self.find(key)
        if place >= 0:
            self._entries[place - _RECORD : place - _RECORD + len(_GONE)] = _GONE
            self._gone += 1

    def settle(self) -> None:
        """Nothing more will come for now."""
        collapse(self._entries)

    def make_room(self, more: int) -> None:
        """Have an index that is large enough for so many entries besides those that are there."""
        size = len(self._index)
        while _SPARSE * (self._count + more) > size:
            size *= 2
        if size > len(self._index):
            self._make_index(size)

    def __getstate__(self) -> dict[str, Any]:
        """All but the index: it goes by hashes of keys, and those are each process's own."""
        return self.__dict__ | {"_index": len(self._index)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_index(state["_index"])
        self.settle()

    def _make_index(self, size: int) -> None:
        """Have an index of ``size`` that leads to all entries."""
        self._index = index = array("I", [0]) * size
        collapse(index)
        mask = size - 1
        for places in self._places:
            for place, key in zip(places, self._keys(places), strict=True):
                at = hash(key) & mask
                while index[at]:
                    at = at + 1 & mask
                index[at] = place

    def _keys(self, places: range | array[int]) -> Iterable[bytes]:
        """The keys of entries that came together."""
        if isinstance(places, range):
            part = self._entries[places.start - _RECORD : places.stop - _RECORD]
            return chain.from_iterable(Struct(f"{_RECORD}x{places.step - _RECORD}s").iter_unpack(part))
        return map(self.key, places)

    def _undo(self, keys: list[bytes], first: int) -> None:
        """Take out ``keys``, the last that came into the index, and the entries from ``first`` on."""
        index, entries = self._index, self._entries
        mask = len(index) - 1
        for key in reversed(keys):
            at = hash(key) & mask
            while not entries.startswith(key, index[at]):
                at = at + 1 & mask
            index[at] = 0
        del entries[first:]


def _each(memory: Sequence[int], places: Sequence[int]) -> Sequence[int]:
    """What stands at each of ``places``, one or more.

    It is one call for all: so the processor waits for the memory of several at once, and later steps find it near.
    """
    found: Sequence[int] = itemgetter(*places, 0)(memory)
    return found[:-1]


def _places(keys: list[bytes], first: int) -> tuple[range | array[int], int]:
    """Where each of ``keys`` begins if the first one does at ``first``, and where the next one would."""
    lengths = set(map(len, keys))
    if len(lengths) == 1:
        step = _RECORD + lengths.pop()
        end = first + step * len(keys)
        return range(first, end, step), end
    *places, end = accumulate([_RECORD + len(key) for key in keys], initial=first)
    return array("I", places) if end <= _WORD else array("I"), end
