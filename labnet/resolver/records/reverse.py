"""The names of in-addr.arpa and ip6.arpa that follow from addresses (RFC 1035, section 3.5; RFC 3596, section 2.5).

Each IPv4 address takes 8 bytes in a sorted array, a number that is the address and the place of its key; each IPv6
address, of which there are far fewer, an object.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from labnet.wire.names import is_below, labels

MOST_NAMES: Final = 16
"""Names that the answer for one address has; a block list gives one address a million."""

_PLACE: Final = 32  # bits of a key's place, behind its address
_PLACES: Final = (1 << _PLACE) - 1
_IPV4: Final = b"\x07in-addr\x04arpa\0"
_IPV6: Final = b"\x03ip6\x04arpa\0"


class ReverseNames:
    """Finds the keys that have an address.

    ``owners`` are keys with an address (4 or 16 bytes), in the order in which they are to be found. ``numbered`` are
    IPv4 addresses, as numbers, of keys that are known by a number from 0 to ``count``, and found by ``key_of``.
    """

    def __init__(
        self,
        owners: Iterable[tuple[bytes, bytes]] = (),
        numbered: Iterable[tuple[int, int]] = (),
        count: int = 0,
        key_of: Callable[[int], bytes] = bytes,
    ) -> None:
        self._keys: list[bytes] = []
        self._count = count
        self._key_of = key_of
        entries = [address << _PLACE | number for address, number in numbered]
        others: list[int] = []
        for key, address in owners:
            entry = int.from_bytes(address, "big") << _PLACE | count + len(self._keys)
            self._keys.append(key)
            (entries if len(address) == 4 else others).append(entry)
        entries.sort()
        others.sort()
        self._added: dict[bytes, list[bytes]] = {}
        self._tables: dict[int, Sequence[int]] = {4: array("Q", entries), 16: others}

    def find(self, key: bytes) -> list[bytes]:
        """The keys that have the address that the reverse name ``key`` spells, in the order given."""
        width, digits = _digits(key)
        if not width or len(digits) != 2 * width:
            return []
        table, first, last = self._between(width, digits)
        found = table[first : min(last, first + MOST_NAMES)]
        keys = [self._key(entry & _PLACES) for entry in found]
        if self._added:
            keys += self._added.get(bytes.fromhex(digits), [])
        return list(dict.fromkeys(keys))[:MOST_NAMES]

    def add(self, key: bytes, address: bytes) -> None:
        """One more key with an address (4 or 16 bytes), of which there are few."""
        keys = self._added.setdefault(address, [])
        if key not in keys and len(keys) < MOST_NAMES:
            keys.append(key)

    def has_below(self, key: bytes) -> bool:
        """Whether there is an address at or below the reverse name ``key``, so that the name exists (RFC 8020)."""
        width, digits = _digits(key)
        if not width:
            return False
        _, first, last = self._between(width, digits)
        return first < last or any(
            len(address) == width and address.hex().startswith(digits) for address in self._added
        )

    def addresses_below(self, key: bytes) -> Iterator[bytes]:
        """The addresses whose reverse names are at or below ``key``, each once; those that were added are last."""
        for width in (4, 16):
            digits = "" if _is_above(key, width) else _digits(key)[1] if _digits(key)[0] == width else None
            if digits is None:
                continue
            table, first, last = self._between(width, digits)
            before = -1
            for at in range(first, last):
                address = table[at] >> _PLACE
                if address != before:
                    before = address
                    yield address.to_bytes(width, "big")
            for added in list(self._added):
                if len(added) == width and added.hex().startswith(digits) and not self._has(added):
                    yield added

    def _has(self, address: bytes) -> bool:
        _, first, last = self._between(len(address), address.hex())
        return first < last

    def _key(self, place: int) -> bytes:
        return self._key_of(place) if place < self._count else self._keys[place - self._count]

    def _between(self, width: int, digits: str) -> tuple[Sequence[int], int, int]:
        """The table of a width, and where in it the addresses that begin with ``digits`` (hex) begin and end."""
        table = self._tables[width]
        least = int(digits.ljust(2 * width, "0"), 16) << _PLACE
        most = int(digits.ljust(2 * width, "f"), 16) << _PLACE | _PLACES
        return table, bisect_left(table, least), bisect_right(table, most)


def reverse_name(address: bytes) -> bytes:
    """The key under which the names of an address (4 or 16 bytes) are asked for."""
    if len(address) == 4:
        spelled = [b"%d" % byte for byte in reversed(address)]
        suffix = _IPV4
    else:
        spelled = [digit.encode() for digit in reversed(address.hex())]
        suffix = _IPV6
    return b"".join([bytes((len(label),)) + label for label in spelled]) + suffix


def address_of(key: bytes) -> bytes | None:
    """The address that the reverse name ``key`` spells; None where it is no whole one."""
    width, digits = _digits(key)
    return bytes.fromhex(digits) if width and len(digits) == 2 * width else None


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


def _is_above(key: bytes, width: int) -> bool:
    """Whether ``key`` is above all reverse names of addresses of this width."""
    return is_below(_IPV4 if width == 4 else _IPV6, key)


def _is_octet(label: bytes) -> bool:
    return label.isdigit() and int(label) < 256 and label == b"%d" % int(label)
