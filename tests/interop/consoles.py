"""The console blocks of README.md and of the pages, and what is compared of what they show.

A block's classes say what it is: ``:class:`` of ``code-block:: console``, in Markdown the words behind ``console``.

``terminal``
   Its last command goes on, in a terminal of its own, to the end of the page.
``beside``
   Its last command goes on too, and shows all but its first line by what the next block types.
``dialogue``
   Its command asks, and what stands behind a prompt is typed.
``anew``
   Ctrl-C is typed in every terminal before.
``figures``
   Its numbers are those of another day.
``captures``
   It needs captures of the reader's own; those of the exercises stand for them.
``machine``, ``peer``, ``network``
   It needs a machine that systemd has booted, a program that is not there, or the package index: it is not typed.

What stands behind ``#`` is typed by root, as all is; a copy of the machine takes what it changes. A file with a caption
is written when it comes, one with an absolute path into that copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

NOT_RUN: Final = frozenset({"machine", "peer", "network"})
CLASSES: Final = NOT_RUN | {"terminal", "beside", "dialogue", "anew", "figures", "captures"}

HOME: Final = "/home/ada/labnet"
"""The checkout of the pages."""

VARYING: Final = (
    (r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d (?:UTC )?\d{4}", "CTIME"),
    (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "HTTP-DATE"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+(?:[+-]\d{4}|Z)?", "ISO"),
    (r"^\d\d:\d\d:\d\d ", "CLOCK "),
    (r"\b1\d{9}(?:\.\d+)?\b", "EPOCH"),
    (r"\bup \d+ \w+(?: \d+ \w+)?", "up N"),
    (r"\bid: \d+", "id: N"),
    (r"COOKIE: [0-9a-f]+", "COOKIE: N"),
    (r"\b\d+(?:\.\d+)? (ms|msec|s|min|h)\b", r"N \1"),
    (r"your port is \d+", "your port is N"),
    (r"DiG \S+", "DiG"),
    (r"([\w.]+\.)\s+\d{1,2}\s+IN\b", r"\1 N IN"),  # a TTL that is counted down
    (r"[ \t]+", " "),
)
"""What is another with every run, and what stands for it when two texts are compared."""


@dataclass(frozen=True)
class Command:
    """One command with the lines that it is shown to print."""

    text: str
    shown: list[str]


@dataclass(frozen=True)
class Block:
    """One block of a page: commands that are typed one after the other, or a file that has a caption."""

    page: str
    line: int
    classes: frozenset[str] = frozenset()
    commands: list[Command] = field(default_factory=list)
    file: str = ""
    text: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The console blocks and the files with a caption in ``page``, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if page.suffix == ".md" and line.startswith("```console"):
            body = lines[number : lines.index("```", number)]
            yield _console(page, number, line.split()[1:], body)
        elif line.startswith(".. code-block:: "):
            options, body = _directive(lines[number:])
            if line.endswith(" console"):
                yield _console(page, number, options.get("class", "").split(), body)
            elif "caption" in options:
                yield Block(page.name, number, file=options["caption"], text="\n".join(body) + "\n")


def _directive(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    inner: list[str] = []
    for line in lines:
        if line and not line.startswith("   "):
            break
        inner.append(line[3:])
    at = inner.index("")
    options = dict(re.findall(r"^:(\w+): (.*)$", "\n".join(inner[:at]), re.MULTILINE))
    return options, "\n".join(inner[at:]).strip("\n").split("\n")


def _console(page: Path, number: int, classes: list[str], body: list[str]) -> Block:
    commands: list[Command] = []
    for line in body:
        if line.startswith(("$ ", "# ")):
            commands.append(Command(line[2:], []))
        elif commands and commands[-1].text.endswith("\\"):
            commands[-1] = Command(f"{commands[-1].text}\n{line}", [])
        elif commands:
            commands[-1].shown.append(line)
    return Block(page.name, number, frozenset(classes), commands)


def differs(shown: list[str], lines: list[str], checkout: Path, any_figures: bool) -> str:
    """Which line of ``shown`` is not among the ``lines`` in its turn; "" where all are. ``…`` is any lines."""
    wanted = [_steady(line.replace(HOME, str(checkout)), any_figures) for line in shown if line.strip()]
    given = [_steady(line, any_figures) for line in lines if line.strip()]
    at, is_free = 0, False
    for line in wanted:
        if line == "…":
            is_free = True
            continue
        found = given.index(line, at) if is_free and line in given[at:] else at
        if found >= len(given) or given[found] != line:
            return f"the page shows {line!r}, here it is {given[found] if found < len(given) else 'the end'!r}"
        at, is_free = found + 1, False
    return "" if is_free or at == len(given) else f"the page lacks {given[at]!r}"


def _steady(line: str, any_figures: bool) -> str:
    for pattern, word in VARYING:
        line = re.sub(pattern, word, line)
    return (re.sub(r"\d[\d.,:%]*", "N", line) if any_figures else line).strip()
