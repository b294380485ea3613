"""The packed records of all names of a resolver: a dictionary, and a table for names with one IPv4 address."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from labnet.resolver.records.packed import ADDRESS_HEADS, ADDRESS_SIZE
from labnet.resolver.records.table import AddressTable
from labnet.wire.names import parent

_LENGTH: Final = b"\0\4"  # of an address, between TTL and address


class PackedRecords:
    """Values (:mod:`labnet.resolver.records.packed`) by key, as a dictionary has them.

    What is one address may come in bulk.
    """

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

    def discard(self, key: bytes) -> None:
        """Take ``key`` out, if it is there."""
        if self._others.pop(key, None) is None:
            self._table.discard(key)

    def get(self, key: bytes, default: bytes | None = None) -> bytes | None:
        """The value of ``key``."""
        value = self._others.get(key)
        if value is None:
            found = self._table.find(key)
            return default if found < 0 else self._table.value(found)
        return value

    def one_addresses(self, keys: Sequence[bytes]) -> list[bytes | bytearray | None]:
        """For each of ``keys``, if it has one IPv4 address and nothing else: TTL, length (2 bytes) and address.

        No key is empty (:mod:`labnet.wire.names`); with what an empty one finds an entry is a matter of chance.
        """
        found = self._table.records(keys)
        if self._others and not all(found):
            for number, record in enumerate(found):
                if record is None:
                    value = self._others.get(keys[number])
                    if value and value[:3] in ADDRESS_HEADS and len(value) == ADDRESS_SIZE:
                        found[number] = value[3:7] + _LENGTH + value[-4:]
        return found

    def setdefault(self, key: bytes, value: bytes) -> None:
        """Keep ``value`` where there is none for ``key``."""
        if key not in self:
            self._others[key] = value

    def expect(self, count: int) -> None:
        """Make room for ``count`` more names that come in bulk, at once instead of bit by bit."""
        self._table.make_room(count)

    def add_addresses(
        self, keys: list[bytes], ttls: list[int], addresses: list[bytes], parents: Collection[bytes]
    ) -> bool:
        """Add keys with a TTL and an IPv4 address each; False, and none is added, where one is there already.

        ``parents`` is what stands behind the first labels of the keys.
        """
        others = self._others
        if others and not others.keys().isdisjoint(keys):
            return False
        return self._table.add(keys, ttls, addresses, parents)

    def parents(self) -> set[bytes]:
        """What stands behind the first labels of all keys."""
        return {parent(key) for key in self._others} | self._table.parents

    def others(self) -> Iterable[tuple[bytes, bytes]]:
        """Keys and values of the dictionary: all that did not come in bulk."""
        return self._others.items()

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values; some may be added, changed and taken out while they are gone through."""
        for key in list(self._others):
            value = self._others.get(key)
            if value is not None:
                yield key, value
        yield from self._table.items()

    def bulk(self) -> AddressTable:
        """All that came in bulk."""
        return self._table
