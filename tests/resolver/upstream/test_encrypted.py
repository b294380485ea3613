"""Tests for :mod:`labnet.resolver.upstream.encrypted` and its carriers, against labnet's own servers, in memory."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import dns.message
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, TimeoutError
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.authority.certificates import pem_of
from labnet.resolver.upstream.carriers import encrypted_parent
from labnet.resolver.upstream.encrypted import IDLE
from labnet.resolver.upstream.errors import ParentFailed, Unusable
from labnet.values.servers import parse_parent
from labnet.wire.dns_upstream import BLOCK
from labnet.wire.names import key_of
from labnet.wire.types import Question, RRType, Upstream
from tests import certificates
from tests.certificates import NAME, OURS
from tests.fakes import MemoryReactor
from tests.resolver.dnsfakes import reply_to
from tests.resolver.serve.test_encrypted import Encrypted

DOT = f"dot:192.0.2.53#{NAME}"
DOH = f"doh:https://{NAME}/dns-query@192.0.2.53"


class Reversed(StringTransport):
    """A connection of the client's, in memory."""

    def __init__(self) -> None:
        super().__init__(lenient=True)
        self.aborted = False

    def abortConnection(self) -> None:
        self.aborted = self.disconnecting = True


class Asking:
    """A parent by ``text`` that asks ``server``, over connections that the test carries."""

    def __init__(self, test: SynchronousTestCase, text: str, server: Encrypted, by: str = OURS) -> None:
        self.reactor = MemoryReactor()
        self.server = server
        self.heard: list[Any] = []
        authorities = pem_of(certificates.authority(by).certificate)
        reactor: Any = self.reactor
        self.parent = encrypted_parent(parse_parent(text), authorities, reactor, Random(1), 4.0)
        self.connections: list[tuple[Any, Reversed, Any]] = []
        test.addCleanup(self.stop)

    def stop(self) -> None:
        self.parent.retire()
        assert not self.reactor.getDelayedCalls(), self.reactor.getDelayedCalls()

    def ask(self, name: str) -> list[Any]:
        """What came of the question, once it is known."""
        found: list[Any] = []
        self.parent.ask(Question(key_of(name), RRType.A)).addBoth(found.append)
        return found

    def connect(self) -> None:
        """Take up the connection that was asked for last."""
        factory = self.reactor.tcpClients[-1][2]
        protocol, transport = factory.buildProtocol(None), Reversed()
        protocol.makeConnection(transport)
        self.connections.append((protocol, transport, self.server.reactor.connect()))
        self.move()

    def move(self) -> None:
        for protocol, transport, wire in self.connections:
            for _ in range(20):
                self.reactor.advance(0)
                sent = transport.value()
                transport.clear()
                if sent:
                    wire.send(sent)
                came = wire.received()
                if came:
                    protocol.dataReceived(came)
                if not (sent or came):
                    break

    def lose(self, reason: Exception | None = None) -> None:
        """The last connection ends."""
        protocol, _, _ = self.connections.pop()
        protocol.connectionLost(Failure(reason or ConnectionLost()))

    def refuse(self, error: Exception) -> None:
        """No connection could be made."""
        self.reactor.tcpClients[-1][2].clientConnectionFailed(None, Failure(error))


def address(found: list[Any]) -> str:
    (upstream,) = found
    assert isinstance(upstream, Upstream), upstream
    return ".".join(map(str, upstream.rrsets[0].rdatas[0]))


