"""What is told of each question to whoever watches: its datagrams both ways, and why the answer is what it is."""

from __future__ import annotations

from typing import Any

import dns.message
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from labnet.events import SENTENCES, ParentChanged
from labnet.interfaces import IEvents
from labnet.resolver.clients.transport import Transport
from tests.recorded import Recorded, ladder, steps
from tests.resolver.dnsfakes import reply_to
from tests.resolver.lab import CLIENT, COURSE, PARENT, SERVER, Lab, errors

OTHER_CLIENT = ("172.16.20.66", 40000)
RECORDS = {"ips.txt": "www.lab,10.0.0.1,60\n"}


class StoryTestCase(SynchronousTestCase):
    """A resolver that is watched."""

    config: dict[str, Any] = {}

    def setUp(self) -> None:
        self.events = Recorded()
        verifyObject(IEvents, self.events)
        self.lab = Lab(self, RECORDS, **self.config)
        self.lab.service.counts.events = self.events

    def sentence(self, exchange_step: int) -> str:
        return self.events.exchange().why[exchange_step].sentence


class DNSTests(StoryTestCase):
    """Questions by DNS, with a DNS parent."""

    def test_a_name_of_the_records_is_a_hit(self) -> None:
        """Question and answer, and the records as the reason."""
        self.lab.ask("www.lab")
        told = self.events.exchange()
        self.assertEqual((told.result, told.name, told.type, told.answer), ("hit", "www.lab", "A", "A 10.0.0.1"))
        self.assertEqual((told.client, told.resolver, told.protocol, told.transport), (CLIENT, "main", "dns", "udp"))
        self.assertEqual(ladder(told), [f"sent {CLIENT[1]} {SERVER[1]}", f"sent {SERVER[1]} {CLIENT[1]}"])
        self.assertEqual(steps(told), ["records"])

    def test_what_is_answered_by_its_bytes_has_its_reason_too(self) -> None:
        """The second time it is ready; nothing is counted for the explanation."""
        self.lab.resolve("www.example", "www.example. 300 A 192.0.2.1")
        self.lab.pass_time(7)
        self.lab.ask("www.example")
        self.events.exchanges()
        hits = self.lab.service.status()["cache"]["hits"]
        self.lab.ask("www.example")
        told = self.events.exchange()
        self.assertEqual((told.result, told.ttl), ("hit", 293))
        self.assertEqual(steps(told), ["ready", "records-silent", "cache"])
        self.assertIn("learned 7 s ago from 192.0.2.53:53, 293 s of its 300 s are left", told.why[-1].sentence)
        self.assertEqual(self.lab.service.status()["cache"]["hits"], hits)

    def test_a_miss_shows_the_parents_datagrams_between(self) -> None:
        """Who was asked and why, what it said, for how long that is kept."""
        self.lab.begin("www.example")
        self.lab.pass_time(0.02)
        query = self.lab.asked("www.example")
        self.lab.tell(query, "www.example. 300 A 192.0.2.1")
        self.lab.told()
        port = query.source[1]
        (state,) = [event for event in self.events.events if isinstance(event, ParentChanged)]
        self.assertEqual((state.address, state.state, state.resolver), ("192.0.2.53:53", "up", "main"))
        told = self.events.exchange()
        self.assertEqual((told.result, told.ttl, told.answer), ("asked", 300, "A 192.0.2.1"))
        self.assertAlmostEqual(told.ended - told.began, 0.02)
        self.assertEqual(
            ladder(told),
            [
                f"sent {CLIENT[1]} {SERVER[1]}",
                f"sent {port} {PARENT[1]}",
                f"sent {PARENT[1]} {port}",
                f"sent {SERVER[1]} {CLIENT[1]}",
            ],
        )
        self.assertEqual(steps(told), ["records-silent", "cache-silent", "parent", "parent-answered", "learned"])
        self.assertEqual(told.why[2].sentence, "192.0.2.53:53 is asked: it is the only one.")
        self.assertEqual(told.why[3].sentence, "192.0.2.53:53 answered after 20.0 ms: 1 record.")

    def test_one_that_waits_for_anothers_question_is_joined_to_it(self) -> None:
        """Both have the parent's datagrams, which were sent once."""
        self.lab.begin("www.example")
        self.lab.pass_time(0.5)
        self.lab.begin("www.example", client=OTHER_CLIENT)
        self.lab.tell(self.lab.asked("www.example"), "www.example. 300 A 192.0.2.1")
        first, second = self.events.exchanges()
        self.assertEqual((first.result, second.result), ("asked", "joined"))
        self.assertEqual(second.joined_to, first.id)
        self.assertIn("joined", steps(second))
        self.assertEqual(set(first.datagrams) & set(second.datagrams), set(first.datagrams[1:3]))

    def test_silence_and_retries_are_drawn(self) -> None:
        """A try that gets nothing, the next one, and a failure in the end, which the second client hears of."""
        self.lab.begin("www.example")
        self.lab.pass_time(5)
        self.lab.told()
        self.lab.network.sent.clear()
        told = self.events.exchange()
        self.assertEqual(told.result, "failed")
        kinds = [one.kind for one in told.datagrams]
        self.assertEqual(kinds[:4], ["sent", "sent", "silence", "again"])
        self.assertEqual(told.datagrams[2].note, "nothing for 2 s")
        self.assertIn("silence", steps(told))
        self.assertIn("parent-failed", steps(told))
        self.lab.ask("www.example")
        why = self.events.exchange().why
        self.assertIn("It failed 1 s ago", why[-2].sentence)
        self.assertIn("because: 192.0.2.53", why[-1].sentence)

    def test_a_question_that_gave_way_says_so(self) -> None:
        """To who watches and to its client, in the same words."""
        client = (CLIENT[0], 1000)
        for number in range(200):
            self.lab.begin(f"slow{number}.example", client=client)
            self.lab.pass_time(0.01)
            self.lab.network.sent.clear()
        self.lab.begin("web.example", client=OTHER_CLIENT)
        told = self.events.exchanges()[-1]
        self.assertEqual((told.result, told.why[-2].kind), ("limited", "gave-way-to-own"))
        self.assertEqual(errors(self.lab.told(client)), [told.why[-2].sentence])

    def test_an_answer_past_its_lifetime_says_so(self) -> None:
        """To the client that waited for the parents' failure, to the next one, and in the same words by DNS."""
        self.lab = Lab(self, RECORDS, serve_stale=3600)
        self.lab.service.counts.events = self.events
        self.lab.resolve("www.example", "www.example. 60 A 192.0.2.1")
        self.lab.pass_time(120)
        self.events.exchanges()
        for ask in (lambda: self.lab.resolve("www.example", rcode="SERVFAIL"), lambda: self.lab.ask("www.example")):
            reply = ask()
            (stale,) = (step for step in self.events.exchange().why if step.kind == "stale")
            self.assertEqual(stale.sentence, SENTENCES["stale"].format(age=120, ttl=60))
            self.assertIn(stale.sentence, errors(reply))

    def test_what_is_no_reply_is_shown_as_thrown_away(self) -> None:
        """With another id it is a guess; the real reply counts."""
        self.lab.begin("www.example")
        query = self.lab.asked("www.example")
        forged = reply_to(query.payload, "www.example. 300 A 203.0.113.9")
        self.lab.network.deliver(bytes([forged[0] ^ 1]) + forged[1:], query.destination, query.source)
        self.lab.tell(query, "www.example. 300 A 192.0.2.1")
        told = self.events.exchange()
        thrown = [one.note for one in told.datagrams if one.kind == "thrown-away"]
        self.assertEqual(thrown, ["the id is another one"])
        self.assertIn("thrown-away", steps(told))
        self.assertEqual(told.answer, "A 192.0.2.1")

    def test_what_has_run_out_is_said(self) -> None:
        """And that the parent is asked again."""
        self.lab.resolve("www.example", "www.example. 30 A 192.0.2.1")
        self.events.exchanges()
        self.lab.pass_time(31)
        self.lab.resolve("www.example", "www.example. 30 A 192.0.2.1")
        told = self.events.exchange()
        self.assertIn("learned 31 s ago, with 30 s to live", told.why[1].sentence)

    def test_an_alias_is_a_step(self) -> None:
        """From one name to the next."""
        self.lab.begin("alias.example")
        self.lab.tell(self.lab.asked("alias.example"), "alias.example. 60 CNAME www.lab.")
        told = self.events.exchange()
        self.assertIn("alias.example is another name of www.lab, which is looked for next.", [
            step.sentence for step in told.why
        ])  # fmt: skip
        self.assertEqual(steps(told)[-1], "records")

    def test_a_negative_answer_is_told_as_one(self) -> None:
        """A special name is the reason here."""
        self.lab.ask("no.invalid")
        told = self.events.exchange()
        self.assertEqual((told.result, steps(told)), ("negative", ["special"]))

    def test_what_is_no_question_is_told_of(self) -> None:
        """It gets no reply."""
        self.lab.send(b"\0" * 5)
        told = self.events.exchange()
        self.assertEqual((told.result, told.name, len(told.datagrams)), ("malformed", "", 1))

    def test_a_question_by_tcp_is_told_as_one(self) -> None:
        """Its transport is the connection's."""
        answers: list[bytes] = []
        message = dns.message.make_query("www.lab", "A").to_wire()
        responder = self.lab.service._streams.responder
        stream = self.lab.service._streams.buildProtocol(None)
        assert stream is not None
        stream.transport = None
        stream.peer = CLIENT
        account = self.lab.service._streams.account(stream, message)
        responder.respond(message, (CLIENT, None), Transport.TCP, answers.append, account=account)
        told = self.events.exchange()
        self.assertEqual((told.transport, told.datagrams[0].transport, told.result), ("tcp", "tcp", "hit"))

    def test_nothing_is_made_while_nobody_watches(self) -> None:
        """No event, and no story that runs along."""
        self.events.watched = False
        self.lab.ask("www.lab")
        self.lab.resolve("www.example", "www.example. 300 A 192.0.2.1")
        self.assertEqual(self.events.events, [])


