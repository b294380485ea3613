"""A file written whole, a bit at a time, beside the one whose place it takes."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple

from labnet.net.kernel.regular import open_regular

_PART: Final = 1 << 20
"""Bytes of the old file that are read at a time."""

_LINES_AT_A_TIME: Final = 16
"""Lines that are made between two looks at the clock."""


MODE: Final = 0o640
"""What clients ask is their business: a new file is for its owner and a group that may read logs."""


class Identity(NamedTuple):
    """Which file it is, and in which state."""

    device: int
    inode: int
    size: int
    modified: int


def identity(file: int | str) -> Identity:
    """That of an open file or of the one at a path. Raises OSError."""
    stat = os.stat(file)
    return Identity(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _made(path: str) -> int:
    """A descriptor of a new file at ``path``, in place of one that a crash left; no link there is followed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return os.open(path, flags, MODE)


class Rewriting:
    """The file at ``path`` on its way to a new content: :attr:`lines`, then what was put :attr:`behind` meanwhile.

    Making one opens a temporary file beside the old one, which it ``reads`` or not; it ``began`` then (seconds of the
    log's clock). Every step may raise OSError.
    """

    SUFFIX: Final = ".new"

    def __init__(self, path: str, reads: bool, began: float) -> None:
        self._path = path
        self.began = began
        self._old: BinaryIO | None = None
        self.old: Identity | None = None
        """The old file as it was read; None where there was none."""
        self.lines: Iterator[bytes] = iter(())
        self.learned = 0
        self.behind: list[bytes] = []
        self.size = 0
        self.is_syncing = False
        """Whether a thread has the file in its hands."""
        self.is_outdated = False
        """Whether another rewrite has to follow."""
        mode, owner = MODE, None
        with contextlib.suppress(FileNotFoundError):
            old = open(open_regular(path), "rb", buffering=0)  # noqa: SIM115 (it is closed turns later)
            stat = os.fstat(old.fileno())
            mode, owner = stat.st_mode & 0o7777, (stat.st_uid, stat.st_gid)
            self.old = identity(old.fileno())
            if reads:
                self._old = old
            else:
                old.close()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            self._new = open(_made(path + self.SUFFIX), "wb", buffering=0)  # noqa: SIM115 (it is closed turns later)
        except OSError:
            self._close_old()
            raise
        try:
            os.fchmod(self._new.fileno(), mode)
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                # Only root may give a file away; for everybody else the rewritten file is their own.
                with contextlib.suppress(PermissionError):
                    os.fchown(self._new.fileno(), *owner)
        except OSError:
            self.drop()
            raise

    def foreign(self, left: Identity | None) -> bytes:
        """What of the old file another program wrote since it was ``left`` by ours: all of it, or what is behind."""
        if self.old is None or self.old == left:
            return b""
        is_longer = left is not None and self.old[:2] == left[:2] and self.old.size > left.size
        with open(open_regular(self._path), "rb") as file:
            file.seek(left.size if left is not None and is_longer else 0)
            return file.read()

    def old_parts(self) -> Iterator[bytes]:
        """The old file as it was at the beginning, a part at a time, each of whole lines; the last has the last two."""
        if self._old is None or self.old is None:
            return
        left, rest = self.old.size, b""
        while left and (part := self._old.read(min(_PART, left))):
            left -= len(part)
            rest += part
            if left:
                end = rest.rfind(b"\n", 0, max(0, rest.rfind(b"\n"))) + 1
                yield rest[:end]
                rest = rest[end:]
        yield rest
        self._close_old()

    def counted(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """``lines``, each of which counts as a learned one."""
        for line in lines:
            self.learned += 1
            yield line

    def go_on(self, has_time: Callable[[], bool]) -> bool:
        """Write lines for as long as it ``has_time``; whether all of them are written."""
        part = []
        ended = True
        for number, line in enumerate(self.lines, 1):
            part.append(line)
            if not number % _LINES_AT_A_TIME and not has_time():
                ended = False
                break
        self._write(b"".join(part))
        return ended

    def sync(self) -> None:
        """Bring what is written to the disk."""
        os.fsync(self._new.fileno())

    def replace(self, expected: Identity | None) -> Identity | None:
        """Take the old file's place, unless that is not as ``expected``: then None, and there is no new file."""
        self._write(b"".join(self.behind))
        try:
            now: Identity | None = identity(self._path)
        except FileNotFoundError:
            now = None
        if now != expected:
            self.drop()
            return None
        ours, there = os.fstat(self._new.fileno()), os.lstat(self._path + self.SUFFIX)
        if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
            raise OSError(errno.ESTALE, f"another program has put a file in place of {self._path + self.SUFFIX}")
        os.replace(self._path + self.SUFFIX, self._path)
        known = identity(self._new.fileno())
        self.close()
        return known

    def drop(self) -> None:
        """Give it up; where a thread has the file, that is closed when the thread is done."""
        if not self.is_syncing:
            self.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path + self.SUFFIX)

    def close(self) -> None:
        """Close the new file."""
        self._new.close()
        self._close_old()

    def _close_old(self) -> None:
        old, self._old = self._old, None
        if old is not None:
            old.close()

    def _write(self, data: bytes) -> None:
        self.size += len(data)
        left = memoryview(data)
        while left:
            written = os.write(self._new.fileno(), left)
            if not written:
                raise OSError("nothing was written")
            left = left[written:]
