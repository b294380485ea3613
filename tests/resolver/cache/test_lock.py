"""Tests for :mod:`labnet.resolver.cache.lock`."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet.interfaces import InUse, StartError
from labnet.resolver.cache.lock import LOCK_SUFFIX, LogLock, claimed


def held_elsewhere(path: str) -> int:
    """The descriptor of a lock on the log at ``path``, as another process has it."""
    file = os.open(path + LOCK_SUFFIX, os.O_RDWR | os.O_CREAT)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


class LockTests(SynchronousTestCase):
    """One lab at a time."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = str(self.folder / "learned")

    def test_a_log_of_another_process_is_refused_in_a_sentence(self) -> None:
        """As a StartError that names the file; when that process is gone it can be had, whatever file it left."""
        other = held_elsewhere(self.path)
        with self.assertRaises(InUse) as raised:
            LogLock(self.path)
        self.assertIsInstance(raised.exception, StartError)
        self.assertIn(f"labnet: {self.path} is the log of another lab", str(raised.exception))
        os.close(other)
        LogLock(self.path).release()
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_its_file_is_not_open_for_writing(self) -> None:
        """A disk on which one is cannot be made read-only; where only such a file can be locked, as by NFS, it is."""
        lock = LogLock(self.path)
        access = [fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE for file in self.descriptors()]
        self.assertEqual(access, [os.O_RDONLY])
        lock.release()
        flock = fcntl.flock

        def as_nfs(file: int, operation: int) -> None:
            if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                raise OSError(errno.EBADF, "Bad file descriptor")
            flock(file, operation)

        with mock.patch.object(fcntl, "flock", as_nfs):
            lock = LogLock(self.path)
        self.assertEqual(len(self.descriptors()), 1)
        lock.release()
        self.assertEqual(self.descriptors(), [])

    def descriptors(self) -> list[int]:
        """Those of the lock's file that are open."""
        found = []
        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/self/fd/{number}") == os.path.realpath(self.path) + LOCK_SUFFIX:
                    found.append(int(number))
        return found

    def test_one_process_may_have_it_twice(self) -> None:
        """Another one has it only when both are given back; giving back twice is harmless."""
        first, second = LogLock(self.path), LogLock(str(self.folder / "." / "learned"))
        for lock in (first, first, second):
            file = os.open(self.path + LOCK_SUFFIX, os.O_RDWR)
            self.assertRaises(BlockingIOError, fcntl.flock, file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(file)
            lock.release()
        self.assertFalse(os.path.exists(self.path + LOCK_SUFFIX))

    def test_several_are_claimed_together_or_none(self) -> None:
        """What was claimed before one that is taken is given back."""
        taken = str(self.folder / "taken")
        self.addCleanup(os.close, held_elsewhere(taken))
        with self.assertRaises(InUse), claimed([self.path, None, taken]):
            self.fail("one of them is taken")
        self.assertFalse(os.path.exists(self.path + LOCK_SUFFIX))
        with claimed([self.path]):
            self.assertTrue(os.path.exists(self.path + LOCK_SUFFIX))
        self.assertFalse(os.path.exists(self.path + LOCK_SUFFIX))

    def test_where_no_file_can_be_made_nothing_is_locked(self) -> None:
        """Such a log cannot be written to either, which is said when it is; no link there is followed."""
        LogLock("/proc/nowhere/learned").release()
        os.symlink("victim", self.path + LOCK_SUFFIX)
        LogLock(self.path).release()
        self.assertFalse((self.folder / "victim").exists())