class EncryptedParentTests(SynchronousTestCase):
    """One server, asked over TLS and over HTTPS."""

    def both(self, do: Callable[[Asking], None], by: str = OURS, **config: Any) -> None:
        for text, kind in ((DOT, "tls"), (DOH, "https")):
            do(Asking(self, text, Encrypted(self, kind, **config), by))

    def failed(self, found: list[Any], says: str) -> None:
        (failure,) = found
        self.assertRegex(str(failure.trap(ParentFailed) and failure.value), says)

    def test_questions_go_over_one_connection_and_are_answered_in_any_order(self) -> None:
        def check(asking: Asking) -> None:
            slow, fast = asking.ask("other.example"), asking.ask("www.lab")
            asking.connect()
            self.assertEqual((slow, address(fast)), ([], "10.0.0.1"))
            (asked,) = asking.server.parents.opened
            asked.receive(reply_to(asked.query, "other.example. 30 A 192.0.2.1"))
            asking.server.reactor.turn()
            asking.move()
            self.assertEqual(address(slow), "192.0.2.1")
            again = asking.ask("www.lab")
            asking.move()
            self.assertEqual((address(again), len(asking.reactor.tcpClients)), ("10.0.0.1", 1))

        self.both(check)

    def test_where_it_is_and_what_it_is_called(self) -> None:
        addresses = []

        def check(asking: Asking) -> None:
            asking.ask("www.lab")
            addresses.append((asking.parent.address, asking.reactor.tcpClients[-1][:2]))
            asking.connect()

        self.both(check)
        self.assertEqual(addresses[0], (f"192.0.2.53:853#{NAME}", ("192.0.2.53", 853)))
        self.assertEqual(addresses[1], (f"https://{NAME}/dns-query", ("192.0.2.53", 443)))

    def test_queries_are_padded(self) -> None:
        def check(asking: Asking) -> None:
            found = asking.ask("other.example")
            asking.connect()
            ((waiting),) = asking.connections[0][0].wrappedProtocol.waiting.values()
            self.assertEqual(len(waiting.query) % BLOCK, 0)
            self.assertEqual([option.otype for option in dns.message.from_wire(waiting.query).options], [12])
            self.assertEqual(found, [])
            asking.lose()

        self.both(check)

    def test_a_server_of_another_name_or_authority_is_not_asked(self) -> None:
        def other_authority(asking: Asking) -> None:
            found = asking.ask("www.lab")
            asking.connect()
            asking.lose()
            self.failed(found, rf"^TLS with .*{NAME}.* failed: certificate verify failed$")

        self.both(other_authority, by="another authority")

        def other_name(asking: Asking) -> None:
            found = asking.ask("www.lab")
            asking.connect()
            asking.lose()
            self.failed(found, "failed: its certificate is for another name$")
            self.assertNotIn(("www", 1), asking.server.counted())

        for text, kind in (
            ("dot:192.0.2.53#other.test", "tls"),
            ("doh:https://other.test/dns-query@192.0.2.53", "https"),
        ):
            other_name(Asking(self, text, Encrypted(self, kind)))

    def test_without_a_name_the_address_counts(self) -> None:
        asking = Asking(self, "dot:127.0.0.1", Encrypted(self))
        found = asking.ask("www.lab")
        asking.connect()
        self.assertEqual(address(found), "10.0.0.1")

    def test_what_waits_when_an_idle_connection_ends_goes_over_a_new_one_once(self) -> None:
        def check(asking: Asking) -> None:
            first = asking.ask("www.lab")
            asking.connect()
            address(first)
            found = asking.ask("other.example")
            asking.lose()
            self.assertEqual((found, len(asking.reactor.tcpClients)), ([], 2))
            asking.connect()
            asking.lose()
            self.failed(found, "closed the connection without an answer")
            self.assertEqual(len(asking.reactor.tcpClients), 2)

        self.both(check)

    def test_a_connection_that_cannot_be_had_says_why(self) -> None:
        def check(asking: Asking) -> None:
            for error, says in ((ConnectionRefusedError(), "^nobody listens on "), (TimeoutError(), "did not answer")):
                found = asking.ask("www.lab")
                asking.refuse(error)
                self.failed(found, says)

        self.both(check)

    def test_silence_fails_the_question_and_the_next_has_a_new_connection(self) -> None:
        def check(asking: Asking) -> None:
            found = asking.ask("other.example")
            asking.connect()
            asking.reactor.advance(4)
            self.failed(found, "did not answer")
            self.assertTrue(asking.connections[0][1].aborted)
            found = asking.ask("www.lab")
            asking.connections.clear()
            asking.connect()
            self.assertEqual(address(found), "10.0.0.1")

        self.both(check)

    def test_an_idle_connection_is_closed(self) -> None:
        def check(asking: Asking) -> None:
            asking.ask("www.lab")
            asking.connect()
            asking.reactor.advance(IDLE)
            self.assertEqual(asking.reactor.getDelayedCalls(), [])
            asking.ask("www.lab")
            self.assertEqual(len(asking.reactor.tcpClients), 2)
            asking.connections.clear()
            asking.connect()

        self.both(check)

    def test_who_waits_no_longer_leaves_nothing(self) -> None:
        def check(asking: Asking) -> None:
            waiting = asking.parent.ask(Question(key_of("other.example"), RRType.A))
            waiting.addErrback(lambda _: None)
            asking.connect()
            waiting.cancel()
            self.assertEqual(asking.connections[0][0].wrappedProtocol.waiting, {})

        self.both(check)

    def test_a_refusal_is_told_as_one(self) -> None:
        def check(asking: Asking) -> None:
            found = asking.ask("www.lab")
            asking.connect()
            (failure,) = found
            failure.trap(Unusable)

        self.both(check, recursion=[], records=[], zones=[], parents=[])

    def test_a_web_server_that_knows_no_dns_is_told_by_its_status(self) -> None:
        asking = Asking(self, f"doh:https://{NAME}/other@192.0.2.53", Encrypted(self, "https"))
        found = asking.ask("www.lab")
        asking.connect()
        self.failed(found, rf"https://{NAME}/other answered with the status 404")

    def test_a_server_without_http2_is_told_so(self) -> None:
        asking = Asking(self, DOH, Encrypted(self, "tls"))
        found = asking.ask("www.lab")
        asking.connect()
        self.failed(found, "speaks no HTTP/2")

    def test_more_questions_than_a_server_takes_at_a_time_wait(self) -> None:
        asking = Asking(self, DOH, Encrypted(self, "https", in_flight=500, in_flight_per_client=500))
        slow = [asking.ask(f"n{number}.example") for number in range(150)]
        asking.connect()
        opened = asking.server.parents.opened
        self.assertEqual(len(opened), 100)
        answered = 0
        while answered < len(opened):
            for one in opened[answered:]:
                answered += 1
                name = dns.message.from_wire(one.query).question[0].name
                one.receive(reply_to(one.query, f"{name} 30 A 192.0.2.1"))
            asking.server.reactor.turn()
            asking.move()
        self.assertEqual({address(found) for found in slow}, {"192.0.2.1"})
