"""Runs an assignment's checks against a program: as a graph, each in a fresh world, failures confirmed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Final

from labnet.grade.assignment import Assignment
from labnet.grade.lag import LagMeter
from labnet.grade.model import Check, Evidence, Failed, Grade, NotFoundOut, Outcome, Result
from labnet.grade.sandbox.levels import Level, SandboxError
from labnet.grade.scene import Scene
from labnet.grade.submission import Submission, compile_sources

RUNS: Final = 3
"""Fresh worlds in which a failure has to show before it counts."""

AT_ONCE: Final = 16
"""Checks of one program that run side by side; most of them wait."""


def grade(
    assignment: Assignment,
    submission: Submission,
    level: Level,
    seed: int,
    only: Sequence[str] = (),
    done: Callable[[Result], object] = lambda result: None,
    at_once: int = AT_ONCE,
) -> Grade:
    """The grade of ``submission``; ``only`` these checks and what they need, where any are named.

    ``done`` is called with each result as soon as it is there, in the thread of the caller; a failure that another one
    explains is told as blocked only in what is returned.
    """
    began = time.monotonic()
    wanted = assignment.closure(only) if only else [check.id for check in assignment.checks]
    checks = [check for check in assignment.checks if check.id in wanted]
    grade = Grade(assignment.id, assignment.title, submission.name, level.name, level.about, seed, submission.given)
    grade.hidden = len(assignment.checks) - len(checks)
    compile_sources(submission, level)
    lag = LagMeter()
    runner = _Runner(submission, level, seed, lag)
    try:
        results = _run_graph(runner, checks, done, at_once)
    finally:
        lag.close()
    _explain_by(results)
    grade.results = [results[check.id] for check in checks]
    grade.seconds = time.monotonic() - began
    return grade


def _run_graph(
    runner: _Runner, checks: list[Check], done: Callable[[Result], object], at_once: int
) -> dict[str, Result]:
    results: dict[str, Result] = {}
    running: dict[Future[Result], Check] = {}
    todo = list(checks)
    with ThreadPoolExecutor(at_once, "grade") as pool:
        while todo or running:
            for check in list(todo):
                needed = [results.get(other) for other in check.needs]
                if any(result is None for result in needed):
                    continue
                todo.remove(check)
                stopped = next((one for one in needed if one and one.outcome is not Outcome.PASSED), None)
                if stopped is not None:
                    cause = stopped.blocked_by or stopped.check.id
                    results[check.id] = Result(check, Outcome.BLOCKED, f"needs {cause}", blocked_by=cause)
                    done(results[check.id])
                else:
                    running[pool.submit(runner.result_of, check)] = check
            finished, _ = wait(running, return_when=FIRST_COMPLETED) if running else (set(), set())
            for future in finished:
                check = running.pop(future)
                results[check.id] = future.result()
                done(results[check.id])
    return results


class _Runner:
    """Runs single checks; what they find out about the program is shared."""

    def __init__(self, submission: Submission, level: Level, seed: int, lag: LagMeter) -> None:
        self._submission = submission
        self._level = level
        self._seed = seed
        self._lag = lag
        self._facts: dict[str, Any] = {}
        self._lock = threading.Lock()

    def result_of(self, check: Check) -> Result:
        """The result of ``check``, whatever happens."""
        began = time.monotonic()
        result = Result(check, Outcome.PASSED)
        try:
            for evidence, failed in self._worlds(check):
                _count(result, evidence, failed)
        except (NotFoundOut, SandboxError, OSError) as error:
            result.outcome, result.seen = Outcome.TROUBLE, str(error)
        else:
            if result.failures:
                result.outcome = Outcome.FAILED if result.failures == result.runs else Outcome.UNSTABLE
        result.seconds = time.monotonic() - began
        return result

    def _worlds(self, check: Check) -> Iterator[tuple[Evidence, Failed | None]]:
        """What the check's worlds give: one where it passes, else all, those that confirm side by side."""
        seeds = list(range(self._seed, self._seed + RUNS))
        if not check.slow:
            first = self._run(check, seeds.pop(0))
            yield first
            if first[1] is None:
                return
        with ThreadPoolExecutor(len(seeds), "world") as pool:
            yield from pool.map(lambda seed: self._run(check, seed), seeds)

    def _run(self, check: Check, seed: int) -> tuple[Evidence, Failed | None]:
        with self._lock:
            facts = dict(self._facts)
        scene = Scene(self._level, self._submission, facts, self._lag, seed)
        failed = None
        try:
            check.run(scene)
        except Failed as error:
            failed = error
        finally:
            evidence = scene.close()
        if failed is None:
            with self._lock:
                self._facts.update(facts)
        return evidence, failed


def _count(result: Result, evidence: Evidence, failed: Failed | None) -> None:
    result.runs += 1
    if failed is None:
        result.passing = result.passing or evidence
        return
    result.failures += 1
    if result.evidence is None:
        result.evidence, result.seen, result.cause = evidence, failed.seen, failed.cause
        result.expected, result.got = failed.expected, failed.got


def _explain_by(results: dict[str, Result]) -> None:
    """A failure that follows from another one's is told there, and only once."""
    for result in results.values():
        if result.outcome in (Outcome.FAILED, Outcome.UNSTABLE):
            for other in result.check.follows:
                if results[other].outcome in (Outcome.FAILED, Outcome.BLOCKED):
                    result.outcome, result.blocked_by = Outcome.BLOCKED, results[other].blocked_by or other
                    result.seen = f"needs {result.blocked_by}"
                    break
