"""Both logs of one resolver as one: course answers in the records file's format, DNS answers as JSON lines.

A resolver in one process has them for its cache (:class:`~labnet.resolver.service.ResolverService`); where workers
serve it, their supervisor has them for the lines that all of them learned
(:class:`~labnet.daemon.workers.journal.Journal`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from labnet.resolver.cache.interfaces import ILearned
from labnet.resolver.cache.log import LearnedLog
from labnet.resolver.cache.syncing import threads_of
from labnet.resolver.files.course import authored

DNS_LOG_SUFFIX: Final = ".dns"
"""What the name of the log of DNS answers has behind that of the course answers'."""

T = TypeVar("T")


class LogStart(NamedTuple):
    """What was read of a log: so many learned ``lines``, and whether the last one was ``cut`` by a crash."""

    lines: int = 0
    cut: bool = False


@implementer(ILearned)
class LearnedLogs(Generic[T]):
    """The two logs of the items that ``live`` gives, those that are valid now.

    ``encode`` makes the line of an item, whose times are by the second argument (seconds) later than the item's, and
    ``is_course`` says which log it belongs to. Before :meth:`open`, and where that is given no path, nothing is kept.
    """

    def __init__(
        self,
        live: Callable[[], Iterable[T]],
        encode: Callable[[T, float], str],
        is_course: Callable[[T], bool],
        clock: IReactorTime,
    ) -> None:
        self._live = live
        self._encode = encode
        self._is_course = is_course
        self._clock = clock
        self._course: LearnedLog[T] | None = None
        self._dns: LearnedLog[T] | None = None

    def open(self, path: str | None, course: LogStart, dns: LogStart) -> None:
        """Go on with the logs at ``path``, which held what ``course`` and ``dns`` say."""
        if path is None:
            return
        threads = threads_of(self._clock)
        self._course = LearnedLog(path, self._live_course, self._encode, authored, self._clock, threads)
        self._dns = LearnedLog(path + DNS_LOG_SUFFIX, self._live_dns, self._encode, None, self._clock, threads)
        self._course.open(*course)
        self._dns.open(*dns)

    def append(self, learned: Sequence[T]) -> None:
        if self._course is None or self._dns is None:
            return
        course = [item for item in learned if self._is_course(item)]
        dns = learned if not course else [item for item in learned if not self._is_course(item)]
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

    def _live_course(self) -> Iterable[T]:
        return (item for item in self._live() if self._is_course(item))

    def _live_dns(self) -> Iterable[T]:
        return (item for item in self._live() if not self._is_course(item))
