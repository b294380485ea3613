"""Files of lines under faults."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from labnet.console import linefile
from labnet.console.linefile import LineFile


class LineFileTests(SynchronousTestCase):
    """Appending, whatever happens to the file."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "log" / "lab.log"
        self.said: list[str] = []
        self.patch(LineFile, "log", Logger(observer=lambda event: self.said.append(formatEvent(event))))
        self.file = LineFile(str(self.path))
        self.addCleanup(self.file.close)

    def writes(self, *results: int | OSError) -> None:
        """The next writes take so many bytes, or fail; those behind them are the system's."""
        left = list(results)
        system = os.write

        def write(file: int, data: bytes) -> int:
            result: Any = left.pop(0) if left else len(data)
            if isinstance(result, OSError):
                raise result
            return system(file, data[:result])

        self.patch(linefile.os, "write", write)

    def test_lines_are_appended(self) -> None:
        """Behind what is there, in a folder that is made for them, for the owner and a group alone."""
        self.file.write(b"one\n")
        self.file.close()
        self.file.write(b"two\n")
        self.assertEqual(self.path.read_bytes(), b"one\ntwo\n")
        self.assertFalse(stat.S_IMODE(self.path.stat().st_mode) & ~linefile.MODE)

    def test_a_new_file_has_its_mode_under_any_umask(self) -> None:
        """Also the one behind a rotation; that of a file that is there already is its owner's to say."""
        self.addCleanup(os.umask, os.umask(0o077))
        self.file.write(b"one\n")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), linefile.MODE)
        self.path.rename(self.path.with_suffix(".1"))
        self.file.write(b"two\n")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), linefile.MODE)
        self.path.chmod(0o600)
        self.file.close()
        self.file.write(b"three\n")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_a_renamed_file_is_left(self) -> None:
        """After logrotate has moved the file away the next line goes into a new one of the old name."""
        self.file.write(b"one\n")
        old = self.path.rename(self.path.with_suffix(".1"))
        self.file.write(b"two\n")
        self.assertEqual((old.read_bytes(), self.path.read_bytes()), (b"one\n", b"two\n"))

    def test_a_replaced_file_is_followed(self) -> None:
        """Where another file has the path by now, lines go there."""
        self.file.write(b"one\n")
        self.path.rename(self.path.with_suffix(".1"))
        self.path.write_bytes(b"new\n")
        self.file.write(b"two\n")
        self.assertEqual(self.path.read_bytes(), b"new\ntwo\n")

    def test_a_full_disk_is_said_once(self) -> None:
        """Lines are lost until there is room; the first failure and the end of it are said, with the number lost."""
        full = OSError(errno.ENOSPC, "No space left on device")
        self.writes(full, full, full)
        for line in (b"1\n", b"2\n3\n", b"4\n", b"5\n", b"6\n"):
            self.file.write(line, line.count(b"\n"))
            self.assertEqual(self.file.failing, line in (b"1\n", b"2\n3\n", b"4\n"))
        self.assertEqual(self.path.read_bytes(), b"5\n6\n")
        self.assertEqual(
            self.said,
            [
                f"cannot write {self.path}: No space left on device; its lines are lost until that is mended",
                f"{self.path} is written again; 4 line(s) were lost",
            ],
        )

    def test_half_a_line_stays_alone(self) -> None:
        """What follows a line that the disk took half of begins on a line of its own."""
        self.writes(3, OSError(errno.ENOSPC, "No space left on device"))
        self.file.write(b"first\n")
        self.file.write(b"second\n")
        self.file.write(b"third\n")
        self.assertEqual(self.path.read_bytes(), b"fir\nsecond\nthird\n")

    def test_what_the_system_takes_in_parts_is_one_line(self) -> None:
        """A short write goes on where it ended."""
        self.writes(3)
        self.file.write(b"first\n")
        self.file.write(b"second\n")
        self.assertEqual(self.path.read_bytes(), b"first\nsecond\n")

    def test_a_folder_in_the_way_is_a_fault_like_others(self) -> None:
        """What cannot be opened is said once, and tried again with each write."""
        self.path.mkdir(parents=True)
        self.file.write(b"one\n")
        self.file.write(b"two\n")
        self.path.rmdir()
        self.file.write(b"three\n")
        self.assertEqual(self.path.read_bytes(), b"three\n")
        self.assertEqual(len(self.said), 2)

    def test_a_fifo_without_a_reader_stops_nobody(self) -> None:
        """Opening it does not wait."""
        self.path.parent.mkdir()
        os.mkfifo(self.path)
        self.file.write(b"one\n")
        self.assertEqual(len(self.said), 1)
