"""Tests for :mod:`labnet.net.kernel.regular`."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from labnet.net.kernel.regular import open_regular, read_regular


class RegularTests(SynchronousTestCase):
    """What is opened, and what is not."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = os.fspath(self.folder / "file")

    def test_a_regular_file_is_read_whole_with_checkpoints(self) -> None:
        """Large files come in parts, between which a checkpoint is called; a link leads to the file."""
        content = bytes(range(256)) * 40_000
        (self.folder / "other").write_bytes(content)
        os.symlink("other", self.path)
        calls: list[None] = []
        self.assertEqual(read_regular(self.path, lambda: calls.append(None)), content)
        self.assertEqual(len(calls), 3)

    def test_a_checkpoint_that_raises_ends_the_reading(self) -> None:
        """What it raises is raised, and no file stays open."""
        Path(self.path).write_bytes(b"x")
        before = len(os.listdir("/proc/self/fd"))
        self.assertRaises(ZeroDivisionError, read_regular, self.path, lambda: 1 // 0)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_what_is_no_regular_file_is_refused_at_once(self) -> None:
        """A FIFO that nobody writes to, a device and a folder are errors, to read or to write; nothing stays open."""
        os.mkfifo(self.path)
        before = len(os.listdir("/proc/self/fd"))
        for path, number in ((self.path, errno.EINVAL), ("/dev/zero", errno.EINVAL), (str(self.folder), errno.EISDIR)):
            with self.assertRaises(OSError) as raised:
                open_regular(path)
            self.assertEqual(raised.exception.errno, number)
        with self.assertRaises(OSError):
            open_regular(self.path, os.O_WRONLY)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_a_file_that_is_too_large_is_refused(self) -> None:
        """Its size is said in the error."""
        Path(self.path).write_bytes(bytes(11))
        with self.assertRaisesRegex(OSError, "it has more than 10 bytes"):
            read_regular(self.path, largest=10)
