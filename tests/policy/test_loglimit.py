"""Tests for :mod:`labnet.policy.loglimit`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.policy.loglimit import LogLimit


class LogLimitTests(SynchronousTestCase):
    """One line a second."""

    def test_lines_within_a_second_are_counted_in_the_next(self) -> None:
        """However many there are; and a clock that was set back lets a line through."""
        limit = LogLimit()
        self.assertEqual(limit.more(10.0), "")
        self.assertEqual([limit.more(10.0 + part / 100) for part in range(100)], [None] * 100)
        self.assertEqual(limit.more(11.0), " (and 100 more before)")
        self.assertIsNone(limit.more(11.9))
        self.assertEqual(limit.more(12.0), " (and 1 more before)")
        self.assertEqual(limit.more(13.5), "")
        self.assertEqual(limit.more(5.0), "")
