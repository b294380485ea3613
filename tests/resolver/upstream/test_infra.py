"""What is known of each server: round-trips, failures, back-off, the zones that it does not serve."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.upstream.infra import (
    LEAST_WAIT,
    LONGEST_BACKOFF,
    MEMORY,
    UNKNOWN,
    Health,
    InfraCache,
    Memory,
    Quirk,
)
from tests.resolver.upstream.healths import down, took


class HealthTests(SynchronousTestCase):
    """One parent's health."""

    def test_the_time_is_smoothed_as_tcp_does(self) -> None:
        """RFC 6298, sections 2.2 and 2.3, with alpha 1/8 and beta 1/4."""
        health = took(0.1)
        self.assertAlmostEqual(health.timeout(0.0), 0.1 + 4 * 0.05)
        health.answered(0.2)
        self.assertAlmostEqual(health.variance, 0.75 * 0.05 + 0.25 * 0.1)
        self.assertAlmostEqual(health.srtt or 0.0, 0.875 * 0.1 + 0.125 * 0.2)

    def test_a_parent_not_yet_heard_of_has_a_time_out_of_its_own(self) -> None:
        """And so again after a long time without a question."""
        self.assertEqual(Health().timeout(0.0), UNKNOWN)
        health = took(0.001)
        self.assertLess(health.timeout(MEMORY), 0.01)
        self.assertEqual(health.timeout(MEMORY + 1), UNKNOWN)
        health.stayed_silent(0.0, 0.0)
        health.asked(MEMORY + 1)
        self.assertEqual((health.srtt, health.failures), (None, 0))

    def test_the_time_out_doubles_with_each_time_out_in_a_row(self) -> None:
        """And is the measured one again after a reply, or after a while without a question."""
        health = took(0.1)
        for now, expected in ((1.0, 0.6), (2.0, 1.2)):
            health.stayed_silent(now, now)
            self.assertAlmostEqual(health.timeout(now), expected)
        self.assertAlmostEqual(health.timeout(LONGEST_BACKOFF), 1.2)
        self.assertAlmostEqual(health.timeout(LONGEST_BACKOFF + 1), 0.3)
        health.answered(0.1)
        self.assertLess(health.timeout(2.0), 0.3)

    def test_the_wait_is_bounded_on_both_sides(self) -> None:
        """A fast parent may have to ask others first; a slow one has no more than the exchange gives."""
        self.assertEqual(took(0.001).wait(0.0, 4.0), LEAST_WAIT)
        self.assertEqual(took(30.0).wait(0.0, 4.0), 4.0)
        self.assertAlmostEqual(took(0.5).wait(0.0, 4.0), 1.5)

    def test_three_time_outs_in_a_row_make_it_down(self) -> None:
        """Two with a reply after them do not."""
        health = Health()
        for now in (1.0, 2.0):
            self.assertFalse(health.stayed_silent(now, now))
        health.answered(0.1)
        for now in (3.0, 4.0):
            self.assertFalse(health.stayed_silent(now, now))
        self.assertFalse(health.is_down)
        self.assertTrue(health.stayed_silent(5.0, 5.0))
        self.assertTrue(health.is_down)

    def test_time_outs_of_questions_in_flight_together_count_once(self) -> None:
        """A burst of questions into one hiccup does not make a parent down."""
        health = Health()
        for _ in range(10):
            health.stayed_silent(0.0, 2.0)
        self.assertEqual(health.failures, 1)
        health.stayed_silent(2.0, 4.0)
        self.assertEqual(health.failures, 2)

    def test_a_down_parent_is_probed_once_per_backoff_which_doubles(self) -> None:
        """From 1 second to 60; between two probes it is not usable."""
        health = down(100.0)
        now, pauses = 100.0, []
        for _ in range(9):
            start = now
            self.assertFalse(health.is_usable(now))
            while not health.is_usable(now):
                now += 0.5
            health.asked(now)
            health.stayed_silent(now, now)
            pauses.append(now - start)
        self.assertEqual(pauses, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0])

    def test_any_answer_brings_it_back(self) -> None:
        """With the first backoff for the next time."""
        health = down(0.0)
        health.asked(1.0)
        health.answered(0.1)
        self.assertTrue(health.is_usable(1.0))
        for now in (2.0, 3.0, 4.0):
            health.asked(now)
            health.stayed_silent(now, now)
        self.assertEqual(health.down_until, 5.0)

    def test_a_clock_set_back_does_not_keep_it_down(self) -> None:
        """A down parent is probed at once then, and its time-outs count."""
        health = down(1e9)
        self.assertTrue(health.is_usable(5.0))
        health.asked(5.0)
        self.assertFalse(health.is_usable(5.0))
        self.assertTrue(health.is_usable(7.0))
        health = Health()
        health.stayed_silent(1e9, 1e9)
        health.stayed_silent(5.0, 5.0)
        self.assertEqual(health.failures, 2)


