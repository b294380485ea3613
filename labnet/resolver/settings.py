"""From a resolver's table of the configuration to the values that its parts take."""

from __future__ import annotations

import ipaddress

from labnet.config.resolver import ResolverConfig
from labnet.dialects.codec import Codec
from labnet.dialects.model import Dialect
from labnet.interfaces import IScreens
from labnet.net.addresses import address_text
from labnet.resolver.cache.policy import Bounds
from labnet.resolver.clients.admission import Rules
from labnet.values.addresses import IPNetwork
from labnet.values.servers import ParentAddress


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


def every_parent(config: ResolverConfig) -> list[ParentAddress]:
    """The parents of ``config``, those of single domains included."""
    return [*config.parents, *(parent for parents in config.forward.values() for parent in parents)]


def forgeable_parents(config: ResolverConfig) -> list[str]:
    """A warning for each course parent on another machine, where ``config`` serves others than this machine too.

    Replies in the name of a loopback address do not come from outside.
    """
    listens = [ipaddress.ip_address(listener.interface) for listener in config.listen]
    served = config.allow if config.recursion is None else config.recursion
    if all(map(_is_loopback, listens)) or all(map(_is_loopback, served)):
        return []
    parents = dict.fromkeys(
        address_text(parent.host, parent.port)
        for parent in every_parent(config)
        if parent.kind == "text" and not _is_loopback(ipaddress.ip_address(parent.host))
    )
    return [
        f"text:{parent}: anybody can forge what this parent says, and others than this machine are served: use a dns: "
        "parent, or have recursion name this machine alone"
        for parent in parents
    ]


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address | IPNetwork) -> bool:
    return address.is_loopback
