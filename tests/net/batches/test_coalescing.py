"""Tests for :mod:`labnet.net.batches.coalescing`: traffic is played, and the time and the work with it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batches.coalescing import ENOUGH, NATURAL, STRETCH, TRIAL, WORTH, Coalescing

MOMENT = 0.00025
EACH = 4e-6
AWAKE = 10e-6
"""Seconds that a datagram takes, and a wake-up beside them."""

LONGEST_REST = NATURAL << 8
"""Wake-ups without a moment after which it is tried again at the latest."""


class Traffic:
    """What comes to a port, and when: a wake-up takes what is there by then, and time."""

    def __init__(self, awake: float = AWAKE) -> None:
        self.now = 0.0
        self._worked = 0.0
        self._awake = awake
        self.coalescing = Coalescing(MOMENT, lambda: self.now, lambda: self._worked)
        self._comes: Callable[[], float] = lambda: self.now
        self._taken: Callable[[], int] = lambda: 0

    def open_loop(self, rate: float) -> Traffic:
        """From now on datagrams come ``rate`` a second, whatever becomes of those before."""
        start, taken = self.now, 0

        def take() -> int:
            nonlocal taken
            came = int((self.now - start) * rate) - taken
            taken += came
            return came

        self._comes, self._taken = lambda: start + (taken + 1.000001) / rate, take
        return self

    def closed_loop(self, clients: int, pause: float) -> Traffic:
        """From now on each of ``clients`` sends a datagram ``pause`` seconds after the reply to the one before."""
        due = [self.now + pause * number / clients for number in range(clients)]

        def take() -> int:
            came = [client for client, at in enumerate(due) if at <= self.now]
            for client in came:
                due[client] = self.now + self._work(len(came)) + pause
            return len(came)

        self._comes, self._taken = lambda: min(due), take
        return self

    def wake(self) -> bool:
        """One wake-up; whether it was put off."""
        nap = self.coalescing.nap
        self.now = self.now + nap if nap else max(self.now, self._comes())
        came = self._taken()
        self._worked += self._work(came)
        self.now += self._work(came)
        self.coalescing.woken(came)
        return nap > 0

    def run(self, wakeups: int) -> list[tuple[bool, int]]:
        """Whether they were put off, and how many in a row."""
        were = [self.wake() for _ in range(wakeups)]
        return [(naps, len(list(row))) for naps, row in groupby(were)]

    def _work(self, came: int) -> float:
        return self._awake + EACH * came


def nap_at(rate: float) -> float:
    """How long a wake-up is put off at most while one datagram comes at each, ``rate`` of them a second."""
    clock = Clock()
    coalescing = Coalescing(MOMENT, clock.seconds, clock.seconds)
    longest = 0.0
    for _ in range(3 * NATURAL):
        clock.advance(1 / rate)
        coalescing.woken(1)
        longest = max(longest, coalescing.nap)
    return longest


class CoalescingTests(SynchronousTestCase):
    def test_an_open_loop_is_given_moments(self) -> None:
        """At 20,000 a second they are tried once and stay, but for a look at what comes without, now and then."""
        for rate in 20_000, 100_000:
            runs = Traffic().open_loop(rate).run(10 * (NATURAL + TRIAL + STRETCH))
            self.assertEqual(runs, [(False, NATURAL), (True, TRIAL + STRETCH)] * 10)

    def test_most_wake_ups_are_saved(self) -> None:
        """For the same datagrams there are several times fewer."""
        wakeups = 0
        traffic = Traffic().open_loop(20_000)
        while traffic.now < 1:
            traffic.wake()
            wakeups += 1
        self.assertLess(wakeups, 20_000 / WORTH)

    def test_few_are_given_none(self) -> None:
        """Fewer than it is worth while for, in a moment."""
        for share, naps in ((0.1, False), (WORTH * 0.999, False), (WORTH * 1.001, True), (ENOUGH, True)):
            self.assertEqual(nap_at(share / MOMENT) > 0, naps, share)

    def test_of_many_enough_come_in_a_part_of_it(self) -> None:
        """The more come, the shorter it is; never longer than the moment."""
        for share in WORTH + 1, ENOUGH - 1, ENOUGH, 2 * ENOUGH, 100 * ENOUGH:
            self.assertAlmostEqual(nap_at(share / MOMENT), MOMENT * min(1, ENOUGH / share), 9)

    def test_it_ends_where_few_come(self) -> None:
        """What comes is looked at again after a stretch."""
        traffic = Traffic().open_loop(20_000)
        traffic.run(NATURAL + TRIAL)
        self.assertGreater(traffic.coalescing.nap, 0)
        traffic.open_loop(1_000)
        self.assertEqual(traffic.run(STRETCH + 5000), [(True, STRETCH), (False, 5000)])

    def test_it_ends_where_nothing_is_saved(self) -> None:
        """A wake-up that costs next to nothing may come for each datagram; that is looked at ever more rarely."""
        runs = Traffic(awake=EACH / 100).open_loop(20_000).run(20 * NATURAL)
        self.assertEqual(runs[:4], [(False, NATURAL), (True, TRIAL), (False, 2 * NATURAL), (True, TRIAL)])
        self.assertEqual(runs[4], (False, 4 * NATURAL))

    def test_clients_that_wait_are_not_slowed_down(self) -> None:
        """A trial brings fewer a second: it is left, and the rest until the next one grows up to a bound."""
        runs = Traffic().closed_loop(4, 100e-6).run(4 * LONGEST_REST)
        rests = [length for naps, length in runs if not naps][:-1]
        self.assertEqual(rests[:9], [NATURAL << step for step in range(9)])
        self.assertEqual(set(rests[8:]), {LONGEST_REST})
        self.assertGreater(len(rests), 9)
        self.assertEqual({length for naps, length in runs if naps}, {TRIAL})

    def test_a_success_makes_the_rest_short_again(self) -> None:
        """Clients that wait, then ones that do not, then the first again."""
        traffic = Traffic().closed_loop(4, 100e-6)
        traffic.run(LONGEST_REST)
        traffic.open_loop(20_000)
        in_a_row = 0
        for _ in range(3 * LONGEST_REST):
            in_a_row = in_a_row + 1 if traffic.wake() else 0
            if in_a_row > TRIAL:
                break
        self.assertGreater(in_a_row, TRIAL)
        traffic.closed_loop(4, 100e-6)
        rests = [length for naps, length in traffic.run(STRETCH + LONGEST_REST) if not naps]
        self.assertEqual(rests[:4], [NATURAL, 2 * NATURAL, 4 * NATURAL, 8 * NATURAL])

    def test_without_a_moment_there_is_none(self) -> None:
        """Whatever comes; and where it is taken away, at once."""
        for rate in (20_000, 100_000):
            traffic = Traffic()
            traffic.coalescing.change(0)
            self.assertEqual(traffic.open_loop(rate).run(5000), [(False, 5000)])
        traffic = Traffic().open_loop(20_000)
        traffic.run(NATURAL + TRIAL)
        traffic.coalescing.change(0)
        self.assertEqual(traffic.run(STRETCH + 5000), [(False, STRETCH + 5000)])
        traffic.coalescing.change(MOMENT)
        self.assertEqual(traffic.run(2 * NATURAL)[-1][0], True)

    def test_a_rest_goes_on_behind_an_interruption(self) -> None:
        """What was tried and slowed clients down is not tried again sooner because others had something to do."""
        traffic = Traffic().closed_loop(4, 100e-6)
        traffic.run(4 * (NATURAL + TRIAL))
        for _ in range(20):
            traffic.coalescing.restart()
        rests = [length for naps, length in traffic.run(STRETCH + LONGEST_REST) if not naps]
        self.assertGreater(rests[0], NATURAL)

    def test_a_port_that_begins_anew_is_looked_at_anew(self) -> None:
        """In the middle of a count, a trial and a stretch; the time in which it did not wait counts for nothing."""
        for before in (NATURAL // 2, NATURAL + 1, NATURAL + TRIAL + 1):
            traffic = Traffic().open_loop(20_000)
            traffic.run(before)
            traffic.now += 10
            traffic.open_loop(20_000)
            traffic.coalescing.restart()
            runs = traffic.run(NATURAL + TRIAL + STRETCH)
            self.assertEqual(runs, [(False, NATURAL), (True, TRIAL + STRETCH)], before)

    def test_clocks_that_stand_still(self) -> None:
        """Many wake-ups within one tick of them are a high rate that costs nothing, and no error."""
        coalescing = Coalescing(MOMENT, lambda: 1.0, lambda: 1.0)
        for came in (1, 0, 1000):
            for _ in range(3 * (NATURAL + TRIAL)):
                coalescing.woken(came)
                self.assertLessEqual(coalescing.nap, MOMENT)
