"""One resolver, wired: records, what was learned, parents, ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IListeningPort
from zope.interface import implementer

from labnet.config.resolver import ResolverConfig
from labnet.dialects.referrals import Referrals
from labnet.interfaces import (
    UNWATCHED,
    IChange,
    IDatagramSockets,
    IEvents,
    IMeasured,
    IParent,
    IReactor,
    IResolver,
    StartError,
)
from labnet.metrics import Sample, version
from labnet.net.datagrams import SystemSockets
from labnet.resolver.cache.interfaces import ILearned
from labnet.resolver.cache.policy import entry_of_mapping
from labnet.resolver.change import ResolverChange
from labnet.resolver.clients.admission import Admission
from labnet.resolver.clients.cookies import Cookies
from labnet.resolver.clients.counts import Counts
from labnet.resolver.engine.fast_path import FastPath
from labnet.resolver.engine.resolver import Resolver
from labnet.resolver.filtering.screen import screens_of
from labnet.resolver.forwarding import Forwarding, parents_status
from labnet.resolver.inspection import Inspection
from labnet.resolver.learning import Learning
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.operator import Operator
from labnet.resolver.ready.packetcache import PacketCaches
from labnet.resolver.serve.course import CourseResponder
from labnet.resolver.serve.course_stream import CourseStreamProtocol
from labnet.resolver.serve.identity import identities
from labnet.resolver.serve.listeners import Listeners
from labnet.resolver.serve.ports import Ports
from labnet.resolver.serve.responder import Responder, ResponderOptions
from labnet.resolver.serve.tcp import DNSStreamProtocol, DNSStreams
from labnet.resolver.serve.udp import ResolverProtocol
from labnet.resolver.settings import bounds_of, codec_of, rules_of
from labnet.resolver.shared.values import Flush, ParentGroup
from labnet.resolver.validating import Validating
from labnet.wire.names import ROOT, key_of_shown
from labnet.wire.types import Mapping as NameMapping
from labnet.wire.types import Question, RRType

if TYPE_CHECKING:
    from labnet.resolver.shared.cache import SharedCache
    from labnet.resolver.transfers.exchange import ZoneExchange


@dataclass(frozen=True)
class Surroundings:
    """What a resolver uses of the process that it runs in.

    ``sockets`` are those to its parents (default: the system's), ``shared`` is the cache that it shares with other
    labs. In one of several processes ``learned`` takes what it learns in place of log files of its own, and ``secret``
    is what the DNS cookies of all of them are made with. ``events`` is where it tells what happens. ``notified`` is
    called with the resolver, the zone, its serial and the primary when that says that a secondary zone is a newer one.
    """

    sockets: IDatagramSockets | None = None
    random: Random = field(default_factory=SystemRandom)
    shared: SharedCache | None = None
    learned: ILearned | None = None
    secret: bytes | None = None
    events: IEvents = UNWATCHED
    notified: Callable[[str, bytes, int | None, str], object] = lambda resolver, zone, serial, host: None


@implementer(IMeasured)
class ResolverService(Service):
    """The resolver ``name``: listens as ``config`` says and answers from ``loaded`` and its parents."""

    def __init__(
        self,
        name: str,
        config: ResolverConfig,
        loaded: Loaded,
        reactor: IReactor,
        surroundings: Surroundings = Surroundings(),
    ) -> None:
        self.title = name
        self._config = config
        self._reactor = reactor
        self._listeners = Listeners()
        self._credentials = loaded.credentials
        random = surroundings.random
        self.learning = Learning(config, loaded, reactor, surroundings.learned)
        """What it has learned."""
        self._cache = self.learning.cache
        self._forwarding = Forwarding(surroundings.sockets or SystemSockets(reactor, random), reactor, random)
        self._validating = Validating(reactor)
        self._validating.take(config, loaded)
        self._shared = surroundings.shared
        self._groups: dict[bytes, ParentGroup] = {}
        forwards, bounds = self._forwards(config, loaded), bounds_of(config, loaded.dialect)
        self._resolver = Resolver(loaded.zone, self._cache, forwards, self.learning.keep, reactor, bounds)
        self.packets = PacketCaches(config.packet_cache_bytes, reactor)
        self.packets.change(config.packet_cache_bytes, loaded.zone)
        self.operator = Operator(name, self._resolver, self._records_changed, reactor)
        self.admission = Admission(rules_of(config))
        self.counts = Counts(name)
        self.counts.events = surroundings.events
        self.counts.parent_of = self.learning.parent_of
        self._notified = partial(surroundings.notified, name)
        self._exchange: ZoneExchange | None = None
        self._take_exchange(config, loaded)
        self.counts.security_of = self._security_of
        self._cookies = Cookies(surroundings.secret or random.randbytes(16))
        self._responder = self._make_responder()
        codec, referrals = codec_of(config, loaded.dialect), Referrals(loaded.referrals)
        self._course = CourseResponder(self._resolver, codec, referrals, self._responder, self._register)
        self._streams = DNSStreams(
            self._responder, reactor, config.tcp_idle, config.tcp_connections, config.tcp_per_address
        )
        self.inspection = Inspection(name, self._resolver, self._cache, self._forwarding, reactor)
        """What it knows and would do, for who looks at it."""
        self._streams.make_protocol = self._stream_protocol()
        self._fast_path = FastPath(
            reactor, self._resolver, config.explain, (config.ttl_min, config.ttl_max), config.mixed_case
        )
        self._take_screens(config, loaded)
        self._ports = Ports(reactor, self._make_protocol, self._streams, self.packets)

    @property
    def ports(self) -> tuple[IListeningPort, ...]:
        """The UDP ports that are open; TCP ports of the same numbers go with them."""
        return tuple([listener.udp for listener in self._listeners.regular])

    @property
    def all_ports(self) -> tuple[tuple[str, IListeningPort], ...]:
        """Those and the ports of encrypted DNS that are open, each behind its kind."""
        return self._listeners.ports

    @property
    def streams(self) -> DNSStreams:
        """What makes the connections of clients over TCP."""
        return self._streams

    def privilegedStartService(self) -> None:
        config = self._config
        self._listeners.exchange(
            self._ports.open(config.listen, config.batch, config.batch_delay, self._credentials), []
        )

    def startService(self) -> None:
        super().startService()
        self.learning.open()

    def prepare(self, config: ResolverConfig, loaded: Loaded | None) -> IChange:
        """``config`` and the files behind it (``loaded``), to be taken in one step; new listeners are open then.

        Without ``loaded`` only the listeners change. Those that both have keep their sockets, and what was learned
        stays. Raises :class:`~labnet.interfaces.StartError`; then nothing has changed.
        """
        closing, opening = self._listeners.changed(config.listen)
        claim = self.learning.claim(config)
        try:
            credentials = self._credentials if loaded is None else loaded.credentials
            opened = self._ports.open(opening, config.batch, config.batch_delay, credentials)
        except StartError:
            if claim is not None:
                claim.release()
            raise

        def take() -> None:
            self._listeners.exchange(opened, closing)
            if loaded is not None:
                self._take(config, loaded)

        return ResolverChange(take, opened, claim)

    def _take(self, config: ResolverConfig, loaded: Loaded) -> None:
        """Serve by ``config`` and the files behind it from now on, by all listeners."""
        self._config = config
        self.learning.take(config, loaded)
        groups = self._groups
        is_other = self._validating.take(config, loaded)
        self._resolver.change(loaded.zone, self._forwards(config, loaded), bounds_of(config, loaded.dialect))
        if self._shared is not None and self._groups != groups:
            # Other parents are asked from now on: what was learned so far counts no more, in no lab.
            self.forget(ROOT)
            self._shared.flush(Flush(None, self.title))
        self._take_exchange(config, loaded)
        if is_other:  # what was learned was validated otherwise, or not at all
            self.forget(ROOT)
        self._fast_path.change(config.explain, (config.ttl_min, config.ttl_max), config.mixed_case)
        self._responder = self._make_responder()
        self._course.change(codec_of(config, loaded.dialect), Referrals(loaded.referrals), self._responder)
        self._streams.make_protocol = self._stream_protocol()
        self._take_screens(config, loaded)
        self._streams.change(self._responder, config.tcp_idle, config.tcp_connections, config.tcp_per_address)
        self._credentials = loaded.credentials
        self._listeners.change(self._responder, config.batch_delay, loaded.credentials)
        self.packets.change(config.packet_cache_bytes, loaded.zone)

    def drain(self) -> Deferred[None]:
        """Take no further questions; fires when every one that was asked has its answer."""
        self._listeners.stop_reading()
        return gatherResults([self._resolver.idle(), self._streams.drain()]).addCallback(lambda _: None)

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed; clients that still wait for an answer get a failure."""
        super().stopService()
        self._fast_path.close()
        if self._exchange is not None:
            self._exchange.stop()
        self._resolver.stop()
        self._forwarding.close()
        self.learning.close()
        return gatherResults([self._streams.close(), *self._listeners.close()]).addCallback(lambda _: None)

    def samples(self) -> Iterator[Sample]:
        name = self.title
        yield Sample("labnet_records", (name,), len(self._resolver.zone))
        yield Sample("labnet_cache_entries", (name,), len(self._cache))
        yield Sample("labnet_cache_bytes", (name,), self._cache.bytes)
        yield Sample("labnet_cache_hits_total", (name,), self._resolver.hits + self.packets.dns.renewed)
        yield Sample("labnet_cache_misses_total", (name,), self._resolver.misses)
        yield Sample("labnet_cache_evictions_total", (name,), self._cache.evictions)
        yield Sample("labnet_packet_cache_bytes", (name, "dns"), self.packets.dns_bytes)
        yield Sample("labnet_packet_cache_bytes", (name, "course"), self.packets.course.bytes)
        yield Sample("labnet_in_flight", (name,), self._resolver.in_flight)
        yield from self.counts.samples()
        if self._screens is not None:
            yield from self._screens.samples(name)
        if self._exchange is not None:
            yield from self._exchange.samples()
        yield from self._validating.samples(name)
        yield from self._listeners.samples(name)
        for parents in self._forwarding.parents.values():
            yield from parents.samples(name)

    def status(self) -> dict[str, Any]:
        """What there is to say about it, for JSON; times in seconds."""
        now = self._reactor.seconds()
        return {
            "name": self.title,
            "records": len(self._resolver.zone),
            "in_flight": self._resolver.in_flight,
            "cache": {
                "entries": len(self._cache),
                "bytes": self._cache.bytes,
                "most_bytes": self._config.cache_bytes,
                "hits": self._resolver.hits + self.packets.dns.renewed,
                "misses": self._resolver.misses,
                "evictions": self._cache.evictions,
            },
            "packet_cache_bytes": self.packets.dns_bytes + self.packets.course.bytes,
            "parents": list(parents_status(self._forwarding.parents, now)),
        }

    def flush(self, name: str) -> int:
        """Drop what was learned about ``name`` and every name below it, in the logs too; returns how many answers."""
        return self.forget(key_of_shown(name))

    def forget(self, *keys: bytes) -> int:
        """Drop what was learned about the names with these ``keys``, as :meth:`flush` does, in one go."""
        dropped = self._resolver.flush(*keys)
        self._validating.forget()
        self.packets.clear()
        if dropped:
            self.learning.rewrite()
        return dropped

    def flush_negative(self) -> int:
        """Drop what was learned not to be there, in the logs too, and every failure; how many answers that were."""
        dropped = self._resolver.flush_negative()
        self._validating.forget()
        self.packets.clear()
        if dropped:
            self.learning.rewrite()
        return dropped

    def _records_changed(self) -> None:
        self.packets.change(self._config.packet_cache_bytes, self._resolver.zone)

    def _forwards(self, config: ResolverConfig, loaded: Loaded) -> dict[bytes, IParent]:
        """The parents of each domain; behind the other labs where what is learned is shared, and behind validation."""
        forwards = self._forwarding.take(config, loaded)
        if self._shared is not None:
            self._groups = self._forwarding.groups(self.title)
            patience, bounds = config.parent_timeout * config.parent_tries, bounds_of(config, loaded.dialect)
            forwards = {
                domain: self._shared.parent(self._groups[domain], parents, bounds, patience)
                for domain, parents in forwards.items()
            }
        return self._validating.parents(forwards, self._forwarding.of_course)

    def _take_exchange(self, config: ResolverConfig, loaded: Loaded) -> None:
        """Deal with other servers of the zones, once ``config`` has any."""
        if self._exchange is not None:
            self._exchange.change(config, loaded.zone)
        elif _has_exchange(config):
            from labnet.resolver.transfers.exchange import ZoneExchange  # most labs know of no other servers

            self._exchange = ZoneExchange(self.title, config, loaded.zone, self._reactor, self._notified)

    def _take_screens(self, config: ResolverConfig, loaded: Loaded) -> None:
        """Keep from clients what the lists of ``config`` and the guard against rebinding say."""
        self._screens = self.operator.screens = screens = screens_of(config, loaded.lists, self._reactor)
        self._resolver.usual = None if screens is None else screens.usual
        self.admission.change(rules_of(config, screens))

    def _make_protocol(self) -> ResolverProtocol:
        return ResolverProtocol(self._course, self._responder, self._fast_path)

    def _register(self, question: Question, address: str, ttl: int | None) -> bool:
        """A client gives a name its address; whether it may: the records come first.

        It lives for ``course_ttl_max`` seconds, or until somebody registers it anew, whatever its TTL says to clients.
        """
        if self._resolver.recorded(question) is not None:
            return False
        now, config = self._reactor.seconds(), self._config
        mapping = NameMapping(question.spelled, address, config.default_ttl if ttl is None else ttl, True, now)
        learned, entry = entry_of_mapping(question.key, mapping, "a client")
        entry.ttl = config.course_ttl_max
        self._cache.put(learned, entry)
        self.packets.clear()
        return True

    def _stream_protocol(self) -> Callable[[DNSStreams], DNSStreamProtocol]:
        """What serves a connection: DNS, and the dialect where that is for TCP."""
        if not self._course.codec.dialect.is_stream:
            return DNSStreamProtocol
        return lambda streams: CourseStreamProtocol(streams, self._course)

    def _make_responder(self) -> Responder:
        config = self._config
        texts = identities(config.nsid, version()) if config.identify else {}
        exchange = self._exchange if _has_exchange(config) else None
        options = ResponderOptions(config.nsid.encode(), config.explain, config.tcp_idle, texts, exchange)
        answers = self.operator.answers = self._answers(config)
        return Responder(answers, self._cookies, options, self.packets, self.admission, self.counts)

    def _answers(self, config: ResolverConfig) -> IResolver:
        """What answers DNS: the resolver, or what makes AAAA records of what that has."""
        if config.dns64 is None:
            self._resolver.full_path_types = ()
            return self._resolver
        from labnet.resolver.engine.dns64 import DNS64  # few networks have no IPv4

        self._resolver.full_path_types = RRType.AAAA, RRType.PTR
        return DNS64(self._resolver, config.dns64, config.dns64_exclude)

    def _security_of(self, question: Question) -> str:
        entry = self._cache.peek(question) or self._resolver.flights.failures.peek(question)
        return "" if entry is None or not entry.security else entry.security.word


def _has_exchange(config: ResolverConfig) -> bool:
    return bool(config.keys or config.transfer or config.secondary)
