"""What ``labnet init`` writes."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet.builtin import example
from labnet.builtin.example import ExampleError, write_example
from labnet.config import reading
from labnet.daemon.running.reload import load_lab


class ExampleTests(SynchronousTestCase):
    """A folder that is empty, or is not."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "new" / "lab"

    def paths(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def refused(self, **options: object) -> str:
        with self.assertRaises(ExampleError) as raised:
            write_example(str(self.folder), **options)
        self.assertNotIn("\n", str(raised.exception))
        return str(raised.exception).replace(str(self.folder), "FOLDER")

    def test_the_files_are_a_lab_that_runs_in_that_folder(self) -> None:
        """Folders are made, the paths are told, and nothing is wrong in what is written."""
        written = write_example(str(self.folder))
        self.assertEqual(
            [os.path.relpath(path, self.folder) for path in written],
            ["etc/labnet.toml", "etc/ips.txt", "etc/parent.txt"],
        )
        self.assertEqual(self.paths(), ["etc/ips.txt", "etc/labnet.toml", "etc/parent.txt"])
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        with mock.patch.dict(os.environ, clear=True):
            found = reading.find()
            loaded = load_lab(lambda: reading.load(found), 0.0)[1]
        self.assertEqual(found, os.path.realpath(written[0]))
        self.assertEqual(loaded["main"].records + loaded["parent"].records, 6)

    def test_what_is_there_is_not_overwritten(self) -> None:
        """Not even by one file of three, and be it a link to nowhere."""
        (self.folder / "etc").mkdir(parents=True)
        (self.folder / "etc/parent.txt").symlink_to("nowhere")
        self.assertEqual(self.refused(), "FOLDER/etc/parent.txt is there already: name another folder, or move it away")
        self.assertEqual(os.listdir(self.folder / "etc"), ["parent.txt"])

    def test_a_folder_that_cannot_be_made_is_a_sentence(self) -> None:
        """A file is in its place."""
        self.folder.parent.mkdir()
        self.folder.write_text("")
        self.assertEqual(self.refused(), "FOLDER/etc/labnet.toml cannot be written: Not a directory")

    def test_half_a_file_is_taken_away_again(self) -> None:
        """Where the disk is full in the midst of it."""
        with mock.patch.object(example, "open", create=True) as opened:
            opened.return_value.__enter__.return_value.write.side_effect = OSError(28, "No space left on device")
            self.assertEqual(self.refused(), "FOLDER/etc/labnet.toml cannot be written: No space left on device")
            os.close(opened.call_args.args[0])
        self.assertEqual(self.paths(), [])

    def test_other_files_may_be_given(self) -> None:
        """As a course has them; everybody may read them, as far as the umask lets."""
        before = os.umask(0o027)
        self.addCleanup(os.umask, before)
        (path,) = write_example(str(self.folder), {"labnet.toml": "# é\n"})
        self.assertEqual(Path(path).read_text("utf-8"), "# é\n")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)
