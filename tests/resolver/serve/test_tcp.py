"""DNS over TCP (RFC 7766): :mod:`labnet.resolver.serve.tcp` on Twisted's own TCP over sockets in memory."""

from __future__ import annotations

import itertools
import os
import tempfile
from itertools import pairwise
from typing import Any

import dns.edns
import dns.message
import dns.rcode
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from labnet.config.resolver import ResolverConfig
from labnet.interfaces import AnsweredQuery
from labnet.resolver.clients.transport import Transport
from labnet.resolver.loading.files import load_files
from labnet.resolver.serve import tcp as streams_module
from labnet.resolver.serve.tcp import GRACE, MOST_IN_FLIGHT
from labnet.resolver.service import ResolverService, Surroundings
from tests.fakes import Client, MemoryReactor
from tests.resolver.dnsfakes import FakeSockets, framed, reply_to

BIG = "".join(f"big.lab. IN TXT {chr(97 + n) * 250}\n" for n in range(26))
ZONE = "$TTL 60\nwww.lab. IN A 10.0.0.1\ntwo.lab. IN A 10.0.0.2\ntwo.lab. IN A 10.0.0.3\n" + BIG


def query(name: str, id: int = 1, rrtype: str = "A") -> bytes:
    """A question as a stub resolver sends it, behind its length."""
    return framed(dns.message.make_query(name, rrtype, id=id).to_wire())


def split(stream: bytes) -> list[dns.message.Message]:
    """The messages of a stream that ends with a whole one."""
    found = []
    while stream:
        length = int.from_bytes(stream[:2], "big")
        assert len(stream) >= 2 + length, "the stream ends in the middle of a message"
        found.append(dns.message.from_wire(stream[2 : 2 + length]))
        stream = stream[2 + length :]
    return found


class Streams:
    """A resolver with ``www.lab`` and ``big.lab``; whatever else is asked for goes to a parent that the test plays."""

    def __init__(self, test: SynchronousTestCase, **config: Any) -> None:
        self.reactor = MemoryReactor()
        self.parents = FakeSockets()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "db.lab")
            with open(path, "w") as file:
                file.write(ZONE)
            given = {"listen": "udp:1199", "records": [path], "parents": ["dns:192.0.2.53"], "batch": False}
            settings = ResolverConfig.model_validate(given | {"parent_timeout": 60, "prefetch": False} | config)
            loaded = load_files(settings, self.reactor.seconds())
        reactor: Any = self.reactor
        self.service = ResolverService("main", settings, loaded, reactor, Surroundings(self.parents))
        self.service.privilegedStartService()
        self.service.startService()
        test.addCleanup(self.stop)

    def stop(self) -> None:
        """Stop, if that has not been done; no timer may be left once the connections are closed."""
        if self.service.running:
            self.service.stopService()
        self.reactor.turn()
        self.reactor.pass_time(GRACE * 2)
        assert not self.reactor.getDelayedCalls(), self.reactor.getDelayedCalls()

    def connect(self, number: int = 39770) -> Client:
        return self.reactor.connect(number=number)

    def tell(self, number: int) -> None:
        """The parent answers the ``number``-th question that it got."""
        socket = self.parents.opened[number]
        (question,) = dns.message.from_wire(socket.query).question
        socket.receive(reply_to(socket.query, f"{question.name} 60 A 192.0.2.{number % 250}"))
        self.reactor.turn()


def ids(received: bytes) -> list[int]:
    """The ids of the replies, in their order."""
    return [reply.id for reply in split(received)]


