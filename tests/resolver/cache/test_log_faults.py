"""Tests for :mod:`labnet.resolver.cache.log` where something goes wrong: other hands, full disks, crashes."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs, formatEvent

from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.lines import CachedAnswer, course_name, decode_line, encode_line
from labnet.resolver.cache.lock import LogLock
from labnet.resolver.cache.log import RETRY, LogStart
from labnet.resolver.cache.logs import DNS_LOG_SUFFIX, LearnedLogs
from labnet.resolver.files.course import parse_records
from labnet.wire.types import Answer, Rcode
from tests.resolver.cache.logcase import AUTHORS, LogCase, learned, line
from tests.resolver.dnsfakes import A, question, rrset


class ForeignHandTests(LogCase):
    """Somebody else changes the file while the resolver runs."""

    def setUp(self) -> None:
        super().setUp()
        self.path.write_bytes(AUTHORS)
        self.log = self.opened()
        self.keep(self.log, "www.a")

    def test_edited(self) -> None:
        """What was added by hand stays, and the next line does not stick to it."""
        with self.path.open("ab") as file:
            file.write(b"www.hand,1.2.3.4,60")
        self.keep(self.log, "www.b")
        # Behind a learned line of a log such an unfinished line is taken for a cut one.
        self.assertHolds(AUTHORS, line("www.a"), line("www.b"))
        with self.path.open("ab") as file:
            file.write(b"www.hand,1.2.3.4,60\n")
        self.keep(self.log, "www.c")
        self.keep(self.log, "www.d")
        self.assertHolds(AUTHORS, b"www.hand,1.2.3.4,60\n", line("www.a"), line("www.b"), line("www.c"), line("www.d"))

    def test_replaced(self) -> None:
        """A file that took its place, as editors do, is the one that is kept on; what is live is in it."""
        other = self.folder / "other"
        other.write_bytes(b"# theirs\n" + b"x" * (self.path.stat().st_size - 9))
        os.replace(other, self.path)
        content = self.path.read_bytes()
        self.keep(self.log, "www.b")
        self.assertHolds(content, b"\n", line("www.a"), line("www.b"))

    def test_emptied(self) -> None:
        """A file that was emptied has everything live again with the next mapping."""
        self.path.write_bytes(b"")
        self.keep(self.log, "www.b")
        self.assertHolds(line("www.a"), line("www.b"))

    def test_deleted(self) -> None:
        """A file that was deleted, with its folder too, is made again with everything live."""
        self.path.unlink()
        self.keep(self.log, "www.b")
        self.assertHolds(line("www.a"), line("www.b"))
        self.path.unlink()
        self.folder.rmdir()
        self.keep(self.log, "www.c")
        self.assertHolds(line("www.a"), line("www.b"), line("www.c"))

    def test_turned_into_a_folder(self) -> None:
        """A folder in its place costs no answer."""
        self.path.unlink()
        self.path.mkdir()
        with capturedLogs() as events:
            for name in ("www.b", "www.c"):
                self.keep(self.log, name)
                self.clock.advance(RETRY)
        self.assertEqual([event["reason"] for event in events], [os.strerror(errno.EISDIR)])
        self.path.rmdir()
        self.clock.advance(RETRY)
        self.assertHolds(line("www.a"), line("www.b"), line("www.c"))


class OtherLabTests(LogCase):
    """Another lab writes to the same file, which a lock keeps it from where the system has locks."""

    def setUp(self) -> None:
        super().setUp()
        self.logs = self.lab()

    def lab(self) -> LearnedLogs[CachedAnswer]:
        """The logs of a lab whose cache is a list."""
        known: list[CachedAnswer] = []

        def adopt(found: list[CachedAnswer]) -> None:
            names = {question for question, _ in known}
            known.extend(one for one in found if one[0] not in names)

        def live() -> list[CachedAnswer]:
            return [one for one in known if one[1].is_valid(self.clock.seconds())]

        logs: LearnedLogs[CachedAnswer] = LearnedLogs(live, encode_line, course_name, adopt, self.clock)
        self.patch(LogLock, "__init__", lambda lock, path: setattr(lock, "_path", ""))
        logs.open(os.fspath(self.path), LogStart(), LogStart())
        self.known = known
        return logs

    def learn(self, logs: LearnedLogs[CachedAnswer], known: list[CachedAnswer], *lines: str) -> None:
        for text in lines:
            known.append(decode_line(text, "x"))
            logs.append([known[-1]])
            self.clock.advance(RETRY)

    def lines(self, suffix: str = "") -> list[str]:
        return sorted((self.folder / ("learned" + suffix)).read_text().splitlines())

    def test_neither_erases_what_the_other_learned(self) -> None:
        """What each wrote since is adopted by the other's rewrite, in both logs; what is over is not."""
        first, known = self.logs, self.known
        second = self.lab()
        lines = [f"www.{name},1.2.3.4,600,1,0.5" for name in "abcd"]
        self.learn(first, known, lines[0])
        self.learn(second, self.known, lines[1], "www.over,1.2.3.4,0,1,0.0")
        self.learn(first, known, lines[2])
        self.learn(second, self.known, lines[3])
        self.assertEqual(self.lines(), lines)
        answer = Answer(Rcode.NOERROR, (rrset("x.example", 600, A, b"\1\2\3\4"),))
        dns = [encode_line((question(f"{name}.example"), Entry(answer, 1.5, 600, "p"))) for name in "wxyz"]
        self.learn(first, known, dns[0])
        self.learn(second, self.known, dns[1])
        self.learn(first, known, dns[2])
        self.learn(second, self.known, dns[3])
        self.assertEqual(self.lines(DNS_LOG_SUFFIX), dns)

    def test_what_was_flushed_is_not_adopted(self) -> None:
        """A rewrite that is asked for has what is live and nothing else."""
        self.learn(self.logs, self.known, "www.a,1.2.3.4,600,1,0.5")
        with self.path.open("a") as file:
            file.write("www.b,1.2.3.4,600,1,0.5\n")
        self.known.clear()
        self.logs.rewrite()
        self.assertEqual(self.lines(), [])


