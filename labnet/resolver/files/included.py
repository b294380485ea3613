"""The files that zone files include, as far as they may (RFC 1035, section 5.1)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from labnet.resolver.files.entries import EntryError, shown

MOST_INCLUDED: Final = 100
"""Files that one zone file may include, those of included ones counted."""

Include = Callable[[str], tuple[str, bytes]]
"""Gives the path and the content of the file of this name, or raises EntryError."""


def no_file(name: str) -> tuple[str, bytes]:
    """Where no file may be included."""
    raise EntryError(f"$INCLUDE {shown(name)} is refused here")


class IncludedFiles:
    """Opens, by ``read``, what the zone file at ``path`` includes: files of its folder and of folders below that."""

    def __init__(self, path: str, read: Callable[[str], bytes]) -> None:
        self._folder = os.path.dirname(os.path.abspath(path))
        self._read = read
        self._opened = 0

    def __call__(self, name: str) -> tuple[str, bytes]:
        """The path and the content of a file; its name is relative to the folder. Raises EntryError."""
        self._opened += 1
        if self._opened > MOST_INCLUDED:
            raise EntryError(f"more than {MOST_INCLUDED} files are included; does one include itself?")
        path = os.path.normpath(os.path.join(self._folder, name))
        try:
            real, inside = os.path.realpath(path), os.path.realpath(self._folder)
            if os.path.commonpath([real, inside]) != inside:
                raise EntryError(f"$INCLUDE {shown(name)} is refused: the file is not in {self._folder} or below it")
            return path, self._read(real)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise EntryError(f"$INCLUDE {shown(name)}: {getattr(error, 'strerror', None) or error}") from None
