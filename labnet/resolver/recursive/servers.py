"""One question to the servers of one zone, until one of them tells something of use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from labnet.interfaces import IExchange
from labnet.resolver.recursive.bailiwick import Found, Lame, addresses_in, read_reply
from labnet.resolver.recursive.delegation import Delegation, Reachable
from labnet.resolver.recursive.steps import Step, result_text
from labnet.resolver.recursive.walks import Attempt, GaveUp, Limits, NoServer, Walk
from labnet.resolver.upstream.errors import ParentFailed
from labnet.resolver.upstream.infra import InfraCache, Memory
from labnet.wire.names import is_below, text_of
from labnet.wire.types import Question, Rcode, RRType, Upstream

_ADDRESSLESS: Final = 60
"""Seconds for which a name server's name without addresses is not asked for again."""
_FAILED: Final = 5
"""Seconds for which a name server's name that could not be resolved is not asked for again (RFC 9520, section 3.2)."""


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """How servers are asked: all at ``port``, over IPv6 too where ``ipv6`` says so, within ``limits``.

    ``steps`` is called with each question that was put to a server, once it is settled.
    """

    port: int = 53
    ipv6: bool = False
    limits: Limits = field(default_factory=Limits)
    steps: Callable[[Step], None] | None = None


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

    ``resolve`` finds the address of a name server, by another walk on behalf of the one given.
    """

    def __init__(
        self,
        network: Network,
        reachable: Reachable,
        options: WalkOptions,
        resolve: Callable[[Question, Walk], Deferred[Upstream]],
    ) -> None:
        self._network = network
        self._clock = network.clock
        self._reachable = reachable
        self._options = options
        self._limits = options.limits
        self._resolve = resolve
        self._addresses: Memory[bytes, tuple[str, ...]] = Memory(options.limits.addresses)

    async def ask(self, walk: Walk, delegation: Delegation, question: Question) -> Found | Delegation:
        """What a server of the zone says: those whose addresses are known first, then a few of the others."""
        attempt = Attempt(walk, delegation.zone, question)
        known: dict[str, bytes] = {}
        unknown: list[bytes] = []
        now = self._clock.seconds()
        for server in delegation.servers:
            remembered = self._addresses.find(server.name, now)
            addresses = [address for address in server.addresses or remembered or () if self._reachable(address)]
            for address in addresses:
                known.setdefault(address, server.name)
            # A name inside the zone could be resolved by nobody but the servers whose address is missing.
            if not addresses and remembered is None and not is_below(server.name, delegation.zone):
                unknown.append(server.name)
        result = await self._ask_servers(attempt, known)
        self._network.random.shuffle(unknown)
        for name in unknown[: self._limits.glueless]:
            if result is None:
                result = await self._ask_servers(attempt, await self._resolve_server(attempt, name))
        if result is None:
            raise NoServer(attempt)
        return result

    async def _resolve_server(self, attempt: Attempt, name: bytes) -> dict[str, bytes]:
        """The addresses of a name server that came without glue, by a walk of its own within the same bounds."""
        walk = attempt.walk
        now = self._clock.seconds()
        found: tuple[str, ...] = ()
        try:
            if walk.depth >= self._limits.depth:
                raise ParentFailed(f"servers without addresses lead more than {self._limits.depth} zones aside")
            for rrtype in (RRType.A, RRType.AAAA) if self._options.ipv6 else (RRType.A,):
                upstream = await self._resolve(Question(name, rrtype), walk)
                found = addresses_in(upstream.rrsets, name)
                if found or upstream.rcode == Rcode.NXDOMAIN:
                    break
        except ParentFailed as error:
            attempt.failures.append(f"{text_of(name)} has no address ({error})")
            if isinstance(error, NoServer):
                self._addresses.put(name, (), now + _FAILED)
            return {}
        if found:
            ttl = min(rrset.ttl for rrset in upstream.rrsets)
            if ttl > 0:
                self._addresses.put(name, found, now + ttl)
        else:
            attempt.failures.append(f"{text_of(name)} has no address")
            self._addresses.put(name, (), now + _ADDRESSLESS)
        return {address: name for address in found if self._reachable(address)}

    async def _ask_servers(self, attempt: Attempt, servers: dict[str, bytes]) -> Found | Delegation | None:
        """What the first of ``servers`` (names by address) says that serves its zone; None where none does."""
        network, port = self._network, self._options.port
        at_port = [(address, port) for address in servers]
        for address, _ in network.infra.in_order(at_port, attempt.zone, network.random, self._clock.seconds()):
            if address in attempt.asked:
                continue
            attempt.asked.add(address)
            try:
                return await self._ask_server(attempt, servers[address], address)
            except GaveUp:
                raise
            except ParentFailed as error:  # which names the address itself
                attempt.failures.append(f"{text_of(servers[address])}: {error}")
            except Lame as error:
                attempt.is_lame = True
                attempt.failures.append(f"{text_of(servers[address])} ({address}) {error}")
        return None

    async def _ask_server(self, attempt: Attempt, name: bytes, address: str) -> Found | Delegation:
        began = self._clock.seconds()
        self._count_question(attempt, began)
        question, walk, server = attempt.question, attempt.walk, (address, self._options.port)
        health = self._network.infra.asked(server, began)
        outcome = "given up"
        try:
            reply = await self._network.exchange.ask(*server, question, False, False)
            now = self._clock.seconds()
            health.answered(now - began)
            result = read_reply(reply, question, attempt.zone, now)
            outcome = result_text(result) if self._options.steps is not None else ""
        except ParentFailed as error:
            outcome = str(error)
            health.stayed_silent(began, self._clock.seconds())
            raise
        except Lame as error:
            outcome = f"lame: {error}"
            self._network.infra.was_lame(server, attempt.zone, self._clock.seconds())
            raise
        finally:
            if self._options.steps is not None:
                took = self._clock.seconds() - began
                where = text_of(name), address, text_of(attempt.zone)
                self._options.steps(Step(*where, str(question), outcome, took, walk.depth))
        walk.server = f"{text_of(name)} ({address})"
        return result

    def _count_question(self, attempt: Attempt, now: float) -> None:
        spent, limits = attempt.walk.spent, self._limits
        where = f"{attempt.walk.question}: gave up after"
        if spent.questions >= limits.questions:
            raise GaveUp(f"{where} {limits.questions} questions, on the way to a server of {text_of(attempt.zone)}")
        if now >= spent.until:
            raise GaveUp(f"{where} {limits.seconds:g} seconds, on the way to a server of {text_of(attempt.zone)}")
        spent.questions += 1
