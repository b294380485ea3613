"""Both logs of one resolver as one: course answers in the records file's format, DNS answers as JSON lines.

A resolver in one process has them for its cache (:class:`~labnet.resolver.service.ResolverService`); where workers
serve it, their supervisor has them for the lines that all of them learned
(:class:`~labnet.daemon.workers.journal.Journal`).
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, TypeVar

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from labnet.net.clocks import ahead
from labnet.resolver.cache.interfaces import ILearned
from labnet.resolver.cache.lines import CachedAnswer
from labnet.resolver.cache.lock import LogLock
from labnet.resolver.cache.log import Form, LearnedLog, LogStart
from labnet.resolver.cache.syncing import threads_of
from labnet.resolver.cache.tail import TailReader
from labnet.resolver.files.course import authored

DNS_LOG_SUFFIX: Final = ".dns"
"""What the name of the log of DNS answers has behind that of the course answers'."""

MOST_ADOPTED: Final = 32_000_000
"""Bytes of answers, as a cache counts them, that are adopted at a time."""

T = TypeVar("T")


@implementer(ILearned)
class LearnedLogs(Generic[T]):
    """The two logs of the items that ``live`` gives, those that are valid now.

    ``encode`` makes the line of an item, whose times are by the second argument (seconds) later than the item's, and
    ``is_course`` says which log it belongs to. ``adopt`` gets valid answers that another program wrote into a log.
    Before :meth:`open`, and where that is given no path, nothing is written.
    """

    def __init__(
        self,
        live: Callable[[], Iterable[T]],
        encode: Callable[[T, float], str],
        course_name: Callable[[T], str | None],
        adopt: Callable[[list[CachedAnswer]], object],
        clock: IReactorTime,
    ) -> None:
        self._live = live
        self._encode = encode
        self._course_name = course_name
        self._adopt = adopt
        self._clock = clock
        self._course: LearnedLog[T] | None = None
        self._dns: LearnedLog[T] | None = None
        self._lock: LogLock | None = None

    def open(self, path: str | None, course: LogStart, dns: LogStart) -> None:
        """Go on with the logs at ``path``, which held what ``course`` and ``dns`` say.

        Raises :class:`~labnet.interfaces.InUse` where another lab has them.
        """
        if path is None:
            return
        self._lock = LogLock(path)
        threads = threads_of(self._clock)
        in_course = Form(self._encode, authored, lambda found: self._take(found, path), self._name)
        in_dns = Form(self._encode, None, lambda found: self._take(found, None))
        self._course = LearnedLog(path, self._live_course, in_course, self._clock, threads)
        self._dns = LearnedLog(path + DNS_LOG_SUFFIX, self._live_dns, in_dns, self._clock, threads)
        self._course.open(*course)
        self._dns.open(*dns)

    def append(self, learned: Sequence[T]) -> None:
        if self._course is None or self._dns is None:
            return
        name = self._course_name
        course = [item for item in learned if name(item) is not None]
        dns = learned if not course else [item for item in learned if name(item) is None]
        if dns:
            self._dns.append(dns)
        if course:
            self._course.append(course)

    def rewrite(self) -> None:
        for log in (self._course, self._dns):
            if log is not None:
                log.rewrite()

    def close(self) -> None:
        for log in (self._course, self._dns):
            if log is not None:
                log.close()
        self._course = self._dns = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _take(self, content: bytes, course: str | None) -> None:
        """Adopt the valid answers in ``content``, which is of the ``course`` log with this path, or of the DNS log."""
        later = ahead(self._clock)
        reader = TailReader(self._clock.seconds() + later, MOST_ADOPTED)
        file = io.BytesIO(content)
        tail = reader.dns(file) if course is None else reader.course(file, os.path.basename(course))
        for _, entry in tail.cached:
            entry.since -= later
        self._adopt(tail.cached)

    def _name(self, item: T) -> str:
        return self._course_name(item) or ""

    def _live_course(self) -> Iterable[T]:
        name = self._course_name
        return (item for item in self._live() if name(item) is not None)

    def _live_dns(self) -> Iterable[T]:
        name = self._course_name
        return (item for item in self._live() if name(item) is None)
