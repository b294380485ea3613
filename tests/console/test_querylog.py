"""The query log's lines, and when they are written."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from labnet.console.linefile import LineFile
from labnet.console.querylog import MOST_TEXTS, MOST_WAITING, QueryLog
from labnet.interfaces import IQueryLog
from labnet.net.clocks import Steady
from tests.answered import an_answered_query


class QueryLogTests(SynchronousTestCase):
    """Questions noted."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "queries.json"
        self.clock = Clock()
        self.said: list[Any] = []
        self.patch(LineFile, "log", Logger(observer=self.said.append))
        self.log = QueryLog(str(self.path), 0.5, self.clock)
        self.log.startService()
        self.addCleanup(lambda: self.log.running and self.log.stopService())

    def note(self, name: str = "www.lab.test", host: str = "192.0.2.1") -> None:
        self.log.query_log(
            an_answered_query(
                when=1696167183.25, host=host, port=4242, name=name, rrtype="AAAA", answer=name, seconds=0.0012345
            )
        )

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text("ascii").split("\n")[:-1]]

    def test_it_is_what_the_resolvers_are_given(self) -> None:
        """It provides the interface, with the share that is wanted."""
        self.assertTrue(verifyObject(IQueryLog, self.log))
        self.assertEqual(self.log.share, 0.5)

    def test_a_question_is_an_object(self) -> None:
        """Everything that is told stands in it."""
        self.note()
        self.clock.advance(1)
        self.assertEqual(
            self.objects(),
            [
                {
                    "time": "2023-10-01T13:33:03.250000Z",
                    "resolver": "main",
                    "listener": "127.0.0.1:1199",
                    "client": "192.0.2.1",
                    "port": 4242,
                    "transport": "udp",
                    "protocol": "dns",
                    "name": "www.lab.test",
                    "type": "AAAA",
                    "result": "NOERROR",
                    "source": "cache",
                    "answer": "www.lab.test",
                    "ttl": 60,
                    "parent": "dns:192.0.2.53:53",
                    "milliseconds": 1.234,
                    "list": "",
                }
            ],
        )

    def test_nothing_known_is_null_or_empty(self) -> None:
        """An answer without records has no TTL, and what is the lab's own no parent."""
        self.log.query_log(an_answered_query(answer="", ttl=None, parent=""))
        self.clock.advance(1)
        (one,) = self.objects()
        self.assertEqual((one["answer"], one["ttl"], one["parent"]), ("", None, ""))

    def test_the_list_that_blocked_a_name_is_named(self) -> None:
        """By its name in the configuration."""
        self.log.query_log(an_answered_query(source="blocked", by="ads"))
        self.clock.advance(1)
        (one,) = self.objects()
        self.assertEqual((one["source"], one["list"]), ("blocked", "ads"))

    def test_what_validation_found_is_there_where_something_was_validated(self) -> None:
        """Else there is no such field."""
        for security in ("", "secure"):
            self.log.query_log(an_answered_query(security=security))
        self.clock.advance(1)
        self.assertEqual([one.get("validated") for one in self.objects()], [None, "secure"])

    def test_texts_that_are_remembered_are_bounded(self) -> None:
        """Recursion from the root meets any number of servers."""
        for number in range(2 * MOST_TEXTS):
            self.log.query_log(an_answered_query(parent=f"root {number}"))
        self.log.flush()
        self.assertEqual([one["parent"] for one in self.objects()], [f"root {n}" for n in range(2 * MOST_TEXTS)])
        self.assertLessEqual(len(self.log._texts), MOST_TEXTS)

    def test_a_hostile_name_is_one_line(self) -> None:
        """Whatever the name is, it is in one line and acts on no terminal."""
        names = ['a\n{"forged":1}', '"},{"', "\u2028\u202e", "\udcff", "\\", "\x1b[2J", "é"]
        for name in names:
            self.note(name, f"fe80::1%{name}")
        self.clock.advance(1)
        self.assertEqual(len(self.objects()), len(names))
        for one in self.objects():
            self.assertTrue(one["name"].isprintable())
            self.assertTrue(one["client"].isprintable())
            self.assertTrue(one["answer"].isprintable())

    def test_times_go_on_from_second_to_second(self) -> None:
        """To the microsecond, also where the clock goes back."""
        for when in (5.0, 5.000001, 5.999999, 6.0, 7.25, 6.5):
            self.log.query_log(an_answered_query(when=when))
        self.log.flush()
        times = [one["time"].removeprefix("1970-01-01T00:00:0") for one in self.objects()]
        self.assertEqual(times[0], "5.000000Z")
        self.assertEqual([round(float(time[:-1]), 5) for time in times], [5.0, 5.0, 6.0, 6.0, 7.25, 6.5])

    def test_lines_are_written_each_second(self) -> None:
        """Not before, and none twice."""
        self.note()
        self.clock.advance(0.9)
        self.assertFalse(self.path.exists())
        self.clock.advance(0.1)
        self.note()
        self.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual(len(self.objects()), 2)

    def test_stopping_writes_what_waits(self) -> None:
        """And leaves no timer."""
        self.note()
        self.log.stopService()
        self.assertEqual(len(self.objects()), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_memory_is_bounded(self) -> None:
        """So many lines are written before their second is over; a disk that fails loses them."""
        for _ in range(MOST_WAITING):
            self.note()
        self.assertEqual(len(self.objects()), MOST_WAITING)
        self.path.unlink()
        self.path.mkdir()
        for _ in range(3 * MOST_WAITING):
            self.note()
        self.assertEqual(len(self.log._waiting), 0)
        self.assertEqual(len(self.said), 1)
        self.path.rmdir()
        self.note()
        self.clock.advance(1)
        self.assertEqual(len(self.objects()), 1)
        self.assertEqual(self.said[-1]["lost"], 3 * MOST_WAITING)

    def test_a_log_that_never_started_stops(self) -> None:
        """Its timer does not run."""
        QueryLog(str(self.path), 1, self.clock).stopService()
        self.assertFalse(self.path.exists())

    def test_times_are_those_that_people_read(self) -> None:
        """A system clock that was set forward an hour counts, though the reactor's does not."""
        wall = 1000.0
        steady = Steady(lambda: wall, self.clock.seconds)
        self.patch(self.clock, "seconds", steady)
        wall += 3600.0
        self.log.flush()
        self.note()
        self.log.flush()
        self.assertEqual(self.objects()[0]["time"], "2023-10-01T14:33:03.250000Z")
