"""The names of in-addr.arpa and ip6.arpa that follow from addresses (RFC 1035, section 3.5; RFC 3596, section 2.5).

The addresses stand sorted in one string of bytes, beside a list of the keys that have them: 12 bytes for each IPv4
address on a 64-bit machine, 24 for each IPv6 address.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from labnet.resolver.names import is_below, labels

MOST_NAMES: Final = 16
"""Names that one address is told to have; a block list gives one address a million."""

_IPV4: Final = b"\x07in-addr\x04arpa\0"
_IPV6: Final = b"\x03ip6\x04arpa\0"


class ReverseNames:
    """Finds the keys that have an address. ``owners`` are keys with their addresses (4 or 16 bytes)."""

    def __init__(self, owners: Iterable[tuple[bytes, bytes]] = ()) -> None:
        keys: list[bytes] = []
        tagged: dict[int, list[bytes]] = {4: [], 16: []}
        for key, address in owners:
            tagged[len(address)].append(address + len(keys).to_bytes(4, "big"))
            keys.append(key)
        self._tables = {width: _Table(width, entries, keys) for width, entries in tagged.items() if entries}

    def find(self, key: bytes) -> list[bytes]:
        """The keys that have the address that the reverse name ``key`` spells, in the order given."""
        width, digits = _digits(key)
        table = self._tables.get(width)
        return table.find(bytes.fromhex(digits)) if table is not None and len(digits) == 2 * width else []

    def has_below(self, key: bytes) -> bool:
        """Whether there is an address at or below the reverse name ``key``, so that the name exists (RFC 8020)."""
        width, digits = _digits(key)
        table = self._tables.get(width)
        return table is not None and table.has(digits)


class _Table:
    def __init__(self, width: int, entries: list[bytes], keys: list[bytes]) -> None:
        entries.sort()
        self._width = width
        together = bytearray()
        for entry in entries:
            together += entry[:width]
        self._addresses = bytes(together)
        self._keys = [keys[int.from_bytes(entry[width:], "big")] for entry in entries]

    def find(self, address: bytes) -> list[bytes]:
        start = end = self._first(address)
        while end < len(self._keys) and end - start < MOST_NAMES and self._at(end) == address:
            end += 1
        return list(dict.fromkeys(self._keys[start:end]))

    def has(self, digits: str) -> bool:
        place = self._first(bytes.fromhex(digits.ljust(2 * self._width, "0")))
        return place < len(self._keys) and self._at(place).hex().startswith(digits)

    def _first(self, address: bytes) -> int:
        return bisect_left(range(len(self._keys)), address, key=self._at)

    def _at(self, place: int) -> bytes:
        return self._addresses[place * self._width : (place + 1) * self._width]


def reverse_name(address: bytes) -> bytes:
    """The key under which the names of an address (4 or 16 bytes) are asked for."""
    if len(address) == 4:
        spelled = [b"%d" % byte for byte in reversed(address)]
        suffix = _IPV4
    else:
        spelled = [digit.encode() for digit in reversed(address.hex())]
        suffix = _IPV6
    return b"".join([bytes((len(label),)) + label for label in spelled]) + suffix


def _digits(key: bytes) -> tuple[int, str]:
    """The width in bytes of the addresses below ``key``, and the leading hex digits it gives; (0, "") for no such name.

    Half a name is a prefix: ``2.0.192.in-addr.arpa`` gives (4, "c00002").
    """
    if key.endswith(_IPV4) and is_below(key, _IPV4):
        octets = list(labels(key))[-3::-1]
        if len(octets) <= 4 and all(_is_octet(octet) for octet in octets):
            return 4, "".join([f"{int(octet):02x}" for octet in octets])
    elif key.endswith(_IPV6) and is_below(key, _IPV6):
        nibbles = list(labels(key))[-3::-1]
        if len(nibbles) <= 32 and all(len(nibble) == 1 and nibble in b"0123456789abcdef" for nibble in nibbles):
            return 16, b"".join(nibbles).decode()
    return 0, ""


def _is_octet(label: bytes) -> bool:
    return label.isdigit() and int(label) < 256 and label == b"%d" % int(label)
