"""The zones of a secondary as files, each a master file that is replaced as a whole or not at all.

The time of a file is when a primary last said that there is nothing newer, so that a zone expires also where the lab
did not run meanwhile.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import IO, Final

from labnet.net.kernel.regular import open_made, read_regular
from labnet.resolver.transfers.incoming import IncomingTransfer, TransferError, TransferKind, TransferLine
from labnet.wire.tsig import SignatureError, Verifier

MODE: Final = 0o640

_HEAD: Final = "; This zone is another server's: labnet writes it anew when that has a newer one.\n"
_UNFINISHED: Final = ".part"


class NewVersion:
    """A version of ``zone`` for the file at ``path`` while it comes; nothing of it counts before :meth:`finish`.

    It answers the question with this ``id`` and the version ``serial`` that is here, None for none; its messages are
    signed where there is a ``verifier``. The methods read and write files and may raise OSError; they are for a thread
    of their own.
    """

    def __init__(self, path: str, zone: bytes, id: int, serial: int | None, verifier: Verifier | None) -> None:
        self.incoming = IncomingTransfer(zone, id, serial, self._take)
        self._verifier = verifier
        self._path = path
        self._part = path + _UNFINISHED
        self._file: IO[str] | None = None
        self._changes: list[TransferLine] = []

    def receive(self, message: bytes, now: float) -> bool:
        """Take the next message, at ``now`` (epoch seconds); whether it was the last. Raises TransferError."""
        if self._verifier is not None:
            try:
                message = self._verifier.open(message, now)
            except SignatureError as error:
                raise TransferError(f"a message has a wrong signature: {error}") from None
        is_last = self.incoming.receive(message)
        if is_last and self._verifier is not None and self._verifier.unsigned:
            raise TransferError("the last message is not signed")
        return is_last

    def finish(self) -> None:
        """Have it take the place of the version that was. Raises TransferError where its changes do not fit that."""
        if self.incoming.kind is TransferKind.CHANGES:
            self._opened().writelines(f"{line}\n" for line in self._changed())
        file = self._opened()
        file.flush()
        os.fsync(file.fileno())
        file.close()
        os.replace(self._part, self._path)
        folder = os.open(os.path.dirname(self._path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def drop(self) -> None:
        """Leave nothing of it but what was finished. Idempotent."""
        if self._file is not None:
            self._file.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._part)

    def _take(self, lines: list[TransferLine]) -> None:
        if self.incoming.kind is TransferKind.CHANGES:
            self._changes += lines
        else:
            self._opened().writelines(f"{line.text}\n" for line in lines)

    def _opened(self) -> IO[str]:
        if self._file is None:
            os.makedirs(os.path.dirname(self._path), 0o750, exist_ok=True)
            descriptor = open_made(self._part, os.O_WRONLY | os.O_TRUNC, MODE)
            self._file = open(descriptor, "w", encoding="ascii")  # noqa: SIM115 (it is closed when all has come)
            self._file.write(f"{_HEAD}{self.incoming.soa_line}\n")
        return self._file

    def _changed(self) -> Iterator[str]:
        """The lines of the version that was, with the changes."""
        _, _, *stored = read_regular(self._path).decode("ascii").splitlines()
        lines = {_folded(line): line for line in stored}
        for text, removed in self._changes:
            if not removed:
                lines[_folded(text)] = text
            elif lines.pop(_folded(text), None) is None:
                raise TransferError(f"a record is to be removed that is not there: {text[:200]}")
        return iter(lines.values())


def _folded(line: str) -> str:
    """A line with its owner in small letters: the same record is the same line then."""
    owner, blank, rest = line.partition(" ")
    return owner.lower() + blank + rest


def touch(path: str, when: float) -> None:
    """Note that the version in the file at ``path`` is the newest one at ``when`` (epoch seconds). Raises OSError."""
    os.utime(path, (when, when))
