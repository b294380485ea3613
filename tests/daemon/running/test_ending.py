"""The end of a running lab: what is in flight is finished first, within bounds."""

from __future__ import annotations

import os
import signal

from twisted.internet.defer import Deferred
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from labnet.daemon.running.ending import Ending
from labnet.daemon.running.signals import Signals
from tests.daemon.running.test_signals import FakeReactor


class EndingTests(SynchronousTestCase):
    """What is in flight is finished first."""

    def setUp(self) -> None:
        self.events: list[str] = []
        self.patch(Ending, "log", Logger(namespace="e", observer=lambda event: self.events.append(formatEvent(event))))
        self.reactor = FakeReactor()
        self.signals = Signals(self.reactor)
        self.addCleanup(self.signals.give_back)
        self.drains: list[Deferred[None]] = [Deferred(), Deferred()]
        ending = Ending(self.reactor, self.signals, 5.0)
        self.over = ending.drain([lambda drain=drain: drain for drain in self.drains])

    def assertOver(self, *said: str) -> None:
        self.assertIsNone(self.successResultOf(self.over))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        first = "finishing what is in flight, for 5 s at most; a second signal ends that"
        self.assertEqual(self.events, [first, *said])

    def test_it_is_over_when_all_is_finished(self) -> None:
        """And not before."""
        self.drains[0].callback(None)
        self.assertNoResult(self.over)
        self.drains[1].callback(None)
        self.assertOver()

    def test_it_takes_the_grace_at_most(self) -> None:
        """Which is said."""
        self.reactor.advance(4.9)
        self.assertNoResult(self.over)
        self.reactor.advance(0.1)
        self.assertOver("5 s were not enough: what is in flight is given up")
        for drain in self.drains:
            drain.callback(None)
        self.assertOver("5 s were not enough: what is in flight is given up")

    def test_a_second_signal_ends_it_at_once(self) -> None:
        """Whichever of the two it is; a third one changes nothing."""
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertOver("a second signal: what is in flight is given up")
        os.kill(os.getpid(), signal.SIGINT)
        self.assertOver("a second signal: what is in flight is given up")

    def test_one_that_fails_does_not_hold_up_the_end(self) -> None:
        """It is logged."""
        self.drains[0].errback(RuntimeError("broken"))
        self.drains[1].callback(None)
        self.assertOver("finishing what is in flight failed")

    def test_where_nothing_is_in_flight_nothing_is_said(self) -> None:
        """It is over at once."""
        self.events.clear()
        over = Ending(self.reactor, self.signals, 5.0).drain([])
        self.assertIsNone(self.successResultOf(over))
        self.assertEqual(self.events, [])
        self.signals.catch(signal.SIGTERM, list)
