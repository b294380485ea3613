"""One resolver, wired: records, what was learned, parents, ports."""

from __future__ import annotations

import os
from collections.abc import Iterable
from random import Random, SystemRandom
from typing import Any, Final, cast

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from labnet.config import ResolverConfig
from labnet.interfaces import IDatagramSockets, IParent, IReactor, StartError
from labnet.notation import ParentAddress, UDPListen
from labnet.resolver.batchport import BatchPort, is_available
from labnet.resolver.cache import Cache, Entry
from labnet.resolver.cookies import Cookies
from labnet.resolver.dnsparent import DNSExchange, DNSParent
from labnet.resolver.health import Parents
from labnet.resolver.learned import course_log, dns_log
from labnet.resolver.learning import Bounds, entry_of_mapping
from labnet.resolver.listener import DNSStreams, ResolverProtocol
from labnet.resolver.loading import KEPT_SUFFIX, Loaded
from labnet.resolver.model import Mapping, Question
from labnet.resolver.names import ROOT, key_of
from labnet.resolver.packetcache import PacketCaches
from labnet.resolver.parent import TextParent
from labnet.resolver.recursion import Resolver
from labnet.resolver.responder import Responder
from labnet.resolver.root.walk import RootWalk
from labnet.resolver.sockets import SystemSockets
from labnet.resolver.text import Dialect

MOST_BYTES: Final = 8192
"""Bytes of a question that are read."""

_SAME_NUMBER_TRIES: Final = 20
"""Tries for a port number, of the system's choosing, that is free for both UDP and TCP."""


