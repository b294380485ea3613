"""Tests for :mod:`labnet.policy.ratelimit`: token buckets by client network."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.policy.ratelimit import TokenBuckets, network_of


class NetworkTests(SynchronousTestCase):
    """Which addresses share a limit."""

    def test_a_network_is_a_24_or_a_56(self) -> None:
        """IPv4 counts by its /24, IPv6 by its /56; an IPv4 address inside IPv6 as the one of IPv4."""
        self.assertEqual(network_of("192.0.2.1"), network_of("192.0.2.255"))
        self.assertNotEqual(network_of("192.0.2.1"), network_of("192.0.3.1"))
        self.assertEqual(network_of("2001:db8:1:2fe::1"), network_of("2001:db8:1:201:ffff::2"))
        self.assertNotEqual(network_of("2001:db8:1:200::1"), network_of("2001:db8:1:300::1"))
        self.assertEqual(network_of("::ffff:192.0.2.1"), network_of("192.0.2.9"))
        self.assertEqual(network_of("fe80::1%eth0"), network_of("fe80::2"))


class TokenBucketsTests(SynchronousTestCase):
    """A bucket fills with time and is emptied by what is taken."""

    def test_burst_then_rate(self) -> None:
        """A full bucket gives the burst at once, then so many a second, and never more than the burst again."""
        buckets = TokenBuckets(4, 2)
        self.assertEqual([buckets.take(b"n", 100.0) for _ in range(9)], [True] * 8 + [False])
        self.assertEqual([buckets.take(b"n", 100.5) for _ in range(3)], [True, True, False])
        self.assertEqual([buckets.take(b"n", 200.0) for _ in range(9)], [True] * 8 + [False])

    def test_all_or_nothing(self) -> None:
        """Where there are fewer than asked for, none is taken."""
        buckets = TokenBuckets(4, 2)
        self.assertFalse(buckets.take(b"n", 100.0, 9))
        self.assertTrue(buckets.take(b"n", 100.0, 8))

    def test_each_network_has_its_own(self) -> None:
        """One network's greed is not another's loss."""
        buckets = TokenBuckets(1)
        self.assertTrue(buckets.take(b"a", 100.0))
        self.assertFalse(buckets.take(b"a", 100.0))
        self.assertTrue(buckets.take(b"b", 100.0))

    def test_a_rate_below_one_gives_one(self) -> None:
        """A slow rate still lets one through now and then."""
        buckets = TokenBuckets(0.25)
        self.assertEqual([buckets.take(b"n", now) for now in (100.0, 101.0, 104.0)], [True, False, True])

    def test_zero_is_no_limit(self) -> None:
        """A rate of 0 always gives, and remembers nobody."""
        buckets = TokenBuckets(0)
        self.assertTrue(all(buckets.take(b"n", 100.0, 1000) for _ in range(10)))
        self.assertEqual(len(buckets), 0)

    def test_a_clock_that_goes_back_takes_nothing_away(self) -> None:
        """Set back, the time fills no bucket and empties none."""
        buckets = TokenBuckets(2)
        self.assertTrue(buckets.take(b"n", 100.0))
        self.assertTrue(buckets.take(b"n", 50.0))
        self.assertFalse(buckets.take(b"n", 50.0))

    def test_made_up_networks_are_forgotten_and_busy_ones_are_not(self) -> None:
        """However many networks there are, memory is bounded; who was over his limit stays so while he is active."""
        buckets = TokenBuckets(1)
        self.assertTrue(buckets.take(b"busy", 100.0))
        for number in range(50_000):
            buckets.take(number.to_bytes(3, "big"), 100.0)
            if number % 5000 == 0:
                self.assertFalse(buckets.take(b"busy", 100.0))
        self.assertLessEqual(len(buckets), 20_000)
