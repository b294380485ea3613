"""One question to the servers of one zone, until one of them answers it.

They are asked one after the other: first those whose addresses are known, from the referral or from before; then a few
of the others, once their address is found (a name inside the zone is looked for at the zone's parent, any other by a
walk aside), those whose glue may be wrong included; then those that the zone names itself, where its parent's list is
dead. If none serves the zone as it should, what a resolver or a server without authority said counts, and a resolver is
asked once more for recursion.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from labnet.interfaces import IExchange
from labnet.resolver.files.root_hints import NameServer
from labnet.resolver.recursive.bailiwick import Found, Lame, addresses_in, read_glue, read_reply, servers_of_its_own
from labnet.resolver.recursive.delegation import Delegation, Delegations, Reachable
from labnet.resolver.recursive.steps import WalkStep, result_text
from labnet.resolver.recursive.walks import Attempt, GaveUp, Limits, NoServer, RunningWalk
from labnet.resolver.upstream.errors import NoRoute, ParentFailed, Unusable
from labnet.resolver.upstream.infra import InfraCache, Memory
from labnet.wire.names import ROOT, is_below, parent, text_of
from labnet.wire.types import Question, Rcode, Reply, RRType, Upstream

_ADDRESSLESS: Final = 60
"""Seconds for which a name server's name without addresses is not asked for again."""
_FAILED: Final = 5
"""Seconds for which a name server's name that could not be resolved is not asked for again (RFC 9520, section 3.2)."""
_NO_ROUTE: Final = 5
"""Seconds for which no server over IPv4, or IPv6, is asked after this machine had no route to one."""

Read = Callable[[Reply, float], Found | Delegation]
"""What a reply says, at which time; raises :class:`Lame`."""


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """How servers are asked: all at ``port``, within ``limits``.

    ``steps`` is called with each question that was put to a server, once it is settled.
    """

    port: int = 53
    limits: Limits = field(default_factory=Limits)
    steps: Callable[[WalkStep], None] | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """What servers are asked by: the ``exchange``, what is known of them (``infra``), the ``clock``.

    ``random`` picks among equally good servers.
    """

    exchange: IExchange
    infra: InfraCache
    clock: IReactorTime
    random: Random


