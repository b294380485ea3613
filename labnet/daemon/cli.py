"""The command ``check``."""

from __future__ import annotations

import sys
import time

import click

from labnet.cli.frame import LabCommand
from labnet.wire.quoting import quoted


@click.command(
    cls=LabCommand,
    help="Print everything that is wrong in a configuration file and its records. Exit status: 0 nothing, 1 something.",
    examples=[
        ("labnet check", "the configuration that the lab would run here"),
        ("labnet check /etc/labnet/labnet.toml", "another one, before a reload"),
    ],
)
@click.argument("file", required=False, metavar="[FILE]", help="Default: the one that twistd labnet would run.")
def check(file: str | None) -> int:
    from labnet import config
    from labnet.daemon.running.reload import load_lab

    path = config.find(file)
    try:
        checked, loaded = load_lab(lambda: config.load(path), time.time())
    except config.ConfigError as error:
        for problem in error.problems:
            print(f"labnet: {quoted(problem)}", file=sys.stderr)
        return 1
    for files in loaded.values():
        for warning in files.warnings:
            print(f"labnet: warning: {quoted(warning)}", file=sys.stderr)
    records = sum(files.records for files in loaded.values())
    servers = len(checked.resolver) + (checked.command is not None)
    print(f"{path or 'the built-in lab'}: OK: {servers} server(s), {records} record(s)")
    return 0