class MemoryTests(SynchronousTestCase):
    """Values with an end of life."""

    def test_a_value_is_forgotten_at_its_end(self) -> None:
        """Not before."""
        memory: Memory[str, int] = Memory(10)
        memory.put("a", 1, 100.0)
        self.assertEqual((memory.find("a", 99.9), memory.find("a", 100.0), len(memory)), (1, None, 0))

    def test_what_was_used_longest_ago_goes_first(self) -> None:
        """Both finding and putting count as use."""
        memory: Memory[str, int] = Memory(3)
        for key in "abc":
            memory.put(key, 1, 100.0)
        memory.find("a", 0.0)
        memory.put("b", 2, 100.0)
        memory.put("d", 1, 100.0)
        self.assertEqual([memory.find(key, 0.0) for key in "abcd"], [1, 2, None, 1])


class InfraCacheTests(SynchronousTestCase):
    """In which order servers are asked."""

    def setUp(self) -> None:
        self.infra = InfraCache(10)
        self.random = Random(1)

    def in_order(self, servers: str, zone: bytes = b"\0", now: float = 0.0) -> str:
        """``servers``, each a letter, in the order in which they are asked."""
        at_port = [(server, 53) for server in servers]
        return "".join(host for host, _ in self.infra.in_order(at_port, zone, self.random, now))

    def answered(self, server: str, seconds: float) -> None:
        self.infra.asked((server, 53), 0.0).answered(seconds)

    def failed(self, server: str) -> None:
        self.infra.asked((server, 53), 0.0).stayed_silent(0.0, 0.0)

    def first(self, *servers: str, zone: bytes = b"\0", now: float = 0.0) -> set[str]:
        """Who may come first."""
        return {self.in_order("".join(servers), zone, now)[0] for _ in range(50)}

    def test_about_equal_servers_take_turns(self) -> None:
        """Within 400 ms of the fastest."""
        self.answered("a", 0.01)
        self.answered("b", 0.40)
        self.answered("c", 0.42)
        self.assertEqual(self.first("a", "b", "c"), {"a", "b"})

    def test_each_address_comes_once(self) -> None:
        """And none at all is fine too."""
        self.assertEqual(self.in_order("aba").count("a"), 1)
        self.assertEqual(self.in_order(""), "")

    def test_one_that_failed_comes_later(self) -> None:
        """The more often it failed, the later; after 900 seconds that is forgotten."""
        for address in ("b", "c", "c"):
            self.failed(address)
        self.assertEqual(self.in_order("cba", now=1.0), "abc")
        self.assertEqual(self.first("a", "b", "c", now=900.0), {"a", "b", "c"})

    def test_one_that_failed_and_is_back_takes_its_turn_again(self) -> None:
        """One answer is enough."""
        for _ in range(20):
            self.failed("a")
        self.assertEqual(self.first("a", "b"), {"b"})
        self.answered("a", 0.01)
        self.assertEqual(self.first("a", "b"), {"a", "b"})

    def test_one_that_is_down_is_left_out_until_its_probe_is_due(self) -> None:
        """A zone of dead servers costs next to nothing; where all are down one is asked, the one that is due first."""
        for _ in range(3):
            self.failed("a")
        self.assertEqual([self.in_order("ab", now=now) for now in (0.5, 1.0)], ["b", "ba"])
        self.assertEqual(self.in_order("a", now=0.5), "a")
        self.infra.asked(("a", 53), 1.0).stayed_silent(1.0, 1.0)
        for _ in range(3):
            self.infra.asked(("b", 53), 1.0).stayed_silent(1.0, 1.0)
        self.assertEqual(self.in_order("ab", now=1.5), "b")

    def test_ipv4_comes_before_ipv6_where_both_are_as_fast(self) -> None:
        """Not every network has IPv6; one that is slow over IPv4 is asked over IPv6."""
        both = [("2001:db8::1", 53), ("192.0.2.1", 53)]
        for _ in range(20):
            self.assertEqual(self.infra.in_order(both, b"\0", self.random, 0.0), both[::-1])
        self.infra.asked(both[1], 0.0).answered(2.0)
        self.assertEqual(self.infra.in_order(both, b"\0", self.random, 0.0), both)

    def test_quirks_are_remembered_for_fifteen_minutes(self) -> None:
        """Each of its own server."""
        self.infra.note(Quirk.NO_EDNS, ("a", 53), 0.0)
        self.assertTrue(self.infra.has(Quirk.NO_EDNS, ("a", 53), MEMORY - 1))
        for quirk, server, now in (
            (Quirk.NO_EDNS, ("a", 53), MEMORY),
            (Quirk.NO_EDNS, ("a", 54), 0.0),
            (Quirk.CHANGES_CASE, ("a", 53), 0.0),
        ):
            self.assertFalse(self.infra.has(quirk, server, now))

    def test_a_single_slow_answer_does_not_count_for_much(self) -> None:
        """The measured time is smoothed."""
        self.answered("a", 0.01)
        self.answered("a", 1.0)
        self.answered("b", 0.01)
        self.assertEqual(self.first("a", "b"), {"a", "b"})

    def test_a_lame_server_comes_last_in_that_zone(self) -> None:
        """In others it does as before."""
        self.infra.was_lame(("a", 53), b"\1x\0", 0.0)
        self.failed("b")
        self.assertEqual(self.first("a", "b", zone=b"\1x\0"), {"b"})
        self.assertEqual(self.first("a", "b", zone=b"\1y\0"), {"a"})
