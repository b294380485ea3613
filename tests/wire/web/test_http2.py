"""Tests for :mod:`labnet.wire.web.http2` and its fields, against h2, and against frames that no library would send."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes
from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.web.http2 import MOST_RESETS, MOST_STREAMS, MOST_UNWANTED, PREFACE, HTTP2Codec
from labnet.wire.web.http2_fields import MOST_KNOWN, block_of
from labnet.wire.web.model import HTTPBroken, HTTPRequest

SMALL = st.integers(0, 10)
POST = [(":method", "POST"), (":path", "/dns-query"), (":scheme", "https"), (":authority", "dns.lab.test")]
TYPE = ("content-type", "application/dns-message")
FIELDS = ((b"content-type", b"application/dns-message"), (b"cache-control", b"max-age=60"))


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack("!BBI", kind, flags, stream) + payload


class Peers:
    """A client by h2 and the codec, with what one says given to the other."""

    def __init__(self) -> None:
        self.client = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.codec = HTTP2Codec()
        self.client.initiate_connection()
        self.status: dict[int, str] = {}
        self.headers: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: list[int] = []
        self.reset: dict[int, int] = {}
        self.gone: int | None = None
        self.acknowledges = True

    def post(self, body: bytes, *fields: tuple[str, str], end: bool = True) -> int:
        stream: int = self.client.get_next_available_stream_id()
        self.client.send_headers(stream, [*POST, TYPE, *fields])
        self.client.send_data(stream, body, end_stream=end)
        return stream

    def move(self) -> list[HTTPRequest]:
        requests = self.codec.receive(self.client.data_to_send())
        self.hear()
        return requests

    def hear(self) -> None:
        for event in self.client.receive_data(self.codec.to_send()):
            if isinstance(event, ResponseReceived):
                headers = dict(event.headers)
                self.status[event.stream_id] = headers[":status"]
                self.headers[event.stream_id] = headers
            elif isinstance(event, DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                if self.acknowledges:
                    self.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.ended.append(event.stream_id)
            elif isinstance(event, StreamReset):
                self.reset[event.stream_id] = event.error_code
            elif isinstance(event, ConnectionTerminated):
                self.gone = event.error_code


class CodecTests(SynchronousTestCase):
    """A client that does as it should."""

    def test_requests_are_read_and_answered_in_any_order(self) -> None:
        peers = Peers()
        first, second = peers.post(b"one"), peers.post(b"two", ("content-length", "3"))
        requests = peers.move()
        expected = [(first, b"one"), (second, b"two")]
        self.assertEqual([(one.stream, one.body) for one in requests], expected)
        self.assertEqual(requests[0][1:4], (b"POST", b"/dns-query", b"application/dns-message"))
        for stream in second, first:
            self.assertTrue(peers.codec.respond(stream, 200, FIELDS, b"reply %d" % stream))
        peers.hear()
        self.assertEqual(peers.ended, [second, first])
        self.assertEqual(peers.bodies, {first: b"reply 1", second: b"reply 3"})
        headers = peers.headers[first]
        self.assertEqual(
            (headers[":status"], headers["cache-control"], headers["content-length"]), ("200", "max-age=60", "7")
        )

    def test_every_status_and_field_of_ours_is_read_as_it_was_meant(self) -> None:
        peers = Peers()
        text = (b"content-type", b"text/plain; charset=utf-8")
        for status in (400, 404, 405, 413, 414, 415):
            stream = peers.post(b"")
            peers.move()
            peers.codec.respond(stream, status, (text, (b"allow", b"GET, POST")), b"why\n")
            peers.hear()
            self.assertEqual(peers.status[stream], str(status))
            self.assertEqual(peers.headers[stream]["allow"], "GET, POST")

    def test_the_same_fields_again_are_decoded_once_and_others_anew(self) -> None:
        peers, bodies = Peers(), []
        for number in range(50):
            peers.post(b"x" * number, ("content-length", str(number)), ("x-number", str(number // 10)))
            for request in peers.move():
                bodies.append(len(request.body))
                peers.codec.respond(request.stream, 200, FIELDS, b"y")
            peers.hear()
        self.assertEqual(bodies, list(range(50)))
        self.assertEqual(len(peers.ended), 50)

    def test_a_response_waits_for_the_room_that_the_client_gives(self) -> None:
        peers = Peers()
        peers.acknowledges = False
        peers.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
        stream = peers.post(b"q")
        peers.move()
        peers.codec.respond(stream, 200, FIELDS, b"z" * 3000)
        peers.hear()
        self.assertEqual((len(peers.bodies[stream]), peers.codec.waiting), (1000, 2000))
        peers.client.increment_flow_control_window(1500, stream)
        peers.move()
        self.assertEqual((len(peers.bodies[stream]), peers.ended), (2500, []))
        peers.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2000})
        peers.move()
        self.assertEqual((len(peers.bodies[stream]), peers.ended, peers.codec.waiting), (3000, [stream], 0))

    def test_responses_wait_for_the_room_of_the_connection(self) -> None:
        peers = Peers()
        peers.acknowledges = False
        streams = [peers.post(b"q") for _ in range(3)]
        peers.move()
        for stream in streams:
            peers.codec.respond(stream, 200, FIELDS, b"z" * 40000)
        peers.hear()
        self.assertEqual(sum(map(len, peers.bodies.values())), 65535)
        peers.client.increment_flow_control_window(100_000)
        peers.move()
        self.assertEqual(sorted(peers.ended), streams)

    def test_much_may_be_sent_over_one_connection(self) -> None:
        peers = Peers()
        for _ in range(10):
            stream = peers.post(b"x" * 16000)
            (request,) = peers.move()
            self.assertEqual(len(request.body), 16000)
            peers.codec.respond(stream, 200, FIELDS, b"")
            peers.hear()
        self.assertEqual(len(peers.ended), 10)

    def test_a_body_that_says_it_is_too_long_is_read_over(self) -> None:
        peers = Peers()
        stream = peers.post(b"", ("content-length", "100000"), end=False)
        self.assertEqual(peers.move(), [])
        for _ in range(9):
            peers.client.send_data(stream, b"x" * 10000)
            self.assertEqual(peers.move(), [])
        peers.client.send_data(stream, b"x" * 10000, end_stream=True)
        (request,) = peers.move()
        self.assertEqual((request.is_too_long, request.body), (True, b""))
        peers.codec.respond(stream, 413, FIELDS, b"no\n")
        peers.hear()
        self.assertEqual((peers.status[stream], peers.bodies[stream], peers.reset), ("413", b"no\n", {}))

    def test_a_body_that_says_it_is_endless_is_answered_at_once(self) -> None:
        peers = Peers()
        stream = peers.post(b"x" * 1000, ("content-length", str(MOST_UNWANTED + 1)), end=False)
        (request,) = peers.move()
        self.assertTrue(request.is_too_long)
        peers.codec.respond(stream, 413, FIELDS, b"no\n")
        peers.hear()
        self.assertEqual((peers.status[stream], peers.bodies[stream]), ("413", b"no\n"))
        self.assertEqual(peers.codec.receive(frame(0, 0, stream, b"more")), [])

    def test_a_request_that_is_taken_back_is_forgotten(self) -> None:
        peers = Peers()
        stream = peers.post(b"q", end=False)
        peers.client.reset_stream(stream)
        self.assertEqual(peers.move(), [])
        self.assertTrue(peers.codec.respond(stream, 200, FIELDS, b"late"))
        peers.hear()
        self.assertEqual(peers.bodies, {})

    def test_pings_are_answered_and_unknown_frames_ignored(self) -> None:
        peers = Peers()
        peers.client.ping(b"12345678")
        peers.move()
        self.assertEqual(peers.codec.receive(frame(99, 0, 0, b"x")), [])
        stream = peers.post(b"q")
        self.assertEqual([one.stream for one in peers.move()], [stream])

    def test_past_the_most_a_request_is_refused(self) -> None:
        peers = Peers()
        peers.move()
        data = b"".join(frame(1, 5, 1 + 2 * number, b"\x82\x87\x04\x01/") for number in range(MOST_STREAMS + 1))
        self.assertEqual(len(peers.codec.receive(data)), MOST_STREAMS)
        self.assertTrue(peers.codec.to_send().endswith(frame(3, 0, 1 + 2 * MOST_STREAMS, b"\0\0\0\x07")))

    def test_the_end_is_said_with_the_last_request(self) -> None:
        peers = Peers()
        peers.post(b"q")
        peers.move()
        peers.codec.end()
        peers.hear()
        self.assertEqual(peers.gone, 0)

    @given(st.lists(st.integers(0, 400), max_size=10))
    def test_any_cut_of_the_stream_gives_the_same_requests(self, cuts: list[int]) -> None:
        peers = Peers()
        for number in range(3):
            peers.post(b"body %d" % number)
        data, found = peers.client.data_to_send(), []
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        for begin, end in pairwise(edges):
            found += peers.codec.receive(data[begin:end])
        self.assertEqual([one.body for one in found], [b"body 0", b"body 1", b"body 2"])


FIELDS_IN = b"\x82\x87\x04\x01/"
LENGTH_3 = FIELDS_IN + b"\x0f\x0d\x013"


class KnownTests(SynchronousTestCase):
    """Requests whose header fields came before: they are read together, and as all others are."""

    def setUp(self) -> None:
        self.codec = HTTP2Codec()
        self.codec.receive(PREFACE + frame(4, 0, 0))
        for number, block in enumerate((FIELDS_IN, LENGTH_3)):
            self.codec.receive(frame(1, 4, 2 * number + 1, block) + frame(0, 1, 2 * number + 1, b"one"))
        for stream in 1, 3:
            self.codec.respond(stream, 200, FIELDS, b"")
        self.codec.to_send()

    def test_they_are_not_decoded_again(self) -> None:
        self.patch(Decoder, "decode", lambda *given, **options: self.fail("decoded"))
        data = frame(1, 5, 5, FIELDS_IN) + frame(1, 4, 7, LENGTH_3) + frame(0, 1, 7, b"two")
        found = [(one.stream, one.method, one.target, one.body) for one in self.codec.receive(data)]
        self.assertEqual(found, [(5, b"GET", b"/", b""), (7, b"GET", b"/", b"two")])

    def test_they_are_decoded_again_once_the_table_is_another(self) -> None:
        indexed = b"\x82\x87\x41\x01a\x04\x01/"  # an authority that the table keeps
        by_index, other = b"\x82\x87\xbe\x04\x01/", b"\x82\x87\x44\x02/b\x0f\x0d\x013"
        blocks = (indexed, by_index, other, by_index)
        found = [self.codec.receive(frame(1, 5, 5 + 2 * number, block)) for number, block in enumerate(blocks)]
        self.assertEqual([[one.target for one in requests] for requests in found[:2]], [[b"/"], [b"/"]])
        self.assertEqual(found[2:], [[], []])  # one of another length, and one with two targets
        self.assertEqual(self.codec.to_send(), frame(3, 0, 9, b"\0\0\0\x01") + frame(3, 0, 11, b"\0\0\0\x01"))

    def test_what_is_the_matter_with_one_costs_its_stream_alone(self) -> None:
        data = b"".join(
            frame(1, 4, stream, LENGTH_3) + frame(0, 1, stream, body)
            for stream, body in ((5, b"two"), (7, b"four"), (9, b"six"))
        )
        self.assertEqual([one.stream for one in self.codec.receive(data)], [5, 9])
        self.assertEqual(self.codec.to_send(), frame(3, 0, 7, b"\0\0\0\x01"))

    def test_past_the_most_they_are_refused(self) -> None:
        data = b"".join(frame(1, 5, 5 + 2 * number, FIELDS_IN) for number in range(MOST_STREAMS + 2))
        self.assertEqual(len(self.codec.receive(data)), MOST_STREAMS)
        refused = (5 + 2 * (MOST_STREAMS + number) for number in range(2))
        self.assertEqual(self.codec.to_send(), b"".join(frame(3, 0, one, b"\0\0\0\x07") for one in refused))

    def test_numbers_that_come_again_begin_no_request(self) -> None:
        self.assertEqual(self.codec.receive(frame(1, 5, 1, FIELDS_IN)), [])
        self.assertEqual(len(self.codec.receive(frame(1, 5, 5, FIELDS_IN))), 1)
        for data in frame(1, 5, 5, FIELDS_IN), frame(1, 5, 8, FIELDS_IN):
            with self.assertRaises(HTTPBroken):
                self.codec.receive(data)

    def test_a_body_in_several_frames_or_with_padding_is_put_together(self) -> None:
        data = frame(1, 4, 5, FIELDS_IN) + frame(0, 0, 5, b"t") + frame(0, 1, 5, b"wo")
        data += frame(1, 4, 7, FIELDS_IN) + frame(0, 9, 7, b"\x02six\0\0")
        self.assertEqual([(one.stream, one.body) for one in self.codec.receive(data)], [(5, b"two"), (7, b"six")])

    def test_a_body_of_another_request_is_not_taken_for_its_own(self) -> None:
        begun = frame(1, 4, 5, FIELDS_IN) + frame(1, 4, 7, FIELDS_IN)
        data = begun + frame(1, 4, 9, FIELDS_IN) + frame(0, 1, 5, b"one") + frame(0, 1, 7, b"two")
        self.assertEqual([(one.stream, one.body) for one in self.codec.receive(data)], [(5, b"one"), (7, b"two")])

    def test_header_fields_that_go_on_are_not_interrupted_by_them(self) -> None:
        with self.assertRaisesRegex(HTTPBroken, "interrupted"):
            self.codec.receive(frame(1, 0, 5, FIELDS_IN) + frame(1, 5, 7, FIELDS_IN))

    def test_room_is_given_once_for_all_that_came_together(self) -> None:
        data = b"".join(frame(1, 4, 5 + 2 * n, FIELDS_IN) + frame(0, 1, 5 + 2 * n, b"x" * 16000) for n in range(6))
        self.assertEqual(len(self.codec.receive(data)), 6)
        self.assertEqual(self.codec.to_send(), frame(8, 0, 0, (6 * 16000 + 6).to_bytes(4, "big")))

    def test_so_many_are_kept_and_the_oldest_go_first(self) -> None:
        def block(number: int) -> bytes:
            return b"\x82\x87\x04\x64/" + b"%099d" % number

        count = 2 * MOST_KNOWN // len(block(0))
        for number in range(count):
            self.codec.receive(frame(1, 5, 5 + 2 * number, block(number)))
            self.codec.respond(5 + 2 * number, 200, FIELDS, b"")
        decoded: list[bytes] = []
        decode = Decoder.decode

        def counting(decoder: Decoder, data: bytes, raw: bool = False) -> Any:
            decoded.append(data)
            return decode(decoder, data, raw)

        self.patch(Decoder, "decode", counting)
        for number, again in enumerate((count - 1, count - MOST_KNOWN // 1000, 0)):
            (request,) = self.codec.receive(frame(1, 5, 5 + 2 * (count + number), block(again)))
            self.assertEqual(request.target, b"/%099d" % again)
        self.assertEqual(decoded, [block(0)])

    @given(
        st.lists(
            st.tuples(
                st.sampled_from((FIELDS_IN, LENGTH_3, FIELDS_IN + b"\x40\x01a\x01b")),
                st.sampled_from((b"", b"one", b"more")),
                st.sampled_from((b"", frame(6, 0, 0, b"8 bytes."), frame(8, 0, 0, b"\0\0\0\x09"))),
            ),
            max_size=12,
        ),
        st.lists(st.integers(0, 400), max_size=5),
    )
    def test_any_cut_of_the_stream_says_the_same(
        self, asked: list[tuple[bytes, bytes, bytes]], cuts: list[int]
    ) -> None:
        self.setUp()
        data, expected = b"", []
        for number, (block, body, between) in enumerate(asked):
            stream = 5 + 2 * number
            data += frame(1, 4 if body else 5, stream, block) + (frame(0, 1, stream, body) if body else b"") + between
            if block != LENGTH_3 or body == b"one":
                expected.append((stream, body))
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        found = [one for begin, end in pairwise(edges) for one in self.codec.receive(data[begin:end])]
        self.assertEqual([(one.stream, one.body) for one in found], expected)


class HostileTests(SynchronousTestCase):
    """Bytes that end a connection, each by a sentence, and never otherwise."""

    def setUp(self) -> None:
        self.codec = HTTP2Codec()
        self.codec.receive(PREFACE + frame(4, 0, 0))
        self.codec.to_send()

    def broken(self, *frames: bytes) -> int:
        """The error code of the connection's end."""
        with self.assertRaises(HTTPBroken):
            self.codec.receive(b"".join(frames))
        return int.from_bytes(self.codec.to_send()[-4:], "big")

    def test_another_preface_ends_it_with_its_first_wrong_byte(self) -> None:
        with self.assertRaisesRegex(HTTPBroken, "does not begin as one of HTTP/2"):
            HTTP2Codec().receive(b"G")
        codec = HTTP2Codec()
        self.assertEqual(codec.receive(PREFACE[:10]), [])
        with self.assertRaises(HTTPBroken):
            codec.receive(b"x")

    def test_frames_that_cannot_be(self) -> None:
        fields = b"\x82\x87\x04\x01/"
        tests: list[tuple[int, tuple[bytes, ...]]] = [
            (6, (b"\0\x40\x01" + b"\0" * 6,)),  # longer than may be
            (1, (frame(0, 0, 0, b"x"),)),
            (1, (frame(0, 0, 1, b"x"),)),  # data of a request that was not made
            (1, (frame(1, 4, 2, fields),)),  # an even number
            (
                1,
                (frame(1, 0, 1, fields), frame(6, 0, 0, b"8 bytes.")),
            ),  # between header fields
            (1, (frame(9, 4, 1, fields),)),  # goes on with nothing
            (
                1,
                (frame(1, 0, 1, fields), frame(9, 4, 3, b"")),
            ),
            (
                1,
                (frame(1, 5, 1, fields), frame(0, 0, 1, b"behind its end")),
            ),
            (
                1,
                (frame(1, 5, 1, fields), frame(1, 5, 1, fields)),
            ),
            (
                1,
                (frame(1, 4, 1, fields), frame(1, 4, 1, fields)),
            ),
            (1, (frame(1, 12, 1, b"\x09" + fields),)),  # padding beyond the frame
            (1, (frame(1, 12, 1),)),
            (9, (frame(1, 5, 1, b"\xff\xff\xff\xff\xff"),)),
            (9, (frame(1, 5, 1, b"\xbf"),)),  # of the dynamic table, which is empty
            (1, (frame(3, 0, 1, b"\0\0\0\0"),)),
            (1, (frame(3, 0, 0, b"\0\0\0\0"),)),
            (6, (frame(4, 0, 0, b"12345"),)),
            (6, (frame(4, 1, 0, b"123456"),)),
            (3, (frame(4, 0, 0, b"\0\x04\xff\xff\xff\xff"),)),
            (1, (frame(4, 0, 0, b"\0\x05\0\0\0\x01"),)),
            (1, (frame(5, 4, 1, b""),)),
            (6, (frame(6, 0, 0, b"short"),)),
            (6, (frame(8, 0, 0, b"1"),)),
            (3, (frame(8, 0, 0, b"\0\0\0\0"),)),
            (3, (frame(8, 0, 0, b"\x7f\xff\xff\xff"),)),
            (3, (frame(1, 4, 1, fields), *[frame(0, 0, 1, b"x" * 16384)] * 5)),  # more than there is room for
            (11, (frame(1, 0, 1, fields), *[frame(9, 0, 1, b"")] * 20)),
            (
                11,
                (
                    frame(1, 0, 1, fields),
                    *[frame(9, 0, 1, b"\0\x01a\x7f" + b"x" * 127)] * 15,
                    *[frame(9, 0, 1, b"x" * 16384)] * 2,
                ),
            ),
        ]
        for code, frames in tests:
            self.setUp()
            self.assertEqual(self.broken(*frames), code, frames[0][:20])

    def test_requests_that_are_none_cost_their_stream_alone(self) -> None:
        without_path, twice, upper = b"\x82\x87", b"\x82\x82\x87\x04\x01/", b"\x82\x87\x04\x01/\0\x01A\x01a"
        late = b"\x82\0\x01a\x01a\x87\x04\x01/"
        length = b"\x82\x87\x04\x01/\x0f\x0d\x01x"
        for number, block in enumerate((without_path, twice, upper, late, length)):
            stream = 2 * number + 1
            self.assertEqual(self.codec.receive(frame(1, 5, stream, block)), [])
            self.assertEqual(self.codec.to_send(), frame(3, 0, stream, b"\0\0\0\x01"))
        wrong = b"\x82\x87\x04\x01/\x0f\x0d\x015"
        self.assertEqual(self.codec.receive(frame(1, 4, 99, wrong) + frame(0, 1, 99, b"1234")), [])
        self.assertEqual(self.codec.to_send(), frame(3, 0, 99, b"\0\0\0\x01"))

    def test_who_takes_back_too_many_requests_is_closed(self) -> None:
        fields = b"\x82\x87\x04\x01/"
        pairs = [frame(1, 5, 2 * n + 1, fields) + frame(3, 0, 2 * n + 1, b"\0\0\0\x08") for n in range(MOST_RESETS + 1)]
        self.assertEqual(self.broken(*pairs), 11)

    @given(st.binary(max_size=300))
    def test_any_bytes_give_requests_or_one_error(self, data: bytes) -> None:
        self.setUp()
        self.quietly(lambda: self.codec.receive(data))

    @given(
        st.lists(
            st.tuples(st.integers(0, 10), st.integers(0, 255), st.integers(0, 5), st.binary(max_size=40)), max_size=20
        )
    )
    def test_any_frames_give_requests_or_one_error(self, frames: list[tuple[int, int, int, bytes]]) -> None:
        self.setUp()

        def receive() -> None:
            for request in self.codec.receive(b"".join(frame(*one) for one in frames)):
                self.codec.respond(request.stream, 200, FIELDS, b"z" * 20000)

        self.quietly(receive)

    def quietly(self, do: Callable[[], object]) -> None:
        try:
            do()
        except HTTPBroken:
            self.assertIn(b"\x07", self.codec.to_send())


class FieldTests(SynchronousTestCase):
    """How a response's fields are written."""

    def test_a_status_that_the_static_table_lacks_is_written_out(self) -> None:
        self.assertEqual(block_of(200, (), 5), b"\x88\x0f\x0d\x015")
        self.assertEqual(block_of(415, (), 5), b"\x08\x03415\x0f\x0d\x015")
