"""The commands that ask a running lab, or have it do something."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import click

from labnet.cli.frame import LabCommand, LabGroup, forms
from labnet.cli.missing import needs
from labnet.console.running import Looking, Where, control_of, on_running_lab
from labnet.wire.quoting import quoted

if TYPE_CHECKING:
    from labnet.console.asking import Control
    from labnet.console.rates import Snapshot

_RELOAD: Final = 120.0
"""Seconds that a reload may take: a million records are read for some of them."""

_BETWEEN: Final = 1.0
"""Seconds between two snapshots, whose difference gives the queries per second."""


@click.command(
    cls=LabCommand,
    help="Show the troubles of a running lab, then services, listeners, queries a second, parents and workers; in a "
    "terminal until q or Ctrl-C, with keys to filter and sort. Exit status: 0, or 2 where no lab answers.",
    examples=[
        ("labnet status", "the page, until q or Ctrl-C"),
        ("labnet status --json", "the same for a program, once"),
    ],
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, once.")
@click.option("--once", is_flag=True, help="Print the page once; so it is where no terminal reads it.")
@on_running_lab
def status(where: Where, as_json: bool, once: bool) -> int:
    from labnet.console.rates import rates

    if not as_json:
        with needs("rich", "console", "labnet status --json goes without"):
            import rich.console  # noqa: F401
    with control_of(where) as control:
        before = _snapshot(control)
        time.sleep(_BETWEEN)
        now = _snapshot(control)
        if as_json:
            print(json.dumps({**now.status, "rates": rates(before, now), "samples": now.samples}, indent=2))
        elif once or not sys.stdout.isatty():
            _print(before, now)
        elif _has_screen():
            _show_screen(Looking(where, control), before, now)
        else:
            _watch(control, before, now)
    return 0


def _has_screen() -> bool:
    """Whether a terminal takes keys and moves its cursor, and textual, which draws on stderr, is installed."""
    is_able = (
        sys.stdin.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
    )
    return is_able and find_spec("textual") is not None


def _show_screen(looking: Looking, before: Snapshot, now: Snapshot) -> None:
    from labnet.console.screen import StatusScreen

    with looking:
        StatusScreen(before, now, lambda: _snapshot(looking), _BETWEEN).run()


def _snapshot(control: Control | Looking) -> Snapshot:
    from labnet.console.rates import Snapshot

    status, samples = control.ask("status"), control.ask("samples")
    return Snapshot(time.monotonic(), status, samples)


def _print(before: Snapshot, now: Snapshot) -> None:
    from rich.console import Console

    from labnet.console.status import page

    terminal = sys.stdout.isatty()
    Console(width=None if terminal else 160, emoji=False, markup=False).print(page(before, now))


def _watch(control: Control, before: Snapshot, now: Snapshot) -> None:
    from rich.console import Console
    from rich.live import Live

    from labnet.console.status import page

    try:
        with Live(console=Console(emoji=False, markup=False), screen=True, auto_refresh=False) as live:
            while True:
                live.update(page(before, now), refresh=True)
                time.sleep(_BETWEEN)
                before, now = now, _snapshot(control)
    except KeyboardInterrupt:
        return


@click.command(
    cls=LabCommand,
    help="Have a running lab stop, and wait until it is gone: what is in flight is answered, what was learned is kept. "
    "Exit status: 0 done, 2 no lab answers.",
    examples=[
        ("labnet stop", "the lab that labnet run or twistd labnet runs here"),
        ("labnet stop --config my.toml", "another one"),
    ],
)
@on_running_lab
def stop(where: Where) -> int:
    with control_of(where) as control:
        control.stop()
    print("stopped")
    return 0


@click.command(
    cls=LabCommand,
    help="Have a running lab check and take its configuration and records. Exit status: 0 done, 1 something is wrong "
    "in them and nothing has changed, 2 no lab answers.",
    examples=[("labnet reload", "take what etc/labnet.toml and the records files say now")],
)
@on_running_lab
def reload(where: Where) -> int:
    from labnet.console.control import CLOSED_BY_EXIT

    with control_of(where, _RELOAD) as control:
        problems = control.ask("reload")
        services = [] if problems else control.ask("status")["services"]
    if any(service["state"] == CLOSED_BY_EXIT for service in services):
        print("labnet: EXIT has closed the command server: labnet command-server open opens it again", file=sys.stderr)
    return _outcome(problems, "reloaded")


@click.group(cls=LabGroup, help="Open the command server of a running lab again.")
def command_server() -> None:
    pass


@command_server.command(
    "open",
    help="Have the command server of a running lab listen again after an EXIT has closed it. Exit status: 0 done, 1 it "
    "cannot, 2 no lab answers.",
    examples=[("labnet command-server open", "after an EXIT")],
)
@on_running_lab
def open_command_server(where: Where) -> int:
    with control_of(where) as control:
        problems = control.ask("open-command-server")
    return _outcome(problems, "the command server is open")


def _outcome(problems: list[str], done: str) -> int:
    """Print what is wrong, or what is ``done``; the exit status."""
    for problem in problems:
        print(f"labnet: {quoted(problem)}", file=sys.stderr)
    if not problems:
        print(done)
    return 1 if problems else 0


@click.command(
    cls=LabCommand,
    help="Have a running lab forget what it learned: of NAME and of all names below it, of every name, or that "
    "something is not there. NAME is as labnet cache dump prints it. Exit status: 0, 2 no lab answers.",
    examples=[
        ("labnet flush example.org", "example.org and all below it"),
        ("labnet flush --all", "everything"),
        ("labnet flush --negative", "that names and records are not there, and that parents failed"),
    ],
)
@click.argument("name", required=False, metavar="[NAME]", help="The name, and every name below it.")
@forms(all="Of every name.", negative="What is not there alone: NXDOMAIN, NODATA, and failures.")
@on_running_lab
def flush(where: Where, name: str | None, form: str | None) -> int:
    if (name is None) == (form is None):
        raise click.UsageError("one of NAME, --all and --negative is to be forgotten", click.get_current_context())
    with control_of(where) as control:
        asked = ("flush-negative", {}) if form == "negative" else ("flush", {"name": name or "."})
        count = control.ask(asked[0], **asked[1])
    print(f"{count} answer(s) forgotten")
    return 0


@click.group(cls=LabGroup, help="Look into what a running lab learned.")
def cache() -> None:
    pass


@cache.command(
    help="Print what a running lab has learned, as in a master file. Exit status: 0, 2 no lab answers.",
    examples=[("labnet cache dump main", "what the resolver main learned")],
)
@click.argument("resolver", required=False, metavar="[RESOLVER]", help="Of this resolver alone.")
@on_running_lab
def dump(where: Where, resolver: str | None) -> int:
    with control_of(where) as control:
        for line in control.stream("dump", resolver=resolver):
            print(quoted(line))
    return 0