class NoRegularFileTests(LogCase):
    """Something else than a file stands in the log's place, or in that of the file that replaces it."""

    def test_a_fifo_is_neither_waited_for_nor_replaced(self) -> None:
        """At the start, at a line and at a rewrite it is an error, said once; when it is gone everything is written."""
        os.mkfifo(self.path)
        with capturedLogs() as events:
            log = self.opened(lines=5000)
            for name in ("www.a", "www.b"):
                self.keep(log, name)
                self.clock.advance(RETRY)
        self.assertEqual([event["reason"] for event in events], ["it is no regular file"])
        self.assertTrue(self.path.is_fifo())
        self.path.unlink()
        self.clock.advance(RETRY)
        self.assertHolds(line("www.a"), line("www.b"))

    def test_a_fifo_that_takes_the_files_place_later(self) -> None:
        """A line for which there is no file any more costs no time, and is written when the FIFO is gone."""
        log = self.opened()
        self.keep(log, "www.a")
        self.path.unlink()
        os.mkfifo(self.path)
        with capturedLogs():
            self.keep(log, "www.b")
            log.close()
        self.assertTrue(self.path.is_fifo())

    def test_a_link_in_place_of_the_temporary_is_not_followed(self) -> None:
        """What it leads to stays as it is: somebody else may have put it there."""
        victim = self.folder / "victim"
        victim.write_bytes(b"theirs")
        (self.folder / "learned.new").symlink_to(victim)
        self.keep(self.opened(), "www.a")
        self.assertEqual((victim.read_bytes(), self.path.read_bytes()), (b"theirs", line("www.a")))
        self.assertFalse(self.path.is_symlink())

    def test_a_temporary_that_another_program_replaced_is_not_renamed(self) -> None:
        """Only the file that was written takes the log's place."""
        fsync = os.fsync

        def replaced(file: int) -> None:
            fsync(file)
            (self.folder / "learned.new").unlink()
            (self.folder / "learned.new").write_bytes(b"theirs")

        log = self.opened()
        with mock.patch.object(os, "fsync", replaced), capturedLogs() as events:
            self.keep(log, "www.a")
        self.assertIn("another program has put a file in place", events[0]["reason"])
        self.assertFalse(self.path.exists())
        self.clock.advance(RETRY)
        self.assertHolds(line("www.a"))


