"""Tests for :mod:`labnet.builtin.course`."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from labnet.builtin.course import files_of, session_of
from labnet.cli import main
from labnet.config import reading
from labnet.daemon.running.reload import load_lab
from labnet.dialects.library import find, shipped


class CourseTests(SynchronousTestCase):
    """``labnet init --course``."""

    def init(self, course: str) -> tuple[int, Path, str]:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
            status = main(["init", "--course", course, folder.name])
        return status, Path(folder.name) / "etc", err.getvalue()

    def test_each_lab_is_right_as_it_stands(self) -> None:
        """The configuration and its records have no problem, and every resolver speaks the dialect."""
        for name in shipped():
            status, folder, _ = self.init(name)
            self.assertEqual(status, 0, name)
            self.assertEqual({path.name for path in folder.iterdir()}, set(files_of(find(name))))
            path = os.fspath(folder / "labnet.toml")
            checked, loaded = load_lab(lambda path=path: reading.load(path), time.time())
            speaks = {each.dialect for each in checked.resolver.values()} | {
                checked.command and checked.command.dialect
            }
            self.assertEqual(speaks - {None}, {name})
            self.assertEqual([warning for files in loaded.values() for warning in files.warnings], [], name)

    def test_the_file_has_a_session_to_copy(self) -> None:
        """Its commands are labnet's own."""
        for name in shipped():
            dialect = find(name)
            for line in session_of(dialect):
                self.assertIn(f"#   {line}\n", files_of(dialect)["labnet.toml"])
                self.assertRegex(line, rf"^labnet (resolve|command) --dialect {re.escape(name)} ")

    def test_a_course_that_is_none_is_told(self) -> None:
        status, folder, err = self.init("xml")
        self.assertEqual((status, folder.exists()), (1, False))
        self.assertIn("there is no dialect 'xml': write the path of a file, or one of address, ", err)