class ResolverService(Service):
    """The resolver ``name``: listens as ``config`` says and answers from ``loaded`` and its parents."""

    def __init__(
        self,
        name: str,
        config: ResolverConfig,
        loaded: Loaded,
        reactor: IReactor,
        sockets: IDatagramSockets | None = None,
        random: Random | None = None,
    ) -> None:
        self.setName(name)
        self._config = config
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self._stream_ports: list[IListeningPort] = []
        self._random = random or SystemRandom()
        self._sockets = sockets or SystemSockets(reactor)
        self._cache = _filled_cache(config, loaded, reactor.seconds())
        self._log = self._kept_log = None
        if config.learned is not None:
            self._log = course_log(config.learned, self._live_mappings)
            self._kept_log = dns_log(config.learned + KEPT_SUFFIX, self._live_kept)
        self._log_state = (loaded.lines, loaded.cut)
        self._kept_state = (loaded.kept_lines, loaded.kept_cut)
        self._resolver = Resolver(
            loaded.zone, self._cache, self._forwards(loaded), self._learned, reactor, _bounds(config)
        )
        self.packets = PacketCaches(config.packet_cache_bytes, reactor)
        cookies = Cookies(self._random.randbytes(16))
        self._responder = Responder(
            self._resolver, cookies, reactor, config.nsid.encode(), config.explain, config.tcp_idle, self.packets
        )
        self._streams = DNSStreams(self._responder, reactor, config.tcp_idle, config.tcp_connections)

    @property
    def ports(self) -> tuple[IListeningPort, ...]:
        """The UDP ports that are open; TCP ports of the same numbers go with them."""
        return tuple(self._ports)

    def privilegedStartService(self) -> None:
        for listen in self._config.listen:
            self._listen(listen)

    def startService(self) -> None:
        super().startService()
        if self._log is not None and self._kept_log is not None:
            self._log.open(*self._log_state)
            self._kept_log.open(*self._kept_state)

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed; who still waits for an answer is told that it failed."""
        super().stopService()
        self._resolver.stop()
        closed: list[Deferred[Any]] = [self._streams.close()]
        ports = self._ports + self._stream_ports
        self._ports, self._stream_ports = [], []
        if self._log is not None and self._kept_log is not None:
            self._log.close()
            self._kept_log.close()
        closed += [maybeDeferred(port.stopListening) for port in ports]
        return gatherResults(closed).addCallback(lambda _: None)

    def _listen(self, listen: UDPListen) -> None:
        dialect = Dialect(
            json=self._config.dialect == "json",
            end="\n" if self._config.newline else "",
            unknown=self._config.unknown,
        )
        for tries_left in reversed(range(1 if listen.port else _SAME_NUMBER_TRIES)):
            protocol = ResolverProtocol(self._resolver, dialect, self._responder)
            try:
                port = self._listen_udp(listen, protocol)
            except CannotListenError as error:
                raise StartError(str(listen), error) from None
            number = cast(IPv4Address | IPv6Address, port.getHost()).port
            try:
                stream = self._reactor.listenTCP(number, self._streams, 128, listen.interface)
            except CannotListenError as error:
                port.stopListening()
                if not tries_left:
                    tcp = str(listen.model_copy(update={"port": number})).replace("udp:", "tcp:", 1)
                    raise StartError(tcp, error) from None
                continue
            self._ports.append(port)
            self._stream_ports.append(stream)
            return

    def _listen_udp(self, listen: UDPListen, protocol: ResolverProtocol) -> IListeningPort:
        if not (self._config.batch and is_available(self._reactor)):
            return self._reactor.listenUDP(listen.port, protocol, listen.interface, MOST_BYTES)
        port = BatchPort(self._reactor, listen.port, protocol, listen.interface, self.packets)
        port.startListening()
        return port

    def _forwards(self, loaded: Loaded) -> dict[bytes, IParent]:
        """The parents of each domain."""
        config = self._config
        exchange = DNSExchange(self._sockets, self._reactor, self._random, config.parent_timeout, config.parent_tries)

        def parents(addresses: Iterable[ParentAddress]) -> list[IParent]:
            made: list[IParent] = []
            for address in addresses:
                if address.kind == "text":
                    made.append(
                        TextParent(
                            address.host,
                            address.port,
                            config.parent_timeout,
                            config.parent_tries,
                            self._sockets,
                            self._reactor,
                        )
                    )
                elif address.kind == "root":
                    assert loaded.hints is not None
                    made.append(RootWalk(exchange, loaded.hints, self._reactor, self._random, config.root_port))
                elif address.kind == "system":
                    made += [DNSParent(host, 53, False, exchange) for host in loaded.system]
                else:
                    made.append(DNSParent(address.host, address.port, address.kind == "dns+tcp", exchange))
            return made

        domains = {ROOT: config.parents, **{key_of(domain): some for domain, some in config.forward.items()}}
        return {
            domain: Parents(parents(addresses), self._reactor, config.parent_timeout * config.parent_tries)
            for domain, addresses in domains.items()
            if addresses
        }

    def _learned(self, question: Question, entry: Entry) -> None:
        if self._log is None or self._kept_log is None or not entry.ttl:
            return
        if not entry.told:
            self._kept_log.append((question, entry))
        elif entry.answer.mapping is not None:
            self._log.append(entry.answer.mapping)

    def _live_mappings(self) -> list[Mapping]:
        valid = self._cache.valid(self._reactor.seconds())
        return [entry.answer.mapping for _, entry in valid if entry.told and entry.answer.mapping is not None]

    def _live_kept(self) -> list[tuple[Question, Entry]]:
        return [kept for kept in self._cache.valid(self._reactor.seconds()) if not kept[1].told]


def _filled_cache(config: ResolverConfig, loaded: Loaded, now: float) -> Cache:
    cache = Cache(config.cache_bytes, config.serve_stale)
    for mapping in loaded.learned:
        question, entry = entry_of_mapping(key_of(mapping.name), mapping, os.path.basename(config.learned or ""))
        # Of one name the last line counts, even if its time is over.
        cache.forget(question)
        if entry.is_valid(now):
            cache.keep(question, entry)
    for question, entry in loaded.kept:
        if entry.is_valid(now):
            cache.keep(question, entry)
    return cache


def _bounds(config: ResolverConfig) -> Bounds:
    return Bounds(
        default_ttl=config.default_ttl,
        ttl_min=config.ttl_min,
        ttl_max=config.ttl_max,
        negative_ttl_max=config.negative_ttl_max,
        prefetch=config.prefetch,
        in_flight=config.in_flight,
    )
