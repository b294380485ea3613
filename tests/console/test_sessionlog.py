"""The session log's lines."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from labnet.console.sessionlog import MOST_COMMANDS, SessionLog
from labnet.events import ParentChanged, Session
from labnet.interfaces import IEvents

SERVER = ("127.0.0.1", 8080)


class SessionLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "sessions.json"
        self.log = SessionLog(str(self.path), Clock())
        self.addCleanup(self.log.close)

    def tell(self, time: float, what: str, id: str = "7", **fields: Any) -> None:
        self.log.happened(Session(time, id, ("192.0.2.1", 4242), SERVER, what, **fields))

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text("ascii").splitlines()]

    def test_it_looks_at_all_that_happens(self) -> None:
        """However much that is."""
        self.assertTrue(verifyObject(IEvents, self.log))
        self.assertEqual((self.log.take(500), self.log.new_id(), self.log.new_id()), (500, "1", "2"))
        self.log.happened(ParentChanged(1.0, "main", "192.0.2.53:53", "up", None, 0))
        self.assertFalse(self.path.exists())

    def test_a_session_is_written_when_it_is_over(self) -> None:
        """Who, how long it waited and was there, what it said, why it ended."""
        self.tell(1696167183.25, "opened")
        self.tell(1696167183.25, "waiting", text="1")
        self.tell(1696167185.25, "served")
        self.tell(1696167186.0, "command", text="TIME and 2 more", commands=3)
        self.tell(1696167187.0, "command", text="EXIT")
        self.assertFalse(self.path.exists())
        self.tell(1696167188.75, "closed", why="EXIT")
        self.assertEqual(
            self.objects(),
            [
                {
                    "time": "2023-10-01T13:33:03.250000Z",
                    "id": "7",
                    "client": "192.0.2.1",
                    "port": 4242,
                    "waited": 2.0,
                    "seconds": 5.5,
                    "count": 4,
                    "commands": ["TIME and 2 more", "EXIT"],
                    "end": "EXIT",
                }
            ],
        )

    def test_one_that_was_never_served_has_waited_all_the_time(self) -> None:
        """And said nothing."""
        self.tell(5.0, "opened")
        self.tell(9.0, "closed", why="the client closed it")
        (one,) = self.objects()
        self.assertEqual((one["waited"], one["count"], one["commands"]), (4.0, 0, []))

    def test_commands_that_are_kept_are_bounded_and_harmless(self) -> None:
        """All are counted."""
        self.tell(5.0, "opened")
        for _ in range(3 * MOST_COMMANDS):
            self.tell(5.0, "command", text="\x1b[2J\n{}")
        self.tell(9.0, "closed")
        (one,) = self.objects()
        self.assertEqual((one["count"], len(one["commands"])), (3 * MOST_COMMANDS, MOST_COMMANDS))
        self.assertTrue(one["commands"][0].isprintable())

    def test_sessions_are_told_apart(self) -> None:
        """By their numbers."""
        self.tell(5.0, "opened", "1")
        self.tell(6.0, "opened", "2")
        self.tell(7.0, "closed", "1")
        self.tell(9.0, "closed", "2")
        self.assertEqual([(one["id"], one["seconds"]) for one in self.objects()], [("1", 2.0), ("2", 3.0)])
