"""From a resolver's table of the configuration to the values that its parts take."""

from __future__ import annotations

from labnet.config import ResolverConfig
from labnet.resolver.cache.policy import Bounds
from labnet.resolver.clients.admission import Rules
from labnet.wire.course import Dialect


def rules_of(config: ResolverConfig) -> Rules:
    """Which clients are served, and how much each network of them may ask."""
    return Rules(
        allow=config.allow,
        deny=config.deny,
        recursion=config.recursion,
        exempt=config.rate_exempt,
        rate=config.rate_limit,
        burst=config.rate_burst,
        slip=config.rate_slip,
        in_flight=config.in_flight_per_client,
    )


def bounds_of(config: ResolverConfig) -> Bounds:
    """The limits on lifetimes (seconds) and on questions in flight."""
    return Bounds(
        default_ttl=config.default_ttl,
        course_ttl_max=config.course_ttl_max,
        ttl_min=config.ttl_min,
        ttl_max=config.ttl_max,
        negative_ttl_max=config.negative_ttl_max,
        prefetch=config.prefetch,
        in_flight=config.in_flight,
    )


def dialect_of(config: ResolverConfig) -> Dialect:
    """How replies of the course protocol are written."""
    return Dialect(json=config.dialect == "json", end="\n" if config.newline else "", unknown=config.unknown)
