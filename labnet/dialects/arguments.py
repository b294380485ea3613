"""The command lines of the courses' servers, read as each dialect has them (sans-IO).

A line is words: ``PORT`` is where to listen; ``…_IP`` or ``…_HOST`` and the ``…_PORT`` behind it are a server to ask,
where ``-1 -1`` is none; a word that ends in ``FILE`` is the records file; ``X`` or ``SECONDS`` is how long what is
learned lives. A word in brackets may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from labnet.dialects.model import Dialect

CLIENT = "client"
"""The role whose line is no server's."""


class Arguments(NamedTuple):
    """What a server is started with, as text; nothing is checked but how many there are."""

    role: str
    port: str
    parents: tuple[tuple[str, str], ...] = ()
    records: str = ""
    seconds: str | None = None


def read_arguments(dialect: Dialect, given: Sequence[str]) -> Arguments:
    """What ``given`` says by the first role's line that has as many words. Raises ValueError."""
    lines = {role: line.split() for role, line in dialect.lines.items() if role != CLIENT}
    for role, words in lines.items():
        least = sum(1 for word in words if not word.startswith("["))
        if least <= len(given) <= len(words):
            return _read(role, [word.strip("[]") for word in words], given, dialect.records.file)
    wants = " or ".join(" ".join(words) for words in lines.values())
    if not wants:
        raise ValueError(f"the dialect {dialect.name} has no line of a server")
    raise ValueError(f"wants {wants}")


def _read(role: str, words: Sequence[str], given: Sequence[str], file: str) -> Arguments:
    port, records, seconds, host = "", file, None, ""
    parents = []
    for word, text in zip(words, given, strict=False):
        if word == "PORT":
            port = text
        elif word.endswith("FILE"):
            records = text
        elif word in ("X", "SECONDS"):
            seconds = text
        elif word.endswith(("_IP", "_HOST")):
            host = text
        elif (host, text) != ("-1", "-1"):
            parents.append((host, text))
    return Arguments(role, port, tuple(parents), records, seconds)
