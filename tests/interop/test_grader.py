"""The grader, graded: programs that conform pass everything, and each defect is named by its check and by no other."""

from __future__ import annotations

import pytest

from labnet.grade.model import Grade, Outcome
from labnet.grade.report.text import line_of
from tests.grade.bench import Reference, grade_checks, grade_mutants, grade_references, references
from tests.grade.mutants import MUTANTS, SLOW, Mutant

AT_ONCE = 6
"""Programs graded side by side: most of the time they wait."""

REFERENCES = list(references())


@pytest.fixture(scope="module")
def grades() -> dict[str, Grade]:
    """The grade of every program by its id."""
    programs = [one for one in REFERENCES if not one.missing]
    mutants = grade_mutants(MUTANTS, AT_ONCE, has_slow=False)
    return grade_references(programs, AT_ONCE) | mutants | grade_checks(SLOW, AT_ONCE)


def _unlike_passed(grade: Grade) -> list[str]:
    return [line_of(result) for result in grade.results if result.outcome is not Outcome.PASSED]


@pytest.mark.parametrize("reference", REFERENCES, ids=[one.id for one in REFERENCES])
def test_a_program_that_conforms_passes_every_check(reference: Reference, grades: dict[str, Grade]) -> None:
    """No false alarm, whatever the language and the legal reading of the text."""
    if reference.missing:
        pytest.skip(f"{reference.missing} is not installed")
    grade = grades[reference.id]
    assert _unlike_passed(grade) == []
    assert (grade.score, grade.hidden, grade.status) == (grade.most, 0, 0)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[one.id for one in MUTANTS])
def test_a_defect_is_named_by_its_check_and_by_no_other(mutant: Mutant, grades: dict[str, Grade]) -> None:
    """What depends on the check is blocked; nothing else fails, and nothing is our trouble.

    Checks that wait for most of their time are run where the defect is theirs; the soak test runs all of them.
    """
    grade = grades[mutant.id]
    failed = [result.check.id for result in grade.results if result.outcome is Outcome.FAILED]
    others = [result.check.id for result in grade.results if result.outcome in (Outcome.UNSTABLE, Outcome.TROUBLE)]
    assert (failed, others) == ([mutant.check], []), _unlike_passed(grade)
    assert grade.status == 1


@pytest.mark.parametrize("program", SLOW, ids=[one.id for one in SLOW])
def test_what_the_judge_sees_late_is_not_taken_for_too_early(program: Mutant, grades: dict[str, Grade]) -> None:
    """A time counts from a moment that the judge cannot know: what is early has to be early by the longest of it."""
    failed = [one for one in grades[program.id].results if one.outcome in (Outcome.FAILED, Outcome.UNSTABLE)]
    assert failed == [], _unlike_passed(grades[program.id])
