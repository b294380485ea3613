"""Tests for :mod:`labnet.wire.web.doh`."""

from __future__ import annotations

import dns.message
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.web.doh import MESSAGE, NoQuestion, fields_for, lifetime, question_in, target_of

QUERY = dns.message.make_query("www.example.com", "A", id=0).to_wire()
RFC = b"AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"
"""The query of RFC 8484, section 4.1.1."""


class QuestionTests(SynchronousTestCase):
    """RFC 8484, section 4.1."""

    def refused(self, method: bytes, target: bytes, content_type: bytes = MESSAGE, body: bytes = QUERY) -> int:
        with self.assertRaises(NoQuestion) as caught:
            question_in(method, target, content_type, body)
        self.assertTrue(caught.exception.body.endswith(b"\n"))
        self.assertEqual((b"allow", b"GET, POST") in caught.exception.fields, caught.exception.status == 405)
        return caught.exception.status

    def test_a_message_comes_in_the_url_or_as_the_body(self) -> None:
        self.assertEqual(question_in(b"GET", b"/dns-query?dns=" + RFC, b"", b""), QUERY)
        self.assertEqual(question_in(b"GET", b"/dns-query?a=b&dns=" + RFC + b"&c", b"", b""), QUERY)
        self.assertEqual(question_in(b"POST", b"/dns-query", b"Application/DNS-Message; charset=x", QUERY), QUERY)

    @given(st.binary(min_size=12, max_size=40))
    def test_what_a_client_writes_into_a_url_is_read_again(self, message: bytes) -> None:
        self.assertEqual(question_in(b"GET", target_of(b"/dns-query", message), b"", b""), message)

    def test_everything_else_has_its_status(self) -> None:
        for status, method, target, content_type, body in (
            (404, b"GET", b"/", b"", b""),
            (404, b"POST", b"/dns-queries", MESSAGE, QUERY),
            (405, b"HEAD", b"/dns-query", b"", b""),
            (405, b"PUT", b"/dns-query", MESSAGE, QUERY),
            (415, b"POST", b"/dns-query", b"", QUERY),
            (415, b"POST", b"/dns-query", b"application/dns-json", QUERY),
            (400, b"POST", b"/dns-query", MESSAGE, b"short"),
            (400, b"GET", b"/dns-query", b"", b""),
            (400, b"GET", b"/dns-query?name=a", b"", b""),
            (400, b"GET", b"/dns-query?dns=", b"", b""),
            (400, b"GET", b"/dns-query?dns=A", b"", b""),
            (400, b"GET", b"/dns-query?dns=+/==" + RFC, b"", b""),
        ):
            self.assertEqual(self.refused(method, target, content_type, body), status, target)


class LifetimeTests(SynchronousTestCase):
    """RFC 8484, section 5.1."""

    def reply(self, answer: str = "", authority: str = "") -> bytes:
        message = dns.message.make_response(dns.message.from_wire(QUERY))
        for section, text in ((message.answer, answer), (message.authority, authority)):
            for line in text.splitlines():
                section.append(dns.rrset.from_text(*line.split(" ", 4)))
        return message.to_wire()

    def test_the_least_ttl_of_the_answer_counts(self) -> None:
        answer = "a. 300 IN CNAME b.\nb. 60 IN A 192.0.2.1"
        self.assertEqual(lifetime(self.reply(answer, "b. 5 IN NS c.")), 60)
        self.assertEqual(fields_for(60)[1], (b"cache-control", b"max-age=60"))

    def test_a_negative_answer_has_the_time_of_its_soa(self) -> None:
        self.assertEqual(lifetime(self.reply(authority="a. 300 IN SOA a. b. 1 2 3 4 20")), 20)
        self.assertEqual(lifetime(self.reply(authority="a. 10 IN SOA a. b. 1 2 3 4 20")), 10)

    def test_what_has_neither_is_not_kept(self) -> None:
        self.assertEqual(lifetime(self.reply()), 0)
        self.assertEqual(lifetime(self.reply(authority="a. 300 IN NS b.")), 0)
        self.assertEqual(lifetime(QUERY[:4] + b"\0" * 8), 0)