class FailureTests(LogCase):
    """A file that cannot be written."""

    def setUp(self) -> None:
        super().setUp()
        self.path.write_bytes(AUTHORS)
        self.log = self.opened()
        self.keep(self.log, "www.a")

    def full(self, room: int) -> Callable[[int, bytes], int]:
        """An ``os.write`` on a disk with ``room`` bytes left."""
        write = os.write

        def fake(file: int, content: bytes) -> int:
            nonlocal room
            if not room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = write(file, content[:room])
            room -= written
            return written

        return fake

    def test_a_disk_that_fills_up_leaves_no_half_line(self) -> None:
        """A line that found room for a part of it is taken back; with room again, everything live is written."""
        for room in (0, 1, 5, len(line("www.b")) - 1):
            self.path.write_bytes(AUTHORS)
            self.live = []
            log = self.opened()
            self.keep(log, "www.a")
            with mock.patch.object(os, "write", self.full(room)), capturedLogs() as events:
                self.keep(log, "www.b")
            self.assertHolds(AUTHORS, line("www.a"))
            self.assertEqual([event["reason"] for event in events], ["No space left on device"])
            self.clock.advance(RETRY)
            self.keep(log, "www.c")
            self.assertHolds(AUTHORS, line("www.a"), line("www.b"), line("www.c"))
            log.close()

    def test_a_half_line_that_cannot_be_taken_back_is_removed_later(self) -> None:
        """Where even that fails, the half line is gone when the file is written anew."""
        broken = mock.patch.object(os, "ftruncate", side_effect=OSError(errno.EIO, "Input/output error"))
        with mock.patch.object(os, "write", self.full(20)), broken, capturedLogs():
            self.keep(self.log, "www.b")
        self.assertHolds(AUTHORS, line("www.a"), line("www.b")[:20])
        self.keep(self.log, "www.c")
        self.assertHolds(AUTHORS, line("www.a"), line("www.b")[:20])
        self.clock.advance(RETRY)
        self.assertHolds(AUTHORS, line("www.a"), line("www.b"), line("www.c"))

    def test_it_is_said_once_and_healed(self) -> None:
        """A failure is said once, with path and reason; when it is mended that is said too, and everything is there."""
        with capturedLogs() as events:
            denied = PermissionError(errno.EACCES, "Permission denied")
            with (
                mock.patch.object(os, "open", side_effect=denied),
                mock.patch.object(os, "replace", side_effect=denied),
            ):
                for name in ("www.b", "www.c", "www.d"):
                    self.keep(self.log, name)
                    self.clock.advance(RETRY)
            self.assertHolds(AUTHORS, line("www.a"))
            self.assertEqual([event["log_level"] for event in events], [LogLevel.warn])
            self.assertEqual((events[0]["path"], events[0]["reason"]), (os.fspath(self.path), "Permission denied"))
            self.keep(self.log, "www.e")
            self.clock.advance(RETRY)
            self.keep(self.log, "www.f")
        self.assertEqual([event["event"] for event in events], ["learned.failed", "learned.written-again"])
        self.assertHolds(AUTHORS, *(line(f"www.{letter}") for letter in "abcdef"))

    def test_it_is_said_again_after_it_was_mended(self) -> None:
        """A second failure after a mended one is said anew."""
        with capturedLogs() as events:
            for name in ("www.b", "www.c"):
                with mock.patch.object(os, "write", self.full(0)):
                    self.keep(self.log, name)
                self.clock.advance(RETRY)
        levels = [event["log_level"] for event in events]
        self.assertEqual(levels, [LogLevel.warn, LogLevel.info, LogLevel.warn, LogLevel.info])

    def test_the_temporary_is_removed(self) -> None:
        """A rewrite that fails, at whichever step, leaves the old file and nothing beside it."""
        for name, error in (("fsync", errno.EIO), ("replace", errno.EROFS), ("fchmod", errno.EPERM)):
            log = self.opened(1)
            with mock.patch.object(os, name, side_effect=OSError(error, os.strerror(error))), capturedLogs() as events:
                log.rewrite()
            self.assertEqual([event["reason"] for event in events], [os.strerror(error)])
            self.assertIn("new lines are still appended", formatEvent(events[0]))
            self.assertHolds(AUTHORS, line("www.a"))
            log.close()

    def test_a_full_disk_keeps_the_old_file(self) -> None:
        """A rewrite on a full disk leaves the old file whole, and nothing beside it."""
        content = AUTHORS + line("www.a") + b"# mine\n"
        self.path.write_bytes(content)
        with mock.patch.object(os, "write", self.full(5)), capturedLogs() as events:
            self.keep(self.log, "www.b")
        self.assertEqual([event["reason"] for event in events], ["No space left on device"])
        self.assertHolds(content)
        self.keep(self.log, "www.c")
        self.clock.advance(RETRY)
        self.assertHolds(AUTHORS, b"# mine\n", line("www.a"), line("www.b"), line("www.c"))

    def test_a_folder_that_is_read_only(self) -> None:
        """Where no folder can be made, opening, learning and closing go on without a file."""
        self.path = self.folder / "state" / "learned"
        with capturedLogs() as events:
            with mock.patch.object(os, "makedirs", side_effect=PermissionError(errno.EACCES, "Permission denied")):
                log = self.opened(lines=1, cut=True)
                self.keep(log, "www.b")
                log.close()
            self.assertEqual([event["reason"] for event in events], ["Permission denied"])
        self.assertFalse(self.path.exists())

    def test_close_tries_once_more(self) -> None:
        """What could not be kept is tried again when the log is closed."""
        with capturedLogs() as events:
            with mock.patch.object(os, "write", self.full(0)):
                self.keep(self.log, "www.b")
            self.log.close()
        self.assertHolds(AUTHORS, line("www.a"), line("www.b"))
        self.assertEqual(events[-1]["log_level"], LogLevel.info)


