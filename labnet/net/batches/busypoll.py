"""A busy descriptor waits for itself, in place of the reactor, until the reactor has anything else to do.

Theory
======

Why. A reactor that watches a socket by epoll takes a system call and a turn of its loop for each wake-up, and the
kernel looks up the watchers of the socket for each datagram that is sent by it. Under load that costs more than the
answers do. So a busy reader leaves the reactor and calls ppoll(2) itself, on two descriptors at once: its own, and the
reactor's epoll, which becomes readable as soon as any other socket of the reactor does.

States of a reader, and what moves it between them:

- *disabled*: after :meth:`BusyPoll.disable` (the reader is closed, or reads no more). It never polls.
- *watched*: after :meth:`BusyPoll.enable`. The reactor watches it, and it reports each wake-up
  to :meth:`BusyPoll.woken`.
- *polling*: a wake-up found it busy (:data:`FEW` datagrams at once, or :data:`STREAK` wake-ups less than :data:`QUICK`
  apart). It is removed from the reactor, and waits and drains in turn. It becomes *watched* again, and is back in the
  reactor, when a timer is due, when any other socket of the reactor is ready, when a second passes without a datagram,
  or when its own code raises; it becomes *disabled* when it is disabled meanwhile.

Invariants:

- Whoever calls :meth:`BusyPoll.woken` finds the reader back in the reactor when it returns or raises, unless it was
  disabled.
- No timer, signal or other socket waits longer than one drain: the reactor's epoll and its next timer are looked at
  before each. (Signals and calls from threads wake the reactor by a socket of its own.)
- Two busy readers do not take turns at leaving the reactor: one that could not even drain once skips 1, 3, 7, … 63
  wake-ups before it tries again.
- Where more datagrams are known to be there, they are drained at once. Otherwise the reader may let some gather first,
  for as long as :class:`~labnet.net.batches.coalescing.Coalescing` says; then ppoll waits for the reactor's epoll
  alone.

It is for reactors on epoll, where :mod:`labnet.net.batches.selftest` finds nothing against it; elsewhere the reader
stays *watched*.
"""

from __future__ import annotations

import ctypes
import select
import time
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReadDescriptor

from labnet.net.batches.coalescing import Coalescing
from labnet.net.batches.selftest import is_trusted
from labnet.net.kernel.libc import PollFD
from labnet.net.twisted_private import epoll_of

QUICK: Final = 0.001
"""Seconds from one wake-up of a busy reader to the next, at most."""

STREAK: Final = 8
"""Quick wake-ups in a row that make a reader busy."""

FEW: Final = 16
"""Datagrams (or connections) of one wake-up that make a reader busy."""

_LONGEST_WAIT: Final = 1.0
_MOST_SKIPS: Final = 63


class BusyPoll:
    """Polls for ``reader`` while it is busy.

    ``drain`` takes what has come, or a part of it. It returns how much that was (datagrams, connections), and whether
    there is likely more.
    """

    def __init__(
        self, reactor: Any, reader: IReadDescriptor, drain: Callable[[], tuple[int, bool]], coalescing: Coalescing
    ) -> None:
        self._coalescing = coalescing
        self._reactor = reactor
        self._reader = reader
        self._drain = drain
        poller = epoll_of(reactor) if is_trusted() else -1
        self._fds = (PollFD * 2)(PollFD(poller, select.POLLIN), PollFD(reader.fileno(), select.POLLIN))
        self._found = memoryview(self._fds).cast("B").cast("h")[3::4]
        self._seconds = (ctypes.c_int64 * 2)()
        self._ppoll: Any = getattr(ctypes.CDLL(None), "ppoll", None)
        self._last = 0.0
        self._streak = 0
        self._is_polling = False
        self._skips = self._skipped = 0
        self._is_able = False

    def enable(self) -> None:
        """Poll from now on while the reader is busy; the reader is in the reactor."""
        self._is_able = self._fds[0].fd >= 0

    def woken(self, came: int, is_more: bool) -> None:
        """The reactor woke the reader, which has drained ``came`` items: if that makes it busy, poll."""
        now = time.monotonic()
        self._streak = self._streak + 1 if now - self._last < QUICK else 0
        if self._is_able and (self._streak >= STREAK or came >= FEW):
            if self._skipped < self._skips:
                self._skipped += 1
            else:
                self._skips = 0 if self._poll(is_more) else min(2 * self._skips + 1, _MOST_SKIPS)
                self._skipped = 0
                now = time.monotonic()
        self._last = now

    def disable(self) -> None:
        """Never poll again until :meth:`enable`; a poll that goes on ends and leaves the reader out of the reactor."""
        self._is_able = self._is_polling = False

    def _poll(self, is_more: bool) -> bool:
        """Wait and drain in turn; returns whether there was anything to drain before the reactor had its turn."""
        self._reactor.removeReader(self._reader)
        self._is_polling = True
        has_drained = False
        coalescing = self._coalescing
        coalescing.restart()
        try:
            while self._is_polling and self._wait(0.0 if is_more else coalescing.nap):
                came, is_more = self._drain()
                coalescing.woken(came)
                has_drained = True
        finally:
            if self._is_polling:
                self._is_polling = False
                self._reactor.addReader(self._reader)
        return has_drained

    def _wait(self, nap: float) -> bool:
        """Wait for something to read, or for ``nap`` seconds; False where the reactor has something to do."""
        longest = self._reactor.timeout()
        if longest is None or longest > _LONGEST_WAIT:
            longest = _LONGEST_WAIT
        elif longest <= 0:
            return False
        if nap and longest > nap:
            longest = nap
        self._seconds[:] = [int(longest), int(longest % 1 * 1e9)]
        self._found[0] = 0
        ready = self._ppoll(self._fds, 1 if nap else 2, self._seconds, None)
        return not self._found[0] and (nap > 0 or ready > 0)
