"""Who writes a log: one lab at a time, by a lock on a file beside it.

The log itself is replaced at every rewrite, so that a lock on it would be one on a file that is gone. The system drops
the lock of a process that ends, however it ends; the file that it leaves is locked by the next.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final

from labnet.interfaces import InUse

LOCK_SUFFIX: Final = ".lock"


class LogLock:
    """The lock of the log at ``path``. Raises :class:`~labnet.interfaces.InUse`.

    Within one process it may be had more than once: where a reload gives a log from one resolver to another, both have
    it for a moment. Where no such file can be made the log cannot be written to either, and nothing is locked.
    """

    _held: ClassVar[dict[str, tuple[int, int]]] = {}
    """The descriptor of each file that this process has locked, and how often."""

    def __init__(self, path: str) -> None:
        self._path = os.path.realpath(path) + LOCK_SUFFIX
        file, times = self._held.get(self._path, (-1, 0))
        if not times:
            try:
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
                file = _locked(self._path)
            except BlockingIOError:
                raise InUse(path, "the log", "`learned` or [lab] `state`") from None
            except OSError:
                self._path = ""
                return
        self._held[self._path] = (file, times + 1)

    def release(self) -> None:
        """Give it back. Idempotent."""
        path, self._path = self._path, ""
        if not path:
            return
        file, times = self._held.pop(path)
        if times > 1:
            self._held[path] = (file, times - 1)
            return
        with contextlib.suppress(OSError):
            os.unlink(path)  # while it is locked: a process that opens it now finds that it is gone
        os.close(file)


@contextlib.contextmanager
def claimed(paths: Iterable[str | None]) -> Iterator[None]:
    """Have the locks of all logs at ``paths`` meanwhile. Raises InUse where another lab has one of them."""
    with contextlib.ExitStack() as stack:
        for path in paths:
            if path is not None:
                stack.callback(LogLock(path).release)
        yield


def _locked(path: str) -> int:
    """A descriptor of the file at ``path``, locked. Raises OSError; BlockingIOError where another process has it."""
    # A disk on which a file is open for writing cannot be made read-only; NFS locks only such a file.
    access = os.O_RDONLY
    while True:
        file = os.open(path, access | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno != errno.EBADF or access != os.O_RDONLY:
                raise
            access = os.O_RDWR
            continue
        if os.fstat(file).st_nlink:
            return file
        os.close(file)  # the process that had it took the file away
