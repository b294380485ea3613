"""Which parents are asked about which domain, made of the configuration; unchanged ones outlive a reload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final, cast

from twisted.internet.defer import Deferred

from labnet.config.resolver import ResolverConfig
from labnet.dialects.codec import Codec
from labnet.dialects.library import find
from labnet.interfaces import IDatagramSockets, IParent, IReactor
from labnet.net.streams import StreamSockets
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.settings import codec_of, default_ttl_of
from labnet.resolver.shared.values import ParentGroup
from labnet.resolver.upstream.course import TextParent
from labnet.resolver.upstream.course_exchange import TextNetwork
from labnet.resolver.upstream.dns import DNSExchange, DNSParent, ExchangeOptions
from labnet.resolver.upstream.infra import InfraCache
from labnet.resolver.upstream.selection import Parents
from labnet.resolver.upstream.watched import WatchedSockets
from labnet.values.servers import ParentAddress
from labnet.wire.names import ROOT, key_of, text_of

if TYPE_CHECKING:
    from labnet.resolver.files.root_hints import Hints

Recipe = tuple[object, ...]
"""All that the parents of a domain are made of: as long as it is equal, so are they."""

_MOST_SERVERS: Final = 20_000
"""Servers whose round-trips and failures are remembered."""


class Forwarding:
    """The parents of each domain of one resolver, asked over ``sockets`` and ``reactor``.

    What is known of their health, and of the zones below the root, lasts as long as their configuration does.
    """

    def __init__(self, sockets: IDatagramSockets, reactor: IReactor, random: Random) -> None:
        self._sockets = WatchedSockets(sockets)
        self._reactor = reactor
        self._random = random
        self._infra = InfraCache(_MOST_SERVERS)
        self._made: dict[bytes, tuple[Recipe, Parents]] = {}

    def take(self, config: ResolverConfig, loaded: Loaded) -> dict[bytes, IParent]:
        """The parents as ``config`` and the files behind it (``loaded``) have them, by the domain's key."""
        domains = {ROOT: config.parents}
        domains |= {key_of(domain): some for table in (config.forward, config.stub) for domain, some in table.items()}
        for domain, server in loaded.servers:  # those that the records refer to; the configuration's own come first
            if not domains.get(domain):
                domains[domain] = (server,)
        made: dict[bytes, tuple[Recipe, Parents]] = {}
        for domain, addresses in domains.items():
            if not addresses:
                continue
            recipe = _recipe(addresses, config, loaded)
            before = self._made.get(domain)
            if before is not None and before[0] == recipe:
                made[domain] = before
            else:
                parents = list(self._parents(domain, addresses, config, loaded))
                longest_wait = config.parent_timeout * config.parent_tries
                made[domain] = (recipe, Parents(parents, self._reactor, longest_wait))
        before_all, self._made = self._made, made
        for domain, one in before_all.items():
            if made.get(domain) is not one:
                one[1].retire()
        return {domain: parents for domain, (_, parents) in made.items()}

    def close(self) -> None:
        """Close the connections that are kept, as soon as nothing waits on them."""
        for _, parents in self._made.values():
            parents.retire()

    def groups(self, resolver: str) -> dict[bytes, ParentGroup]:
        """Which labs share what is asked for each domain's key: those whose ``resolver`` asks the same parents."""
        return {domain: _group_of(resolver, domain, recipe) for domain, (recipe, _) in self._made.items()}

    @property
    def of_course(self) -> frozenset[bytes]:
        """The keys of the domains all of whose parents speak the course protocol."""
        return frozenset(
            domain
            for domain, (_, parents) in self._made.items()
            if all(isinstance(parent, TextParent) for parent in parents.each())
        )

    @property
    def parents(self) -> Mapping[bytes, Parents]:
        """The parents by the domain's key, as they were taken last."""
        return {domain: parents for domain, (_, parents) in self._made.items()}

    def _parents(
        self, domain: bytes, addresses: tuple[ParentAddress, ...], config: ResolverConfig, loaded: Loaded
    ) -> Iterator[IParent]:
        options = ExchangeOptions(config.parent_timeout, config.parent_tries, config.mixed_case)
        exchange = DNSExchange(self._sockets, self._reactor, self._random, self._infra, options)
        if addresses[0].kind == "stub":
            from labnet.resolver.files.root_hints import Hints, NameServer

            servers = NameServer(domain, tuple([address.host for address in addresses]))
            yield self._walk(exchange, Hints((servers,)), addresses[0].port, domain)
            return
        for address in addresses:
            if address.kind == "text":
                yield TextParent(address.host, address.port, self._text_network(address, config, loaded))
            elif address.is_encrypted:
                from labnet.resolver.upstream.carriers import encrypted_parent  # few labs need TLS

                patience = config.parent_timeout * config.parent_tries
                yield encrypted_parent(address, loaded.ca, self._reactor, self._random, patience)
            elif address.kind == "root":
                assert loaded.hints is not None
                yield self._walk(exchange, loaded.hints, config.root_port)
            elif address.kind == "system":
                for host in loaded.system:
                    yield DNSParent(host, 53, False, exchange)
            else:
                yield DNSParent(address.host, address.port, address.kind == "dns+tcp", exchange)

    def _walk(self, exchange: DNSExchange, hints: Hints, port: int, top: bytes = ROOT) -> IParent:
        # Most labs forward, and need nothing of recursion.
        from labnet.resolver.recursive.servers import Network, WalkOptions
        from labnet.resolver.recursive.walk import RootWalk

        network = Network(exchange, self._infra, self._reactor, self._random)
        return RootWalk(network, hints, WalkOptions(port), top)

    def _text_network(self, address: ParentAddress, config: ResolverConfig, loaded: Loaded) -> TextNetwork:
        """How the parent at ``address`` is asked: in the dialect that it is told, or in the resolver's own."""
        codec = Codec(find(address.dialect)) if address.dialect else codec_of(config, loaded.dialect)
        dialect = codec.dialect
        return TextNetwork(
            WatchedSockets(StreamSockets(self._reactor, dialect.framing)) if dialect.is_stream else self._sockets,
            self._reactor,
            codec,
            config.parent_timeout,
            config.parent_tries,
            default_ttl_of(config, loaded.dialect),
            config.referral_port or 0,
            self._look_up,
        )

    def _look_up(self, host: str) -> Deferred[str]:
        """The address of a host by the system's own resolver, in a thread."""
        return cast("Deferred[str]", cast(Any, self._reactor).resolve(host, (2, 3)))


