"""One timer for many time-outs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.deadlines import Deadlines


class DeadlinesTests(SynchronousTestCase):
    """Items expire ``seconds`` after their last touch."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[str] = []
        self.deadlines: Deadlines[str] = Deadlines(self.clock, 15, self.expired.append)

    def test_an_item_expires_when_its_seconds_have_passed(self) -> None:
        """Not before, and once."""
        self.deadlines.touch("a")
        self.clock.pump([14, 0.9])
        self.assertEqual(self.expired, [])
        self.clock.advance(0.1)
        self.assertEqual(self.expired, ["a"])
        self.clock.advance(100)
        self.assertEqual(self.expired, ["a"])

    def test_a_touch_counts_from_anew(self) -> None:
        """The timer that is due earlier finds nobody and waits for the rest."""
        self.deadlines.touch("a")
        self.clock.advance(10)
        self.deadlines.touch("a")
        self.clock.pump([5, 9])
        self.assertEqual(self.expired, [])
        self.clock.advance(1)
        self.assertEqual(self.expired, ["a"])

    def test_there_is_one_timer_for_all(self) -> None:
        """Any number of items, touched at any times, share it; without items there is none."""
        for number in range(1000):
            self.deadlines.touch(f"{number}")
            self.clock.advance(0.01)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(len(self.deadlines), 1000)
        self.clock.pump([0.01] * 1600)
        self.assertEqual(len(self.expired), 1000)
        self.assertEqual(len(self.deadlines), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_discarded_item_does_not_expire(self) -> None:
        """The last one takes the timer with it; an unknown one is nothing."""
        self.deadlines.touch("a")
        self.deadlines.touch("b")
        self.deadlines.discard("c")
        self.deadlines.discard("a")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.deadlines.discard("b")
        self.deadlines.discard("b")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(20)
        self.assertEqual(self.expired, [])

    def test_an_expired_item_may_come_back(self) -> None:
        """It is forgotten before it is told, so it may be touched there."""
        deadlines: Deadlines[str] = Deadlines(self.clock, 1, lambda item: back(item))

        def back(item: str) -> None:
            self.expired.append(item)
            deadlines.touch(item)

        deadlines.touch("a")
        self.clock.pump([1, 1, 1])
        self.assertEqual(self.expired, ["a", "a", "a"])
        deadlines.discard("a")

    def test_the_timer_looks_no_oftener_than_sixty_times_in_its_seconds(self) -> None:
        """Items that are due one shortly after the other expire together."""
        for number in range(10):
            self.deadlines.touch(f"{number}")
            self.clock.advance(0.02)
        self.clock.pump([14.8, 0.2])
        self.assertEqual(self.expired, ["0"])
        self.clock.advance(0.05)
        self.assertEqual(len(self.expired), 10)

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 20)), max_size=30))
    def test_items_expire_never_early_and_soon_after(self, steps: list[tuple[str, bool, float]]) -> None:
        """For any touches and discards over time."""
        clock, touched = Clock(), {}

        def expire(item: str) -> None:
            age = clock.seconds() - touched.pop(item)
            self.assertTrue(15 <= age <= 15 + 15 / 60 + 0.011, age)

        deadlines: Deadlines[str] = Deadlines(clock, 15, expire)
        for item, touch, wait in steps:
            if touch:
                touched[item] = clock.seconds()
                deadlines.touch(item)
            else:
                touched.pop(item, None)
                deadlines.discard(item)
            clock.pump([0.01] * int(wait * 100))
        clock.pump([0.01] * 1600)
        self.assertEqual(touched, {})
        self.assertEqual(clock.getDelayedCalls(), [])
