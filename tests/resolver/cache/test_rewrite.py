"""Tests for :mod:`labnet.resolver.cache.rewrite`, and of how a log has its file written anew while it goes on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.lines import course_name, decode_dns_line, encode_line
from labnet.resolver.cache.log import RETRY, Form, LearnedLog, LogStart
from labnet.resolver.cache.logs import DNS_LOG_SUFFIX, LearnedLogs
from labnet.resolver.cache.rewrite import Rewriting
from labnet.resolver.cache.syncing import FLUSH
from labnet.resolver.files.course import authored, parse_records
from labnet.wire.course_line import encode_record
from labnet.wire.types import Answer, Mapping, Rcode
from tests.net.test_clocks import HOUR, SettableClock
from tests.resolver.cache.logcase import AUTHORS, LogCase, course_log, learned, line
from tests.resolver.dnsfakes import A, question, rrset


class WorkingClock(Clock):
    """A clock that shows ``cost`` seconds more each time it is looked at, as if there had been work to do."""

    cost = 0.0

    def seconds(self) -> float:
        self.rightNow += self.cost
        return self.rightNow


class BigCase(LogCase):
    """A log with so much in it that writing it anew takes many turns, and threads that the test runs."""

    MANY = 1000

    def setUp(self) -> None:
        super().setUp()
        self.holds_flushes = False
        self.clock = WorkingClock()
        self.threads: list[tuple[Callable[[], None], Deferred[None]]] = []
        self.path.write_bytes(AUTHORS + line("www.stale") * 10)
        self.live = [learned(f"www.{number}") for number in range(self.MANY)]

    def big(self, lines: int = 10) -> LearnedLog[Mapping]:
        """A log whose rewriting has begun and is not at its end."""
        form = Form(self.encoded, authored)
        log = LearnedLog(os.fspath(self.path), lambda: iter(list(self.live)), form, self.clock, self.in_thread)
        log.open(lines, cut=False)
        self.clock.cost = 0.0003
        log.rewrite()
        return log

    def encoded(self, mapping: Mapping, later: float) -> str:
        self.assertEqual(later, 0.0)
        return encode_record(mapping)

    def in_thread(self, work: Callable[[], None]) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        if not (self.holds_flushes or isinstance(getattr(work, "__self__", None), Rewriting)):
            done.callback(None)
            return done
        self.threads.append((work, done))
        return done

    def run_thread(self, error: OSError | None = None) -> None:
        """Have the work that waits longest done, or fail."""
        work, done = self.threads.pop(0)
        if error is not None:
            done.errback(Failure(error))
        else:
            work()
            done.callback(None)

    def write_on(self, most: int = 10_000) -> int:
        """Let time pass until a thread has the file, or nothing is to be done; in how many turns."""
        for turn in range(most):
            calls = [call for call in self.clock.getDelayedCalls() if call.getTime() < self.clock.rightNow + 0.1]
            if self.threads or not calls:
                return turn
            self.clock.advance(0.01)
        raise AssertionError("it does not come to an end")

    def names(self) -> list[str]:
        records = parse_records(self.path.read_bytes(), 0.0, log=True)
        self.assertEqual(records.problems, [])
        return [mapping.name for mapping in records.learned]


class BitByBitTests(BigCase):
    """The reactor is not held up."""

    def test_a_turn_is_short(self) -> None:
        """A big file is written in many turns, none of which makes more lines than fit into it."""
        made = []
        encode = self.encoded
        self.encoded = lambda mapping, later: (made.append(self.clock.rightNow), encode(mapping, later))[1]
        self.big()
        self.assertLess(len(made), 200)
        self.assertGreater(self.write_on(), 5)
        self.assertEqual(len(made), self.MANY)
        self.run_thread()
        self.assertEqual(len(self.names()), self.MANY)

    def test_lines_are_appended_meanwhile(self) -> None:
        """What is learned while the file is written anew is in the old one at once, and in the new one too."""
        log = self.big()
        self.keep(log, "www.early")
        self.assertTrue(self.path.read_bytes().endswith(line("www.early")))
        self.write_on()
        log.append([learned("www.late"), learned("www.too")])
        self.assertTrue(self.path.read_bytes().endswith(line("www.late") + line("www.too")))
        self.run_thread()
        names = self.names()
        self.assertEqual(names.count("www.stale"), 0)
        self.assertEqual(names[-3:], ["www.early", "www.late", "www.too"])
        self.keep(log, "www.after")
        self.assertEqual(self.names()[-3:], ["www.late", "www.too", "www.after"])
        self.assertTrue(self.path.read_bytes().startswith(AUTHORS))

    def test_what_is_forgotten_before_its_turn_is_not_written(self) -> None:
        """A rewrite asked for while one is under way is done behind it."""
        log = self.big()
        del self.live[:500]
        log.rewrite()
        self.write_on()
        self.run_thread()
        self.write_on()
        self.run_thread()
        self.assertEqual(self.names(), [f"www.{number}" for number in range(500, self.MANY)])
        log.close()
        self.assertEqual(self.threads, [])

    def test_an_edit_meanwhile_stays(self) -> None:
        """Where somebody edits the file while it is written anew, their version counts and it begins again."""
        log = self.big()
        self.write_on()
        with self.path.open("ab") as file:
            file.write(b"# theirs\n")
        self.run_thread()
        self.assertIn(b"# theirs\n", self.path.read_bytes())
        self.assertEqual(self.names().count("www.stale"), 10)
        self.clock.advance(RETRY)
        self.write_on()
        self.run_thread()
        self.assertTrue(self.path.read_bytes().startswith(AUTHORS + b"# theirs\n"))
        self.assertEqual(len(self.names()), self.MANY)
        log.close()

    def test_a_deleted_file_is_made_again(self) -> None:
        """Where somebody deletes the file while it is written anew, all is written once more."""
        self.big()
        self.path.unlink()
        self.write_on()
        self.run_thread()
        self.assertFalse(self.path.exists())
        self.clock.advance(RETRY)
        self.write_on()
        self.run_thread()
        self.assertEqual(len(self.names()), self.MANY)

    def test_closing_gives_up_what_is_not_needed(self) -> None:
        """A stop does not wait for a rewrite whose old file has everything."""
        log = self.big()
        self.keep(log, "www.last")
        log.close()
        self.assertEqual(self.names()[-1], "www.last")
        self.assertEqual(self.names().count("www.stale"), 10)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["learned"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closing_while_a_thread_has_the_file(self) -> None:
        """A stop that overtakes the thread leaves the old file, and nothing open."""
        log = self.big()
        self.write_on()
        before = set(os.listdir("/proc/self/fd"))
        log.close()
        self.assertEqual([path.name for path in self.folder.iterdir()], ["learned"])
        self.run_thread()
        self.assertEqual(len(before) - len(set(os.listdir("/proc/self/fd"))), 1)
        self.assertEqual(self.names(), ["www.stale"] * 10)

    def test_closing_finishes_what_is_needed(self) -> None:
        """A stop in the middle of a rewrite without which something would be lost finishes that first."""
        log = self.big()
        self.path.write_bytes(b"# theirs\n")
        self.keep(log, "www.last")
        log.close()
        self.assertEqual(self.path.read_bytes()[:9], b"# theirs\n")
        self.assertEqual(self.names(), [mapping.name for mapping in self.live])


class FailingTests(BigCase):
    """A whole file that cannot be written."""

    def test_a_thread_that_fails(self) -> None:
        """An error of the disk is said once; lines are still appended, and a second later all is tried again."""
        log = self.big()
        with capturedLogs() as events:
            for _ in range(3):
                self.write_on()
                self.run_thread(OSError(errno.EIO, "Input/output error"))
                self.keep(log, "www.more")
                self.clock.advance(HOUR)
        self.assertEqual([event["reason"] for event in events], ["Input/output error"])
        self.assertIn("still appended", formatEvent(events[0]))
        self.assertEqual(self.names().count("www.more"), 3)
        self.write_on()
        self.run_thread()
        self.assertEqual(len(self.names()), self.MANY + 3)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["learned"])

    def test_worse_is_said_too(self) -> None:
        """Where after that not even a line can be appended, that is said as well."""
        log = self.big()
        with capturedLogs() as events:
            self.write_on()
            self.run_thread(OSError(errno.ENOSPC, "No space left on device"))
            with mock.patch.object(os, "write", side_effect=OSError(errno.ENOSPC, "No space left on device")):
                for name in ("www.x", "www.y"):
                    self.keep(log, name)
        self.assertEqual([event["event"] for event in events], ["learned.failed", "learned.failed"])
        self.assertIn("kept in memory", formatEvent(events[1]))

    def test_tries_are_a_second_apart(self) -> None:
        """A file that cannot be written is tried once a second at most, and less often where that takes long."""
        self.clock.cost = 0.0
        log = self.opened(10)
        tries = mock.Mock(side_effect=PermissionError(errno.EACCES, "Permission denied"))
        with mock.patch.object(Rewriting, "__init__", tries), capturedLogs() as events:
            self.path.unlink()
            for number in range(100):
                self.keep(log, f"www.new{number}")
                self.clock.advance(RETRY / 20)
            self.assertIn(tries.call_count, (5, 6))

            def slow(*_: object, **__: object) -> None:
                self.clock.rightNow += 3
                raise PermissionError(errno.EACCES, "Permission denied")

            tries.side_effect = slow
            self.clock.advance(RETRY)
            count = tries.call_count
            self.clock.advance(25)
            self.assertEqual(tries.call_count, count)
            self.clock.advance(10)
            self.assertEqual(tries.call_count, count + 1)
        self.assertEqual(len(events), 1)
        log.close()

    def test_a_flush_that_fails(self) -> None:
        """Where the disk did not take what was appended, all is written anew; a file that is gone is no failure."""
        log = self.big()
        self.clock.cost = 0.0
        self.write_on()
        self.run_thread()
        self.holds_flushes = True
        self.keep(log, "www.x")
        with capturedLogs() as events:
            self.clock.advance(FLUSH)
            self.run_thread(FileNotFoundError(errno.ENOENT, "No such file or directory"))
            self.assertEqual(events, [])
            self.keep(log, "www.y")
            self.clock.advance(FLUSH)
            self.run_thread(OSError(errno.EIO, "Input/output error"))
            self.assertEqual([event["reason"] for event in events], ["Input/output error"])
            self.clock.advance(RETRY)
            self.write_on()
            self.run_thread()
            self.assertEqual([event["event"] for event in events], ["learned.failed", "learned.written-again"])
        self.assertEqual(len(self.names()), self.MANY + 2)

    def test_a_flush_that_fails_in_the_middle_of_a_rewrite(self) -> None:
        """What was being written is given up then, and begun again a second later."""
        log = self.big()
        self.holds_flushes = True
        self.keep(log, "www.x")
        with capturedLogs() as events:
            self.clock.advance(FLUSH)
            self.assertEqual((len(self.threads), len(list(self.folder.iterdir()))), (1, 2))
            self.clock.cost = 0.0
            self.holds_flushes = False
            self.run_thread(OSError(errno.EIO, "Input/output error"))
            self.assertEqual([path.name for path in self.folder.iterdir()], ["learned"])
            self.clock.advance(0.1)
            self.clock.advance(10 * HOUR)
            self.write_on()
            self.run_thread()
        self.assertEqual([event["event"] for event in events], ["learned.failed", "learned.written-again"])
        self.assertEqual(len(self.names()), self.MANY + 1)

    def test_one_flush_at_a_time(self) -> None:
        """A disk that takes longer than the time between two flushes gets no second one meanwhile."""
        log = self.big()
        self.clock.cost = 0.0
        self.write_on()
        self.run_thread()
        self.clock.advance(FLUSH)
        self.holds_flushes = True
        for number in range(10):
            self.keep(log, f"www.new{number}")
            self.clock.advance(FLUSH)
        self.assertEqual(len(self.threads), 1)
        self.run_thread()
        self.clock.advance(FLUSH)
        self.assertEqual(len(self.threads), 1)
        log.close()
        self.run_thread()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class OpeningTests(LogCase):
    """What a file looks like from which a log starts."""

    def appended(self, content: bytes, lines: int, cut: bool = False) -> bool:
        """Whether the next line is appended to a file of ``content``."""
        self.path.write_bytes(content)
        self.live = []
        log = self.opened(lines, cut)
        inode = self.path.stat().st_ino
        self.keep(log, "www.next")
        self.assertTrue(self.path.read_bytes().endswith(line("www.next")))
        log.close()
        return self.path.stat().st_ino == inode

    def test_a_whole_file_is_appended_to(self) -> None:
        """Behind a whole learned line the next is appended, with no rewrite after a start, however long the file."""
        self.assertTrue(self.appended(line("www.a"), 1))
        self.assertTrue(self.appended(AUTHORS + line("www.a") * 900, 900))
        self.assertTrue(self.appended(b"#" * 400_000 + b"\n" + line("www.a"), 1))

    def test_other_files_are_written_anew(self) -> None:
        """Behind an author's line, an unfinished one or none, the whole file is written."""
        self.assertFalse(self.appended(line("www.a") + AUTHORS, 1))
        self.assertFalse(self.appended(line("www.a") + b"# unfinished", 1))
        self.assertFalse(self.appended(b"# one long line" * 30_000, 0))

    def test_a_crashed_rewrite_is_cleared_away(self) -> None:
        """The temporary file that a crash left is gone after the next start."""
        self.path.write_bytes(line("www.a"))
        self.folder.joinpath("learned.new").write_bytes(b"half a fi")
        self.opened(1)
        self.assertHolds(line("www.a"))

    def test_a_cut_line_costs_no_rewrite_for_the_next(self) -> None:
        """What a crash cut is taken away before anything else, so that lines can be appended at once."""
        self.path.write_bytes(line("www.a") + line("www.b")[:9])
        self.live = [learned("www.a")]
        self.patch(LearnedLog, "rewrite", lambda _: None)
        log = self.opened(1, cut=True)
        self.assertHolds(line("www.a"))
        self.keep(log, "www.c")
        self.assertHolds(line("www.a"), line("www.c"))