def _group_of(resolver: str, domain: bytes, recipe: Recipe) -> ParentGroup:
    addresses, _, _, _, _, root, system, _ = recipe
    assert isinstance(addresses, tuple)
    parents = (*map(_named, addresses), repr(root), repr(system))
    return ParentGroup(resolver, domain, parents, all(address.kind == "text" for address in addresses))


def _named(address: ParentAddress) -> str:
    plain = f"{address.kind}:{address.host}:{address.port}"
    return f"{plain}#{address.name}{address.path}" if address.is_encrypted else plain


def _recipe(addresses: tuple[ParentAddress, ...], config: ResolverConfig, loaded: Loaded) -> Recipe:
    kinds = {address.kind for address in addresses}
    return (
        addresses,
        config.parent_timeout,
        config.parent_tries,
        config.mixed_case,
        (loaded.dialect, config.newline, config.unknown, config.default_ttl) if "text" in kinds else None,
        (config.root_port, loaded.hints and loaded.hints.servers) if "root" in kinds else None,
        loaded.system if "system" in kinds else None,
        loaded.ca if any(address.is_encrypted for address in addresses) else None,
    )


def parents_status(parents: Mapping[bytes, Parents], now: float) -> Iterator[dict[str, Any]]:
    """How each parent is, by its domain, for JSON; times in seconds."""
    for domain, several in parents.items():
        for state in several.states():
            yield {
                "domain": text_of(domain),
                "address": state.address,
                "up": state.down_until is None,
                "round_trip": state.srtt,
                "timeout": state.timeout,
                "failures": state.failures,
                "asked_again_in": None if state.down_until is None else max(0.0, state.down_until - now),
            }
