"""Regular files, opened without waiting: no FIFO, device or socket in a file's place holds up the program."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import Final

LARGEST: Final = 1 << 30
"""Bytes of the largest file that is read."""

NOT_REGULAR: Final = "it is no regular file"

_PART: Final = 1 << 22
"""Bytes that are read between two calls of a checkpoint."""


def open_made(path: str, flags: int, mode: int) -> int:
    """A descriptor of the file at ``path``; a new one has this ``mode``, whatever the umask. Raises OSError."""
    try:
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, mode)
    os.fchmod(file, mode)
    return file


def open_regular(path: str, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the regular file at ``path``. Raises OSError, also where there is something else."""
    # Without O_NONBLOCK the opening of a FIFO waits for another program to open it too.
    file = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o640)
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        is_folder = stat.S_ISDIR(mode)
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR)) if is_folder else OSError(errno.EINVAL, NOT_REGULAR)
    return file


def read_regular(path: str, checkpoint: Callable[[], object] = lambda: None, largest: int = LARGEST) -> bytes:
    """The content of the regular file at ``path``; ``checkpoint`` is called between parts, and may raise.

    Raises OSError, also where the file has more than ``largest`` bytes.
    """
    file = open_regular(path)
    try:
        parts: list[bytes] = []
        size = 0
        while part := os.read(file, _PART):
            parts.append(part)
            size += len(part)
            if size > largest:
                raise OSError(errno.EFBIG, f"it has more than {largest:,} bytes")
            checkpoint()
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(file)
