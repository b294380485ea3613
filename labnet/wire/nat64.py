"""IPv4 addresses inside of IPv6 addresses, as translators (NAT64) read them (RFC 6052)."""

from __future__ import annotations

import ipaddress
from typing import Final

LENGTHS: Final = (32, 40, 48, 56, 64, 96)
"""Bits that a prefix may have (section 2.2)."""

WELL_KNOWN: Final = ipaddress.IPv6Network("64:ff9b::/96")

_RESERVED: Final = 8  # the byte that is always zero
_MASKED: Final = slice(_RESERVED, _RESERVED + 1)


class TranslationPrefix:
    """The prefix ``network``; of :data:`LENGTHS` bits, with zeros in the byte that is reserved."""

    def __init__(self, network: ipaddress.IPv6Network) -> None:
        self.network = network
        self._head = network.network_address.packed
        self._places = [at for at in range(network.prefixlen // 8, 16) if at != _RESERVED][:4]

    def embed(self, address: bytes) -> bytes:
        """The IPv6 address (16 bytes) that stands for the IPv4 ``address`` (4 bytes)."""
        made = bytearray(self._head)
        for at, byte in zip(self._places, address, strict=True):
            made[at] = byte
        return bytes(made)

    def extract(self, address: bytes) -> bytes | None:
        """The IPv4 address that the IPv6 ``address`` stands for; None where it has another prefix."""
        if ipaddress.IPv6Address(address) not in self.network:
            return None
        return bytes([address[at] for at in self._places])


def problem_of(network: ipaddress.IPv6Network) -> str | None:
    """Why ``network`` cannot be such a prefix, in a few words; None where it can."""
    if network.prefixlen not in LENGTHS:
        return f"has {network.prefixlen} bits, not {', '.join(map(str, LENGTHS[:-1]))} or {LENGTHS[-1]}"
    return "has bits 64 to 71 that are not zero" if any(network.network_address.packed[_MASKED]) else None
