"""The programs that grade the grader can be made, and are programs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from labnet.grade.assignment import SHIPPED, load
from tests.grade.bench import mutated, references
from tests.grade.mutants import MUTANTS, SLOW


class MutantTests(SynchronousTestCase):
    """The table of mutants."""

    def test_each_can_be_made_and_compiles(self) -> None:
        """Every text that is to be replaced is there."""
        for mutant in (*MUTANTS, *SLOW):
            with tempfile.TemporaryDirectory() as folder:
                made = mutated(mutant, Path(folder))
                for path in [made] if made.is_file() else sorted(made.glob("*.py")):
                    compile(path.read_bytes(), mutant.id, "exec")

    def test_every_check_catches_one(self) -> None:
        """A check that catches none would be one that nobody has seen fail."""
        caught = {(mutant.assignment, mutant.check) for mutant in MUTANTS}
        for name in SHIPPED:
            inherited = {check.id for check in load("command").checks} if name == "command-lines" else set()
            for check in load(name).checks:
                self.assertTrue(check.id in inherited or (name, check.id) in caught, f"{name}: {check.id}")

    def test_there_are_enough_of_both(self) -> None:
        """Programs that conform in several languages, and many with a single defect, no two of one name."""
        self.assertGreaterEqual(len(list(references())), 20)
        self.assertGreaterEqual(len({mutant.id for mutant in MUTANTS}), 100)
        self.assertEqual(len({mutant.id for mutant in MUTANTS}), len(MUTANTS))
