"""What a lab takes from others, whom it waits for, and when it goes alone."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from labnet.interfaces import IMeasured, IParent
from labnet.metrics import FAMILIES
from labnet.resolver.cache.policy import Bounds, entry_of
from labnet.resolver.shared.cache import LOOK_AGAIN, MOST_FLUSHES, MOST_PASSES, SharedCache
from labnet.resolver.shared.interfaces import ISharedStore
from labnet.resolver.shared.values import Flush, Looked, ParentGroup, StoreGone, decode_value, encode_value
from labnet.resolver.upstream.errors import ParentFailed
from labnet.wire.names import ROOT, key_of
from labnet.wire.types import Question, Rcode, Upstream
from tests.resolver.dnsfakes import A, question, rrset

NOW = 100_000.0
WWW = question("www.example.com")
TOLD = Upstream(Rcode.NOERROR, "192.0.2.53:53", (rrset("www.example.com", 60, A, b"\xc0\0\2\1"),))
BOUNDS = Bounds()
POOL = ParentGroup("main", ROOT, ("dns:192.0.2.53:53",), False)
KEY = POOL.key(WWW)


@dataclass
class Call:
    """Something asked of the store, not answered yet unless ``answer`` is called."""

    name: str
    arguments: tuple[Any, ...]
    result: Deferred[object] = field(default_factory=Deferred)

    def answer(self, value: object) -> None:
        self.result.callback(value)

    def fail(self) -> None:
        self.result.errback(Failure(StoreGone("it did not answer")))


@implementer(IParent)
class FakeParent:
    """A parent that answers when the test says so; ``asked`` are the questions that it has not answered."""

    address = "192.0.2.53"

    def __init__(self) -> None:
        self.asked: list[Deferred[Upstream]] = []

    def ask(self, question: Question) -> Deferred[Upstream]:
        self.asked.append(Deferred())
        return self.asked[-1]

    def answer(self) -> None:
        self.asked.pop(0).callback(TOLD)

    def fail(self) -> None:
        self.asked.pop(0).errback(ParentFailed("it is silent"))


@implementer(ISharedStore)
class FakeStore:
    """A server that answers when the test says so."""

    is_up = True

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def _call(self, name: str, *arguments: object) -> Deferred[object]:
        self.calls.append(Call(name, arguments))
        return self.calls[-1].result

    def look(self, key: bytes, token: bytes, hold: float, insist: bool, within: float) -> Deferred[object]:
        return self._call("look", key, token, hold, insist, within)

    def tell(self, key: bytes, token: bytes, value: bytes, left: float) -> Deferred[object]:
        return self._call("tell", key, token, value, left)

    def ping(self, within: float) -> Deferred[object]:
        return self._call("ping", within)

    def flush(self, flush: Flush) -> Deferred[object]:
        return self._call("flush", flush)

    def take(self, name: str) -> Call:
        """The one call of ``name`` since the last look."""
        (found,) = [call for call in self.calls if call.name == name]
        self.calls.remove(found)
        return found


class SharedTests(SynchronousTestCase):
    """One lab, a server and a parent that answer when the test says so."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = NOW
        self.store = FakeStore()
        self.shared = SharedCache(self.store, self.clock, random.Random(1), 0.05, 5.0)
        self.parent = FakeParent()
        self.asker = self.shared.parent(POOL, self.parent, BOUNDS, 4.0)

    def tearDown(self) -> None:
        """Nothing waits any more, and no timer is left."""
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def ask(self, asked: Question = WWW) -> Deferred[Upstream]:
        return self.asker.ask(asked)

    def value(self, upstream: Upstream = TOLD, age: float = 0.0) -> tuple[bytes, float]:
        return encode_value(WWW, upstream, BOUNDS, NOW - age)

    def wait(self) -> Deferred[Upstream]:
        """A question that another lab asks the parents."""
        asking = self.ask()
        self.store.take("look").answer(Looked(theirs=True))
        self.assertNoResult(asking)
        return asking

    def told(self, token: bytes, upstream: Upstream | None = TOLD) -> None:
        """The labs were told ``upstream`` under ``token``, once."""
        tell = self.store.take("tell")
        value, left = (b"", 0.0) if upstream is None else encode_value(WWW, upstream, BOUNDS, self.clock.seconds())
        self.assertEqual(tell.arguments, (KEY, token, value, left))
        tell.answer(None)

    def asks_parent(self, asking: Deferred[Upstream], token: bytes, upstream: Upstream | None = TOLD) -> None:
        """The parent is asked and answers, and the labs are told."""
        self.assertNoResult(asking)
        self.parent.answer()
        self.assertEqual(self.successResultOf(asking), TOLD)
        self.told(token, upstream)
        self.assertEqual(self.store.calls, [])

    def test_it_is_what_it_says(self) -> None:
        """It stands for its parent."""
        verifyObject(IParent, self.asker)
        verifyObject(IMeasured, self.shared)
        verifyObject(ISharedStore, self.store)
        self.assertEqual(self.asker.address, self.parent.address)

    def test_what_another_lab_learned_is_taken(self) -> None:
        """It is as old here as it is there, and no parent is asked."""
        asking = self.ask()
        look = self.store.take("look")
        key, _, hold, insist, within = look.arguments
        self.assertEqual((key, hold, insist, within), (KEY, 5.0, False, 0.05))
        value, _ = self.value(age=10.0)
        look.answer(Looked(value, 50.0))
        self.assertEqual(self.successResultOf(asking).since, NOW - 10)
        self.assertEqual(self.parent.asked, [])
        self.assertEqual(self.store.calls, [])
        self.assertEqual(self.shared.counts["hit"], 1)

    def test_a_miss_is_asked_under_a_lock_and_told(self) -> None:
        """The server keeps it for the time that it has left."""
        asking = self.ask()
        look = self.store.take("look")
        look.answer(Looked(ours=True))
        self.assertEqual(len(look.arguments[1]), 32)
        self.asks_parent(asking, look.arguments[1])
        self.assertEqual(self.shared.counts["asked"], 1)

    def test_every_question_has_a_token_of_its_own(self) -> None:
        """Or one could give up another's lock."""
        tokens = []
        for _ in range(2):
            asking = self.ask()
            tokens.append(self.store.take("look").arguments[1])
            asking.cancel()
            self.failureResultOf(asking, CancelledError)
        self.assertNotEqual(*tokens)

    def test_who_waits_for_another_lab_gets_its_answer(self) -> None:
        """As the message has it, without a further look."""
        asking = self.wait()
        self.shared.on_message(b"of another name", self.value()[0])
        self.assertNoResult(asking)
        self.shared.on_message(KEY, self.value()[0])
        self.assertEqual(self.successResultOf(asking), replace(TOLD, since=NOW))
        self.assertEqual((self.parent.asked, self.store.calls), ([], []))
        self.assertEqual(self.shared.counts["waited"], 1)

    def test_a_message_that_is_faster_than_the_look_is_not_lost(self) -> None:
        """The two come by different connections."""
        asking = self.ask()
        self.shared.on_message(KEY, self.value()[0])
        self.store.take("look").answer(Looked(theirs=True))
        self.assertEqual(self.successResultOf(asking), replace(TOLD, since=NOW))
        self.assertEqual(self.store.calls, [])
        asking = self.ask()
        self.shared.on_message(KEY, b"")
        self.store.take("look").answer(Looked(theirs=True))
        self.parent.answer()
        self.successResultOf(asking)

    def test_an_answer_that_does_not_last_reaches_who_waits(self) -> None:
        """As that a course parent does not know the name."""
        asking = self.wait()
        value, left = self.value(Upstream(Rcode.NXDOMAIN, "192.0.2.53:1200"))
        self.assertEqual(left, 0)
        self.shared.on_message(KEY, value)
        self.assertEqual(self.successResultOf(asking).rcode, Rcode.NXDOMAIN)

    def test_where_the_other_lab_fails_who_waits_asks_itself(self) -> None:
        """And so where what it tells is no answer."""
        for value in b"", b"junk":
            asking = self.wait()
            self.shared.on_message(KEY, value)
            self.parent.answer()
            self.successResultOf(asking)
            self.store.take("tell").answer(None)
        self.assertEqual(self.shared.counts["alone"], 2)

    def test_who_waits_looks_itself_now_and_then(self) -> None:
        """The other lab may have died, and its lock with it; or its word got lost."""
        for looked, takes in ((Looked(ours=True), False), (Looked(self.value()[0], 60.0), True)):
            asking = self.wait()
            for _ in range(2):
                self.pass_time(LOOK_AGAIN)
                self.store.take("look").answer(Looked(theirs=True))
            self.pass_time(LOOK_AGAIN)
            self.store.take("look").answer(looked)
            if not takes:
                self.parent.answer()
                self.store.take("tell").answer(None)
            self.successResultOf(asking)

    def test_nobody_waits_longer_than_the_parents_may_take(self) -> None:
        """Four seconds here; then it asks by itself, whatever the other lab does."""
        asking = self.wait()
        waited = 0.0
        while not self.parent.asked:
            self.pass_time(LOOK_AGAIN)
            waited += LOOK_AGAIN
            for call in [call for call in self.store.calls if call.name == "look"]:
                self.store.calls.remove(call)
                call.answer(Looked(theirs=True))
        self.assertEqual(waited, 4.0)
        self.parent.answer()
        self.successResultOf(asking)
        self.store.take("tell").answer(None)

    def test_nobody_waits_longer_than_the_lock(self) -> None:
        """Where that is the shorter of the two."""
        self.shared.lock = 0.1
        self.asker = self.shared.parent(POOL, self.parent, BOUNDS, 4.0)
        asking = self.wait()
        self.pass_time(0.09)
        self.assertEqual(self.parent.asked, [])
        self.pass_time(0.01)
        self.parent.answer()
        self.successResultOf(asking)

    def pass_time(self, seconds: float) -> None:
        """Let time pass; pings are answered."""
        end = self.clock.seconds() + seconds
        while (calls := self.clock.getDelayedCalls()) and min(call.getTime() for call in calls) <= end + 1e-6:
            self.clock.advance(max(0.0, min(call.getTime() for call in calls) - self.clock.seconds()))
            for call in [call for call in self.store.calls if call.name == "ping"]:
                self.store.calls.remove(call)
                call.answer(None)
        self.clock.rightNow = end

    def test_the_server_is_watched_while_somebody_waits(self) -> None:
        """A ping and the time to answer it make half of what the server may delay an answer; nobody pings otherwise."""
        asking = self.wait()
        also = self.wait()
        for _ in range(3):
            self.clock.advance(0.0051)
            ping = self.store.take("ping")
            self.assertAlmostEqual(ping.arguments[0], 0.02)
            ping.answer(None)
        self.clock.advance(0.0051)
        ping = self.store.take("ping")
        self.shared.gone()
        ping.fail()
        for each in asking, also:
            self.assertNoResult(each)
        self.assertEqual(len(self.parent.asked), 2)
        self.parent.answer()
        self.parent.answer()
        for each in asking, also:
            self.successResultOf(each)
        self.clock.advance(1)
        self.assertNotIn("ping", [call.name for call in self.store.calls])

    def test_a_server_that_is_late_lets_the_question_go_alone(self) -> None:
        """What the parent says is told all the same, and so is the lock given up that may have been had."""
        asking = self.ask()
        look = self.store.take("look")
        look.fail()
        self.asks_parent(asking, look.arguments[1])
        self.assertEqual(self.shared.counts["alone"], 1)

    def test_a_server_that_is_not_there_is_not_asked(self) -> None:
        """No time is lost."""
        self.store.is_up = False
        asking = self.ask()
        self.assertEqual(self.store.calls, [])
        self.assertEqual(len(self.parent.asked), 1)
        self.parent.answer()
        self.successResultOf(asking)
        self.store.take("tell").fail()

    def test_a_slow_server_is_asked_no_second_time(self) -> None:
        """Half of the time is gone: there would be none left to notice its death while another lab is waited for."""
        for looked in Looked(theirs=True, is_slow=True), Looked(b"junk", 1.0, is_slow=True):
            asking = self.ask()
            self.store.take("look").answer(looked)
            self.parent.answer()
            self.successResultOf(asking)
            self.store.take("tell").answer(None)

    def test_a_full_server_lets_the_question_go_alone(self) -> None:
        """It has neither a value nor a lock."""
        asking = self.ask()
        self.store.take("look").answer(Looked())
        self.parent.answer()
        self.successResultOf(asking)

    def test_what_cannot_be_used_is_asked_for_under_a_lock(self) -> None:
        """And counted."""
        asking = self.ask()
        self.store.take("look").answer(Looked(b"\xff" * 100, 10.0))
        look = self.store.take("look")
        self.assertEqual(look.arguments[3:], (True, 0.025))
        look.answer(Looked(b"\xff" * 100, 10.0, ours=True))
        self.parent.answer()
        self.assertEqual(self.successResultOf(asking), TOLD)
        self.assertEqual((self.shared.ignored, self.shared.counts["asked"]), (1, 1))

    def due(self) -> Deferred[Upstream]:
        """A question whose answer on the server has a tenth of its time left."""
        asking = self.ask()
        self.store.take("look").answer(Looked(self.value(age=57.0)[0], 3.0))
        return asking

    def test_near_its_end_an_answer_is_asked_for_anew_by_one_lab(self) -> None:
        """The others take it meanwhile."""
        asking = self.due()
        self.store.take("look").answer(Looked(b"", 3.0, ours=True))
        self.parent.answer()
        self.assertIsNone(self.successResultOf(asking).since)
        self.store.take("tell")
        asking = self.due()
        self.store.take("look").answer(Looked(b"", 3.0, theirs=True))
        self.assertEqual(self.successResultOf(asking).since, NOW - 57)

    def test_near_its_end_an_answer_outlives_a_parent_that_fails(self) -> None:
        """As long as it has time left."""
        for passes, lasts in ((2.0, True), (4.0, False)):
            self.clock.rightNow = NOW
            asking = self.due()
            self.store.take("look").answer(Looked(b"", 3.0, ours=True))
            self.clock.advance(passes)
            self.parent.fail()
            if lasts:
                self.assertEqual(self.successResultOf(asking).since, NOW - 57)
            else:
                self.failureResultOf(asking, ParentFailed)
            self.store.take("tell")

    def test_a_failure_is_told_so_that_nobody_waits(self) -> None:
        """The lock is given up."""
        asking = self.ask()
        look = self.store.take("look")
        look.answer(Looked(ours=True))
        self.parent.fail()
        self.failureResultOf(asking, ParentFailed)
        self.told(look.arguments[1], None)

    def test_who_gives_up_gives_up_the_lock(self) -> None:
        """Be it while the server is looked at, while another lab is waited for, or while the parent is asked."""
        for looked in None, Looked(theirs=True), Looked(ours=True):
            asking = self.ask()
            look = self.store.take("look")
            if looked is not None:
                look.answer(looked)
            asking.cancel()
            self.failureResultOf(asking, CancelledError)
            self.told(look.arguments[1], None)

    def test_a_lock_that_comes_too_late_is_given_up(self) -> None:
        """The answer came while it was looked for."""
        asking = self.wait()
        self.pass_time(LOOK_AGAIN)
        look = self.store.take("look")
        self.shared.on_message(KEY, self.value()[0])
        self.successResultOf(asking)
        look.answer(Looked(ours=True))
        self.told(look.arguments[1], None)

    def test_a_flush_goes_to_the_server_and_to_all(self) -> None:
        """It fires with how much the server had."""
        flush = Flush(WWW.key, None)
        flushing = self.shared.flush(flush)
        call = self.store.take("flush")
        self.assertEqual(call.arguments, (flush,))
        call.answer(3)
        self.assertEqual(self.successResultOf(flushing), 3)

    def test_a_flush_without_the_server_is_done_when_it_is_back(self) -> None:
        """Be it gone before or meanwhile; of too many the last ones count."""
        flushes = [Flush(key_of(f"n{number}.test"), None) for number in range(MOST_FLUSHES + 2)]
        failed = self.shared.flush(flushes[0])
        self.store.take("flush").fail()
        self.assertEqual(self.successResultOf(failed), 0)
        self.store.is_up = False
        for flush in flushes[1:]:
            self.assertEqual(self.successResultOf(self.shared.flush(flush)), 0)
        self.assertEqual(self.store.calls, [])
        self.store.is_up = True
        self.shared.back()
        self.assertEqual([call.arguments for call in self.store.calls], [(flush,) for flush in flushes[2:]])

    def test_what_was_told_before_a_flush_is_not_taken_after_it(self) -> None:
        """By its name, one above it, or its resolver; nor is what was looked up meanwhile. What is told later is."""
        heard: list[Flush] = []
        self.shared.invalidated = heard.extend
        flushes = [Flush(WWW.key, None), Flush(key_of("com"), None), Flush(ROOT, None), Flush(None, "main")]
        for number, flush in enumerate(flushes):
            self.clock.rightNow = NOW + number
            asking = self.ask()
            self.shared.flushed(flush)
            self.store.take("look").answer(Looked(self.value(age=number and -number)[0], 60.0))
            self.store.take("look").answer(Looked(ours=True))
            self.parent.answer()
            self.assertIsNone(self.successResultOf(asking).since)
            self.store.take("tell")
        self.assertEqual(heard, flushes)
        self.shared.flushed(Flush(key_of("other.test"), None))
        self.shared.flushed(Flush(None, "other"))
        self.clock.advance(1)
        asking = self.ask()
        self.store.take("look").answer(Looked(encode_value(WWW, TOLD, BOUNDS, self.clock.seconds())[0], 60.0))
        self.assertIsNotNone(self.successResultOf(asking).since)

    def test_many_flushes_of_other_labs_are_done_together(self) -> None:
        """A few a second are done at once, the others in one go at the end of the second, however many they are."""
        heard: list[list[Flush]] = []
        self.shared.invalidated = lambda flushes: heard.append(list(flushes))
        flushes = [Flush(key_of(f"n{number}.test"), None) for number in range(50)]
        for flush in flushes:
            self.shared.flushed(flush)
        self.assertEqual(heard, [[flush] for flush in flushes[:MOST_PASSES]])
        self.clock.advance(1)
        self.assertEqual(heard[MOST_PASSES:], [flushes[MOST_PASSES:]])
        for flush in [Flush(key_of(f"m{number}.test"), None) for number in range(3 * MOST_FLUSHES)]:
            self.shared.flushed(flush)
        self.clock.advance(1)
        self.assertEqual(len(heard), 2 * (MOST_PASSES + 1))
        self.assertIn(Flush(ROOT, None), heard[-1])

    def test_what_is_older_than_the_flushes_that_are_remembered_counts_as_flushed(self) -> None:
        """Of too many the oldest is forgotten, and what it was about must not come back."""
        upstream = replace(TOLD, since=self.clock.seconds())
        self.shared.flushed(Flush(WWW.key, None))
        for number in range(MOST_FLUSHES):
            self.shared.flushed(Flush(key_of(f"n{number}.test"), None))
        self.assertTrue(self.shared.is_flushed("main", WWW, upstream))
        self.assertFalse(self.shared.is_flushed("main", WWW, replace(TOLD, since=self.clock.seconds() + 1)))
        self.clock.advance(1)

    def test_what_leads_to_a_flushed_name_is_not_taken_either(self) -> None:
        """The server knows it by another name."""
        chain = (
            rrset("www.example.com", 60, 5, b"\3web\7example\3net\0"),
            rrset("web.example.net", 60, A, b"\xc0\0\2\1"),
        )
        self.shared.flush(Flush(key_of("example.net"), None))
        self.store.take("flush").answer(0)
        asking = self.ask()
        self.store.take("look").answer(Looked(self.value(Upstream(Rcode.NOERROR, "p", chain))[0], 60.0))
        self.store.take("look").answer(Looked(ours=True))
        self.assertEqual(len(self.parent.asked), 1)
        self.parent.fail()
        self.failureResultOf(asking, ParentFailed)

    def test_it_counts(self) -> None:
        """Every family is declared."""
        asking = self.wait()
        samples = {(sample.name, *sample.labels): sample.value for sample in self.shared.samples()}
        self.assertEqual(samples["labnet_shared_waiting",], 1)
        self.assertEqual(samples["labnet_shared_up",], 1)
        self.assertEqual(sum(samples["labnet_shared_seconds",]), 1)
        self.assertEqual({name for name, *_ in samples} - set(FAMILIES), set())
        asking.cancel()
        self.failureResultOf(asking, CancelledError)

    def test_what_is_taken_lives_no_longer_than_what_was_told(self) -> None:
        """With bounds of its own the other lab's time still counts from when it was told."""
        value, left = self.value(age=10.0)
        found = decode_value(WWW, Looked(value, left - 10), Bounds(ttl_max=30), NOW)
        assert found is not None
        kept = entry_of(WWW, found.upstream, NOW, Bounds(ttl_max=30))
        assert kept is not None
        self.assertEqual((kept[1].since, kept[1].ttl), (NOW - 10, 30))
        self.assertIsNone(decode_value(WWW, Looked(value, left - 10), Bounds(ttl_max=5), NOW))
