"""One reload at a time, what asks for one, and what is said about it."""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from labnet.config import reading
from labnet.config.reading import ConfigError
from labnet.daemon.running.reload import (
    LONGEST_CHANGE,
    POLL,
    STOPPING,
    FileWatch,
    Outcomes,
    Reloads,
    load_lab,
    shared_files,
    watched_files,
)
from labnet.metrics import Sample


class LoadTests(SynchronousTestCase):
    """Everything is read before anything is changed."""

    def test_what_is_wrong_in_the_configuration_and_in_files_is_told_at_once(self) -> None:
        """Also where the configuration itself cannot be used."""
        table = {"resolver": {"a": {"listen": "udp:1", "records": "none.txt", "parent_tries": 0}}}
        with self.assertRaises(ConfigError) as raised:
            load_lab(lambda: reading.build(table, "/nowhere", "/run"), 0)
        first, second = raised.exception.problems
        self.assertIn("resolver.a.parent_tries: must be", first)
        self.assertEqual(second, "/nowhere/none.txt: there is no such file")


class SharedFilesTests(SynchronousTestCase):
    """One file for two purposes."""

    def says(self, text: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder).resolve() / "lab.toml"
            path.write_text(text)
            return [one.replace(f"{path.parent}/", "") for one in shared_files(reading.load(str(path), folder))]

    def test_each_thing_that_is_written_has_a_file_of_its_own(self) -> None:
        """Two resolvers' logs, a log and the DNS log beside another one, a capture, the console's logs."""
        two = '[resolver.a]\nlisten = "udp:1"\nlearned = "x"\n[resolver.b]\nlisten = "udp:2"\nlearned = "{}"\n'
        self.assertEqual(self.says(two.format("y")), [])
        self.assertEqual(
            self.says(two.format("./x")),
            [
                "resolver.b.learned: resolver.a.learned writes to var/x already; name another file",
                "resolver.b.learned (its DNS log): resolver.a.learned (its DNS log) writes to var/x.dns already; "
                "name another file",
            ],
        )
        self.assertEqual(len(self.says(two.format("x.dns"))), 1)
        self.assertEqual(len(self.says(two.format("y") + '[console]\nlog = "y"\nquery_log = "x"\n')), 2)
        self.assertEqual(len(self.says(two.format("y") + '[capture]\nfile = "x"\n')), 1)
        self.assertEqual(self.says(two.format("y") + '[console]\nlog = "/dev/null"\nquery_log = "/dev/null"\n'), [])

    def test_nothing_is_written_over_what_another_one_reads(self) -> None:
        """A resolver may append to its own records, as the assignment has it, and to nobody else's."""
        own = '[resolver.a]\nlisten = "udp:1"\nrecords = "var/ips"\nlearned = "ips"\n'
        self.assertEqual(self.says(own), [])
        other = '[resolver.b]\nlisten = "udp:2"\nrecords = "var/ips"\n'
        says = "resolver.b.records: resolver.a.learned writes to var/ips; name another file"
        self.assertEqual(self.says(own + other), [says])


class ReloadsTests(SynchronousTestCase):
    """However many ask, one runs at a time."""

    def setUp(self) -> None:
        self.running: list[Deferred[list[str]]] = []
        self.reloads = Reloads(self.run_one)

    def run_one(self) -> Deferred[list[str]]:
        self.running.append(Deferred())
        return self.running[-1]

    def test_who_asks_is_told_what_came_of_it(self) -> None:
        """Each the problems of the reload that began after the question."""
        asked = self.reloads.request()
        self.assertNoResult(asked)
        self.running[0].callback(["wrong"])
        self.assertEqual(self.successResultOf(asked), ["wrong"])
        again = self.reloads.request()
        self.running[1].callback([])
        self.assertEqual(self.successResultOf(again), [])

    def test_many_that_ask_meanwhile_make_one_more(self) -> None:
        """It begins when the first is over, and all of them wait for it."""
        first = self.reloads.request()
        others = [self.reloads.request() for _ in range(5)]
        self.assertEqual(len(self.running), 1)
        self.running[0].callback([])
        self.successResultOf(first)
        self.assertEqual(len(self.running), 2)
        for other in others:
            self.assertNoResult(other)
        self.running[1].callback(["late"])
        self.assertEqual([self.successResultOf(other) for other in others], [["late"]] * 5)
        self.assertEqual(len(self.running), 2)

    def test_after_the_stop_none_begins(self) -> None:
        """Who waits, and who comes later, is told why; the one that runs ends as it ends."""
        first, second = self.reloads.request(), self.reloads.request()
        self.reloads.stop()
        self.assertEqual(self.successResultOf(second), [STOPPING])
        self.assertEqual(self.successResultOf(self.reloads.request()), [STOPPING])
        self.running[0].callback([])
        self.assertEqual(self.successResultOf(first), [])
        self.assertEqual(len(self.running), 1)

    def test_a_reload_that_breaks_does_not_stop_the_next(self) -> None:
        """Who asked gets the failure."""
        first, second = self.reloads.request(), self.reloads.request()
        self.running[0].errback(RuntimeError("broken"))
        self.failureResultOf(first, RuntimeError)
        self.running[1].callback([])
        self.assertEqual(self.successResultOf(second), [])


