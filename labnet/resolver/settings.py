"""From a resolver's table of the configuration to the values that its parts take."""

from __future__ import annotations

from labnet.config.resolver import ResolverConfig
from labnet.dialects.codec import Codec
from labnet.dialects.model import Dialect
from labnet.interfaces import IScreens
from labnet.resolver.cache.policy import Bounds
from labnet.resolver.clients.admission import Rules


def rules_of(config: ResolverConfig, screens: IScreens | None = None) -> Rules:
    """Which clients are served, how much each network of them may ask, and what is kept from them (``screens``)."""
    return Rules(
        allow=config.allow,
        deny=config.deny,
        recursion=config.recursion,
        exempt=config.rate_exempt,
        rate=config.rate_limit,
        burst=config.rate_burst,
        slip=config.rate_slip,
        in_flight=config.in_flight_per_client,
        screens=screens,
    )


def bounds_of(config: ResolverConfig, dialect: Dialect) -> Bounds:
    """The limits on lifetimes (seconds) and on questions in flight; ``dialect`` may lay down the one of a reply."""
    return Bounds(
        default_ttl=default_ttl_of(config, dialect),
        course_ttl_max=config.course_ttl_max,
        ttl_min=config.ttl_min,
        ttl_max=config.ttl_max,
        negative_ttl_max=config.negative_ttl_max,
        prefetch=config.prefetch,
        in_flight=config.in_flight,
    )


def default_ttl_of(config: ResolverConfig, dialect: Dialect) -> int:
    """Seconds for a course reply without a TTL: those of ``config``, if it says any, else the dialect's."""
    if dialect.cache is None or "default_ttl" in config.model_fields_set:
        return config.default_ttl
    return dialect.cache


def codec_of(config: ResolverConfig, dialect: Dialect) -> Codec:
    """How the course protocol is spoken: ``dialect``, with what ``config`` says otherwise, where it is no JSON."""
    if not isinstance(dialect.reply.found[0], str):
        return Codec(dialect)
    return Codec(dialect, "\n" if config.newline else "", config.unknown)
