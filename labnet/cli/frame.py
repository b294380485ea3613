"""What the commands of every room are made with: examples in the help, groups, options that exclude each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from labnet.cli.table import CommandEntry

Example = tuple[str, str]
"""A command line, and what it does."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class LabCommand(click.Command):
    """A command whose help ends with ``examples``."""

    def __init__(self, *arguments: Any, examples: Sequence[Example] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # an option without its value is raised without it
            raise

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(self.examples, formatter)


class LabGroup(click.Group):
    """A command of commands."""

    command_class = LabCommand


class LazyGroup(click.Group):
    """The commands of ``table``, of which one is imported when it is used; ``examples`` show how to begin."""

    def __init__(self, *, table: Mapping[str, CommandEntry], examples: Sequence[Example] = (), **options: Any) -> None:
        super().__init__(**options)
        self.table = table
        self.examples = examples

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        module, _, name = self.table[cmd_name].at.partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        is_option = args[0].startswith("-")
        if args[0] not in self.table and not is_option and not ctx.resilient_parsing:
            raise click.NoSuchCommand(args[0], possibilities=self.table, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(self.examples, formatter, "To begin")
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows, width = self.table.items(), max(map(len, self.table))
        for heading in dict.fromkeys(entry.heading for entry in self.table.values()):
            with formatter.section(heading):
                formatter.write_dl(
                    [(name.ljust(width), entry.help) for name, entry in rows if entry.heading == heading]
                )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in self.table if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self.table[name].help) for name in names]
        return found + click.Command.shell_complete(self, ctx, incomplete)


def write_examples(examples: Sequence[Example], formatter: click.HelpFormatter, heading: str = "Examples") -> None:
    """Each command line with what it does under it, in a section of its own; nothing where there is none."""
    if not examples:
        return
    with formatter.section(heading):
        for line, does in examples:
            formatter.write(f"{'':{formatter.current_indent}}{line}\n")
            with formatter.indentation(), formatter.indentation():
                formatter.write_text(does)


def forms(**helps: str) -> Callable[[Decorated], Decorated]:
    """Flags by their names, one at most of which may be given: its name is the argument ``form``, None without one."""

    def take(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        given = ctx.params.setdefault("form", None)
        if value and given:
            raise click.UsageError(f"--{given} and --{param.name} exclude each other", ctx)
        if value:
            ctx.params["form"] = param.name

    def add(decorated: Decorated) -> Decorated:
        for name, says in reversed(helps.items()):
            decorated = click.option(f"--{name}", is_flag=True, expose_value=False, callback=take, help=says)(decorated)
        return decorated

    return add
