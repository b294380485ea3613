"""Tests for :mod:`labnet.resolver.validation.joint`: work that is done once for all who wait."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.validation.joint import Joint


class JointTests(SynchronousTestCase):
    """One piece of work."""

    def setUp(self) -> None:
        self.joint: Joint[str, int] = Joint()
        self.done: Deferred[int] = Deferred()
        self.begun = 0

    async def work(self) -> int:
        self.begun += 1
        return await self.done

    def test_all_who_wait_have_what_was_done_once(self) -> None:
        """And the next one has it done anew."""
        first, second = (self.joint.do("a", self.work) for _ in range(2))
        self.done.callback(7)
        self.assertEqual((self.successResultOf(first), self.successResultOf(second), self.begun), (7, 7, 1))
        self.done = Deferred()
        self.joint.do("a", self.work)
        self.assertEqual(self.begun, 2)

    def test_all_who_wait_have_its_failure(self) -> None:
        """Each its own."""
        waiters = [self.joint.do("a", self.work) for _ in range(2)]
        self.done.errback(ValueError("no"))
        for waiter in waiters:
            self.failureResultOf(waiter, ValueError)

    def test_it_is_given_up_with_the_last_who_waits(self) -> None:
        """Not before; then it can begin again."""
        first, second = (self.joint.do("a", self.work) for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertFalse(self.done.called)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertTrue(self.done.called)
        self.done = Deferred()
        third = self.joint.do("a", self.work)
        self.done.callback(1)
        self.assertEqual(self.successResultOf(third), 1)

    def test_work_that_does_not_wait_is_done_at_once(self) -> None:
        """Nothing of it is left."""
        self.done.callback(3)
        self.assertEqual(self.successResultOf(self.joint.do("a", self.work)), 3)

    def test_who_cancels_what_another_waits_for_in_turn(self) -> None:
        """One that is answered has a later one cancelled."""
        first, second = (self.joint.do("a", self.work) for _ in range(2))
        first.addCallback(lambda _: second.cancel())
        self.done.callback(1)
        self.successResultOf(first)
        self.failureResultOf(second, CancelledError)
