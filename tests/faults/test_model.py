"""Orders: what is wrong with one, and what it hits."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.faults.model import KINDS, Hits, Order, OrderError, order_of

RESOLVERS = ["main", "parent"]


def _order(**given: Any) -> Order:
    return order_of(given, RESOLVERS, 1000.0)


class OrderTests(SynchronousTestCase):
    """order_of()."""

    def test_an_order_of_its_kind_alone_is_complete(self) -> None:
        """The first resolver's client side, what it sends, every one, ten minutes."""
        order = _order(kind="delay")
        self.assertEqual((order.where, order.side, order.direction), ("main", "client", "out"))
        self.assertEqual((order.until, order.amount, order.when), (1600.0, 1000, "every one"))
        self.assertEqual(order.sentence, "delay 1000 ms at resolver main, client side: every one of what goes out")

    def test_every_kind_can_be_ordered_by_its_name(self) -> None:
        """On the side that it is for."""
        for kind, about in KINDS.items():
            order = _order(kind=kind)
            self.assertIn(order.side, about.sides)
            self.assertEqual(order.where, "command" if order.side == "session" else "main")

    def test_a_number_that_no_order_can_have_is_said(self) -> None:
        """Whatever a program sends."""
        for wrong in ({"seed": 2.5}, {"seed": float("inf")}, {"amount": float("nan")}, {"nth": "x"}):
            error = self.assertRaises(OrderError, _order, kind="drop", **wrong)
            self.assertEqual(len(error.problems), 1, wrong)

    def test_everything_that_is_wrong_is_said_at_once(self) -> None:
        """Sentences that name the key."""
        error = self.assertRaises(
            OrderError, _order, kind="split", side="parent", where="nobody", direction="up", client="x", share=2, foo=1
        )
        told = "; ".join(error.problems)
        for part in (
            "'foo' is no part of an order",
            "split is for the session side, not 'parent'",
            "there is no resolver 'nobody': main, parent",
            "direction is in or out, not 'up'",
            "client 'x' is no network",
            "share is 0 to 1, not 2",
        ):
            self.assertIn(part, told)

    def test_an_unknown_kind_is_named_with_those_there_are(self) -> None:
        """One sentence."""
        self.assertIn("'drip' is no fault: drop, delay", str(self.assertRaises(OrderError, _order, kind="drip")))

    def test_two_ways_to_choose_exclude_each_other(self) -> None:
        """nth, every and share."""
        error = self.assertRaises(OrderError, _order, kind="drop", nth=1, every=2)
        self.assertIn("exclude each other", str(error))

    def test_a_direction_that_a_kind_cannot_have_is_refused(self) -> None:
        """A parent that is down is not asked; a referral comes from it."""
        self.assertIn("goes out alone", str(self.assertRaises(OrderError, _order, kind="down", direction="in")))


class HitsTests(SynchronousTestCase):
    """Hits.strikes()."""

    def _hits(self, count: int, **given: Any) -> list[int]:
        hits = Hits(_order(kind="drop", **given))
        return [number for number in range(1, count + 1) if hits.strikes("192.0.2.9", "www.example.org")]

    def test_the_nth_every_nth_and_all_are_counted(self) -> None:
        """From 1."""
        self.assertEqual(self._hits(9, nth=3), [3])
        self.assertEqual(self._hits(9, every=4), [4, 8])
        self.assertEqual(self._hits(3), [1, 2, 3])

    def test_a_share_is_the_same_for_the_same_seed(self) -> None:
        """And about as large as it says."""
        first, again, other = (self._hits(1000, share=0.3, seed=seed) for seed in (5, 5, 6))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)
        self.assertTrue(250 < len(first) < 350)

    def test_client_and_name_narrow_it(self) -> None:
        """A network, a name, all below a name."""
        for given, is_hit in (
            ({"client": "192.0.2.0/24"}, True),
            ({"client": "192.0.3.0/24"}, False),
            ({"name": "WWW.example.org."}, True),
            ({"name": ".example.org"}, True),
            ({"name": ".xample.org"}, False),
            ({"name": "example.org"}, False),
        ):
            self.assertEqual(bool(self._hits(1, **given)), is_hit, given)

    def test_an_nth_is_done_once_it_has_hit(self) -> None:
        """No further one can be hit."""
        hits = Hits(_order(kind="drop", nth=2))
        self.assertEqual([hits.strikes("", "") and hits.is_done for _ in range(2)], [False, True])
