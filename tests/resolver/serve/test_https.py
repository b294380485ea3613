"""Tests for :mod:`labnet.resolver.serve.https`: DNS over HTTPS, in memory."""

from __future__ import annotations

import re
from typing import Any

import dns.message
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from labnet.events import Event, Exchange
from labnet.interfaces import IEvents
from labnet.resolver.serve.responder import BLOCK
from labnet.resolver.serve.tcp import GRACE
from labnet.wire.web.doh import target_of
from tests.certificates import TLSClient, trusting
from tests.fakes import Client
from tests.resolver.dnsfakes import framed, reply_to
from tests.resolver.serve.test_encrypted import PADDED, Encrypted

TYPE = ("content-type", "application/dns-message")


def message(name: str, rrtype: str = "A", **options: Any) -> bytes:
    return dns.message.make_query(name, rrtype, id=0, **options).to_wire()


class HTTPS(Encrypted):
    """A resolver that listens by HTTPS."""

    def __init__(self, test: SynchronousTestCase, kind: str = "https", **config: Any) -> None:
        super().__init__(test, kind, **config)

    def over_http2(self) -> Browser:
        return Browser(self.connect(trusting("h2", "http/1.1")))


class Browser:
    """A client by HTTP/2: what came, by its stream."""

    def __init__(self, tls: TLSClient) -> None:
        self.tls = tls
        assert tls.tls.selected_alpn_protocol() == "h2"
        self.http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.http.initiate_connection()
        self.headers: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: list[int] = []
        self.is_gone = False
        self.move()

    def ask(self, method: str, path: str, body: bytes | None = None, *fields: tuple[str, str]) -> int:
        stream: int = self.http.get_next_available_stream_id()
        head = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "dns.lab.test"), *fields]
        self.http.send_headers(stream, head, end_stream=body is None)
        if body is not None:
            self.http.send_data(stream, body, end_stream=True)
        return stream

    def post(self, body: bytes) -> int:
        return self.ask("POST", "/dns-query", body, TYPE)

    def move(self) -> None:
        self.tls.send(self.http.data_to_send())
        for event in self.http.receive_data(self.tls.received()):
            if isinstance(event, ResponseReceived):
                self.headers[event.stream_id] = dict(event.headers)
            elif isinstance(event, DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            elif isinstance(event, StreamEnded):
                self.ended.append(event.stream_id)
            elif isinstance(event, ConnectionTerminated):
                self.is_gone = True

    def answer(self, stream: int) -> str:
        return dns.message.from_wire(self.bodies[stream]).answer[0].to_text()


class HTTP2Tests(SynchronousTestCase):
    """Several requests at a time."""

    def test_get_and_post_are_answered_and_counted(self) -> None:
        lab = HTTPS(self)
        browser = lab.over_http2()
        get = browser.ask("GET", target_of(b"/dns-query", message("www.lab")).decode())
        post = browser.post(message("www.lab"))
        browser.move()
        for stream in get, post:
            headers = browser.headers[stream]
            self.assertEqual(browser.answer(stream), "www.lab. 60 IN A 10.0.0.1")
            self.assertEqual((headers[":status"], headers["cache-control"]), ("200", "max-age=60"))
            self.assertEqual(headers["content-type"], "application/dns-message")
        counted = lab.counted()
        self.assertEqual(counted["https", "dns", "NOERROR", "records"], 1)
        self.assertEqual(counted["https", "dns", "NOERROR", "ready"], 1)

    def test_answers_go_out_as_they_come(self) -> None:
        lab = HTTPS(self)
        browser = lab.over_http2()
        slow, fast = browser.post(message("other.example")), browser.post(message("www.lab"))
        browser.move()
        self.assertEqual(browser.ended, [fast])
        (asked,) = lab.parents.opened
        asked.receive(reply_to(asked.query, "other.example. 30 A 192.0.2.1"))
        lab.reactor.turn()
        browser.move()
        self.assertEqual(browser.ended, [fast, slow])
        self.assertEqual(browser.headers[slow]["cache-control"], "max-age=30")

    def test_what_asks_nothing_has_a_status_and_a_sentence(self) -> None:
        browser = HTTPS(self).over_http2()
        asked = {
            "404": browser.ask("GET", "/"),
            "405": browser.ask("PUT", "/dns-query", b""),
            "415": browser.ask("POST", "/dns-query", message("www.lab")),
            "400": browser.post(b"\0" * 2 + b"\x80" + b"\0" * 9),  # a response
            "413": browser.ask("POST", "/dns-query", b"x", TYPE, ("content-length", "7000000")),
        }
        browser.move()
        for status, stream in asked.items():
            self.assertEqual(browser.headers[stream][":status"], status)
            self.assertTrue(browser.bodies[stream].endswith(b"\n"))

    def test_who_pads_is_padded_to(self) -> None:
        browser = HTTPS(self).over_http2()
        padded, plain = browser.post(message("www.lab", options=[PADDED])), browser.post(message("www.lab"))
        browser.move()
        self.assertEqual(len(browser.bodies[padded]), BLOCK)
        self.assertLess(len(browser.bodies[plain]), BLOCK)

    def test_what_is_no_http2_ends_the_connection(self) -> None:
        lab = HTTPS(self)
        client = lab.connect(trusting("h2"))
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(client.received()[3:4], b"\x04")
        lab.reactor.pass_time(2 * GRACE)
        self.assertTrue(closed(client))
        self.assertEqual(lab.counted()[("malformed",)], 1)

    def test_an_idle_connection_is_told_of_its_end(self) -> None:
        lab = HTTPS(self, tcp_idle=10)
        browser = lab.over_http2()
        lab.reactor.pass_time(10.5)
        browser.move()
        self.assertTrue(browser.is_gone)
        lab.reactor.pass_time(2 * GRACE)
        self.assertTrue(closed(browser.tls))

    def test_a_body_byte_by_byte_has_the_idle_time_in_all(self) -> None:
        lab = HTTPS(self, tcp_idle=10)
        browser = lab.over_http2()
        head = [
            (":method", "POST"),
            (":path", "/dns-query"),
            (":scheme", "https"),
            (":authority", "dns.lab.test"),
            TYPE,
        ]
        browser.http.send_headers(1, head)
        for _ in range(11):
            browser.http.send_data(1, b"x")
            browser.move()
            lab.reactor.pass_time(1)
        browser.move()
        self.assertTrue(browser.is_gone)
        lab.reactor.pass_time(2 * GRACE)
        self.assertTrue(closed(browser.tls))

    def test_what_was_asked_is_answered_before_the_end(self) -> None:
        lab = HTTPS(self)
        browser = lab.over_http2()
        stream = browser.post(message("other.example"))
        browser.move()
        lab.service.drain()
        (asked,) = lab.parents.opened
        asked.receive(reply_to(asked.query, "other.example. 30 A 192.0.2.1"))
        lab.reactor.turn()
        browser.move()
        self.assertEqual((browser.ended, browser.is_gone), ([stream], True))


@implementer(IEvents)
class Watching:
    """Somebody who has every question told."""

    watched = wants = True

    def __init__(self) -> None:
        self.told: list[Event] = []

    def take(self, count: int = 1, ready: bool = False) -> int:
        return count

    def new_id(self) -> str:
        return "1"

    def happened(self, event: Event) -> None:
        self.told.append(event)


class WatchedTests(SynchronousTestCase):
    """What is told of encrypted questions."""

    def test_each_is_told_with_its_transport_and_what_was_encrypted(self) -> None:
        for kind in "tls", "https":
            lab, watching = Encrypted(self, kind), Watching()
            lab.service.counts.events = watching
            for _ in range(2):  # the second is ready
                if kind == "tls":
                    client = lab.connect()
                    client.send(framed(message("www.lab")))
                    client.received()
                else:
                    browser = Browser(lab.connect(trusting("h2")))
                    browser.post(message("www.lab"))
                    browser.move()
            told = [event for event in watching.told if isinstance(event, Exchange)]
            said = [(one.transport, one.name, one.answer) for one in told]
            self.assertEqual(said, [(kind, "www.lab", "A 10.0.0.1")] * 2)
            self.assertEqual([one.transport for one in told[0].datagrams], [kind] * 2)
            self.assertEqual(told[0].datagrams[0].data, message("www.lab"))


class HTTP1Tests(SynchronousTestCase):
    """One request at a time."""

    def post(self, body: bytes, more: str = "") -> bytes:
        fields = f"host: dns.lab.test\r\n{': '.join(TYPE)}\r\n{more}content-length: {len(body)}\r\n\r\n"
        return b"POST /dns-query HTTP/1.1\r\n" + fields.encode() + body

    def responses(self, received: bytes) -> list[tuple[int, bytes]]:
        found = []
        while received:
            head, _, rest = received.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            assert length is not None, head
            found.append((int(head.split()[1]), rest[: int(length[1])]))
            received = rest[int(length[1]) :]
        return found

    def test_requests_are_answered_in_their_order(self) -> None:
        lab = HTTPS(self)
        client = lab.connect(trusting("http/1.1"))
        self.assertEqual(client.tls.selected_alpn_protocol(), "http/1.1")
        client.send(self.post(message("other.example")) + self.post(message("www.lab")) + self.post(b""))
        self.assertEqual(client.received(), b"")
        (asked,) = lab.parents.opened
        asked.receive(reply_to(asked.query, "other.example. 30 A 192.0.2.1"))
        lab.reactor.turn()
        (first, one), (second, two), (third, _) = self.responses(client.received())
        self.assertEqual((first, second, third), (200, 200, 400))
        self.assertIn("192.0.2.1", dns.message.from_wire(one).to_text())
        self.assertIn("10.0.0.1", dns.message.from_wire(two).to_text())

    def test_without_alpn_it_is_spoken_too(self) -> None:
        client = HTTPS(self).connect(trusting())
        client.send(self.post(message("www.lab")))
        self.assertEqual([status for status, _ in self.responses(client.received())], [200])

    def test_behind_a_proxy_it_needs_no_tls(self) -> None:
        lab = HTTPS(self, "http")
        client = lab.reactor.connect()
        client.send(self.post(message("www.lab", options=[PADDED])))
        ((status, body),) = self.responses(client.received())
        self.assertEqual((status, len(body)), (200, BLOCK))

    def test_who_asks_for_the_end_gets_it_behind_the_response(self) -> None:
        lab = HTTPS(self, "http")
        client = lab.reactor.connect()
        client.send(self.post(message("www.lab"), "connection: close\r\n"))
        self.assertEqual([status for status, _ in self.responses(client.received())], [200])
        self.assertTrue(client.closed)

    def test_what_is_no_http_has_a_last_response(self) -> None:
        lab = HTTPS(self, "http")
        client = lab.reactor.connect()
        client.send(b"\x16\x03\x01\x02\r\n\r\n")
        self.assertTrue(client.received().startswith(b"HTTP/1.1 400 "))
        self.assertTrue(client.closed)

    def test_no_more_is_read_than_one_request_and_what_came_with_it(self) -> None:
        lab = HTTPS(self, "http")
        client = lab.reactor.connect()
        client.send(self.post(message("other.example")))
        for _ in range(100):
            client.post(b"x" * 65536)
        lab.reactor.turn()
        self.assertGreater(client.unread_by_server, 90 * 65536)


def closed(client: TLSClient) -> bool:
    assert isinstance(client.wire, Client)
    return client.wire.closed
