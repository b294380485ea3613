"""Tests for :mod:`labnet.wire.web.http1`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.web.http1 import HTTP1Codec
from labnet.wire.web.model import BODY_BYTES, HEADER_BYTES, HTTPBroken, HTTPRequest

TYPE = b"content-type: application/dns-message\r\n"
FIELDS = ((b"content-type", b"application/dns-message"),)


def post(body: bytes, more: bytes = b"") -> bytes:
    return b"POST /dns-query HTTP/1.1\r\nhost: x\r\n" + TYPE + more + b"content-length: %d\r\n\r\n" % len(body) + body


class CodecTests(SynchronousTestCase):
    """One connection."""

    def setUp(self) -> None:
        self.codec = HTTP1Codec()

    def test_requests_of_one_segment_are_read_one_behind_the_response_of_the_other(self) -> None:
        (first,) = self.codec.receive(post(b"one") + b"GET /dns-query?dns=AA HTTP/1.1\r\nhost: x\r\n\r\n")
        self.assertEqual(first, HTTPRequest(0, b"POST", b"/dns-query", b"application/dns-message", b"one"))
        self.assertEqual(self.codec.receive(b""), [])
        self.assertTrue(self.codec.respond(0, 200, FIELDS, b"reply"))
        out = self.codec.to_send()
        self.assertTrue(
            out.startswith(b"HTTP/1.1 200 \r\ncontent-type: application/dns-message\r\ncontent-length: 5\r\n")
        )
        self.assertTrue(out.endswith(b"\r\n\r\nreply"))
        (second,) = self.codec.receive(b"")
        self.assertEqual((second.method, second.target, second.body), (b"GET", b"/dns-query?dns=AA", b""))

    def test_who_asks_for_the_end_or_speaks_http_1_0_gets_it(self) -> None:
        for head in (b"GET / HTTP/1.0\r\n", b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"):
            codec = HTTP1Codec()
            codec.receive(head + b"\r\n")
            self.assertFalse(codec.respond(0, 404, FIELDS, b""))
            self.assertIn(b"connection: close", codec.to_send().lower())

    def test_chunks_and_an_expected_100_are_understood(self) -> None:
        head = b"POST /dns-query HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n"
        self.assertEqual(self.codec.receive(head), [])
        self.assertTrue(self.codec.to_send().startswith(b"HTTP/1.1 100 "))
        (request,) = self.codec.receive(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        self.assertEqual(request.body, b"abcde")

    def test_a_body_that_is_too_long_is_cut_and_one_that_goes_on_ends_the_connection(self) -> None:
        (request,) = self.codec.receive(post(b"x" * (BODY_BYTES + 1)))
        self.assertTrue(request.is_too_long)
        self.assertLessEqual(len(request.body), BODY_BYTES)
        with self.assertRaisesRegex(HTTPBroken, "too long"):
            HTTP1Codec().receive(post(b"x" * (3 * BODY_BYTES)))

    def test_what_is_no_request_has_a_last_response(self) -> None:
        for data, status in (
            (b"\x16\x03\x01\0\xff\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nx" + b"y" * HEADER_BYTES, 431),
            (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n", 501),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
        ):
            codec = HTTP1Codec()
            with self.assertRaises(HTTPBroken):
                codec.receive(data)
            self.assertTrue(codec.to_send().startswith(b"HTTP/1.1 %d " % status), data[:30])

    @given(st.binary(max_size=300), st.booleans())
    def test_any_bytes_give_requests_or_one_error(self, data: bytes, is_behind_a_head: bool) -> None:
        codec = HTTP1Codec()
        try:
            for request in codec.receive((post(b"")[:40] if is_behind_a_head else b"") + data):
                codec.respond(request.stream, 200, FIELDS, b"x")
        except HTTPBroken:
            self.assertNotIn(b"Traceback", codec.to_send())
