"""The switchboard: orders begin, hit, and end by themselves."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.events import Datagram, Event, Exchange, FaultChanged
from labnet.faults.model import MOST_ORDERS, OrderError
from labnet.faults.switchboard import Switchboard

CLIENT, SERVER = ("192.0.2.9", 5353), ("127.0.0.1", 1199)
WAY = ("main", "client", "out")


class Watched:
    """Keeps all events."""

    watched = wants = True

    def __init__(self) -> None:
        self.told: list[Event] = []

    def take(self, count: int = 1, ready: bool = False) -> int:
        return count

    def new_id(self) -> str:
        return "1"

    def happened(self, event: Event) -> None:
        self.told.append(event)


class SwitchboardTests(SynchronousTestCase):
    """Switchboard."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.events = Watched()
        self.board = Switchboard(self.clock, lambda: ["main"], self.events)
        self.sent: list[bytes] = []

    def _send(self, *datagrams: bytes) -> list[bytes]:
        for data in datagrams:
            self.board.pass_on(WAY, (SERVER, CLIENT), data, lambda sent, elsewhere: self.sent.append(sent))
        return self.sent

    def _order(self, **given: Any) -> str:
        return self.board.order(given)

    def test_an_order_ends_by_itself_and_is_told_at_both_ends(self) -> None:
        """After its seconds nothing is hit any more; who watches sees it come and go."""
        self._order(kind="drop", seconds=5)
        self.assertEqual(self._send(b"one"), [])
        self.clock.advance(5)
        self.assertEqual(self._send(b"two"), [b"two"])
        changes = [event.what for event in self.events.told if isinstance(event, FaultChanged)]
        self.assertEqual((changes, self.board.shown()["faults"]), (["ordered", "ended"], []))

    def test_each_datagram_on_the_wire_is_told_once_what_was_done_to_it(self) -> None:
        """A later one may have the same bytes; what never left is on no wire."""
        self._order(kind="drop", nth=1)
        self._order(kind="truncate", nth=1)
        self._send(b"same", b"same", b"same")
        told = [self.board.done_to(SERVER, CLIENT, data) for data in self.sent]
        self.assertEqual([one.partition(" ")[0] for one in told], ["truncate", ""])
        self._order(kind="drop", nth=1, direction="in", side="client")
        for _ in range(2):
            self.board.pass_on(("main", "client", "in"), (CLIENT, SERVER), b"q", lambda sent, elsewhere: None)
        told = [self.board.done_to(CLIENT, SERVER, b"q") for _ in range(2)]
        self.assertEqual([one.partition(" ")[0] for one in told], ["drop", ""])

    def test_what_leaves_late_is_told_too(self) -> None:
        """It has its own bytes, behind the next one."""
        self._order(kind="reorder", nth=1)
        self._send(b"1", b"2")
        told = [self.board.done_to(SERVER, CLIENT, data) for data in self.sent]
        self.assertEqual((self.sent, [one.partition(" ")[0] for one in told]), ([b"2", b"1"], ["", "reorder"]))
        self.clock.advance(1)

    def test_a_connection_is_told_what_is_done_to_it_until_it_is_over(self) -> None:
        """Both ways."""
        self.board.mark_session(CLIENT, "reset")
        both = [(CLIENT, SERVER), (SERVER, CLIENT)]
        self.assertEqual([self.board.done_to(*ends, b"x") for ends in both], ["reset", "reset"])
        self.board.forget_session(CLIENT)
        self.assertEqual([self.board.done_to(*ends, b"x") for ends in both], ["", ""])

    def test_the_nth_ends_its_order(self) -> None:
        """It has done what it was for."""
        self._order(kind="drop", nth=2)
        self.assertEqual(self._send(b"1", b"2", b"3"), [b"1", b"3"])
        self.assertEqual(self.board.shown()["faults"], [])
        self.assertEqual(self.board.done["drop"], 1)

    def test_orders_combine_and_each_datagram_meets_the_first_that_hits(self) -> None:
        """The second gets what the first leaves."""
        self._order(kind="drop", every=2)
        self._order(kind="duplicate", every=2)
        self._send(b"1", b"2", b"3", b"4")
        self.clock.advance(1)
        self.assertEqual(self.sent, [b"1", b"3", b"3"])

    def test_what_is_overtaken_goes_behind_the_next_or_after_half_a_second(self) -> None:
        """It is never lost."""
        self._order(kind="reorder", every=2)
        self._send(b"1", b"2", b"3")
        self.assertEqual(self.sent, [b"1", b"3", b"2"])
        self._send(b"4")
        self.clock.advance(0.5)
        self.assertEqual(self.sent[3:], [b"4"])

    def test_another_side_meets_nothing(self) -> None:
        """What comes in at the same resolver, and what its parents send."""
        self._order(kind="drop")
        for way in ("main", "client", "in"), ("main", "parent", "out"), ("other", "client", "out"):
            self.board.pass_on(way, (SERVER, CLIENT), b"x", lambda sent, elsewhere: self.sent.append(sent))
        self.assertEqual(self.sent, [b"x"] * 3)

    def test_the_datagrams_of_an_exchange_say_what_was_done_to_them(self) -> None:
        """By their ends and bytes."""
        self._order(kind="duplicate", nth=1)
        self._send(b"a", b"b")
        exchange = Exchange(
            "1", "main", SERVER, CLIENT, "course", "udp", "a", "", 0.0, 0.0, "hit", "", None,
            (Datagram(0.0, SERVER, CLIENT, b"a"), Datagram(0.0, SERVER, CLIENT, b"b")), (),
        )  # fmt: skip
        marked = self.board.marked(exchange).datagrams
        self.assertEqual(
            [one.fault for one in marked],
            ["duplicate at resolver main, client side: number 1 of what goes out", ""],
        )

    def test_a_question_that_is_lost_on_its_way_in_is_told(self) -> None:
        """It never reached the resolver, so nobody else can tell of it."""
        self._order(kind="drop", direction="in")
        way = ("main", "client", "in")
        order = self.board.pass_on(way, (CLIENT, SERVER), b"www.example.org", lambda sent, elsewhere: None)
        assert order is not None
        self.board.lost("main", CLIENT, SERVER, b"www.example.org", order)
        exchange = self.events.told[-1]
        assert isinstance(exchange, Exchange)
        self.assertEqual((exchange.result, exchange.name), ("dropped", "www.example.org"))
        self.assertEqual(exchange.datagrams[0].fault, order.sentence)

    def test_there_is_a_bound_and_an_end_for_all(self) -> None:
        """One order too many is refused; no timer is left."""
        for _ in range(MOST_ORDERS):
            self._order(kind="drop", share=0)
        self.assertIn("50 orders already", str(self.assertRaises(OrderError, self._order, kind="drop")))
        self.board.end_all()
        self.assertEqual((self.board.shown()["faults"], self.clock.getDelayedCalls()), ([], []))

    def test_an_order_that_is_not_there_is_named(self) -> None:
        """With those that are."""
        self._order(kind="drop")
        self.assertIn("there is no fault 'f9': f1", str(self.assertRaises(LookupError, self.board.end, "f9")))
