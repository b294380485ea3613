"""Recursion without a parent: a walk down from the root's servers, referral by referral (RFC 1034, section 5.3.3).

The walk takes nothing on trust: :mod:`labnet.resolver.recursive.bailiwick` says what of a reply counts. It is bounded
in every direction, so that no zone can make it work for long or against others (NXNSAttack, CNAME chains, circles of
servers).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IExchange, IParent
from labnet.resolver.files.root_hints import Hints
from labnet.resolver.recursive.bailiwick import Found, Lame, addresses_in, read_reply
from labnet.resolver.recursive.delegation import Delegation, Delegations, Memory, Reachable, RoundTrips
from labnet.resolver.recursive.minimise import Minimised
from labnet.resolver.recursive.steps import Step, question_text, told_text
from labnet.resolver.upstream.errors import ParentFailed
from labnet.wire.names import ROOT, is_below, is_opaque, parent, text_of
from labnet.wire.types import Question, Rcode, RRType, Upstream

_DS: Final = 43  # the one type that the parent zone answers (RFC 4035, section 3.1.4.1)
_ADDRESSLESS: Final = 60
"""Seconds for which a name server's name without addresses is not asked for again."""
_FAILED: Final = 5
"""Seconds for which a name server's name that could not be resolved is not asked for again (RFC 9520, section 3.2)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a walk goes for one question of a client, all that it leads to included.

    ``questions`` to servers, ``referrals`` followed, ``cnames`` in a chain (as unbound), ``depth`` of walks for the
    addresses of name servers, ``glueless`` name servers resolved for one zone (against NXNSAttack), ``seconds`` after
    which no further server is asked. ``zones`` and ``addresses`` bound what is remembered, in entries.
    """

    questions: int = 64
    referrals: int = 30
    cnames: int = 11
    depth: int = 4
    glueless: int = 3
    seconds: float = 30.0
    zones: int = 20_000
    addresses: int = 20_000


