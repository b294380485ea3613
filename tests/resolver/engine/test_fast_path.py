"""The fast path to a DNS parent, over real sockets on loopback and a clock of our own."""

from __future__ import annotations

import random
from typing import Any

import dns.message
import dns.rcode
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from labnet.interfaces import IExchange
from labnet.resolver.cache.cache import Cache, Entry
from labnet.resolver.cache.policy import Bounds
from labnet.resolver.engine.fast_path import FastPath
from labnet.resolver.engine.resolver import Resolver
from labnet.resolver.records.zone import Zone
from labnet.resolver.upstream import relay, relay_sockets
from labnet.resolver.upstream.dns import DNSParent
from labnet.resolver.upstream.infra import Health
from labnet.resolver.upstream.relay_sockets import LONGEST_USE, SOCKETS
from labnet.resolver.upstream.selection import Parents
from labnet.wire.names import ROOT, key_of
from labnet.wire.types import Answer, Question, Reply, RRType
from tests.resolver.relayfakes import LoopbackParent, Reactor, response

ADA, BOB = b"\x02\x00\x30\x39ADA!".ljust(16, b"\0"), b"\x02\x00\x30\x39BOB!".ljust(16, b"\0")
WWW = Question(key_of("www.lab.test"), RRType.A)


@implementer(IExchange)
class Exchange:
    """What asks on the full path; nothing is answered."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def ask(self, host: str, port: int, question: Question, recursion_desired: bool, tcp: bool) -> Deferred[Reply]:
        self.asked.append(question)
        return Deferred()


class Port:
    """The port that clients asked at; what goes the full path is asked there."""

    def __init__(self) -> None:
        self.resolver: Resolver | None = None
        self.replies: list[tuple[bytes, dns.message.Message]] = []
        self.full: list[tuple[bytes, bytes]] = []
        self.flushed = 0
        self.steps: list[str] = []

    def reply(self, to: bytes, question: bytes, reply: bytes) -> None:
        self.replies.append((to, dns.message.from_wire(reply)))

    def flush(self) -> None:
        self.flushed += 1
        self.steps.append("flushed")

    def go_full(self, to: bytes, question: bytes) -> None:
        self.full.append((to, question))
        if self.resolver is not None:
            name = dns.message.from_wire(question).question[0].name.to_wire()
            self.resolver.ask(Question(name.lower(), RRType.A))


def asking(name: str, id: int = 1, **options: Any) -> bytes:
    return dns.message.make_query(name, "A", id=id, **options).to_wire()


class FastPathTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.reactor.advance(1000)
        self.parent = LoopbackParent()
        self.addCleanup(self.parent.socket.close)
        self.port = Port()
        self.make(0, 86400)

    def make(self, least: int, most: int, tcp: bool = False, most_wait: float = 2.0) -> None:
        self.exchange = Exchange()
        self.ttl = least, most
        self.serve(Parents([self.server(self.parent, tcp)], self.reactor, most_wait))

    def server(self, parent: LoopbackParent, tcp: bool = False) -> DNSParent:
        return DNSParent("127.0.0.1", parent.port, tcp, self.exchange)

    def serve(self, parents: Parents) -> None:
        """A resolver with nothing but these parents, and its fast path."""
        self.parents = parents
        self.learned: list[tuple[Question, Entry]] = []
        bounds = Bounds(ttl_min=self.ttl[0], ttl_max=self.ttl[1])
        self.forwards = {ROOT: parents}
        self.resolver = Resolver(Zone(), Cache(1_000_000), self.forwards, self.log_learned, self.reactor, bounds)
        self.path = FastPath(self.reactor, self.resolver, True, self.ttl)
        self.addCleanup(self.path.close)

    def log_learned(self, learned: list[tuple[Question, Entry]]) -> None:
        self.learned += learned
        self.port.steps.append(f"logged {len(learned)}")

    def take(self, question: bytes, to: bytes = ADA) -> bool:
        taken = self.path.take(self.port, to, question, self.reactor.seconds())
        self.path.send()
        return taken

    def health(self) -> Health:
        """That of the parent that is asked next."""
        first = self.parents.first(self.reactor.seconds())
        assert first is not None
        return first[1]

    def ttls(self) -> list[int]:
        """What was learned, by its TTLs."""
        return [entry.answer.answer[0].ttl for _, entry in self.learned]

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

    def test_the_ports_change(self) -> None:
        """There are several in use, and none stays for good."""
        for number in range(100):
            self.take(asking(f"host{number}.lab.test"))
            self.parent.answer()
            self.reactor.turn()
        first = set(self.parent.ports)
        self.assertGreater(len(first), SOCKETS // 2)
        self.assertLessEqual(len(first), SOCKETS)
        self.reactor.advance(LONGEST_USE)
        self.parent.ports.clear()
        for number in range(200):
            self.take(asking(f"host{number}.lab.test"))
            self.parent.answer()
            self.reactor.turn()
        self.reactor.pump([0.1] * 20)
        self.assertLessEqual(len(self.reactor.readers), SOCKETS, "replaced sockets are closed")
        self.assertLess(len(first & set(self.parent.ports)), len(first) // 2 + 1)

    def test_a_socket_has_done_its_work_after_so_many_queries(self) -> None:
        """Then another port is used."""
        self.patch(relay_sockets, "SOCKETS", 1)
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
        """Two timers are for all that a parent is asked, and sixteen readers."""
        self.ask_and_answer(200, 0)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 2)
        self.assertLessEqual(self.reactor.added, SOCKETS)

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
        """Its clients ask there, and the parent is asked anew, once for all of them."""

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
            self.assertEqual(self.exchange.asked, [Question(key_of(f"host{number}.lab.test"), RRType.A)])
            self.assertEqual(self.resolver.in_flight, number + 1)
            self.port.full.clear()
            self.exchange.asked.clear()
        self.assertEqual((self.port.replies, self.resolver.misses), ([], 4))

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
