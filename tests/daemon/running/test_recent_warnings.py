"""The last warnings and errors of the log."""

from __future__ import annotations

from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.daemon.running.recent_warnings import RecentWarnings


class TroublesTests(SynchronousTestCase):
    """The last warnings and errors."""

    def setUp(self) -> None:
        self.troubles = RecentWarnings(most=2)
        self.log = Logger(namespace="t", observer=self.troubles)

    def texts(self) -> list[str]:
        return [one["text"] for one in self.troubles.last()]

    def test_warnings_and_errors_are_kept(self) -> None:
        """Nothing less; with their time and level."""
        self.log.info("nothing")
        self.log.warn("a {thing}", thing="warning")
        (one,) = self.troubles.last()
        self.assertGreater(one.pop("at"), 0)
        self.assertEqual(one, {"level": LogLevel.warn.name, "text": "a warning", "times": 1})

    def test_only_the_last_are_kept(self) -> None:
        """One that comes again counts as new."""
        for text in "a", "b", "a", "c":
            self.log.error(text)
        self.assertEqual(self.texts(), ["a", "c"])
        self.assertEqual([one["times"] for one in self.troubles.last()], [2, 1])

    def test_a_failure_is_told_by_its_error(self) -> None:
        """And not by its traceback."""
        self.log.failure("it broke", Failure(RuntimeError("why")))
        self.assertEqual(self.texts(), ["it broke: why"])

    def test_nothing_in_them_obeys_a_terminal(self) -> None:
        """Control characters are written out."""
        self.log.warn("{what}", what="a\x1b[2Jb\nc\u2028d")
        self.assertEqual(self.texts(), ["a\\x1b[2Jb\\nc\\u2028d"])
