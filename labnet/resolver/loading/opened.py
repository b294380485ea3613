"""The files of a resolver, opened: none of them may hold up its start, or end it in a traceback."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

from labnet.net.kernel.regular import open_regular, read_regular
from labnet.resolver.cache.tail import Tail, TailReader
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.loading.reading import Reading


class OpenedFiles:
    """Opens what a resolver is ``loaded`` from, and notes what is wrong with it there; ``tail`` reads its logs."""

    def __init__(self, loaded: Loaded, reading: Reading, tail: TailReader) -> None:
        self.loaded = loaded
        self.tail = tail
        self.checkpoint = reading.checkpoint
        self._reading = reading

    def read(self, path: str) -> bytes | None:
        """The content of the file at ``path``; None where it has none, which is an error then."""
        self._reading.path = path
        try:
            return read_regular(path, self._reading.checkpoint)
        except FileNotFoundError:
            self.loaded.errors.append(f"{path}: there is no such file")
        except OSError as error:
            self.loaded.errors.append(f"{path}: cannot be read: {error.strerror}")
        return None

    def log(self, path: str, read: Callable[[BinaryIO], Tail]) -> Tail | None:
        """Take up what is ``read`` of the log at ``path``; None where there is none, or it cannot be read."""
        self._reading.path = path
        try:
            with open(open_regular(path), "rb", buffering=0) as file:
                tail = read(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.loaded.errors.append(f"{path}: cannot be read: {error.strerror}")
            return None
        self.loaded.cached += tail.cached
        # No author mends a log: a line in it that cannot be read costs that line, not the start.
        self.loaded.note(path, tail.problems, harmless=True)
        return tail

    def course_log(self, path: str, is_records: bool = False) -> None:
        """Take up the course's log at ``path``, which is a records file too where it ``is_records``."""
        tail = self.log(path, lambda file: self.tail.course(file, os.path.basename(path), is_records))
        if tail is not None:
            self.loaded.course_log = tail.start
