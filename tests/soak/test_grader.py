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
AT_ONCE = 24


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
                wrong = (*grade.of(Outcome.FAILED), *grade.of(Outcome.UNSTABLE))
                alarms += [f"round {number}, {id}: {line_of(result)}" for result in wrong]
            grades = grade_mutants(some, AT_ONCE)
            for mutant in some:
                failed = [result.check.id for result in grades[mutant.id].of(Outcome.FAILED)]
                if failed != [mutant.check] and not grades[mutant.id].of(Outcome.TROUBLE):
                    missed.append(f"round {number}, {mutant.id}: {failed}")
            print(f"round {number + 1}: {len(alarms)} alarms, {len(missed)} missed, {troubles} troubles", flush=True)
    finally:
        for process in load:
            process.kill()
            process.wait()
    print(f"{ROUNDS} rounds in {time.monotonic() - began:.0f} s")
    assert (alarms, missed) == ([], [])
