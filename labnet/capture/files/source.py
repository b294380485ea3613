"""The bytes of a capture file, read once from front to back."""

from __future__ import annotations

import gzip
import zlib
from typing import BinaryIO, Protocol

from labnet.capture.model import CaptureError


class ReadableBytes(Protocol):
    """What a capture is read from."""

    def read(self, count: int, /) -> bytes:
        """At most ``count`` bytes, fewer only at the end."""


class CaptureBytes:
    """Counts what is read from ``file``, which ``path`` names in messages, and records why reading stopped early.

    ``size`` are the bytes of the file on the disk, of which ``below`` has read a part where ``file`` unpacks it.
    """

    def __init__(self, file: ReadableBytes, path: str, size: int | None = None, below: BinaryIO | None = None) -> None:
        self.path = path
        self.size = size
        self._below = below
        self.position = 0
        self.stopped: str | None = None
        """One sentence where the file could not be read to its end; None where it could, or is not read yet."""
        self._file = file

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes, fewer only at the end of the file. Raises :class:`CaptureError`."""
        try:
            data = self._file.read(count)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self.stop(f"the compressed file ends or is damaged behind byte {self.position} of what it holds")
            return b""
        except OSError as error:
            raise CaptureError(f"{self.path}: cannot be read: {error.strerror}") from None
        self.position += len(data)
        return data

    @property
    def passed(self) -> int:
        """Bytes of the file on the disk that were read."""
        return self.position if self._below is None else self._below.tell()

    def stop(self, why: str) -> None:
        self.stopped = why
