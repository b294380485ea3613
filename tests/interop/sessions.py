"""A session that types the console blocks of a page into a checkout."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.interop.consoles import Block, Command, differs
from tests.interop.daemon import DEADLINE
from tests.interop.machines import Machine
from tests.interop.terminal import Terminal

AS_ROOT: Final = 'Running as user "root"'
"""How tshark complains about who runs the tests."""

PROMPTS: Final = re.compile(r"(?:\(TIME or EXIT\): |ip address:\n)(?=(.*)\n)")
"""What a client shows before it waits, and what is typed then."""


LOOKS: Final = re.compile("(cat|tail|redis-cli) ")
"""Commands that look at what another process has written, which may come a moment later than one who types."""


class Session:
    """Types the blocks of one page into ``checkout`` on the ``machine``, and compares what they show."""

    def __init__(self, checkout: Path, machine: Machine, env: dict[str, str]) -> None:
        self._checkout = checkout
        self._machine = machine
        self._env = env
        self._terminals: list[tuple[subprocess.Popen[bytes], Path]] = []
        self._beside: tuple[Block, Path] | None = None

    def type(self, block: Block) -> None:
        """Run one block; raises AssertionError where it shows something else than the page does."""
        if block.file.startswith("/"):
            self._machine.write(block.file, block.text)
        elif block.file:
            (self._checkout / block.file).parent.mkdir(parents=True, exist_ok=True)
            (self._checkout / block.file).write_text(block.text)
        if block.file:
            return
        if "anew" in block.classes:
            self.interrupt()
        beside, self._beside = self._beside, None
        before = ""
        for command in block.commands:
            is_last = command is block.commands[-1]
            if is_last and block.classes & {"terminal", "beside"}:
                self._open(block, before + command.text, command.shown)
            elif is_last and "dialogue" in block.classes:
                self._talk(block, before + command.text, command.shown)
            elif command.text.startswith("cd "):
                before += f"{command.text}\n"
            else:
                self._run(block, before, command)
        if beside is not None:
            self._wait_for(beside[0], beside[0].commands[-1].shown, beside[1])

    def interrupt(self) -> None:
        """Ctrl-C in every terminal."""
        for process, _ in self._terminals:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
        for process, _ in self._terminals:
            process.wait(DEADLINE)
        self._terminals.clear()

    def close(self) -> None:
        """End what still runs on the machine."""
        listed = subprocess.run(["ip", "netns", "pids", self._machine.network], capture_output=True, text=True)
        for pid in listed.stdout.split():
            os.kill(int(pid), signal.SIGKILL)
        for process, _ in self._terminals:
            process.wait(DEADLINE)

    def _bash(self, text: str) -> list[str]:
        return self._machine.inside("bash", "-c", f"cd {self._checkout}\n{text}")

    def _run(self, block: Block, before: str, command: Command) -> None:
        ended = self._pids_in(command.text)
        until = time.monotonic() + DEADLINE
        while (wrong := self._fault(block, before, command)) and LOOKS.match(command.text):
            if time.monotonic() > until:
                break
            time.sleep(0.02)
        assert not wrong, f"{block}: {command.text}\n{wrong}"
        wait_until(lambda: not any(map(is_running, ended)), lambda: f"{block}: {command.text} ends nothing")

    def _fault(self, block: Block, before: str, command: Command) -> str:
        """Type one command; what is wrong with what it does, or nothing."""
        run = subprocess.run(
            self._bash(before + command.text),
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=2 * DEADLINE,
        )
        if not command.shown:
            return run.stdout or "it fails" if run.returncode else ""
        wrong = differs(command.shown, printed(run.stdout), self._checkout, "figures" in block.classes)
        return wrong and f"{wrong}\nit shows:\n{run.stdout}"

    def _pids_in(self, text: str) -> list[int]:
        """The processes that a ``kill $(cat FILE)`` is about to end."""
        return [int(self._machine.read(self._checkout / file)) for file in re.findall(r"\bkill \$\(cat (\S+?)\)", text)]

    def _open(self, block: Block, text: str, shown: list[str]) -> None:
        log = self._checkout.parent / f"terminal-{len(list(self._checkout.parent.glob('terminal-*')))}"
        with log.open("wb") as out:
            process = subprocess.Popen(
                self._bash(text),
                env=self._env | {"PYTHONUNBUFFERED": "1"},  # as on a terminal
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._terminals.append((process, log))
        if "beside" in block.classes:
            self._beside = block, log
            shown = [*shown[:1], "…"]
        self._wait_for(block, shown, log, process)

    def _wait_for(
        self, block: Block, shown: list[str], log: Path, goes_on: subprocess.Popen[bytes] | None = None
    ) -> None:
        """Until a terminal shows what it is to, or a lab that serves; a process that ``goes_on`` must not end first."""

        def is_shown() -> bool:
            assert goes_on is None or goes_on.poll() is None, f"{block} ended: {log.read_text(errors='replace')}"
            text = log.read_text(errors="replace")
            if not shown:
                return "listens on" in text
            return not differs(shown, printed(text), self._checkout, "figures" in block.classes)

        wait_until(is_shown, lambda: f"{block} shows\n{log.read_text(errors='replace')}")

    def _talk(self, block: Block, text: str, shown: list[str]) -> None:
        whole = "\n".join(shown) + "\n"
        with Terminal(self._bash(text)) as terminal:
            said = b""
            for prompt in PROMPTS.finditer(whole):
                said += terminal.read_to(prompt[0].strip("\n").encode())
                said += terminal.read_to(b"\r\n") if prompt[0].endswith("\n") else b""
                terminal.type(prompt[1].encode() + b"\n")
            said += terminal.read_to(shown[-1].strip().encode())
        # A line that is typed before the program reads is echoed by the terminal and then by the program.
        lines = [line for line, _ in itertools.groupby(said.decode().replace("\r\n", "\n").splitlines())]
        wrong = differs(shown, lines, self._checkout, "figures" in block.classes)
        assert not wrong, f"{block}: {text}\n{wrong}\nit shows:\n" + "\n".join(lines)


def printed(text: str) -> list[str]:
    """The lines of ``text``, less what is said of who runs the tests."""
    return [line for line in text.splitlines() if not line.startswith(AS_ROOT)]


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def wait_until(is_so: Callable[[], bool], says: Callable[[], str]) -> None:
    """Look again until something is so; fails with what ``says`` says where it never is."""
    until = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < until, says()
        time.sleep(0.02)
