"""What is slow gives way where the list is full, on the fast path as on the full one."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import replace

import dns.message

from labnet.events import SENTENCES
from labnet.resolver.clients.admission import Admission, Rules
from labnet.resolver.clients.counts import Counts
from labnet.resolver.ready.packetcache import PacketCaches
from labnet.resolver.serve.batch_answers import BatchAnswers
from labnet.wire.names import key_of
from labnet.wire.types import Answer, Question, Rcode, RRType
from tests.resolver.relayfakes import ADA, BOB, FastPathCase, asking

FILLS, OTHER = b"the network that fills it", b"another"


def question(name: str) -> Question:
    return Question(key_of(name), RRType.A)


class TableTests(FastPathCase):
    """The list of all that is in flight."""

    def setUp(self) -> None:
        super().setUp()
        self.resolver.flights.bounds = replace(self.resolver.flights.bounds, in_flight=3)

    def forward(self, name: str, network: bytes, to: bytes = ADA) -> bool:
        taken = self.path.take(self.port, to, asking(name), self.reactor.seconds(), network)
        self.path.send()
        return taken

    def fill(self) -> None:
        for name, network in (("other.lab.test", OTHER), ("a.lab.test", FILLS), ("b.lab.test", FILLS)):
            self.assertTrue(self.forward(name, network))

    def test_the_oldest_of_the_network_that_fills_it_gives_way(self) -> None:
        """It gets SERVFAIL and why; what its parent says later is neither learned nor taken for forged."""
        self.fill()
        self.forward("a.lab.test", OTHER, BOB)
        self.reactor.advance(0.3)
        self.resolver.ask(question("new.lab.test"), network=OTHER)
        self.assertEqual(
            [(to, asked) for to, asked, _ in self.port.failed],
            [(ADA, asking("a.lab.test")), (BOB, asking("a.lab.test"))],
        )
        answer = self.port.failed[0][2]
        self.assertEqual(
            (answer.rcode, answer.errors[0].text),
            (Rcode.SERVFAIL, SENTENCES["gave-way"]),
        )
        self.assertEqual(self.exchange.asked, [question("new.lab.test")])
        self.parent.answer()
        self.reactor.turn()
        self.assertEqual(
            {str(reply.question[0].name) for _, reply in self.port.replies}, {"other.lab.test.", "b.lab.test."}
        )
        self.assertEqual({asked for asked, _ in self.learned}, {question("other.lab.test"), question("b.lab.test")})
        self.assertEqual((self.health().forged, self.resolver.in_flight), (0, 1))

    def test_who_joined_on_the_full_path_is_answered_too(self) -> None:
        """By the same answer."""
        self.fill()
        told: list[Answer] = []
        self.resolver.ask(question("a.lab.test"), network=FILLS).addCallback(told.append)
        self.reactor.advance(0.3)
        self.resolver.ask(question("new.lab.test"), network=OTHER)
        self.assertEqual([answer.rcode for answer in told], [Rcode.SERVFAIL])

    def test_what_is_not_slow_does_not_give_way(self) -> None:
        """The new one fails then."""
        self.fill()
        self.reactor.advance(0.1)
        told: list[Answer] = []
        self.resolver.ask(question("new.lab.test"), network=OTHER).addCallback(told.append)
        self.assertEqual([answer.errors[0].text for answer in told], [SENTENCES["full"]])
        self.assertEqual(self.port.failed, [])

    def test_what_is_asked_on_the_full_path_gives_way_by_the_same_rule(self) -> None:
        """The one of a network that has one stays, though it is older."""
        for name, network in (("other.lab.test", OTHER), ("a.lab.test", FILLS)):
            self.resolver.ask(question(name), network=network).addCallback(self.port.answers.append)
        self.forward("b.lab.test", FILLS)
        self.reactor.advance(0.3)
        self.resolver.ask(question("new.lab.test"), network=OTHER)
        self.assertEqual([answer.rcode for answer in self.port.answers], [Rcode.SERVFAIL])
        self.assertIsNotNone(self.resolver.flights.find(question("other.lab.test")))
        self.assertEqual(self.port.failed, [])


class BatchProtocol:
    """What serves a batch port, with the fast path and nothing that is ready."""

    def __init__(self, case: FastPathCase, in_flight: int) -> None:
        self.fast_path = case.path
        self.admission = Admission(Rules((ipaddress.ip_network("127.0.0.0/8"),), in_flight=in_flight))
        self.counts = Counts("main")
        self.failed: list[tuple[bytes, tuple[str, int], Answer | None]] = []
        self.handed_on: list[bytes] = []

    def makeConnection(self, transport: object) -> None:
        """It is open."""

    def doStop(self) -> None:
        """It is closed."""

    def tell_ready(self, datagrams: object) -> None:
        """Nobody watches."""

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.handed_on.append(datagram)

    def answer(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.handed_on.append(datagram)

    def gave_way(self, datagram: bytes, addr: tuple[str, int], answer: Answer | None) -> None:
        self.failed.append((datagram, addr, answer))


class BatchPortTests(FastPathCase):
    """A client's share of the list, at a port that asks on the fast path."""

    def setUp(self) -> None:
        super().setUp()
        self.sock, self.client = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) for _ in "ab")
        for sock in self.sock, self.client:
            sock.bind(("127.0.0.1", 0))
            self.addCleanup(sock.close)
        self.protocol = BatchProtocol(self, in_flight=2)
        self.answers = BatchAnswers(self.sock, self.protocol, PacketCaches(1_000_000, self.reactor))

    def ask(self, name: str) -> None:
        self.client.sendto(asking(name), self.sock.getsockname())
        self.answers.drain()

    def test_a_slow_question_gives_way_to_the_next_of_its_network(self) -> None:
        """Who asked it is told; a reply that comes later is not sent."""
        self.ask("a.lab.test")
        self.ask("b.lab.test")
        self.reactor.advance(0.3)
        self.ask("c.lab.test")
        self.assertEqual(self.protocol.failed, [(asking("a.lab.test"), self.client.getsockname(), None)])
        self.parent.answer()
        self.reactor.turn()
        told = {str(dns.message.from_wire(self.client.recv(4096)).question[0].name) for _ in range(2)}
        self.assertEqual(told, {"b.lab.test.", "c.lab.test."})
        self.assertRaises(BlockingIOError, self.client.recv, 4096)
        self.assertEqual((self.protocol.admission.in_flight, self.protocol.handed_on), (0, []))

    def test_where_the_list_is_full_the_port_says_so(self) -> None:
        """To who asked there, and its place in the network's share is free."""
        self.resolver.flights.bounds = replace(self.resolver.flights.bounds, in_flight=1)
        self.ask("a.lab.test")
        self.reactor.advance(0.3)
        self.resolver.ask(question("new.lab.test"))
        ((datagram, address, answer),) = self.protocol.failed
        self.assertEqual((datagram, address), (asking("a.lab.test"), self.client.getsockname()))
        assert answer is not None
        self.assertEqual((answer.rcode, self.protocol.admission.in_flight), (Rcode.SERVFAIL, 0))