@implementer(IParent)
class RootWalk:
    """Asks the servers that the ``hints`` name, and those that they refer to, all of them at ``port``.

    ``random`` picks among equally good servers. ``ipv6`` says whether servers are asked over IPv6 too. ``steps`` is
    called with each question that was put to a server, once it is settled.
    """

    address = "root"

    def __init__(
        self,
        exchange: IExchange,
        hints: Hints,
        clock: IReactorTime,
        random: Random,
        port: int = 53,
        ipv6: bool = False,
        limits: Limits | None = None,
        steps: Callable[[Step], None] | None = None,
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._random = random
        self._port = port
        self._limits = limits = limits or Limits()
        self._steps = steps
        self._ipv6 = ipv6
        self._reachable = Reachable(hints.servers, ipv6)
        self._delegations = Delegations(hints.servers, limits.zones)
        self._addresses: Memory[bytes, tuple[str, ...]] = Memory(limits.addresses)
        self._round_trips = RoundTrips(random, limits.addresses)
        self._walks: dict[Question, _Walk] = {}

    def ask(self, question: Question) -> Deferred[Upstream]:
        if is_opaque(question.key):
            return fail(ParentFailed(f"DNS cannot carry the name {text_of(question.key)}"))
        return self._join(question, _Work(self._clock.seconds() + self._limits.seconds), None)

    def _join(self, question: Question, work: _Work, asker: _Walk | None) -> Deferred[Upstream]:
        """Walk for ``question``, or wait for the walk that is on its way for the same one."""
        walk = self._walks.get(question)
        if walk is not None and asker is not None and walk.waits_on(asker):
            return fail(ParentFailed(f"{question_text(question)} leads in a circle back to itself"))
        is_new = walk is None
        if walk is None:
            walk = self._walks[question] = _Walk(question, work, 0 if asker is None else asker.depth + 1)
        waiter = walk.wait()
        if asker is not None:
            asker.waits_for = walk
        if is_new:
            walk.running = Deferred.fromCoroutine(self._run(walk))
        return waiter

    async def _run(self, walk: _Walk) -> None:
        result: Upstream | Failure
        try:
            result = await self._follow(walk)
        except Exception:
            result = Failure()
        del self._walks[walk.question]
        walk.settle(result)

    async def _follow(self, walk: _Walk) -> Upstream:
        """The answer to the walk's question, from CNAME to CNAME: the target of each is resolved from above anew."""
        found = await self._descend(walk, walk.question)
        rrsets = found.rrsets
        while found.target is not None:
            aliases = [rrset for rrset in rrsets if rrset.rrtype == RRType.CNAME]
            if found.target in {rrset.key for rrset in aliases}:
                raise ParentFailed(f"the CNAMEs of {question_text(walk.question)} lead in a circle")
            if len(aliases) > self._limits.cnames:
                raise ParentFailed(f"{question_text(walk.question)} leads over more than {self._limits.cnames} CNAMEs")
            found = await self._descend(walk, Question(found.target, walk.question.rrtype))
            rrsets += found.rrsets
        return Upstream(found.rcode, walk.server, rrsets, found.soa)

    async def _descend(self, walk: _Walk, question: Question) -> Found:
        """From the deepest zone known above ``question`` down to the one that answers it."""
        start = parent(question.key) if question.rrtype == _DS else question.key
        delegation = self._delegations.find(start, self._clock.seconds())
        is_remembered = delegation.zone != ROOT
        path = Minimised(question, delegation.zone)
        while True:
            asked = path.next()
            try:
                told = await self._ask_zone(walk, delegation, asked)
            except _NoServer as error:
                # A zone whose servers are silent is not asked for again at its parent (RFC 4697, section 2.1.1);
                # one whose servers know nothing of it may have moved.
                if not error.lame or not (asked != question or is_remembered):
                    raise
                if asked != question:
                    path.relax()
                    continue
                self._delegations.forget(delegation.zone)
                delegation = self._delegations.find(parent(delegation.zone), self._clock.seconds())
                is_remembered = False
                path = Minimised(question, delegation.zone)
                continue
            if isinstance(told, Delegation):
                self._count_referral(walk, told)
                delegation, is_remembered = told, False
                path.reached(told.zone)
            elif asked == question:
                return told
            elif told.rcode == Rcode.NXDOMAIN:
                path.relax()
            else:
                path.reached(asked.key)

    def _count_referral(self, walk: _Walk, delegation: Delegation) -> None:
        walk.work.referrals += 1
        if walk.work.referrals > self._limits.referrals:
            raise ParentFailed(f"{question_text(walk.question)}: gave up after {self._limits.referrals} referrals")
        self._delegations.keep(delegation, self._clock.seconds())

    async def _ask_zone(self, walk: _Walk, delegation: Delegation, question: Question) -> Found | Delegation:
        """What a server of the zone told: those whose addresses are known first, then a few of the others."""
        attempt = _Attempt(walk, delegation.zone, question)
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
        told = await self._ask_servers(attempt, known)
        self._random.shuffle(unknown)
        for name in unknown[: self._limits.glueless]:
            if told is None:
                told = await self._ask_servers(attempt, await self._resolve_server(attempt, name))
        if told is None:
            raise _NoServer(attempt)
        return told

    async def _resolve_server(self, attempt: _Attempt, name: bytes) -> dict[str, bytes]:
        """The addresses of a name server that came without glue, by a walk of its own within the same bounds."""
        walk = attempt.walk
        now = self._clock.seconds()
        found: tuple[str, ...] = ()
        try:
            if walk.depth >= self._limits.depth:
                raise ParentFailed(f"servers without addresses lead more than {self._limits.depth} zones aside")
            for rrtype in (RRType.A, RRType.AAAA) if self._ipv6 else (RRType.A,):
                upstream = await self._join(Question(name, rrtype), walk.work, walk)
                found = addresses_in(upstream.rrsets, name)
                if found or upstream.rcode == Rcode.NXDOMAIN:
                    break
        except ParentFailed as error:
            attempt.failures.append(f"{text_of(name)} has no address ({error})")
            if isinstance(error, _NoServer):
                self._addresses.keep(name, (), now + _FAILED)
            return {}
        if found:
            ttl = min(rrset.ttl for rrset in upstream.rrsets)
            if ttl > 0:
                self._addresses.keep(name, found, now + ttl)
        else:
            attempt.failures.append(f"{text_of(name)} has no address")
            self._addresses.keep(name, (), now + _ADDRESSLESS)
        return {address: name for address in found if self._reachable(address)}

    async def _ask_servers(self, attempt: _Attempt, servers: dict[str, bytes]) -> Found | Delegation | None:
        """What the first of ``servers`` (names by address) told that serves its zone; None where none does."""
        for address in self._round_trips.in_order(servers, attempt.zone, self._clock.seconds()):
            if address in attempt.asked:
                continue
            attempt.asked.add(address)
            try:
                return await self._ask_server(attempt, servers[address], address)
            except _GaveUp:
                raise
            except ParentFailed as error:  # which names the address itself
                attempt.failures.append(f"{text_of(servers[address])}: {error}")
            except Lame as error:
                attempt.is_lame = True
                attempt.failures.append(f"{text_of(servers[address])} ({address}) {error}")
        return None

    async def _ask_server(self, attempt: _Attempt, name: bytes, address: str) -> Found | Delegation:
        began = self._clock.seconds()
        self._count_question(attempt, began)
        question, walk = attempt.question, attempt.walk
        came = "given up"
        try:
            reply = await self._exchange.ask(address, self._port, question, False, False)
            now = self._clock.seconds()
            self._round_trips.answered(address, now - began, now)
            told = read_reply(reply, question, attempt.zone, now)
            came = told_text(told) if self._steps is not None else ""
        except ParentFailed as error:
            came = str(error)
            self._round_trips.failed(address, self._clock.seconds())
            raise
        except Lame as error:
            came = f"lame: {error}"
            self._round_trips.was_lame(address, attempt.zone, self._clock.seconds())
            raise
        finally:
            if self._steps is not None:
                seconds = self._clock.seconds() - began
                zone = text_of(attempt.zone)
                self._steps(Step(text_of(name), address, zone, question_text(question), came, seconds, walk.depth))
        walk.server = f"{text_of(name)} ({address})"
        return told

    def _count_question(self, attempt: _Attempt, now: float) -> None:
        work, limits = attempt.walk.work, self._limits
        where = f"{question_text(attempt.walk.question)}: gave up after"
        if work.questions >= limits.questions:
            raise _GaveUp(f"{where} {limits.questions} questions, on the way to a server of {text_of(attempt.zone)}")
        if now >= work.until:
            raise _GaveUp(f"{where} {limits.seconds:g} seconds, on the way to a server of {text_of(attempt.zone)}")
        work.questions += 1


@dataclass(slots=True)
class _Work:
    """What one question of a client has cost so far, the walks that it started included."""

    until: float
    questions: int = 0
    referrals: int = 0


class _Walk:
    """One question on its way, and who waits for it.

    A walk waits for at most one other, so whether a new wait would close a circle is seen by following ``waits_for``.
    Once the other has ended the link stays, and does no harm: a walk that has ended asks nobody.
    """

    def __init__(self, question: Question, work: _Work, depth: int) -> None:
        self.question = question
        self.work = work
        self.depth = depth
        self.server = "root"
        self.waits_for: _Walk | None = None
        self.running: Deferred[None] | None = None
        self._waiters: list[Deferred[Upstream]] = []

    def waits_on(self, other: _Walk) -> bool:
        """Whether it is ``other``, or waits for it over however many."""
        walk: _Walk | None = self
        while walk is not None and walk is not other:
            walk = walk.waits_for
        return walk is other

    def wait(self) -> Deferred[Upstream]:
        """Fires with the answer. When all who wait have cancelled, the walk ends."""
        waiter: Deferred[Upstream] = Deferred(self._left)
        self._waiters.append(waiter)
        return waiter

    def settle(self, result: Upstream | Failure) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.called:
                continue  # cancelled by what an earlier one set off
            if isinstance(result, Failure):
                waiter.errback(Failure(result.value) if len(waiters) > 1 else result)
            else:
                waiter.callback(result)

    def _left(self, waiter: Deferred[Upstream]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
            if not self._waiters and self.running is not None:
                self.running.cancel()


@dataclass(slots=True)
class _Attempt:
    """One question to the servers of one zone: which were asked, and how they failed."""

    walk: _Walk
    zone: bytes
    question: Question
    asked: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    is_lame: bool = False


class _GaveUp(ParentFailed):
    """The question has cost what it may cost."""


class _NoServer(ParentFailed):
    """None of a zone's servers told anything of use; ``lame`` says that one at least is there."""

    def __init__(self, attempt: _Attempt) -> None:
        failures = attempt.failures or ["none has an address that can be asked"]
        shown = "; ".join(failures[:3]) + (f"; and {len(failures) - 3} more" if len(failures) > 3 else "")
        super().__init__(f"no server of {text_of(attempt.zone)} answered {question_text(attempt.question)}: {shown}")
        self.lame = attempt.is_lame
