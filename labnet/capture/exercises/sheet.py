"""Exercises as data: a TOML file of questions, each bound to a fact (:mod:`~labnet.capture.exercises.topics`)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from labnet.capture.exercises.model import ExerciseAnswer
from labnet.capture.exercises.topics import Topics, check_fact, kind_of
from labnet.capture.model import CaptureError, Dissected
from labnet.capture.packet.applications import ApplicationData

KINDS = ("address", "addresses", "mac", "number", "ethertype", "protocol", "name", "list", "quantity", "text")


@dataclass(frozen=True)
class Sheet:
    """An exercise that was read: its title, and each question with the fact that answers it."""

    title: str
    questions: tuple[tuple[ExerciseAnswer, str], ...]


def shipped() -> list[str]:
    """The names of the exercises that come with labnet as data."""
    return sorted(one.name.removesuffix(".toml") for one in (resources.files(__package__) / "sheets").iterdir()
                  if one.name.endswith(".toml"))  # fmt: skip


def read_exercise(name: str) -> Sheet:
    """The exercise of that name, or in the file ``name`` where it ends in ``.toml``. Raises :class:`CaptureError`."""
    try:
        if name.endswith(".toml"):
            text = Path(name).read_text(encoding="utf-8")
        else:
            text = (resources.files(__package__) / "sheets" / f"{name}.toml").read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise CaptureError(f"{name}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CaptureError(f"{name}: is no TOML: {error}") from None
    questions: list[tuple[ExerciseAnswer, str]] = []
    problems = list(_read(name, table, questions))
    if problems:
        raise CaptureError("\n".join(problems))
    return Sheet(str(table.get("title", name)), tuple(questions))


def _read(name: str, table: dict[str, Any], questions: list[tuple[ExerciseAnswer, str]]) -> Iterator[str]:
    """Read the questions; gives everything that is wrong, each in a sentence with its place."""
    asked = table.get("question")
    if not isinstance(asked, list) or not asked:
        yield f"{name}: has no questions: each is a table [[question]] with key, ask and fact"
        return
    keys: set[str] = set()
    for number, one in enumerate(asked, 1):
        place = f"{name}: question {number}"
        if not isinstance(one, dict):
            yield f"{place}: is no table: write [[question]]"
            continue
        unknown = one.keys() - {"key", "ask", "fact", "kind", "explain"}
        missing = {"key", "ask", "fact"} - one.keys()
        if unknown or missing:
            what = (
                f"has no {', '.join(sorted(missing))}" if missing else f"has unknown keys {', '.join(sorted(unknown))}"
            )
            yield f"{place}: {what}; a question has key, ask, fact, and may have kind and explain"
            continue
        key, fact = str(one["key"]), str(one["fact"])
        kind = str(one.get("kind", kind_of(fact)))
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", key) or key in keys:
            yield f"{place}: key {key!r} has to be small letters, digits and underscores, and no other question's"
        if (wrong := check_fact(fact)) is not None:
            yield f"{place} ({key}): {wrong}"
        if kind not in KINDS:
            yield f"{place} ({key}): kind {kind!r} is none of {', '.join(KINDS)}"
        keys.add(key)
        explanation = str(one.get("explain", ""))
        questions.append((ExerciseAnswer(key, str(one["ask"]), kind, explanation=explanation), fact))


class SheetExercise:
    """An exercise that a :class:`Sheet` describes."""

    def __init__(self, sheet: Sheet) -> None:
        self.title = sheet.title
        self.frames: dict[int, Dissected] = {}
        self._sheet = sheet
        self._topics = Topics()

    def wants(self, frame: Dissected) -> bool:
        return frame.ports is not None

    def see(self, frame: Dissected, message: ApplicationData | None) -> bool:
        self._topics.see(frame, message)
        return False

    def candidates(self) -> Iterator[list[ExerciseAnswer]]:
        answers = [self._topics.answer(question, fact) for question, fact in self._sheet.questions]
        proved = {one.frame for answer in answers for one in answer.proofs}
        self.frames = {frame.packet.number: frame for frame in self._topics.frames() if frame.packet.number in proved}
        yield answers
