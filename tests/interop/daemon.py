"""twistd as a real process: start it, learn from its log where it listens, end it, and see that nothing went wrong."""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.interop import preloaded

TWISTD = str(Path(sys.executable).with_name("twistd"))
SCRIPT = (sys.executable, TWISTD)
"""The command of a process that loads everything itself, which tests of the start are about."""

Found = TypeVar("Found")

DEADLINE = 60.0
"""Seconds after which something that should happen counts as never happening; on a busy machine all is slow."""


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without what would change the lab's configuration, and with ``changes``."""
    kept = {key: value for key, value in os.environ.items() if key not in ("LABNET_CONFIG", "STATE_DIRECTORY")}
    return kept | changes


def trouble(log: str) -> list[str]:
    """The lines of ``log`` that say of a fault in the program."""
    signs = (
        "Traceback",
        "Unhandled",
        "CRITICAL",
        "#critical",
        "Exception ignored",
        "ResourceWarning",
        "never retrieved",
    )
    return [line for line in log.splitlines() if any(sign in line for sign in signs)]


@functools.cache
def nursery() -> preloaded.Nursery:
    """What forks the daemons of this process."""
    return preloaded.Nursery()


class Daemon:
    """``twistd -n ARGUMENTS`` in the folder ``cwd``; ``command`` is what starts twistd, which gets ``switches``.

    Leaving the ``with`` block stops it by SIGTERM, and fails if that or anything in its log is not as it should be.
    """

    def __init__(
        self,
        *arguments: str,
        cwd: Path,
        command: Sequence[str] = (TWISTD,),
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        switches: Sequence[str] = ("-n", "--pidfile="),
    ) -> None:
        argv = [*command, *switches, *arguments]
        env = environment() if env is None else env
        self.process = (
            nursery().start(argv, cwd, env, pass_fds)
            if tuple(command) == (TWISTD,) and preloaded.takes(env)
            else subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                pass_fds=pass_fds,
            )
        )
        self._log = ""
        self._ended = False
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._grown:
                self._log += line
                self._grown.notify_all()
        with self._grown:
            self._ended = True
            self._grown.notify_all()

    @property
    def log(self) -> str:
        """What it has said so far."""
        with self._grown:
            return self._log

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first place in the log that matches ``pattern``, as soon as it is there."""
        return self._wait_for(lambda log: re.search(pattern, log), pattern)

    def wait_for_all(self, text: str, times: int) -> None:
        """Return as soon as the log has ``text`` so many ``times``."""
        self._wait_for(lambda log: log.count(text) >= times or None, f"{text} {times} times")

    def _wait_for(self, find: Callable[[str], Found | None], what: str) -> Found:
        until = time.monotonic() + DEADLINE
        with self._grown:
            while (found := find(self._log)) is None:
                left = until - time.monotonic()
                assert not self._ended, f"it ended before it said {what!r}:\n{self._log}"
                assert left > 0, f"it did not say {what!r}:\n{self._log}"
                self._grown.wait(left)
            return found

    def address(self, server: str) -> tuple[str, int]:
        """The address and port that ``server`` ("command server", "resolver NAME") listens on."""
        found = self.wait_for(rf"\b{re.escape(server)} listens on (\S+):(\d+) \(")
        return found[1], int(found[2])

    def wait(self) -> int:
        """The exit status, once the process has ended by itself; fails where the log tells of a fault."""
        status = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert not trouble(self.log), self.log
        return status

    def stop(self) -> None:
        """SIGTERM, which twistd passes on as its own end when everything is closed."""
        self.process.send_signal(signal.SIGTERM)
        status = self.wait()
        assert status == -signal.SIGTERM, f"exit status {status}:\n{self.log}"
        assert "Server Shut Down." in self.log, self.log

    def kill(self) -> None:
        """kill -9: no line of its own runs any more."""
        self.process.kill()
        self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is not None:
            status = self.wait()
            if kind is not None:
                print(f"{self.log}\nit had ended, with status {status}")
        elif kind is None:
            self.stop()
        else:
            self.process.kill()
            self.process.wait()
            self._reader.join(DEADLINE)
            assert self.process.stdout is not None
            self.process.stdout.close()
            print(self.log)
