"""What the workers learned, as their supervisor keeps it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.config import reading
from labnet.config.resolver import ResolverConfig
from labnet.daemon.workers.journal import LearnedJournal, read_line
from labnet.resolver.cache.logs import DNS_LOG_SUFFIX
from labnet.resolver.loading.files import load_files
from labnet.resolver.loading.loaded import Loaded
from labnet.wire.names import key_of

NOW = 1_700_000_000.0


def dns_line(name: str = "www.example.org", since: float = NOW, ttl: int = 300, address: str = "c0000201") -> str:
    key = key_of(name).hex()
    fields = {"q": key, "t": 1, "s": since, "l": ttl, "r": 0, "f": "p", "a": [[key, 1, ttl, [address]]], "n": []}
    return json.dumps(fields, separators=(",", ":"))


def course_line(name: str = "www.example.org", since: float = NOW, ttl: int = 300, address: str = "1.2.3.4") -> str:
    return f"{name},{address},{ttl},1,{since}"


class JournalTestCase(SynchronousTestCase):
    """A resolver whose files are in a folder of the test's own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.clock = Clock()
        self.clock.advance(NOW)

    def config(self, **more: Any) -> ResolverConfig:
        table = {"listen": "udp:0", "learned": "learned", **more}
        built = reading.build({"lab": {"state": str(self.folder)}, "resolver": {"main": table}}, ".", ".")
        return built.resolver["main"]

    def journal(self, **more: Any) -> LearnedJournal:
        """A journal on the files as they are, open."""
        settings = self.config(**more)
        loaded = load_files(settings, self.clock.seconds())
        self.assertEqual(loaded.errors, [])
        journal = LearnedJournal(settings, loaded, self.clock)
        journal.open(loaded)
        self.addCleanup(self._end, journal)
        return journal

    def _end(self, journal: LearnedJournal) -> None:
        journal.close()
        for call in self.clock.getDelayedCalls():
            call.cancel()


class LearnTests(JournalTestCase):
    """What workers tell."""

    def test_lines_are_written_at_once(self) -> None:
        """Each line is in its log when the worker's message has been read, and the others are to know it."""
        journal = self.journal()
        self.assertTrue(journal.learn(dns_line("a.example")))
        self.assertTrue(journal.learn(course_line("b.example")))
        self.assertTrue(journal.learn(dns_line("c.example")))
        self.assertEqual(
            (self.folder / ("learned" + DNS_LOG_SUFFIX)).read_text().splitlines(),
            [dns_line("a.example"), dns_line("c.example")],
        )
        self.assertEqual((self.folder / "learned").read_text().splitlines(), [course_line("b.example")])
        self.assertEqual(len(journal), 3)

    def test_a_start_knows_it_again(self) -> None:
        """What the files hold is known again, of one question the last line."""
        journal = self.journal()
        for line in (dns_line("a.example"), dns_line("a.example", NOW + 1), course_line("b.example")):
            journal.learn(line)
        journal.close()
        again = self.journal()
        self.assertEqual(sorted(again.lines()), sorted([dns_line("a.example", NOW + 1), course_line("b.example")]))

    def test_what_is_over_is_not_passed_on(self) -> None:
        """A worker that starts hears what is valid, the newest last."""
        journal = self.journal()
        lines = [dns_line("a.example", ttl=10), dns_line("b.example", ttl=20), dns_line("c.example", ttl=20)]
        for line in lines:
            journal.learn(line)
        journal.learn(lines[1])
        self.assertEqual(list(journal.lines()), [lines[0], lines[2], lines[1]])
        self.clock.advance(11)
        self.assertEqual(list(journal.lines()), [lines[2], lines[1]])

    def test_memory_is_bounded(self) -> None:
        """Of more than the cache may take, the oldest are forgotten."""
        journal = self.journal(cache_bytes=100_000)
        for number in range(300):
            journal.learn(dns_line(f"host{number}.example"))
        self.assertLess(len(journal), 130)
        self.assertIn(dns_line("host299.example"), list(journal.lines()))

    def test_what_is_no_line(self) -> None:
        """Anything else is a ValueError and changes nothing."""
        journal = self.journal()
        for line in ("", "{}", '{"q":"zz","t":1,"s":1,"l":1}', '{"q":"00","t":null,"s":1,"l":1}', "a,b,c,d", "{"):
            self.assertRaises(ValueError, read_line, line)
            self.assertRaises(ValueError, journal.learn, line)
        self.assertEqual(len(journal), 0)

    def test_without_a_file(self) -> None:
        """A resolver without a log is known to the workers all the same."""
        journal = self.journal(learned=None)
        journal.learn(dns_line())
        self.assertEqual(list(journal.lines()), [dns_line()])
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_the_clock_of_the_files(self) -> None:
        """When the clock that people read was set, the files have its times, and the workers those of theirs."""
        journal = self.journal()
        journal.learn(dns_line("a.example"))

        class Set:
            def __init__(self, clock: Clock) -> None:
                self.clock = clock
                self.wall = lambda: clock.rightNow + 3600

            def __call__(self) -> float:
                return float(self.clock.rightNow)

        seconds: Any = Set(self.clock)
        self.patch(self.clock, "seconds", seconds)
        journal.learn(dns_line("b.example"))
        journal.close()
        log = self.folder / ("learned" + DNS_LOG_SUFFIX)
        self.assertEqual({json.loads(line)["s"] for line in log.read_text().splitlines()}, {NOW + 3600})
        self.assertEqual(list(journal.lines()), [dns_line("a.example"), dns_line("b.example")])


