"""The conformance tables: what goes over the wire in each dialect, as data."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

TABLES = Path(__file__).with_name("tables")


class Case(NamedTuple):
    """What a client sends, in segments, and what comes back, None for nothing; ``closed`` by the server then.

    In place of ``out`` a pattern may stand, which that is ``like``.
    """

    what: str
    segments: list[bytes]
    out: bytes | None
    closed: bool = False
    like: bytes | None = None


class Reply(NamedTuple):
    """What a server sends, and what a client makes of it."""

    what: str
    message: bytes
    says: str


class Table(NamedTuple):
    """The table of one dialect: a records file, and cases in both directions for the question of ``www.a``."""

    dialect: str
    records: bytes
    question: bytes
    server: list[Case]
    client: list[Reply]


def tables() -> Iterator[Table]:
    for path in sorted(TABLES.glob("*.toml")):
        yield _table(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))


def _table(dialect: str, found: dict[str, Any]) -> Table:
    server = [
        Case(
            each["what"],
            _segments(each["in"]),
            _bytes(each.get("out")),
            each.get("closed", False),
            _bytes(each.get("like")),
        )
        for each in found["server"]
    ]
    client = [Reply(each["what"], _bytes(each["in"]) or b"", each["says"]) for each in found.get("client", [])]
    records, question = _bytes(found.get("records", "")) or b"", _bytes(found.get("question", "www.a")) or b""
    return Table(dialect, records, question, server, client)


def _segments(value: str | list[str]) -> list[bytes]:
    return [each.encode("latin-1") for each in ([value] if isinstance(value, str) else value)]


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else value.encode("latin-1")
