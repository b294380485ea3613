"""What is learned, on its way from one process to another."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from labnet.daemon.workers import messages
from labnet.daemon.workers.messages import LearnedOutbox


class OutboxTests(SynchronousTestCase):
    """Lines in batches, as the reader reads."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = StringTransport()
        self.outbox = LearnedOutbox(self.transport, self.clock)

    def sent(self) -> list[dict[str, Any]]:
        lines = self.transport.value().splitlines()
        self.transport.clear()
        return [json.loads(line)["learned"] for line in lines]

    def test_a_turn_is_a_batch(self) -> None:
        """What is learned in one turn is one message, by resolver; nothing is sent before its end."""
        self.outbox.put("main", "a")
        self.outbox.put("other", "b")
        self.outbox.put("main", "c")
        self.assertEqual(self.sent(), [])
        self.clock.advance(0)
        self.assertEqual(self.sent(), [{"main": ["a", "c"], "other": ["b"]}])
        self.clock.advance(0)
        self.assertEqual(self.sent(), [])

    def test_more_than_a_batch_takes_turns(self) -> None:
        """What is more than a batch goes in the turns that follow."""
        for number in range(150):
            self.outbox.put("main", str(number))
        self.clock.advance(0)
        self.assertEqual([len(batch["main"]) for batch in self.sent()], [100, 50])

    def test_who_does_not_read_is_waited_for(self) -> None:
        """While the reader does not read nothing is sent; then everything is."""
        self.outbox.pauseProducing()
        self.outbox.put("main", "a")
        self.clock.advance(0)
        self.assertEqual(self.sent(), [])
        self.outbox.resumeProducing()
        self.clock.advance(0)
        self.assertEqual(self.sent(), [{"main": ["a"]}])

    def test_memory_is_bounded(self) -> None:
        """Of more than the limit the oldest are not told."""
        self.patch(messages, "MOST_UNSENT", 10)
        self.outbox.pauseProducing()
        for line in ("aaaa", "bbbb", "cccc"):
            self.outbox.put("main", line)
        self.outbox.resumeProducing()
        self.clock.advance(0)
        self.assertEqual(self.sent(), [{"main": ["bbbb", "cccc"]}])

    def test_a_reader_that_is_gone(self) -> None:
        """Nothing is kept for who is gone."""
        self.outbox.put("main", "a")
        self.outbox.stopProducing()
        self.outbox.stopProducing()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.sent(), [])
