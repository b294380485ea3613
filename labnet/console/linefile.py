"""A file of lines that is appended to, whatever happens to it: renamed away, removed, its disk full."""

from __future__ import annotations

import contextlib
import os
from typing import Final

from twisted.logger import Logger

from labnet.net.kernel.regular import open_made

MODE: Final = 0o640
"""What clients ask and do is their business: the file is for its owner and a group that may read logs."""


class LineFile:
    """Appends lines to ``path``; opened by the first, and anew where the path leads to another file than before.

    A write that fails loses its lines and nothing else: the first failure in a row is logged, and so is the end of
    them. Several processes may append to one file, as each write is one call.
    """

    log = Logger()

    def __init__(self, path: str) -> None:
        self.path = path
        self.lost = 0
        """Lines that could not be written since the file was last in order."""
        self._file: int | None = None
        self._failing = False
        self._cut = False

    @property
    def failing(self) -> bool:
        """Whether the last write failed."""
        return self._failing

    def write(self, lines: bytes, count: int = 1) -> None:
        """Append ``lines``, ``count`` of them, each with its newline. Never raises."""
        try:
            self._append(lines)
        except OSError as error:
            self.close()
            self.lost += count
            if not self._failing:
                self._failing = True
                self.log.warn(
                    "cannot write {path}: {reason}; its lines are lost until that is mended",
                    path=self.path,
                    reason=error.strerror,
                    event="console.file-failed",
                )
            return
        if self._failing:
            self._failing = False
            lost, self.lost = self.lost, 0
            self.log.info(
                "{path} is written again; {lost} line(s) were lost",
                path=self.path,
                lost=lost,
                event="console.file-recovered",
            )

    def close(self) -> None:
        """Close the file; the next write opens it again. Idempotent."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None

    def _append(self, lines: bytes) -> None:
        file = self._opened()
        if self._cut:
            lines = b"\n" + lines
        while lines:
            written = os.write(file, lines)
            lines = lines[written:]
            # What follows half a line after a failure starts on a line of its own.
            self._cut = bool(lines)

    def _opened(self) -> int:
        """The file that the path leads to now, made where there is none."""
        if self._file is not None:
            ours = os.fstat(self._file)
            with contextlib.suppress(FileNotFoundError):
                theirs = os.stat(self.path)
                if (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino):
                    return self._file
            self.close()
            self._cut = False
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        # Without O_NONBLOCK a FIFO without a reader would stop the server.
        self._file = open_made(self.path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK, MODE)
        return self._file
