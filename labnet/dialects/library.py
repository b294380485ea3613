"""Where dialects are: those that are shipped, by name, and files, by path."""

from __future__ import annotations

import os
from functools import lru_cache

from labnet.dialects.model import Dialect
from labnet.dialects.reader import LARGEST, DialectError, read_dialect

FOLDER = os.path.dirname(os.path.abspath(__file__))
SUFFIX = ".toml"


def shipped() -> list[str]:
    """The names of the dialects that labnet has."""
    return sorted(file.removesuffix(SUFFIX) for file in os.listdir(FOLDER) if file.endswith(SUFFIX))


def is_path(named: str) -> bool:
    """Whether ``named`` is the path of a file, and not a name: it has a slash, or ends as such files do."""
    return "/" in named or named.endswith(SUFFIX)


def path_of(named: str) -> str:
    """The path of the file of the dialect ``named``, which need not be there."""
    return named if is_path(named) else os.path.join(FOLDER, named + SUFFIX)


def find(named: str) -> Dialect:
    """The dialect ``named``: a name, or the path of a file. Raises :class:`~labnet.dialects.reader.DialectError`."""
    return _read(named) if is_path(named) else _shipped(named)


@lru_cache(maxsize=64)
def _shipped(name: str) -> Dialect:
    if name not in shipped():
        known = ", ".join(shipped())
        raise DialectError([f"there is no dialect {name!r}: write the path of a file, or one of {known}"])
    return _read(path_of(name))


def _read(path: str) -> Dialect:
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise DialectError([f"{path}: cannot be read: {error.strerror}"]) from None
    if len(content) > LARGEST:
        raise DialectError([f"{path}: is longer than the {LARGEST} bytes of a dialect file"])
    name = os.path.basename(path).removesuffix(SUFFIX)
    try:
        return read_dialect(name, content)
    except DialectError as error:
        raise DialectError([f"{path}: {problem}" for problem in error.problems]) from None
