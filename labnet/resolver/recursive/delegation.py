"""What a walk from the root remembers: delegations, addresses of name servers, and how each address behaved.

Everything here is told the time (epoch seconds) and reads no clock. Every memory is bounded in entries; past the bound
what was used longest ago is forgotten first.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Final, Generic, TypeVar

from labnet.resolver.files.root_hints import NameServer
from labnet.wire.names import ROOT, ancestors

LONGEST_DELEGATION: Final = 86_400
"""Seconds that a delegation is kept at most, whatever its TTL says, so that a zone that moved is found again."""

_UNKNOWN: Final = 0.376
"""Seconds that a server is taken to need before it was asked (unbound's choice)."""
_BAND: Final = 0.4
"""Seconds by which a server may be slower than the fastest and still take its turn (unbound's choice)."""
_FASTEST: Final = 0.001
_SLOWEST: Final = 120.0
_MEMORY: Final = 900
"""Seconds for which it is remembered how an address behaved."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Delegation:
    """The servers of a zone, as its parent's servers (or the hints) name them, until ``expires``."""

    zone: bytes
    servers: tuple[NameServer, ...]
    expires: float


class Memory(Generic[K, V]):
    """Values with an end of life, at most ``most`` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: K, now: float) -> V | None:
        """The value kept under ``key``, or None; one past its end is forgotten."""
        found = self._kept.get(key)
        if found is None:
            return None
        expires, value = found
        if expires <= now:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return value

    def keep(self, key: K, value: V, expires: float) -> None:
        """Keep ``value`` until ``expires``, in place of an earlier one."""
        self._kept[key] = (expires, value)
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, key: K) -> None:
        self._kept.pop(key, None)


class Delegations:
    """Which servers to begin with for a name: those of the deepest zone above it that is known, or the root's.

    ``most`` bounds the zones kept; the root's servers come from the hints and never expire.
    """

    def __init__(self, root: tuple[NameServer, ...], most: int) -> None:
        self._root = Delegation(ROOT, root, float("inf"))
        self._zones: Memory[bytes, Delegation] = Memory(most)

    def find(self, key: bytes, now: float) -> Delegation:
        """The delegation of the deepest known zone that ``key`` is in."""
        for zone in ancestors(key):
            found = self._zones.find(zone, now)
            if found is not None:
                return found
        return self._root

    def keep(self, delegation: Delegation, now: float) -> None:
        """Remember a referral for as long as its TTLs say. One with a TTL of 0 serves only who asked for it."""
        expires = min(delegation.expires, now + LONGEST_DELEGATION)
        if expires > now:
            self._zones.keep(delegation.zone, delegation, expires)

    def forget(self, zone: bytes) -> None:
        """Begin above ``zone`` the next time."""
        self._zones.forget(zone)


class RoundTrips:
    """How fast each address answered, and whether it failed, so that the better servers are asked first.

    Servers are taken in a random order as long as they are about equally fast (unbound's way): a forger cannot know
    which one is asked, and none is asked alone. An address that fails counts as slower each time; one that is lame for
    a zone is asked last there.
    """

    def __init__(self, random: Random, most: int) -> None:
        self._random = random
        self._seconds: Memory[str, float] = Memory(most)
        self._lame: Memory[tuple[bytes, str], bool] = Memory(most)

    def in_order(self, addresses: Iterable[str], zone: bytes, now: float) -> list[str]:
        """``addresses`` without repetition, in the order in which to ask them about ``zone``."""
        seconds = {address: self._seconds.find(address, now) or _UNKNOWN for address in addresses}
        if not seconds:
            return []
        fast = min(seconds.values()) + _BAND
        shuffled = sorted(seconds)
        self._random.shuffle(shuffled)

        def rank(address: str) -> tuple[bool, float]:
            lame = self._lame.find((zone, address), now) is not None
            return lame, max(seconds[address], fast)

        return sorted(shuffled, key=rank)

    def answered(self, address: str, seconds: float, now: float) -> None:
        """It answered, after ``seconds``."""
        before = self._seconds.find(address, now)
        smoothed = seconds if before is None or before > _UNKNOWN + _BAND else before + (seconds - before) / 8
        self._seconds.keep(address, max(smoothed, _FASTEST), now + _MEMORY)

    def failed(self, address: str, now: float) -> None:
        """It was silent or cannot be reached."""
        before = self._seconds.find(address, now) or _UNKNOWN
        self._seconds.keep(address, min(2 * before + _BAND, _SLOWEST), now + _MEMORY)

    def was_lame(self, address: str, zone: bytes, now: float) -> None:
        """It answered, but not as a server of ``zone``."""
        self._lame.keep((zone, address), True, now + _MEMORY)


class Reachable:
    """Which addresses a referral may send the walk to.

    Never to a multicast, unspecified, broadcast or otherwise reserved address, nor to IPv6 where ``ipv6`` is off; to
    this machine itself only where the hints say so too, as a lab on loopback addresses does: else any zone could have
    the resolver ask the services of its own machine.
    """

    def __init__(self, hints: Iterable[NameServer], ipv6: bool) -> None:
        self._ipv6 = ipv6
        self._loopback = any(_ip(address).is_loopback for server in hints for address in server.addresses)

    def __call__(self, address: str) -> bool:
        ip = _ip(address)
        if ip.version == 6 and not self._ipv6:
            return False
        mapped = getattr(ip, "ipv4_mapped", None)
        if mapped is not None or ip.is_multicast or ip.is_unspecified:
            return False
        if ip.is_loopback:
            return self._loopback
        return not (ip.version == 4 and (ip in _THIS_NETWORK or ip.is_reserved))


_THIS_NETWORK: Final = ipaddress.ip_network("0.0.0.0/8")


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(address)