class FlushTests(JournalTestCase):
    """labnet flush."""

    def test_a_name_and_those_below(self) -> None:
        """A name is forgotten with all names below it, in the logs too."""
        journal = self.journal()
        for name in ("example", "a.example", "b.a.example", "anexample"):
            journal.learn(dns_line(name))
        journal.learn(course_line("c.example"))
        self.assertEqual(journal.flush("EXAMPLE"), 4)
        self.assertEqual(list(journal.lines()), [dns_line("anexample")])
        journal.close()
        self.assertEqual(list(self.journal().lines()), [dns_line("anexample")])
        self.assertEqual(journal.flush("example"), 0)

    def test_of_every_name(self) -> None:
        """Those that DNS cannot carry included, and what is on its way."""
        journal = self.journal()
        for line in (dns_line(), course_line("a..b")):
            journal.learn(line)
        self.assertEqual(journal.flush("."), 2)
        self.assertFalse(journal.learn(course_line("a..b")))

    def test_of_what_is_not_there(self) -> None:
        """What is there stays."""
        journal = self.journal()
        absent = json.loads(dns_line("none.example.org")) | {"r": 3, "a": []}
        for line in (dns_line(), course_line("a.example"), json.dumps(absent)):
            journal.learn(line)
        self.assertEqual(journal.flush_negative(), 1)
        self.assertEqual(len(journal), 2)
        self.assertEqual(journal.flush_negative(), 0)

    def test_what_was_on_its_way_is_not_known_again(self) -> None:
        """A line that a worker learned before the flush and tells after it is ignored; one learned later is not."""
        journal = self.journal()
        journal.flush("example")
        self.assertFalse(journal.learn(dns_line("a.example", NOW - 0.1)))
        self.assertTrue(journal.learn(dns_line("b.other", NOW - 0.1)))
        self.assertTrue(journal.learn(dns_line("a.example", NOW + 0.1)))
        self.clock.advance(10)
        journal.flush("other")
        self.assertTrue(journal.learn(dns_line("c.example", NOW - 0.1)))


class ChangeTests(JournalTestCase):
    """A reload."""

    def test_the_same_files(self) -> None:
        """With the same files nothing is forgotten, but for what is past a smaller bound."""
        journal = self.journal()
        for number in range(300):
            journal.learn(dns_line(f"host{number}.example"))
        journal.change(self.config(cache_bytes=100_000), Loaded(zone=load_files(self.config(), NOW).zone))
        self.assertLess(len(journal), 130)

    def test_other_files(self) -> None:
        """Other files have everything, and what they held counts where nothing newer is known."""
        (self.folder / "other").write_text(course_line("old.example") + "\n" + course_line("a.example", NOW - 1) + "\n")
        journal = self.journal()
        journal.learn(course_line("a.example"))
        settings = self.config(learned="other")
        journal.change(settings, load_files(settings, NOW))
        journal.learn(course_line("new.example"))
        journal.close()
        expected = [course_line("old.example"), course_line("a.example"), course_line("new.example")]
        self.assertEqual(list(journal.lines()), expected)
        self.assertEqual((self.folder / "other").read_text().splitlines(), expected)


class DumpTests(JournalTestCase):
    """labnet cache dump."""

    def test_records_with_what_is_left(self) -> None:
        """A line for each record with the seconds that are left."""
        journal = self.journal()
        journal.learn(dns_line("a.example"))
        journal.learn(course_line("b.example"))
        self.clock.advance(100)
        first, second = journal.dump()
        self.assertEqual(first, "a.example. 200 IN A 192.0.2.1 ; p")
        self.assertEqual(second, "b.example. 200 IN A 1.2.3.4 ; learned")
