"""The last things that happened, for whoever looks."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from labnet.console.ring import A_TICK, AT_ONCE, LOOK, MOST_LINES, READERS_A_TURN, READY_AT_ONCE, TICK, Ring, Skipped
from labnet.events import LogLine, Session
from labnet.interfaces import IEvents
from tests.console.happenings import exchange


def session(what: str = "command") -> Session:
    return Session(5.0, "1", ("127.0.0.1", 4000), ("127.0.0.1", 8080), what)


class Counting:
    """A reader that counts how often it heard of something."""

    def __init__(self) -> None:
        self.heard = 0

    def ready(self) -> None:
        self.heard += 1


class RingTests(SynchronousTestCase):
    """Who looks, and what is kept."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.ring = Ring(self.clock, most=10)
        self.changes: list[bool] = []
        self.ring.changed.append(self.changes.append)

    def numbers(self, after: int = 0, most: int = 100) -> list[int]:
        return [noted.number for noted in self.ring.after(after, most)]

    def test_it_is_the_seam(self) -> None:
        """As the interface says."""
        verifyObject(IEvents, self.ring)

    def test_nothing_is_wanted_or_kept_while_nobody_looks(self) -> None:
        """Only the log is, for who looks later."""
        self.assertFalse(self.ring.watched or self.ring.wants)
        self.assertEqual(self.ring.take(5), 0)
        self.ring.happened(session())
        self.ring.happened(LogLine(5.0, "warn", "lab.x", "careful"))
        self.assertEqual(self.numbers(), [1])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_asked_counts_as_looking_for_a_while(self) -> None:
        """Then nothing is made any more, and no timer runs."""
        self.ring.look()
        self.assertTrue(self.ring.watched and self.ring.wants)
        self.clock.pump([TICK] * int(LOOK / TICK - 5))
        self.assertTrue(self.ring.watched)
        self.clock.pump([TICK] * 10)
        self.assertFalse(self.ring.watched or self.ring.wants)
        self.assertEqual(self.changes, [True, False])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_reader_looks_as_long_as_it_is_attached(self) -> None:
        """And hears once of all that is new in a moment."""
        reader = Counting()
        self.ring.attach(reader)
        self.clock.pump([TICK] * int(3 * LOOK / TICK))
        self.assertTrue(self.ring.watched)
        self.assertEqual(reader.heard, 0)
        for _ in range(3):
            self.ring.happened(session())
        self.clock.advance(TICK)
        self.assertEqual(reader.heard, 1)
        self.ring.detach(reader)
        self.clock.pump([TICK] * int(1.1 * LOOK / TICK))
        self.assertFalse(self.ring.watched)

    def test_clients_have_their_turn_while_a_class_is_told(self) -> None:
        """A few readers hear of what is new, then whatever else is due happens, then the next few."""
        order: list[str] = []

        class Noting(Counting):
            def ready(noting) -> None:
                super().ready()
                if not order:
                    self.clock.callLater(0, order.append, "a client")
                order.append("a reader")

        readers = [Noting() for _ in range(3 * READERS_A_TURN)]
        for reader in readers:
            self.ring.attach(reader)
        gone = readers.pop()
        self.clock.callLater(TICK, self.ring.detach, gone)
        self.ring.happened(session())
        self.clock.advance(TICK)
        self.assertEqual(order[: READERS_A_TURN + 1], ["a reader"] * READERS_A_TURN + ["a client"])
        self.assertEqual(([reader.heard for reader in readers], gone.heard), ([1] * len(readers), 0))
        self.ring.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_oldest_makes_room(self) -> None:
        """Numbers go on; a reader finds what is left behind the last one that it has."""
        self.ring.look()
        for _ in range(25):
            self.ring.happened(session())
        self.assertEqual((self.ring.oldest, self.ring.last), (16, 25))
        self.assertEqual(self.numbers(3), list(range(16, 26)))
        self.assertEqual(self.numbers(23), [24, 25])
        self.assertEqual(self.numbers(15, 3), [16, 17, 18])
        self.ring.stop()

    def test_what_is_kept_is_bounded_in_bytes(self) -> None:
        """Whatever the datagrams hold; an exchange that is gone is not found any more."""
        ring = Ring(self.clock, most_bytes=50_000)
        ring.look()
        for number in range(20):
            ring.happened(exchange(str(number), reply=bytes(9000)))
        self.assertLess(len(ring.after(0, 100)), 6)
        self.assertIsNone(ring.exchange("0"))
        self.assertIsNotNone(ring.exchange("19"))
        ring.stop()

    def test_of_very_many_questions_a_part_is_told(self) -> None:
        """The rest is counted, and said in the next moment."""
        self.ring.look()
        self.assertEqual(self.ring.take(AT_ONCE + 50), AT_ONCE)
        self.assertFalse(self.ring.wants)
        self.assertEqual(self.ring.take(1000, ready=True), READY_AT_ONCE)
        self.clock.advance(TICK)
        self.assertEqual([noted.event for noted in self.ring.after(0, 9)], [Skipped(TICK, 50 + 1000 - READY_AT_ONCE)])
        self.assertTrue(self.ring.wants)
        self.assertEqual(self.ring.take(1000), A_TICK)
        self.ring.stop()

    def test_the_log_is_bounded_too(self) -> None:
        """The last lines are kept."""
        for number in range(2 * MOST_LINES):
            self.ring.happened(LogLine(5.0, "info", "lab.x", str(number)))
        self.assertEqual(len(list(self.ring.lines())), MOST_LINES)

    def test_ids_tell_processes_apart(self) -> None:
        """By what stands before them."""
        self.assertEqual([self.ring.new_id(), self.ring.new_id()], ["1", "2"])
        self.ring.origin = "2-"
        self.assertEqual(self.ring.new_id(), "2-3")
