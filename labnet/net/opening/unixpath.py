"""UNIX sockets in the file system: how long a path may be, and who owns the file that is there."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import Any, Final, cast

from twisted.internet import tcp, unix
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

LONGEST_PATH: Final = 107
"""Bytes of a UNIX socket's path (unix(7): ``sun_path`` has 108 with its NUL)."""


def remove_dead(path: str) -> None:
    """Remove the socket at ``path`` if nobody listens on it any more.

    Raises OSError: EADDRINUSE where somebody listens, EEXIST where a file is no socket, what lstat(2) or unlink(2) say.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "there is a file that is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        outcome = client.connect_ex(path)
    if outcome in (0, errno.EAGAIN):  # EAGAIN: its queue is full
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    if outcome == errno.ECONNREFUSED:
        os.unlink(path)


class UNIXPort(unix.Port):
    """Twisted's, but its file may be gone, another's by now, or in a folder that is no longer ours to write to."""

    _file: tuple[int, int] | None = None

    def __init__(self, path: str, factory: Factory, backlog: int, mode: int, reactor: Any) -> None:
        super().__init__(os.fsencode(path), factory, backlog, mode, reactor)
        self._path = path

    def startListening(self) -> None:
        cast(Any, super()).startListening()
        self._file = _identity(self._path)

    def connectionLost(self, reason: Failure) -> None:
        if self._file is not None and self._file == _identity(self._path):
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        tcp.Port.connectionLost(self, reason)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
