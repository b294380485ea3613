"""Assignments as data."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from labnet.grade.assignment import SHIPPED, Assignment, AssignmentError, load


class ShippedTests(SynchronousTestCase):
    """The assignments that come with labnet."""

    def test_every_check_quotes_the_assignment_and_says_what_is_done(self) -> None:
        """And the points of each assignment are 100, or more where it adds to another."""
        for name in SHIPPED:
            assignment = load(name)
            for check in assignment.checks:
                self.assertTrue(check.title and check.sentence and check.does and check.counts, check.id)
            self.assertEqual(sum(check.points for check in assignment.checks), 115 if name == "command-lines" else 100)

    def test_what_a_check_needs_stands_before_it(self) -> None:
        """So the order of the file can be the order of a report, and there is no circle."""
        for name in SHIPPED:
            seen: set[str] = set()
            for check in load(name).checks:
                self.assertLessEqual(set(check.needs), seen, check.id)
                seen.add(check.id)

    def test_a_check_brings_what_it_needs(self) -> None:
        """All the way down."""
        self.assertEqual(load("command").closure(["many"]), {"many", "client-closes", "time", "listens"})

    def test_a_check_that_is_not_there_is_named_with_those_that_are(self) -> None:
        """One sentence."""
        error = self.assertRaises(AssignmentError, load("command").closure, ["tiem"])
        self.assertIn("command has no check 'tiem': listens, greeting", str(error))


class OwnTests(SynchronousTestCase):
    """A teacher's own file."""

    def _load(self, toml: str, python: str = "") -> Assignment:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "mine.toml").write_text(toml)
            Path(folder, "mine.py").write_text(python)
            return load(f"{folder}/mine.toml")

    def test_it_extends_an_assignment_changes_points_leaves_out_and_adds(self) -> None:
        """What it does not say stays as it was."""
        found = self._load(
            'title = "Mine"\nextends = "command"\nmodule = "mine.py"\nleave_out = ["restart"]\n'
            '[[check]]\nid = "time"\npoints = 40\n'
            '[[check]]\nid = "own"\ntitle = "T"\nsentence = "S"\ndoes = "D"\ncounts = "C"\nneeds = ["time"]\n',
            "def own(scene):\n    pass\n",
        )
        checks = {check.id: check for check in found.checks}
        self.assertEqual((checks["time"].points, checks["time"].title), (40, "TIME returns the current time"))
        self.assertNotIn("restart", checks)
        self.assertEqual(checks["own"].needs, ("time",))

    def test_every_error_is_told_at_once(self) -> None:
        """Each with the file and the check."""
        toml = (
            'title = "Mine"\nextends = "command"\nleave_out = ["nothing"]\n[[check]]\nid = "own"\n'
            '[[check]]\nid = "time"\nneeds = ["nobody"]\n'
        )
        error = self.assertRaises(AssignmentError, self._load, toml)
        self.assertEqual(len(error.problems), 3)
        self.assertIn("check own: there is no function own", str(error))
        self.assertIn("check time needs 'nobody', which is not there", str(error))
        self.assertIn("leave_out names 'nothing', which command has not", str(error))

    def test_bad_files_are_one_sentence(self) -> None:
        """No TOML, unknown keys, a module with an error, no file."""
        for toml, wanted in (
            ("title = ", "no TOML"),
            ('title = "x"\nfoo = 1\n', "foo: there is no such key"),
            ('title = "x"\nmodule = "mine.py"\n', "cannot be loaded"),
        ):
            error = self.assertRaises(AssignmentError, self._load, toml, "def own(:\n")
            self.assertIn(wanted, str(error))
        self.assertIn("cannot be read", str(self.assertRaises(AssignmentError, load, "/nowhere/x.toml")))
        self.assertIn("is no assignment", str(self.assertRaises(AssignmentError, load, "comand")))
