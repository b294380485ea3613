"""A walk from the root and its servers: which are asked, who waits for them, what an observer sees."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from labnet.resolver.upstream.errors import NoRoute, ParentFailed, Unusable
from labnet.wire.types import ExtendedError, InfoCode, Rcode, Reply
from tests.resolver.recursive.fakes import EVIL, LAB, OTHER, ROOT, TLD, WalkTestCase, addresses, ask, records


class ServersTests(WalkTestCase):
    """Which server is asked, and what happens where one fails."""

    def setUp(self) -> None:
        super().setUp()
        self.servers.serve(TLD, "test.", f"lab NS ns1.lab\nlab NS ns2.lab\nns1.lab A {LAB}\nns2.lab A {OTHER}")
        self.servers.zones[TLD] = self.servers.zones[TLD][2:]
        zone = "www A 192.0.2.80\nmail A 192.0.2.25"
        self.servers.zones[LAB] = []
        self.servers.serve(LAB, "lab.test.", zone)
        self.servers.serve(OTHER, "lab.test.", zone)

    def first(self) -> str:
        """The server of lab.test that a fresh walk asks first."""
        self.resolve("www.lab.test A")
        return next(asked.split()[0] for asked in self.asked()[::-1])

    def assertNextIsAsked(self, reply: Reply | Exception) -> None:
        first = self.first()
        self.walk = self.make()
        self.servers.tell(first, reply)
        self.assertEqual(addresses(self.resolve("www.lab.test A")), ["192.0.2.80"])
        other = OTHER if first == LAB else LAB
        self.assertEqual(
            self.asked()[2:], [f"{first} www.lab.test A", f"{other} www.lab.test A", f"{other} lab.test NS"]
        )
        for number in range(8):
            self.resolve(f"n{number}.lab.test A")
            self.assertEqual(self.asked(), [f"{other} n{number}.lab.test A"])

    def test_a_silent_server(self) -> None:
        """The next one is asked, and from then on it comes first."""
        self.assertNextIsAsked(ParentFailed("did not answer"))

    def test_a_server_that_says_servfail(self) -> None:
        """The next one is asked."""
        self.assertNextIsAsked(Reply(Rcode.SERVFAIL))

    def test_a_server_that_refuses(self) -> None:
        """The next one is asked."""
        self.assertNextIsAsked(Reply(Rcode.REFUSED))

    def test_an_answer_of_a_resolver(self) -> None:
        """It comes from a cache: the next one is asked."""
        self.assertNextIsAsked(Reply(0, False, True, answer=records(f"www.lab.test. A {EVIL}")))

    def test_a_negative_answer_with_neither_authority_nor_soa(self) -> None:
        """The next one is asked."""
        self.assertNextIsAsked(Reply(Rcode.NXDOMAIN, False))

    def test_a_referral_to_the_zone_itself(self) -> None:
        """It leads nowhere: the next one is asked."""
        self.assertNextIsAsked(Reply(0, authority=records("lab.test. NS ns.evil.test.")))

    def test_a_referral_upwards(self) -> None:
        """To the root, as misconfigured servers do: the next one is asked."""
        self.assertNextIsAsked(Reply(0, authority=records(". NS a.root-servers.test.")))

    def test_a_reply_that_cannot_be_read(self) -> None:
        """The next one is asked, and the server is there."""
        self.assertNextIsAsked(Unusable("192.0.2.3:53 sent a reply that cannot be read", Rcode.SERVFAIL))

    def test_a_server_that_is_passed_over_counts_where_no_other_answers(self) -> None:
        """With neither authority nor SOA there is no such record, without any servers there would be no answer."""
        self.servers.tell(LAB, Reply(Rcode.NOERROR))
        self.servers.silence(OTHER)
        answer = self.resolve("www.lab.test A")
        self.assertEqual((answer.rcode, answer.rrsets), (Rcode.NOERROR, ()))

    def test_the_servers_that_the_zone_names_are_asked_where_those_of_its_parent_are_dead(self) -> None:
        """They are asked for once, when one of the parent's had failed and another one answered."""
        self.servers.silence(LAB)
        self.servers.zones[OTHER] = []
        own = f"@ NS ns2\n@ NS ns3\nns2 A {OTHER}\nns3 A 192.0.2.5\nwww A 192.0.2.80"
        for address in OTHER, "192.0.2.5":
            self.servers.serve(address, "lab.test.", own)
        glue = records(f"ns2.lab.test. A {OTHER}\nns3.lab.test. A 192.0.2.5")
        names = records("lab.test. NS ns2.lab.test.\nlab.test. NS ns3.lab.test.")
        self.servers.tell(f"{OTHER} lab.test NS", Reply(0, True, answer=names, additional=glue))
        for number in range(10):
            self.resolve(f"n{number}.lab.test A")
        self.assertEqual(self.asked().count(f"{OTHER} lab.test NS"), 1)
        self.servers.silence(f"{OTHER} www.lab.test A")
        self.assertEqual(addresses(self.resolve("www.lab.test A")), ["192.0.2.80"])
        self.assertEqual(self.asked()[-1], "192.0.2.5 www.lab.test A")

    def test_a_resolver_that_names_the_zone_instead_of_a_soa(self) -> None:
        """It is asked for recursion, and has no such record then (as with an empty cache)."""
        reply = Reply(0, recursion_available=True, authority=records("lab.test. NS ns1.lab.test."))
        self.servers.tell(LAB, reply)
        self.servers.tell(f"{LAB} www.lab.test A RD", reply)
        self.servers.silence(OTHER)
        answer = self.resolve("www.lab.test A")
        self.assertEqual(
            (answer.rcode, answer.rrsets, self.asked()[-1]), (Rcode.NOERROR, (), f"{LAB} www.lab.test A RD")
        )

    def test_a_family_of_addresses_without_a_route_is_left_alone_for_five_seconds(self) -> None:
        """The other one is asked; nothing was sent, and no server is blamed."""
        self.servers.serve(TLD, "test.", f"lab NS ns1.lab\nns1.lab AAAA 2001:db8::3\nns1.lab A {OTHER}")
        del self.servers.zones[TLD][0]
        self.servers.tell("2001:db8::3", NoRoute("cannot ask [2001:db8::3]:53: Network is unreachable"))
        self.servers.silence(OTHER)
        for passed, times in (0.0, 1), (4.0, 0), (1.0, 1):
            self.clock.advance(passed)
            self.asked()
            failed = self.failing("www.lab.test A")
            self.assertEqual(self.asked().count("2001:db8::3 www.lab.test A"), times)
        self.assertIn("Network is unreachable", failed)

    def test_where_all_fail_it_is_said_what_failed_where(self) -> None:
        """In one sentence."""
        self.servers.silence(LAB)
        self.servers.tell(OTHER, Reply(Rcode.REFUSED, errors=(ExtendedError(InfoCode.PROHIBITED, "not for you"),)))
        failed = self.failing("www.lab.test A")
        self.assertTrue(failed.startswith("no server of lab.test answered www.lab.test A: "), failed)
        self.assertIn(f"ns1.lab.test: {LAB} did not answer", failed)
        self.assertIn(f"ns2.lab.test ({OTHER}) answered REFUSED (not for you)", failed)


