"""One resolver, wired: records, what was learned, parents, ports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random, SystemRandom
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IListeningPort
from zope.interface import implementer

from labnet.config import ResolverConfig
from labnet.interfaces import IChange, IDatagramSockets, ILearned, IMeasured, IParent, IReactor
from labnet.metrics import Sample
from labnet.net.batch import overflowed
from labnet.net.datagrams import SystemSockets
from labnet.resolver.cache.cache import Cache, Entry
from labnet.resolver.cache.dump import dump_lines
from labnet.resolver.cache.lines import CachedAnswer
from labnet.resolver.cache.log import course_log, dns_log
from labnet.resolver.cache.policy import Bounds, entry_of_mapping
from labnet.resolver.clients.admission import Admission, Rules
from labnet.resolver.clients.cookies import Cookies
from labnet.resolver.clients.counts import Counts
from labnet.resolver.engine.resolver import Resolver
from labnet.resolver.forwarding import Forwarding
from labnet.resolver.loading import DNS_LOG_SUFFIX, Loaded
from labnet.resolver.ready.packetcache import PacketCaches
from labnet.resolver.serve.ports import Listener, Ports, changed
from labnet.resolver.serve.responder import Responder
from labnet.resolver.serve.tcp import DNSStreams
from labnet.resolver.serve.udp import ResolverProtocol
from labnet.resolver.shared.cache import SharedCache
from labnet.resolver.shared.values import Flush, ParentGroup
from labnet.resolver.upstream.relay import Relays
from labnet.wire.course import Dialect
from labnet.wire.names import ROOT, key_of, text_of
from labnet.wire.types import Mapping, Question


@implementer(IMeasured)
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
        shared: SharedCache | None = None,
    ) -> None:
        self.title = name
        self._config = config
        self._reactor = reactor
        self._listeners: list[Listener] = []
        random = random or SystemRandom()
        self._cache = Cache(config.cache_bytes, config.serve_stale)
        _fill(self._cache, config, loaded, reactor.seconds())
        self._told: Callable[[Question, Entry], object] | None = None
        self._log: ILearned | None = None
        self._dns_log: ILearned | None = None
        self._make_logs(loaded)
        self._forwarding = Forwarding(sockets or SystemSockets(reactor), reactor, random)
        self._shared = shared
        self._groups: dict[bytes, ParentGroup] = {}
        forwards = self._forwards(config, loaded)
        self._records = loaded.records
        self._resolver = Resolver(loaded.zone, self._cache, forwards, self._learned, reactor, _bounds(config))
        self.packets = PacketCaches(config.packet_cache_bytes, reactor)
        self.packets.change(config.packet_cache_bytes, loaded.zone)
        self.admission = Admission(_rules(config))
        self.counts = Counts(name)
        self._cookies = Cookies(random.randbytes(16))
        self._responder = self._make_responder()
        self._streams = DNSStreams(
            self._responder, reactor, config.tcp_idle, config.tcp_connections, config.tcp_per_address
        )
        self._relays = Relays(reactor, self._resolver, config.explain, (config.ttl_min, config.ttl_max))
        self._ports = Ports(reactor, self._make_protocol, self._streams, self.packets)

    def share(self, tell: Callable[[Question, Entry], object], secret: bytes) -> None:
        """Be one of several processes: ``tell`` them what is learned, and make DNS cookies by the same ``secret``.

        The files of what is learned are theirs then. To be called before the start.
        """
        self._told = tell
        self._log = self._dns_log = None
        self._cookies = Cookies(secret)
        self._responder = self._make_responder()
        self._streams.responder = self._responder

    def learn(self, question: Question, entry: Entry) -> None:
        """Another process learned this."""
        if entry.is_valid(self._reactor.seconds()):
            self._cache.put(question, entry)

    @property
    def ports(self) -> tuple[IListeningPort, ...]:
        """The UDP ports that are open; TCP ports of the same numbers go with them."""
        return tuple([listener.udp for listener in self._listeners])

    def privilegedStartService(self) -> None:
        self._listeners = self._ports.open(self._config.listen, self._config.batch, self._config.batch_delay)

    def startService(self) -> None:
        super().startService()
        self._open_logs()

    def prepare(self, config: ResolverConfig, loaded: Loaded | None) -> IChange:
        """``config`` and the files behind it (``loaded``), to be taken in one step; new listeners are open then.

        Without ``loaded`` only the listeners change. Those that both have keep their sockets, and what was learned
        stays. Raises :class:`~labnet.interfaces.StartError`; then nothing has changed.
        """
        closing, opening = changed(self._listeners, config.listen)
        opened = self._ports.open(opening, config.batch, config.batch_delay)
        return _Change(self, config, loaded, opened, closing)

    def take_listeners(self, opened: list[Listener], closing: list[Listener]) -> None:
        """Listen on those that are ``opened`` too, and no longer on those that are ``closing``."""
        self._listeners = [listener for listener in self._listeners if listener not in closing] + opened
        for listener in closing:
            listener.close()

    def take(self, config: ResolverConfig, loaded: Loaded) -> None:
        """Serve by ``config`` and the files behind it from now on, by all listeners."""
        moved = config.learned != self._config.learned
        self._config = config
        self._records = loaded.records
        self._cache.resize(config.cache_bytes, config.serve_stale)
        if moved:
            self._move_logs(loaded)
        groups = self._groups
        self._resolver.change(loaded.zone, self._forwards(config, loaded), _bounds(config))
        if self._shared is not None and self._groups != groups:
            # Somebody else is asked from now on: what was told so far counts no more, in no lab.
            self.forget(ROOT)
            self._shared.flush(Flush(None, self.title))
        self._relays.change(config.explain, (config.ttl_min, config.ttl_max))
        self._responder = self._make_responder()
        self.admission.change(_rules(config))
        self._streams.change(self._responder, config.tcp_idle, config.tcp_connections, config.tcp_per_address)
        for listener in self._listeners:
            listener.protocol.change(self._make_dialect(), self._responder)
            listener.delay(config.batch_delay)
        self.packets.change(config.packet_cache_bytes, loaded.zone)

    def drain(self) -> Deferred[None]:
        """Take no further questions; fires when every one that was asked has its answer."""
        for listener in self._listeners:
            listener.stop_reading()
        return gatherResults([self._resolver.idle(), self._streams.drain()]).addCallback(lambda _: None)

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed; who still waits for an answer is told that it failed."""
        super().stopService()
        self._relays.close()
        self._resolver.stop()
        closed: list[Deferred[Any]] = [self._streams.close()]
        listeners, self._listeners = self._listeners, []
        self._close_logs()
        for listener in listeners:
            closed.append(listener.close())
        return gatherResults(closed).addCallback(lambda _: None)

    def samples(self) -> Iterator[Sample]:
        name = self.title
        yield Sample("labnet_records", (name,), self._records)
        yield Sample("labnet_cache_entries", (name,), len(self._cache))
        yield Sample("labnet_cache_bytes", (name,), self._cache.bytes)
        yield Sample("labnet_cache_hits_total", (name,), self._resolver.hits + self.packets.dns.renewed)
        yield Sample("labnet_cache_misses_total", (name,), self._resolver.misses)
        yield Sample("labnet_cache_evictions_total", (name,), self._cache.evictions)
        yield Sample("labnet_packet_cache_bytes", (name, "dns"), self.packets.dns.bytes)
        yield Sample("labnet_packet_cache_bytes", (name, "course"), self.packets.course.bytes)
        yield Sample("labnet_in_flight", (name,), self._resolver.in_flight)
        yield from self.counts.samples()
        yield from self._ports_samples()
        for parents in self._forwarding.parents.values():
            yield from parents.samples(name)

    def _ports_samples(self) -> Iterator[Sample]:
        """What was lost in the sockets; of those that are closed the counts have it already."""
        for listener in self._listeners:
            sock = getattr(listener.udp, "socket", None)
            if sock is not None:
                yield Sample("labnet_queries_dropped_total", (self.title, "overflow"), overflowed(sock))
            unsent = getattr(listener.udp, "unsent", 0)
            yield Sample("labnet_queries_dropped_total", (self.title, "unsent"), unsent)

    def status(self) -> dict[str, Any]:
        """What there is to say about it, for JSON; times in seconds."""
        now = self._reactor.seconds()
        return {
            "name": self.title,
            "records": self._records,
            "in_flight": self._resolver.in_flight,
            "cache": {
                "entries": len(self._cache),
                "bytes": self._cache.bytes,
                "most_bytes": self._config.cache_bytes,
                "hits": self._resolver.hits + self.packets.dns.renewed,
                "misses": self._resolver.misses,
                "evictions": self._cache.evictions,
            },
            "packet_cache_bytes": self.packets.dns.bytes + self.packets.course.bytes,
            "parents": [
                {
                    "domain": text_of(domain),
                    "address": state.address,
                    "up": state.down_until is None,
                    "round_trip": state.srtt,
                    "timeout": state.timeout,
                    "failures": state.failures,
                    "asked_again_in": None if state.down_until is None else max(0.0, state.down_until - now),
                }
                for domain, parents in self._forwarding.parents.items()
                for state in parents.states()
            ],
        }

    def flush(self, name: str) -> int:
        """Drop what was learned about ``name`` and every name below it, from the logs too; how many answers."""
        return self.forget(key_of(name))

    def forget(self, key: bytes) -> int:
        """The same for the name with that ``key``."""
        dropped = self._resolver.flush(key)
        self.packets.clear()
        if dropped:
            for log in self._logs:
                log.rewrite()
        return dropped

    def dump(self) -> Iterator[str]:
        """What is learned and valid, a line each, as in a master file with the seconds that are left as TTL."""
        now = self._reactor.seconds()
        for question, entry in self._cache.valid(now):
            yield from dump_lines(question, entry, now)

    def _forwards(self, config: ResolverConfig, loaded: Loaded) -> dict[bytes, IParent]:
        """The parents of each domain; where what is learned is shared, behind the other labs."""
        forwards = self._forwarding.take(config, loaded)
        if self._shared is None:
            return forwards
        self._groups = self._forwarding.groups(self.title)
        patience = config.parent_timeout * config.parent_tries
        return {
            domain: self._shared.parent(self._groups[domain], parents, _bounds(config), patience)
            for domain, parents in forwards.items()
        }

    def _make_protocol(self) -> ResolverProtocol:
        return ResolverProtocol(self._resolver, self._make_dialect(), self._responder, self._relays)

    def _make_dialect(self) -> Dialect:
        config = self._config
        return Dialect(json=config.dialect == "json", end="\n" if config.newline else "", unknown=config.unknown)

    def _make_responder(self) -> Responder:
        config = self._config
        nsid = config.nsid.encode()
        return Responder(
            self._resolver,
            self._cookies,
            self._reactor,
            nsid,
            config.explain,
            config.tcp_idle,
            self.packets,
            self.admission,
            self.counts,
        )

    @property
    def _logs(self) -> list[ILearned]:
        return [log for log in (self._log, self._dns_log) if log is not None]

    def _make_logs(self, loaded: Loaded) -> None:
        self._log = self._dns_log = None
        if self._config.learned is not None and self._told is None:
            self._log = course_log(self._config.learned, self._live_mappings, self._reactor)
            self._dns_log = dns_log(self._config.learned + DNS_LOG_SUFFIX, self._live_kept, self._reactor)
        self._log_state = (loaded.lines, loaded.cut)
        self._kept_state = (loaded.kept_lines, loaded.kept_cut)

    def _open_logs(self) -> None:
        if self._log is not None and self._dns_log is not None:
            self._log.open(*self._log_state)
            self._dns_log.open(*self._kept_state)

    def _close_logs(self) -> None:
        for log in self._logs:
            log.close()

    def _move_logs(self, loaded: Loaded) -> None:
        """The logs are elsewhere now: what they have there counts where nothing newer is known; then they have all."""
        self._close_logs()
        known = list(self._cache.valid(self._reactor.seconds()))
        _fill(self._cache, self._config, loaded, self._reactor.seconds())
        for question, entry in known:
            self._cache.put(question, entry)
        self._make_logs(loaded)
        self._open_logs()
        for log in self._logs:
            log.rewrite()

    def _learned(self, learned: Sequence[CachedAnswer]) -> None:
        lasting = [kept for kept in learned if kept[1].ttl]
        if self._told is not None:
            for kept in lasting:
                self._told(*kept)
        dns = [kept for kept in lasting if not kept[1].from_course]
        mappings = [
            entry.answer.mapping for _, entry in lasting if entry.from_course and entry.answer.mapping is not None
        ]
        for log, several in (self._dns_log, dns), (self._log, mappings):
            if log is not None and several:
                log.append(several)

    def _live_mappings(self) -> Iterator[Mapping]:
        for _, entry in self._cache.valid(self._reactor.seconds()):
            if entry.from_course and entry.answer.mapping is not None:
                yield entry.answer.mapping

    def _live_kept(self) -> Iterator[tuple[Question, Entry]]:
        return (kept for kept in self._cache.valid(self._reactor.seconds()) if not kept[1].from_course)


