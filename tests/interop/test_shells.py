"""Real shells complete what labnet takes, and a real formatter reads its man pages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs import shipped
from tests.interop.daemon import DEADLINE, environment
from tests.interop.peers import tool

BIN = Path(sys.executable).parent

BASH = """
eval "$(labnet completion bash)"
COMP_WORDS=({words} '{last}') COMP_CWORD={count}
_labnet_completion labnet
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

ZSH = """
autoload -U compinit && compinit -u -D
eval "$(labnet completion zsh)"
_arguments() {{ : }}
_describe() {{ print -rl -- "${{(@P)3}}" }}
compadd() {{ print -rl -- "${{(@P)@[-1]}}" }}
words=({words} '{last}') CURRENT={position}
_labnet_completion
"""

CASES = [
    (["labnet"], "expl", "explain"),
    (["labnet", "cache"], "", "dump"),
    (["labnet", "resolve"], "--revers", "--reverse"),
    (["labnet", "exercise"], "http-b", "http-basics"),
]


def run(*command: str) -> str:
    """What a program prints, with this environment's labnet first in its path."""
    env = environment() | {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": "/nonexistent"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("words", "last", "whole"), CASES)
def test_bash_completes(words: list[str], last: str, whole: str) -> None:
    script = BASH.format(words=" ".join(words), last=last, count=len(words))
    assert run(tool("bash", "bash"), "--norc", "-c", script).split() == [whole]


@pytest.mark.parametrize(("words", "last", "whole"), CASES)
def test_zsh_completes(words: list[str], last: str, whole: str) -> None:
    script = ZSH.format(words=" ".join(words), last=last, position=len(words) + 1)
    found = run(tool("zsh", "zsh"), "-f", "-c", script).splitlines()
    assert [line.split(":")[0] for line in found if line.startswith(whole)] == [whole]


@pytest.mark.parametrize(("words", "last", "whole"), CASES)
def test_fish_completes(words: list[str], last: str, whole: str) -> None:
    script = f"labnet completion fish | source; complete -C '{' '.join(words)} {last}'"
    found = run(tool("fish", "fish"), "--no-config", "-c", script).splitlines()
    assert whole in [line.split("\t")[0] for line in found]


def test_a_formatter_has_nothing_to_say_of_the_man_pages(tmp_path: Path) -> None:
    groff = tool("groff", "groff-base")
    for path, file in shipped.write(tmp_path, "1.2.3").items():
        if path.startswith("share/man/"):
            command = [groff, "-man", "-Tutf8", "-P-cbou", "-ww", "-k", str(file)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
            assert (done.returncode, done.stderr) == (0, ""), path
            assert "EXIT STATUS" in done.stdout
