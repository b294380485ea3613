"""Tests for :mod:`labnet.resolver.cache.log`."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.cache.log import LearnedLog
from labnet.resolver.cache.log_states import TRANSITIONS, Cause, State
from labnet.resolver.cache.syncing import FLUSH
from tests.resolver.cache.logcase import AUTHORS, LogCase, learned, line


class AppendTests(LogCase):
    """Line by line."""

    def test_nothing_is_written_before_something_is_learned(self) -> None:
        """Opening and closing a log writes no file."""
        self.opened().close()
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_the_file_is_made(self) -> None:
        """The first mapping makes the file, and the folders above it, for its owner and those of its group who read."""
        self.path = self.folder / "deep" / "down" / "learned"
        self.keep(self.opened(), "www.a")
        self.assertEqual(self.path.read_bytes(), line("www.a"))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)

    def test_each_mapping_is_a_line_at_the_end(self) -> None:
        """What is learned is appended to the same file, and is in it at once."""
        log = self.opened()
        self.keep(log, "www.a")
        inode = self.path.stat().st_ino
        self.keep(log, "www.b")
        self.assertHolds(line("www.a"), line("www.b"))
        self.keep(log, "www.c")
        self.assertHolds(line("www.a"), line("www.b"), line("www.c"))
        self.assertEqual(self.path.stat().st_ino, inode)

    def test_a_line_is_one_write_behind_what_is_there(self) -> None:
        """An appended line is a single write to a file opened to append, never one in its middle."""
        log = self.opened()
        self.keep(log, "www.a")
        with (
            mock.patch.object(os, "write", wraps=os.write) as write,
            mock.patch.object(os, "open", wraps=os.open) as open_,
        ):
            self.keep(log, "www.b")
        self.assertEqual([call.args[1] for call in write.call_args_list], [line("www.b")])
        self.assertTrue(open_.call_args.args[1] & os.O_APPEND)
        self.assertFalse(open_.call_args.args[1] & (os.O_CREAT | os.O_TRUNC))

    def test_what_is_learned_at_a_time_is_one_write(self) -> None:
        """Lines behind what is there, each counted; where nothing may be appended they are in the file that is made."""
        self.patch(LearnedLog, "SLACK", 3)
        log = self.opened()
        names = [f"www.{letter}" for letter in "abcdefgh"]
        self.live += map(learned, names[:2])
        log.append(self.live)
        self.assertHolds(*map(line, names[:2]))
        with mock.patch.object(os, "write", wraps=os.write) as write:
            self.live += map(learned, names[2:5])
            log.append(self.live[2:])
        self.assertEqual([call.args[1] for call in write.call_args_list], [b"".join(map(line, names[2:5]))])
        self.live = [learned("www.h")]
        log.append([*map(learned, names[5:8])])  # now there are more stale lines than are worth keeping
        self.assertHolds(line("www.h"))

    def test_no_file_stays_open(self) -> None:
        """Between two mappings the log holds no file descriptor."""
        before = set(os.listdir("/proc/self/fd"))
        log = self.opened()
        for name in ("www.a", "www.b"):
            self.keep(log, name)
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)

    def test_the_authors_file_is_appended_to(self) -> None:
        """Behind static lines the learned ones begin; the author's bytes stay as they are."""
        self.path.write_bytes(AUTHORS)
        log = self.opened()
        self.keep(log, "www.a")
        self.keep(log, "www.b")
        self.assertHolds(AUTHORS, line("www.a"), line("www.b"))

    def test_a_file_without_a_final_newline(self) -> None:
        """The first line appended to a file without a final newline is a line of its own."""
        self.path.write_bytes(AUTHORS.rstrip(b"\n"))
        self.keep(self.opened(), "www.a")
        self.assertHolds(AUTHORS, line("www.a"))

    def test_what_is_appended_stands_behind_a_learned_line(self) -> None:
        """Where no learned line is left, the next is not appended but written with the whole file.

        A crash that cut it behind its TTL would else leave a line that looks static, and never expires.
        """
        self.path.write_bytes(AUTHORS)
        log = self.opened()
        log.append([learned("www.zero", ttl=0)])  # is not live any more when the file is written
        self.assertHolds(AUTHORS)
        inode = self.path.stat().st_ino
        self.keep(log, "www.a")
        self.assertNotEqual(self.path.stat().st_ino, inode)
        self.assertHolds(AUTHORS, line("www.a"))

    def test_close_brings_it_to_the_disk(self) -> None:
        """Closing syncs the file and its folder, and needs none."""
        log = self.opened()
        self.keep(log, "www.a")
        with mock.patch.object(os, "fsync", wraps=os.fsync) as fsync:
            log.close()
            self.assertEqual(fsync.call_count, 2)
            self.path.unlink()
            log.close()
            self.assertEqual(fsync.call_count, 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_is_on_the_disk_a_second_later(self) -> None:
        """Whatever was written is synced, once, a second behind the first line of it."""
        log = self.opened()
        with mock.patch.object(os, "fsync", wraps=os.fsync) as fsync:
            self.keep(log, "www.a")
            fsync.reset_mock()
            self.keep(log, "www.b")
            self.clock.advance(FLUSH - 0.1)
            self.assertFalse(fsync.called)
            self.clock.advance(0.2)
            self.assertEqual(fsync.call_count, 2)
            self.clock.advance(10 * FLUSH)
            self.assertEqual(fsync.call_count, 2)
            self.keep(log, "www.c")
            self.clock.advance(FLUSH)
            self.assertEqual(fsync.call_count, 4)


class RewriteTests(LogCase):
    """The whole file anew."""

    def test_a_cut_line_is_removed_at_the_start(self) -> None:
        """A line that a crash cut is removed when the log is opened; live mappings and author's lines stay."""
        self.path.write_bytes(AUTHORS + line("www.a") + b"www.b,1.2.3.4,6")
        self.live = [learned("www.a")]
        log = self.opened(lines=1, cut=True)
        self.assertHolds(AUTHORS, line("www.a"))
        self.keep(log, "www.c")
        self.assertHolds(AUTHORS, line("www.a"), line("www.c"))

    def test_a_whole_file_is_left_alone_at_the_start(self) -> None:
        """A file with few stale lines is not touched when the log is opened."""
        content = line("www.stale") * LearnedLog.SLACK
        self.path.write_bytes(content)
        before = self.path.stat()
        self.opened(lines=LearnedLog.SLACK)
        self.assertHolds(content)
        self.assertEqual(self.path.stat().st_ino, before.st_ino)

    def test_a_stale_file_is_compacted_at_the_start(self) -> None:
        """A file with more stale lines than twice the live ones and the slack is rewritten when the log is opened."""
        self.live = [learned("www.a")]
        content = AUTHORS + line("www.a") * (LearnedLog.SLACK + 2)
        self.path.write_bytes(content)
        self.opened(lines=LearnedLog.SLACK + 2)
        self.assertHolds(content)
        self.path.write_bytes(content + line("www.a"))
        self.opened(lines=LearnedLog.SLACK + 3)
        self.assertHolds(AUTHORS, line("www.a"))

    def test_a_stale_file_is_compacted_while_it_runs(self) -> None:
        """A name that is learned again and again does not make the file grow for ever."""
        self.patch(LearnedLog, "SLACK", 3)
        self.path.write_bytes(AUTHORS)
        log = self.opened()
        sizes = []
        for _ in range(50):
            self.live = []
            self.keep(log, "www.a")
            sizes.append((self.path.stat().st_size - len(AUTHORS)) // len(line("www.a")))
        self.assertEqual(sizes[:7], [1, 2, 3, 4, 5, 1, 2])
        self.assertEqual(max(sizes), 5)
        self.assertTrue(self.path.read_bytes().startswith(AUTHORS))

    def test_the_file_is_replaced_whole(self) -> None:
        """A rewritten file is synced before it takes the place of the old one, which is whole up to then."""
        self.path.write_bytes(AUTHORS)
        done: list[str] = []
        fsync, replace = os.fsync, os.replace

        def synced(file: int) -> None:
            done.append("sync")
            fsync(file)

        def replaced(source: str, target: str) -> None:
            done.append("replace")
            self.assertEqual(self.path.read_bytes(), AUTHORS)
            self.assertEqual(Path(source).read_bytes(), AUTHORS + line("www.a"))
            replace(source, target)

        self.patch(os, "fsync", synced)
        self.patch(os, "replace", replaced)
        self.keep(self.opened(), "www.a")
        self.assertEqual(done, ["sync", "replace"])
        self.clock.advance(FLUSH)
        self.assertEqual(done, ["sync", "replace", "sync", "sync"])

    def test_the_mode_is_kept(self) -> None:
        """A rewritten file keeps its mode."""
        for mode in (0o600, 0o664):
            self.path.write_bytes(AUTHORS)
            self.path.chmod(mode)
            self.live = []
            self.keep(self.opened(), "www.a")
            self.assertHolds(AUTHORS, line("www.a"))
            self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), mode)

    def test_the_owner_is_kept(self) -> None:
        """A rewritten file is given back to its owner; where that is not allowed it is written all the same."""
        for effect in (None, PermissionError(errno.EPERM, "Operation not permitted")):
            self.path.write_bytes(AUTHORS)
            self.live = []
            owner = (self.path.stat().st_uid, self.path.stat().st_gid)
            with (
                mock.patch.object(os, "geteuid", return_value=owner[0] + 1),
                mock.patch.object(os, "fchown", side_effect=effect) as fchown,
            ):
                self.keep(self.opened(), "www.a")
            self.assertEqual(fchown.call_args.args[1:], owner)
            self.assertHolds(AUTHORS, line("www.a"))

    def test_ones_own_file_is_not_given_away(self) -> None:
        """A file of our own, or a new one, needs no change of owner."""
        owner = (os.geteuid(), os.getegid())
        with mock.patch.object(os, "fchown") as fchown:
            self.keep(self.opened(), "www.a")
            self.assertEqual((self.path.stat().st_uid, self.path.stat().st_gid), owner)
            self.keep(self.opened(), "www.b")
        self.assertFalse(fchown.called)

    def test_a_symbolic_link_is_kept(self) -> None:
        """Where the path is a symbolic link, the file behind it is rewritten and the link stays."""
        real = self.folder / "real"
        real.write_bytes(AUTHORS)
        self.path.symlink_to(real)
        log = self.opened()
        for name in ("www.a", "www.b"):
            self.keep(log, name)
        self.assertTrue(self.path.is_symlink())
        self.assertEqual(real.read_bytes(), AUTHORS + line("www.a") + line("www.b"))
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"learned", "real"})

    def test_a_temporary_that_a_crash_left_is_no_obstacle(self) -> None:
        """A temporary file of an earlier run is overwritten and gone afterwards."""
        (self.folder / "learned.new").write_bytes(b"half a fi")
        self.keep(self.opened(), "www.a")
        self.assertHolds(line("www.a"))


class StateTests(SynchronousTestCase):
    """The table of transitions."""

    def test_every_state_can_be_closed(self) -> None:
        """From each state but the last two a close leads to the end."""
        for state in set(State) - {State.CLOSING, State.CLOSED}:
            self.assertIs(TRANSITIONS[TRANSITIONS[state][Cause.CLOSE]][Cause.END], State.CLOSED)

    def test_a_failed_rewrite_is_tried_again(self) -> None:
        """Whatever fails while the log is open leads to a state that begins again."""
        for state in (State.IDLE, State.WRITING, State.SYNCING, State.WAITING):
            self.assertIs(TRANSITIONS[TRANSITIONS[state][Cause.FAILED]][Cause.BEGIN], State.WRITING)