@implementer(IChange)
class _Change:
    """A configuration of a resolver that can be taken; its new listeners are open."""

    def __init__(
        self,
        service: ResolverService,
        config: ResolverConfig,
        loaded: Loaded | None,
        opened: list[Listener],
        closing: list[Listener],
    ) -> None:
        self._service = service
        self._config = config
        self._loaded = loaded
        self._opened = opened
        self._closing = closing

    def commit(self) -> None:
        self._service.take_listeners(self._opened, self._closing)
        if self._loaded is not None:
            self._service.take(self._config, self._loaded)

    def cancel(self) -> None:
        for listener in self._opened:
            listener.close()


def _fill(cache: Cache, config: ResolverConfig, loaded: Loaded, now: float) -> None:
    for mapping in loaded.learned:
        # What is dated later than now was learned before the clock was set back: its lifetime begins now at the latest.
        mapping = replace(mapping, since=min(mapping.since, now))
        question, entry = entry_of_mapping(key_of(mapping.name), mapping, os.path.basename(config.learned or ""))
        # Of one name the last line counts, even if its time is over.
        cache.forget(question)
        if entry.is_valid(now):
            cache.put(question, entry)
    for question, entry in loaded.kept:
        entry.since = min(entry.since, now)
        if entry.is_valid(now):
            cache.put(question, entry)


def _rules(config: ResolverConfig) -> Rules:
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


def _bounds(config: ResolverConfig) -> Bounds:
    return Bounds(
        default_ttl=config.default_ttl,
        ttl_min=config.ttl_min,
        ttl_max=config.ttl_max,
        negative_ttl_max=config.negative_ttl_max,
        prefetch=config.prefetch,
        in_flight=config.in_flight,
    )
