"""When a file that is appended to is brought to the disk itself, and where the work that may wait for the disk is done.

A write ends in the memory of the system; a loss of power costs what is not on the disk yet. :class:`DelayedSync` bounds
that to :data:`FLUSH` seconds. Its states:

========  =======================================================================  ==========================
State     Meaning                                                                  Left by
========  =======================================================================  ==========================
CLEAN     Everything written is on the disk.                                       ``soon`` → DUE
DUE       Something was written; a timer of :data:`FLUSH` seconds runs.            the timer → SYNCING
SYNCING   A thread waits for the disk.                                             its end → CLEAN; ``soon`` → BEHIND
BEHIND    A thread waits for the disk, and something was written since it began.   its end → DUE
CLOSED    Nothing is brought to the disk any more.
========  =======================================================================  ==========================

At most one thread waits for one file: a disk that takes longer than :data:`FLUSH` gets no second request meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

FLUSH: Final = 1.0
"""Seconds after which a line is on the disk itself, so that a loss of power costs no more."""

InThread = Callable[[Callable[[], None]], "Deferred[None]"]
"""Has something done where it may wait for the disk."""


class SyncState(Enum):
    """What is known of the part of a file that is not on the disk."""

    CLEAN = auto()
    DUE = auto()
    SYNCING = auto()
    BEHIND = auto()
    CLOSED = auto()


class DelayedSync:
    """Brings the file at ``path`` to the disk at most :data:`FLUSH` seconds after :meth:`soon`.

    ``failed`` is called with the OSError where the disk did not take it; a file that is gone is no failure.
    """

    def __init__(
        self, path: str, clock: IReactorTime, in_thread: InThread, failed: Callable[[OSError], object]
    ) -> None:
        self._path = path
        self._clock = clock
        self._in_thread = in_thread
        self._failed = failed
        self._state = SyncState.CLEAN
        self._timer: IDelayedCall | None = None

    def soon(self) -> None:
        """Something was written."""
        if self._state is SyncState.CLEAN:
            self._state = SyncState.DUE
            self._timer = self._clock.callLater(FLUSH, self._sync)
        elif self._state is SyncState.SYNCING:
            self._state = SyncState.BEHIND

    def close(self) -> None:
        """Stop; what is not on the disk is the caller's to bring there. Idempotent."""
        if self._state is SyncState.DUE and self._timer is not None:
            self._timer.cancel()
        self._state = SyncState.CLOSED

    def _sync(self) -> None:
        self._state = SyncState.SYNCING
        synced = self._in_thread(lambda: sync_file(self._path))
        synced.addErrback(self._not_synced).addCallback(self._synced)

    def _not_synced(self, failure: Failure) -> None:
        failure.trap(OSError)
        is_gone = failure.check(FileNotFoundError) is not None
        if isinstance(failure.value, OSError) and not is_gone and self._state is not SyncState.CLOSED:
            self._failed(failure.value)

    def _synced(self, _: object) -> None:
        if self._state is not SyncState.CLOSED:
            is_behind = self._state is SyncState.BEHIND
            self._state = SyncState.CLEAN
            if is_behind:
                self.soon()


def sync_file(path: str) -> None:
    """Bring the file at ``path`` and its entry in the folder to the disk. Raises OSError."""
    for each in (path, os.path.dirname(path)):
        file = os.open(each, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def threads_of(reactor: Any) -> InThread:
    """The reactor's thread pool; where ``reactor`` has none, as in tests, the work is done at once.

    A thread begins in the reactor's next turn: to start one takes milliseconds when the machine is busy, and the answer
    whose learning led to it is to leave before.
    """
    pool = getattr(reactor, "getThreadPool", None)
    if pool is None:
        return maybeDeferred

    def in_thread(work: Callable[[], None]) -> Deferred[None]:
        turn: Deferred[None] = Deferred()
        reactor.callLater(0, turn.callback, None)
        return turn.addCallback(lambda _: deferToThreadPool(reactor, pool(), work))

    return in_thread
