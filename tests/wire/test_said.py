"""What a message says, in a line."""

from __future__ import annotations

import dns.message
import dns.rrset
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.said import LONGEST, Said, said

QUERY = dns.message.make_query("www.lab", "MX", id=7)


class SaidTests(SynchronousTestCase):
    """Both protocols, both ways."""

    def test_a_question_says_what_it_asks_for(self) -> None:
        """Name and type; in the course protocol it is the name."""
        self.assertEqual(said(QUERY.to_wire()).line, "Query www.lab MX")
        self.assertEqual(said(b"www.lab\r\n").line, "www.lab")

    def test_a_reply_says_its_records_or_its_code(self) -> None:
        """With the least TTL, and whether there is more by TCP."""
        reply = dns.message.make_response(QUERY)
        self.assertEqual(said(reply.to_wire()), Said("Reply NOERROR", "NOERROR", None))
        reply.answer = [dns.rrset.from_text("www.lab.", 30, "IN", "MX", "5 mail.lab.")]
        told = said(reply.to_wire())
        self.assertEqual((told.answer, told.ttl), ("MX 5 mail.lab.", 30))
        self.assertEqual(told.line, "Reply MX 5 mail.lab. TTL 30")
        reply.flags |= 0x0200
        self.assertTrue(said(reply.to_wire()).line.endswith(" truncated"))

    def test_what_is_neither_protocols_says_how_long_it_is(self) -> None:
        """Whatever it is."""
        for data in (bytes(5), bytes(12), b"\0" * 11 + b"\1", QUERY.to_wire()[:20], b"\0\1\x80" + bytes(9) + b"\xff"):
            self.assertRegex(said(data).line, r"^(\d+ bytes that are no DNS message|Reply .*)$")
        self.assertEqual(said(b""), Said("", ""))

    def test_a_line_is_harmless_and_not_too_long(self) -> None:
        """Whoever sent it."""
        self.assertEqual(said(b"a\x1b[31mb\xff").line, "a\\x1b[31mb\\xff")
        self.assertEqual(len(said(b"x" * 9000).line), LONGEST)
