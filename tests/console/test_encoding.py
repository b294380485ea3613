"""Events as JSON."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from labnet.console.encoding import packed, shown, unpacked
from labnet.console.ring import Noted, Skipped
from labnet.events import FaultChanged, LogLine, ParentChanged, Session
from tests.console.happenings import CLIENT, LISTENER, QUERY, exchange

SESSION = Session(5.0, "1", CLIENT, LISTENER, "closed", why="timeout")


class ShownTests(SynchronousTestCase):
    """What a reader sees."""

    def test_an_exchange_has_all_but_its_bytes_unless_it_is_whole(self) -> None:
        """Times are moved to the time of day."""
        table = shown(Noted(1, exchange(), 100.0))
        self.assertEqual((table["began"], table["datagrams"][1]["time"]), (110.0, 110.5))
        self.assertEqual(table["client"], {"host": "127.0.0.1", "port": 5353})
        self.assertEqual(table["datagrams"][0]["text"], "Query www.lab A")
        self.assertIn("learned 3 s ago", table["why"][0]["sentence"])
        self.assertNotIn("bytes", table["datagrams"][0])
        whole = shown(Noted(1, exchange(), 0.0), whole=True)
        self.assertEqual(whole["datagrams"][0]["bytes"], QUERY.hex())

    def test_what_came_from_outside_is_harmless(self) -> None:
        """No character of it is obeyed by a terminal, or turns the text around."""
        table = shown(Noted(1, exchange(name="a\x1b[31m\u202eb"), 0.0))
        self.assertEqual(table["name"], "a\\x1b[31m\\u202eb")

    def test_each_kind_of_event_is_json(self) -> None:
        """A line of the log has the time of day already."""
        self.assertEqual(shown(Noted(1, SESSION, 1.0))["time"], 6.0)
        self.assertEqual(shown(Noted(1, LogLine(5.0, "warn", "a.b", "x"), 1.0))["time"], 5.0)
        self.assertEqual(shown(Noted(1, Skipped(1.0, 312), 0.0)), {"count": 312})
        self.assertEqual(shown(Noted(1, ParentChanged(1.0, "main", "x", "up", 0.1, 0), 0.0))["state"], "up")


class PackedTests(SynchronousTestCase):
    """From one process to another."""

    def test_each_event_comes_out_as_it_went_in(self) -> None:
        """By way of JSON."""
        for event in (
            exchange(reply=b"\xff\0"),
            SESSION,
            ParentChanged(1.0, "main", "192.0.2.53:53", "down", None, 3),
            LogLine(5.0, "warn", "lab.x", "careful"),
            FaultChanged(1.0, "3", "ended", "x"),
            Skipped(1.0, 5),
        ):
            self.assertEqual(unpacked(json.loads(json.dumps(packed(event)))), event)
