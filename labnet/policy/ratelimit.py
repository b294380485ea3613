"""Token buckets: how much each client network may have (sans-IO)."""

from __future__ import annotations

from typing import Final

from labnet.policy.access import address_of

_IPV4_BYTES: Final = 3
_IPV6_BYTES: Final = 7
_REMEMBERED: Final = 10_000
"""Networks that are active until those that were active before them are forgotten."""


def network_of(host: str) -> bytes:
    """The network that limits count ``host`` in: its /24, of IPv6 its /56, as most sites hand out no less."""
    packed = address_of(host).packed
    return packed[: _IPV4_BYTES if len(packed) == 4 else _IPV6_BYTES]


class TokenBuckets:
    """A bucket for each network: ``rate`` tokens a second flow in, at most ``rate * burst`` are there.

    Callers pass the time (seconds). Networks that were not active while many others were are forgotten, so memory is
    bounded whatever source addresses are forged, and an active network does not lose its bucket. A rate of 0 sets no
    limit.
    """

    def __init__(self, rate: float, burst: float = 1) -> None:
        self._rate = rate
        self._most = max(1.0, rate * burst)
        self._active: dict[bytes, tuple[float, float]] = {}
        self._older: dict[bytes, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._active) + len(self._older)

    def take(self, network: bytes, now: float, tokens: int = 1) -> bool:
        """Take ``tokens`` for ``network``, or nothing and False where there are not as many."""
        if not self._rate:
            return True
        left, since = self._active.get(network) or self._older.pop(network, (self._most, now))
        left = min(self._most, left + max(0.0, now - since) * self._rate)
        taken = left >= tokens
        if len(self._active) >= _REMEMBERED and network not in self._active:
            self._older, self._active = self._active, {}
        self._active[network] = (left - tokens if taken else left, now)
        return taken
