"""What the grader speaks of: checks, how they end, and the evidence for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    """Another check failed, and without it this one says nothing."""
    UNSTABLE = "unstable"
    """It failed in some worlds and passed in others."""
    TROUBLE = "our trouble"
    """The grader or its machine is at fault; it never costs points."""


class Failed(Exception):
    """The program does not do what the check wants.

    ``seen`` is one sentence of what was observed; ``cause`` says why, and only where that is shown by what was
    observed. ``expected`` and ``got`` are bytes whose first difference is marked, where bytes decide.
    """

    def __init__(self, seen: str, cause: str = "", expected: bytes | None = None, got: bytes | None = None) -> None:
        super().__init__(seen)
        self.seen = seen
        self.cause = cause
        self.expected = expected
        self.got = got


class NotFoundOut(Exception):
    """The grader could not find out; the text says why."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something of a world's record: ``data`` went from ``source`` to ``target`` at ``time`` (epoch seconds).

    ``kind`` is "sent" for a datagram or a segment, "closed" for the end of a connection, "silence" for what did not
    come, "note" for anything else that is to be known.
    """

    time: float
    source: str
    target: str
    data: bytes = b""
    kind: str = "sent"
    note: str = ""


@dataclass(slots=True)
class Evidence:
    """All that one run of a check left behind."""

    began: float = field(default_factory=time.time)
    events: list[Happening] = field(default_factory=list)
    argv: list[str] = field(default_factory=list)
    output: bytes = b""
    errors: bytes = b""
    thrown_away: int = 0
    """Bytes of output past the bound."""
    status: int | None = None
    """The program's exit status where it ended by itself."""
    capture: bytes = b""
    """A pcapng file: of the world's loopback interface in level A, else of what the judge's own sockets saw."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that an assignment asks for.

    ``sentence`` is the assignment's, ``does`` what the grader does, ``counts`` what counts as right. ``points`` are 0
    for advice. ``run`` is called with a fresh :class:`~labnet.grade.scene.Scene`. ``needs`` are the checks without
    which this one says nothing: it is not begun before they have passed. ``follows`` are those whose failure explains a
    failure of this one; they may run beside it. A ``slow`` one waits for most of its time: its worlds run side by side
    from the start.
    """

    id: str
    title: str
    sentence: str
    does: str
    counts: str
    points: float
    needs: tuple[str, ...]
    run: Callable[[Any], Any]
    follows: tuple[str, ...] = ()
    slow: bool = False


@dataclass(slots=True)
class Result:
    """How a check ended: ``failures`` of ``runs`` worlds, and the evidence of the first failure and the first pass."""

    check: Check
    outcome: Outcome
    seen: str = ""
    cause: str = ""
    blocked_by: str = ""
    expected: bytes | None = None
    got: bytes | None = None
    runs: int = 0
    failures: int = 0
    evidence: Evidence | None = None
    passing: Evidence | None = None
    seconds: float = 0.0

    @property
    def points(self) -> float:
        """What it earns: all or nothing. Our trouble earns all: it is never the program's fault."""
        return self.check.points if self.outcome in (Outcome.PASSED, Outcome.TROUBLE) else 0.0


@dataclass(slots=True)
class Grade:
    """All results of one program, in the assignment's order."""

    assignment: str
    title: str
    program: str
    level: str
    level_about: str
    seed: int
    given: str = ""
    """The program as a command line names it."""
    results: list[Result] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    seconds: float = 0.0
    hidden: int = 0
    """Checks of the assignment that were not run, because only some were asked for."""

    @property
    def score(self) -> float:
        return sum(result.points for result in self.results)

    @property
    def most(self) -> float:
        return sum(result.check.points for result in self.results)

    def of(self, outcome: Outcome) -> list[Result]:
        """The results that ended so."""
        return [result for result in self.results if result.outcome is outcome]

    @property
    def status(self) -> int:
        """The exit status: 0 all passed, 1 something failed or is unstable, 2 our trouble."""
        if self.of(Outcome.FAILED) or self.of(Outcome.UNSTABLE):
            return 1
        return 2 if self.of(Outcome.TROUBLE) or not self.results else 0
