"""How often one and the same kind of thing may be logged: outsiders must not be able to fill a disk."""

from __future__ import annotations

import math
from typing import Final

from labnet.policy.ratelimit import network_of

PERIOD: Final = 1.0
"""Seconds between two lines."""

NETWORK_PERIOD: Final = 60.0
"""Seconds between two lines about one client network."""

_REMEMBERED: Final = 1000
"""Networks; past that all are forgotten."""


class LogLimit:
    """Lets one line a second through; each says how many were left out before it."""

    def __init__(self) -> None:
        self._logged_at = -math.inf
        self._left_out = 0

    def more(self, now: float) -> str | None:
        """What the line at ``now`` (seconds) has to end with; None where it is to be left out."""
        if 0 <= now - self._logged_at < PERIOD:
            self._left_out += 1
            return None
        more = f" (and {self._left_out} more before)" if self._left_out else ""
        self._logged_at, self._left_out = now, 0
        return more


class NetworkLogLimit:
    """Lets a line a minute through for each client network, and one a second in all, whatever addresses are forged."""

    def __init__(self) -> None:
        self._all = LogLimit()
        self._networks: dict[bytes, tuple[float, int]] = {}

    def count(self, host: str, now: float) -> int | None:
        """How many the line about ``host`` at ``now`` (seconds) stands for: those of its network since the last one.

        None where it is to be left out itself.
        """
        network = network_of(host)
        logged_at, left_out = self._networks.get(network, (-math.inf, 0))
        if 0 <= now - logged_at < NETWORK_PERIOD or self._all.more(now) is None:
            if len(self._networks) >= _REMEMBERED and network not in self._networks:
                self._networks.clear()
            self._networks[network] = (logged_at, left_out + 1)
            return None
        self._networks[network] = (now, 0)
        return left_out + 1
