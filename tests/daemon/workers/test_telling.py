"""What happens in a worker, told to its supervisor."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.encoding import unpacked
from labnet.console.ring import TICK, Ring
from labnet.daemon.workers.telling import MOST, EventRelay
from labnet.events import LogLine
from tests.console.happenings import exchange


class RelayTests(SynchronousTestCase):
    """One worker's events."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.ring = Ring(self.clock)
        self.sent: list[list[Any]] = []
        self.busy = False
        self.relay = EventRelay(self.ring, self.sent.append, lambda: self.busy)

    def test_events_are_sent_while_the_supervisor_watches(self) -> None:
        """None before, none behind; the log is not sent, as that goes another way."""
        self.relay.watch(True)
        self.assertTrue(self.ring.watched)
        self.ring.happened(exchange("1-1"))
        self.ring.happened(LogLine(1.0, "warn", "x.y", "z"))
        self.clock.advance(TICK)
        ((one,),) = self.sent
        self.assertEqual(unpacked(json.loads(json.dumps(one))), exchange("1-1"))
        self.relay.watch(False)
        self.assertFalse(self.ring.watched)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_said_twice_loses_nothing(self) -> None:
        """A supervisor says so when somebody looks, and again when the worker serves."""
        self.relay.watch(True)
        self.ring.happened(exchange("1-1"))
        self.relay.watch(True)
        self.clock.advance(TICK)
        self.assertEqual([len(each) for each in self.sent], [1])
        self.relay.watch(False)
        self.relay.watch(False)
        self.assertFalse(self.ring.watched)

    def test_a_supervisor_that_does_not_read_is_sent_nothing(self) -> None:
        """What is still kept comes later, in messages of a bounded length."""
        self.relay.watch(True)
        self.busy = True
        for number in range(2 * MOST + 1):
            self.ring.happened(exchange(str(number)))
        self.clock.advance(TICK)
        self.assertEqual(self.sent, [])
        self.busy = False
        self.ring.happened(exchange("last"))
        self.clock.advance(TICK)
        self.assertEqual([len(each) for each in self.sent], [MOST, MOST, 2])
        self.relay.watch(False)
