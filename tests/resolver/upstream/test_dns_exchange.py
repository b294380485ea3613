"""One question to one DNS server: sockets, tries, timers, and spoofed replies."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.error import ConnectionRefusedError as RefusedByPeer
from twisted.internet.error import TimeoutError as ConnectingTimedOut
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from labnet.interfaces import IExchange
from labnet.resolver.upstream.dns import DNSExchange, ExchangeOptions
from labnet.resolver.upstream.dns_datagrams import MOST_IGNORED
from labnet.resolver.upstream.errors import NoRoute, ParentFailed, Unusable
from labnet.resolver.upstream.infra import MEMORY, InfraCache
from labnet.wire.types import Question, Rcode, Reply
from tests.resolver.dnsfakes import (
    A,
    FakeConnection,
    FakeSockets,
    framed,
    question,
    reply_to,
    rrset,
)

WWW = question("www.example.com")
RECORD = "www.example.com. 60 A 192.0.2.1"
EXPECTED = (rrset("www.example.com", 60, A, b"\xc0\0\2\1"),)
TRUNCATED = "QR TC RD RA"


def other_case(reply: bytes) -> bytes:
    """``reply`` with every letter of its question in the other case."""
    end = reply.index(b"\0", 12)
    return reply[:12] + reply[12:end].swapcase() + reply[end:]


class ExchangeTests(SynchronousTestCase):
    """The exchange over sockets in memory: 2 seconds a try, 3 tries."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.sockets = FakeSockets()
        self.exchange = self.make()

    def make(self, mixed_case: bool = True) -> DNSExchange:
        return DNSExchange(self.sockets, self.reactor, Random(1), InfraCache(10), ExchangeOptions(2.0, 3, mixed_case))

    def ask(
        self, asked: Question = WWW, host: str = "192.0.2.53", recursion: bool = True, tcp: bool = False
    ) -> Deferred[Reply]:
        return self.exchange.ask(host, 53, asked, recursion, tcp)

    def reply(self, *answer: str, **more: Any) -> None:
        """The server replies over the last socket."""
        self.sockets.last.receive(reply_to(self.sockets.last.query, *answer, **more))

    def connect(self) -> FakeConnection:
        return FakeConnection(self.reactor)

    def assert_answered(self, asked: Deferred[Reply]) -> None:
        self.assertEqual(self.successResultOf(asked).answer, EXPECTED)
        self.assert_nothing_left()

    def assert_failed(self, asked: Deferred[Reply], why: str) -> None:
        self.assertEqual(str(self.failureResultOf(asked, ParentFailed).value), why)
        self.assert_nothing_left()

    def assert_nothing_left(self) -> None:
        self.assertTrue(self.sockets.all_closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class UDPTests(ExchangeTests):
    """Questions by UDP."""

    def test_it_is_an_exchange(self) -> None:
        """As the interface says."""
        verifyObject(IExchange, self.exchange)

    def test_the_reply_is_given_and_the_socket_closed(self) -> None:
        """The first datagram that matches is the answer."""
        asked = self.ask()
        self.assertNoResult(asked)
        self.assertEqual((self.sockets.last.host, self.sockets.last.port), ("192.0.2.53", 53))
        self.reply(RECORD)
        self.assert_answered(asked)

    def test_a_server_at_an_ipv6_address_is_asked_alike(self) -> None:
        """And named in brackets."""
        asked = self.ask(host="2001:db8::53")
        self.assertEqual(self.sockets.last.host, "2001:db8::53")
        self.reactor.pump([2.0] * 3)
        self.assert_failed(asked, "[2001:db8::53]:53 did not answer")

    def test_recursion_is_desired_where_the_caller_says_so(self) -> None:
        """RD, the lowest bit of the third byte."""
        for recursion in (True, False):
            self.ask(recursion=recursion).addErrback(lambda _: None).cancel()
            self.assertEqual(self.sockets.last.query[2], recursion)

    def test_each_try_has_its_own_socket_id_and_case(self) -> None:
        """Nothing of one try helps to guess the next (RFC 5452, section 9)."""
        asked = self.ask(question("a-rather-long-name.example.com"))
        self.reactor.pump([2.0, 2.0])
        self.assertEqual(len(self.sockets.opened), 3)
        queries = [socket.query for socket in self.sockets.opened]
        self.assertEqual(len({query[:2] for query in queries}), 3)
        self.assertEqual(len({query[12:42] for query in queries}), 3)
        self.assertEqual(len({query[12:42].lower() for query in queries}), 1)
        self.assertEqual([socket.closed for socket in self.sockets.opened], [True, True, False])
        self.reply("a-rather-long-name.example.com. 60 A 192.0.2.1")
        self.successResultOf(asked)

    def test_a_silent_server_fails_after_the_tries(self) -> None:
        """Each of them has its whole time."""
        asked = self.ask()
        self.reactor.pump([2.0, 2.0, 1.9])
        self.assertNoResult(asked)
        self.reactor.advance(0.1)
        self.assertEqual(len(self.sockets.opened), 3)
        self.assert_failed(asked, "192.0.2.53:53 did not answer")

    def test_a_reply_to_an_earlier_try_does_not_count(self) -> None:
        """Its socket is closed; sent to the new one it has the wrong id."""
        asked = self.ask()
        late = reply_to(self.sockets.last.query, RECORD)
        self.reactor.advance(2.0)
        self.sockets.opened[0].receive(late)
        self.sockets.last.receive(late)
        self.assertNoResult(asked)
        self.reply(RECORD)
        self.assert_answered(asked)

    def test_spoofed_datagrams_are_ignored_and_the_true_reply_still_counts(self) -> None:
        """A wrong id, another question, a query, and noise change nothing, not even the timer."""
        asked = self.ask()
        query = self.sockets.last.query
        good = reply_to(query, "www.example.com. 60 A 203.0.113.66")
        self.reactor.advance(1.9)
        for spoofed in (
            bytes([good[0] ^ 1]) + good[1:],
            good.lower().replace(b"www", b"ww2", 1),
            good[:2] + bytes([good[2] & 0x7F]) + good[3:],
            query,
            good[:4] + b"\0\0" + good[6:],
            b"",
            b"x" * 40,
        ):
            self.sockets.last.receive(spoofed)
        self.assertNoResult(asked)
        self.assertEqual(len(self.sockets.opened), 1)
        self.reply(RECORD)
        self.assert_answered(asked)

    def test_a_flood_of_spoofed_datagrams_makes_the_question_fail(self) -> None:
        """One of them would be right in the end."""
        asked = self.ask()
        for _ in range(MOST_IGNORED):
            self.sockets.last.receive(b"\0" * 12)
        self.assertNoResult(asked)
        self.sockets.last.receive(b"\0" * 12)
        self.assert_failed(asked, "192.0.2.53:53 sent too much that is no reply to the question")

    def test_a_reply_that_cannot_be_read_makes_the_question_fail(self) -> None:
        """It is from the server; another try would bring the same."""
        asked = self.ask()
        query = self.sockets.last.query
        self.sockets.last.receive(reply_to(query, RECORD)[:-1])
        error = self.failureResultOf(asked, Unusable).value
        self.assertEqual(
            str(error), "192.0.2.53:53 sent a reply that cannot be read: the reply ends in the middle of a record"
        )
        self.assert_nothing_left()

    def test_nobody_listening_is_known_at_once(self) -> None:
        """The system says so; there is nothing to wait for."""
        asked = self.ask()
        self.sockets.last.failed(ConnectionRefusedError(111, "Connection refused"))
        self.assert_failed(asked, "nobody listens on 192.0.2.53:53")

    def test_a_socket_that_cannot_be_had_or_sent_over_makes_the_question_fail(self) -> None:
        """The text says what the system said."""
        self.sockets.send_error = OSError(101, "Network is unreachable")
        no_route = self.failureResultOf(self.ask(), NoRoute)
        self.assertEqual(str(no_route.value), "cannot ask 192.0.2.53:53: Network is unreachable")
        self.sockets.open_error = OSError(24, "Too many open files")
        self.assert_failed(self.ask(), "cannot ask 192.0.2.53:53: Too many open files")

    def test_cancelling_closes_the_socket_and_the_timer(self) -> None:
        """In any try."""
        for passed in (0.0, 2.0):
            asked = self.ask()
            self.reactor.advance(passed)
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
            self.assert_nothing_left()

    def test_a_name_that_dns_cannot_carry_is_not_asked_for(self) -> None:
        """No socket is opened."""
        self.assert_failed(self.ask(question("two..dots")), "'two..dots' is a name that DNS cannot carry")
        self.assertEqual(self.sockets.opened, [])


class FallbackTests(ExchangeTests):
    """Servers that do not know EDNS, and those that change the case."""

    def test_a_server_that_does_not_know_edns_is_asked_without_it(self) -> None:
        """FORMERR, NOTIMP and BADVERS say that it does not (RFC 6891, section 7)."""
        for rcode in ("FORMERR", "NOTIMP", "BADVERS"):
            self.exchange = self.make()
            asked = self.ask()
            first = self.sockets.last
            self.assertIn(b"\x04\xd0", first.query)
            self.reply(rcode=rcode, edns=rcode == "BADVERS")
            self.assertIsNot(self.sockets.last, first)
            self.assertEqual(self.sockets.last.query[10:12], b"\0\0")
            self.reply(RECORD)
            self.assert_answered(asked)

    def test_formerr_without_a_question_says_so_too(self) -> None:
        """A header is all that some send."""
        asked = self.ask()
        self.sockets.last.receive(self.sockets.last.query[:2] + b"\x80\x01" + bytes(8))
        self.reply(RECORD)
        self.assert_answered(asked)

    def test_formerr_without_edns_is_the_reply(self) -> None:
        """There is no third form to ask in."""
        asked = self.ask()
        self.reply(rcode="FORMERR")
        self.reply(rcode="FORMERR")
        self.assertEqual(self.successResultOf(asked).rcode, Rcode.FORMERR)
        self.assertEqual(len(self.sockets.opened), 2)

    def test_a_reply_in_another_case_is_never_the_answer(self) -> None:
        """The question goes by TCP, in small letters, and its answer counts."""
        asked = self.ask()
        query = self.sockets.last.query
        self.sockets.last.receive(other_case(reply_to(query, "www.example.com. 60 A 203.0.113.66")))
        self.assertTrue(self.sockets.all_closed)
        connection = self.connect()
        self.assertIn(b"\x03www\x07example\x03com\0", connection.query)
        connection.receive(reply_to(connection.query, RECORD))
        self.assert_answered(asked)

    def test_where_tcp_fails_then_the_tries_by_udp_go_on(self) -> None:
        """A spoofed datagram must not be all it takes; TCP is tried once."""
        asked = self.ask()
        self.sockets.last.receive(other_case(reply_to(self.sockets.last.query)))
        self.connect().protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.sockets.opened), 2)
        self.sockets.last.receive(other_case(reply_to(self.sockets.last.query)))
        self.assertEqual((len(self.sockets.opened), len(self.reactor.tcpClients)), (3, 1))
        self.reply(RECORD)
        self.assert_answered(asked)

    def reply_in_capitals(self) -> None:
        """The server replies over the last socket, with the name in capitals."""
        reply = reply_to(self.sockets.last.query, RECORD)
        self.sockets.last.receive(reply[:12] + reply[12:29].upper() + reply[29:])

    def ask_one_that_changes_the_case(self) -> None:
        """A server without TCP that writes names in capitals answers."""
        asked = self.ask()
        self.reply_in_capitals()
        self.connect().protocol.connectionLost(Failure(ConnectionDone()))
        self.reply_in_capitals()
        self.assertIn(b"\x03www\x07example\x03com\0", self.sockets.last.query)
        self.reply_in_capitals()
        self.assert_answered(asked)

    def test_a_server_that_changes_the_case_and_has_no_tcp_is_asked_in_small_letters(self) -> None:
        """And so it is for 15 minutes, with one query a question."""
        self.assertTrue(self.exchange.is_regular("192.0.2.53", 53))
        self.ask_one_that_changes_the_case()
        self.assertFalse(self.exchange.is_regular("192.0.2.53", 53))
        for host, small in (("192.0.2.53", True), ("192.0.2.54", False)):
            count = len(self.sockets.opened)
            asked = self.ask(host=host)
            self.assertEqual(b"\x03www\x07example\x03com\0" in self.sockets.last.query, small)
            self.reply(RECORD)
            self.assert_answered(asked)
            self.assertEqual(len(self.sockets.opened), count + 1)
        self.reactor.advance(MEMORY)
        self.ask_one_that_changes_the_case()

    def test_a_forged_reply_in_another_case_does_not_switch_mixed_case_off(self) -> None:
        """A server that then repeats the letters as they were sent is not remembered."""
        asked = self.ask()
        self.reply_in_capitals()
        self.connect().protocol.connectionLost(Failure(ConnectionDone()))
        self.reply(RECORD)
        self.assert_answered(asked)
        self.assertTrue(self.exchange.is_regular("192.0.2.53", 53))

    def test_mixed_case_can_be_off(self) -> None:
        """Then queries are in small letters, and the case of a reply does not count."""
        self.exchange = self.make(mixed_case=False)
        asked = self.ask()
        self.assertIn(b"\x03www\x07example\x03com\0", self.sockets.last.query)
        self.reply_in_capitals()
        self.assert_answered(asked)

    def test_a_server_that_does_not_know_edns_is_remembered(self) -> None:
        """For 15 minutes: one query a question."""
        for passed in 0.0, MEMORY:
            self.reactor.advance(passed)
            asked = self.ask()
            self.reply(rcode="FORMERR")
            self.reply(RECORD)
            self.assert_answered(asked)
            for tcp in False, True:
                asked = self.ask(tcp=tcp)
                query = self.connect().query if tcp else self.sockets.last.query
                self.assertEqual(query[10:12], b"\0\0")
                asked.addErrback(lambda _: None).cancel()

    def test_a_server_that_refuses_edns_and_is_silent_without_it_is_remembered(self) -> None:
        """The next question costs only the tries without EDNS, and their silence shows that it is down."""
        asked = self.ask()
        self.reply(rcode="FORMERR")
        self.reactor.pump([2.0] * 3)
        self.assert_failed(asked, "192.0.2.53:53 did not answer")
        self.assertEqual(len(self.sockets.opened), 4)
        asked = self.ask()
        self.assertEqual(self.sockets.last.query[10:12], b"\0\0")
        self.reactor.pump([2.0] * 3)
        self.assert_failed(asked, "192.0.2.53:53 did not answer")
        self.assertEqual(len(self.sockets.opened), 7)
        self.assertFalse(self.exchange.is_regular("192.0.2.53", 53))

    def test_a_server_that_cannot_read_the_question_is_not_taken_for_one_without_edns(self) -> None:
        """It says FORMERR without EDNS too."""
        asked = self.ask()
        self.reply(rcode="FORMERR")
        self.reply(rcode="FORMERR")
        self.assertEqual(self.successResultOf(asked).rcode, Rcode.FORMERR)
        self.assertTrue(self.exchange.is_regular("192.0.2.53", 53))

    def test_each_query_is_announced(self) -> None:
        """Whoever counts them can end the question."""
        sent: list[int] = []

        def sending() -> None:
            if len(sent) == 2:
                raise ParentFailed("enough")
            sent.append(len(self.sockets.opened))

        asked = self.exchange.ask("192.0.2.53", 53, WWW, True, False, sending)
        self.reactor.advance(2.0)
        self.reply(flags=TRUNCATED)
        self.assert_failed(asked, "enough")
        self.assertEqual((sent, self.reactor.tcpClients), ([0, 1], []))


