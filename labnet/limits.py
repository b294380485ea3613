"""Token buckets: how much each client network may have (sans-IO)."""

from __future__ import annotations

from typing import Final

from labnet.access import address_of

_IPV4_BYTES: Final = 3
_IPV6_BYTES: Final = 7
_REMEMBERED: Final = 10_000


def network_of(host: str) -> bytes:
    """The network that limits count ``host`` in: its /24, of IPv6 its /56, as most sites hand out no less."""
    packed = address_of(host).packed
    return packed[: _IPV4_BYTES if len(packed) == 4 else _IPV6_BYTES]


class TokenBuckets:
    """A bucket for each network: ``rate`` tokens a second flow in, at most ``rate * burst`` are there.

    It is told the time (epoch seconds). Full buckets are forgotten, so memory follows those who are active; a rate of
    0 sets no limit.
    """

    def __init__(self, rate: float, burst: float = 1) -> None:
        self._rate = rate
        self._most = max(1.0, rate * burst)
        self._buckets: dict[bytes, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, network: bytes, now: float, tokens: int = 1) -> bool:
        """Take ``tokens`` for ``network``, or nothing and False where there are not as many."""
        if not self._rate:
            return True
        left, since = self._buckets.get(network, (self._most, now))
        left = min(self._most, left + max(0.0, now - since) * self._rate)
        taken = left >= tokens
        if network not in self._buckets and len(self._buckets) >= _REMEMBERED:
            self._forget_full(now)
        self._buckets[network] = (left - tokens if taken else left, now)
        return taken

    def _forget_full(self, now: float) -> None:
        self._buckets = {
            network: (left, since)
            for network, (left, since) in self._buckets.items()
            if left + max(0.0, now - since) * self._rate < self._most
        }
