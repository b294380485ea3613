"""Who may connect: the networks, the limits on sessions, the rate of new ones (sans-IO)."""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

from labnet.config.services import CommandConfig
from labnet.policy.access import Access
from labnet.policy.ratelimit import TokenBuckets, network_of

RefusalReason = Literal["denied", "limit", "rate", "http"]
"""Why a connection is closed at once, as ``labnet_sessions_ended_total`` has it."""

WHY: Final[dict[RefusalReason, str]] = {
    "denied": "its address is not in `allow`, or it is in `deny`",
    "limit": "there are as many connections as `sessions` or `sessions_per_address` says",
    "rate": "its network opens more connections a second than `connect_rate` says",
    "http": "it sent an HTTP request, as a browser does for a web page",
}

_BURST: Final = 2.0
"""Seconds of ``connect_rate`` that may be used up at once."""

_FEW: Final = 5.0
"""Connections that may come at once, however low ``connect_rate`` is: a browser and most tests open several."""


class SessionAdmission:
    """Says who may connect by the ``[command]`` table ``config``, and counts the sessions of each address.

    Hosts are addresses in text; one of IPv4 inside IPv6 is given as the one of IPv4.
    """

    def __init__(self, config: CommandConfig) -> None:
        self._sessions = 0
        self._of_address: Counter[str] = Counter()
        self._rate = config.connect_rate
        self._buckets = _buckets(config.connect_rate)
        self._take_in(config)

    def change(self, config: CommandConfig) -> None:
        """From now on ``config`` counts; what was used up of a rate that stays the same stays used up."""
        if config.connect_rate != self._rate:
            self._rate = config.connect_rate
            self._buckets = _buckets(config.connect_rate)
        self._take_in(config)

    def _take_in(self, config: CommandConfig) -> None:
        self._access = Access(config.allow, config.deny)
        self._most = config.sessions
        self._most_of_address = config.sessions_per_address

    def refusal(self, host: str, now: float) -> RefusalReason | None:
        """Why ``host`` may not open another session at ``now`` (seconds), or None where it may."""
        if not self._access.allows(host):
            return "denied"
        if self._sessions >= self._most:
            return "limit"
        if self._most_of_address and self._of_address[host] >= self._most_of_address:
            return "limit"
        if self._rate and not self._buckets.take(network_of(host), now):
            return "rate"
        return None

    def arrived(self, host: str) -> None:
        """A session of ``host`` began."""
        self._sessions += 1
        self._of_address[host] += 1

    def left(self, host: str) -> None:
        """One of its sessions is over."""
        self._sessions -= 1
        if self._of_address[host] > 1:
            self._of_address[host] -= 1
        else:
            del self._of_address[host]


def _buckets(rate: float) -> TokenBuckets:
    return TokenBuckets(rate, max(_BURST, _FEW / rate) if rate else _BURST)
