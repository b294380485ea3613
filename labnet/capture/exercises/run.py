"""One exercise on one capture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from labnet.capture.exercises.arp import ARP
from labnet.capture.exercises.dhcp import DHCP
from labnet.capture.exercises.http import HTTP
from labnet.capture.exercises.ip import IPHeader
from labnet.capture.exercises.model import Exercise, ExerciseAnswer
from labnet.capture.exercises.nat import NAT
from labnet.capture.exercises.sheet import SheetExercise, read_exercise
from labnet.capture.exercises.trace import Trace
from labnet.capture.files.formats import PROGRESS, open_capture
from labnet.capture.model import Dissected
from labnet.capture.packet.applications import recognise
from labnet.capture.packet.dissect import dissect
from labnet.capture.packet.fragments import Fragments
from labnet.capture.traffic.course_servers import CourseServers
from labnet.capture.traffic.exchanges import Exchanges
from labnet.ladder.model import Ladder

MOST_OTHERS: Final = 1000
"""Exchanges of one capture by which a student's answers are marked."""

EXERCISES: Final[dict[str, Callable[[], Exercise]]] = {
    "ip": IPHeader, "dhcp": DHCP, "arp": ARP, "http": HTTP, "trace": Trace,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Done:
    """An exercise done: ``frames`` are those that the answers speak of, ``stopped`` where the file ended early."""

    name: str
    title: str
    answers: list[ExerciseAnswer]
    others: list[list[ExerciseAnswer]]
    """The answers by other exchanges of the capture, which are as right; only where they were asked for."""
    frames: dict[int, Dissected]
    stopped: str | None
    ladder: Ladder | None = None
    """Who sent what to whom, of an exercise that has such a picture."""


def run(
    name: str,
    path: str,
    progress: Callable[[float], None],
    exchange: int = 0,
    every: bool = False,
    outside: str | None = None,
) -> Done:
    """The exercise ``name``, or that of the file ``name`` (``.toml``), on the capture at ``path``; ``progress`` is
    called with how much is read, 0 to 1.

    ``exchange`` picks one for the trace, from 1; 0 is the first of the course's protocol. ``every`` looks for all
    exchanges that can be meant, at most :data:`MOST_OTHERS`; else reading ends when the first is answered.
    ``outside`` is the second capture of the exercise on address translation. Raises
    :class:`labnet.capture.model.CaptureError`.
    """
    exercise = _exercise(name, exchange, outside)
    unread: Counter[str] = Counter()
    fragments, exchanges, servers = Fragments(), Exchanges(), CourseServers(path)
    with open_capture(path) as capture:
        for packet in capture:
            frame, message = dissect(packet), None
            if frame.unread:
                unread[frame.unread] += 1
            if frame.fragment is not None:
                fragments.join(frame)
            if exercise.wants(frame):
                message = recognise(frame, exchanges.expects(frame), servers.speaks)
                if message is not None:
                    for _ in exchanges.add(frame, message):
                        pass
            if packet.number % PROGRESS == 0:
                progress(capture.progress)
            if exercise.see(frame, message) and not every:
                break
        progress(1.0)
        candidates = islice(exercise.candidates(), MOST_OTHERS if every else 1)
        first, *others = [[_with_unread(answer, unread) for answer in answers] for answers in candidates]
        ladder = exercise.ladder if isinstance(exercise, Trace) else None
        return Done(slug(name), exercise.title, first, others, exercise.frames, capture.stopped, ladder)


def slug(name: str) -> str:
    """The name of an exercise as the table in a sheet of answers has it: of a file its name without the end."""
    return Path(name).stem if name.endswith(".toml") else name


def _exercise(name: str, exchange: int, outside: str | None) -> Exercise:
    if name == "trace":
        return Trace(exchange)
    if name == "nat":
        return NAT(outside)
    return EXERCISES[name]() if name in EXERCISES else SheetExercise(read_exercise(name))


def _with_unread(answer: ExerciseAnswer, unread: Counter[str]) -> ExerciseAnswer:
    """An answer that is missing does not say that the capture has none where some packets cannot be read."""
    if answer.value is not None or not unread:
        return answer
    named = ", ".join(f"{count} of {what}" for what, count in unread.most_common(3))
    return replace(answer, missing=f"{answer.missing} Not read here: packets ({named}).")