class TCPTests(ExchangeTests):
    """Questions by TCP."""

    def asked_by_tcp(self) -> tuple[Deferred[Reply], FakeConnection]:
        asked = self.ask(tcp=True)
        return asked, self.connect()

    def test_the_query_goes_with_its_length_before_it(self) -> None:
        """And so comes the reply; no socket for UDP is opened."""
        asked, connection = self.asked_by_tcp()
        self.assertEqual((connection.host, connection.port), ("192.0.2.53", 53))
        connection.receive(reply_to(connection.query, RECORD))
        self.assert_answered(asked)
        self.assertTrue(connection.closed)
        self.assertEqual(self.sockets.opened, [])

    def test_a_reply_may_come_in_any_pieces(self) -> None:
        """Byte by byte, and with more behind it."""
        asked, connection = self.asked_by_tcp()
        for byte in framed(reply_to(connection.query, RECORD)):
            self.assertNoResult(asked)
            connection.protocol.dataReceived(bytes([byte]))
        connection.protocol.dataReceived(b"more")
        self.assert_answered(asked)
        asked, connection = self.asked_by_tcp()
        connection.protocol.dataReceived(framed(reply_to(connection.query, RECORD)) + b"more")
        self.assert_answered(asked)

    def test_a_truncated_reply_is_asked_for_again_by_tcp(self) -> None:
        """With nothing of it believed."""
        asked = self.ask()
        self.reply("www.example.com. 60 A 203.0.113.66", flags=TRUNCATED)
        self.assertTrue(self.sockets.all_closed)
        connection = self.connect()
        connection.receive(reply_to(connection.query, RECORD))
        self.assert_answered(asked)

    def test_without_edns_goes_by_tcp_too(self) -> None:
        """Each over a connection of its own."""
        asked, connection = self.asked_by_tcp()
        connection.receive(reply_to(connection.query, rcode="FORMERR"))
        self.assertTrue(connection.closed)
        connection = self.connect()
        self.assertEqual(connection.query[10:12], b"\0\0")
        connection.receive(reply_to(connection.query, RECORD))
        self.assert_answered(asked)

    def test_what_is_no_reply_makes_the_question_fail(self) -> None:
        """Another id, a truncated one, an empty one, one that cannot be read."""
        for change, why in (
            (lambda reply: b"\xff\xff" + reply[2:], "the id is another one"),
            (lambda reply: reply[:2] + b"\x82\0" + reply[4:], "the reply is truncated"),
            (lambda _: b"", "the datagram is shorter than a header"),
            (lambda reply: reply[:-1], "the reply ends in the middle of a record"),
        ):
            asked, connection = self.asked_by_tcp()
            connection.receive(change(reply_to(connection.query, RECORD)))
            self.assert_failed(asked, f"192.0.2.53:53 sent a reply that cannot be read: {why}")
            self.assertTrue(connection.aborted)

    def test_a_connection_that_is_closed_early_makes_the_question_fail(self) -> None:
        """Before the reply, and in the middle of it."""
        for part in (0, 1, 20):
            asked, connection = self.asked_by_tcp()
            connection.protocol.dataReceived(framed(reply_to(connection.query, RECORD))[:part])
            connection.protocol.connectionLost(Failure(ConnectionDone()))
            self.assert_failed(asked, "192.0.2.53:53 closed the connection without an answer")

    def test_a_connection_that_cannot_be_made_makes_the_question_fail(self) -> None:
        """Refused, timed out, or otherwise."""
        for error, why in (
            (RefusedByPeer(), "nobody listens on 192.0.2.53:53 for TCP"),
            (ConnectingTimedOut(), "192.0.2.53:53 did not answer by TCP"),
            (
                ConnectError(OSError(101, "Network is unreachable")),
                "cannot ask 192.0.2.53:53 by TCP: Network is unreachable",
            ),
        ):
            asked = self.ask(tcp=True)
            factory = self.reactor.tcpClients[-1][2]
            factory.clientConnectionFailed(self.reactor.connectors[-1], Failure(error))
            self.assert_failed(asked, why)

    def test_the_time_counts_for_the_whole_exchange(self) -> None:
        """Connecting, and each byte that comes, give no more of it."""
        asked = self.ask(tcp=True)
        self.reactor.advance(1.0)
        connection = self.connect()
        connection.protocol.dataReceived(b"\0")
        self.reactor.advance(0.9)
        connection.protocol.dataReceived(b"\x40")
        self.assertNoResult(asked)
        self.reactor.advance(0.1)
        self.assert_failed(asked, "192.0.2.53:53 did not answer by TCP")
        self.assertTrue(connection.aborted)

    def test_a_connection_not_yet_made_is_given_up(self) -> None:
        """When the time has passed, and when the question is cancelled."""
        asked = self.ask(tcp=True)
        self.reactor.advance(2.0)
        self.assert_failed(asked, "192.0.2.53:53 did not answer by TCP")
        self.assertTrue(self.reactor.connectors[-1]._disconnected)
        asked = self.ask(tcp=True)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertTrue(self.reactor.connectors[-1]._disconnected)
        self.assert_nothing_left()

    def test_cancelling_closes_a_connection_at_once(self) -> None:
        """Also one that a truncated reply led to."""
        asked = self.ask()
        self.reply(flags=TRUNCATED)
        connection = self.connect()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertTrue(connection.aborted)
        self.assert_nothing_left()
