"""How late the event loop is."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.lag import WINDOW, ReactorLag


class ReactorLagTests(SynchronousTestCase):
    """Lateness by a clock of the test's own."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.now = 100.0
        self.lag = ReactorLag(self.clock, lambda: self.now)
        self.lag.startService()
        self.addCleanup(lambda: self.lag.running and self.lag.stopService())

    def late(self, seconds: float) -> None:
        """The next call comes so much too late."""
        self.now += 1 + seconds
        self.clock.advance(1)

    def values(self) -> dict[str, Any]:
        return {sample.name: sample.value for sample in self.lag.samples()}

    def test_the_last_and_the_largest_are_told(self) -> None:
        """The last lateness, and the largest of the last minute."""
        self.late(0.25)
        self.late(0.0)
        self.assertEqual(self.values()["labnet_reactor_lag_seconds"], 0.0)
        self.assertEqual(self.values()["labnet_reactor_lag_max_seconds"], 0.25)
        for _ in range(WINDOW):
            self.late(0.125)
        self.assertEqual(self.values()["labnet_reactor_lag_max_seconds"], 0.125)

    def test_every_measurement_is_counted(self) -> None:
        """The histogram has them all, with their sum."""
        self.late(0.25)
        self.late(0.5)
        *counts, total = self.values()["labnet_reactor_late_seconds"]
        self.assertEqual((sum(counts), total), (2, 0.75))

    def test_a_call_that_comes_early_is_not_late(self) -> None:
        """A reactor whose own clock was set forward calls too early."""
        self.late(-0.5)
        self.assertEqual(self.values()["labnet_reactor_lag_seconds"], 0.0)

    def test_before_the_first_second_there_is_no_lag(self) -> None:
        """The samples are there from the start."""
        self.assertEqual(self.values()["labnet_reactor_lag_max_seconds"], 0.0)

    def test_stopping_leaves_no_timer(self) -> None:
        """Also where it never ran."""
        self.lag.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        ReactorLag(self.clock).stopService()
