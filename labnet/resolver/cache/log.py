"""One log of what was learned, on disk: an append-only file that is whole at any moment.

Theory of operation
===================

**Appending.** All that is learned at a time is one ``write`` to the end of the file, done before any of it is answered,
so a crash loses nothing that was answered; :mod:`labnet.resolver.cache.syncing` bounds what a loss of power costs.
Everything larger (compaction, healing after a failed write, a file that was edited, the first line of a file without
learned ones) is a *rewrite*: a temporary file (:mod:`labnet.resolver.cache.rewrite`) is filled beside the old one and
renamed over it. Lines that are not ours stay as their author wrote them.

**Waiting.** Nothing here holds up the reactor: a rewrite writes for :data:`_TURN` seconds and then lets others be
served for :data:`_PAUSE` seconds, and a thread waits for the disk, which takes milliseconds. What is
learned meanwhile is appended to the old file, which counts until the rename, and put behind the new one.

**Superseded lines.** A name that is learned anew has an expired line in the file of the course's answers, and a program
that shares the file takes the first line of a name. So what is appended for such a name is followed by a rewrite
(:mod:`labnet.resolver.cache.superseded`): at once, but the next one :data:`RETRY` seconds later at the earliest, and
after ten times as long as the last one took.

**States.** :class:`~labnet.resolver.cache.log_states.State` says what is under way,
:data:`~labnet.resolver.cache.log_states.TRANSITIONS` what leads from one state to the next; an event that a state does
not list is a fault of this module and raises KeyError.

=========  ============================================================  =====================
State      Meaning                                                       What exists then
=========  ============================================================  =====================
IDLE       Nothing is under way.                                         no timer, no new file
WRITING    The file is being written anew, some lines in each turn.      a new file, a timer
SYNCING    The new file has every line; a thread brings it to the disk.  a new file, a thread
WAITING    A rewrite failed, was overtaken or came too soon; it is due.  a timer
CLOSING    The last rewrite is done in one go, as far as one is needed.  a new file or nothing
CLOSED     The end.                                                      nothing
=========  ============================================================  =====================

More is known, whatever the state:

* ``_known`` is the file as this log left it (device, inode, size, time of change), or None: then another program may
  have changed it, or a write failed, or it does not end in a whole line of ours, and nothing may be appended.
  ``_left`` is the file as it was left last, also then: what stands behind that is another's.
* :class:`~labnet.resolver.cache.log_states.Durability` says how much of what is live the file has, as far as writing it
  failed; each step down is logged once, and so is the way back.

**Invariants.**

1. A line is appended only to a file that is ``_known`` and ends in a learned line: a crash that cut the new line behind
   its TTL would else leave a line that looks static and never expires.
2. The new file replaces the old one only where that is as this log left it (or as the rewrite read it); else it is
   dropped, and the rewrite begins again on what stands there now. What another program learned into it is adopted, so
   that two labs that share a file by mistake do not erase each other's answers.
3. Where lines could not be appended (``_known`` is None), a rewrite is under way or due, and it writes everything live.
4. In IDLE, WAITING and CLOSED there is no temporary file, and no file is open.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Generic, NamedTuple, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.net.clocks import ahead
from labnet.net.kernel.regular import open_regular
from labnet.resolver.cache.log_states import TRANSITIONS, Cause, Durability, State
from labnet.resolver.cache.rewrite import Identity, Rewriting, identity
from labnet.resolver.cache.superseded import NamedLines
from labnet.resolver.cache.syncing import DelayedSync, InThread, sync_file

RETRY: Final = 1.0
"""Seconds between two tries to write a file that cannot be written; more where a try takes a tenth of that."""

_TURN: Final = 0.002
_PAUSE: Final = 0.002
"""Seconds for which a whole file is written at a time, and for which others are served in between."""

_LONGEST_LINE: Final = 300_000

T = TypeVar("T")


@dataclass(frozen=True)
class Form(Generic[T]):
    """What the lines of a log are.

    ``encode`` makes the line of one item without its newline; its second argument is the number of seconds by which the
    times in the line are later than the item's (the file has the times of the system's clock). ``authored`` gives, line
    by line, the bytes of an old file that stay; None stands for a file of which nothing stays. ``adopt`` takes up what
    another program wrote into the file and is valid; that is live from then on. ``name`` gives the name that an item is
    about where a newer line makes the older ones of that name worthless to others; None: nobody else reads the file.
    """

    encode: Callable[[T, float], str]
    authored: Callable[[bytes], Iterator[bytes]] | None = None
    adopt: Callable[[bytes], object] = lambda content: None
    name: Callable[[T], str] | None = None


class LogStart(NamedTuple):
    """What was read of a log: so many learned ``lines``, and whether the last one was ``cut`` by a crash."""

    lines: int = 0
    cut: bool = False


class LearnedLog(Generic[T]):
    """Appends what was learned to ``path``, in ``form``; ``live`` gives all of it that is valid now, for a rewrite.

    A file that cannot be written costs no answer: the failure is logged once, the file is tried again every
    :data:`RETRY` seconds, and then everything live is written.
    """

    log = Logger()

    SLACK = 1000
    """Stale lines that are not worth a rewrite, whatever the number of live ones."""

    def __init__(
        self,
        path: str,
        live: Callable[[], Iterable[T]],
        form: Form[T],
        clock: IReactorTime,
        in_thread: InThread,
    ) -> None:
        self._path = os.path.realpath(path)
        self._live = live
        self._form = form
        self._clock = clock
        self._in_thread = in_thread
        self._state = State.IDLE
        self._durability = Durability.WHOLE
        self._known: Identity | None = None
        self._left: Identity | None = None
        self._lines = 0
        self._most_lines = self.SLACK
        self._named = NamedLines()
        self._is_superseded = False
        self._next_rewrite = 0.0
        self._ahead = 0.0
        self._rewriting: Rewriting | None = None
        self._timer: IDelayedCall | None = None
        self._disk = DelayedSync(self._path, clock, in_thread, self._not_synced)

    def open(self, lines: int, cut: bool) -> None:
        """Start on a file with so many learned ``lines``, and the start of another one where it was ``cut``."""
        self._lines = lines
        live = sum(1 for _ in self._live())
        self._most_lines = 2 * live + self.SLACK
        if self._form.name is not None:
            self._named.start(map(self._form.name, self._live()), may_have_others=lines > live)
        with contextlib.suppress(OSError):
            self._take_up(cut)
        if cut or lines > self._most_lines:
            self.rewrite()

    def append(self, learned: Sequence[T]) -> None:
        """Write the lines of all that is ``learned``, which is live by now. Never raises; a failure is logged once."""
        shift = ahead(self._clock)
        lines = [self._form.encode(each, shift).encode() + b"\n" for each in learned]
        if self._rewriting is not None:
            self._rewriting.behind += lines
        if self._known is not None and self._lines:
            try:
                self._write(lines, self._known)
            except OSError as error:
                self._failed(error, is_lost=True)
        if self._form.name is not None:
            for each in learned:
                self._note(each)
        is_fit = self._known is not None and 0 < self._lines <= self._most_lines and shift == self._ahead
        if not is_fit and (self._state is State.IDLE or self._is_deferred):
            self._begin()
        self._drop_superseded()

    def _note(self, item: T) -> T:
        """The line of ``item`` is in the file, or will be."""
        if self._form.name is not None and self._named.add(self._form.name(item)):
            self._is_superseded = True
        return item

    @property
    def _is_deferred(self) -> bool:
        """Whether a rewrite is due that only drops what is superseded."""
        return self._state is State.WAITING and self._known is not None and self._durability is Durability.WHOLE

    def _drop_superseded(self) -> None:
        """Have the file written anew, where a name has been learned that it has an older line of."""
        if not self._is_superseded or self._state is not State.IDLE:
            return
        left = self._next_rewrite - self._clock.seconds()
        if left <= 0:
            self._begin()
        else:
            self._go(Cause.DEFER)
            self._timer = self._clock.callLater(left, self._begin)

    def rewrite(self) -> None:
        """Write what is live now and nothing else of ours; where a rewrite is under way, once more behind it."""
        if self._rewriting is not None:
            self._rewriting.is_outdated = True
        elif self._state is not State.CLOSED:
            self._begin(adopts=False)

    def close(self) -> None:
        """Bring everything to the disk. Idempotent."""
        if self._state is State.CLOSED:
            return
        has_failed = self._durability is not Durability.WHOLE or self._state is not State.IDLE
        is_needed = (self._known is None and has_failed) or (self._lines and ahead(self._clock) != self._ahead)
        is_needed = is_needed or self._is_superseded
        self._disk.close()
        self._go(Cause.CLOSE)
        if is_needed:
            self._begin()
        self._give_up()
        self._go(Cause.END)
        with contextlib.suppress(OSError):
            sync_file(self._path)

    def _go(self, event: Cause) -> None:
        self._state = TRANSITIONS[self._state][event]

    def _take_up(self, cut: bool) -> None:
        """Find out whether lines may be appended to the file as it is; the start of a line that was ``cut`` goes."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path + Rewriting.SUFFIX)
        with open(open_regular(self._path, os.O_RDWR), "r+b", buffering=0) as file:
            start = max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE)
            file.seek(start)
            tail = file.read(_LONGEST_LINE)
            end = tail.rfind(b"\n") + 1
            last = tail[tail.rfind(b"\n", 0, max(0, end - 1)) + 1 : end]
            if cut and end:
                file.truncate(start + end)
            elif end < len(tail):
                self._left = identity(file.fileno())
                return
            self._left = identity(file.fileno())
            if last and not (self._form.authored and b"".join(self._form.authored(last))):
                self._known = self._left

    def _write(self, lines: list[bytes], known: Identity) -> None:
        """Append ``lines``, unless the file is another one than ``known``: its last line may lack a newline."""
        self._known = None
        try:
            file = open_regular(self._path, os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError:
            return
        try:
            if identity(file) != known:
                return
            content = b"".join(lines)
            if os.write(file, content) != len(content):
                os.ftruncate(file, known.size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._known = self._left = identity(file)
        finally:
            os.close(file)
        self._lines += len(lines)
        self._disk.soon()

    def _begin(self, adopts: bool = True) -> None:
        """Write the whole file anew; it ``adopts`` what others have put there, but where the cache was just flushed."""
        self._give_up()
        self._go(Cause.BEGIN)
        began = self._clock.seconds()
        self._ahead = ahead(self._clock)
        try:
            self._rewriting = rewriting = Rewriting(self._path, self._form.authored is not None, began)
        except OSError as error:
            self._failed(error, began)
            return
        if rewriting.old != self._known:
            self._known = None
        try:
            if adopts and (foreign := rewriting.foreign(self._left)):
                self._form.adopt(foreign)
        except OSError as error:
            self._failed(error, began)
            return
        encode, authored, shift = self._form.encode, self._form.authored, self._ahead
        self._is_superseded = False
        self._named.start((), may_have_others=False)
        live = self._live() if self._form.name is None else map(self._note, self._live())
        lines = (encode(learned, shift).encode() + b"\n" for learned in live)
        authors = (line for part in rewriting.old_parts() for line in authored(part)) if authored else ()
        rewriting.lines = chain(authors, rewriting.counted(lines))
        self._go_on(rewriting)

    def _go_on(self, rewriting: Rewriting) -> None:
        is_last = self._state is State.CLOSING
        until = self._clock.seconds() + _TURN
        try:
            if not rewriting.go_on(lambda: is_last or self._clock.seconds() < until):
                self._timer = self._clock.callLater(_PAUSE, self._go_on, rewriting)
            elif is_last:
                rewriting.sync()
                self._replace(rewriting)
            else:
                self._go(Cause.WRITTEN)
                rewriting.is_syncing = True
                self._in_thread(rewriting.sync).addBoth(self._synced, rewriting)
        except OSError as error:
            self._failed(error, rewriting.began)

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
            self._failed(error, rewriting.began)

    def _replace(self, rewriting: Rewriting) -> None:
        self._known = rewriting.replace(self._known or rewriting.old)
        self._rewriting = None
        now = self._clock.seconds()
        self._next_rewrite = now + max(RETRY, 10 * (now - rewriting.began))
        if self._known is None:
            self._overtaken()
            return
        self._left = self._known
        self._go(Cause.REPLACED)
        self._lines = rewriting.learned + len(rewriting.behind)
        self._most_lines = 2 * rewriting.learned + self.SLACK
        if self._durability is not Durability.WHOLE:
            self.log.info("what was learned is kept in {path} again", path=self._path, event="learned.written-again")
        self._durability = Durability.WHOLE
        self._disk.soon()
        if rewriting.is_outdated:
            self._begin()
        self._drop_superseded()

    def _overtaken(self) -> None:
        """Another program changed or replaced the file during the rewrite: what it wrote stays."""
        self._go(Cause.OVERTAKEN)
        if self._state is State.CLOSING:
            self._begin()
        else:
            self._timer = self._clock.callLater(RETRY, self._begin)

    def _not_synced(self, error: OSError) -> None:
        self._known = None  # what of it is on the disk is not known
        self._failed(error, is_lost=True)

    def _failed(self, error: OSError, began: float | None = None, is_lost: bool = False) -> None:
        """The file cannot be written whole, by a rewrite that ``began`` then, or ``is_lost``: not even appended to."""
        self._give_up()
        self._go(Cause.FAILED)
        before = self._durability
        self._durability = Durability.IN_MEMORY if self._known is None else Durability.APPENDED
        if before is Durability.WHOLE or (is_lost and before is not Durability.IN_MEMORY):
            self.log.warn(
                "cannot keep what was learned in {path}: {reason}; " + self._durability.value,
                path=self._path,
                reason=error.strerror or str(error),
                event="learned.failed",
            )
        if self._state is State.WAITING:
            took = 0.0 if began is None else self._clock.seconds() - began
            self._timer = self._clock.callLater(max(RETRY, 10 * took), self._begin)

    def _give_up(self) -> None:
        """Drop the file that is being written, and the timer of what was to come next."""
        rewriting, self._rewriting = self._rewriting, None
        if rewriting is not None:
            rewriting.drop()
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