class PipeliningTests(SynchronousTestCase):
    """Several questions on one connection."""

    def test_question_is_answered_behind_its_length(self) -> None:
        """One question gives one message, and the connection stays open."""
        client = Streams(self).connect()
        client.send(query("www.lab"))
        (reply,) = split(client.received())
        self.assertEqual(reply.answer[0].to_text(), "www.lab. 60 IN A 10.0.0.1")
        client.send(query("www.lab", 2))
        self.assertEqual(ids(client.received()), [2])
        self.assertFalse(client.closed)

    def test_large_answer_comes_whole(self) -> None:
        """What UDP had to truncate is told in full."""
        client = Streams(self).connect()
        client.send(query("big.lab", rrtype="TXT"))
        self.assertEqual(len(split(client.received())[0].answer[0]), 26)

    def test_questions_in_one_segment_are_all_answered(self) -> None:
        """Questions that come together are answered each by itself."""
        client = Streams(self).connect()
        client.send(b"".join(query("www.lab", number) for number in range(50)))
        self.assertEqual(ids(client.received()), list(range(50)))

    def test_answers_go_out_as_they_come(self) -> None:
        """An answer that is there does not wait for one that was asked for before (RFC 7766, section 6.2.1.1)."""
        streams = Streams(self)
        client = streams.connect()
        client.send(query("slow.example", 1) + query("fast.example", 2) + query("www.lab", 3))
        self.assertEqual(ids(client.received()), [3])
        streams.tell(1)
        self.assertEqual(ids(client.received()), [2])
        streams.tell(0)
        self.assertEqual(ids(client.received()), [1])

    def test_length_comes_byte_by_byte(self) -> None:
        """The two bytes of the length, and all others, may come one at a time."""
        client = Streams(self).connect()
        for byte in query("www.lab"):
            self.assertEqual(client.received(), b"")
            client.send(bytes((byte,)))
        self.assertEqual(ids(client.received()), [1])

    @given(st.lists(st.integers(0, 200), max_size=12))
    def test_any_cut_of_a_stream_gives_the_same_answers(self, cuts: list[int]) -> None:
        """However the bytes of a stream are split over segments, the answers are the same."""
        streams = Streams(self)
        client = streams.connect()
        stream = b"".join(query(name, id) for id, name in enumerate(("www.lab", "x.invalid", "WWW.LAB", "localhost")))
        ends = sorted({*(cut % len(stream) for cut in cuts), 0, len(stream)})
        client.send(*[stream[start:end] for start, end in itertools.pairwise(ends)])
        replies = split(client.received())
        self.assertEqual([reply.id for reply in replies], [0, 1, 2, 3])
        told = [rrset.to_text() for reply in replies for rrset in reply.answer]
        self.assertEqual(
            told, ["www.lab. 60 IN A 10.0.0.1", "WWW.LAB. 60 IN A 10.0.0.1", "localhost. 10800 IN A 127.0.0.1"]
        )
        streams.stop()