class WaitingTests(WalkTestCase):
    """Questions that wait for a server."""

    def setUp(self) -> None:
        super().setUp()
        self.cancelled: list[object] = []
        self.late: Deferred[Reply] = Deferred(self.cancelled.append)
        self.servers.tell(f"{LAB} www.lab.test A", self.late)

    def test_equal_questions_are_joined(self) -> None:
        """The servers are asked once, and everybody is answered."""
        first, second = self.walk.ask(ask("www.lab.test A")), self.walk.ask(ask("www.lab.test A"))
        self.assertEqual(len(self.asked()), 3)
        self.late.callback(Reply(0, True, answer=records("www.lab.test. A 192.0.2.80")))
        self.assertEqual(self.successResultOf(first), self.successResultOf(second))

    def test_the_failure_of_a_joined_question_goes_to_all(self) -> None:
        """Each gets a failure of its own."""
        first, second = self.walk.ask(ask("www.lab.test A")), self.walk.ask(ask("www.lab.test A"))
        self.late.errback(ParentFailed("did not answer"))
        self.assertIsNot(self.failureResultOf(first, ParentFailed), self.failureResultOf(second, ParentFailed))

    def test_cancelling_closes_the_exchange(self) -> None:
        """Nothing is left of the question."""
        waiting = self.walk.ask(ask("www.lab.test A"))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.cancelled, [self.late])

    def test_one_who_leaves_does_not_end_it_for_the_others(self) -> None:
        """Only the last one to cancel closes the exchange."""
        first, second = self.walk.ask(ask("www.lab.test A")), self.walk.ask(ask("www.lab.test A"))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(self.cancelled, [])
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.cancelled, [self.late])

    def test_one_who_is_answered_may_cancel_another(self) -> None:
        """The other then hears of nothing but that."""
        first, second = self.walk.ask(ask("www.lab.test A")), self.walk.ask(ask("www.lab.test A"))
        first.addCallback(lambda _: second.cancel())
        self.late.callback(Reply(0, True, answer=records("www.lab.test. A 192.0.2.80")))
        self.successResultOf(first)
        self.failureResultOf(second, CancelledError)

    def test_a_question_can_be_asked_again_after_it_was_cancelled(self) -> None:
        """It does not wait for the one that was given up."""
        self.failureResultOf(self._cancelled(), CancelledError)
        del self.servers.replies[f"{LAB} www.lab.test A"]
        self.assertEqual(addresses(self.resolve("www.lab.test A")), ["192.0.2.80"])

    def _cancelled(self) -> Deferred[object]:
        waiting = self.walk.ask(ask("www.lab.test A"))
        waiting.cancel()
        return waiting


