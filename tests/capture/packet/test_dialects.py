"""Messages of other dialects than the assignment's in captures."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.packet.dialects import is_command, is_unmistakable, question_in, reply_in
from labnet.dialects.library import find
from labnet.dialects.trial import trials
from labnet.wire.types import CourseReply, Referral


class DialectTests(SynchronousTestCase):
    """What is recognised by its form alone."""

    def test_replies_of_each_dialect_are_told_with_what_they_say(self) -> None:
        for dialect, data, address in (
            ("zone", b"www.a,1.2.3.4,A", "1.2.3.4"),
            ("hostname-table", b"www.a 1.2.3.4 A", "1.2.3.4"),
            ("flagged", b"1 www.a 1.2.3.4 7 aa", "1.2.3.4"),
            ("key-value", b"TYPE=A\nNAME=www.a VALUE=1.2.3.4 TTL=10\n", "1.2.3.4"),
            ("colon", b"Root DNS:www.a:1.2.3.4", "1.2.3.4"),
        ):
            found = reply_in(data)
            assert found is not None
            assert isinstance(found[1], CourseReply)
            self.assertEqual((found[0], found[1].address, is_unmistakable(data)), (dialect, address, True))

    def test_referrals_and_unknown_names_are_told(self) -> None:
        self.assertEqual(reply_in(b".co.il,1.2.3.5:777,NS"), ("zone", Referral(".co.il", "1.2.3.5:777")))
        for data in (b"www.a - Error:HOST NOT FOUND", b"STATUS=NOT_FOUND\n", b"1 www.a 0.0.0.0 7 nx"):
            found = reply_in(data)
            assert found is not None
            self.assertEqual((found[1], is_unmistakable(data)), (None, True), data)

    def test_questions_that_are_more_than_a_name_are_told(self) -> None:
        self.assertEqual(question_in(b"TYPE=A\nNAME=www.a\n"), ("key-value", "www.a"))
        self.assertEqual(question_in(b"0 www.a 7 it"), ("flagged", "www.a"))
        self.assertEqual(question_in(b"\x00\x07www.a A"), ("id-text", "www.a"))

    def test_text_of_other_protocols_is_none(self) -> None:
        for data in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"220 mail ESMTP\r\n",
            b"Host: a\r\n",
            b"SSH-2.0-x\r\n",
            b"USER a\r\n",
            b"\0" * 50,
        ):
            self.assertFalse(is_unmistakable(data), data)
            self.assertFalse(is_command(data), data)

    def test_commands_that_only_other_dialects_have_are_told(self) -> None:
        for data in (b"JAM 12:34:56\r\n", b"04TIME", b"04RAND"):
            self.assertTrue(is_command(data), data)
        self.assertFalse(is_command(b"05TIME"))

    def test_what_the_ends_of_a_dialect_say_is_recognised(self) -> None:
        """Each reply with an address of the shipped dialects that is no line of the assignment's."""
        for dialect in ("zone", "hostname-table", "flagged", "key-value", "colon", "id-text"):
            (_, reply), *_ = [trial.messages for trial in trials(find(dialect)) if trial.what == "a name that is known"]
            self.assertTrue(is_unmistakable(reply.data or b""), dialect)
