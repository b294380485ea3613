"""The lab that all workers take, as a file that they inherit."""

from __future__ import annotations

import errno
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet.config import reading
from labnet.config.reading import Config
from labnet.daemon.running.reload import load_lab
from labnet.daemon.workers import labfile
from labnet.daemon.workers.labfile import LabFile, read_lab_file


class LabFileTests(SynchronousTestCase):
    """What is written is what is read."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.file = LabFile(folder.name)
        self.addCleanup(self.file.close)

    def config(self, port: int = 1199) -> Config:
        table = {"listen": f"udp:{port}", "records": str(self.folder / "ips"), "learned": str(self.folder / "learned")}
        return reading.build({"resolver": {"main": table}}, ".", ".")

    def port(self) -> int:
        return read_lab_file(self.file.fileno())[0].resolver["main"].listen[0].port

    def test_it_is_read_as_it_was_written(self) -> None:
        """A worker has the records as they were, whatever is in the files now, and nothing that was learned."""
        (self.folder / "ips").write_text("a.example,1.2.3.4,60\n")
        (self.folder / "learned").write_text("b.example,1.2.3.4,60,1,1700000000\n")
        whole, loaded = load_lab(self.config, 1700000000.0)
        self.assertEqual(len(loaded["main"].cached), 1)
        self.file.write(whole, loaded)
        (self.folder / "ips").unlink()
        (self.folder / "learned").unlink()
        self.assertEqual(os.listdir(self.folder), [])
        read, files = read_lab_file(self.file.fileno())
        self.assertEqual(read, whole)
        self.assertEqual((files["main"].records, files["main"].cached), (1, []))

    def test_it_is_there_when_its_folder_is_gone(self) -> None:
        """It can be written and read however often, and takes no more than a few contents."""
        self.folder.rmdir()
        self.addCleanup(self.folder.mkdir)
        sizes = []
        for port in range(1200, 1220):
            self.file.write(self.config(port), {})
            self.assertEqual(self.port(), port)
            sizes.append(os.fstat(self.file.fileno()).st_size)
        self.assertLessEqual(max(sizes), 4096 + 3 * len(pickle.dumps((self.config(), {}))))

    def test_a_larger_content_than_the_gap_goes_behind(self) -> None:
        """Where the space before the old content is too small, the old one stays until the new one counts."""
        resolvers = {f"r{number}": {"listen": "udp:0"} for number in range(50)}
        large = reading.build({"resolver": resolvers}, ".", ".")
        for whole in (self.config(), self.config(), large, self.config(), large, large):
            self.file.write(whole, {})
            self.assertEqual(read_lab_file(self.file.fileno())[0], whole)

    def test_a_failure_leaves_the_old_one(self) -> None:
        """Where a new content cannot be made or written, workers read the one before."""
        self.file.write(self.config(1200), {})
        unwritable: Any = lambda: None  # noqa: E731
        self.assertRaises((pickle.PicklingError, AttributeError), self.file.write, unwritable, {})
        self.assertEqual(self.port(), 1200)
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with mock.patch.object(os, "pwrite", side_effect=full):
            self.assertRaises(OSError, self.file.write, self.config(1201), {})
        self.assertEqual(self.port(), 1200)

    def test_what_is_overwritten_while_it_is_read_is_read_again(self) -> None:
        """A content that does not fit its digest is none; one that stays so is an error."""
        self.file.write(self.config(1200), {})
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 2:
                self.file.write(self.config(1201), {})

        self.patch(labfile.time, "sleep", sleep)
        os.pwrite(self.file.fileno(), b"x", 4096)
        self.assertEqual((self.port(), len(waits)), (1201, 2))
        os.pwrite(self.file.fileno(), bytes(48), 0)
        self.assertRaises(OSError, self.port)

    def test_without_a_folder_for_it_the_systems_is_taken(self) -> None:
        """The state folder may be missing or unwritable."""
        other = LabFile("/nowhere/at/all")
        self.addCleanup(other.close)
        other.write(self.config(), {})
        self.assertEqual(read_lab_file(other.fileno())[0], self.config())
