"""The bytes of a capture file, read once from front to back."""

from __future__ import annotations

from typing import BinaryIO

from labnet.capture.model import CaptureError


class CaptureBytes:
    """Counts what is read from ``file``, which ``path`` names in messages, and records why reading stopped early."""

    def __init__(self, file: BinaryIO, path: str, size: int | None = None) -> None:
        self.path = path
        self.size = size
        self.position = 0
        self.stopped: str | None = None
        """One sentence where the file could not be read to its end; None where it could, or is not read yet."""
        self._file = file

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes, fewer only at the end of the file. Raises :class:`CaptureError`."""
        try:
            data = self._file.read(count)
        except OSError as error:
            raise CaptureError(f"{self.path}: cannot be read: {error.strerror}") from None
        self.position += len(data)
        return data

    def stop(self, why: str) -> None:
        self.stopped = why
