"""Tests for :mod:`labnet.clients.dialect_cli`."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from labnet.cli import main
from labnet.dialects.library import path_of, shipped

OWN = 'title = "x"\n[records]\nfound = ["{name} {address}"]\n[reply]\n'


class DialectCommandTests(SynchronousTestCase):
    """``labnet dialect``."""

    def run_(self, *words: str) -> tuple[int, str, str]:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            status = main(["dialect", *words])
        return status, out.getvalue(), err.getvalue()

    def file(self, content: str) -> str:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "mine.toml"
        path.write_text(content, "utf-8")
        return os.fspath(path)

    def test_the_list_has_each_with_its_command_lines(self) -> None:
        status, out, _ = self.run_("list")
        self.assertEqual(status, 0)
        for name in shipped():
            self.assertRegex(out, rf"(?m)^{name} +(udp|tcp) ")
        self.assertIn("resolver PORT PARENT_IP PARENT_PORT X", out)

    def test_a_file_is_shown_as_it_is(self) -> None:
        self.assertEqual(self.run_("show", "zone"), (0, Path(path_of("zone")).read_text("utf-8"), ""))
        self.assertEqual(self.run_("show", "xml")[0], 1)

    def test_every_shipped_dialect_passes_its_check_and_its_trial(self) -> None:
        for name in shipped():
            self.assertEqual(self.run_("check", name)[0], 0, name)
            status, out, _ = self.run_("try", name)
            self.assertEqual((status, "WRONG" in out), (0, False), name)

    def test_the_trial_prints_the_bytes_of_each_case(self) -> None:
        _, out, _ = self.run_("try", "zone")
        for line in (
            "a name of another server",
            "  client → server  'www.google.co.il'  asks for www.google.co.il",
            "  server → client  '.co.il,192.0.2.1:777,NS'  192.0.2.1:777",
        ):
            self.assertIn(line, out.splitlines())

    def test_everything_that_is_wrong_in_a_file_is_told(self) -> None:
        path = self.file('titel = "x"\n[reply]\nfound = ["{nam}"]\n')
        for command in "check", "try":
            status, _, err = self.run_(command, path)
            self.assertEqual(status, 1)
            self.assertIn(f"labnet: {path}: titel: there is no such key; did you mean title?\n", err)
            self.assertIn("title: this key is needed", err)

    def test_two_ends_that_do_not_understand_each_other_are_told(self) -> None:
        """The reply for an unknown name has the form of an address here."""
        path = self.file(
            OWN + 'found = ["{name} {address}"]\nunknown = ["{name} none"]\n[question]\nforms = ["{type}?{name}"]\n'
        )
        self.assertEqual(self.run_("check", path)[0], 0)
        path = self.file(OWN + 'found = ["{name},{address}"]\nunknown = ["{any}"]\n')
        status, _, err = self.run_("check", path)
        self.assertEqual(status, 1)
        self.assertIn("a name that is known: the client reads 'not found' in", err)
        self.assertIn("WRONG: the client reads", self.run_("try", path)[1])