class ReadyTests(SynchronousTestCase):
    """Answers that are ready, as on UDP."""

    def test_what_was_asked_before_is_ready(self) -> None:
        """It is the same answer, with the asker's id and case, and no record is looked at for it."""
        streams = Streams(self)
        client = streams.connect()
        client.send(query("www.lab", 1))
        first = client.received()
        streams.service.packets.change(1_000_000, None)
        streams.service.packets.dns.packets.clear()
        client.send(query("www.lab", 1))
        self.assertEqual(client.received(), first)
        self.patch(streams_module.DNSStreamProtocol, "_ask", lambda self, message: self.abort())
        client.send(query("WWW.LAB", 7))
        (reply,) = split(client.received())
        self.assertEqual((reply.id, reply.answer[0].to_text()), (7, "WWW.LAB. 60 IN A 10.0.0.1"))

    def test_those_of_one_segment_go_out_in_one_write(self) -> None:
        """However many they are, in the order of the questions; what else is asked keeps its place among them."""
        streams = Streams(self)
        client = streams.connect()
        client.send(query("www.lab", 0))
        client.received()
        writes = []
        stream = next(iter(streams.service._streams._open))
        sock = stream.transport.socket
        send = sock.send
        self.patch(sock, "send", lambda data: (writes.append(bytes(data)), send(data))[1])
        questions = [query("www.lab", number) for number in range(40)]
        client.send(b"".join([*questions, query("localhost", 40), query("www.lab", 41)]))
        self.assertEqual(ids(client.received()), list(range(42)))
        self.assertEqual([len(split(data)) for data in writes], [40, 2])

    def test_what_was_truncated_for_udp_is_not_given(self) -> None:
        """Nor is a long answer by TCP given by UDP."""
        streams = Streams(self)
        client = streams.connect()
        question = dns.message.make_query("big.lab", "TXT", id=1).to_wire()
        by_udp: list[bytes] = []
        streams.service._responder.respond(question, (("127.0.0.1", 53), None), Transport.UDP, by_udp.append)
        self.assertTrue(streams.service.packets.dns.packets)
        client.send(framed(question))
        self.assertEqual(len(split(client.received())[0].answer[0]), 26)
        ready = streams.service.packets.find(question, 0)
        assert ready is not None
        self.assertEqual(ready[0], by_udp[0])

    def test_each_gives_the_addresses_in_another_order(self) -> None:
        streams = Streams(self)
        client = streams.connect()
        client.send(query("two.lab", 0))
        client.received()
        client.send(b"".join(query("two.lab", number) for number in range(10)))
        firsts = [reply.answer[0][0].to_text() for reply in split(client.received())]
        self.assertEqual(sorted(firsts), ["10.0.0.2"] * 5 + ["10.0.0.3"] * 5)
        self.assertTrue(all(one != after for one, after in pairwise(firsts)))

    def test_no_answer_of_the_course_is_given(self) -> None:
        """A message that is a name of the course is no DNS message, whatever is ready for it."""
        streams = Streams(self)
        client = streams.connect()
        cell = streams.service.counts.cell("udp", "json", "found", "records")
        streams.service.packets.course.put(b"www.lab.example", b'["www"]', 9e9, cell)
        client.send(framed(b"www.lab.example"))
        self.assertNotIn(b'["www"]', client.received())

    def test_who_may_not_have_everything_gets_none(self) -> None:
        """What is ready was made for those who may recurse."""
        streams = Streams(self, recursion=["192.0.2.0/24"])
        client = streams.connect()
        question = dns.message.make_query("www.lab", "A", id=1).to_wire()
        cell = streams.service.counts.cell("udp", "dns", "NOERROR", "cache")
        forged = dns.message.make_response(dns.message.from_wire(question))
        streams.service.packets.put_dns(question, forged.to_wire(), b"\x03www\x03lab\0", 9e9, cell)
        client.send(framed(question))
        self.assertEqual(len(split(client.received())[0].answer), 1)

    def test_they_are_counted_and_logged(self) -> None:
        """By transport, as ready ones."""
        streams = Streams(self)
        noted: list[AnsweredQuery] = []

        class Log:
            share = 1.0

            def query_log(self, answered: AnsweredQuery) -> None:
                noted.append(answered)

        streams.service.counts.log = Log()
        client = streams.connect()
        client.send(query("www.lab", 1), query("www.lab", 2), query("www.lab", 3))
        counted = {
            sample.labels[1:]: sample.value for sample in streams.service.counts.samples() if "_total" in sample.name
        }
        self.assertEqual(counted["tcp", "dns", "NOERROR", "ready"], 2)
        self.assertEqual([answered[5:10] for answered in noted][1:], [("tcp", "dns", "www.lab", "A", "NOERROR")] * 2)
        self.assertEqual([answered.answer for answered in noted], ["10.0.0.1"] * 3)


