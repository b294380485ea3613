"""Tests for :mod:`labnet.resolver.engine.resolver` where parents fail, and near the end of an answer's life."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from labnet.interfaces import IParent
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.policy import Bounds
from labnet.resolver.engine.inflight import InFlight
from labnet.resolver.engine.resolver import Resolver
from labnet.resolver.records.zone import Zone
from labnet.wire.names import ROOT
from labnet.wire.types import Question, Rcode, Upstream
from tests.resolver.dnsfakes import question
from tests.resolver.lab import COURSE, OTHER, Lab, codes, errors, rcode, shown


class FailureTests(SynchronousTestCase):
    """A parent that fails."""

    def fail(self, lab: Lab, name: str = "web.example") -> list[str]:
        """Ask; the parent says SERVFAIL; the texts of the errors."""
        reply = lab.resolve(name, rcode="SERVFAIL")
        self.assertEqual(rcode(reply), "SERVFAIL")
        self.assertEqual(codes(reply)[0], 22)
        return errors(reply)

    def test_failure_says_why(self) -> None:
        """The extended error has what the parent said."""
        self.assertIn("could not resolve the name (SERVFAIL)", self.fail(Lab(self))[0])

    def test_silence_says_who_was_silent(self) -> None:
        """A parent that is silent for all its tries is named."""
        lab = Lab(self, parent_timeout=1, parent_tries=2)
        lab.begin("web.example")
        lab.asked()
        lab.reactor.pass_time(
            2, lambda: [lab.network.sent.remove(s) for s in lab.network.sent[:] if s.destination[1] == 53]
        )
        reply = lab.told()
        self.assertEqual((rcode(reply), codes(reply)), ("SERVFAIL", [22]))
        self.assertIn("192.0.2.53:53 did not answer", errors(reply)[0])

    def test_log_names_one_failure_a_second_and_counts_the_others(self) -> None:
        """Who asks for many names that fail cannot fill the log."""
        said: list[str] = []
        observer = lambda event: said.append(formatEvent(event))  # noqa: E731
        self.patch(InFlight, "log", Logger(namespace="resolver", observer=observer))
        lab = Lab(self)
        for name in ("a.example", "b.example", "c.example"):
            self.fail(lab, name)
        lab.pass_time(1)
        self.fail(lab, "d.example")
        self.assertEqual(len(said), 2)
        self.assertIn("a.example A is not resolved: ", said[0])
        self.assertTrue(said[1].startswith("d.example A is not resolved: "))
        self.assertTrue(said[1].endswith(" (and 2 more before)"))

    def test_failure_is_remembered_for_dns(self) -> None:
        """For five seconds nobody is asked again, and that is said (RFC 9520)."""
        lab = Lab(self)
        why = self.fail(lab)
        lab.pass_time(5)
        reply = lab.ask("web.example")
        self.assertEqual((rcode(reply), codes(reply)), ("SERVFAIL", [22, 13]))
        self.assertEqual(errors(reply), [*why, "It failed 5 s ago, and a failure counts for 5 s."])
        lab.pass_time(0.1)
        self.assertEqual(rcode(lab.resolve("web.example", "web.example. 60 A 192.0.2.1")), "NOERROR")

    def test_failure_is_never_remembered_for_the_course_protocol(self) -> None:
        """Over the course protocol each question goes to the parent anew, and its success counts for DNS too."""
        lab = Lab(self)
        self.fail(lab)
        lab.course("web.example")
        lab.tell(lab.asked("web.example"))
        self.assertEqual(lab.course_told(), b"[]")
        # A negative answer without a SOA is not kept, but the failure is over.
        self.assertEqual(rcode(lab.resolve("web.example", "web.example. 60 A 192.0.2.1")), "NOERROR")

    def test_failure_of_a_chains_end_is_remembered(self) -> None:
        """A name that failed a moment ago is not asked for again because another one leads to it."""
        lab = Lab(self)
        self.fail(lab)
        lab.begin("alias.example")
        lab.tell(lab.asked("alias.example"), "alias.example. 60 CNAME web.example.")
        self.assertEqual((rcode(lab.told()), lab.network.sent), ("SERVFAIL", []))
        lab.course("other.example")
        lab.tell(lab.asked("other.example"), "other.example. 60 CNAME web.example.")
        lab.tell(lab.asked("web.example"), "web.example. 60 A 192.0.2.1")
        self.assertIn(b'"192.0.2.1"', lab.course_told())

    def test_fault_of_our_own_is_a_failure_too(self) -> None:
        """A parent that breaks the contract costs an answer and a line in the log, and the next question is asked."""

        @implementer(IParent)
        class Broken:
            address = "broken"

            def ask(self, question: Question) -> Deferred[Upstream]:
                return fail(ZeroDivisionError())

        resolver = Resolver(Zone(), Cache(10_000), {ROOT: Broken()}, lambda *_: None, Clock(), Bounds())
        for _ in range(2):
            answer = self.successResultOf(resolver.ask(question("web.example")))
            self.assertEqual(answer.rcode, Rcode.SERVFAIL)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class StaleTests(SynchronousTestCase):
    """Answers past their lifetime (RFC 8767)."""

    def expired(self, lab: Lab, rdata: str = "A 192.0.2.1") -> None:
        """Learn a record of 60 seconds and let it get a minute too old."""
        lab.resolve("web.example", f"web.example. 60 {rdata}")
        lab.pass_time(120)

    def test_off_by_default(self) -> None:
        """A failure is a failure, where nobody allowed old answers."""
        lab = Lab(self)
        self.expired(lab)
        self.assertEqual(rcode(lab.resolve("web.example", rcode="SERVFAIL")), "SERVFAIL")

    def test_old_answer_is_told_when_the_parent_fails(self) -> None:
        """It is told with a TTL of 30 s and said to be stale, also to who asks while the failure is remembered."""
        lab = Lab(self, serve_stale=3600)
        self.expired(lab)
        for reply in (lab.resolve("web.example", rcode="SERVFAIL"), lab.ask("web.example")):
            self.assertEqual(shown(reply), ["web.example. 30 IN A 192.0.2.1"])
            self.assertEqual(
                (codes(reply), errors(reply)),
                (
                    [3],
                    ["No parent answers, so an answer past its lifetime serves: learned 120 s ago, with 60 s to live."],
                ),
            )
        lab.pass_time(6)
        self.assertEqual(
            shown(lab.resolve("web.example", "web.example. 60 A 192.0.2.2")), ["web.example. 60 IN A 192.0.2.2"]
        )

    def test_old_alias_makes_the_whole_answer_stale(self) -> None:
        """What it leads to may be as new as can be, of the records or of another parent."""
        for told in [], ["192.0.2.7"]:
            files = {"db.lab": "$TTL 60\nto.example. IN A 192.0.2.7\n"} if not told else {}
            lab = Lab(self, files, serve_stale=3600, forward={"to.example": ["dns:192.0.2.54"]})
            lab.begin("web.example")
            lab.tell(lab.asked("web.example"), "web.example. 60 CNAME to.example.")
            for address in told:
                lab.tell(lab.asked("to.example", parent=OTHER), f"to.example. 60 A {address}")
            self.assertEqual(codes(lab.told()), [0])
            lab.pass_time(120)
            lab.begin("web.example")
            lab.tell(lab.asked("web.example"), rcode="SERVFAIL")
            for address in told:
                lab.tell(lab.asked("to.example", parent=OTHER), f"to.example. 60 A {address}")
            for reply in (lab.told(), lab.ask("web.example")):
                self.assertEqual(shown(reply)[:1], ["web.example. 30 IN CNAME to.example."])
                self.assertEqual((len(reply.answer), codes(reply)[0]), (2, 3))

    def test_old_negative_answer(self) -> None:
        """A name that did not exist still does not, for 30 s, with the code of its own."""
        lab = Lab(self, serve_stale=3600)
        soa = ["example. 300 SOA ns.example. h.example. 1 2 3 4 300"]
        lab.resolve("web.example", rcode="NXDOMAIN", authority=soa)
        lab.pass_time(301)
        reply = lab.resolve("web.example", rcode="SERVFAIL")
        self.assertEqual((rcode(reply), codes(reply)), ("NXDOMAIN", [19]))
        self.assertEqual(reply.authority[0].ttl, 30)

    def test_too_old(self) -> None:
        """Past ``serve_stale`` seconds beyond its TTL the answer is gone."""
        lab = Lab(self, serve_stale=30)
        self.expired(lab)
        self.assertEqual(rcode(lab.resolve("web.example", rcode="SERVFAIL")), "SERVFAIL")


class PrefetchTests(SynchronousTestCase):
    """Names that are asked for near their end."""

    def test_popular_name_is_asked_for_anew_once(self) -> None:
        """In the last tenth of its life an answer is told as it is, and the parent asked once behind the client."""
        lab = Lab(self)
        lab.resolve("web.example", "web.example. 100 A 192.0.2.1")
        lab.pass_time(90)
        lab.ask("web.example")
        lab.pass_time(1)
        lab.begin("web.example")
        self.assertEqual(shown(lab.told()), ["web.example. 9 IN A 192.0.2.1"])
        query = lab.asked("web.example")
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 9 IN A 192.0.2.1"])
        lab.tell(query, "web.example. 100 A 192.0.2.2")
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 100 IN A 192.0.2.2"])

    def test_failed_refresh_costs_nothing(self) -> None:
        """Where the parent fails the answer lives to its end; then it is not served on, unless that is allowed."""
        for stale, expected in ((0, "SERVFAIL"), (60, "NOERROR")):
            lab = Lab(self, serve_stale=stale)
            lab.resolve("web.example", "web.example. 100 A 192.0.2.1")
            lab.pass_time(98)
            lab.begin("web.example")
            lab.told()
            lab.tell(lab.asked("web.example"), rcode="SERVFAIL")
            self.assertEqual(shown(lab.ask("web.example")), ["web.example. 2 IN A 192.0.2.1"])
            lab.pass_time(3)
            self.assertEqual(rcode(lab.ask("web.example")), expected)
            lab.stop()

    def test_not_where_it_is_switched_off(self) -> None:
        """With ``prefetch`` off nobody is asked before the end."""
        lab = Lab(self, prefetch=False)
        lab.resolve("web.example", "web.example. 100 A 192.0.2.1")
        lab.pass_time(99)
        lab.ask("web.example")

    def test_not_for_what_the_course_protocol_told(self) -> None:
        """A learned mapping lives for its TTL and is then asked for by who needs it, as the assignment has it."""
        lab = Lab(self, parents=["text:192.0.2.53:1200"])
        lab.course("web.example")
        query = lab.take(COURSE)
        lab.network.deliver(b"web.example,1.2.3.4,100", COURSE, query.source)
        lab.course_told()
        lab.pass_time(99)
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 1 IN A 1.2.3.4"])

    def test_not_without_a_parent(self) -> None:
        """What was learned before the parents were taken out of the configuration lives to its end."""
        lab = Lab(self)
        lab.resolve("web.example", "web.example. 100 A 192.0.2.1")
        lab.restart(parents=[])
        lab.pass_time(99)
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 1 IN A 192.0.2.1"])
