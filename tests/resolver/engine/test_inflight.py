"""The one table of who waits for what: flights, from the first client to the answer of the last."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from labnet.events import SENTENCES
from labnet.interfaces import IParent
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.policy import Bounds
from labnet.resolver.engine.flight import Flight
from labnet.resolver.engine.inflight import InFlight
from labnet.resolver.engine.resolver import Resolver
from labnet.resolver.records.zone import Zone
from labnet.resolver.upstream.errors import ParentFailed
from labnet.resolver.upstream.selection import Parents
from labnet.wire.names import ROOT, key_of
from labnet.wire.types import Answer, Question, Rcode, RRset, RRType, Upstream

WWW = Question(key_of("www.lab.test"), RRType.A)
WWW_AAAA = Question(key_of("www.lab.test"), RRType.AAAA)
OTHER = Question(key_of("other.lab.test"), RRType.A)
NOTHING = Answer(Rcode.REFUSED)


def upstream(question: Question, ttl: int) -> Upstream:
    return Upstream(Rcode.NOERROR, "192.0.2.53:53", (RRset(question.key, RRType.A, ttl, (b"\xc0\0\x02\x01",)),))


@implementer(IParent)
class Parent:
    """One that is asked on the full path."""

    address = "192.0.2.53:53"

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.answers: list[Deferred[Upstream]] = []

    def ask(self, question: Question) -> Deferred[Upstream]:
        self.asked.append(question)
        self.answers.append(Deferred())
        return self.answers[-1]


class Port:
    """Where late clients asked; one that goes the full path asks the resolver."""

    def __init__(self, resolver: Resolver, steps: list[Any]) -> None:
        self.resolver = resolver
        self.steps = steps
        self.answers: list[Answer] = []

    def reply(self, origin: Any, question: bytes, reply: bytes) -> None:
        self.steps.append(("reply", origin))

    def flush(self) -> None:
        self.steps.append("flush")

    def go_full(self, origin: Any, question: bytes) -> None:
        self.steps.append(("full", origin))
        self.resolver.ask(WWW).addCallback(self.answers.append)


class TableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.parent = Parent()
        self.parents = Parents([self.parent], self.clock, 2.0)
        self.zone = Zone()
        self.steps: list[Any] = []
        self.make(Bounds(in_flight=2))

    def make(self, bounds: Bounds, forwards: dict[bytes, IParent] | None = None) -> None:
        self.cache = Cache(1_000_000)
        self.resolver = Resolver(
            self.zone,
            self.cache,
            {ROOT: self.parents} if forwards is None else forwards,
            self.log_learned,
            self.clock,
            bounds,
        )
        self.flights: InFlight = self.resolver.flights
        self.port = Port(self.resolver, self.steps)

    def log_learned(self, learned: list[tuple[Question, Entry]]) -> None:
        self.steps.append(("log", *[question for question, _ in learned]))

    def forward(self, question: Question, *origins: Any) -> Flight:
        """Have ``question`` on the fast path, with late clients."""
        flight = self.flights.reserve(question, self.clock.seconds(), forwarder=self)
        flight.late += [(self.port, origin, b"", 0, None) for origin in origins]
        return flight

    def forwardable(self, question: Question) -> Any:
        """Whom ``question`` may be asked now on the fast path."""
        return self.resolver.forwardable(question, self.clock.seconds())

    def waiting(self, question: Question = WWW) -> list[Answer]:
        """Ask on the full path; the answer stands in what this gives as soon as there is one."""
        answers: list[Answer] = []
        self.resolver.ask(question).addCallback(answers.append)
        return answers


class InFlightTests(TableTests):
    def test_a_question_on_one_path_is_asked_on_no_other(self) -> None:
        """The full path waits for what the fast one asks; the parent gets no second question."""
        flight = self.forward(WWW)
        answers = self.waiting()
        self.assertEqual((self.resolver.in_flight, self.parent.asked, answers), (1, [], []))
        self.assertIs(self.flights.find(WWW), flight)
        self.flights.learn(flight, upstream(WWW, 60))
        self.flights.commit()
        self.assertEqual([answer.answer[0].ttl for answer in answers], [60])
        self.assertEqual((self.resolver.in_flight, self.parent.asked), (0, []))

    def test_everybody_who_waits_on_the_full_path_gets_the_answer_once(self) -> None:
        """Also one that does not last, which the cache never has."""
        for ttl in (0, 60):
            flight = self.forward(OTHER)
            first, second = self.waiting(OTHER), self.waiting(OTHER)
            self.flights.learn(flight, upstream(OTHER, ttl))
            self.assertEqual((first, second), ([], []))
            self.flights.commit()
            self.flights.commit()
            self.assertEqual([answer.answer[0].ttl for answer in first + second], [ttl, ttl])
            self.clock.advance(1)
        self.assertEqual(self.parent.asked, [])

    def test_what_was_learned_is_known(self) -> None:
        """And is not forwarded while it lives, or may be served stale."""
        self.flights.learn(self.forward(WWW), upstream(WWW, 60))
        self.flights.commit()
        known = self.resolver.known(WWW)
        assert known is not None
        self.assertEqual(known.answer[0].rdatas, (b"\xc0\0\x02\x01",))
        questions = (WWW, WWW_AAAA, OTHER)
        self.assertEqual([self.forwardable(asked) for asked in questions], [None, None, self.parents])
        self.clock.advance(100)
        self.assertEqual([self.forwardable(asked) for asked in questions], [self.parents] * 3)
        self.cache.resize(1_000_000, stale=40)
        self.assertEqual([self.forwardable(asked) for asked in questions], [None, None, self.parents])

    def test_all_of_a_batch_is_logged_before_any_of_it_is_answered(self) -> None:
        """By one write; late clients and Deferreds alike."""
        flights = [self.forward(question) for question in (WWW, OTHER)]
        self.resolver.ask(OTHER).addCallback(lambda _: self.steps.append("answered"))
        for flight in flights:
            self.flights.learn(flight, upstream(flight.question, 60))
        self.assertEqual(self.steps, [])
        self.flights.commit([self.port])
        self.assertEqual(self.steps, [("log", WWW, OTHER), "flush", "answered"])
        self.flights.commit()
        self.assertEqual(len(self.steps), 3)

    def test_what_does_not_last_is_over_at_once(self) -> None:
        """Nothing is learned or logged of it."""
        self.flights.release(self.forward(WWW))
        self.flights.commit()
        self.assertEqual((self.steps, self.resolver.in_flight), ([], 0))
        self.assertIs(self.forwardable(WWW), self.parents)

    def test_a_diverted_question_is_asked_on_the_full_path_for_all_who_wait(self) -> None:
        """Late clients come back by the full path and wait for the same flight; the parent is asked once."""
        flight = self.forward(WWW, "ada", "bob")
        answers = self.waiting()
        self.resolver.divert(flight)
        self.assertEqual((self.steps, self.parent.asked), ([("full", "ada"), ("full", "bob")], [WWW]))
        self.assertEqual((flight.late, self.resolver.in_flight), ([], 1))
        self.parent.answers[0].callback(upstream(WWW, 60))
        self.assertEqual([answer.rcode for answer in answers + self.port.answers], [Rcode.NOERROR] * 3)
        self.assertEqual(self.resolver.in_flight, 0)

    def test_a_diverted_question_that_nobody_waits_for_is_over(self) -> None:
        self.resolver.divert(self.forward(WWW))
        self.assertEqual((self.parent.asked, self.resolver.in_flight), ([], 0))

    def test_a_diverted_question_without_a_parent_is_refused(self) -> None:
        """A change took the parents away: who waited already is answered too."""
        flight = self.forward(WWW)
        answers = self.waiting()
        self.resolver.change(self.zone, {}, Bounds())
        self.resolver.divert(flight)
        self.assertEqual([answer.rcode for answer in answers], [Rcode.REFUSED])
        self.assertEqual(self.resolver.in_flight, 0)

    def test_stopping_answers_everybody_who_waits_on_the_full_path(self) -> None:
        """With a failure; nothing of it is logged as a fault."""
        answers = self.waiting() + self.waiting(OTHER)
        said: list[dict[str, Any]] = []
        self.flights.log = Logger(observer=said.append)
        first, second = self.waiting(), self.waiting(OTHER)
        self.resolver.stop()
        self.assertEqual([answer.rcode for answer in first + second + answers], [Rcode.SERVFAIL] * 2)
        self.assertEqual((self.resolver.in_flight, said), (0, []))

    def test_a_parent_that_raises_costs_no_client_its_answer(self) -> None:
        """It is logged with its traceback, once."""
        said: list[dict[str, Any]] = []
        self.flights.log = Logger(observer=said.append)
        first, second = self.waiting(), self.waiting()
        self.parent.answers[0].errback(RuntimeError("on purpose"))
        self.assertEqual([answer.rcode for answer in first + second], [Rcode.SERVFAIL] * 2)
        self.assertEqual([event["event"] for event in said], ["resolver.resolving-failed"])
        self.assertEqual(self.resolver.in_flight, 0)

    def test_idle_fires_when_nothing_is_in_flight(self) -> None:
        """On neither path."""
        flight = self.forward(OTHER)
        self.waiting()
        idle: list[None] = []
        self.flights.idle().addCallback(idle.append)
        self.parent.answers[0].callback(upstream(WWW, 60))
        self.clock.advance(1)
        self.assertEqual(idle, [])
        self.flights.release(flight)
        self.clock.advance(1)
        self.assertEqual(idle, [None])


class ForwardableTests(TableTests):
    """What may go the fast path."""

    def test_a_question_that_failed_is_not_forwarded(self) -> None:
        """As long as that is remembered."""
        self.waiting()
        self.parent.answers[0].errback(ParentFailed("gone"))
        self.assertEqual((self.forwardable(WWW), self.forwardable(OTHER)), (None, self.parents))

    def test_no_type_of_a_name_that_does_not_exist_is_forwarded(self) -> None:
        """Nor a name below it, while the NXDOMAIN lives; a name that ends in the same letters is."""
        soa = RRset(key_of("test"), RRType.SOA, 60, (b"\0\0" + b"\0\0\0\x3c" * 5,))
        self.waiting()
        self.parent.answers[0].callback(Upstream(Rcode.NXDOMAIN, self.parent.address, soa=soa))
        below, beside = Question(key_of("a.b.www.lab.test"), RRType.A), Question(key_of("awww.lab.test"), RRType.A)
        questions = (WWW_AAAA, below, beside, OTHER)
        self.assertEqual([self.forwardable(asked) for asked in questions], [None, None, *[self.parents] * 2])
        self.clock.advance(61)
        self.assertEqual([self.forwardable(asked) for asked in questions], [self.parents] * 4)

    def test_names_of_records_and_special_names_are_not_forwarded(self) -> None:
        """Names of the files, and below them; those of RFC 6761."""
        self.zone.data.add(RRset(WWW.key, RRType.A, 60, (b"\n\0\0\1",)))
        self.zone.data.finish()
        below = Question(key_of("a.www.lab.test"), RRType.A)
        special = Question(key_of("a.localhost"), RRType.A)
        questions = (WWW, WWW_AAAA, below, special)
        self.assertEqual([self.forwardable(asked) for asked in questions], [None] * 4)

    def test_no_more_than_the_bound_is_in_flight(self) -> None:
        """Then the full path says so."""
        for question in (WWW, OTHER):
            self.assertIsNotNone(self.forwardable(question))
            self.forward(question)
        self.assertIsNone(self.forwardable(WWW_AAAA))
        (answer,) = self.waiting(WWW_AAAA)
        self.assertEqual(answer.errors[0].text, SENTENCES["full"])

    def test_parents_of_another_kind_are_asked_on_the_full_path(self) -> None:
        """As where there are none."""
        for forwards in ({}, {ROOT: self.parent}, {key_of("lab.test"): self.parent, ROOT: self.parents}):
            self.make(Bounds(), forwards)
            self.assertIsNone(self.forwardable(WWW))
        self.assertIs(self.forwardable(Question(key_of("www.example"), RRType.A)), self.parents)
