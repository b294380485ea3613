"""The commands ``run``, ``init`` and ``check``."""

from __future__ import annotations

import os
import shlex
import sys
import time

import click

from labnet.cli.frame import LabCommand
from labnet.wire.quoting import quoted


@click.command(
    cls=LabCommand,
    help="Run the lab in this terminal until Ctrl-C or labnet stop: the servers of a configuration file, or without "
    "one a built-in lab, on 127.0.0.1. Exit status: 0 it was stopped, 1 the configuration is wrong or a port is taken.",
    examples=[
        ("labnet run", "the lab of etc/labnet.toml, or the built-in one"),
        ("labnet run --config my.toml", "another one"),
    ],
)
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(readable=False),
    help="The configuration [the one that labnet check finds].",
)
@click.option("-q", "--quiet", is_flag=True, help="No line for each request.")
def run(config: str | None, quiet: bool) -> int:
    from labnet.daemon import foreground

    return foreground.run(config, quiet)


@click.command(
    cls=LabCommand,
    help="Write a configuration with comments, and records, into FOLDER/etc, to be changed. Nothing is overwritten. "
    "Exit status: 0 done, 1 a file is there already or cannot be written.",
    examples=[
        ("labnet init", "etc/labnet.toml and its records, in this folder"),
        ("labnet init mylab", "the same in mylab, which is made"),
        ("labnet init --course zone", "a lab as another course has it (labnet dialect list)"),
    ],
)
@click.argument("folder", required=False, default=".", metavar="[FOLDER]", help="Default: this folder.")
@click.option("--course", metavar="NAME", help="A lab in this dialect: a name of labnet dialect list.")
def init(folder: str, course: str | None) -> int:
    from labnet.builtin.example import ExampleError, write_example
    from labnet.dialects.reader import DialectError

    try:
        paths = write_example(folder, None if course is None else _files_of(course))
    except (ExampleError, DialectError) as error:
        print(f"labnet: {quoted(str(error))}", file=sys.stderr)
        return 1
    for path in paths:
        print(f"wrote {quoted(path)}")
    there = "" if os.path.samefile(folder, ".") else f"cd {quoted(shlex.quote(folder))} && "
    print(f"now: {there}labnet check && labnet run")
    return 0


def _files_of(course: str) -> dict[str, str]:
    from labnet.builtin.course import files_of
    from labnet.dialects.library import find

    return files_of(find(course))


@click.command(
    cls=LabCommand,
    help="Print everything that is wrong in a configuration file and its records. Exit status: 0 nothing, 1 something.",
    examples=[
        ("labnet check", "the configuration that the lab would run here"),
        ("labnet check /etc/labnet/labnet.toml", "another one, before a reload"),
    ],
)
@click.argument(
    "file",
    type=click.Path(readable=False),
    required=False,
    metavar="[FILE]",
    help="Default: the one that twistd labnet would run.",
)
def check(file: str | None) -> int:
    from labnet.config import reading
    from labnet.daemon.base import warnings_of
    from labnet.daemon.running.reload import load_lab

    path = reading.find(file)
    try:
        checked, loaded = load_lab(lambda: reading.load(path), time.time())
    except reading.ConfigError as error:
        for problem in error.problems:
            print(f"labnet: {quoted(problem)}", file=sys.stderr)
        return 1
    for warning in warnings_of(checked, loaded):
        print(f"labnet: warning: {quoted(warning)}", file=sys.stderr)
    records = sum(files.records for files in loaded.values())
    listed = sum(len(each.names) for files in loaded.values() for each in files.lists)
    servers = len(checked.resolver) + (checked.command is not None)
    lists = f", {listed} name(s) on lists" if listed else ""
    print(f"{path or 'the built-in lab'}: OK: {servers} server(s), {records} record(s){lists}")
    return 0
