"""Servers that answered, or did not, as a test wants them."""

from __future__ import annotations

from labnet.resolver.upstream.infra import Health


def down(now: float, ranked: bool = True) -> Health:
    """The health of a parent that goes down at ``now``."""
    health = Health(ranked)
    for _ in range(3):
        health.asked(now)
        health.stayed_silent(now, now)
    return health


def took(*seconds: float, ranked: bool = True) -> Health:
    """The health of a parent that answered so fast, just now."""
    health = Health(ranked)
    health.asked(0.0)
    for one in seconds:
        health.answered(one)
    return health
