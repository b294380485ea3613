"""The log of ``labnet run``; the lab behind it runs in tests/interop/test_foreground.py."""

from __future__ import annotations

import io
import time

from twisted.logger import Logger, LogLevel
from twisted.python import log as legacy
from twisted.trial.unittest import SynchronousTestCase

from labnet.daemon.foreground import ShortLog


class ShortLogTests(SynchronousTestCase):
    """A line each."""

    def setUp(self) -> None:
        self.out = io.StringIO()
        self.log = Logger(namespace="labnet.x", observer=ShortLog(self.out))

    def said(self) -> list[str]:
        """The lines, each without its time of day."""
        lines = self.out.getvalue().splitlines()
        for line in lines:
            time.strptime(line[:8], "%H:%M:%S")
        return [line[9:] for line in lines]

    def test_a_line_is_the_time_and_the_text(self) -> None:
        """A warning and an error say what they are."""
        self.log.info("{what} happened", what="much")
        self.log.warn("odd")
        self.log.error("wrong")
        self.assertEqual(self.said(), ["much happened", "warning: odd", "error: wrong"])

    def test_what_twisted_says_of_itself_is_left_out(self) -> None:
        """But for its faults."""
        observer = ShortLog(self.out)
        Logger(namespace="twisted.internet.base", observer=observer).info("Main loop terminated.")
        observer({"log_namespace": "log_legacy", "log_level": LogLevel.info, "log_format": "(TCP Port 1 Closed)"})
        Logger(namespace="twisted.internet", observer=observer).error("broken")
        self.assertEqual(self.said(), ["error: broken"])

    def test_a_failure_has_its_traceback(self) -> None:
        """It is a fault in the program."""
        try:
            raise ValueError("oh")
        except ValueError:
            self.log.failure("broken")
        lines = self.out.getvalue().splitlines()
        self.assertEqual(lines[0][9:], "error: broken")
        self.assertIn("ValueError: oh", lines[-1])

    def test_nothing_in_a_line_acts_on_the_terminal(self) -> None:
        """Nor makes a second one."""
        self.log.info("{name}", name="a\n12:00:00 b\x1b[2J")
        self.assertEqual(len(self.said()), 1)
        self.assertTrue(self.said()[0].isprintable())

    def test_an_event_without_anything_is_a_line(self) -> None:
        """An older kind of log has no level."""
        ShortLog(self.out)({"log_time": legacy.time.time(), "log_format": "old"})
        self.assertEqual(self.said(), ["old"])
