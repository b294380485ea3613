"""The decisions of one resolver: zone, cache, a join with the same question in flight, the parents."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IParent, IResolver
from labnet.resolver.cache.cache import Cache, Entry
from labnet.resolver.cache.lines import CachedAnswer
from labnet.resolver.cache.policy import Bounds, answer_of_mapping, entry_of
from labnet.resolver.engine.chains import Chain, cut_chain
from labnet.resolver.records.special import may_be_special, special_find
from labnet.resolver.records.zone import Zone
from labnet.resolver.upstream.errors import ParentFailed
from labnet.resolver.upstream.selection import Parents
from labnet.wire.names import ROOT, ancestors, is_opaque
from labnet.wire.types import Answer, ExtendedError, InfoCode, Question, Rcode, RRType, Upstream, failure_of

_FAILED_FOR: Final = 5
"""Seconds that a failure is remembered; RFC 9520, section 3.2, asks for 1 to 300."""

_FAILURES_BYTES: Final = 4_000_000

_LOOK: Final = 0.02
"""Seconds between two looks whether a resolver that is to stop has answered everything."""


@implementer(IResolver)
class Resolver:
    """Answers from ``zone`` and ``cache``; what neither knows is asked of a parent and learned.

    ``forwards`` has the parents by domain, as keys; the longest that fits the name counts, the root's is for the rest.
    ``learned`` is called with everything that is learned, before any of it is answered.
    """

    log = Logger()

    def __init__(
        self,
        zone: Zone,
        cache: Cache,
        forwards: Mapping[bytes, IParent],
        learned: Callable[[list[CachedAnswer]], None],
        clock: IReactorTime,
        bounds: Bounds,
    ) -> None:
        self._zone = zone
        self._cache = cache
        self._forwards = forwards
        self._learned = learned
        self._clock = clock
        self._bounds = bounds
        self._fresh: list[CachedAnswer] = []
        self._failures = Cache(_FAILURES_BYTES)
        self._waiting: dict[Question, list[Deferred[Answer]]] = {}
        self._walks: dict[Question, Deferred[Answer]] = {}
        self._said_at = -math.inf
        self._unsaid = 0
        self._idle: list[Deferred[None]] = []
        self._look_call: IDelayedCall | None = None
        self.hits = 0
        self.misses = 0

    @property
    def in_flight(self) -> int:
        """Questions that parents are being asked."""
        return len(self._waiting)

    @property
    def can_recurse(self) -> bool:
        return bool(self._forwards)

    def known(self, question: Question, failures: bool = True) -> Answer | None:
        chain = Chain(question)
        whole = None
        while whole is None:
            answer = self._local(chain.asked, failures)
            if answer is None:
                return None
            whole = chain.follow(self._cut(answer, chain.asked))
        return whole

    def recorded(self, question: Question) -> Answer | None:
        chain = Chain(question)
        whole = None
        while whole is None:
            answer = special_find(chain.asked, self._zone) or self._zone.find(chain.asked)
            if answer is None and not chain.rrsets:
                return None
            whole = chain.follow(answer or Answer(Rcode.NOERROR))
        return whole

    def nearest(self, question: Question) -> Answer | None:
        chain = Chain(question)
        whole = None
        while whole is None:
            answer = self._local(chain.asked, failures=True) or self._zone.find(chain.asked)
            if answer is None and not chain.rrsets:
                return None
            whole = chain.follow(Answer(Rcode.NOERROR) if answer is None else self._cut(answer, chain.asked))
        return whole

    def ask(self, question: Question) -> Deferred[Answer]:
        asking = Deferred.fromCoroutine(self._follow(question))
        return asking.addErrback(self._unexpected, question)

    def short_way(self, question: Question, now: float) -> Parents | None:
        """Whom to ask ``question`` in one datagram (:mod:`labnet.resolver.upstream.relay`), where nothing at all is
        known of it.

        None where something is, where it is being asked already, or where its parents are of another kind.
        """
        if question in self._waiting or len(self._waiting) >= self._bounds.in_flight:
            return None
        key = question.key
        if may_be_special(key) or not self._zone.is_silent_about(key):
            return None
        cache = self._cache
        if question in cache or question in self._failures:
            return None
        if question.rrtype != RRType.A and Question(key, RRType.A) in cache:
            return None
        parents = self._forward(question)
        return parents if isinstance(parents, Parents) else None

    def begin(self, question: Question) -> None:
        """``question`` is asked on the short way; who else asks it waits for :meth:`told` or :meth:`ask_anew`."""
        self._waiting[question] = []
        self.misses += 1

    def let_go(self, question: Question) -> bool:
        """Nothing that lasts came on the short way: whether nobody waits on the long one. Then it is over."""
        if self._waiting[question]:
            return False
        del self._waiting[question]
        return True

    def told(self, question: Question, upstream: Upstream) -> None:
        """Learn what came on the short way, and answer who waits on the long one; :meth:`settle` has to follow."""
        if self._waiting[question]:
            self._answer(self._kept(question, upstream), question)
        else:
            del self._waiting[question]
            self._keep(question, upstream)

    def settle(self) -> None:
        """Have all that was learned kept: what came on the short way may be answered."""
        fresh, self._fresh = self._fresh, []
        if fresh:
            self._learned(fresh)

    def ask_anew(self, question: Question) -> None:
        """Nothing of use came on the short way: those who wait are answered on the long one."""
        parents = self._forward(question)
        if not self._waiting[question] or parents is None:
            del self._waiting[question]
        else:
            self._walk(parents, question)

    def change(self, zone: Zone, forwards: Mapping[bytes, IParent], bounds: Bounds) -> None:
        """Answer by these from now on. A question in flight is answered by the parent that was asked already.

        What was learned is kept. Failures are forgotten: what they came from may be mended.
        """
        self._zone = zone
        self._forwards = forwards
        self._bounds = bounds
        self._failures.flush(ROOT)

    def flush(self, key: bytes) -> int:
        """Drop what was learned about the name and every name below it; how many answers that were."""
        self._failures.flush(key)
        return self._cache.flush(key)

    def idle(self) -> Deferred[None]:
        """Fires when no parent is being asked and everybody who waited has the answer."""
        idle: Deferred[None] = Deferred()
        self._idle.append(idle)
        if self._look_call is None:
            self._look()
        return idle

    def _look(self) -> None:
        self._look_call = None
        if self._waiting:
            self._look_call = self._clock.callLater(_LOOK, self._look)
            return
        waiting, self._idle = self._idle, []
        for idle in waiting:
            idle.callback(None)

    def stop(self) -> None:
        """Give up every question in flight; who waits for one is told that it failed."""
        if self._look_call is not None:
            self._look_call.cancel()
            self._look_call = None
        for walk in list(self._walks.values()):
            walk.cancel()

    async def _follow(self, question: Question) -> Answer:
        chain = Chain(question)
        whole = None
        while whole is None:
            # The course protocol alone has its names spelled, and asks again for what failed a moment ago.
            answer = self._local(chain.asked, failures=bool(chain.rrsets and not question.spelled))
            if answer is None:
                self.misses += 1
                answer = await self._from_parent(chain.asked)
            whole = chain.follow(self._cut(answer, chain.asked))
        return whole

    def _local(self, question: Question, failures: bool) -> Answer | None:
        """One step of a chain, from what is known here."""
        own = self._own(question)
        if own is not None:
            return replace(own, until=math.inf)
        known = self._remembered(question, failures)
        return _nobody_to_ask() if known is None and self._forward(question) is None else known

    def _own(self, question: Question) -> Answer | None:
        """What special names and records say; a referral among them stands where there is no parent to follow it."""
        special = special_find(question, self._zone)
        if special is not None:
            return special
        found = self._zone.find(question)
        return None if found is not None and found.is_referral and self._forward(question) is not None else found

    def _cut(self, answer: Answer, asked: Question) -> Answer:
        """``answer`` without what a parent says behind a CNAME about names that it is not asked for.

        Those are names of our own records, and those below a domain that another parent is there for. So does unbound
        with what lies outside a forwarded domain; dnsmasq passes the chain on whole.
        """

        def is_elsewhere(key: bytes) -> bool:
            target = Question(key, asked.rrtype)
            parent = self._forward(target)
            return (parent is not None and parent is not self._forward(asked)) or self._own(target) is not None

        return cut_chain(answer, asked, is_elsewhere)

    def _remembered(self, question: Question, failures: bool) -> Answer | None:
        now = self._clock.seconds()
        entry = self._cache.find(question, now)
        if entry is not None:
            self.hits += 1
            if self._bounds.prefetch and entry.is_due(now):
                entry.refreshed = True
                self._from_parent(question)
            aged = entry.aged(now)
            # While it is asked anew no ready answer is kept, which would hide the new one for a second.
            return replace(aged, until=0.0) if entry.refreshed else aged
        named = self._cache.find(Question(question.key, RRType.A), now)
        if named is not None and named.from_course and named.answer.mapping is not None:
            # A course parent knows names, not types: there is nothing more to ask it.
            return replace(named, answer=answer_of_mapping(named.answer.mapping, question)).aged(now)
        failed = self._failures.find(question, now) if failures else None
        if failed is None:
            return None
        cached = ExtendedError(InfoCode.CACHED_ERROR, f"failed {max(0, int(now - failed.since))} s ago")
        return self._stale(question, now) or replace(failed.answer, errors=(*failed.answer.errors, cached))

    def _stale(self, question: Question, now: float) -> Answer | None:
        entry = self._cache.find_stale(question, now)
        return None if entry is None else entry.stale(now)

    def _from_parent(self, question: Question) -> Deferred[Answer]:
        """Ask a parent for one step of a chain, or wait with who asked already. Never fails."""
        waiting = self._waiting.get(question)
        asked: Deferred[Answer] = Deferred()
        if waiting is not None:
            waiting.append(asked)
            return asked
        parent = self._forward(question)
        if parent is None:
            return succeed(_nobody_to_ask())
        if len(self._waiting) >= self._bounds.in_flight:
            return succeed(failure_of("too many questions in flight"))
        self._waiting[question] = [asked]
        self._walk(parent, question)
        return asked

    def _walk(self, parent: IParent, question: Question) -> None:
        walk = Deferred.fromCoroutine(self._learn(parent, question))
        self._walks[question] = walk
        walk.addErrback(self._unexpected, question).addCallback(self._answer, question)

    def _forward(self, question: Question) -> IParent | None:
        if len(self._forwards) == 1 and ROOT in self._forwards:
            return self._forwards[ROOT]
        for domain in (ROOT,) if is_opaque(question.key) else ancestors(question.key):
            if domain in self._forwards:
                return self._forwards[domain]
        return None

    async def _learn(self, parent: IParent, question: Question) -> Answer:
        try:
            upstream = await parent.ask(question)
        except ParentFailed as error:
            return self._failed(question, error)
        return self._kept(question, upstream)

    def _keep(self, question: Question, upstream: Upstream) -> Entry | None:
        """Learn what was told, and give what there is to keep of it; :meth:`settle` has to follow."""
        self._failures.forget(question)
        kept = entry_of(question, upstream, self._clock.seconds(), self._bounds)
        if kept is None:
            return None
        self._cache.put(*kept)
        self._fresh.append(kept)
        asked, entry = kept
        if asked != question and entry.answer.mapping is not None:
            return replace(entry, answer=answer_of_mapping(entry.answer.mapping, question))
        return entry

    def _kept(self, question: Question, upstream: Upstream) -> Answer:
        """Learn what was told, and give it as an answer."""
        entry = self._keep(question, upstream)
        self.settle()
        origin = f"from {upstream.parent}"
        if entry is None:
            return Answer(upstream.rcode, errors=upstream.errors, origin=origin)
        if upstream.since is not None:  # another lab asked a while ago
            now = self._clock.seconds()
            origin = entry.origin(now).replace("from the", "from the shared", 1)
            return replace(entry.aged(now), origin=origin, until=0.0)
        return replace(entry.answer, origin=origin)

    def _failed(self, question: Question, error: ParentFailed) -> Answer:
        now = self._clock.seconds()
        self._say_failed(question, error, now)
        answer = failure_of(str(error), InfoCode.NO_REACHABLE_AUTHORITY, error.errors)
        self._failures.put(question, Entry(answer, now, _FAILED_FOR, ""))
        return self._stale(question, now) or answer

    def _say_failed(self, question: Question, error: ParentFailed, now: float) -> None:
        """Log a failure, at most one a second: who asks must not be able to fill the log."""
        if 0 <= now - self._said_at < 1:
            self._unsaid += 1
            return
        more = f" (and {self._unsaid} more before)" if self._unsaid else ""
        self._said_at, self._unsaid = now, 0
        self.log.info(
            "{question} is not resolved: {why}{more}",
            question=str(question),
            why=str(error),
            more=more,
            event="resolver.not-resolved",
        )

    def _unexpected(self, failure: Failure, question: Question) -> Answer:
        if failure.check(CancelledError) is None:
            self.log.failure(
                "resolving {question} failed", failure, question=str(question), event="resolver.resolving-failed"
            )
        return failure_of("the server stops or failed")

    def _answer(self, answer: Answer, question: Question) -> None:
        self._walks.pop(question, None)
        for asked in self._waiting.pop(question):
            asked.callback(answer)


def _nobody_to_ask() -> Answer:
    error = ExtendedError(InfoCode.NOT_AUTHORITATIVE, "the name is not in the records and there is no parent to ask")
    return Answer(Rcode.REFUSED, errors=(error,))
