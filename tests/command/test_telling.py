"""What is told of the connections to the command server."""

from __future__ import annotations

from labnet.events import Event, Session
from tests.command.running import RunningServer
from tests.recorded import Recorded


class TellingTests(RunningServer):
    """A command server that is watched."""

    def watched(self, watched: bool = True, **config: object) -> None:
        self.events = Recorded()
        self.events.watched = watched
        self.start(**config)
        self.service.telling.events = self.events

    def told(self) -> list[tuple[str, str, str, str]]:
        found = [
            (event.id, event.what, event.text, event.why) for event in self.events.events if isinstance(event, Session)
        ]
        self.events.events.clear()
        return found

    def test_a_session_is_told_from_its_opening_to_its_end(self) -> None:
        """Each command as it is, with the reply; why it ended."""
        self.watched()
        client = self.reactor.connect("127.0.0.1", 7)
        client.received()
        self.assertEqual([each[1] for each in self.told()], ["opened", "served"])
        client.send(b"TIME\n")
        client.received()
        client.send(b"foo\nTIME\n")
        client.received()
        self.assertEqual([each[1:3] for each in self.told()], [("command", "TIME"), ("command", "foo and 1 more")])
        self.reactor.pass_time(16)
        ((id, what, _, why),) = self.told()
        self.assertEqual((id, what, why), ("1", "closed", "no command came in time"))

    def test_one_that_waits_is_told_with_its_place(self) -> None:
        """And when its turn comes."""
        self.watched()
        first = self.reactor.connect("127.0.0.1", 1)
        second = self.reactor.connect("127.0.0.1", 2)
        self.assertEqual([each[:2] for each in self.told()], [
            ("1", "opened"), ("1", "served"), ("2", "opened"), ("2", "waiting")
        ])  # fmt: skip
        status = self.service.status()
        self.assertEqual([one["client"]["port"] for one in status["sessions"]], [1])
        self.assertEqual([(one["client"]["port"], one["place"]) for one in status["waiting"]], [(2, 1)])
        first.half_close()
        second.received()
        self.assertEqual([each[:2] for each in self.told()], [("1", "closed"), ("2", "served")])

    def test_exit_is_told(self) -> None:
        """As a command; then what it closes."""
        self.watched()
        client = self.reactor.connect("127.0.0.1", 1)
        client.send(b"EXIT\n")
        client.received()
        self.assertEqual([each[1] for each in self.told()], ["opened", "served", "command", "closed"])

    def test_sessions_that_were_there_before_are_told_from_then_on(self) -> None:
        """Also what was answered past all eyes until then; nothing of it once nobody watches."""
        self.watched(watched=False)
        client = self.reactor.connect("127.0.0.1", 1)
        client.send(b"TIME\n")
        self.assertEqual(self.told(), [])
        self.events.watched = True
        self.service.watch(True)
        client.send(b"TIME\n")
        client.received()
        self.assertEqual([each[1] for each in self.told()], ["command"])
        self.events.watched = False
        self.service.watch(False)
        client.send(b"TIME\n")
        client.received()
        self.assertEqual(self.told(), [])

    def test_a_session_says_how_it_is(self) -> None:
        """The seconds that are left of its time, and its commands that were seen."""
        self.watched()
        client = self.reactor.connect("127.0.0.1", 1)
        client.send(b"TIME\n")
        self.reactor.pass_time(5)
        (session,) = self.service.status()["sessions"]
        self.assertEqual((session["left"], session["commands"], session["state"]), (10.0, 1, "served"))

    def test_a_session_is_closed_by_its_number(self) -> None:
        """One that is gone is none."""
        self.watched()
        client = self.reactor.connect("127.0.0.1", 1)
        self.service.close_session("1")
        self.reactor.turn()
        self.assertTrue(client.closed)
        with self.assertRaises(LookupError):
            self.service.close_session("1")

    def test_nothing_is_remembered_of_a_session_that_is_over(self) -> None:
        """However many come."""
        self.watched(clients=0)
        for number in range(1, 20):
            client = self.reactor.connect("127.0.0.1", number)
            client.send(b"TIME\n")
            client.vanish()
            self.reactor.turn()
        telling = self.service.telling
        self.assertEqual((telling._known, telling._commands), ({}, {}))

    def test_who_is_told_of_an_end_may_look_at_all_sessions(self) -> None:
        """The one that is over is still among them, and its transport knows no ends any more; the next is served."""
        self.watched(clients=1)
        first, second = self.reactor.connect("127.0.0.1", 7), self.reactor.connect("127.0.0.1", 8)
        first.received()
        happened = self.events.happened

        def look(event: Event) -> None:
            happened(event)
            self.service.watch(True)

        self.events.happened = look
        first.half_close()
        self.reactor.pass_time(0)
        self.assertIn(b"your port is 8", second.received())