class CourseTests(StoryTestCase):
    """Questions by the course protocol, with a course parent."""

    config = {"parents": ["text:192.0.2.53:1200"]}

    def test_a_miss_shows_the_parents_datagrams(self) -> None:
        """As by DNS."""
        self.lab.course("shop.example")
        query = self.lab.take(COURSE)
        self.lab.network.deliver(b"shop.example,192.0.2.9,60", query.destination, query.source)
        self.lab.course_told()
        told = self.events.exchange()
        self.assertEqual((told.protocol, told.result, told.name), ("course", "asked", "shop.example"))
        self.assertEqual(
            [one.data for one in told.datagrams[:3]], [b"shop.example"] * 2 + [b"shop.example,192.0.2.9,60"]
        )
        self.assertIn("192.0.2.9", told.answer)

    def test_the_same_question_again_while_it_waits_is_told_of(self) -> None:
        """It gets no second reply."""
        self.lab.course("shop.example")
        self.lab.course("shop.example")
        self.assertEqual((told := self.events.exchange()).result, "dropped")
        self.assertEqual(steps(told)[-1], "asked-already")

    def test_each_try_that_gets_nothing_is_silence(self) -> None:
        """The second is a retry."""
        self.lab.course("shop.example")
        self.lab.pass_time(10)
        told = self.events.exchange()
        self.assertEqual([one.kind for one in told.datagrams], ["sent", "sent", "silence", "again", "silence", "sent"])
        self.assertEqual(told.result, "negative")

    def test_one_that_asks_on_after_a_refusal_is_told_of(self) -> None:
        """What it is dropped for."""
        self.lab.restart(parents=[])
        self.lab.service.counts.events = self.events
        for _ in range(12):
            self.lab.course("no.example")
        self.assertEqual({one.result for one in self.events.exchanges()}, {"negative", "dropped"})


class RefusalTests(StoryTestCase):
    """Who is not served."""

    config = {"allow": ["10.0.0.0/8"], "deny": ["10.9.0.0/16"]}

    def test_each_way_not_to_be_served_has_its_reason(self) -> None:
        """Refused with a reply, denied without one."""
        self.lab.ask("www.lab")
        self.lab.begin("www.lab", client=("10.9.0.1", 5000))
        refused, denied = self.events.exchanges()
        self.assertEqual((refused.result, steps(refused), len(refused.datagrams)), ("refused", ["refused"], 2))
        self.assertEqual((denied.result, steps(denied), len(denied.datagrams)), ("dropped", ["denied"], 1))


class RateTests(StoryTestCase):
    """Who asks too much."""

    config = {"rate_limit": 1, "rate_burst": 1, "rate_exempt": [], "rate_slip": 2}

    def test_each_question_past_the_rate_is_told_of(self) -> None:
        """Dropped, or sent to TCP."""
        for _ in range(3):
            self.lab.begin("www.lab")
        self.assertEqual([one.result for one in self.events.exchanges()], ["hit", "dropped", "limited"])
