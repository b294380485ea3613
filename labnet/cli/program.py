"""``labnet`` itself: runs the command that is named, and says in a sentence what went wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from labnet.cli.frame import LazyGroup
from labnet.cli.table import COMMANDS
from labnet.wire.quoting import quoted

INTERRUPTED: Final = 130
"""The exit status after Ctrl-C, as shells have it."""

BEGIN: Final = (
    ("labnet run", "start the lab in this terminal; then, in another one:"),
    ("labnet command TIME", "ask the command server of the lab that runs here for the time"),
    ("labnet resolve www.google.co.il", "ask its resolver for an address"),
    ("labnet resolve", "the same as a dialogue; Ctrl-D ends it"),
)


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from labnet.metrics import version

        print(f"labnet {version()}")
        ctx.exit()


labnet: Final = LazyGroup(
    name="labnet",
    table=COMMANDS,
    examples=BEGIN,
    help="The networking lab: servers, clients, captures. Each COMMAND has a --help with examples.",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Show the version and exit.",
        )
    ],
)
"""The click object of the whole command line."""


def run(argv: Sequence[str] | None = None) -> int:
    """Run what ``argv``, without the program's name, or the process's own arguments say; the exit status."""
    if argv is None and "_LABNET_COMPLETE" in os.environ:
        from click.shell_completion import shell_complete

        from labnet.cli.completion import VARIABLE

        return shell_complete(labnet, {}, "labnet", VARIABLE, os.environ[VARIABLE])
    try:
        with labnet.make_context("labnet", list(sys.argv[1:] if argv is None else argv)) as ctx:
            status: Any = labnet.invoke(ctx)
            sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return error.exit_code
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "labnet"
        print(f"labnet: {quoted(sentence(error))}; {path} --help says more", file=sys.stderr)
        return error.exit_code
    except click.ClickException as error:
        print(f"labnet: {quoted(error.format_message())}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader left; Python's own flush at exit would complain
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    return int(status or 0)


def sentence(error: click.UsageError) -> str:
    """What is wrong with a command line."""
    if isinstance(error, click.NoSuchCommand):
        return f"there is no command {error.command_name!r}{_meant(error.possibilities)}"
    if isinstance(error, click.NoSuchOption):
        return f"there is no option {error.option_name}{_meant(error.possibilities)}"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        named = error.param.opts[-1] if isinstance(error.param, click.Option) else error.param.human_readable_name
        return f"{named} is missing"
    if isinstance(error, click.BadParameter):
        return error.message
    return error.message[:1].lower() + error.message[1:].rstrip(".")


def _meant(possible: Sequence[str] | None) -> str:
    return f": did you mean {' or '.join(possible)}?" if possible else ""
