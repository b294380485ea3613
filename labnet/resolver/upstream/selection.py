"""Which parent is asked first, how long it is waited for, and when it is left alone for a while.

:class:`~labnet.resolver.upstream.infra.Health` holds what is known of each parent. All times are in seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from labnet.events import ASKING, ParentChanged, Story
from labnet.interfaces import IConnectedParent, IParent
from labnet.metrics import Sample
from labnet.resolver.upstream.course import TextParent
from labnet.resolver.upstream.dns import DNSParent
from labnet.resolver.upstream.errors import ParentFailed, Unusable
from labnet.resolver.upstream.infra import BAND, MOST_TRIPS, Health
from labnet.wire.dns_upstream import EarlyReply
from labnet.wire.names import ROOT, ancestors, is_opaque, text_of
from labnet.wire.types import Question, Rcode, RRType, Upstream


@dataclass(frozen=True, slots=True)
class ParentState:
    """One parent for a status page: ``srtt`` in seconds; ``down_until`` is on the clock of :class:`Parents`."""

    address: str
    srtt: float | None
    timeout: float
    failures: int
    down_until: float | None


T = TypeVar("T")


def order(parents: Sequence[tuple[T, Health]], now: float) -> list[tuple[T, Health]]:
    """In which order ``parents``, given as configured, are asked at ``now``.

    Those that are down come last, as configured, so that where all are down each is still tried. Of the others, the
    ranked ones share their places among themselves: due probes first, then those within :data:`BAND` of the fastest as
    configured, then the rest by time. The first of equally fast ones is not picked at random, as unbound does: the
    order in the configuration says which is preferred.
    """
    usable = [each for each in parents if each[1].is_usable(now)]
    ranked = [each for each in usable if each[1].ranked]
    fastest = min((health.timeout(now) for _, health in ranked if not health.is_down), default=0.0)

    def rank(each: tuple[T, Health]) -> float:
        return 0.0 if each[1].is_down else max(each[1].timeout(now), fastest + BAND)

    by_time = iter(sorted(ranked, key=rank))
    in_place = [next(by_time) if health.ranked else (parent, health) for parent, health in usable]
    return in_place + [each for each in parents if not each[1].is_usable(now)]


def parent_for(question: Question, parents: Mapping[bytes, IParent]) -> IParent | None:
    """Who is asked ``question`` of ``parents``, which are there by the keys of their domains: the longest that fits."""
    if len(parents) == 1 and ROOT in parents:
        return parents[ROOT]
    own: IParent | None = None
    for domain in (ROOT,) if is_opaque(question.key) else ancestors(question.key):
        if domain in parents:
            own = parents[domain]
            # The DS records of a domain are those of the zone above it (RFC 4035, section 3.1.4.1).
            if question.rrtype != RRType.DS or domain != question.key:
                break
    return own


@implementer(IParent)
class Parents:
    """Several parents as one: each in the order of its health, until one answers with something of use.

    While another one that is up is left, a parent is waited for as :meth:`Health.wait` says, at most ``longest_wait``
    seconds, which should be what a parent takes to fail by itself; the last one has all its time. The first that was
    left too early is asked once more before the question fails.

    That a course parent does not know a name lets the next one be asked: the name counts as unknown only where every
    parent was heard. A DNS parent's NXDOMAIN is final.
    """

    log = Logger()

    def __init__(self, parents: Sequence[IParent], clock: IReactorTime, longest_wait: float) -> None:
        self._parents = [
            (parent, Health(ranked=_is_ranked(parent), trips=deque(maxlen=MOST_TRIPS))) for parent in parents
        ]
        self._clock = clock
        self._longest_wait = longest_wait

    @property
    def address(self) -> str:
        return ", ".join(parent.address for parent, _ in self._parents)

    def first(self, now: float) -> tuple[DNSParent, Health] | None:
        """The parent to be asked next, where that is a DNS server that works and is asked by UDP."""
        if not self._parents:  # the system names no server yet
            return None
        parent, health = (self._parents if len(self._parents) == 1 else order(self._parents, now))[0]
        if not isinstance(parent, DNSParent) or parent.tcp or health.is_down:
            return None
        return parent, health

    def retire(self) -> None:
        """Close the connections that are kept to them, as soon as nothing waits on those."""
        for parent, _ in self._parents:
            if IConnectedParent.providedBy(parent):
                parent.retire()

    def wait(self, health: Health) -> float:
        """Seconds that a parent of this ``health`` is waited for, until others are asked or it is asked again."""
        return health.wait(self._clock.seconds(), self._longest_wait)

    def each(self) -> list[IParent]:
        """The parents, in the configured order."""
        return [parent for parent, _ in self._parents]

    def prospects(self) -> Iterator[tuple[str, str, list[float], int]]:
        """Each in the order in which they would be asked now: its address, why, its last round trips, its questions."""
        for place, (parent, health) in enumerate(order(self._parents, self._clock.seconds())):
            why = self.why(parent, health) if place == 0 else f"it comes after {place} other{'s' * (place > 1)}"
            yield parent.address, why, list(health.trips or ()), health.questions

    def states(self) -> list[ParentState]:
        """Every parent as it is now, in the configured order."""
        now = self._clock.seconds()
        return [
            ParentState(
                parent.address,
                health.srtt,
                health.wait(now, self._longest_wait),
                health.failures,
                health.down_until if health.is_down else None,
            )
            for parent, health in self._parents
        ]

    def samples(self, resolver: str) -> Iterator[Sample]:
        """What was counted of every parent of ``resolver``; one of two domains is there twice, to be added up."""
        for parent, health in self._parents:
            labels = (resolver, parent.address)
            yield Sample("labnet_parent_questions_total", labels, health.questions)
            yield Sample("labnet_parent_failures_total", labels, health.failed)
            strays = parent.strays.count if isinstance(parent, TextParent) else 0
            yield Sample("labnet_parent_forged_total", labels, health.forged + strays)
            yield Sample("labnet_parent_up", labels, int(not health.is_down))
            if health.srtt is not None:
                yield Sample("labnet_parent_round_trip_seconds", labels, health.srtt)

    def ask(self, question: Question) -> Deferred[Upstream]:
        return Deferred.fromCoroutine(self._ask(question))

    def resume(self, question: Question, replied: DNSParent, early: EarlyReply) -> Deferred[Upstream]:
        """Ask, where the parent that ``replied`` is the first in turn: its ``early`` reply has come already."""
        return Deferred.fromCoroutine(self._ask(question, replied, early))

    async def _ask(
        self, question: Question, replied: DNSParent | None = None, early: EarlyReply | None = None
    ) -> Upstream:
        plan = self._plan(question)
        if replied is not None:
            plan.sort(key=lambda turn: turn[0] != replied)
        story = ASKING.get()
        if story is not None and len(plan) > 1:
            story.step("parents", order=", ".join(parent.address for parent, _, _ in plan))
        asked_again = False
        failed: ParentFailed | None = None
        unknown: Upstream | None = None
        for parent, health, hurried in plan:
            was_down = health.is_down
            try:
                came, early = early if parent == replied else None, None
                upstream = await self._ask_one(parent, health, question, hurried, came)
            except TimeoutError:
                failed = ParentFailed(f"{parent.address} did not answer in time")
                if not (was_down or asked_again):
                    asked_again = True
                    plan.append((parent, health, False))
            except ParentFailed as error:
                failed = error
            else:
                if health.ranked or not _is_unknown(upstream):
                    return upstream
                unknown = upstream
        if unknown is not None and failed is None:
            return unknown
        raise failed or ParentFailed("there is no parent to ask")

    def _plan(self, question: Question) -> list[tuple[IParent, Health, bool]]:
        """Who is asked in turn, and whether it has to hurry."""
        able = [each for each in self._parents if not (each[1].ranked and is_opaque(question.key))]
        if self._parents and not able:
            raise ParentFailed(f"{text_of(question.key)!r} is a name that DNS cannot carry")
        plan: list[tuple[IParent, Health, bool]] = []
        for parent, health in reversed(order(able, self._clock.seconds())):
            one_up_follows = any(not later.is_down for _, later, _ in plan)
            # A course parent takes the time that the configuration gives it: who wants it in turn counts on that.
            hurried = health.ranked and (one_up_follows or (health.is_down and bool(plan)))
            plan.insert(0, (parent, health, hurried))
        return plan

    async def _ask_one(
        self, parent: IParent, health: Health, question: Question, hurried: bool, early: EarlyReply | None
    ) -> Upstream:
        is_timed = False
        story = ASKING.get()
        if story is not None:
            story.step("parent", parent=parent.address, why=self.why(parent, health))
        if early is not None and isinstance(parent, DNSParent):
            began, asking = early.since, parent.resume(question, early)
            is_timed = asking.called  # by the relay that got the reply
        else:
            began, asking = self._clock.seconds(), parent.ask(question)
            if asking.called:
                return (
                    await asking
                )  # nothing was sent, as for a name that it cannot be asked for: no word on its health
            health.asked(began)
        if hurried:
            asking.addTimeout(health.wait(began, self._longest_wait), self._clock)
        try:
            upstream = await asking
        except Unusable as error:
            if story is not None:
                _note_failed(story, parent, error, began)
            health.failed += 1
            if not is_timed:
                self._heard(parent, health, began)
            raise
        except (ParentFailed, TimeoutError) as error:
            if story is not None:
                _note_failed(story, parent, error, began)
            if health.stayed_silent(began, self._clock.seconds()):
                self.log.warn(
                    "{parent} is down: {why}",
                    parent=parent.address,
                    why=str(error) if isinstance(error, ParentFailed) else "no answer in time",
                    event="parent.down",
                )
            self._tell(story, parent, health)
            raise
        if not is_timed:
            self._heard(parent, health, began)
        if story is not None:
            _note_answered(story, upstream, began)
            self._tell(story, parent, health)
        return upstream

    def _tell(self, story: Story | None, parent: IParent, health: Health) -> None:
        """Tell whoever watches how ``parent`` is now."""
        if story is not None:
            state: Literal["up", "down"] = "down" if health.is_down else "up"
            happened = parent.address, state, health.srtt, health.failures
            story.happened(ParentChanged(story.seconds(), story.resolver, *happened))

    def why(self, parent: IParent, health: Health) -> str:
        """Why ``parent`` is asked before those that come behind it in the order of now, in words."""
        if health.is_down:
            return f"it was silent {health.failures} times in a row, and is tried again"
        if len(self._parents) == 1:
            return "it is the only one"
        if not health.ranked:
            return "those of the course protocol are asked in the configured order"
        if health.srtt is None:
            return "it has not been asked yet"
        return f"it is up, its round trip takes {health.srtt * 1000:.1f} ms"

    def _heard(self, parent: IParent, health: Health, began: float) -> None:
        was_down = health.is_down
        health.answered(max(0.0, self._clock.seconds() - began))
        if was_down:
            self.log.info("{parent} answers again", parent=parent.address, event="parent.up")


def _is_ranked(parent: IParent) -> bool:
    """Whether its place among others goes by its health: it is a DNS server that is asked for every question."""
    return isinstance(parent, DNSParent) or IConnectedParent.providedBy(parent)


def _note_answered(story: Story, upstream: Upstream, began: float) -> None:
    records = sum(len(rrset.rdatas) for rrset in upstream.rrsets)
    if upstream.course_reply is not None:
        result = upstream.course_reply.address
    elif records:
        result = f"{records} record{'s' * (records > 1)}"
    else:
        result = "there is no such name" if upstream.rcode == Rcode.NXDOMAIN else "the name has no such records"
    took = round(1000 * max(0.0, story.seconds() - began), 3)
    story.step("parent-answered", parent=upstream.parent, milliseconds=took, result=result)


def _note_failed(story: Story, parent: IParent, error: Exception, began: float) -> None:
    took = round(1000 * max(0.0, story.seconds() - began), 3)
    why = str(error) if isinstance(error, ParentFailed) else "no answer in time"
    story.step("parent-failed", parent=parent.address, milliseconds=took, why=why)


def _is_unknown(upstream: Upstream) -> bool:
    return upstream.rcode == Rcode.NXDOMAIN and upstream.course_reply is None and upstream.soa is None
