"""Names that a dialogue completes: those of the lab that would run in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from labnet.net.kernel.regular import read_regular

_LARGEST: Final = 1_000_000
"""Bytes of a records file that is looked into; a larger one is passed over."""


def known_names() -> list[str]:
    """The names in the course's records files of the lab's resolvers, and what these learned, as far as it is readable.

    A configuration or a file that cannot be read has none: who types a name is not to be told of it.
    """
    from labnet.config import reading  # in the background: it takes longer than a person takes for a letter

    try:
        lab = reading.load(reading.find())
    except reading.ConfigError:
        return []
    paths = [file.path for resolver in lab.resolver.values() for file in resolver.records]
    paths += [resolver.learned for resolver in lab.resolver.values() if resolver.learned is not None]
    return [name for path in paths for name in _names(path)]


def _names(path: str) -> Iterator[str]:
    try:
        lines = read_regular(path, largest=_LARGEST).decode(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        name, comma, _ = line.partition(",")
        if comma and name.strip() and not name.lstrip().startswith("#"):
            yield name.strip()
