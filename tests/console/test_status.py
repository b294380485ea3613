"""The page of ``labnet status``."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.rates import Snapshot, rates
from labnet.console.status import page


def a_status(**changes: Any) -> dict[str, Any]:
    parent = {
        "domain": ".",
        "address": "192.0.2.1:53",
        "up": True,
        "round_trip": 0.0123,
        "timeout": 0.4,
        "failures": 0,
        "asked_again_in": None,
    }
    cache = {"entries": 1234, "bytes": 2_500_000, "most_bytes": 3, "hits": 0, "misses": 0, "evictions": 0}
    resolver = {
        "name": "main",
        "kind": "resolver",
        "state": "running",
        "listeners": ["127.0.0.1:53"],
        "records": 42,
        "in_flight": 7,
        "cache": cache,
        "parents": [parent, {**parent, "address": "192.0.2.2:53", "up": False, "round_trip": None}],
    }
    command = {"name": "command", "kind": "command", "state": "running", "listeners": ["127.0.0.1:8080"]}
    status = {
        "version": "0.1.0",
        "pid": 99,
        "config": "/etc/labnet/labnet.toml",
        "started": 0.0,
        "uptime": 90061.0,
        "reload": {"at": None, "problems": [], "done": 0, "failed": 0},
        "services": [command, resolver],
        "troubles": [],
    }
    return status | changes


def queries(source: str, count: float) -> list[Any]:
    return ["labnet_queries_total", ["main", "udp", "dns", "NOERROR", source], count]


BEFORE = Snapshot(10.0, a_status(), [queries("ready", 100), queries("parent", 100)])
SESSIONS = [["labnet_sessions", ["served"], 1], ["labnet_sessions", ["waiting"], 3]]
NOW = Snapshot(12.0, a_status(), [queries("ready", 1900), queries("parent", 300), *SESSIONS])


class RateTests(SynchronousTestCase):
    """Two looks, and what happened between them."""

    def test_of_two_looks(self) -> None:
        """The growth in a second, and the share of it that no parent was asked for."""
        self.assertEqual(rates(BEFORE, NOW), {"main": {"queries_per_second": 1000.0, "hit_ratio": 0.9}})

    def test_nothing_asked_meanwhile(self) -> None:
        """Without a question between the looks, the share is that of all so far; without any, there is none."""
        later = Snapshot(14.0, a_status(), NOW.samples)
        self.assertEqual(rates(NOW, later)["main"], {"queries_per_second": 0.0, "hit_ratio": 1900 / 2200})
        nothing = Snapshot(1.0, a_status(), [])
        self.assertEqual(rates(nothing, nothing)["main"], {"queries_per_second": None, "hit_ratio": None})

    def test_a_lab_that_started_anew(self) -> None:
        """Counters that are smaller than before give no negative rate."""
        self.assertEqual(rates(NOW, Snapshot(13.0, a_status(), BEFORE.samples))["main"]["queries_per_second"], 0.0)


class PageTests(SynchronousTestCase):
    """What is on the page."""

    def shown(self, before: Snapshot, now: Snapshot, width: int = 160) -> str:
        console = Console(width=width, emoji=False, markup=False, highlight=False)
        with console.capture() as capture:
            console.print(page(before, now))
        return capture.get()

    def row(self, shown: str, start: str) -> str:
        return next(" ".join(line.split()) for line in shown.splitlines() if line.startswith(start))

    def test_everything_of_a_lab(self) -> None:
        """What is wrong, then services, listeners, rates, sessions and parents."""
        shown = self.shown(BEFORE, NOW)
        head = " ".join(shown.splitlines()[0].split())
        self.assertEqual(head, "labnet 0.1.0 process 99 up 1 d 1 h /etc/labnet/labnet.toml")
        self.assertEqual(self.row(shown, "command"), "command running 127.0.0.1:8080 sessions: 1 served, 3 waiting")
        self.assertEqual(self.row(shown, "main  "), "main running 127.0.0.1:53 1,000 90.0% 7 1,234 (2.5 MB) 42")
        parents = [" ".join(line.split()) for line in shown.splitlines() if "192.0.2" in line]
        trouble = "now main: 1 of 2 parents down: 192.0.2.2:53"
        self.assertEqual(parents, [trouble, "main . 192.0.2.1:53 up 12.3 ms 0", "main . 192.0.2.2:53 down - 0"])
        self.assertNotIn("no warnings, no errors", shown)
        self.assertNotIn("worker", shown)

    def test_workers(self) -> None:
        """Each worker has its line, with its own rate."""
        then = [{"number": 1, "pid": 5, "up": True, "answers": True, "restarts": 0, "queries": 100}]
        now = [{"number": 1, "pid": 5, "up": True, "answers": True, "restarts": 2, "queries": 300}]
        now.append({"number": 2, "pid": None, "up": False, "restarts": 0, "queries": 0})
        shown = self.shown(Snapshot(1.0, a_status(workers=then), []), Snapshot(2.0, a_status(workers=now), []))
        self.assertEqual(self.row(shown, "1  "), "1 5 up 200 2")
        self.assertEqual(self.row(shown, "2  "), "2 - down 0 0")
        shown = self.shown(Snapshot(1.0, a_status(workers=now), []), Snapshot(1.0, a_status(workers=now), []))
        self.assertEqual(self.row(shown, "1  "), "1 5 up - 2")

    def test_zones_of_other_servers(self) -> None:
        """Each has its line, with serial, next look and end."""
        zone = {"resolver": "main", "zone": "a.test", "state": "served", "serial": 5, "primary": "192.0.2.1:53"}
        zones = [zone | {"next": 90.0, "expires": 7200.0, "problem": ""}]
        zones.append(zone | {"zone": "b.test", "state": "expired", "next": None, "expires": None, "problem": ""})
        shown = self.shown(BEFORE, Snapshot(12.0, a_status(secondary=zones), []))
        self.assertEqual(self.row(shown, "a.test"), "a.test main served 5 192.0.2.1:53 in 1 min in 2 h")
        self.assertEqual(self.row(shown, "b.test"), "b.test main expired 5 192.0.2.1:53 - -")
        self.assertNotIn("zone of others", self.shown(BEFORE, NOW))

    def test_troubles(self) -> None:
        """They come before the rest, the newest first; repeated ones are counted, a failed reload is there once."""
        troubles = [
            {"at": 0.0, "level": "warn", "text": "older", "times": 1},
            {"at": 60.0, "level": "error", "text": "newer \x1b[31m", "times": 3},
        ]
        reload = {"at": 60.0, "problems": ["older", "no such key"], "done": 0, "failed": 1}
        shown = self.shown(BEFORE, Snapshot(12.0, a_status(troubles=troubles, reload=reload), []))
        start = shown.splitlines().index(next(line for line in shown.splitlines() if line.startswith("troubles")))
        self.assertLess(start, 3)
        lines = [" ".join(line.split()[2:]) for line in shown.splitlines()[start + 2 : start + 5]]
        self.assertEqual(lines, ["the last reload failed: no such key", "3 times newer \\x1b[31m", "older"])
        self.assertIn("last reload failed at", shown)

    def test_a_reload_done(self) -> None:
        """A reload that was done is said."""
        reload = {"at": 60.0, "problems": [], "done": 1, "failed": 0}
        self.assertIn(
            "last reload done at", self.shown(BEFORE, Snapshot(12.0, a_status(reload=reload, config=None), []))
        )

    def test_what_a_parent_waits_for(self) -> None:
        """A parent that is down says when it is asked again."""
        status = a_status()
        status["services"][1]["parents"][1]["asked_again_in"] = 4.4
        self.assertIn("down, asked again in 4 s", self.shown(BEFORE, Snapshot(12.0, status, [])))

    def test_a_narrow_terminal(self) -> None:
        """Nothing is lost on a terminal of 60 columns: long cells go on in the next line."""
        shown = self.shown(BEFORE, NOW, 60)
        self.assertTrue(all(len(line) <= 60 for line in shown.splitlines()))
        self.assertIn("1,000", shown)

    def test_bare_services(self) -> None:
        """Without sessions counted and without parents there is still a page."""
        status = a_status(uptime=59.0)
        status["services"][1]["parents"] = []
        status["services"][1]["cache"] = {"entries": 1, "bytes": 5_000_000_000}
        shown = self.shown(Snapshot(1.0, status, []), Snapshot(1.0, status, []))
        self.assertIn("no warnings, no errors", shown)
        self.assertIn("up 59 s", shown)
        self.assertEqual(self.row(shown, "main  "), "main running 127.0.0.1:53 - - 7 1 (5.0 GB) 42")
        status["services"][1]["cache"]["bytes"] = 12
        self.assertIn("(12 B)", self.shown(Snapshot(1.0, status, []), Snapshot(1.0, status, [])))
