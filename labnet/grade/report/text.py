"""A grade for a terminal: what to mend first, then all checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from labnet.grade.model import Grade, Outcome, Result
from labnet.grade.report.evidence import Detail, lines_of
from labnet.wire.quoting import quoted

MARKS: Final = {
    Outcome.PASSED: "✓",
    Outcome.FAILED: "✗",
    Outcome.BLOCKED: "·",
    Outcome.UNSTABLE: "~",
    Outcome.TROUBLE: "!",
}
_COLOURS: Final = {
    Outcome.PASSED: "\x1b[32m",
    Outcome.FAILED: "\x1b[31m",
    Outcome.BLOCKED: "\x1b[2m",
    Outcome.UNSTABLE: "\x1b[33m",
    Outcome.TROUBLE: "\x1b[35m",
}


def number(points: float) -> str:
    """Points without zeros behind the point."""
    return f"{points:g}"


def summary(grade: Grade) -> str:
    """How it went, in one sentence; never "all passed" while checks are hidden or in trouble."""
    counts = {outcome: len(grade.of(outcome)) for outcome in Outcome}
    told = [f"{count} {outcome}" for outcome, count in counts.items() if count]
    hidden = f"; {grade.hidden} checks of the assignment were not run" if grade.hidden else ""
    return f"{number(grade.score)} of {number(grade.most)} points: {', '.join(told) or 'nothing was run'}{hidden}"


def line_of(result: Result, colour: bool = False) -> str:
    """One check in one line."""
    mark = MARKS[result.outcome]
    if colour:
        mark = f"{_COLOURS[result.outcome]}{mark}\x1b[0m"
    points = f"{number(result.points)}/{number(result.check.points)}" if result.check.points else "advice"
    why = ""
    if result.outcome is Outcome.BLOCKED:
        why = f"  (blocked by {result.blocked_by})"
    elif result.outcome is not Outcome.PASSED:
        why = f"  {quoted(result.seen)}" + (f": {quoted(result.cause)}" if result.cause else "")
        if result.outcome is Outcome.UNSTABLE:
            why = f"  unstable, {result.failures} of {result.runs} runs failed:{why[1:]}"
    return f"{mark} {result.check.title} [{result.check.id}] {points}{why}"


def report(grade: Grade, detail: Detail = Detail.FULL, colour: bool = False) -> Iterator[str]:
    """The page, a line at a time."""
    yield f"{grade.title}: {quoted(grade.program)}"
    yield summary(grade)
    yield f"Level {grade.level} ({grade.level_about}); seed {grade.seed}; {grade.seconds:.0f} s."
    wrong = [result for result in grade.results if result.outcome in (Outcome.FAILED, Outcome.UNSTABLE)]
    wrong.sort(key=lambda result: -result.check.points)
    if wrong and detail is not Detail.TITLE:
        yield ""
        yield "Mend this first"
        for result in wrong:
            yield ""
            yield line_of(result, colour)
            yield f"  The assignment: {result.check.sentence}"
            if detail is Detail.FULL:
                yield f"  What was done: {result.check.does}"
                yield f"  What counts: {result.check.counts}"
            yield from (f"  {line}" for line in lines_of(grade, result, detail))
    yield ""
    yield "All checks"
    for result in grade.results:
        if detail is Detail.TITLE:
            yield f"{MARKS[result.outcome]} {result.check.title}"
        else:
            yield line_of(result, colour)
