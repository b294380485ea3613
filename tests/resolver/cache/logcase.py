"""A log of what was learned, in a folder of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.cache.log import Form, LearnedLog
from labnet.resolver.files.course import authored
from labnet.wire.course_line import encode_record
from labnet.wire.types import Mapping

AUTHORS = b"# ours\r\nwww.biu.ac.il, 1.2.3.4,180\n"


def learned(name: str, ttl: int = 60) -> Mapping:
    return Mapping(name, "1.2.3.4", ttl, learned=True, since=1605280488.5)


def line(name: str) -> bytes:
    return encode_record(learned(name)).encode() + b"\n"


def course_log(path: str, live: Callable[[], Iterable[Mapping]], clock: IReactorTime) -> LearnedLog[Mapping]:
    """A log of the course protocol whose items are mappings; what would wait for the disk is done at once."""
    return LearnedLog(path, live, Form(course_line, authored), clock, maybeDeferred)


def course_line(mapping: Mapping, later: float) -> str:
    return encode_record(replace(mapping, since=mapping.since + later))


class LogCase(SynchronousTestCase):
    """A log in a folder of its own, and what is live."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "learned"
        self.live: list[Mapping] = []
        self.clock = Clock()

    def opened(self, lines: int = 0, cut: bool = False) -> LearnedLog[Mapping]:
        log = course_log(os.fspath(self.path), lambda: iter(self.live), self.clock)
        log.open(lines, cut)
        return log

    def keep(self, log: LearnedLog[Mapping], name: str) -> None:
        """Learn ``name``: it is live from now on, and the log is told."""
        self.live.append(learned(name))
        log.append([self.live[-1]])

    def assertHolds(self, *lines: bytes) -> None:
        self.assertEqual(self.path.read_bytes(), b"".join(lines))
        self.assertEqual([path.name for path in self.folder.iterdir()], [self.path.name])