class FlowTests(SynchronousTestCase):
    """A client that asks more than it takes, or more than we work on."""

    def test_more_than_the_limit_waits_and_goes_on(self) -> None:
        """With a hundred questions in flight no more are read; each answer lets one more in, and none is lost."""
        streams = Streams(self)
        client = streams.connect()
        questions = [query(f"n{number}.example", number) for number in range(MOST_IN_FLIGHT + 20)]
        client.send(b"".join(questions))
        self.assertEqual(len(streams.parents.opened), MOST_IN_FLIGHT)
        client.send(query("late.example", 999))
        self.assertGreater(client.unread_by_server, 0)
        streams.tell(7)
        self.assertEqual(len(streams.parents.opened), MOST_IN_FLIGHT + 1)
        self.assertGreater(client.unread_by_server, 0)
        told = ids(client.received())
        for number in range(len(questions) + 1):
            if number != 7:
                streams.tell(number)
        told += ids(client.received())
        self.assertEqual(sorted(told), [*range(len(questions)), 999])
        self.assertEqual(client.unread_by_server, 0)

    def test_client_that_does_not_read_is_not_read_from(self) -> None:
        """Unsent answers stop the reading of questions, so that memory stays bounded; both go on together."""
        streams = Streams(self)
        client = streams.connect()
        client.stop_reading()
        for number in range(100):
            client.send(query("big.lab", number, "TXT"))
        self.assertGreater(client.unread_by_server, 0)
        client.read_on()
        self.assertEqual(ids(client.received()), list(range(100)))
        self.assertEqual(client.unread_by_server, 0)

    def test_client_that_never_reads_is_aborted(self) -> None:
        """After the idle time a client that takes no answers is cut off, also with questions in flight."""
        streams = Streams(self, tcp_idle=10)
        client = streams.connect()
        client.send(query("slow.example"))
        client.stop_reading()
        client.send(b"".join(query("big.lab", number, "TXT") for number in range(100)))
        streams.reactor.pass_time(11)
        self.assertTrue(client.closed)
        self.assertTrue(client.reset)

    def test_answer_for_a_client_that_is_gone_is_dropped(self) -> None:
        """A connection that is reset while the parent is asked takes its answer with it."""
        streams = Streams(self)
        client = streams.connect()
        client.send(query("slow.example"))
        client.vanish()
        streams.tell(0)
        self.assertEqual(client.received(), b"")
        self.assertTrue(client.closed)