class FileWatchTests(SynchronousTestCase):
    """A change is taken once it is over."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "records"
        self.file.write_text("a")
        self.clock = Clock()
        self.paths = [str(self.file)]
        self.changes = 0
        self.watch = FileWatch(self.clock, lambda: self.paths, self.changed)
        self.watch.startService()

    def changed(self) -> None:
        self.changes += 1

    def polls(self, times: int) -> int:
        """How many changes are taken meanwhile."""
        before = self.changes
        for _ in range(times):
            self.clock.advance(POLL)
        return self.changes - before

    def test_nothing_changes(self) -> None:
        """Nothing is called."""
        self.assertEqual(self.polls(5), 0)

    def test_a_change_is_taken_once_after_a_quiet_look(self) -> None:
        """Not while it goes on, and not twice."""
        for size in range(2, 5):
            self.file.write_text("a" * size)
            self.assertEqual(self.polls(1), 0)
        self.assertEqual(self.polls(1), 1)
        self.assertEqual(self.polls(5), 0)

    def test_a_change_that_goes_on_is_taken_every_few_seconds(self) -> None:
        """A file that is written to at every look is read after at most five seconds, and again, and at its end."""
        taken = []
        for second in range(1, 19):
            self.file.write_text("a" * (second + 1))
            if self.polls(1):
                taken.append(second)
        self.assertLessEqual(taken[0], 1 + LONGEST_CHANGE)
        self.assertTrue(all(later - earlier <= 1 + LONGEST_CHANGE for earlier, later in itertools.pairwise(taken)))
        self.assertEqual(len(taken), 3)
        self.assertEqual(self.polls(5), 0)
        self.file.write_text("b")
        self.assertEqual(self.polls(2), 1)

    def test_each_way_to_change(self) -> None:
        """Another size or time, another file in its place, none, and one again."""
        other = self.file.with_name("other")

        def touch() -> None:
            os.utime(self.file, ns=(1, 1))

        def replace() -> None:
            stat = self.file.stat()
            other.write_bytes(self.file.read_bytes())
            os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            other.replace(self.file)

        changes = (lambda: self.file.write_text("abc"), touch, replace, self.file.unlink, self.file.touch)
        for change in changes:
            change()
            self.assertEqual(self.polls(4), 1)

    def test_a_path_that_joins_is_no_change(self) -> None:
        """The reload that brought it has read it; its later changes are some, and one that left has none."""
        other = self.file.with_name("other")
        other.write_text("b")
        self.paths = [str(other)]
        self.assertEqual(self.polls(3), 0)
        self.file.write_text("changed")
        self.assertEqual(self.polls(3), 0)
        other.write_text("changed")
        self.assertEqual(self.polls(3), 1)

    def test_it_stops(self) -> None:
        """No timer is left; stopping what never started is nothing."""
        self.watch.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        FileWatch(self.clock, list, self.changed).stopService()

    def test_what_is_watched(self) -> None:
        """The configuration, records, hints and trust anchors; not what the lab itself writes into."""
        both = {"listen": "udp:1", "records": ["r", "log"], "learned": "/base/log", "hints": "h", "trust_anchors": "a"}
        built = reading.build({"resolver": {"a": both}}, "/base", "/run")
        self.assertEqual([*watched_files(built, "/base/lab.toml")], ["/base/lab.toml", "/base/r", "/base/h", "/base/a"])
        tls = reading.build({"resolver": {"a": {"listen": "tls:1:certificate=c:key=k"}}}, "/base", "/run")
        self.assertEqual([*watched_files(tls, None)], ["/base/c", "/base/k"])
        alone = reading.build({"resolver": {"a": {"listen": "udp:1"}}}, "/base", "/run")
        self.assertEqual([*watched_files(alone, None)], [])
        system = reading.build({"resolver": {"a": {"listen": "udp:1", "forward": {"b": "system"}}}}, "/base", "/run")
        self.assertEqual([*watched_files(system, None)], ["/etc/resolv.conf"])


class OutcomesTests(SynchronousTestCase):
    """What the log says of reloads."""

    def setUp(self) -> None:
        self.events: list[tuple[LogLevel, str]] = []
        log = Logger(
            namespace="lab", observer=lambda event: self.events.append((event["log_level"], formatEvent(event)))
        )
        self.clock = Clock()
        self.outcomes = Outcomes(self.clock, log)

    def test_a_problem_is_said_once_as_long_as_it_lasts(self) -> None:
        """That the reload failed is said each time."""
        self.outcomes.tell(["one", "two"])
        self.outcomes.tell(["two"])
        failed = "the lab was not reloaded and goes on as it was: {} problem(s), as labnet check says them"
        said = [text for _, text in self.events]
        self.assertEqual(said, ["one", "two", failed.format(2), failed.format(1)])
        self.events.clear()
        self.outcomes.tell([])
        self.outcomes.tell(["two"])
        self.assertEqual([text for _, text in self.events], ["the lab was reloaded", "two", failed.format(1)])

    def test_a_warning_is_said_while_it_is_new(self) -> None:
        """Again only after it was gone."""
        for warnings in ["a", "b"], ["b", "c"], ["a"]:
            self.outcomes.warn(warnings)
        self.assertEqual(self.events, [(LogLevel.warn, text) for text in "abca"])

    def test_they_are_counted(self) -> None:
        """For the metrics and the status."""
        self.assertEqual(self.outcomes.status(), {"at": None, "problems": [], "done": 0, "failed": 0})
        self.outcomes.tell([])
        self.clock.advance(5)
        self.outcomes.tell(["one"])
        self.assertEqual(self.outcomes.status(), {"at": 5.0, "problems": ["one"], "done": 1, "failed": 1})
        samples = [Sample("labnet_reloads_total", (result,), 1) for result in ("done", "failed")]
        self.assertEqual([*self.outcomes.samples()], samples)
