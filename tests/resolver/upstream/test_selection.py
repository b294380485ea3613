"""Which parent is asked first, how long, and what happens when it fails."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from labnet.interfaces import IParent
from labnet.resolver.upstream.dns import DNSParent
from labnet.resolver.upstream.errors import ParentFailed, Unusable
from labnet.resolver.upstream.infra import BAND, LEAST_WAIT, LONGEST_BACKOFF, Health
from labnet.resolver.upstream.selection import Parents, ParentState, order
from labnet.wire.types import CourseReply, Question, Rcode, Reply, Upstream
from tests.resolver.dnsfakes import SOA, A, FakeExchange, FakeParent, question, rrset
from tests.resolver.upstream.healths import down, took

WWW = question("www.example.com")
FOUND = (rrset("www.example.com", 60, A, b"\xc0\0\2\1"),)


class OrderTests(SynchronousTestCase):
    """In which order parents are asked."""

    def ordered(self, now: float, *parents: tuple[str, Health]) -> str:
        return "".join(name for name, _ in order(parents, now))

    def test_equally_fast_ones_keep_the_configured_order(self) -> None:
        """All within the band of the fastest, those not heard of yet included."""
        fast, slow = took(0.001), took(0.2, 0.2, 0.2, 0.2, 0.2, 0.2)
        self.assertLess(slow.timeout(0.0) - fast.timeout(0.0), BAND)
        self.assertEqual(self.ordered(0.0, ("a", slow), ("b", Health()), ("c", fast)), "abc")

    def test_slower_ones_come_after_them_by_time(self) -> None:
        """Slower by more than the band."""
        parents = (("a", took(2.0)), ("b", took(0.5)), ("c", took(0.001)), ("d", Health()))
        self.assertEqual(self.ordered(0.0, *parents), "cdba")

    def test_those_that_are_down_come_last(self) -> None:
        """And are still tried, in the configured order, where all are."""
        self.assertEqual(self.ordered(0.0, ("a", down(0.0)), ("b", took(2.0)), ("c", down(0.0, ranked=False))), "bac")
        self.assertEqual(self.ordered(0.0, ("a", down(0.0)), ("b", down(0.0))), "ab")

    def test_a_probe_that_is_due_comes_first(self) -> None:
        """Otherwise nobody would ever ask it; being asked it is not due any more."""
        health = down(0.0)
        parents = (("a", took(0.001)), ("b", health))
        self.assertEqual(self.ordered(0.9, *parents), "ab")
        self.assertEqual(self.ordered(1.0, *parents), "ba")
        health.asked(1.0)
        self.assertEqual(self.ordered(1.0, *parents), "ab")

    def test_unranked_ones_keep_their_places(self) -> None:
        """The ranked ones share what is left, as long as both kinds are up."""
        parents = (("a", took(2.0)), ("t", took(9.0, ranked=False)), ("b", took(0.001)), ("u", Health(False)))
        self.assertEqual(self.ordered(0.0, *parents), "btau")

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.floats(0, 5)), max_size=6), st.floats(0, 100))
    def test_nobody_is_lost(self, all_of_them: list[tuple[bool, int, float]], now: float) -> None:
        """Each is there once, the usable ones before the others."""
        parents = []
        for number, (ranked, failures, seconds) in enumerate(all_of_them):
            health = took(seconds, ranked=ranked)
            for _ in range(failures):
                health.stayed_silent(0.0, 0.0)
            parents.append((number, health))
        found = order(parents, now)
        self.assertEqual(sorted(number for number, _ in found), list(range(len(parents))))
        usable = [health.is_usable(now) for _, health in found]
        self.assertEqual(usable, sorted(usable, reverse=True))


class ParentsTests(SynchronousTestCase):
    """Several parents as one."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = 1000.0
        self.exchange = FakeExchange()

    def dns(self, *hosts: str) -> Parents:
        return Parents([DNSParent(host, 53, False, self.exchange) for host in hosts], self.clock, 4.0)

    @property
    def hosts(self) -> list[str]:
        """Whom the exchange has asked, in order."""
        return [asked[0] for asked in self.exchange.asked]

    def answer(self, rcode: Rcode = Rcode.NOERROR, number: int = -1) -> None:
        self.exchange.replies[number].callback(Reply(rcode, answer=FOUND if rcode == Rcode.NOERROR else ()))

    def refuse(self, number: int = -1) -> None:
        self.exchange.replies[number].errback(Failure(ParentFailed("nobody listens")))

    def answered_by(self, asked: Deferred[Upstream]) -> str:
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return self.successResultOf(asked).parent

    def ask_all_silent(self, parents: Parents) -> None:
        """Ask one question that no parent answers: each is left in time, the exchange gives up on the last."""
        asked = parents.ask(WWW)
        while not asked.called:
            self.clock.advance(4.0)
            if not self.exchange.replies[-1].called:
                self.refuse()
        self.failureResultOf(asked, ParentFailed)

    def test_they_are_a_parent(self) -> None:
        """As the interface says; the address names each."""
        parents = self.dns("192.0.2.1", "2001:db8::1")
        verifyObject(IParent, parents)
        self.assertEqual(parents.address, "192.0.2.1:53, [2001:db8::1]:53")

    def test_the_first_that_answers_is_the_last_that_is_asked(self) -> None:
        """The time is measured."""
        parents = self.dns("a", "b")
        asked = parents.ask(WWW)
        self.clock.advance(0.1)
        self.answer()
        self.assertEqual((self.answered_by(asked), self.hosts), ("a:53", ["a"]))
        self.assertEqual([state.srtt for state in parents.states()], [self.clock.seconds() - 1000.0, None])

    def test_every_question_to_a_parent_is_counted(self) -> None:
        """Those that failed too, be it by silence or by an answer of no use; a parent not heard of has no time."""
        parents = self.dns("a", "b", "c")
        parents.ask(WWW)
        self.clock.advance(LEAST_WAIT)
        self.answer(Rcode.SERVFAIL)
        self.answer()
        counted = {(name, labels): value for name, labels, value in parents.samples("main")}
        for host, questions, failures in ("a", 1, 1), ("b", 1, 1), ("c", 1, 0):
            labels = ("main", f"{host}:53")
            self.assertEqual(counted["labnet_parent_questions_total", labels], questions)
            self.assertEqual(counted["labnet_parent_failures_total", labels], failures)
            self.assertEqual(counted["labnet_parent_up", labels], 1)
        times = [labels[1] for name, labels in counted if name == "labnet_parent_round_trip_seconds"]
        self.assertEqual(times, ["b:53", "c:53"])
        for _ in range(3):
            self.ask_all_silent(parents)
        down = [value for name, _, value in parents.samples("main") if name == "labnet_parent_up"]
        self.assertEqual(down, [0, 0, 0])

    def test_a_failure_lets_the_next_one_be_asked(self) -> None:
        """Silence, and an answer of no use alike."""
        asked = self.dns("a", "b", "c").ask(WWW)
        self.refuse()
        self.answer(Rcode.SERVFAIL)
        self.answer()
        self.assertEqual((self.answered_by(asked), self.hosts), ("c:53", ["a", "b", "c"]))

    def test_where_all_fail_the_last_failure_is_raised(self) -> None:
        """With its RCODE and errors."""
        asked = self.dns("a", "b").ask(WWW)
        self.answer(Rcode.REFUSED)
        self.answer(Rcode.SERVFAIL)
        self.assertEqual(self.failureResultOf(asked, Unusable).value.rcode, Rcode.SERVFAIL)
        self.assertEqual(self.hosts, ["a", "b"])

    def test_replies_that_cannot_be_used_do_not_bring_a_parent_down(self) -> None:
        """Whoever replies is there, whatever the reply says."""
        parents = self.dns("a")
        for _ in range(4):
            asked = parents.ask(WWW)
            self.clock.advance(0.1)
            self.exchange.replies[-1].errback(Failure(Unusable("it cannot be read", Rcode.SERVFAIL)))
            self.failureResultOf(asked, Unusable)
        self.assertEqual((parents.states()[0].failures, parents.states()[0].down_until), (0, None))

    def test_the_name_error_of_a_dns_parent_is_final(self) -> None:
        """Also without an SOA, as some forwarders give it."""
        asked = self.dns("a", "b").ask(WWW)
        self.answer(Rcode.NXDOMAIN)
        self.assertEqual((self.successResultOf(asked).rcode, self.hosts), (Rcode.NXDOMAIN, ["a"]))

    def test_a_slow_parent_is_left_for_the_next_one(self) -> None:
        """Its question is cancelled, and counts as a time-out."""
        parents = self.dns("a", "b")
        asked = parents.ask(WWW)
        self.clock.advance(LEAST_WAIT)
        self.assertEqual(self.hosts, ["a", "b"])
        self.assertEqual(self.exchange.cancelled, ["a"])
        self.answer()
        self.assertEqual(self.answered_by(asked), "b:53")
        self.assertEqual([state.failures for state in parents.states()], [1, 0])

    def test_the_last_one_has_all_its_time_and_then_the_first_once_more(self) -> None:
        """Whoever was left too early can still answer."""
        parents = self.dns("a", "b", "c")
        asked = parents.ask(WWW)
        self.clock.advance(LEAST_WAIT)
        self.clock.advance(LEAST_WAIT)
        self.clock.advance(100.0)
        self.assertEqual(self.hosts, ["a", "b", "c"])
        self.refuse()
        self.assertEqual(self.hosts, ["a", "b", "c", "a"])
        self.clock.advance(100.0)
        self.answer()
        self.assertEqual(self.answered_by(asked), "a:53")

    def test_only_the_first_that_was_left_is_asked_again(self) -> None:
        """A question has to end some time."""
        asked = self.dns("a", "b", "c").ask(WWW)
        self.clock.advance(LEAST_WAIT)
        self.clock.advance(LEAST_WAIT)
        self.refuse()
        self.refuse()
        self.failureResultOf(asked, ParentFailed)
        self.assertEqual(self.hosts, ["a", "b", "c", "a"])

    def test_the_last_one_that_is_up_has_all_its_time(self) -> None:
        """Those that are down are no reason to hurry it."""
        parents = self.dns("a", "b")
        for _ in range(3):
            asked = parents.ask(WWW)
            self.refuse()
            self.answer()
            self.answered_by(asked)
            self.clock.advance(LONGEST_BACKOFF + 1)
        probe, asked = parents.ask(WWW), parents.ask(WWW)
        self.assertEqual(self.hosts[-2:], ["a", "b"])
        self.clock.advance(100.0)
        self.assertNoResult(asked)
        self.assertNoResult(probe)
        self.assertEqual(self.exchange.cancelled, ["a"])

    def test_who_is_left_twice_is_not_asked_a_third_time(self) -> None:
        """The question fails then."""
        asked = self.dns("a", "b").ask(WWW)
        self.clock.advance(LEAST_WAIT)
        self.refuse()
        self.refuse()
        self.failureResultOf(asked, ParentFailed)
        self.assertEqual(self.hosts, ["a", "b", "a"])

    def test_a_parent_alone_has_all_its_time(self) -> None:
        """There is nobody to be asked instead."""
        asked = self.dns("a").ask(WWW)
        self.clock.advance(100.0)
        self.assertNoResult(asked)
        self.answer()
        self.assertEqual(self.answered_by(asked), "a:53")

    def test_a_dead_parent_goes_down_and_is_left_alone(self) -> None:
        """After three questions it is asked last; a probe costs somebody a short wait; an answer brings it back."""
        parents = self.dns("a", "b")
        for _ in range(3):
            asked = parents.ask(WWW)
            if self.hosts[-1] == "a":
                self.refuse()
            self.answer()
            self.answered_by(asked)
            downed = self.clock.seconds()
            self.clock.advance(LONGEST_BACKOFF + 1)
        self.clock.rightNow = downed
        self.assertEqual(self.hosts, ["a", "b"] * 3)
        self.assertEqual(parents.states()[0], ParentState("a:53", None, LEAST_WAIT, 3, downed + 1))
        del self.exchange.asked[:]
        asked = parents.ask(WWW)
        self.answer()
        self.answered_by(asked)
        self.assertEqual(self.hosts, ["b"])
        self.clock.advance(1.0)
        probe, other = parents.ask(WWW), parents.ask(WWW)
        self.assertEqual(self.hosts, ["b", "a", "b"])
        self.answer()
        self.assert_answered_by(other, "b:53")
        self.clock.advance(LEAST_WAIT)
        self.assertEqual(self.hosts, ["b", "a", "b", "b"])
        self.answer()
        self.assertEqual(self.answered_by(probe), "b:53")
        self.clock.advance(2.0)
        asked = parents.ask(WWW)
        self.assertEqual(self.hosts[-1], "a")
        self.answer(Rcode.SERVFAIL)
        self.answer()
        self.answered_by(asked)
        self.assertEqual((parents.states()[0].failures, parents.states()[0].down_until), (0, None))

    def assert_answered_by(self, asked: Deferred[Upstream], parent: str) -> None:
        self.assertEqual(self.successResultOf(asked).parent, parent)

    def test_where_all_are_down_each_is_still_tried(self) -> None:
        """The last of them with all its time."""
        parents = self.dns("a", "b")
        for _ in range(6):
            self.ask_all_silent(parents)
        for state in parents.states():
            self.assertIsNotNone(state.down_until)
        del self.exchange.asked[:]
        asked = parents.ask(WWW)
        self.clock.advance(LEAST_WAIT)
        self.assertEqual(sorted(self.hosts), ["a", "b"])
        self.clock.advance(100.0)
        self.assertNoResult(asked)
        self.refuse()
        self.failureResultOf(asked, ParentFailed)
        self.assertEqual(sorted(self.hosts), ["a", "b"])

    def test_that_a_course_parent_knows_nothing_lets_the_next_one_be_asked(self) -> None:
        """The name is unknown where every parent says so."""
        unknown = Upstream(Rcode.NXDOMAIN, "t")
        known = Upstream(Rcode.NOERROR, "u", course_reply=CourseReply("www.example.com", "1.2.3.4", 60))
        for second in (known, unknown, Upstream(Rcode.NXDOMAIN, "u", soa=rrset("com", 60, SOA, b"soa"))):
            first, other = FakeParent("t"), FakeParent("u")
            asked = Parents([first, other], self.clock, 4.0).ask(WWW)
            first.answers[0].callback(unknown)
            other.answers[0].callback(second)
            self.assertIs(self.successResultOf(asked), second)

    def test_a_name_is_not_unknown_where_a_parent_was_not_heard(self) -> None:
        """Whichever of them it was."""
        for silent in (0, 1):
            both = [FakeParent("t"), FakeParent("u")]
            asked = Parents(both, self.clock, 4.0).ask(WWW)
            for number, parent in enumerate(both):
                if number == silent:
                    parent.answers[0].errback(Failure(ParentFailed("silent")))
                else:
                    parent.answers[0].callback(Upstream(Rcode.NXDOMAIN, parent.address))
            self.failureResultOf(asked, ParentFailed)

    def test_a_name_that_dns_cannot_carry_goes_to_course_parents_alone(self) -> None:
        """And is no time-out of the others."""
        odd = question("two..dots")
        course = FakeParent("t")
        parents = Parents([DNSParent("a", 53, False, self.exchange), course], self.clock, 4.0)
        asked = parents.ask(odd)
        course.answers[0].callback(Upstream(Rcode.NOERROR, "t", course_reply=CourseReply("two..dots", "x", None)))
        self.successResultOf(asked)
        failure = self.failureResultOf(self.dns("a").ask(odd), ParentFailed)
        self.assertEqual(str(failure.value), "'two..dots' is a name that DNS cannot carry")
        self.assertEqual((self.hosts, parents.states()[0].failures), ([], 0))

    def test_a_question_that_was_never_sent_says_nothing_of_the_parent(self) -> None:
        """Clients that ask for names no course parent can be asked for must not bring it down."""
        parents = Parents([FakeParent("t", carries=False), FakeParent("u")], self.clock, 4.0)
        for _ in range(5):
            asked = parents.ask(WWW)
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
        self.assertEqual(parents.states()[0], ParentState("t", None, LEAST_WAIT, 0, None))

    def test_without_a_parent_every_question_fails(self) -> None:
        """With a sentence."""
        failure = self.failureResultOf(self.dns().ask(Question(b"\0", A)), ParentFailed)
        self.assertEqual(str(failure.value), "there is no parent to ask")

    def test_cancelling_cancels_the_question_in_flight(self) -> None:
        """No timer is left, nobody else is asked, and nobody is blamed."""
        parents = self.dns("a", "b")
        asked = parents.ask(WWW)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((self.clock.getDelayedCalls(), self.hosts), ([], ["a"]))
        self.assertEqual(self.exchange.cancelled, ["a"])
        self.assertEqual(parents.states()[0].failures, 0)