class CrashTests(LogCase):
    """The process is killed in the middle of a write."""

    @given(names=st.lists(st.sampled_from("abc"), min_size=1, max_size=6), part=st.integers(0, 40))
    def test_a_kill_loses_at_most_the_line_being_written(self, names: list[str], part: int) -> None:
        """Killed at any byte of a write and started anew, the log has all lines before that one, and goes on."""
        self.path.write_bytes(AUTHORS)
        self.live = []
        log = self.opened()
        for name in names:
            self.keep(log, name)
        with self.path.open("ab") as file:  # what a killed write leaves
            file.write(line("www.killed")[:part])
        left = parse_records(self.path.read_bytes(), 0.0, log=True)
        self.assertEqual([mapping.name for mapping in left.static], ["www.biu.ac.il"])
        self.assertEqual([mapping.name for mapping in left.learned][: len(names)], names)

        self.live = list(left.learned)
        log = self.opened(len(left.learned), left.cut)
        self.keep(log, "www.next")
        after = parse_records(self.path.read_bytes(), 0.0, log=True)
        self.assertEqual(([mapping.name for mapping in after.static], after.problems), (["www.biu.ac.il"], []))
        self.assertEqual(after.learned, [*left.learned, learned("www.next")])
        self.assertTrue(self.path.read_bytes().startswith(AUTHORS))
