"""A program on a terminal of its own, as somebody types into it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from tests.interop.daemon import DEADLINE


class Terminal:
    """Runs ``command`` with a pseudo-terminal for stdin, stdout and stderr; the ``with`` block's end kills it.

    The terminal has 24 lines of 80 columns. Without ``env`` it can do nothing but print (``TERM=dumb``).
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        try:
            self._process = subprocess.Popen(
                command,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
                env=os.environ | {"TERM": "dumb"} if env is None else env,
            )
        finally:
            os.close(slave)
        self._shown = b""

    def type(self, text: bytes) -> None:
        """Type all of ``text`` at once."""
        os.write(self._master, text)

    def read_to(self, text: bytes) -> bytes:
        """What it shows, to the end of the first ``text`` that was not read yet."""
        until = time.monotonic() + DEADLINE
        while text not in self._shown:
            assert self._more(until - time.monotonic()), f"it did not show {text!r} but {self._shown!r}"
        end = self._shown.index(text) + len(text)
        shown, self._shown = self._shown[:end], self._shown[end:]
        return shown

    def interrupt(self) -> None:
        """Ctrl-C: the signal that a terminal sends to all processes in its foreground."""
        os.killpg(self._process.pid, signal.SIGINT)

    def read_to_end(self) -> bytes:
        """What it shows until nobody has the terminal open any more, and was not read yet."""
        until = time.monotonic() + DEADLINE
        while self._more(until - time.monotonic()):
            pass
        assert time.monotonic() < until, f"it did not end but showed {self._shown!r}"
        shown, self._shown = self._shown, b""
        return shown

    def wait(self) -> int:
        """The exit status, once it has ended by itself."""
        self.read_to_end()
        return self._process.wait(DEADLINE)

    def shows_nothing(self, seconds: float = 0.7) -> bool:
        """Whether it shows no more than what was read, for so long."""
        return not self._shown and not self._more(seconds)

    def _more(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], max(0.0, seconds))[0]:
            return False
        try:
            piece = os.read(self._master, 4096)
        except OSError:  # Linux's way to say that nobody has the terminal open any more
            return False
        self._shown += piece
        return bool(piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)
