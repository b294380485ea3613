"""What the server says, word for word."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from labnet.command.dialects import codec_of
from labnet.config.services import CommandConfig
from tests.fakes import START


class ReplyStyleTests(SynchronousTestCase):
    """Both styles."""

    def test_the_handout_speaks_the_assignments_words(self) -> None:
        """Each reply ends in a newline, and EXIT closes all."""
        style = codec_of(CommandConfig(replies="handout"))
        self.assertEqual(
            style.greet("127.0.0.1", 39770), b"Connected: your IP address is 127.0.0.1 and your port is 39770\n"
        )
        self.assertEqual(style.time(START), b"Sun Oct  1 13:33:03 2023\n")
        self.assertEqual(style.invalid, b"Invalid command!\n")
        self.assertTrue(style.exit_closes_all)

    def test_the_transcript_speaks_the_published_solutions_words(self) -> None:
        """The time has no newline there, and EXIT closes one connection."""
        style = codec_of(CommandConfig(replies="transcript"))
        self.assertEqual(
            style.greet("127.0.0.1", 39770), b"MESSAGE!!! ----> We are now connected to ('127.0.0.1', 39770)\n"
        )
        self.assertEqual(style.time(START), b"Sun Oct  1 13:33:03 2023")
        self.assertEqual(style.invalid, b"WARNING!!! ----> Please enter a valid command!\n")
        self.assertFalse(style.exit_closes_all)

    def test_the_time_has_the_form_of_ctime(self) -> None:
        """Weekday, month, day in two columns, time and year."""
        form = rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d \d{4}\n"
        for days in range(40):
            self.assertTrue(re.fullmatch(form, codec_of(CommandConfig(replies="handout")).time(START + days * 86400.5)))
