"""Waiting for one busy descriptor in the reactor's place, until there is anything else to do.

A socket that a reactor watches by epoll costs each datagram that is sent by it a look at who watches, and each wake-up
a turn of the reactor. So who has much to do takes itself out of the reactor and waits itself, for its own descriptor
and for the reactor's epoll at once. As soon as that has anything, or a timer is due, the reactor goes on as ever.

While it waits it can also let more come together for a moment (:mod:`labnet.net.coalescing`).
"""

from __future__ import annotations

import ctypes
import select
import time
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReadDescriptor

from labnet.net.coalescing import Moderation

QUICK: Final = 0.001
"""Seconds from one wake-up to the next of who is busy."""

STREAK: Final = 8
"""So many quick wake-ups in a row make busy."""

FEW: Final = 16
"""So much at once makes busy too."""

_LONGEST_WAIT: Final = 1.0
_MOST_SKIPS: Final = 63


class _PollFD(ctypes.Structure):
    _fields_ = [("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short)]


class Vigil:
    """Waits for ``reader``, whose work is ``drain``: it takes what has come, or a part of it.

    It tells how much that was (datagrams, connections), and whether there is likely more. ``moderation`` says when more
    is given a moment to come.
    """

    def __init__(
        self, reactor: Any, reader: IReadDescriptor, drain: Callable[[], tuple[int, bool]], moderation: Moderation
    ) -> None:
        self._moderation = moderation
        self._reactor = reactor
        self._reader = reader
        self._drain = drain
        self._fds = (_PollFD * 2)(_PollFD(-1, select.POLLIN), _PollFD(reader.fileno(), select.POLLIN))
        self._found = memoryview(self._fds).cast("B").cast("h")[3::4]
        self._seconds = (ctypes.c_int64 * 2)()
        self._ppoll = ctypes.CDLL(None).ppoll
        self._last = 0.0
        self._streak = 0
        self._is_kept = False
        self._skips = self._skipped = 0
        # It has no public name. A reactor without it watches by other means, and there it waits as any other.
        poller = getattr(reactor, "_poller", None)
        if isinstance(poller, select.epoll):
            self._fds[0].fd = poller.fileno()
        self._is_able = False

    def begin(self) -> None:
        """The reader is in the reactor."""
        self._is_able = self._fds[0].fd >= 0

    def woken(self, came: int, is_more: bool) -> None:
        """The reactor woke the reader, which has drained: if it is busy, wait here for more."""
        now = time.monotonic()
        self._streak = self._streak + 1 if now - self._last < QUICK else 0
        if self._is_able and (self._streak >= STREAK or came >= FEW):
            if self._skipped < self._skips:
                self._skipped += 1
            else:
                # Beside others that have as much to do it would only come and go.
                self._skips = 0 if self._keep(is_more) else min(2 * self._skips + 1, _MOST_SKIPS)
                self._skipped = 0
                now = time.monotonic()
        self._last = now

    def end(self) -> None:
        """The reader is closed, or reads no more; until :meth:`begin`."""
        self._is_able = self._is_kept = False

    def _keep(self, is_more: bool) -> bool:
        """Wait and drain in turn; gives whether it came to that at all."""
        self._reactor.removeReader(self._reader)
        self._is_kept = True
        has_drained = False
        moderation = self._moderation
        moderation.begin()
        try:
            while self._is_kept and self._wait(0.0 if is_more else moderation.nap):
                came, is_more = self._drain()
                moderation.woken(came)
                has_drained = True
        finally:
            if self._is_kept:
                self._is_kept = False
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