class ZoneServers:
    """Asks the servers of zones over ``network``, those at addresses that are ``reachable``.

    ``delegations`` has the zones that are known. ``resolve`` finds the address of a name server, by another walk on
    behalf of the one given.
    """

    def __init__(
        self,
        network: Network,
        delegations: Delegations,
        reachable: Reachable,
        options: WalkOptions,
        resolve: Callable[[Question, RunningWalk], Deferred[Upstream]],
    ) -> None:
        self._network = network
        self._clock = network.clock
        self._delegations = delegations
        self._reachable = reachable
        self._options = options
        self._limits = options.limits
        self._resolve = resolve
        self._addresses: Memory[bytes, tuple[str, ...]] = Memory(options.limits.addresses)
        self._no_route: dict[bool, float] = {}

    async def ask(self, walk: RunningWalk, delegation: Delegation, question: Question) -> Found | Delegation:
        """What a server of the zone says; raises :class:`NoServer` where none says anything of use."""
        attempt = Attempt(walk, delegation, question)
        result = await self._ask_named(attempt, delegation.servers)
        own = self._delegations.find_own(attempt.zone, self._clock.seconds())
        if result is None:
            result = await self._ask_named(attempt, own or ()) or attempt.last_resort
        elif attempt.failures and own is None:
            await self._ask_for_own(attempt)
        if result is None and attempt.resolvers:
            servers = dict(attempt.resolvers)
            attempt.asked -= servers.keys()
            result = await self._ask_servers(attempt, servers, self._reader(attempt, True), recursion_desired=True)
        if result is None:
            raise NoServer(attempt)
        return result

    async def _ask_named(self, attempt: Attempt, servers: tuple[NameServer, ...]) -> Found | Delegation | None:
        """What one of ``servers`` says: those whose addresses are known first, then a few of the others."""
        known: dict[str, bytes] = {}
        unknown: list[NameServer] = []
        now = self._clock.seconds()
        for server in servers:
            remembered = self._addresses.find(server.name, now)
            for address in self._usable((*server.addresses, *(remembered or ()))):
                known.setdefault(address, server.name)
            if remembered == ():
                attempt.glueless += 1
            # The parent's servers, asked for a name inside the zone, would only repeat the glue that they gave.
            elif remembered is None and not (server.addresses and is_below(server.name, attempt.zone)):
                unknown.append(server)
        read = self._reader(attempt)
        result = await self._ask_servers(attempt, known, read)
        self._network.random.shuffle(unknown)
        for name in [server.name for server in sorted(unknown, key=lambda server: bool(server.addresses))]:
            if result is None and attempt.glueless < self._limits.glueless:
                attempt.glueless += 1
                result = await self._ask_servers(attempt, await self._find(attempt, name), read)
        return result

    def _usable(self, addresses: tuple[str, ...]) -> list[str]:
        return [address for address in addresses if self._reachable(address)]

    def _reader(self, attempt: Attempt, recursion_desired: bool = False) -> Read:
        """What a reply to the question of ``attempt`` says; the servers that the zone itself names are remembered."""

        def read(reply: Reply, now: float) -> Found | Delegation:
            result = read_reply(reply, attempt.question, attempt.zone, now, recursion_desired)
            own = servers_of_its_own(reply, attempt.question, attempt.zone, now)
            if own is not None:
                self._delegations.put_own(own, attempt.delegation)
            return result

        return read

    async def _ask_for_own(self, attempt: Attempt) -> None:
        """Ask the server that answered for those that the zone names itself: some that its parent names are dead."""
        (server,) = attempt.answered.items()
        unknown = Delegation(attempt.zone, (), self._clock.seconds() + _ADDRESSLESS)
        self._delegations.put_own(unknown, attempt.delegation)
        asking = Attempt(attempt.walk, attempt.delegation, Question(attempt.zone, RRType.NS))
        with suppress(GaveUp):
            await self._ask_servers(asking, dict([server]), self._reader(asking))

    async def _find(self, attempt: Attempt, name: bytes) -> dict[str, bytes]:
        """The addresses of the name server ``name``, which came without glue."""
        now = self._clock.seconds()
        try:
            found, ttl = await (self._ask_parent if is_below(name, attempt.zone) else self._walk_aside)(attempt, name)
        except ParentFailed as error:
            found, ttl = self._glue(name, now)
            if not found:
                attempt.failures.append(f"{text_of(name)} has no address ({error})")
                if isinstance(error, NoServer):
                    self._addresses.put(name, (), now + _FAILED)
                return {}
        if not found:
            attempt.failures.append(f"{text_of(name)} has no address")
            ttl = _ADDRESSLESS
        if ttl > 0:
            self._addresses.put(name, found, now + ttl)
        return dict.fromkeys(self._usable(found), name)

    def _glue(self, name: bytes, now: float) -> tuple[tuple[str, ...], int]:
        """The addresses of ``name`` beside the delegation of its own zone, and for how long they serve (seconds)."""
        servers = self._delegations.find(name, now).servers
        return next((server.addresses for server in servers if server.name == name), ()), _ADDRESSLESS

    async def _walk_aside(self, attempt: Attempt, name: bytes) -> tuple[tuple[str, ...], int]:
        """The addresses of ``name`` and their TTL (seconds), by a walk of its own within the same bounds."""
        walk = attempt.walk
        if walk.depth >= self._limits.depth:
            raise ParentFailed(f"servers without addresses lead more than {self._limits.depth} zones aside")
        for rrtype in RRType.A, RRType.AAAA:
            upstream = await self._resolve(Question(name, rrtype), walk)
            found = addresses_in(upstream.rrsets, name)
            if found:
                return found, min(rrset.ttl for rrset in upstream.rrsets)
            if upstream.rcode == Rcode.NXDOMAIN:
                break
        return (), 0

    async def _ask_parent(self, attempt: Attempt, name: bytes) -> tuple[tuple[str, ...], int]:
        """The addresses of ``name``, which is inside the zone, and their TTL, as the servers of its parent give them.

        No other server could: those of the zone itself are the ones whose addresses are missing.
        """
        if attempt.zone == ROOT:
            return (), 0
        now = self._clock.seconds()
        above = self._delegations.find(parent(attempt.zone), now)
        servers = {
            address: server.name
            for server in above.servers
            for address in self._usable(server.addresses or self._addresses.find(server.name, now) or ())
        }
        for rrtype in RRType.A, RRType.AAAA:
            inner = Attempt(attempt.walk, above, Question(name, rrtype))
            found = await self._ask_servers(inner, servers, lambda reply, _: read_glue(reply, name, above.zone))
            if not isinstance(found, Found):
                break
            if addresses := addresses_in(found.rrsets, name):
                return addresses, min(rrset.ttl for rrset in found.rrsets)
        return (), 0

    async def _ask_servers(
        self, attempt: Attempt, servers: dict[str, bytes], read: Read, recursion_desired: bool = False
    ) -> Found | Delegation | None:
        """What the first of ``servers`` (names by address) says that serves its zone; None where none does."""
        network, port = self._network, self._options.port
        at_port = [(address, port) for address in servers if address not in attempt.asked]
        for address, _ in network.infra.in_order(at_port, attempt.zone, network.random, self._clock.seconds()):
            name = servers[address]
            attempt.asked.add(address)
            try:
                result = await self._ask_server(attempt, name, address, read, recursion_desired)
                attempt.answered = {address: name}
                return result
            except GaveUp:
                raise
            except Lame as error:
                attempt.is_lame = True
                attempt.failures.append(f"{text_of(name)} ({address}) {error}")
                attempt.last_resort = attempt.last_resort or error.found
                if error.is_resolver:
                    attempt.resolvers[address] = name
            except ParentFailed as error:  # which names the address itself
                attempt.is_lame = attempt.is_lame or isinstance(error, Unusable)
                attempt.failures.append(f"{text_of(name)}: {error}")
        return None

    async def _ask_server(
        self, attempt: Attempt, name: bytes, address: str, read: Read, recursion_desired: bool
    ) -> Found | Delegation:
        network, server, is_ipv6 = self._network, (address, self._options.port), ":" in address
        began = self._clock.seconds()
        if self._no_route.get(is_ipv6, 0.0) > began:
            raise NoRoute(f"this machine has no route to {address}")
        sending = partial(self._count_packet, attempt)
        health = network.infra.asked(server, began)
        outcome = "given up"
        try:
            reply = await network.exchange.ask(*server, attempt.question, recursion_desired, False, sending)
            now = self._clock.seconds()
            health.answered(now - began)
            result = read(reply, now)
            outcome = result_text(result) if self._options.steps is not None else ""
        except ParentFailed as error:
            outcome, now = str(error), self._clock.seconds()
            if isinstance(error, NoRoute):
                self._no_route[is_ipv6] = now + _NO_ROUTE
            elif isinstance(error, Unusable):
                health.answered(now - began)
                network.infra.was_lame(server, attempt.zone, now)
            elif not isinstance(error, GaveUp):
                health.stayed_silent(began, now)
            raise
        except Lame as error:
            outcome = f"lame: {error}"
            network.infra.was_lame(server, attempt.zone, self._clock.seconds())
            raise
        finally:
            if self._options.steps is not None:
                took = self._clock.seconds() - began
                where = text_of(name), address, text_of(attempt.zone)
                self._options.steps(WalkStep(*where, str(attempt.question), outcome, took, attempt.walk.depth))
        attempt.walk.server = f"{text_of(name)} ({address})"
        return result

    def _count_packet(self, attempt: Attempt) -> None:
        spent, limits = attempt.walk.spent, self._limits
        if spent.packets >= limits.packets:
            raise _gave_up(attempt, f"{limits.packets} packets")
        if self._clock.seconds() >= spent.until:
            raise _gave_up(attempt, f"{limits.seconds:g} seconds")
        spent.packets += 1


def _gave_up(attempt: Attempt, spent: str) -> GaveUp:
    way = f"on the way to a server of {text_of(attempt.zone)}"
    return GaveUp(f"{attempt.walk.question}: gave up after {spent}, {way}")