class SteppedClockTests(LogCase):
    """The system's clock is set while the log is open; its file is for the next start, which goes by that clock."""

    def setUp(self) -> None:
        super().setUp()
        self.settable = SettableClock()

    def since(self) -> list[float]:
        return [mapping.since for mapping in parse_records(self.path.read_bytes(), 0.0, log=True).learned]

    def keep_now(self, log: LearnedLog[Mapping], name: str) -> None:
        self.live.append(Mapping(name, "1.2.3.4", 60, True, self.settable.seconds()))
        log.append([self.live[-1]])

    def live_mappings(self) -> Iterator[Mapping]:
        return iter(list(self.live))

    def test_lines_have_the_time_of_day(self) -> None:
        """After a step, back or forward, every line in the file is of the new time of day, the old ones too."""
        log = course_log(os.fspath(self.path), self.live_mappings, self.settable)
        log.open(0, cut=False)
        self.keep_now(log, "www.a")
        self.assertEqual(self.since(), [1_000_000.0])
        for step in (-HOUR, 2 * HOUR):
            self.settable.set_by += step
            self.settable.advance(1)
            self.keep_now(log, "www.b")
            self.assertEqual(self.since()[-1], self.settable.wall())
        self.assertEqual(self.since(), [1_003_600.0, 1_003_601.0, 1_003_602.0])
        self.settable.advance(1)
        self.keep_now(log, "www.c")
        self.assertEqual(self.since()[-1], self.settable.wall())

    def test_a_stop_after_a_step_writes_all(self) -> None:
        """Where nothing was learned since the step, the stop puts the file right."""
        log = course_log(os.fspath(self.path), self.live_mappings, self.settable)
        log.open(0, cut=False)
        self.keep_now(log, "www.a")
        self.settable.set_by += HOUR
        log.close()
        self.assertEqual(self.since(), [1_003_600.0])

    def test_answers_of_dns_too(self) -> None:
        """The log of DNS answers does the same."""
        answer = Answer(Rcode.NOERROR, (rrset("www.example", 60, A, b"\1\2\3\4"),))
        kept = question("www.example", A), Entry(answer, self.settable.seconds(), 60, "parent")
        logs = LearnedLogs(lambda: [kept], encode_line, course_name, list, self.settable)
        logs.open(os.fspath(self.path), LogStart(), LogStart())
        self.settable.set_by += HOUR
        logs.append([kept])
        lines = Path(os.fspath(self.path) + DNS_LOG_SUFFIX).read_bytes().splitlines()
        self.assertEqual([decode_dns_line(line)[1].since for line in lines], [1_003_600.0])
        self.assertEqual(kept[1].since, 1_000_000.0)
