"""Tests for :mod:`labnet.net.clocks`."""

from __future__ import annotations

import re
import time
from pathlib import Path
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import labnet
from labnet.console.lag import ReactorLag
from labnet.daemon.running.reload import FileWatch
from labnet.net.clocks import Steady, ahead, count_steadily, since_boot, until_next, wall_of

HOUR = 3600.0


class SettableClock(Clock):
    """A clock that counts steadily, beside one that can be set, as ``count_steadily`` makes of a reactor's."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        super().__init__()
        self.set_by = start
        self.seconds = Steady(self.wall, lambda: self.rightNow)

    def wall(self) -> float:
        """What the system's clock shows."""
        return self.rightNow + self.set_by


class SteadyTests(SynchronousTestCase):
    """A clock that nobody sets."""

    def setUp(self) -> None:
        self.clock = SettableClock()

    def test_it_starts_with_the_time_of_day(self) -> None:
        """At first it shows what the system's clock does, and goes on with it."""
        self.assertEqual(self.clock.seconds(), 1_000_000.0)
        self.clock.advance(5)
        self.assertEqual((self.clock.seconds(), self.clock.wall()), (1_000_005.0, 1_000_005.0))
        self.assertEqual(ahead(self.clock), 0.0)

    def test_it_takes_no_part_in_a_step(self) -> None:
        """Whoever sets the system's clock, back or forward, it goes on as before; how far they are apart is known."""
        for step in (HOUR, -2 * HOUR):
            before = self.clock.seconds()
            self.clock.set_by += step
            self.assertEqual(self.clock.seconds(), before)
        self.assertEqual(ahead(self.clock), -HOUR)
        self.assertEqual(wall_of(self.clock)(), self.clock.seconds() - HOUR)

    def test_small_corrections_are_no_step(self) -> None:
        """What the system's clock is corrected by all the time does not count."""
        self.clock.set_by += 0.3
        self.assertEqual(ahead(self.clock), 0.0)

    def test_a_clock_without_another_is_both(self) -> None:
        """A plain clock is its own time of day."""
        clock = Clock()
        clock.advance(7)
        self.assertEqual((wall_of(clock)(), ahead(clock)), (7.0, 0.0))

    def test_the_counter_is_the_systems(self) -> None:
        """The seconds since the start of the machine do not depend on what its clock is set to."""
        with mock.patch.object(time, "time", return_value=0.0):
            first, second = since_boot(), since_boot()
        self.assertLessEqual(first, second)


class ReactorTests(SynchronousTestCase):
    """The reactor's timers."""

    def test_timers_are_counted_steadily(self) -> None:
        """Once it counts steadily, a reactor's timers and its ``seconds`` are of the one clock; twice is as once."""
        clock = Clock()
        count_steadily(clock)
        seconds = clock.seconds
        self.assertIsInstance(seconds, Steady)
        count_steadily(clock)
        self.assertIs(clock.seconds, seconds)
        self.assertLess(abs(clock.seconds() - time.time()), 1.0)

    def test_nothing_else_asks_for_the_time_of_day(self) -> None:
        """In a running server only this module reads the system's clock: the others start, or are no servers."""
        root = Path(labnet.__file__).parent
        readers = {
            path.relative_to(root).as_posix()
            for path in root.rglob("*.py")
            if re.search(r"\btime\.time(_ns)?\b|datetime\.now|from time import", path.read_text())
            and path.relative_to(root).parts[0] != "grade"  # the judge of other people's servers is none
        }
        at_the_start = {
            "authority/cli.py",
            "clients/cli.py",
            "console/fault_cli.py",
            "daemon/cli.py",
            "daemon/tap.py",
            "capture/record/client.py",
            "capture/record/live.py",
            "daemon/workers/child.py",
            "signing/cli.py",
        }
        self.assertEqual(readers - at_the_start, {"net/clocks.py"})


class UntilNextTests(SynchronousTestCase):
    """Timers that come together."""

    def test_it_is_the_rest_of_a_period(self) -> None:
        """A whole one where a period has just begun, so a timer that sets itself again has its pace."""
        clock = Clock()
        for now, rest in (0.0, 2.0), (0.5, 1.5), (3.75, 0.25), (4.0, 2.0):
            clock.rightNow = now
            self.assertEqual(until_next(clock, 2.0), rest)

    def test_a_lab_at_rest_is_woken_once_a_second(self) -> None:
        """Whenever its timers were first set."""
        clock = Clock()
        lag, watch = ReactorLag(clock, clock.seconds), FileWatch(clock, list, mock.Mock())
        lag.startService()
        clock.advance(0.375)
        watch.startService()
        for _ in range(3):
            due = {call.getTime() for call in clock.getDelayedCalls()}
            self.assertEqual(len(due), 1)
            clock.advance(due.pop() + 0.0625 - clock.seconds())
            self.assertEqual(len(clock.getDelayedCalls()), 2)