class ClosingTests(SynchronousTestCase):
    """How connections end."""

    def test_half_closed_connection_is_answered_before_it_closes(self) -> None:
        """A client that says that it sends no more gets every answer, then the end."""
        streams = Streams(self)
        client = streams.connect()
        client.send(query("slow.example", 1) + query("slower.example", 2))
        client.half_close()
        self.assertFalse(client.closed)
        streams.tell(0)
        self.assertEqual(ids(client.received()), [1])
        self.assertFalse(client.closed)
        streams.tell(1)
        self.assertEqual(ids(client.received()), [2])
        self.assertTrue(client.closed)
        self.assertFalse(client.reset)

    def test_half_closed_connection_with_more_than_the_limit_is_answered(self) -> None:
        """Also the questions that were not looked at yet when the client closed its side are answered."""
        streams = Streams(self)
        client = streams.connect()
        client.post(b"".join(query(f"n{number}.example", number) for number in range(MOST_IN_FLIGHT + 20)))
        client.half_close()
        for number in range(MOST_IN_FLIGHT + 20):
            streams.tell(number)
        self.assertEqual(ids(client.received()), list(range(MOST_IN_FLIGHT + 20)))
        self.assertTrue(client.closed)

    def test_half_closed_connection_with_nothing_to_answer_closes(self) -> None:
        """A client that leaves is left; half a question does not hold the connection."""
        streams = Streams(self)
        for sent in (b"", query("www.lab"), query("www.lab")[:-3]):
            client = streams.connect()
            client.send(sent) if sent else None
            client.half_close()
            self.assertTrue(client.closed)
            self.assertFalse(client.reset)

    def test_idle_connection_is_closed(self) -> None:
        """A connection is closed ``tcp_idle`` seconds after its last question or answer, in good order."""
        streams = Streams(self, tcp_idle=10)
        client = streams.connect()
        for _ in range(3):
            streams.reactor.pass_time(9)
            client.send(query("www.lab"))
        self.assertFalse(client.closed)
        self.assertEqual(len(split(client.received())), 3)
        streams.reactor.pass_time(10.5)
        self.assertTrue(client.closed)
        self.assertFalse(client.reset)

    def test_idle_time_counts_from_the_answer(self) -> None:
        """An answer that took its time leaves the client the whole idle time for its next question."""
        streams = Streams(self, tcp_idle=5)
        client = streams.connect()
        client.send(query("slow.example"))
        streams.reactor.pass_time(4)
        streams.tell(0)
        streams.reactor.pass_time(4)
        self.assertFalse(client.closed)
        streams.reactor.pass_time(1.5)
        self.assertTrue(client.closed)

    def test_dribbling_bytes_do_not_keep_a_connection(self) -> None:
        """Bytes that are no whole question do not count against the idle time."""
        streams = Streams(self, tcp_idle=10)
        client = streams.connect()
        for _ in range(11):
            client.send(b"\1")
            streams.reactor.pass_time(1)
        self.assertTrue(client.closed)

    def test_client_that_waits_for_us_is_not_idle(self) -> None:
        """While a question is in flight the connection stays, however long the parent takes (RFC 7766, section 3)."""
        streams = Streams(self, tcp_idle=5)
        client = streams.connect()
        client.send(query("slow.example"))
        streams.reactor.pass_time(30)
        self.assertFalse(client.closed)
        streams.tell(0)
        self.assertEqual(ids(client.received()), [1])
        streams.reactor.pass_time(6)
        self.assertTrue(client.closed)

    def test_message_that_is_no_question_closes_the_connection(self) -> None:
        """After a response, a runt or an empty message the connection is closed and nothing more is answered."""
        response = bytearray(query("www.lab"))
        response[4] |= 0x80
        for message in (bytes(response), framed(b"\0" * 11), framed(b"")):
            streams = Streams(self)
            client = streams.connect()
            client.send(message + query("www.lab") + query("web.example"), query("www.lab"))
            self.assertTrue(client.closed)
            self.assertEqual((client.received(), streams.parents.opened), (b"", []))

    def test_broken_question_is_answered_and_the_connection_stays(self) -> None:
        """FORMERR goes out where there is an id, and the next question is answered."""
        client = Streams(self).connect()
        client.send(framed(b"\0\7" + b"\1\0" + b"\0" * 8) + query("www.lab"))
        replies = split(client.received())
        self.assertEqual([(reply.id, reply.rcode()) for reply in replies], [(7, dns.rcode.FORMERR), (1, 0)])

    def test_answer_after_the_closing_is_not_sent(self) -> None:
        """What was in flight when the client broke the protocol is dropped."""
        streams = Streams(self)
        client = streams.connect()
        client.send(query("slow.example") + framed(b""))
        self.assertTrue(client.closed)
        streams.tell(0)
        self.assertEqual(client.received(), b"")

    def test_oldest_connection_makes_room(self) -> None:
        """With ``tcp_connections`` open a new one takes the place of the one open longest."""
        streams = Streams(self, tcp_connections=2)
        clients = [streams.connect(40000 + number) for number in range(3)]
        self.assertEqual([client.closed for client in clients], [True, False, False])
        clients[2].send(query("www.lab"))
        self.assertEqual(ids(clients[2].received()), [1])

    def test_burst_of_connections_keeps_to_the_limit(self) -> None:
        """Of many connections that come at once no more than ``tcp_connections`` stay."""
        streams = Streams(self, tcp_connections=2)
        clients = streams.reactor.arrive(*[("127.0.0.1", 40000 + number) for number in range(8)])
        self.assertEqual([client.closed for client in clients], [True] * 6 + [False] * 2)

    def test_stop_answers_and_closes(self) -> None:
        """When the service stops, who waits is told that it failed, and every connection is closed."""
        streams = Streams(self)
        waiting, idle = streams.connect(1), streams.connect(2)
        waiting.send(query("slow.example"))
        streams.service.stopService()
        streams.reactor.turn()
        (reply,) = split(waiting.received())
        self.assertEqual(reply.rcode(), dns.rcode.SERVFAIL)
        self.assertTrue(waiting.closed and idle.closed)

    def test_half_closed_client_may_be_slow_to_read(self) -> None:
        """A client that sends no more has the idle time to take its answers, however long they lie unread."""
        streams = Streams(self, tcp_idle=10)
        client = streams.connect()
        client.stop_reading()
        client.send(query("big.lab", 1, "TXT"))
        client.half_close()
        streams.reactor.pass_time(GRACE * 4)
        client.read_on()
        self.assertEqual(ids(client.received()), [1])
        self.assertTrue(client.closed)
        self.assertFalse(client.reset)

    def test_half_closed_client_that_never_reads_is_aborted(self) -> None:
        """The idle time is all that it has."""
        streams = Streams(self, tcp_idle=10)
        client = streams.connect()
        client.stop_reading()
        client.send(query("big.lab", 1, "TXT"))
        client.half_close()
        streams.reactor.pass_time(11)
        self.assertTrue(client.closed and client.reset)

    def test_stop_does_not_wait_for_who_does_not_read(self) -> None:
        """A client that does not take its answers is cut off shortly, also if it was being closed already."""
        streams = Streams(self)
        client = streams.connect()
        client.stop_reading()
        client.send(query("big.lab", rrtype="TXT"))
        client.half_close()
        streams.service.stopService()
        streams.reactor.turn()
        self.assertFalse(client.closed)
        streams.reactor.pass_time(GRACE + 0.1)
        self.assertTrue(client.closed and client.reset)

    def test_write_side_that_is_lost_aborts(self) -> None:
        """Where the client takes nothing more there is no use in answering it."""
        streams = Streams(self)
        protocol: Any = streams.reactor.tcpPorts[0].factory.buildProtocol(None)
        transport = StringTransport(peerAddress=UNIXAddress(None))  # a peer without a host is one on this machine
        protocol.makeConnection(transport)
        protocol.serve()
        protocol.stopProducing()
        protocol.writeConnectionLost()
        self.assertTrue(transport.disconnected)
        protocol.resumeProducing()
        protocol.connectionLost()


