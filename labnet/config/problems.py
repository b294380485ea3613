"""What is wrong with a configuration, in sentences made of what pydantic found."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


def problems_of(error: ValidationError, whole: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """The dotted key and what is wrong with it, for each problem with what was to be ``whole``."""
    problems = error.errors()
    wrong = [problem["loc"] for problem in problems]
    for problem in problems:
        path = [str(part) for part in problem["loc"]]
        key, kind, given = ".".join(path), problem["type"], problem.get("input")
        if kind == "too_short" and isinstance(given, tuple):
            # Pydantic counts only the items that were right, so a list with a wrong one looks empty too.
            if not any(loc[:-1] == problem["loc"] for loc in wrong):
                yield key, "must name at least one"
            continue
        if kind == "extra_forbidden":
            near = difflib.get_close_matches(path[-1], _table_of(path, whole).model_fields, 1)
            yield key, "there is no such key" + (f"; did you mean {near[0]}?" if near else "")
        elif kind == "missing":
            yield key, "this key is needed"
        elif kind == "value_error":
            yield key, problem["msg"].removeprefix("Value error, ")
        elif kind.endswith("_type"):
            expected = problem["msg"].removeprefix("Input should be ")
            expected = expected.replace("a valid integer", "an integer").replace("valid ", "")
            yield key, f"must be {'a table' if 'dictionary' in expected else expected}, not {given!r}"
        else:
            yield key, f"{problem['msg'].replace('Input s', 'S')}, not {given!r}".replace("Should be", "must be")


def _table_of(path: Sequence[str], whole: type[BaseModel]) -> type[BaseModel]:
    """The table that the last key of ``path`` is in; what is no key of a table is a name, or a place in a list."""
    table = whole
    for key in path[:-1]:
        if key in table.model_fields:
            table = next(_tables_in(table.model_fields[key].annotation), table)
    return table


def _tables_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _tables_in(part)
