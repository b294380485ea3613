"""Assignments as data: a TOML file has the sentences and points, a Python module beside it what is done.

A teacher's own file may extend one that comes with labnet: it changes points and words of checks, leaves some out, and
adds others of its own module.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

from labnet.grade.model import Check
from labnet.values.model import Checks, Model, ModelError
from labnet.values.model import field as key

_INHERITED: Final = ("title", "sentence", "does", "counts", "points", "needs", "follows", "slow")

SHIPPED: Final = ("command", "command-lines", "command-client", "resolver", "resolver-client", "zone", "hostname-table")


class AssignmentError(Exception):
    """The file is no assignment; each problem is a sentence."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


def _id(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+", value):
        raise ValueError(f"must be of small letters, digits and hyphens, not {value!r}")
    return value


class CheckEntry(Model):
    """One ``[[check]]``."""

    id: Annotated[str, Checks(_id)]
    title: str | None = None
    sentence: str | None = None
    does: str | None = None
    counts: str | None = None
    points: float | None = key(None, ge=0, le=1000)
    needs: tuple[str, ...] | None = None
    follows: tuple[str, ...] | None = None
    slow: bool | None = None
    function: str | None = None


class AssignmentFile(Model):
    """An assignment's file."""

    title: str
    about: str = ""
    extends: str | None = None
    module: str | None = None
    """A module of labnet.grade.checks, or the path of a Python file beside this one."""
    leave_out: tuple[str, ...] = ()
    check: tuple[CheckEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """``checks`` stand in the order in which they are told."""

    id: str
    title: str
    about: str
    checks: tuple[Check, ...]
    functions: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What its checks can be made of; an assignment that extends it has them too."""

    def closure(self, wanted: Iterable[str]) -> set[str]:
        """The ids of ``wanted`` and all that they need. Raises :class:`AssignmentError` for one that is not there."""
        by_id = {check.id: check for check in self.checks}
        found: set[str] = set()
        todo = list(wanted)
        while todo:
            one = todo.pop()
            if one not in by_id:
                raise AssignmentError([f"{self.id} has no check {one!r}: {', '.join(by_id)}"])
            if one not in found:
                found.add(one)
                todo += (*by_id[one].needs, *by_id[one].follows)
        return found


def load(name: str) -> Assignment:
    """The assignment ``name``: one of :data:`SHIPPED`, or the path of a TOML file. Raises :class:`AssignmentError`."""
    if name in SHIPPED:
        text = (resources.files("labnet.grade") / "assignments" / f"{name}.toml").read_text("utf-8")
        return _made(name, text, name, None)
    if not name.endswith(".toml"):
        raise AssignmentError([f"{name!r} is no assignment: {', '.join(SHIPPED)}, or a file that ends in .toml"])
    try:
        text = Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AssignmentError([f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from None
    return _made(Path(name).stem, text, name, Path(name).parent)


def _made(id: str, text: str, where: str, folder: Path | None) -> Assignment:
    try:
        file = AssignmentFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise AssignmentError([f"{where}: no TOML: {error}"]) from None
    except ModelError as error:
        raise AssignmentError(f"{where}: {place}: {says}" for place, says in error.problems) from None
    base = load(file.extends) if file.extends else None
    checks = {check.id: check for check in base.checks} if base else {}
    problems = [
        f"{where}: leave_out names {one!r}, which {file.extends} has not" for one in file.leave_out if one not in checks
    ]
    for one in file.leave_out:
        checks.pop(one, None)
    functions = {**(base.functions if base else {}), **_functions(file.module, where, folder)}
    for entry in file.check:
        try:
            checks[entry.id] = _check(entry, checks.get(entry.id), functions)
        except ValueError as error:
            problems.append(f"{where}: check {entry.id}: {error}")
    problems += [
        f"{where}: check {check.id} needs {one!r}, which is not there"
        for check in checks.values()
        for one in (*check.needs, *check.follows)
        if one not in checks
    ]
    if problems:
        raise AssignmentError(problems)
    return Assignment(id, file.title, file.about or (base.about if base else ""), tuple(checks.values()), functions)


def _check(entry: CheckEntry, before: Check | None, functions: dict[str, Any]) -> Check:
    run: Callable[..., Any] | None
    if before is not None and entry.function is None:
        run = before.run
    else:
        run = functions.get(entry.function or entry.id.replace("-", "_"))
    if run is None:
        raise ValueError(f"there is no function {entry.function or entry.id.replace('-', '_')}")
    values = {"points": 0.0, "needs": ()} if before is None else {key: getattr(before, key) for key in _INHERITED}
    given = {name: getattr(entry, name) for name in entry.model_fields if name not in ("id", "function")}
    values |= {name: value for name, value in given.items() if value is not None}
    missing = [key for key in ("title", "sentence", "does", "counts") if not values.get(key)]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    return Check(id=entry.id, run=run, **values)


def _functions(module: str | None, where: str, folder: Path | None) -> dict[str, Any]:
    if module is None:
        return {}
    if folder is None:
        return vars(importlib.import_module(f"labnet.grade.checks.{module}"))
    path = folder / module
    try:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise AssignmentError([f"{where}: module {module!r} is no Python file"])
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
    except (OSError, SyntaxError, ImportError) as error:
        raise AssignmentError([f"{where}: module {module!r} cannot be loaded: {error}"]) from None
    return vars(loaded)
