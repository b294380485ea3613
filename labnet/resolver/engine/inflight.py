"""The one table of who waits for what: every question that a parent is being asked, and what becomes of it.

Theory
------
A question goes to a parent by one of two paths. On the *fast path* (:mod:`labnet.resolver.engine.fast_path`) a
client's datagram is passed on and the reply passed back, both as bytes. On the *full path* a
:class:`~labnet.resolver.engine.resolver.Resolver` asks an :class:`~labnet.interfaces.IParent` and everything is
decoded. A question must be asked once however many ask it, by whichever path they come, so both share this table.

A :class:`~labnet.resolver.engine.flight.Flight` is one question that is being asked. Its states:

========= ================================================================ ========================================
state     what it means                                                    how it is seen
========= ================================================================ ========================================
forwarded the parent has the question in a datagram of the fast path       in the table, ``forwarder`` is set
asked     a coroutine asks the parents on the full path                    in the table, ``forwarder`` is None
landed    there is an answer, and nobody has got it yet                    not in the table, in ``InFlight._landed``
over      every client has its answer                                      nobody refers to it
========= ================================================================ ========================================

Its transitions, each a method of :class:`InFlight`:

======================== ============ =========== ==================================================================
method                   from         to          when
======================== ============ =========== ==================================================================
``reserve``              (none)       forwarded   a client asks what nobody asks yet; ``ask`` follows on the full path
``ask``                  forwarded    asked       the full path begins
``divert``               forwarded    asked       the fast path got silence, an error, or a reply that it cannot pass on
``learn``                asked        landed      a reply is in the cache, and waits to be logged
``learn_rdatas``         forwarded    landed      the same, where it was passed on as bytes
``release``              forwarded    over        a reply was passed on that does not last, and no Deferred waits for it
``commit``               landed       over        what was learned is logged; all who wait are answered
``make_room``            both         over        it is slow, and the table is full: who waits gets SERVFAIL
``stop``                 asked        over        the resolver stops: who waits gets SERVFAIL
======================== ============ =========== ==================================================================

A diverted flight that no client waits for is over at once. Where the full path fails, the failure lands as an answer
does; it is remembered in ``failures``, and not logged.

Two kinds of clients hang on a flight. A :data:`LateClient` has a datagram that the fast path can reply to in bytes; it
waits only on a forwarded flight. A Deferred is a client of the full path; it waits on any flight.

Invariants
----------
#. A question is in the table at most once, so no parent is asked the same twice at a time.
#. Nothing is answered before it is logged: only ``commit`` answers, and it logs first. What several replies of one
   batch taught is logged by one write.
#. Between ``learn`` and ``commit`` no other code runs, so nobody finds in the cache what is not in the log.
#. Each client is answered once. ``divert`` empties ``late`` before those clients come back by the full path, where each
   waits by a Deferred on the same flight; a flight that has landed takes no more clients.
#. The table has at most ``Bounds.in_flight`` flights; whoever reserves looks at ``is_full`` or ``make_room`` before.
#. At most :data:`~labnet.resolver.engine.flight.MOST_WAITING` clients wait for a flight; whoever adds one looks at
   ``is_crowded`` before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.events import ASKING, Story
from labnet.policy.loglimit import LogLimit
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.entry import Entry, Rdatas
from labnet.resolver.cache.lines import CachedAnswer
from labnet.resolver.cache.policy import Bounds, answer_of_mapping, entry_of
from labnet.resolver.engine.flight import Flight, LateClient, LatePort, slow_ones
from labnet.resolver.reasons import told_why
from labnet.resolver.upstream.errors import Bogus, ParentFailed
from labnet.wire.types import Answer, Question, Rcode, Security, Upstream, failure_of

_GAVE_WAY: Final = told_why(Rcode.SERVFAIL, "gave-way")

_FAILED_FOR: Final = 5
"""Seconds that a failure is remembered; RFC 9520, section 3.2, asks for 1 to 300."""

_FAILURES_BYTES: Final = 4_000_000

_LOOK: Final = 0.02
"""Seconds between two looks whether a resolver that is to stop has answered everything."""


Ask = Callable[[Question], Deferred[Upstream]]
"""What asks a parent: an :meth:`~labnet.interfaces.IParent.ask`, or one that has its reply already."""


class InFlight:
    """The flights of one resolver. What lands is put into ``cache`` and given to ``append``, which logs it.

    ``bounds`` may be replaced at any time. ``failures`` has what failed a moment ago.
    """

    log = Logger()

    def __init__(
        self, cache: Cache, append: Callable[[list[CachedAnswer]], None], clock: IReactorTime, bounds: Bounds
    ) -> None:
        self.bounds = bounds
        self.failures = Cache(_FAILURES_BYTES)
        self._cache = cache
        self._append = append
        self._clock = clock
        self._flights: dict[Question, Flight] = {}
        self.find: Callable[[Question], Flight | None] = self._flights.get
        """Gives the flight of a question, if a parent is being asked."""
        self._landed: list[Flight] = []
        self._fresh: list[CachedAnswer] = []
        self._learned_at = 0.0
        self._log_limit = LogLimit()
        self._idle: list[Deferred[None]] = []
        self._look_call: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._flights)

    def __iter__(self) -> Iterator[Flight]:
        """Those of now, the oldest first."""
        return iter(list(self._flights.values()))

    @property
    def is_full(self) -> bool:
        """Whether as many questions are in flight as may be."""
        return len(self._flights) >= self.bounds.in_flight

    def make_room(self) -> bool:
        """Whether there is room for one more question; a slow one gives way, as unbound's jostle does.

        It is the oldest of the network that has most in flight, by whichever path it is asked.
        """
        if not self.is_full:
            return True
        before = self._clock.seconds() - self.bounds.patience
        for flight in slow_ones(self._flights.values(), before):
            if self._gives_way(flight):
                break
        return not self.is_full

    def _gives_way(self, flight: Flight) -> bool:
        """Whether ``flight``, which is slow, is over for that; not where its reply is here, and is being worked on."""
        if flight.walk is None and not (flight.forwarder is not None and flight.forwarder.forget(flight)):
            return False
        if flight.story is not None:
            flight.story.step("gave-way")
        flight.answer = answer = self.stale(flight.question, self._clock.seconds(), flight.story) or _GAVE_WAY
        if flight.walk is not None:
            flight.walk.cancel()
            return True
        self._land(flight, answer)
        late, flight.late = flight.late, []
        for port, origin, question, _, _ in late:
            port.give_way(origin, question, answer)
        self.commit()
        return True

    def leave(self, is_it: Callable[[Any], bool]) -> LateClient | None:
        """Have the client whose origin ``is_it`` wait no more for a question on the fast path; None where none does."""
        for flight in self._flights.values():
            for index, late in enumerate(flight.late):
                if is_it(late[1]):
                    return flight.late.pop(index)
        return None

    def reserve(self, question: Question, now: float, forwarder: Any = None, network: bytes = b"") -> Flight:
        """From ``now`` on (epoch seconds) ``question`` is being asked, on the fast path by ``forwarder``.

        The first who asks it is of ``network``.
        """
        flight = self._flights[question] = Flight(question, now, forwarder, network)
        return flight

    def ask(self, flight: Flight, ask: Ask) -> None:
        """Have a parent asked on the full path by ``ask``; ``flight`` lands with what comes of it, and is answered."""
        flight.forwarder = None
        flight.walk = Deferred.fromCoroutine(self._ask(flight, ask))
        flight.walk.addErrback(self._unexpected, flight)

    async def _ask(self, flight: Flight, ask: Ask) -> None:
        if flight.story is not None:
            ASKING.set(flight.story)
        try:
            upstream = await ask(flight.question)
        except ParentFailed as error:
            self._land(flight, self._failed(flight, error))
        else:
            self.learn(flight, upstream)
        self.commit()

    def divert(self, flight: Flight, ask: Ask | None, otherwise: Answer) -> None:
        """The fast path has nothing to pass on: have a parent asked by ``ask``, if anybody waits for it.

        Where that is None, who waits gets the answer ``otherwise``.
        """
        flight.forwarder = None
        late, flight.late = flight.late, []
        for port, origin, question, _, _ in late:
            port.go_full(origin, question)  # it waits for this flight, by a Deferred
        if not flight.waiting:
            self.release(flight)
        elif ask is None:
            self._land(flight, otherwise)
            self.commit()
        else:
            self.ask(flight, ask)

    def release(self, flight: Flight) -> None:
        """Nothing that lasts came, and no Deferred waits for it: ``flight`` is over."""
        del self._flights[flight.question]

    def learn(self, flight: Flight, upstream: Upstream) -> None:
        """A parent said ``upstream``: it is in the cache. :meth:`commit` has to follow before anything else is done."""
        question, now = flight.question, self._clock.seconds()
        self.failures.forget(question)
        found = entry_of(question, upstream, now, self.bounds)
        if found is not None:
            self._cache.put(*found)
            self._fresh.append(found)
        if flight.story is not None:
            note_learned(flight.story, None if found is None else found[1].ttl)
        if flight.waiting:
            self._land(flight, _answer_of(question, upstream, found, now))
        else:
            del self._flights[question]

    def learn_rdatas(self, flight: Flight, rdatas: Rdatas, ttl: int, parent: str) -> None:
        """As :meth:`learn`, where a DNS ``parent`` said ``rdatas`` and nothing else; ``ttl`` is within its bounds."""
        question = flight.question
        if self.failures:
            self.failures.forget(question)
        if not self._fresh:  # else it has come together with what was learned before
            self._learned_at = self._clock.seconds()
        entry = self._cache.put_rdatas(question, rdatas, self._learned_at, ttl, parent)
        self._fresh.append((question, entry))
        if flight.waiting:
            self._land(flight, replace(entry.answer, origin=f"from {parent}"))
        else:
            del self._flights[question]

    def commit(self, ports: Iterable[LatePort] = ()) -> None:
        """Have all that was learned logged; then answer who waits, the late clients by a flush of ``ports``."""
        fresh, self._fresh = self._fresh, []
        landed, self._landed = self._landed, []
        if fresh:
            self._append(fresh)
        for port in ports:
            port.flush()
        for flight in landed:
            if flight.answer is not None:
                for waiting in flight.waiting:
                    waiting.callback(flight.answer)

    def idle(self) -> Deferred[None]:
        """Fires when no parent is being asked and every client that waited has its answer."""
        idle: Deferred[None] = Deferred()
        self._idle.append(idle)
        if self._look_call is None:
            self._look()
        return idle

    def _look(self) -> None:
        self._look_call = None
        if self._flights:
            self._look_call = self._clock.callLater(_LOOK, self._look)
            return
        waiting, self._idle = self._idle, []
        for idle in waiting:
            idle.callback(None)

    def stop(self) -> None:
        """Give up every question on the full path; who waits for one gets SERVFAIL."""
        if self._look_call is not None:
            self._look_call.cancel()
            self._look_call = None
        for flight in list(self._flights.values()):
            if flight.walk is not None:
                flight.walk.cancel()

    def stale(self, question: Question, now: float, story: Story | None) -> Answer | None:
        """The answer of the cache past its lifetime, for as long as no parent answers (RFC 8767)."""
        entry = self._cache.find_stale(question, now)
        if entry is None:
            return None
        if story is not None:
            story.note(entry.stale_step(now))
        return entry.stale(now)

    def _land(self, flight: Flight, answer: Answer) -> None:
        """``flight`` is asked no more; with the next commit who waits gets ``answer``."""
        del self._flights[flight.question]
        flight.answer = answer
        self._landed.append(flight)

    def _failed(self, flight: Flight, error: ParentFailed) -> Answer:
        question, now = flight.question, self._clock.seconds()
        self._say_failed(question, error, now)
        answer = failure_of(str(error), error.code, error.errors)
        if isinstance(error, Bogus):  # its parent is there, so nothing stale takes its place
            answer = replace(answer, security=Security.BOGUS)
        self.failures.put(question, Entry(answer, now, _FAILED_FOR, ""))
        stale = None if answer.security is Security.BOGUS else self.stale(question, now, flight.story)
        return stale or answer

    def _say_failed(self, question: Question, error: ParentFailed, now: float) -> None:
        """Log a failure, at most one a second: clients must not be able to fill the log."""
        more = self._log_limit.more(now)
        if more is not None:
            self.log.info(
                "{question} is not resolved: {why}{more}",
                question=str(question),
                why=str(error),
                more=more,
                event="resolver.not-resolved",
            )

    def _unexpected(self, failure: Failure, flight: Flight) -> None:
        if self._flights.get(flight.question) is flight:
            self._land(flight, flight.answer or failed_unexpectedly(failure, flight.question, self.log))
        self.commit()


def note_learned(story: Story, ttl: int | None) -> None:
    """Note whether the reply is kept, and for how many seconds."""
    if ttl:
        story.step("learned", ttl=ttl)
    else:
        story.step("not-kept")


def _answer_of(question: Question, upstream: Upstream, found: CachedAnswer | None, now: float) -> Answer:
    """The answer to ``question`` that was just learned: ``found`` is what the cache has of ``upstream``."""
    origin = f"from {upstream.parent}"
    if found is None:
        return Answer(upstream.rcode, errors=upstream.errors, origin=origin, security=upstream.security)
    asked, entry = found
    answer = entry.answer
    if asked != question and answer.mapping is not None:
        answer = answer_of_mapping(answer.mapping, question)
    if upstream.since is not None:  # another lab asked a while ago
        origin = entry.origin(now).replace("from the", "from the shared", 1)
        return replace(entry.aged(now, answer), origin=origin, until=0.0)
    return replace(answer, origin=origin, errors=entry.errors)


def failed_unexpectedly(failure: Failure, question: Question, log: Logger) -> Answer:
    """The answer to ``question`` where the resolver stopped, or failed in a way that is logged with its traceback."""
    if failure.check(CancelledError) is None:
        log.failure("resolving {question} failed", failure, question=str(question), event="resolver.resolving-failed")
    return failure_of("the server stops or failed")
