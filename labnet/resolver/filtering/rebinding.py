"""Addresses of private networks that a parent gives for a name: what DNS rebinding does (sans-IO).

Whoever has a name outside can lead a browser inside to a machine of the house by it, which takes the page for its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from labnet.resolver.filtering.networks import NetworkMap
from labnet.wire.names import ancestors, key_of
from labnet.wire.rdata import ADDRESS_BYTES, SERVICE_TYPES, hinted_addresses
from labnet.wire.types import Answer, RRset

PRIVATE: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::/127",
    "fc00::/7",
    "fe80::/10",
)
"""The networks that no parent has a say in: those of this machine, of this link, and private ones (RFC 1918, 4193)."""

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


def _with_mapped(texts: Iterable[str]) -> NetworkMap:
    networks = NetworkMap()
    for network in map(ipaddress.ip_network, texts):
        networks.add(network, 0)
        if isinstance(network, ipaddress.IPv4Network):
            inside = int(_MAPPED.network_address) | int(network.network_address)
            networks.add(ipaddress.IPv6Network((inside, _MAPPED.prefixlen + network.prefixlen)), 0)
    return networks


_PRIVATE: Final = _with_mapped(PRIVATE)


class RebindingGuard:
    """Finds private addresses in answers, but for names at or below one of the domains ``exempt``."""

    def __init__(self, exempt: Iterable[str] = ()) -> None:
        self._exempt = frozenset(map(key_of, exempt))

    def find(self, key: bytes, answer: Answer) -> bytes | None:
        """The first private address in the ``answer`` to a question for ``key``; None where there is none."""
        if self._is_exempt(key):
            return None
        found = (
            address for rrset in answer.answer if not self._is_exempt(rrset.key) for address in addresses_of(rrset)
        )
        return next(filter(_is_private, found), None)

    def finds(self, key: bytes, addresses: Iterable[bytes]) -> bool:
        """Whether one of ``addresses`` of the name ``key`` is private."""
        return any(map(_is_private, addresses)) and not self._is_exempt(key)

    def _is_exempt(self, key: bytes) -> bool:
        return bool(self._exempt) and any(name in self._exempt for name in ancestors(key))


def _is_private(address: bytes) -> bool:
    return _PRIVATE.find(address) is not None


def addresses_of(rrset: RRset) -> Sequence[bytes]:
    """The addresses in ``rrset``, those that it hints at included: a browser may go there at once."""
    if rrset.rrtype in SERVICE_TYPES:
        return [address for rdata in rrset.rdatas for address in hinted_addresses(rdata)]
    return rrset.rdatas if rrset.rrtype in ADDRESS_BYTES else ()
