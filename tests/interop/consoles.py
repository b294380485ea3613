"""The console blocks of README.md and of the pages, and a session that types them into a checkout.

A block's classes say what it is: ``:class:`` of ``code-block:: console``, in Markdown the words behind ``console``.

``terminal``
   Its last command goes on, in a terminal of its own, to the end of the page.
``dialogue``
   Its command asks, and what stands behind a prompt is typed.
``anew``
   Ctrl-C is typed in every terminal before.
``figures``
   Its numbers are those of another day.
``captures``
   It needs captures of the reader's own; those of the exercises stand for them.
``root``, ``peer``, ``network``
   It changes the machine, needs another program or machine, or installs something: it is not run.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.interop.daemon import DEADLINE
from tests.interop.namespaces import inside
from tests.interop.terminal import Terminal

ROOT: Final = Path(__file__).resolve().parents[2]

NOT_RUN: Final = frozenset({"root", "peer", "network"})
CLASSES: Final = NOT_RUN | {"terminal", "dialogue", "anew", "figures", "captures"}

HOME: Final = "/home/ada/labnet"
"""The checkout of the pages."""

AS_ROOT: Final = 'Running as user "root"'
"""How tshark complains about who runs the tests."""

PROMPTS: Final = re.compile(r"(?:\(TIME or EXIT\): |ip address:\n)(?=(.*)\n)")
"""What a client shows before it waits, and what is typed then."""

VARYING: Final = (
    (r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d (?:UTC )?\d{4}", "CTIME"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+(?:[+-]\d{4}|Z)?", "ISO"),
    (r"^\d\d:\d\d:\d\d ", "CLOCK "),
    (r"\b1\d{9}(?:\.\d+)?\b", "EPOCH"),
    (r"\bup \d+ \w+(?: \d+ \w+)?", "up N"),
    (r"\bid: \d+", "id: N"),
    (r"COOKIE: [0-9a-f]+", "COOKIE: N"),
    (r"\b\d+(?:\.\d+)? (ms|msec|s|min|h)\b", r"N \1"),
    (r"your port is \d+", "your port is N"),
    (r"DiG \S+", "DiG"),
    (r"([\w.]+\.)\s+\d{1,2}\s+IN\b", r"\1 N IN"),  # a TTL that is counted down
    (r"[ \t]+", " "),
)
"""What is another with every run, and what stands for it when two texts are compared."""


@dataclass(frozen=True)
class Command:
    """One command with the lines that it is shown to print."""

    text: str
    shown: list[str]
    is_root: bool


@dataclass(frozen=True)
class Block:
    """One block of a page: commands that are typed one after the other, or a file that has a caption."""

    page: str
    line: int
    classes: frozenset[str] = frozenset()
    commands: list[Command] = field(default_factory=list)
    file: str = ""
    text: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The console blocks and the files with a caption in ``page``, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if page.suffix == ".md" and line.startswith("```console"):
            body = lines[number : lines.index("```", number)]
            yield _console(page, number, line.split()[1:], body)
        elif line.startswith(".. code-block:: "):
            options, body = _directive(lines[number:])
            if line.endswith(" console"):
                yield _console(page, number, options.get("class", "").split(), body)
            elif "caption" in options:
                yield Block(page.name, number, file=options["caption"], text="\n".join(body) + "\n")


def _directive(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    inner: list[str] = []
    for line in lines:
        if line and not line.startswith("   "):
            break
        inner.append(line[3:])
    at = inner.index("")
    options = dict(re.findall(r"^:(\w+): (.*)$", "\n".join(inner[:at]), re.MULTILINE))
    return options, "\n".join(inner[at:]).strip("\n").split("\n")


def _console(page: Path, number: int, classes: list[str], body: list[str]) -> Block:
    commands: list[Command] = []
    for line in body:
        if line.startswith(("$ ", "# ")):
            commands.append(Command(line[2:], [], line.startswith("#")))
        elif commands and commands[-1].text.endswith("\\"):
            commands[-1] = Command(f"{commands[-1].text}\n{line}", [], commands[-1].is_root)
        elif commands:
            commands[-1].shown.append(line)
    return Block(page.name, number, frozenset(classes), commands)


class Session:
    """Types the blocks of one page into ``checkout`` in the network ``namespace``, and compares what they show."""

    def __init__(self, checkout: Path, namespace: str, env: dict[str, str]) -> None:
        self._checkout = checkout
        self._namespace = namespace
        self._env = env
        self._terminals: list[tuple[subprocess.Popen[bytes], Path]] = []

    def type(self, block: Block) -> None:
        """Run one block; raises AssertionError where it shows something else than the page does."""
        if block.file:
            (self._checkout / block.file).parent.mkdir(parents=True, exist_ok=True)
            (self._checkout / block.file).write_text(block.text)
        if block.classes & NOT_RUN:
            return
        if "anew" in block.classes:
            self.interrupt()
        before = ""
        for command in block.commands:
            is_last = command is block.commands[-1]
            if is_last and "terminal" in block.classes:
                self._open(block, before + command.text, command.shown)
            elif is_last and "dialogue" in block.classes:
                self._talk(block, before + command.text, command.shown)
            elif command.text.startswith("cd "):
                before += f"{command.text}\n"
            else:
                self._run(block, before, command)

    def interrupt(self) -> None:
        """Ctrl-C in every terminal."""
        for process, _ in self._terminals:
            os.killpg(process.pid, signal.SIGINT)
        for process, _ in self._terminals:
            process.wait(DEADLINE)
        self._terminals.clear()

    def close(self) -> None:
        """End what still runs in the network."""
        listed = subprocess.run(["ip", "netns", "pids", self._namespace], capture_output=True, text=True)
        for pid in listed.stdout.split():
            os.kill(int(pid), signal.SIGKILL)
        for process, _ in self._terminals:
            process.wait(DEADLINE)

    def _bash(self, text: str) -> list[str]:
        return inside(self._namespace, "bash", "-c", text)

    def _run(self, block: Block, before: str, command: Command) -> None:
        ended = self._pids_in(command.text)
        run = subprocess.run(
            self._bash(before + command.text),
            cwd=self._checkout,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE,
        )
        wait_until(lambda: not any(map(is_running, ended)), lambda: f"{block}: {command.text} ends nothing")
        if command.shown:
            lines = [line for line in run.stdout.splitlines() if not line.startswith(AS_ROOT)]
            self._compare(block, command.text, command.shown, lines)
        else:
            assert run.returncode == 0, f"{block}: {command.text}\n{run.stdout}"

    def _pids_in(self, text: str) -> list[int]:
        """The processes that a ``kill $(cat FILE)`` is about to end."""
        files = re.findall(r"\bkill \$\(cat (\S+?)\)", text)
        return [int((self._checkout / file).read_text()) for file in files]

    def _open(self, block: Block, text: str, shown: list[str]) -> None:
        log = self._checkout.parent / f"terminal-{len(list(self._checkout.parent.glob('terminal-*')))}"
        with log.open("wb") as out:
            process = subprocess.Popen(
                self._bash(text),
                cwd=self._checkout,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._terminals.append((process, log))

        def is_shown() -> bool:
            assert process.poll() is None, f"{block}: {text} ended: {log.read_text()}"
            lines = log.read_text(errors="replace").splitlines()
            return not differs(shown, lines, self._checkout, False) if shown else "listens on" in "\n".join(lines)

        wait_until(is_shown, lambda: f"{block}: {text} shows\n{log.read_text()}")

    def _talk(self, block: Block, text: str, shown: list[str]) -> None:
        whole = "\n".join(shown) + "\n"
        with Terminal(self._bash(f"cd {self._checkout} && {text}")) as terminal:
            said = b""
            for prompt in PROMPTS.finditer(whole):
                said += terminal.read_to(prompt[0].strip("\n").encode())
                said += terminal.read_to(b"\r\n") if prompt[0].endswith("\n") else b""
                terminal.type(prompt[1].encode() + b"\n")
            said += terminal.read_to(shown[-1].strip().encode())
        # A line that is typed before the program reads is echoed by the terminal and then by the program.
        lines = [line for line, _ in itertools.groupby(said.decode().replace("\r\n", "\n").splitlines())]
        self._compare(block, text, shown, lines)

    def _compare(self, block: Block, text: str, shown: list[str], lines: list[str]) -> None:
        wrong = differs(shown, lines, self._checkout, "figures" in block.classes)
        assert not wrong, f"{block}: {text}\n{wrong}\nit shows:\n" + "\n".join(lines)


def differs(shown: list[str], lines: list[str], checkout: Path, any_figures: bool) -> str:
    """Which line of ``shown`` is not among the ``lines`` in its turn; "" where all are. ``…`` is any lines."""
    wanted = [_steady(line.replace(HOME, str(checkout)), any_figures) for line in shown if line.strip()]
    given = [_steady(line, any_figures) for line in lines if line.strip()]
    at, is_free = 0, False
    for line in wanted:
        if line == "…":
            is_free = True
            continue
        found = given.index(line, at) if is_free and line in given[at:] else at
        if found >= len(given) or given[found] != line:
            return f"the page shows {line!r}, here it is {given[found] if found < len(given) else 'the end'!r}"
        at, is_free = found + 1, False
    return "" if is_free or at == len(given) else f"the page lacks {given[at]!r}"


def _steady(line: str, any_figures: bool) -> str:
    for pattern, word in VARYING:
        line = re.sub(pattern, word, line)
    return (re.sub(r"\d[\d.,:%]*", "N", line) if any_figures else line).strip()


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def wait_until(is_so: Callable[[], bool], says: Callable[[], str]) -> None:
    """Look again until something is so; fails with what ``says`` says where it never is."""
    until = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < until, says()
        time.sleep(0.02)