class LimitTests(SynchronousTestCase):
    """What one address may have of connections, and one connection of memory."""

    def test_many_connections_may_wait_for_being_accepted(self) -> None:
        """As many as web servers let wait: a class that connects in one moment need not try again."""
        (port,) = Streams(self).reactor.tcpPorts
        self.assertEqual(port.backlog, 511)

    def test_a_client_that_is_not_allowed_is_closed_at_accept(self) -> None:
        """Nothing is made for it and nothing of it is read; it is counted as refused, one that is denied as that."""
        streams = Streams(self, allow=["127.0.0.0/24"], deny=["127.0.0.9"])
        for host in "127.0.1.1", "127.0.0.9":
            client = streams.reactor.connect(host, 1)
            self.assertTrue(client.closed)
        self.assertFalse(streams.reactor.connect("127.0.0.1", 2).closed)
        self.assertEqual(streams.service.counts.lost, {"refused": 1, "denied": 1})

    def test_one_address_does_not_take_all_places_by_default(self) -> None:
        """Its oldest connection makes room, and who is elsewhere keeps hers."""
        streams = Streams(self, allow=["127.0.0.0/8"])
        other = streams.reactor.connect("127.0.0.2", 1)
        clients = [streams.connect(40000 + number) for number in range(150)]
        self.assertEqual(sum(not client.closed for client in clients), 50)
        self.assertFalse(other.closed)

    def test_an_http_request_ends_the_connection(self) -> None:
        """However it is cut: what a web page writes behind its head is no question, and the log says so once."""
        events: list[LogEvent] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1:1199\r\n\r\n"
        padding = b"x" * (2 + int.from_bytes(head[:2], "big") - len(head))
        streams = Streams(self)
        for segments in (
            [head + padding + query("www.lab")],
            [head[:1], head[1:3], head[3:], padding, query("www.lab")],
        ):
            client = streams.connect()
            client.send(*segments)
            self.assertTrue(client.closed)
            self.assertEqual(client.received(), b"")
        self.assertEqual(streams.service.counts.lost["malformed"], 2)
        self.assertEqual([event["host"] for event in events if event.get("event") == "resolver.http"], ["127.0.0.1"])

    def test_a_long_first_message_is_no_http_request(self) -> None:
        """A query that is padded past 16 KiB, come in pieces, is answered."""
        streams = Streams(self)
        client = streams.connect()
        message = dns.message.make_query(
            "www.lab", "A", use_edns=0, options=[dns.edns.GenericOption(12, b"\0" * 20_000)]
        )
        data = framed(message.to_wire(max_size=65535))
        client.send(data[:1], data[1:2], data[2:10_000], data[10_000:])
        self.assertEqual(len(split(client.received())), 1)

    def test_address_has_so_many_connections(self) -> None:
        """Past ``tcp_per_address`` the oldest of that address makes room; another address is not touched."""
        streams = Streams(self, tcp_per_address=2, tcp_connections=3, allow=["127.0.0.0/8"])
        other = streams.reactor.connect("127.0.0.2", 1)
        clients = [streams.connect(40000 + number) for number in range(3)]
        self.assertEqual([client.closed for client in clients], [True, False, False])
        self.assertFalse(other.closed)
        self.assertEqual(streams.service.counts.lost["connections"], 1)
        clients[1].vanish()
        self.assertFalse(streams.connect(40010).closed or clients[2].closed)

    def test_answers_that_pile_up_end_the_connection(self) -> None:
        """Who has asked for many answers that come later, and does not read them, is cut off."""
        self.patch(streams_module, "MOST_UNSENT", 20_000)
        streams = Streams(self)
        client = streams.connect()
        client.send(b"".join(query(f"n{number}.example", number, "TXT") for number in range(MOST_IN_FLIGHT)))
        client.stop_reading()
        told = 0
        for socket in list(streams.parents.opened):
            (question,) = dns.message.from_wire(socket.query).question
            texts = " ".join('"' + chr(97 + n % 26) * 250 + '"' for n in range(4))
            socket.receive(reply_to(socket.query, f"{question.name} 60 TXT {texts}"))
            streams.reactor.turn()
            told += 1000
            if client.closed:
                break
        self.assertTrue(client.closed and client.reset)
        self.assertGreater(told, 65536)
        self.assertEqual(streams.service.counts.lost["unsent"], 1)

    def test_changed_limits_count_for_open_connections(self) -> None:
        """What a reload allows no more is closed: who is denied now, and what is one too many now."""
        streams = Streams(self, allow=["127.0.0.0/8"])
        clients = [streams.reactor.connect(f"127.0.0.{host}", number) for number, host in enumerate((2, 3, 3, 3, 4, 4))]
        for limits, gone in (
            ({"tcp_connections": 9, "tcp_per_address": 2}, [0, 1]),
            ({"tcp_connections": 3, "tcp_per_address": 0}, [0, 1, 2]),
        ):
            changed = ResolverConfig.model_validate(
                {"listen": "udp:0", "deny": "127.0.0.2", "allow": "127.0.0.0/8"} | limits
            )
            names = ("deny", "allow", "tcp_connections", "tcp_per_address")
            settings = streams.service._config.model_copy(update={name: getattr(changed, name) for name in names})
            streams.service.prepare(settings, load_files(settings, streams.reactor.seconds())).commit()
            streams.reactor.turn()
            self.assertEqual([number for number, client in enumerate(clients) if client.closed], gone)
