"""What was learned, on disk: append-only logs, that of the course protocol in the records file's own format.

What is learned at a time is one ``write``, done before any of it is answered, so a crash loses nothing that was; at
most :data:`FLUSH` seconds later it is on the disk itself. Everything larger (compaction, healing after a failed write,
a file that somebody edited) goes through a temporary file and a rename, so the file is whole at any moment. Lines that
are not ours are kept as their author wrote them.

Nothing here keeps the reactor for long: a whole file is written a bit at a time, and a thread waits for the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Final, Generic, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import ILearned
from labnet.net.clocks import ahead
from labnet.resolver.cache.lines import CachedAnswer, encode_dns_line
from labnet.resolver.cache.rewrite import Identity, Rewriting, identity
from labnet.resolver.files.course import authored
from labnet.wire.course_line import encode_record
from labnet.wire.types import Mapping

FLUSH: Final = 1.0
"""Seconds after which a line is on the disk itself, so that a loss of power costs no more."""

RETRY: Final = 1.0
"""Seconds between two tries to write a file that cannot be written; more where a try takes a tenth of that."""

_TURN: Final = 0.002
_PAUSE: Final = 0.002
"""Seconds for which a whole file is written at a time, and for which others are served in between."""

_LONGEST_LINE: Final = 300_000

_IN_MEMORY: Final = "it is kept in memory until that is mended"
_APPENDED: Final = "new lines are still appended, old ones cannot be removed"

InThread = Callable[[Callable[[], None]], "Deferred[None]"]
"""Has something done where it may wait for the disk."""

T = TypeVar("T")


@implementer(ILearned)
class LearnedLog(Generic[T]):
    """Appends what was learned to ``path``; ``live`` gives all of it that is valid now, for when the file is rewritten.

    ``encode`` makes a line of one item, without its newline, whose times are so many seconds later than the item's: in
    the file they are those of the system's clock. ``authored`` gives, line by line, what of an old file is to stay, or
    is None where nothing is.

    A file that cannot be written costs no answer: it is said once, tried again every :data:`RETRY` seconds, and then
    everything live is written.
    """

    log = Logger()

    SLACK = 1000
    """Stale lines that are not worth a rewrite, whatever the number of live ones."""

    AT_ONCE = 100_000
    """Bytes of a rewritten file that are brought to the disk at once; for more, a thread waits."""

    def __init__(
        self,
        path: str,
        live: Callable[[], Iterable[T]],
        encode: Callable[[T, float], str],
        authored: Callable[[bytes], Iterator[bytes]] | None,
        clock: IReactorTime,
        in_thread: InThread,
    ) -> None:
        self._path = os.path.realpath(path)
        self._live = live
        self._encode = encode
        self._authored = authored
        self._clock = clock
        self._in_thread = in_thread
        self._lines = 0
        self._most_lines = self.SLACK
        self._known: Identity | None = None
        """The file as we left it; None where nothing can be appended to it."""
        self._ahead = 0.0
        self._rewriting: Rewriting | None = None
        self._again = False
        self._began: float | None = None
        self._next: IDelayedCall | None = None
        self._flush: IDelayedCall | None = None
        self._flushing = False
        self._unflushed = False
        self._failing = False
        self._losing = False
        self._closed = False

    def open(self, lines: int, cut: bool) -> None:
        self._lines = lines
        self._most_lines = 2 * sum(1 for _ in self._live()) + self.SLACK
        with contextlib.suppress(OSError):
            self._take_up(cut)
        if cut or lines > self._most_lines:
            self.rewrite()

    def append(self, learned: Sequence[T]) -> None:
        shift = ahead(self._clock)
        lines = [self._encode(each, shift).encode() + b"\n" for each in learned]
        if self._rewriting is not None:
            self._rewriting.behind += lines
        # What is appended stands behind a learned line, so that parse_records can tell a cut line from a static one.
        if self._known is not None and self._lines:
            try:
                self._write(lines, self._known)
            except OSError as error:
                self._failed(error, lost=True)
        is_fit = self._known is not None and 0 < self._lines <= self._most_lines and shift == self._ahead
        if not is_fit and self._rewriting is None and self._next is None:
            self._begin()

    def rewrite(self) -> None:
        if self._rewriting is None:
            self._begin()
        else:
            self._again = True

    def close(self) -> None:
        self._closed = True
        if (self._known is None and (self._failing or self._next is not None or self._rewriting is not None)) or (
            self._lines and ahead(self._clock) != self._ahead
        ):
            self._begin()
        self._drop()
        self._cancel()
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        with contextlib.suppress(OSError):
            _sync(self._path)

    def _take_up(self, cut: bool) -> None:
        """See whether lines can be appended as the file is: it has to end in a whole line of ours. One ``cut`` goes."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path + Rewriting.SUFFIX)
        with open(self._path, "r+b", buffering=0) as file:
            start = max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE)
            file.seek(start)
            tail = file.read(_LONGEST_LINE)
            end = tail.rfind(b"\n") + 1
            last = tail[tail.rfind(b"\n", 0, max(0, end - 1)) + 1 : end]
            if cut and end:
                file.truncate(start + end)
            elif end < len(tail):
                return
            if last and not (self._authored and b"".join(self._authored(last))):
                self._known = identity(file.fileno())

    def _write(self, lines: list[bytes], known: Identity) -> None:
        """Append ``lines``, unless somebody edited or replaced the file: its last line may lack a newline."""
        self._known = None
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            if identity(file) != known:
                return
            content = b"".join(lines)
            if os.write(file, content) != len(content):
                os.ftruncate(file, known.size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._known = identity(file)
        finally:
            os.close(file)
        self._lines += len(lines)
        self._flush_soon()

    def _begin(self) -> None:
        """Write the whole file anew."""
        self._drop()
        self._cancel()
        self._again = False
        self._began = self._clock.seconds()
        self._ahead = ahead(self._clock)
        try:
            self._rewriting = rewriting = Rewriting(self._path, reads=self._authored is not None)
        except OSError as error:
            self._failed(error)
            return
        if rewriting.old != self._known:
            self._known = None
        shift = self._ahead
        lines = (self._encode(learned, shift).encode() + b"\n" for learned in self._live())
        kept = self._authored(rewriting.content) if self._authored else ()
        rewriting.lines = chain(kept, rewriting.counted(lines))
        self._go_on(rewriting)

    def _go_on(self, rewriting: Rewriting) -> None:
        self._next = None
        until = self._clock.seconds() + _TURN
        try:
            if not rewriting.go_on(lambda: self._closed or self._clock.seconds() < until):
                self._next = self._clock.callLater(_PAUSE, self._go_on, rewriting)
            elif self._closed or rewriting.size <= self.AT_ONCE:
                rewriting.sync()
                self._replace(rewriting)
            else:
                rewriting.is_syncing = True
                self._in_thread(rewriting.sync).addBoth(self._synced, rewriting)
        except OSError as error:
            self._failed(error)

    def _synced(self, result: object, rewriting: Rewriting) -> None:
        rewriting.is_syncing = False
        if rewriting is not self._rewriting:
            rewriting.close()  # another one has taken its place
            return
        try:
            if isinstance(result, Failure):
                result.trap(OSError)
                result.raiseException()
            self._replace(rewriting)
        except OSError as error:
            self._failed(error)

    def _replace(self, rewriting: Rewriting) -> None:
        expected = self._known or rewriting.old
        known = rewriting.replace(expected)
        self._rewriting = self._began = None
        if known is None:
            # Somebody edited or replaced the file meanwhile: what they wrote is to stay.
            self._known = None
            if self._closed:
                self._begin()
            else:
                self._next = self._clock.callLater(RETRY, self._begin)
            return
        self._known = known
        self._lines = rewriting.learned + len(rewriting.behind)
        self._most_lines = 2 * rewriting.learned + self.SLACK
        if self._failing:
            self.log.info("what was learned is kept in {path} again", path=self._path, event="learned.kept-again")
        self._failing = self._losing = False
        self._flush_soon()
        if self._again:
            self._begin()

    def _failed(self, error: OSError, lost: bool = False) -> None:
        """The file cannot be written whole; ``lost`` says that a line could not even be appended."""
        self._drop()
        self._cancel()
        if not self._failing or (lost and not self._losing):
            self.log.warn(
                "cannot keep what was learned in {path}: {reason}; "
                + (_IN_MEMORY if self._known is None else _APPENDED),
                path=self._path,
                reason=error.strerror or str(error),
                event="learned.failed",
            )
        self._failing = True
        self._losing = self._known is None
        if not self._closed:
            took = 0.0 if self._began is None else self._clock.seconds() - self._began
            self._next = self._clock.callLater(max(RETRY, 10 * took), self._begin)
        self._began = None

    def _drop(self) -> None:
        """Give up the file that is being written, if there is one."""
        rewriting, self._rewriting = self._rewriting, None
        if rewriting is not None:
            rewriting.drop()

    def _cancel(self) -> None:
        scheduled, self._next = self._next, None
        if scheduled is not None and scheduled.active():
            scheduled.cancel()

    def _flush_soon(self) -> None:
        self._unflushed = True
        if self._flush is None and not self._flushing and not self._closed:
            self._flush = self._clock.callLater(FLUSH, self._flush_now)

    def _flush_now(self) -> None:
        self._flush, self._unflushed, self._flushing = None, False, True
        self._in_thread(lambda: _sync(self._path)).addErrback(self._flush_failed).addCallback(self._flushed)

    def _flush_failed(self, failure: Failure) -> None:
        error = failure.value
        if not isinstance(error, OSError):
            failure.raiseException()
        elif not isinstance(error, FileNotFoundError) and not self._closed:
            self._known = None  # what of it is on the disk nobody knows
            self._failed(error, lost=True)

    def _flushed(self, _: object) -> None:
        self._flushing = False
        if self._unflushed:
            self._flush_soon()


def course_log(path: str, live: Callable[[], Iterable[Mapping]], clock: IReactorTime) -> LearnedLog[Mapping]:
    """The log of what the course protocol told, in the records file's format; ``path`` may be a records file itself."""
    return LearnedLog(path, live, _course_line, authored, clock, threads_of(clock))


def dns_log(path: str, live: Callable[[], Iterable[CachedAnswer]], clock: IReactorTime) -> LearnedLog[CachedAnswer]:
    """The log of what DNS parents told (:mod:`labnet.resolver.cache.lines`): no line of it is an author's."""
    return LearnedLog(path, live, _kept_line, None, clock, threads_of(clock))


def threads_of(reactor: Any) -> InThread:
    """The reactor's threads; where it has none, as in tests, what is to be done is done at once."""
    pool = getattr(reactor, "getThreadPool", None)
    if pool is None:
        return maybeDeferred
    return lambda work: deferToThreadPool(reactor, pool(), work)


def _course_line(mapping: Mapping, later: float) -> str:
    return encode_record(replace(mapping, since=mapping.since + later) if later else mapping)


def _kept_line(kept: CachedAnswer, later: float) -> str:
    question, entry = kept
    return encode_dns_line((question, replace(entry, since=entry.since + later)) if later else kept)


def _sync(path: str) -> None:
    """Bring a file and its place in the folder to the disk."""
    for each in (path, os.path.dirname(path)):
        file = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)
