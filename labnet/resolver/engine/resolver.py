"""The decisions of one resolver: zone, cache, a join with the same question in flight, the parents."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from labnet.events import Story
from labnet.interfaces import IParent, IResolver, IScreen
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.lines import CachedAnswer
from labnet.resolver.cache.policy import Bounds, answer_of_mapping
from labnet.resolver.engine.chains import Chain, cut_chain
from labnet.resolver.engine.flight import Flight
from labnet.resolver.engine.inflight import InFlight, failed_unexpectedly
from labnet.resolver.engine.steps import failed_before, note_entry, note_joined, note_own, note_unknown
from labnet.resolver.reasons import error_of, told_why
from labnet.resolver.records.special import may_be_special, special_find
from labnet.resolver.records.zone import Zone
from labnet.resolver.upstream.checked import CheckedParents
from labnet.resolver.upstream.dns import DNSParent
from labnet.resolver.upstream.selection import Parents, parent_for
from labnet.wire.dns_upstream import EarlyReply
from labnet.wire.names import ROOT, text_of
from labnet.wire.types import Answer, Question, Rcode, RRType, Security


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
        self.zone = zone
        """The records that it answers from."""
        self._cache = cache
        self._forwards = forwards
        self._clock = clock
        self.flights = InFlight(cache, learned, clock, bounds)
        """The questions that parents are being asked."""
        self.full_path_types: Collection[int] = ()
        """The types that are never asked for on the fast path."""
        self.usual: IScreen | None = None
        """What is kept from the clients whose questions may take the fast path; None: nothing is kept from any."""
        self.hits = 0
        self.misses = 0

    @property
    def in_flight(self) -> int:
        """Questions that parents are being asked."""
        return len(self.flights)

    @property
    def can_recurse(self) -> bool:
        return bool(self._forwards)

    def known(
        self, question: Question, failures: bool = True, story: Story | None = None, screen: IScreen | None = None
    ) -> Answer | None:
        chain = Chain(question, screen)
        whole = None
        while whole is None:
            answer = self._local(chain, failures, story)
            if answer is None:
                return None
            whole = self._followed(chain, answer, story)
        return whole

    def recorded(self, question: Question) -> Answer | None:
        chain = Chain(question)
        whole = None
        while whole is None:
            answer = special_find(chain.asked, self.zone) or self.zone.find(chain.asked)
            if answer is None and not chain.rrsets:
                return None
            whole = chain.follow(answer or Answer(Rcode.NOERROR))
        return whole

    def nearest(self, question: Question, screen: IScreen | None = None) -> Answer | None:
        chain = Chain(question, screen)
        whole = None
        while whole is None:
            answer = self._local(chain, failures=True) or self.zone.find(chain.asked)
            if answer is None and not chain.rrsets:
                return None
            whole = chain.follow(Answer(Rcode.NOERROR)) if answer is None else self._followed(chain, answer, None)
        return whole

    def ask(
        self, question: Question, story: Story | None = None, network: bytes = b"", screen: IScreen | None = None
    ) -> Deferred[Answer]:
        asking = Deferred.fromCoroutine(self._follow(Chain(question, screen), story, network))
        return asking.addErrback(failed_unexpectedly, question, self.log)

    def forwardable(self, question: Question, now: float) -> Parents | CheckedParents | None:
        """Whom to ask ``question``, that nobody asks yet, on the fast path (:mod:`labnet.resolver.engine.fast_path`).

        None where anything is known of it here at ``now`` (epoch seconds), where too much is in flight, and where its
        parents are of another kind.
        """
        key = question.key
        if question.rrtype in self.full_path_types or (self.usual and not self.usual.lets_pass(question)):
            return None
        if self.flights.is_full or may_be_special(key) or not self.zone.is_silent_about(key):
            return None
        cache = self._cache
        if cache.may_answer(question, now) or self.flights.failures.may_answer(question, now):
            return None
        if cache.may_deny(question, now):
            return None
        if question.rrtype != RRType.A and cache.may_answer(Question(key, RRType.A), now):
            return None  # it may be a course parent's, which knows names and no types
        parents = self._forward(question)
        if isinstance(parents, Parents):
            return parents
        return parents if isinstance(parents, CheckedParents) and not parents.may_answer(question) else None

    def divert(self, flight: Flight, replied: DNSParent | None = None, early: EarlyReply | None = None) -> None:
        """The fast path has nothing to pass on for ``flight``: its parents are asked on the full path.

        Where one has ``replied``, with what cannot be passed on, the full path goes on from that ``early`` reply.
        """
        parent = self._forward(flight.question)
        ask = None if parent is None else parent.ask
        if replied is not None and early is not None and isinstance(parent, Parents | CheckedParents):
            ask = partial(parent.resume, replied=replied, early=early)
        self.flights.divert(flight, ask, _NO_PARENT)

    def change(self, zone: Zone, forwards: Mapping[bytes, IParent], bounds: Bounds) -> None:
        """Answer by these from now on. A question in flight is answered by the parent that was asked already.

        What was learned stays. Failures are forgotten: what they came from may be mended.
        """
        self.zone = zone
        self._forwards = forwards
        self.flights.bounds = bounds
        self.flights.failures.flush(ROOT)

    def flush(self, *keys: bytes) -> int:
        """Drop what was learned about these names and every name below them; how many answers that were."""
        self.flights.failures.flush(*keys)
        return self._cache.flush(*keys)

    def flush_negative(self) -> int:
        """Drop what was learned not to be there, and every failure; how many answers that were."""
        self.flights.failures.flush(ROOT)
        return self._cache.flush_negative()

    def parent_of(self, question: Question) -> IParent | None:
        """Who is asked ``question`` where nothing here answers it."""
        return self._forward(question)

    def idle(self) -> Deferred[None]:
        """Fires when no parent is being asked and every client that waited has its answer."""
        return self.flights.idle()

    def stop(self) -> None:
        """Give up every question in flight; who waits for one gets SERVFAIL."""
        self.flights.stop()

    async def _follow(self, chain: Chain, story: Story | None, network: bytes) -> Answer:
        is_of_course = bool(chain.asked.spelled)
        whole = None
        noting: Story | None = None  # up to the first name that is not known, all was noted by known()
        while whole is None:
            # The course protocol alone has its names spelled, and asks again for what failed a moment ago.
            answer = self._local(chain, bool(chain.rrsets and not is_of_course), noting)
            if answer is None:
                self.misses += 1
                noting = story
                answer = await self._from_parent(chain.asked, story, network)
            whole = self._followed(chain, answer, noting)
        return whole

    def _followed(self, chain: Chain, answer: Answer, story: Story | None) -> Answer | None:
        """The whole answer where ``chain`` ends with ``answer``, else None."""
        asked, screen = chain.asked, chain.screen
        part = self._cut(answer, asked, screen)
        if screen is not None and answer.until != math.inf:  # else it is of the records, or of a list
            part = screen.look_at(asked, part, story)
        whole = chain.follow(part)
        if story is not None and whole is None:
            story.step("alias", name=text_of(asked.key), target=text_of(chain.asked.key))
        return whole

    def _local(self, chain: Chain, failures: bool, story: Story | None = None) -> Answer | None:
        """One step of ``chain``, from what is known here, or from what its screen says in place of that."""
        question = chain.asked
        own = self._own(question)
        if story is not None:
            note_own(story, question, own)
        if own is not None:
            return replace(own, until=math.inf)
        if chain.screen is not None:
            blocked, chain.screen = chain.screen.look(question, story)
            if blocked is not None:
                return blocked
        known = self._remembered(question, failures, story)
        if known is not None or self._forward(question) is not None:
            return known
        if story is not None:
            story.step("no-parent")
        return _NO_PARENT

    def _own(self, question: Question) -> Answer | None:
        """What special names and records say; a referral among them stands where there is no parent to follow it."""
        special = special_find(question, self.zone)
        if special is not None:
            return special
        found = self.zone.find(question)
        return None if found is not None and found.is_referral and self._forward(question) is not None else found

    def _cut(self, answer: Answer, asked: Question, screen: IScreen | None) -> Answer:
        """``answer`` without what a parent says behind a CNAME about names that it is not asked for.

        Those are names of our own records, those that a list of ``screen`` has, and those below a domain that another
        parent is there for. So does unbound with what lies outside a forwarded domain; dnsmasq passes the chain on
        whole.
        """

        def is_elsewhere(key: bytes) -> bool:
            target = asked.at(key)
            if screen is not None and not screen.lets_pass(target):
                return True
            parent = self._forward(target)
            return (parent is not None and parent is not self._forward(asked)) or self._own(target) is not None

        return cut_chain(answer, asked, is_elsewhere)

    def _remembered(self, question: Question, failures: bool, story: Story | None) -> Answer | None:
        now = self._clock.seconds()
        over = None if story is None else self._cache.peek(question)
        entry = self._cache.find(question, now)
        if entry is not None:
            return self._hit(question, entry, now, story)
        named = self._cache.find(Question(question.key, RRType.A), now)
        if named is not None and named.from_course and named.answer.mapping is not None:
            # A course parent knows names, not types: there is nothing more to ask it.
            if story is not None:
                note_entry(story, question, named, now)
            return named.aged(now, answer_of_mapping(named.answer.mapping, question))
        absent = self._cache.find_absent(question, now)
        if absent is not None and self._forward(absent[0]) is self._forward(question):
            return self._hit(*absent, now, story)
        failed = self.flights.failures.find(question, now) if failures else None
        if story is not None:
            note_unknown(story, question, over, failed, now)
        if failed is None:
            return None
        stale = None if failed.answer.security is Security.BOGUS else self.flights.stale(question, now, story)
        return stale or replace(failed.answer, errors=(*failed.answer.errors, error_of(failed_before(failed, now))))

    def _hit(self, question: Question, entry: Entry, now: float, story: Story | None) -> Answer:
        """What the cache has for ``question``, which is asked anew where ``entry`` is due."""
        if story is not None:
            note_entry(story, question, entry, now)
            if story.is_afterwards:
                return entry.aged(now)
        self.hits += 1
        if self.flights.bounds.prefetch and entry.is_due(now):
            entry.refreshed = True
            if story is not None:
                story.step("due")
            self._from_parent(question)
        aged = entry.aged(now)
        # While it is asked anew there is no ready answer, which would hide the new one for a second.
        return replace(aged, until=0.0) if entry.refreshed else aged

    def _from_parent(self, question: Question, story: Story | None = None, network: bytes = b"") -> Deferred[Answer]:
        """Ask a parent for one step of a chain, for a client of ``network``, or wait with who asked already.

        Never fails.
        """
        flight = self.flights.find(question)
        if flight is not None:
            if story is not None:
                note_joined(story, flight, self._clock.seconds())
            return succeed(_CROWDED) if flight.is_crowded else flight.wait(story)
        parent = self._forward(question)
        if parent is None:
            return succeed(_NO_PARENT)
        if not self.flights.make_room():
            if story is not None:
                story.step("full")
            return succeed(_FULL)
        flight = self.flights.reserve(question, self._clock.seconds(), network=network)
        flight.story = None if story is None else story.of_flight()
        answer = flight.wait(story)
        self.flights.ask(flight, parent.ask)
        return answer

    def _forward(self, question: Question) -> IParent | None:
        return parent_for(question, self._forwards)


_NO_PARENT: Final = told_why(Rcode.REFUSED, "no-parent")
_CROWDED: Final = told_why(Rcode.SERVFAIL, "crowded")
_FULL: Final = told_why(Rcode.SERVFAIL, "full")
