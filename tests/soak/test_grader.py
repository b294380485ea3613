"""The grader again and again, on a machine that is busy: no false alarm, no defect that slips through."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from labnet.grade.model import Outcome
from labnet.grade.report.text import line_of
from tests.grade.bench import grade_mutants, grade_references, references
from tests.grade.mutants import MUTANTS

pytestmark = pytest.mark.soak

ROUNDS = int(os.environ.get("LABNET_GRADER_ROUNDS", "100"))
AT_ONCE = 16


def test_rounds_of_all_programs_beside_a_load_have_no_wrong_result() -> None:
    """A busy process a core beside it: what the machine is too slow for may be our trouble, and never a failure."""
    programs = [one for one in references() if not one.missing]
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    began, alarms, missed, troubles = time.monotonic(), [], [], 0
    try:
        for number in range(ROUNDS):
            some = MUTANTS[number % 4 :: 4]
            grades = grade_references(programs, AT_ONCE)
            for id, grade in grades.items():
                troubles += len(grade.of(Outcome.TROUBLE))
                bad = (*grade.of(Outcome.FAILED), *grade.of(Outcome.UNSTABLE))
                alarms += [f"round {number}, {id}: {line_of(result)}" for result in bad]
            grades = grade_mutants(some, AT_ONCE)
            for mutant in some:
                grade = grades[mutant.id]
                if [result.check.id for result in grade.of(Outcome.FAILED)] != [mutant.check]:
                    troubles += len(grade.of(Outcome.TROUBLE))
                    told = [line_of(result) for result in grade.results if result.outcome is not Outcome.PASSED]
                    missed += [] if grade.of(Outcome.TROUBLE) else [f"round {number}, {mutant.id}: {told}"]
            wrong = [one for one in (*alarms, *missed) if one.startswith(f"round {number}, ")]
            print(f"round {number}: {len(alarms)} alarms, {len(missed)} missed, {troubles} troubles so far", flush=True)
            print(*wrong, sep="\n", end="", flush=True)
    finally:
        for process in load:
            process.kill()
            process.wait()
    print(f"{ROUNDS} rounds in {time.monotonic() - began:.0f} s")
    assert (alarms, missed) == ([], [])
