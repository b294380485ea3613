"""A capture file of whichever format, as packets that stream by."""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
from collections.abc import Iterator
from typing import Final

from labnet.capture.files import pcap, pcapng
from labnet.capture.files.source import CaptureBytes
from labnet.capture.model import CaptureError, Packet

_GZIP: Final = b"\x1f\x8b"
_NOT_OURS: Final = {
    b"(\xb5\x2f\xfd": "is compressed: unzstd it first",
    b"PK\x03\x04": "is a zip archive: unpack it first",
    b"snoop": "is in Solaris' snoop format: save it as pcapng with Wireshark first",
    b"\x34\xcd\xb2\xa1": "is in the modified pcap format of old Linux kernels: save it as pcapng with Wireshark first",
    b"\xa1\xb2\xcd\x34": "is in the modified pcap format of old Linux kernels: save it as pcapng with Wireshark first",
}


PROGRESS: Final = 256
"""Packets between two looks at how much of a file is read."""


class Capture:
    """An open capture: iterate over it once for its packets; ``stopped`` then says where and why it ended early."""

    def __init__(self, source: CaptureBytes) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Packet]:
        magic = self._source.take(4)
        if magic == pcapng.MAGIC:
            return pcapng.read(self._source)
        if magic in pcap.MAGICS:
            return pcap.read(self._source, magic)
        raise CaptureError(f"{self._source.path}: {_why(magic)}")

    @property
    def stopped(self) -> str | None:
        return self._source.stopped

    @property
    def progress(self) -> float:
        """How much of the file is read, 0 to 1."""
        return min(self._source.passed / self._source.size, 1.0) if self._source.size else 1.0


@contextlib.contextmanager
def open_capture(path: str) -> Iterator[Capture]:
    """The capture in the file at ``path``, also one that gzip compressed; ``-`` is standard input.

    Raises :class:`CaptureError`, also while it is read.
    """
    with contextlib.ExitStack() as stack:
        try:
            if path == "-":
                yield Capture(CaptureBytes(sys.stdin.buffer, "standard input", None))
                return
            file = stack.enter_context(open(path, "rb"))
        except OSError as error:
            raise CaptureError(f"{path}: cannot be read: {error.strerror}") from None
        size = os.fstat(file.fileno()).st_size
        if file.peek(2)[:2] == _GZIP:
            yield Capture(CaptureBytes(gzip.GzipFile(fileobj=file), path, size, file))
        else:
            yield Capture(CaptureBytes(file, path, size))


def _why(magic: bytes) -> str:
    if not magic:
        return "is empty: nothing was captured into it"
    for begins, why in _NOT_OURS.items():
        if magic.startswith(begins[:4]):
            return why
    return f"is no capture: it begins with the bytes {magic.hex(' ')}, and neither pcap nor pcapng does"
