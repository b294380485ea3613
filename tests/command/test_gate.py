"""Who is served, who waits."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from labnet.command.gate import Gate
from labnet.interfaces import ISession


@implementer(ISession)
class FakeSession:
    """Remembers that its turn has come."""

    def __init__(self, name: str, served: list[str]) -> None:
        self.name = name
        self._served = served

    def serve(self) -> None:
        self._served.append(self.name)

    def close(self) -> None:
        """The gate closes nobody."""

    def abort(self) -> None:
        """The gate closes nobody."""


class GateTests(SynchronousTestCase):
    """The gate on its own; tests of the service show it on a port."""

    def setUp(self) -> None:
        self.served: list[str] = []
        self.held: list[bool] = []
        self.clock = Clock()

    def arrive(self, gate: Gate, names: str) -> list[FakeSession]:
        sessions = [FakeSession(name, self.served) for name in names]
        for session in sessions:
            gate.arrive(session)
        return sessions

    def test_one_is_served_at_a_time_in_the_order_of_arrival(self) -> None:
        """Each that leaves lets the next one in."""
        gate = Gate(1, self.held.append, self.clock.seconds)
        a, b, c = self.arrive(gate, "abc")
        self.assertEqual(self.served, ["a"])
        gate.leave(a)
        self.assertEqual(self.served, ["a", "b"])
        gate.leave(b)
        self.assertEqual(self.served, ["a", "b", "c"])
        gate.leave(c)
        self.assertEqual(gate.sessions, [])

    def test_the_port_is_held_while_somebody_waits(self) -> None:
        """From the first who waits until nobody does."""
        gate = Gate(1, self.held.append, self.clock.seconds)
        a, b = self.arrive(gate, "ab")
        self.assertEqual(self.held, [True])
        (c,) = self.arrive(gate, "c")
        gate.leave(a)
        self.assertNotIn(False, self.held)
        gate.leave(b)
        self.assertIs(self.held[-1], False)
        gate.leave(c)
        self.assertIs(self.held[-1], False)

    def test_nobody_is_held_while_there_is_room(self) -> None:
        """A port that accepts is left alone."""
        self.arrive(Gate(2, self.held.append, self.clock.seconds), "ab")
        self.assertEqual(self.held, [])

    def test_one_who_waits_and_leaves_is_not_served(self) -> None:
        """The others keep their places, and nobody waiting means that the port accepts again."""
        gate = Gate(1, self.held.append, self.clock.seconds)
        a, b, c = self.arrive(gate, "abc")
        gate.leave(b)
        self.assertEqual(self.served, ["a"])
        self.assertEqual(gate.sessions, [a, c])
        gate.leave(c)
        self.assertIs(self.held[-1], False)
        gate.leave(a)
        self.assertEqual(self.served, ["a"])

    def test_one_who_is_unknown_may_leave(self) -> None:
        """It changes nothing."""
        gate = Gate(1, self.held.append, self.clock.seconds)
        a, b = self.arrive(gate, "ab")
        gate.leave(FakeSession("z", self.served))
        self.assertEqual(gate.sessions, [a, b])
        self.assertEqual(self.served, ["a"])

    def test_no_limit_serves_everybody(self) -> None:
        """0 is any number."""
        gate = Gate(0, self.held.append, self.clock.seconds)
        sessions = self.arrive(gate, "abcdefgh")
        self.assertEqual(self.served, [*"abcdefgh"])
        self.assertNotIn(True, self.held)
        for session in sessions:
            gate.leave(session)
        self.assertEqual(gate.sessions, [])

    def test_three_are_served_at_a_time(self) -> None:
        """The fourth is served when any of them leaves."""
        gate = Gate(3, self.held.append, self.clock.seconds)
        _, b, _, _, _ = self.arrive(gate, "abcde")
        self.assertEqual(self.served, [*"abc"])
        gate.leave(b)
        self.assertEqual(self.served, [*"abcd"])
        self.assertEqual([session.name for session in gate.sessions][-1], "e")

    def test_who_is_served_for_the_longest_time_is_known_while_others_wait(self) -> None:
        """The first of those who are still there; where a limit is set later, all count from then on."""
        gate = Gate(2, self.held.append, self.clock.seconds)
        a, b, _ = self.arrive(gate, "abc")
        self.assertEqual(gate.longest, (a, 0.0))
        self.clock.advance(5)
        gate.leave(a)
        self.assertEqual(gate.longest, (b, 0.0))
        unlimited = Gate(0, self.held.append, self.clock.seconds)
        d, _ = self.arrive(unlimited, "de")
        self.clock.advance(5)
        unlimited.change(1)
        self.assertEqual(unlimited.longest, (d, 10.0))