class StepsTests(WalkTestCase):
    """What an observer sees."""

    def test_each_step_names_server_time_and_outcome(self) -> None:
        """In the order in which they were taken."""
        late: Deferred[Reply] = Deferred()
        self.servers.tell(f"{LAB} www.lab.test A", late)
        waiting = self.walk.ask(ask("www.lab.test A"))
        self.clock.advance(0.25)
        late.callback(Reply(0, True, answer=records("www.lab.test. 60 A 192.0.2.80")))
        self.successResultOf(waiting)
        self.assertEqual(
            [str(step) for step in self.steps],
            [
                f".: a.root-servers.test ({ROOT}): test A: referral to test, served by a.nic.test [0.0 ms]",
                f"test: a.nic.test ({TLD}): lab.test A: referral to lab.test, served by ns.lab.test [0.0 ms]",
                f"lab.test: ns.lab.test ({LAB}): www.lab.test A: answer: www.lab.test 60 A 192.0.2.80 [250.0 ms]",
            ],
        )

    def test_failures_are_steps_too(self) -> None:
        """Silent and lame servers, and what does not exist."""
        self.resolve("no.lab.test A")
        self.resolve("www.lab.test TXT")
        self.servers.silence(f"{LAB} mail.lab.test A")
        self.failing("mail.lab.test A")
        self.servers.tell(f"{LAB} mail.lab.test A", Reply(Rcode.REFUSED))
        self.servers.tell(f"{TLD} lab.test A", Reply(Rcode.REFUSED))
        self.servers.tell(f"{TLD} mail.lab.test A", Reply(Rcode.REFUSED))
        self.failing("mail.lab.test A")
        outcomes = [step.outcome for step in self.steps]
        self.assertIn("NXDOMAIN: there is no such name", outcomes)
        self.assertIn("NODATA: no such record at that name", outcomes)
        self.assertIn(f"{LAB} did not answer", outcomes)
        self.assertEqual(outcomes[-1], "lame: answered REFUSED")

    def test_steps_aside_are_indented(self) -> None:
        """The walk for a name server's address stands two columns further right."""
        self.servers.serve(TLD, "example.", "shop NS ns.lab.test.")
        self.servers.zones[TLD] = [self.servers.zones[TLD][0], self.servers.zones[TLD][2]]
        self.servers.serve(LAB, "shop.example.", "www A 198.51.100.80")
        self.resolve("www.shop.example A")
        self.assertEqual([step.depth for step in self.steps], [0, 0, 1, 1, 1, 0])
        self.assertTrue(str(self.steps[2]).startswith("  .: "))
