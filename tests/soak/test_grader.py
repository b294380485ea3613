"""The grader again and again, on a machine that is busy: no false alarm, no defect that slips through."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from labnet.grade.model import Grade, Outcome
from labnet.grade.report.text import line_of
from tests.grade.bench import Reference, grade_program, references
from tests.grade.mutants import MUTANTS, Mutant

pytestmark = pytest.mark.soak

ROUNDS = int(os.environ.get("LABNET_GRADER_ROUNDS", "100"))
FIRST = int(os.environ.get("LABNET_GRADER_FIRST", "0"))
AT_ONCE = 32
"""A grade mostly waits: for the 15 s of a time-out, and for what programs do not say."""


def programs_of(number: int) -> list[Reference | Mutant]:
    """What round ``number`` grades: every reference, and a quarter of the mutants."""
    return [*(one for one in references() if not one.missing), *MUTANTS[number % 4 :: 4]]


def alarm_of(program: Reference | Mutant, grade: Grade) -> str:
    """What is wrong with ``grade``; nothing where it is right, or where the machine was too slow to judge a mutant."""
    if isinstance(program, Reference):
        return "; ".join(map(line_of, (*grade.of(Outcome.FAILED), *grade.of(Outcome.UNSTABLE))))
    if [result.check.id for result in grade.of(Outcome.FAILED)] == [program.check] or grade.of(Outcome.TROUBLE):
        return ""
    return f"not found: {[line_of(result) for result in grade.results if result.outcome is not Outcome.PASSED]}"


def test_rounds_of_all_programs_beside_a_load_have_no_wrong_result() -> None:
    """A busy process a core beside it: what the machine is too slow for may be our trouble, and never a failure."""
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    began, alarms, troubles = time.monotonic(), [], 0
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            rounds = [
                (number, [(program, pool.submit(grade_program, program)) for program in programs_of(number)])
                for number in range(FIRST, FIRST + ROUNDS)
            ]
            for number, graded in rounds:
                for program, future in graded:
                    grade = future.result()
                    troubles += len(grade.of(Outcome.TROUBLE))
                    if alarm := alarm_of(program, grade):
                        alarms.append(f"round {number}, {program.id}: {alarm}")
                        print(alarms[-1], flush=True)
                graded.clear()
                print(f"round {number}: {len(alarms)} alarms, {troubles} troubles so far", flush=True)
    finally:
        for process in load:
            process.kill()
            process.wait()
    print(f"{ROUNDS} rounds in {time.monotonic() - began:.0f} s")
    assert alarms == []
