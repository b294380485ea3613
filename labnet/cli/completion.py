"""The command ``completion``: what a shell needs to complete commands, options and values."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from labnet.cli.frame import LabCommand

VARIABLE: Final = "_LABNET_COMPLETE"
"""The variable by which a shell asks for completions."""

SHELLS: Final[dict[str, type[ShellComplete]]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


def script_for(shell: str) -> str:
    """What ``shell`` is to read so that it asks ``labnet`` for completions."""
    asked = SHELLS[shell](click.Command("labnet"), {}, "labnet", VARIABLE)
    return asked.source_template % asked.source_vars()


@click.command(
    cls=LabCommand,
    help="Print what a shell is to read so that it completes commands, options and values. A Debian package, and a "
    "wheel in /usr/local, install it.",
    examples=[
        ("labnet completion bash", 'what bash reads: eval "$(labnet completion bash)" has it do so'),
        ("labnet completion bash > ~/.local/share/bash-completion/completions/labnet", "for every bash to come"),
        ("labnet completion zsh > ~/.zfunc/_labnet", "for zsh, where ~/.zfunc is in fpath"),
        ("labnet completion fish > ~/.config/fish/completions/labnet.fish", "for fish"),
    ],
)
@click.argument("shell", type=click.Choice(list(SHELLS)), metavar="SHELL", help="bash, zsh or fish.")
def completion(shell: str) -> int:
    print(script_for(shell), end="")
    return 0
