"""The fast path to a DNS parent, over real sockets on loopback and a clock of our own."""

from __future__ import annotations

import ipaddress
import random
from dataclasses import replace

import dns.message
import dns.rcode

from labnet.resolver.cache.policy import Bounds, entry_of
from labnet.resolver.filtering.lists import BlockList
from labnet.resolver.filtering.screen import Screen
from labnet.resolver.filtering.treatment import Treatment, TreatmentKind
from labnet.resolver.upstream import relay, relay_sockets
from labnet.resolver.upstream.relay_sockets import LONGEST_USE, affordable_sockets
from labnet.resolver.upstream.selection import Parents
from labnet.wire.names import ROOT, key_of
from labnet.wire.types import Answer, Question, Rcode, RRset, RRType, Upstream
from tests.resolver.relayfakes import ADA, BOB, WWW, FastPathCase, LoopbackParent, asking, response

NXDOMAIN = Treatment(TreatmentKind.NXDOMAIN)


class FastPathTests(FastPathCase):
    def test_a_question_is_asked_and_its_reply_passed_on(self) -> None:
        """With the client's id and case and with the TTL; what was told is learned, and says from whom."""
        self.assertTrue(self.take(asking("WWW.lab.test", 7, use_edns=0)))
        self.parent.answer()
        self.reactor.turn()
        ((to, reply),) = self.port.replies
        self.assertEqual((to, reply.id, str(reply.question[0].name)), (ADA, 7, "WWW.lab.test."))
        self.assertEqual(str(reply.answer[0]), "WWW.lab.test. 60 IN A 192.0.2.1")
        self.assertIn(f"from 127.0.0.1:{self.parent.port}", str(reply.options[0]))
        self.assertEqual(self.port.flushed, 1)
        ((question, entry),) = self.learned
        self.assertEqual((question, entry.answer.answer[0].name), (WWW, key_of("www.lab.test")))
        self.assertEqual((self.resolver.misses, self.resolver.in_flight), (1, 0))

    def test_what_is_learned_is_what_the_full_path_would_learn(self) -> None:
        """Of every type that is passed on, with its lifetime, its parent and its mapping for the course."""
        for rrtype, address in ((RRType.A, b"\xc0\0\2\1"), (RRType.AAAA, bytes(15) + b"\1")):
            self.make(0, 30)
            self.take(asking("www.lab.test", rrtype=rrtype.name))
            self.parent.answer(lambda query, data=address: response(query, data=data))
            self.reactor.turn()
            asked = Question(key_of("www.lab.test"), rrtype)
            rrset = RRset(asked.key, rrtype, 30, (address,))
            upstream = Upstream(Rcode.NOERROR, f"127.0.0.1:{self.parent.port}", (rrset,))
            found = entry_of(asked, upstream, self.reactor.seconds(), Bounds())
            ((question, entry),) = self.learned
            self.assertEqual((question, replace(entry, content=entry.answer)), found)

    def test_the_parent_is_asked_in_random_case_with_a_random_id(self) -> None:
        """Neither is the client's, and no two queries are alike (RFC 5452)."""
        self.make(0, 0)
        for number in range(20):
            self.take(asking("a-rather-long-name.lab.test", 7))
            self.parent.answer()
            self.reactor.turn()
            self.assertEqual(len(self.port.replies), number + 1)
        self.assertEqual(len({query[:2] for query in self.parent.asked}), 20)
        self.assertEqual(len({query[12:] for query in self.parent.asked}), 20)

    def test_without_mixed_case_the_parent_is_asked_in_small_letters(self) -> None:
        """With a random id still; the client has its own letters back."""
        self.path.change(True, (0, 86400), mixed_case=False)
        self.take(asking("A-Rather-Long-Name.lab.test", 7))
        self.parent.answer()
        self.reactor.turn()
        self.assertIn(key_of("a-rather-long-name.lab.test"), self.parent.asked[0])
        self.assertEqual(str(self.port.replies[0][1].question[0].name), "A-Rather-Long-Name.lab.test.")

    def test_the_ports_change(self) -> None:
        """Hardly any is used twice while little is asked, and none stays for good."""
        for number in range(100):
            self.take(asking(f"host{number}.lab.test"))
            self.parent.answer()
            self.reactor.turn()
        first = set(self.parent.ports)
        self.assertGreater(len(first), 70)
        self.reactor.advance(LONGEST_USE)
        self.parent.ports.clear()
        for number in range(200):
            self.take(asking(f"host{number}.lab.test"))
            self.parent.answer()
            self.reactor.turn()
        self.reactor.pump([0.1] * 20)
        self.assertLessEqual(len(self.reactor.readers), affordable_sockets(), "replaced sockets are closed")
        self.assertLess(len(first & set(self.parent.ports)), len(first) // 2 + 1)

    def test_a_socket_has_done_its_work_after_so_many_queries(self) -> None:
        """Then another port is used."""
        self.patch(relay_sockets, "affordable_sockets", lambda: 1)
        self.patch(relay_sockets, "MOST_QUERIES", 3)
        for number in range(9):
            self.take(asking(f"host{number}.lab.test"))
            self.parent.answer()
            self.reactor.turn()
        self.assertEqual(len(set(self.parent.ports)), 3)

    def ask_and_answer(self, count: int, apart: float) -> None:
        """Ask ``count`` questions, ``apart`` seconds each, and have each answered at once."""
        for number in range(count):
            self.take(asking(f"host{number}.lab.test"))
            self.parent.answer()
            self.reactor.turn()
            self.reactor.pump([apart / 10] * 10)

    def test_where_nothing_is_asked_no_socket_is_open(self) -> None:
        """And no timer is left; the next question has a socket, which is closed again in its time."""
        self.make(0, 0)
        for count in (100, 1):
            self.port.replies.clear()
            self.ask_and_answer(count, 0.05)
            self.assertEqual(len(self.port.replies), count)
            self.assertNotEqual(self.reactor.readers, [])
            self.reactor.advance(LONGEST_USE)
            self.assertEqual((self.reactor.readers, self.reactor.getDelayedCalls()), ([], []))
        self.assertEqual(self.port.full, [])

    def test_a_reply_that_is_waited_for_keeps_its_socket_open(self) -> None:
        """For longer than the socket is used, where the parent has so long; it is passed on, then the socket closed."""
        self.make(0, 86400, most_wait=60.0)
        health = self.health()
        health.asked(self.reactor.seconds())
        health.answered(3 * LONGEST_USE)
        self.take(asking("www.lab.test"))
        self.reactor.pump([0.1] * round(20 * LONGEST_USE))
        self.assertEqual((len(self.reactor.readers), self.port.full), (1, []))
        self.parent.answer()
        self.reactor.turn()
        self.assertEqual(len(self.port.replies), 1)
        self.reactor.pump([0.1] * 2)
        self.assertEqual((self.reactor.readers, self.reactor.getDelayedCalls()), ([], []))

    def ask_together(self, count: int) -> None:
        """Ask ``count`` questions in one batch, and have all answered."""
        for number in range(count):
            self.path.take(self.port, ADA, asking(f"host{number}.lab.test", number), self.reactor.seconds())
        self.path.send()
        self.parent.answer()
        self.reactor.turn()

    def test_a_batch_goes_by_one_socket(self) -> None:
        """What is asked until it is sent, and its replies are flushed once."""
        self.ask_together(100)
        self.reactor.turn()
        self.assertEqual(len(self.port.replies), 100)
        self.assertEqual(len(set(self.parent.ports)), 1)
        self.assertLessEqual(self.port.flushed, 4)

    def test_all_of_a_batch_is_logged_before_any_is_answered(self) -> None:
        """And logged by one write."""
        self.ask_together(3)
        self.assertEqual(self.port.steps, ["logged 3", "flushed"])

    def test_types_that_are_made_of_others_go_the_full_path(self) -> None:
        """All others are passed on."""
        self.resolver.full_path_types = (RRType.AAAA,)
        self.assertFalse(self.take(dns.message.make_query("www.lab.test", "AAAA").to_wire()))
        self.assertTrue(self.take(asking("www.lab.test")))

    def test_what_a_list_has_goes_the_full_path(self) -> None:
        """A name before it is asked, an address when it comes; all else is passed on."""
        names, networks = BlockList("names", treatments=[NXDOMAIN]), BlockList("networks", treatments=[NXDOMAIN])
        names.names.add([key_of("ads.lab.test")])
        self.resolver.usual = Screen([(names, None), (networks, None)], None, self.reactor)
        self.assertFalse(self.take(asking("ads.lab.test")))
        self.assertTrue(self.take(asking("www.lab.test")))
        self.parent.answer()
        self.reactor.turn()
        self.assertEqual((len(self.port.replies), self.port.full), (1, []))
        networks.answers.add(ipaddress.ip_network("192.0.2.0/24"), 0)
        self.assertTrue(self.take(asking("other.lab.test")))
        self.parent.answer()
        self.reactor.turn()
        self.assertEqual((len(self.port.replies), len(self.port.full)), (1, 1))

    def test_who_asks_the_same_waits_for_the_one_reply(self) -> None:
        """In his own case and with his own id."""
        self.take(asking("www.lab.test", 1))
        self.take(asking("WWW.LAB.test", 2), BOB)
        self.parent.answer()
        self.reactor.turn()
        self.assertEqual(len(self.parent.asked), 1)
        got = [(to, reply.id, str(reply.question[0].name)) for to, reply in self.port.replies]
        self.assertEqual(got, [(ADA, 1, "www.lab.test."), (BOB, 2, "WWW.LAB.test.")])

    def test_the_same_in_one_batch_is_asked_once(self) -> None:
        """It is being asked from when it was taken, not from when it is sent."""
        now = self.reactor.seconds()
        for number in range(3):
            self.assertTrue(self.path.take(self.port, ADA, asking("www.lab.test", number), now))
        self.path.send()
        self.parent.answer()
        self.reactor.turn()
        self.assertEqual((len(self.parent.asked), [reply.id for _, reply in self.port.replies]), (1, [0, 1, 2]))

    def test_no_two_that_are_asked_by_one_socket_have_one_id(self) -> None:
        """One that chance gives twice is drawn again."""
        drawn = [bytes(relay._RANDOM_BYTES)]
        self.patch(relay.os, "urandom", lambda count: drawn.pop() if drawn else random.Random(1).randbytes(count))
        for number in range(10):
            self.path.take(self.port, ADA, asking(f"host{number}.lab.test"), self.reactor.seconds())
        self.path.send()
        self.parent.receive()
        self.assertEqual(len({query[:2] for query in self.parent.asked}), 10)

    def test_a_question_costs_no_timer_and_no_reader_of_its_own(self) -> None:
        """Two timers are for all that a parent is asked, and as many readers as there may be sockets."""
        self.patch(relay_sockets, "affordable_sockets", lambda: 16)
        self.ask_and_answer(200, 0)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 2)
        self.assertLessEqual(self.reactor.added, 16)

    def test_the_bounds_hold(self) -> None:
        """What is told is passed on and learned within the bounds; what does not last is not learned,
        unless somebody waits for it."""
        for least, most, ttl in ((0, 30, 30), (90, 99, 90), (0, 0, 0)):
            self.make(least, most)
            self.take(asking("www.lab.test"))
            self.parent.answer()
            self.reactor.turn()
            self.assertEqual(self.port.replies.pop()[1].answer[0].ttl, ttl)
            self.assertEqual(self.ttls(), [ttl] if ttl else [])
        self.take(asking("www.lab.test"))
        answers: list[Answer] = []
        self.resolver.ask(WWW).addCallback(answers.append)
        self.parent.answer()
        self.reactor.turn()
        self.assertEqual((self.ttls(), [answer.answer[0].ttl for answer in answers]), ([0], [0]))

    def test_another_reply_goes_the_full_path(self) -> None:
        """Its clients wait there for what it says; nobody is asked anew."""

        def nxdomain(query: bytes) -> bytes:
            message = dns.message.make_response(dns.message.from_wire(query))
            message.set_rcode(dns.rcode.NXDOMAIN)
            return message.to_wire()

        for number, reply in enumerate((nxdomain, lambda query: query[:2] + b"\x80\x01" + bytes(8))):
            question = asking(f"host{number}.lab.test")
            self.port.resolver = self.resolver
            self.take(question)
            self.take(asking(f"HOST{number}.lab.test", 2), BOB)
            self.parent.answer(reply)
            self.reactor.turn()
            self.assertEqual(self.port.full, [(ADA, question), (BOB, asking(f"HOST{number}.lab.test", 2))])
            self.assertEqual([early.datagram[3] & 15 for early in self.exchange.early], [3, 1][: number + 1])
            self.assertEqual(self.resolver.in_flight, number + 1)
            self.port.full.clear()
        self.assertEqual((self.exchange.asked, self.port.replies, self.resolver.misses), ([], [], 4))

    def test_what_is_no_reply_to_it_is_ignored(self) -> None:
        """Another id, another question: the right one still counts, once."""
        self.take(asking("www.lab.test"))
        ((query, address),) = self.parent.receive()
        good = response(query)
        other_id = bytes((good[0] ^ 1,)) + good[1:]
        other_question = good.replace(b"\x04", b"\x03", 1)
        for datagram in (other_id, other_question, query, b"", good, good):
            self.parent.socket.sendto(datagram, address)
        self.reactor.turn()
        self.assertEqual(len(self.port.replies), 1)
        self.assertEqual(self.port.full, [])

    def test_silence_goes_the_full_path(self) -> None:
        """After the time that the parent's health gives it, and a late reply changes nothing."""
        question = asking("www.lab.test")
        self.take(question)
        self.reactor.pump([0.1] * 3)
        self.assertEqual(self.port.full, [])
        self.reactor.pump([0.1] * 3)
        self.assertEqual(self.port.full, [(ADA, question)])
        self.parent.answer()
        self.reactor.turn()
        self.assertEqual(self.port.replies, [])

    def test_nobody_there_goes_the_full_path_at_once(self) -> None:
        """The system says so, and the next question has a socket again."""
        self.parent.socket.close()
        for _ in range(3):
            self.take(asking("www.lab.test"))
            self.reactor.turn()
            self.assertEqual(len(self.port.full), 1)
            self.port.full.clear()

    def test_what_cannot_go_the_fast_path_is_not_taken(self) -> None:
        """No DNS, no forwardable question, no parent that could be asked so, a parent that is down."""
        self.assertFalse(self.take(b"www.lab.test"))
        self.assertFalse(self.take(asking("www.lab.test", flags=0)))
        self.make(0, 60, tcp=True)
        self.assertFalse(self.take(asking("www.lab.test")))
        self.forwards.clear()
        self.assertFalse(self.take(asking("www.lab.test")))
        self.make(0, 60)
        health = self.health()
        for failure in range(3):
            health.stayed_silent(self.reactor.seconds() + failure, self.reactor.seconds() + failure)
        self.assertFalse(self.take(asking("www.lab.test")))
        self.assertEqual(self.parent.receive(), [])

    def test_the_parents_time_is_measured(self) -> None:
        """Once for a batch of replies."""
        self.take(asking("www.lab.test"))
        self.reactor.advance(0.25)
        self.parent.answer()
        self.reactor.turn()
        self.assertEqual(self.parents.states()[0].srtt, 0.25)

    def test_each_question_is_counted(self) -> None:
        """With the parent, once for however many wait; of two domains each counts its own."""
        now = self.reactor.seconds()
        other = Parents([self.server(self.parent)], self.reactor, 2.0)
        for number in range(5):
            self.path.take(self.port, ADA, asking(f"host{number % 3}.lab.test"), now)
        self.forwards[ROOT] = other
        self.path.take(self.port, ADA, asking("www.other.test"), now)
        self.path.send()
        health, others = (parents.first(now)[1] for parents in (self.parents, other))
        self.assertEqual((health.questions, health.last_asked), (3, now))
        self.assertEqual((others.questions, others.last_asked), (1, now))

    def test_each_batch_is_asked_of_the_parent_that_is_the_first_then(self) -> None:
        """One that is down since is not asked, be it in the same moment."""
        second = LoopbackParent()
        self.addCleanup(second.socket.close)
        self.serve(Parents([self.server(parent) for parent in (self.parent, second)], self.reactor, 2.0))
        health = self.health()
        self.take(asking("one.lab.test"))
        now = self.reactor.seconds()
        for _ in range(3):
            health.stayed_silent(now, now)
        self.take(asking("two.lab.test"))
        self.assertEqual((len(self.parent.receive()), len(second.receive())), (1, 1))

    def test_closing_before_it_is_sent_gives_it_up(self) -> None:
        """It goes the full path, and nothing is sent."""
        self.path.take(self.port, ADA, asking("www.lab.test"), self.reactor.seconds())
        self.path.close()
        self.path.send()
        self.assertEqual((len(self.port.full), self.parent.receive()), (1, []))
        self.assertEqual((self.reactor.readers, self.reactor.getDelayedCalls()), ([], []))

    def test_closing_gives_up_what_is_asked(self) -> None:
        """It goes the full path, every socket is closed, no timer is left."""
        self.take(asking("www.lab.test"))
        self.path.close()
        self.assertEqual(len(self.port.full), 1)
        self.assertEqual((self.reactor.readers, self.reactor.getDelayedCalls()), ([], []))
