"""Tests for :mod:`labnet.policy.loglimit`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.policy.loglimit import LogLimit, NetworkLogLimit


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


class NetworkLogLimitTests(SynchronousTestCase):
    """One line a minute about a network."""

    def test_a_network_has_a_line_a_minute_that_counts_the_others(self) -> None:
        """Addresses of one network are one."""
        limit = NetworkLogLimit()
        self.assertEqual(limit.count("192.0.2.1", 100.0), 1)
        self.assertEqual([limit.count(f"192.0.2.{n}", 100.0 + n) for n in range(2, 50)], [None] * 48)
        self.assertEqual(limit.count("192.0.2.9", 160.0), 49)
        self.assertEqual(limit.count("192.0.2.9", 220.0), 1)

    def test_all_networks_together_have_a_line_a_second(self) -> None:
        """Forged addresses fill no disk, and no memory; what was left out for that is told in its time."""
        limit = NetworkLogLimit()
        told = [limit.count(f"10.{n >> 8}.{n & 255}.1", 100.0 + n / 10_000) for n in range(10_000)]
        self.assertEqual([one for one in told if one is not None], [1])
        self.assertLessEqual(len(limit._networks), 1000)
        self.assertEqual(limit.count("10.39.15.1", 102.0), 2)

    def test_a_clock_that_is_set_back_lets_a_line_through(self) -> None:
        limit = NetworkLogLimit()
        limit.count("192.0.2.1", 100.0)
        self.assertEqual(limit.count("192.0.2.1", 50.0), 1)
