"""The subcommands of the ``labnet`` command that ask a running lab, or have it do something."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import tomllib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from labnet.wire.quoting import quoted

if TYPE_CHECKING:
    from labnet.console.asking import Control
    from labnet.console.rates import Snapshot

_SYSTEMD: Final = "/var/lib/labnet/control.sock"
"""Where the lab of etc/labnet.service has it: only systemd tells that lab its state folder."""

_RELOAD: Final = 120.0
"""Seconds that a reload may take: a million records are read for some of them."""

_BETWEEN: Final = 1.0
"""Seconds between two snapshots, whose difference gives the queries per second."""


def add_commands(commands: Any) -> None:
    """Add them to argparse's ``commands``. Nothing of what they need is imported until one of them runs."""
    status = commands.add_parser("status", help="show how a running lab is", description=_STATUS)
    status.add_argument("--json", action="store_true", help="print JSON, once")
    status.add_argument("--once", action="store_true", help="print the page once; so it is where no terminal reads it")
    reload = commands.add_parser("reload", help="have a running lab read its configuration anew", description=_RELOADS)
    flush = commands.add_parser("flush", help="have it forget what it learned of a name", description=_FLUSH)
    flush.add_argument("name", metavar="NAME", help="the name, and every name below it")
    cache = commands.add_parser("cache", help="look into what a running lab learned", description=_CACHE)
    caches = cache.add_subparsers(required=True, metavar="COMMAND")
    dump = caches.add_parser("dump", help="print it, a line for each record", description=_CACHE)
    dump.add_argument("resolver", nargs="?", metavar="RESOLVER", help="of this resolver alone")
    server = commands.add_parser("command-server", help="open the command server again", description=_OPEN)
    opened = server.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "open", help="have it listen again after an EXIT", description=_OPEN
    )
    running = ((status, _status), (reload, _reload), (flush, _flush), (dump, _dump), (opened, _open))
    for parser, run in running:
        parser.add_argument("--config", metavar="FILE", help="the configuration that the lab runs [twistd labnet's]")
        parser.add_argument("--socket", metavar="PATH", help="its control socket [the configuration's]")
        parser.set_defaults(run=_guarded(run))


_STATUS = (
    "Show services, listeners, queries a second, parents, workers and the last errors of a running lab; in a terminal "
    "until Ctrl-C. Exit status: 0, or 2 where no lab answers."
)
_RELOADS = (
    "Have a running lab check and take its configuration and records. Exit status: 0 done, 1 something is wrong in "
    "them and nothing has changed, 2 no lab answers."
)
_FLUSH = (
    "Have a running lab forget what it learned of a name and of all names below it. Exit status: 0, 2 no lab answers."
)
_OPEN = (
    "Have the command server of a running lab listen again after an EXIT has closed it. Exit status: 0 done, 1 it "
    "cannot, 2 no lab answers."
)
_CACHE = "Print what a running lab has learned, as in a master file. Exit status: 0, 2 no lab answers."


def _guarded(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    def guarded(arguments: argparse.Namespace) -> int:
        from labnet.console.control import ControlError

        try:
            status = run(arguments)
            sys.stdout.flush()
        except ControlError as error:
            print(f"labnet: {quoted(str(error))}", file=sys.stderr)
            return 2
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader left; Python's own flush at exit would complain
            return 0
        return status

    return guarded


def _control(arguments: argparse.Namespace, timeout: float = 10.0) -> Control:
    from labnet.console.asking import Control

    return Control(arguments.socket or _socket_of(arguments.config), timeout)


def _socket_of(named: str | None) -> str:
    """The control socket of the lab that ``twistd labnet`` would run here, even where its configuration is wrong."""
    from labnet import config
    from labnet.console.control import ControlError

    path = config.find(named)
    state = None
    control: Any = None
    if path is not None:
        try:
            with open(path, "rb") as file:
                table = tomllib.load(file)
            state, control = table.get("lab", {}).get("state"), table.get("console", {}).get("control")
        except OSError as error:
            raise ControlError(f"{path}: cannot be read: {error.strerror}; --socket names the socket itself") from None
        except (ValueError, AttributeError, RecursionError):
            pass  # a lab may run all the same, with what the file said before
    defaults = config.Config()
    named_state = state if isinstance(state, str) else defaults.lab.state
    named_control = control if isinstance(control, str) else str(defaults.console.control)
    found = os.path.abspath(os.path.join(named_state, named_control))
    if state is None and control is None and not os.path.lexists(found) and os.path.lexists(_SYSTEMD):
        return _SYSTEMD
    return found


def _status(arguments: argparse.Namespace) -> int:
    if not arguments.json:
        try:
            import rich.console  # noqa: F401
        except ImportError:
            print(
                "labnet: the page needs rich, which is not installed: pip install 'txlabnet[console]'; "
                "labnet status --json goes without",
                file=sys.stderr,
            )
            return 2
    from labnet.console.rates import rates

    with _control(arguments) as control:
        before = _snapshot(control)
        time.sleep(_BETWEEN)
        now = _snapshot(control)
        if arguments.json:
            print(json.dumps({**now.status, "rates": rates(before, now), "samples": now.samples}, indent=2))
        elif arguments.once or not sys.stdout.isatty():
            _print(before, now)
        else:
            _watch(control, before, now)
    return 0


def _snapshot(control: Control) -> Snapshot:
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


def _reload(arguments: argparse.Namespace) -> int:
    from labnet.console.control import CLOSED_BY_EXIT

    with _control(arguments, _RELOAD) as control:
        problems = control.ask("reload")
        services = [] if problems else control.ask("status")["services"]
    if any(service["state"] == CLOSED_BY_EXIT for service in services):
        print("labnet: EXIT has closed the command server: labnet command-server open opens it again", file=sys.stderr)
    return _outcome(problems, "reloaded")


def _open(arguments: argparse.Namespace) -> int:
    with _control(arguments) as control:
        problems = control.ask("open-command-server")
    return _outcome(problems, "the command server is open")


def _outcome(problems: list[str], done: str) -> int:
    """Print what is wrong, or what is ``done``; the exit status."""
    for problem in problems:
        print(f"labnet: {quoted(problem)}", file=sys.stderr)
    if not problems:
        print(done)
    return 1 if problems else 0


def _flush(arguments: argparse.Namespace) -> int:
    with _control(arguments) as control:
        count = control.ask("flush", name=arguments.name)
    print(f"{count} answer(s) forgotten")
    return 0


def _dump(arguments: argparse.Namespace) -> int:
    with _control(arguments) as control:
        for line in control.stream("dump", resolver=arguments.resolver):
            print(quoted(line))
    return 0
