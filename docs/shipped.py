"""Man pages and shell completions, made of the commands when labnet is built; ``make docs`` writes them too.

It needs click and nothing else besides Python, as nothing else is there when a wheel is built.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from labnet.cli.completion import SHELLS, script_for
from labnet.cli.program import BEGIN, labnet

STATUSES = (
    ("0", "done"),
    ("1", "it is not so: a name is not known, a file is wrong"),
    ("2", "it cannot be had: no answer, no lab, no such file, a wrong command line"),
    ("3", "a Python package is missing; the error says what installs it"),
    ("130", "Ctrl-C"),
)
"""The exit statuses of every command."""

COMPLETIONS = {
    "bash": "share/bash-completion/completions/labnet",
    "zsh": "share/zsh/site-functions/_labnet",
    "fish": "share/fish/vendor_completions.d/labnet.fish",
}
"""Where each shell looks for completions, below the prefix of an installation."""


def shipped(version: str) -> dict[str, str]:
    """The text of each file by its path below the prefix of an installation."""
    files = {f"share/man/man1/{name.replace(' ', '-')}.1": text for name, text in manual(version)}
    return files | {COMPLETIONS[shell]: script_for(shell) for shell in SHELLS}


def manual(version: str) -> Iterator[tuple[str, str]]:
    """The man page of ``labnet`` and of each command, by its words."""
    below = list(commands("labnet", labnet))
    listed = [(name, below_help(command)) for name, command in below]
    yield "labnet", "\n".join(_overview(version, listed)) + "\n"
    for name, command in below:
        yield name, "\n".join(_page(version, name, command)) + "\n"


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Every command at or below ``command`` that has no others below it, by its words."""
    ctx = click.Context(command, info_name=name)
    if not isinstance(command, click.Group):
        yield name, command
        return
    for word in command.list_commands(ctx):
        inner = command.get_command(ctx, word)
        if inner is not None and not inner.hidden:
            yield from commands(f"{name} {word}", inner)


def below_help(command: click.Command) -> str:
    """What a command does, in its first sentence."""
    return " ".join((command.help or "").partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def _overview(version: str, listed: list[tuple[str, str]]) -> Iterator[str]:
    yield from _title(version, "labnet", "the networking lab: servers, clients, captures")
    yield from (".SH SYNOPSIS", ".B labnet", r"\fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]...")
    yield from (".SH DESCRIPTION", _text(labnet.help or ""))
    yield ".SH COMMANDS"
    for name, says in listed:
        yield from (".TP", rf".BR {_word(name.replace(' ', '-'))} (1)", _text(says))
    yield from _ending(BEGIN)
    yield from (".SH SEE ALSO", ".BR twistd (1)")


def _page(version: str, name: str, command: click.Command) -> Iterator[str]:
    ctx = click.Context(command, info_name=name)
    yield from _title(version, name.replace(" ", "-"), below_help(command))
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    options = [param for param in command.params if isinstance(param, click.Option)]
    words = " ".join(rf"\fI{_word(argument.make_metavar(ctx))}\fR" for argument in arguments)
    yield from (".SH SYNOPSIS", f".B {_word(name)}", rf"[\fIOPTION\fR]... {words}".rstrip())
    yield from (".SH DESCRIPTION", _text(command.help or ""))
    if arguments:
        yield ".SH ARGUMENTS"
    for argument in arguments:
        yield from (".TP", rf".I {_word(argument.make_metavar(ctx))}", _text(argument.help or ""))
    yield ".SH OPTIONS"
    for option in options:
        value = "" if option.is_flag else rf" \fI{_word(option.make_metavar(ctx))}\fR"
        default = f" Default: {option.default}." if option.show_default else ""
        yield from (".TP", ", ".join(rf"\fB{_word(one)}\fR{value}" for one in option.opts))
        yield _text(f"{option.help}{default}")
    yield from (".TP", r"\fB\-h\fR, \fB\-\-help\fR", "Show how the command is used.")
    yield from _ending(getattr(command, "examples", ()))
    yield from (".SH SEE ALSO", ".BR labnet (1)")


def _title(version: str, name: str, says: str) -> Iterator[str]:
    yield f'.TH "{_word(name.upper())}" 1 "" "labnet {version}" "labnet"'
    yield from (".SH NAME", rf"{_word(name)} \- {_text(says[:1].lower() + says[1:])}")


def _ending(examples: object) -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for status, means in STATUSES:
        yield from (".TP", f".B {status}", _text(means))
    yield ".SH EXAMPLES"
    assert isinstance(examples, list | tuple)
    for line, does in examples:
        yield from (".TP", rf"\fB{_word(line)}\fR", _text(does))


def _word(text: str) -> str:
    """``text`` as it is typed: a hyphen is one, nothing else is a mark."""
    return text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...").replace("'", r"\(aq").replace("`", r"\(ga")


def _text(text: str) -> str:
    """Paragraphs, a line each: none begins as a request of roff."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n.PP\n".join(_paragraph(" ".join(paragraph.split())) for paragraph in paragraphs)


def _paragraph(text: str) -> str:
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...").replace("`", r"\(ga")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


def write(folder: Path, version: str) -> dict[str, Path]:
    """Write every file below ``folder``; where each is, by its path below the prefix of an installation."""
    written = {}
    for path, text in shipped(version).items():
        written[path] = folder / path
        written[path].parent.mkdir(parents=True, exist_ok=True)
        written[path].write_text(text, encoding="utf-8")
    return written


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2])
