"""What a resolver lets go the short way to a parent, and who waits on the long one for what comes of it."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from labnet.interfaces import IParent
from labnet.resolver.cache.cache import Cache, Entry
from labnet.resolver.cache.policy import Bounds
from labnet.resolver.engine.resolver import Resolver
from labnet.resolver.records.zone import Zone
from labnet.resolver.upstream.errors import ParentFailed
from labnet.resolver.upstream.selection import Parents
from labnet.wire.names import ROOT, key_of
from labnet.wire.types import Answer, Question, Rcode, RRset, RRType, Upstream

WWW = Question(key_of("www.lab.test"), RRType.A)
WWW_AAAA = Question(key_of("www.lab.test"), RRType.AAAA)
OTHER = Question(key_of("other.lab.test"), RRType.A)


def told(question: Question, ttl: int) -> Upstream:
    return Upstream(Rcode.NOERROR, "192.0.2.53:53", (RRset(question.key, RRType.A, ttl, (b"\xc0\0\x02\x01",)),))


@implementer(IParent)
class Parent:
    """One that is asked on the long way."""

    address = "192.0.2.53:53"

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.answers: list[Deferred[Upstream]] = []

    def ask(self, question: Question) -> Deferred[Upstream]:
        self.asked.append(question)
        self.answers.append(Deferred())
        return self.answers[-1]


class ShortWayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.parent = Parent()
        self.parents = Parents([self.parent], self.clock, 2.0)
        self.zone = Zone()
        self.learned: list[list[tuple[Question, Entry]]] = []
        self.make(Bounds(in_flight=2))

    def make(self, bounds: Bounds, forwards: dict[bytes, IParent] | None = None) -> None:
        self.resolver = Resolver(
            self.zone,
            Cache(1_000_000),
            {ROOT: self.parents} if forwards is None else forwards,
            self.learned.append,
            self.clock,
            bounds,
        )

    def way(self, question: Question = WWW) -> Parents | None:
        return self.resolver.short_way(question, self.clock.seconds())

    def waiting(self, question: Question = WWW) -> list[Answer]:
        """Ask on the long way; the answer stands in what this gives as soon as there is one."""
        answers: list[Answer] = []
        self.resolver.ask(question).addCallback(answers.append)
        return answers

    def test_what_is_asked_on_one_way_is_asked_on_no_other(self) -> None:
        """Until it is over; it counts as a miss, and as in flight."""
        self.assertIs(self.way(), self.parents)
        self.resolver.begin(WWW)
        self.assertEqual((self.resolver.misses, self.resolver.in_flight), (1, 1))
        self.assertEqual((self.way(), self.way(WWW_AAAA)), (None, self.parents))
        self.assertTrue(self.resolver.let_go(WWW))
        self.assertEqual((self.resolver.in_flight, self.way()), (0, self.parents))
        self.assertEqual((self.learned, self.parent.asked), ([], []))

    def test_who_waits_is_told(self) -> None:
        """Also what does not last, which is not let go then; nobody is asked once more."""
        for ttl in (0, 60):
            self.resolver.begin(OTHER)
            first, second = self.waiting(OTHER), self.waiting(OTHER)
            if not ttl:
                self.assertFalse(self.resolver.let_go(OTHER))
            self.assertEqual((first, second, self.resolver.in_flight), ([], [], 1))
            self.resolver.told(OTHER, told(OTHER, ttl))
            self.assertEqual([answer.answer[0].ttl for answer in first + second], [ttl, ttl])
            self.assertEqual(self.resolver.in_flight, 0)
            self.clock.advance(1)
        self.assertEqual(self.parent.asked, [])

    def test_what_was_told_is_known(self) -> None:
        """And goes no short way while anything is known of it, be it past its lifetime."""
        self.resolver.begin(WWW)
        self.resolver.told(WWW, told(WWW, 60))
        known = self.resolver.known(WWW)
        assert known is not None
        self.assertEqual(known.answer[0].rdatas, (b"\xc0\0\x02\x01",))
        self.clock.advance(100)
        self.assertEqual((self.way(), self.way(WWW_AAAA), self.way(OTHER)), (None, None, self.parents))

    def test_what_was_told_is_kept_before_it_is_answered(self) -> None:
        """All of a batch at a time; what somebody waits for on the long way is answered at once, and kept before."""
        for question in (WWW, OTHER):
            self.resolver.begin(question)
            self.resolver.told(question, told(question, 60))
        self.assertEqual(self.learned, [])
        self.resolver.settle()
        self.resolver.settle()
        self.assertEqual([[question for question, _ in learned] for learned in self.learned], [[WWW, OTHER]])
        self.learned.clear()
        self.resolver.begin(WWW_AAAA)
        kept: list[int] = []
        self.resolver.ask(WWW_AAAA).addCallback(lambda _: kept.append(len(self.learned)))
        self.resolver.told(WWW_AAAA, told(WWW_AAAA, 60))
        self.assertEqual(kept, [1])

    def test_nothing_of_use_is_asked_anew_for_who_waits(self) -> None:
        """Of the same parents on the long way; where nobody waits it is over."""
        self.resolver.begin(WWW)
        self.resolver.ask_anew(WWW)
        self.assertEqual((self.parent.asked, self.resolver.in_flight), ([], 0))
        self.resolver.begin(WWW)
        answers = self.waiting()
        self.resolver.ask_anew(WWW)
        self.assertEqual((self.parent.asked, answers), ([WWW], []))
        self.parent.answers[0].callback(told(WWW, 60))
        self.assertEqual([answer.rcode for answer in answers], [Rcode.NOERROR])
        self.assertEqual(self.resolver.in_flight, 0)

    def test_what_failed_goes_the_long_way(self) -> None:
        """As long as that is remembered."""
        self.waiting()
        self.parent.answers[0].errback(ParentFailed("gone"))
        self.assertEqual((self.way(), self.way(OTHER)), (None, self.parents))

    def test_what_records_and_special_names_may_answer_goes_the_long_way(self) -> None:
        """Names of the files, and below them; those of RFC 6761."""
        self.zone.add(RRset(WWW.key, RRType.A, 60, (b"\n\0\0\1",)))
        self.zone.finish()
        below = Question(key_of("a.www.lab.test"), RRType.A)
        special = Question(key_of("a.localhost"), RRType.A)
        self.assertEqual([self.way(asked) for asked in (WWW, WWW_AAAA, below, special)], [None] * 4)

    def test_there_is_a_bound_on_what_is_in_flight(self) -> None:
        """Then the long way says so."""
        for question in (WWW, OTHER):
            self.assertIsNotNone(self.way(question))
            self.resolver.begin(question)
        self.assertIsNone(self.way(WWW_AAAA))

    def test_parents_of_another_kind_are_asked_on_the_long_way(self) -> None:
        """As where there are none."""
        for forwards in ({}, {ROOT: self.parent}, {key_of("lab.test"): self.parent, ROOT: self.parents}):
            self.make(Bounds(), forwards)
            self.assertIsNone(self.way())
        self.assertIs(self.way(Question(key_of("www.example"), RRType.A)), self.parents)
