"""Grades many programs side by side, as the tests of the grader need them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from labnet.grade.assignment import load
from labnet.grade.model import Grade
from labnet.grade.run import grade
from labnet.grade.sandbox.levels import choose
from labnet.grade.submission import collect
from labnet.net.kernel.open_files import raise_open_files_limit
from tests.grade.mutants import Mutant

PROGRAMS = Path(__file__).parent / "programs"
NEEDED = {".js": "node", ".java": "java", ".c": "gcc"}
"""What a program of each language needs on the machine."""

WITH_TWISTED = "tx.py"


class Reference(NamedTuple):
    """A program that conforms to ``assignment``."""

    assignment: str
    path: Path

    @property
    def id(self) -> str:
        return f"{self.assignment}: {self.path.name}"

    @property
    def missing(self) -> str:
        """The program that is not installed and that it needs; nothing where it can run."""
        needed = NEEDED.get(self.path.suffix)
        return needed if needed and shutil.which(needed) is None else ""


def references() -> Iterator[Reference]:
    """Every reference program; those of ``command`` whose commands are lines meet ``command-lines`` too."""
    for folder in sorted(PROGRAMS.iterdir()):
        for path in sorted(folder.iterdir()):
            if not path.name.startswith("__"):
                yield Reference(folder.name, path)
    yield Reference("command-lines", PROGRAMS / "command" / "lines.py")


def mutated(mutant: Mutant, into: Path) -> Path:
    """The mutant's program, written into the folder ``into``; raises where one of its changes changes nothing."""
    folder = "command" if mutant.assignment == "command-lines" else mutant.assignment
    source = PROGRAMS / folder / mutant.program
    text = source.read_text()
    for old, new in mutant.changes:
        if old not in text:
            raise ValueError(f"{mutant.id}: {old!r} is not in {mutant.program}")
        text = text.replace(old, new)
    if source.parent.name != folder:
        shutil.copytree(source.parent, into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (into / source.name).write_text(text)
    return into if source.parent.name != folder else into / source.name


def graded(assignment: str, path: Path, only: tuple[str, ...] = (), level: str | None = None, seed: int = 7) -> Grade:
    """The grade of the program at ``path``."""
    raise_open_files_limit()
    run = f"{sys.executable} {{file}}" if path.name == WITH_TWISTED else None
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)
        submission = collect([str(path)], run, folder)
        return grade(load(assignment), submission, choose(is_trusted=True, wanted=level), seed, only)


def grade_program(program: Reference | Mutant, only: tuple[str, ...] = ()) -> Grade:
    """The grade of a reference program or of a mutant."""
    if isinstance(program, Reference):
        return graded(program.assignment, program.path, only)
    with tempfile.TemporaryDirectory() as folder:
        return graded(program.assignment, mutated(program, Path(folder)), only)


def grade_mutants(mutants: Iterable[Mutant], at_once: int, has_slow: bool = True) -> dict[str, Grade]:
    """The grade of each mutant by its id; without ``has_slow`` no check that waits but its own."""

    def one(mutant: Mutant) -> tuple[str, Grade]:
        checks = load(mutant.assignment).checks
        only = () if has_slow else tuple(one.id for one in checks if not one.slow or one.id == mutant.check)
        return mutant.id, grade_program(mutant, only)

    with ThreadPoolExecutor(at_once) as pool:
        return dict(pool.map(one, mutants))


def grade_checks(programs: Iterable[Mutant], at_once: int) -> dict[str, Grade]:
    """What the check of each says of it, by its id."""

    def one(program: Mutant) -> tuple[str, Grade]:
        return program.id, grade_program(program, (program.check,))

    with ThreadPoolExecutor(at_once) as pool:
        return dict(pool.map(one, programs))


def grade_references(programs: Iterable[Reference], at_once: int) -> dict[str, Grade]:
    """The grade of each reference program by its id."""
    with ThreadPoolExecutor(at_once) as pool:
        return dict(pool.map(lambda one: (one.id, grade_program(one)), programs))
