"""Who is served: networks that are allowed and networks that are denied (sans-IO)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from labnet.values.addresses import IPNetwork

_REMEMBERED: Final = 10_000
"""Hosts whose verdict is remembered; past that all are forgotten, for a dictionary that is emptied needs no order."""


class Access:
    """Tells whether a host is inside one of ``allow`` and in none of ``deny``."""

    def __init__(self, allow: Iterable[IPNetwork], deny: Iterable[IPNetwork] = ()) -> None:
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        self._verdicts: dict[str, tuple[bool, bool]] = {}

    def allows(self, host: str) -> bool:
        """Whether ``host``, an address in text, is allowed and not denied."""
        return self._verdict(host)[0]

    def denies(self, host: str) -> bool:
        """Whether ``host`` is inside a network of ``deny``: it gets no answer at all, not even a refusal."""
        return self._verdict(host)[1]

    def _verdict(self, host: str) -> tuple[bool, bool]:
        verdict = self._verdicts.get(host)
        if verdict is None:
            if len(self._verdicts) >= _REMEMBERED:
                self._verdicts.clear()
            address = address_of(host)
            denied = any(address in network for network in self._deny)
            verdict = (not denied and any(address in network for network in self._allow), denied)
            self._verdicts[host] = verdict
        return verdict


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address in ``host``, its scope left out; one of IPv4 inside IPv6 (``::ffff:192.0.2.1``) is the one of IPv4.

    Raises ValueError for what is no address.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
