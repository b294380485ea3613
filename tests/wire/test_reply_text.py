"""What logs tell of a reply."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rrset
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire import reply_text
from labnet.wire.reply_text import MOST_RECORDS, MOST_TEXT, told_in


def reply(rrtype: str, *answer: str, authority: str = "") -> bytes:
    """A response to a question for www.lab.test with these records."""
    made = dns.message.make_response(dns.message.make_query("www.lab.test.", rrtype))
    made.answer += [dns.rrset.from_text(*line.split(maxsplit=4)) for line in answer]
    made.authority += [dns.rrset.from_text(*line.split(maxsplit=4)) for line in [authority] if line]
    return made.to_wire()


class DNSTests(SynchronousTestCase):
    """DNS messages."""

    def test_the_data_and_the_least_ttl_are_told(self) -> None:
        """Of the type that was asked for; an alias counts in the TTL alone."""
        alias = "www.lab.test. 30 IN CNAME web.lab.test."
        told = told_in(reply("A", alias, "web.lab.test. 60 IN A 192.0.2.1", "web.lab.test. 60 IN A 192.0.2.2"))
        self.assertEqual(told, ("192.0.2.1, 192.0.2.2", 30))
        self.assertEqual(told_in(reply("AAAA", "www.lab.test. 5 IN AAAA 2001:db8::1")), ("2001:db8::1", 5))
        self.assertEqual(told_in(reply("MX", "www.lab.test. 5 IN MX 10 mx.lab.test.")), ("10 mx.lab.test.", 5))

    def test_an_alias_alone_is_told_as_one(self) -> None:
        """Where it leads to nothing here."""
        self.assertEqual(told_in(reply("A", "www.lab.test. 30 IN CNAME a.lab.test.")), ("CNAME a.lab.test.", 30))

    def test_a_zero_byte_in_the_id_of_a_text_makes_no_dns_of_it(self) -> None:
        """Some courses have an id of two bytes before their text."""
        self.assertEqual(told_in(b"\0\1QUESTION\nwww.a A"), ("\0\1QUESTION\nwww.a A", None))

    def test_no_record_is_no_answer(self) -> None:
        """Whatever stands beside it."""
        soa = "lab.test. 60 IN SOA ns.lab.test. root.lab.test. 1 2 3 4 5"
        self.assertEqual(told_in(reply("A", authority=soa)), ("", None))

    def test_what_is_long_is_cut(self) -> None:
        """By records and by letters."""
        many = [f"www.lab.test. 60 IN A 192.0.2.{number}" for number in range(MOST_RECORDS + 3)]
        text, _ = told_in(reply("A", *many))
        self.assertEqual(text.count("192.0.2."), MOST_RECORDS)
        self.assertTrue(text.endswith(" and 3 more"))
        text, _ = told_in(reply("TXT", "www.lab.test. 60 IN TXT " + " ".join(["a" * 200] * 10)))
        self.assertEqual(len(text), MOST_TEXT)

    def test_data_that_cannot_be_read_is_told_by_its_size(self) -> None:
        """Course answers are no addresses, and a message may be cut."""
        good = reply("MX", "www.lab.test. 5 IN MX 10 mx.lab.test.")
        self.assertEqual(told_in(good[:-3]), ("MX \\# 7", 5))
        self.assertEqual(told_in(good[:40]), ("", None))
        self.assertEqual(told_in(b"\0"), ("", None))

    def test_the_id_makes_no_difference_and_what_is_remembered_is_bounded(self) -> None:
        """The same is said to many."""
        reply_text._remembered.clear()
        one = reply("A", "www.lab.test. 60 IN A 192.0.2.1")
        for number in range(10):
            self.assertEqual(told_in(bytes((number, number)) + one[2:]), ("192.0.2.1", 60))
        self.assertEqual(len(reply_text._remembered), 1)
        for number in range(2000):
            told_in(one + number.to_bytes(2, "big"))
        told_in(one + b"x" * 5000)
        self.assertLessEqual(len(reply_text._remembered), 1000)
        self.assertLess(max(map(len, reply_text._remembered)), 1000)


class CourseTests(SynchronousTestCase):
    """Replies of the course."""

    def test_address_and_ttl_are_told_in_every_form(self) -> None:
        """As a list and as a line."""
        self.assertEqual(told_in(b'["www.biu.ac.il", "1.2.3.4", "180", "0", 1.5]'), ("1.2.3.4", 180))
        self.assertEqual(told_in(b"www.biu.ac.il,21.09.1992.8,60\n"), ("21.09.1992.8", 60))

    def test_anything_else_is_told_as_it_is(self) -> None:
        """An unknown name's, above all."""
        for text in "", "[]", "not found", "[1", "a,b", "x,y,soon":
            answer, ttl = told_in(text.encode())
            self.assertIsNone(ttl)
            self.assertIn(answer, (text, "y"))
        self.assertEqual(len(told_in(b"x" * 5000)[0]), MOST_TEXT)
