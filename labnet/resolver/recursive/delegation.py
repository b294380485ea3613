"""The zones that a walk from the root knows, and which addresses it may ask.

Callers give the time, in epoch seconds; nothing here reads a clock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from labnet.resolver.files.root_hints import NameServer
from labnet.resolver.upstream.infra import Memory
from labnet.wire.names import ROOT, ancestors

LONGEST_DELEGATION: Final = 86_400
"""Seconds that a delegation is cached at most, whatever its TTL says, so that a zone that moved is found again."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """The servers of a zone, as its parent's servers (or the hints) name them, until ``expires``."""

    zone: bytes
    servers: tuple[NameServer, ...]
    expires: float


class Delegations:
    """Which servers to begin with for a name: those of the deepest zone above it that is known, or the root's.

    ``most`` bounds the zones cached; the root's servers come from the hints and never expire. Where a walk begins at
    the ``top`` of another zone, that is the root here.
    """

    def __init__(self, root: tuple[NameServer, ...], most: int, top: bytes = ROOT) -> None:
        self._root = Delegation(top, root, float("inf"))
        self._zones: Memory[bytes, Delegation] = Memory(most)
        self._own: Memory[bytes, tuple[NameServer, ...]] = Memory(most)

    def find(self, key: bytes, now: float) -> Delegation:
        """The delegation of the deepest known zone that ``key`` is in."""
        for zone in ancestors(key):
            found = self._zones.find(zone, now)
            if found is not None:
                return found
        return self._root

    def put(self, delegation: Delegation, above: Delegation, now: float) -> Delegation:
        """Remember a referral by the servers of ``above``, and give it back with its end.

        It lasts as long as its TTLs say, at most :data:`LONGEST_DELEGATION`, and never longer than ``above``: a zone
        that its parent no longer delegates ends with the names below it (ghost domain names). One with a TTL of 0
        serves only who asked for it.
        """
        delegation = replace(delegation, expires=min(delegation.expires, now + LONGEST_DELEGATION, above.expires))
        if delegation.expires > now:
            self._zones.put(delegation.zone, delegation, delegation.expires)
        return delegation

    def put_own(self, own: Delegation, delegation: Delegation) -> None:
        """Remember the servers that a zone names itself (``own``), as long as its parent's word (``delegation``)."""
        self._own.put(own.zone, own.servers, min(own.expires, delegation.expires))

    def find_own(self, zone: bytes, now: float) -> tuple[NameServer, ...] | None:
        """The servers that ``zone`` names itself; None where it was not asked."""
        return self._own.find(zone, now)

    def forget(self, zone: bytes) -> None:
        """Begin above ``zone`` the next time."""
        self._zones.forget(zone)
        self._own.forget(zone)


class Reachable:
    """Which addresses a referral may send the walk to.

    Never to a multicast, unspecified, broadcast or otherwise reserved address, nor to one of an IPv6 link; to this
    machine itself only where the hints say so too, as a lab on loopback addresses does: else any zone could have the
    resolver ask the services of its own machine.
    """

    def __init__(self, hints: Iterable[NameServer]) -> None:
        self._loopback = any(_ip(address).is_loopback for server in hints for address in server.addresses)

    def __call__(self, address: str) -> bool:
        ip = _ip(address)
        mapped = getattr(ip, "ipv4_mapped", None)
        is_without_scope = ip.version == 6 and ip.is_link_local
        if mapped is not None or is_without_scope or ip.is_multicast or ip.is_unspecified:
            return False
        if ip.is_loopback:
            return self._loopback
        return not (ip.version == 4 and (ip in _THIS_NETWORK or ip.is_reserved))


_THIS_NETWORK: Final = ipaddress.ip_network("0.0.0.0/8")


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(address)
