"""Several who look at one lab."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from labnet.console.ring import Ring
from labnet.console.watchers import Watchers, Watching
from labnet.events import Event, ParentChanged
from labnet.interfaces import IEvents

EVENT = ParentChanged(1.0, "main", "192.0.2.53:53", "up", None, 0)


class Eye:
    """One who looks where told to, and wants ``room`` questions."""

    def __init__(self, room: int = 0) -> None:
        self.watched = False
        self.wants = False
        self.changed: list[Callable[[bool], object]] = []
        self.room = room
        self.seen: list[Event] = []

    def look(self, looks: bool) -> None:
        self.watched = self.wants = looks
        for changed in self.changed:
            changed(looks)

    def take(self, count: int = 1, ready: bool = False) -> int:
        return min(count, self.room) if self.watched else 0

    def new_id(self) -> str:
        return f"of {self.room}"

    def happened(self, event: Event) -> None:
        self.seen.append(event)


class WatchersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.one, self.two = Eye(3), Eye(5)
        self.both = Watchers([self.one, self.two])
        self.told: list[bool] = []
        self.both.changed.append(self.told.append)

    def test_they_are_one_who_looks(self) -> None:
        """While any does; it is told when the first begins and when the last ends."""
        self.assertTrue(verifyObject(IEvents, self.both))
        self.assertEqual((self.both.watched, self.both.wants), (False, False))
        self.one.look(True)
        self.two.look(True)
        self.one.look(False)
        self.assertEqual((self.both.watched, self.both.wants), (True, True))
        self.two.look(False)
        self.assertEqual((self.both.watched, self.told), (False, [True, False]))

    def test_as_many_are_told_of_as_any_wants(self) -> None:
        """And all of them are told, by the first one's ids."""
        self.one.look(True)
        self.assertEqual(self.both.take(10), 3)
        self.two.look(True)
        self.assertEqual((self.both.take(10), self.both.take(4)), (5, 4))
        self.both.happened(EVENT)
        self.assertEqual((self.one.seen, self.two.seen, self.both.new_id()), ([EVENT], [EVENT], "of 3"))


class WatchingTests(SynchronousTestCase):
    def test_where_nobody_wants_more_there_is_the_ring_alone(self) -> None:
        """The way of a datagram has nothing between."""
        ring = Ring(Clock())
        watching = Watching(ring, Clock(), False, None)
        self.assertIs(watching.command, ring)
        self.assertIs(watching.resolvers, ring)
        watching.close()

    def test_requests_are_looked_at_in_both_and_sessions_in_the_command_server(self) -> None:
        """Each of the two has lines of its own: a flood of questions hides no session."""
        watching = Watching(Ring(Clock()), Clock(), True, "/nowhere/sessions.json")
        self.assertTrue(watching.command.watched)
        self.assertTrue(watching.resolvers.watched)
        self.assertEqual((watching.resolvers.take(10_000), watching.command.take(10_000)), (10, 10_000))
        watching.close()
