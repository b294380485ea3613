"""What was learned, on disk: append-only logs, that of the course protocol in the records file's own format.

One line is one ``write``, so a crash loses at most the line being written. Everything larger (compaction, healing after
a failed write, a file that somebody edited) goes through a temporary file and a rename, so the file is whole at any
moment. Lines that are not ours are kept as their author wrote them.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from twisted.logger import Logger

from labnet.resolver.kept import Kept, compacted_kept, encode_kept
from labnet.resolver.model import Mapping
from labnet.resolver.records import compacted
from labnet.resolver.text import encode_record

T = TypeVar("T")


class LearnedLog(Generic[T]):
    """Appends what was learned to ``path``; ``live`` gives all of it that is valid now, for when the file is rewritten.

    ``encode`` makes a line of one item, without its newline, and ``compact`` a whole file of an old one and the items.

    A file that cannot be written costs no answer: it is said once, tried again with the next one learned, and then
    everything live is written.
    """

    log = Logger()

    SLACK = 1000
    """Stale lines that are not worth a rewrite, whatever the number of live ones."""

    def __init__(
        self,
        path: str,
        live: Callable[[], list[T]],
        encode: Callable[[T], str],
        compact: Callable[[bytes, Iterable[T]], bytes],
    ) -> None:
        self._path = os.path.realpath(path)
        self._live = live
        self._encode = encode
        self._compact = compact
        self._lines = 0
        self._most_lines = self.SLACK
        self._known: tuple[int, int, int] | None = None  # device, inode and size of the file as we left it
        self._failing = False

    def open(self, lines: int, cut: bool) -> None:
        """Start on a file that holds ``lines`` learned lines, and the start of another where it was ``cut``."""
        self._lines = lines
        self._most_lines = 2 * len(self._live()) + self.SLACK
        if cut or lines > self._most_lines:
            self._keeping(self._rewrite)

    def append(self, learned: T) -> None:
        """Write ``learned``, which ``live`` has already. Never raises: a failure is logged."""
        self._keeping(lambda: self._append(learned))

    def close(self) -> None:
        """Bring what was written to the disk itself."""
        if self._failing:
            self._keeping(self._rewrite)
        with contextlib.suppress(OSError):
            _sync(self._path)

    def _keeping(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self._known = None
            if not self._failing:
                self.log.warn(
                    "cannot keep what was learned in {path}: {reason}; it is kept in memory until that is mended",
                    path=self._path,
                    reason=error.strerror,
                )
            self._failing = True
        else:
            if self._failing:
                self.log.info("what was learned is kept in {path} again", path=self._path)
            self._failing = False

    def _append(self, learned: T) -> None:
        # What is appended stands behind a learned line, so that parse_records can tell a cut line from a static one.
        if self._known is None or not self._lines or self._lines >= self._most_lines:
            self._rewrite()
            return
        line = self._encode(learned).encode() + b"\n"
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            self._rewrite()
            return
        try:
            if self._known != _identity(file):
                self._rewrite()  # somebody edited or replaced it: its last line may lack a newline
                return
            size = self._known[2]
            if os.write(file, line) != len(line):
                os.ftruncate(file, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._known = _identity(file)
            self._lines += 1
        finally:
            os.close(file)

    def _rewrite(self) -> None:
        live = self._live()
        content = b""
        mode = 0o644
        owner = None
        with contextlib.suppress(FileNotFoundError), open(self._path, "rb") as old:
            content = old.read()
            stat = os.fstat(old.fileno())
            mode, owner = stat.st_mode & 0o7777, (stat.st_uid, stat.st_gid)
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        temporary = self._path + ".new"
        try:
            with open(temporary, "wb") as new:
                os.fchmod(new.fileno(), mode)
                if owner is not None and owner != (os.geteuid(), os.getegid()):
                    # Only root may give a file away; for everybody else the rewritten file is their own.
                    with contextlib.suppress(PermissionError):
                        os.fchown(new.fileno(), *owner)
                new.write(self._compact(content, live))
                new.flush()
                os.fsync(new.fileno())
                self._known = _identity(new.fileno())
            os.replace(temporary, self._path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync(os.path.dirname(self._path))
        self._lines = len(live)
        self._most_lines = 2 * len(live) + self.SLACK


def course_log(path: str, live: Callable[[], list[Mapping]]) -> LearnedLog[Mapping]:
    """The log of what the course protocol told, in the records file's format; ``path`` may be a records file itself."""
    return LearnedLog(path, live, encode_record, compacted)


def dns_log(path: str, live: Callable[[], list[Kept]]) -> LearnedLog[Kept]:
    """The log of what DNS parents told (:mod:`labnet.resolver.kept`)."""
    return LearnedLog(path, live, encode_kept, compacted_kept)


def _identity(file: int) -> tuple[int, int, int]:
    stat = os.fstat(file)
    return stat.st_dev, stat.st_ino, stat.st_size


def _sync(path: str) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
