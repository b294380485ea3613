"""The command ``dialect``: which dialects there are, what one says, whether a file is one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from labnet.cli.frame import LabCommand, LabGroup
from labnet.dialects.library import find, path_of, shipped
from labnet.dialects.model import Dialect
from labnet.dialects.reader import DialectError
from labnet.wire.quoting import quoted

if TYPE_CHECKING:
    from labnet.dialects.trial import Message


@click.group(cls=LabGroup, help="Show and check dialects: how courses word the two protocols, each a file.")
def dialect() -> None:
    pass


@dialect.command(
    "list",
    cls=LabCommand,
    help="List the dialects that labnet has, with the command lines of their courses' programs. Exit status: 0.",
    examples=[("labnet dialect list", "find the one of a course")],
)
def list_() -> int:
    for name in shipped():
        one = find(name)
        print(f"{name:26}{one.transport:5}{one.title}")
        for role, line in one.lines.items():
            print(f"{'':26}     {role} {line}")
    return 0


@dialect.command(
    cls=LabCommand,
    help="Print the file of a dialect, to begin one's own with. Exit status: 0, 1 there is none of that name.",
    examples=[("labnet dialect show zone > mine.toml", "begin a dialect with another one")],
)
@click.argument("name", metavar="NAME", help="A name of labnet dialect list.")
def show(name: str) -> int:
    try:
        find(name)
    except DialectError as error:
        return _failed(error)
    with open(path_of(name), encoding="utf-8") as file:
        print(file.read(), end="")
    return 0


@dialect.command(
    cls=LabCommand,
    help="Print everything that is wrong in a dialect file. Exit status: 0 nothing, 1 something.",
    examples=[("labnet dialect check mine.toml", "before a lab or a grader uses it")],
)
@click.argument("file", metavar="FILE", help="The file, or the name of a dialect.")
def check(file: str) -> int:
    from labnet.dialects.trial import problems_of

    found = _found(file)
    if found is None:
        return 1
    problems = problems_of(found)
    for problem in problems:
        print(f"labnet: {quoted(file)}: {quoted(problem)}", file=sys.stderr)
    if not problems:
        print(f"{quoted(file)}: OK: {quoted(found.title)}")
    return 1 if problems else 0


@dialect.command(
    "try",
    cls=LabCommand,
    help="Have both ends of a dialect talk to each other in memory, and print the bytes of each case. Exit status: 0, "
    "1 the file is wrong, or one end does not understand the other.",
    examples=[("labnet dialect try zone", "see what goes over the wire")],
)
@click.argument("file", metavar="FILE", help="The file, or the name of a dialect.")
def try_(file: str) -> int:
    from labnet.dialects.trial import trials

    found = _found(file)
    if found is None:
        return 1
    is_wrong = False
    for trial in trials(found):
        print(trial.what)
        for message in trial.messages:
            print(f"  {_line(message)}")
            is_wrong = is_wrong or bool(message.problem)
    return 1 if is_wrong else 0


def _line(message: Message) -> str:
    arrow = "client → server" if message.sender == "client" else "server → client"
    data = "(nothing)" if message.data is None else repr(message.data)[1:]
    says = f"WRONG: {message.problem}" if message.problem else message.means
    return quoted(f"{arrow}  {data}" + (f"  {says}" if says else ""))


def _found(file: str) -> Dialect | None:
    try:
        return find(file)
    except DialectError as error:
        _failed(error)
        return None


def _failed(error: DialectError) -> int:
    for problem in error.problems:
        print(f"labnet: {quoted(problem)}", file=sys.stderr)
    return 1
