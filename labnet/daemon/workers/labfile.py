"""The lab that all workers take, in a file without a name whose descriptor they inherit.

Such a file cannot be removed, and a worker that is started again finds in it what the others have. A reload writes the
new content beside the old one, which counts until the header, written last and in one call, leads to the new one; so a
worker may read at any moment, and a full disk leaves what was there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import struct
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from labnet.config.reading import Config
from labnet.resolver.loading.loaded import Loaded

_HEADER: Final = struct.Struct(">QQ32s")
"""Where the content begins, its bytes, and their digest."""

_START: Final = 4096  # of the first content
_TRIES: Final = 50
_BETWEEN: Final = 0.1  # seconds; two reloads in a row may overwrite what is being read


class LabFile:
    """The file as its supervisor has it, in ``folder`` or, where that cannot be written to, in the system's for files.

    Raises OSError where there is no room for one.
    """

    def __init__(self, folder: str) -> None:
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (it is open as long as the lab runs)
        except OSError:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._begin = self._end = _START

    def fileno(self) -> int:
        """The descriptor, for workers to inherit."""
        return self._file.fileno()

    def write(self, config: Config, loaded: Mapping[str, Loaded]) -> None:
        """Have workers take this from now on, but for what was learned, which comes as messages. Raises OSError."""
        bare = {name: replace(files, cached=[], warnings=[]) for name, files in loaded.items()}
        begin = _START if self._begin > self._end - self._begin + _START else self._end
        part = _Part(self.fileno(), begin, self._begin if begin < self._begin else None)
        try:
            pickle.dump((config, bare), part, protocol=pickle.HIGHEST_PROTOCOL)
        except _NoRoom:
            part = _Part(self.fileno(), self._end, None)
            pickle.dump((config, bare), part, protocol=pickle.HIGHEST_PROTOCOL)
        _write(self.fileno(), _HEADER.pack(part.begin, part.end - part.begin, part.digest.digest()), 0)
        self._begin, self._end = part.begin, part.end
        with contextlib.suppress(OSError):
            os.ftruncate(self.fileno(), self._end)

    def close(self) -> None:
        """Close it. Idempotent."""
        self._file.close()


def read_lab_file(descriptor: int) -> tuple[Config, dict[str, Loaded]]:
    """What the supervisor wrote last. Raises OSError where it cannot be had."""
    for _ in range(_TRIES):
        begin, size, digest = _HEADER.unpack(os.pread(descriptor, _HEADER.size, 0))
        content = bytearray()
        while len(content) < size and (part := os.pread(descriptor, size - len(content), begin + len(content))):
            content += part
        if _digest(content) == digest:
            found: tuple[Config, dict[str, Loaded]] = pickle.loads(content)
            return found
        del content
        time.sleep(_BETWEEN)
    raise OSError("what the supervisor wrote for its workers cannot be read")


class _NoRoom(Exception):
    """The content does not fit in front of the old one."""


class _Part:
    """A part of a file, from ``begin`` on and not past ``limit``, as pickle writes to it."""

    def __init__(self, file: int, begin: int, limit: int | None) -> None:
        self.begin = self.end = begin
        self.digest = hashlib.blake2b(digest_size=32)
        self._file = file
        self._limit = limit

    def write(self, data: Any) -> int:
        size = len(data) if isinstance(data, bytes) else memoryview(data).nbytes
        if self._limit is not None and self.end + size > self._limit:
            raise _NoRoom
        _write(self._file, data, self.end)
        self.digest.update(data)
        self.end += size
        return size


def _write(file: int, data: Any, at: int) -> None:
    left = memoryview(data).cast("B")
    while left:
        written = os.pwrite(file, left, at)
        at += written
        left = left[written:]


def _digest(content: bytearray) -> bytes:
    return hashlib.blake2b(content, digest_size=32).digest()
