"""Reading from thousands of connections behind one descriptor of the reactor."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.batches.busypoll import BusyPoll
from labnet.net.batches.coalescing import Coalescing

SEGMENT: Final = 2048
"""Bytes read from a connection at a time, and bytes of replies that may wait for a client before it is read no more."""

ROUND: Final = 64
"""Connections read in one wake-up, until the reactor's other descriptors have their turn."""


class Readable(Protocol):
    """What the reader needs of a connection."""

    def dataReceived(self, data: bytes) -> None:
        """``data`` was read."""

    def read_by_reactor(self) -> None:
        """There is something else than data; the reader has released the connection."""

    def abort(self) -> None:
        """Its code failed; the reader goes on with the others."""


_SHORT: Final = 448  # most of what comes is shorter; Python has such memory at hand, for more it asks the C library
_ONLY_DATA: Final = getattr(select, "EPOLLIN", 0)


@implementer(IReadDescriptor)
class SharedReader:
    """Reads what comes on the connections it was given, by an epoll of its own (Linux).

    For each ready descriptor the reactor makes several calls, which cost more than answering a command. Behind this
    descriptor it makes them once for all connections that are ready. Only data is read here: where a connection
    has failed or its client has closed, it goes back to the reactor, which does what it does for any other. A round
    reads :data:`SEGMENT` bytes of :data:`ROUND` connections at most; epoll has those that were ready longest first.
    ``begin`` is called before each.
    """

    log = Logger()

    def __init__(self, reactor: IReactorFDSet, begin: Callable[[], None]) -> None:
        self._reactor = reactor
        self._begin = begin
        self._epoll = select.epoll()
        self._busy_poll = BusyPoll(reactor, self, self._round, Coalescing(0.0))
        self._connections: dict[int, Readable] = {}
        self._most = _SHORT

    def add(self, fileno: int, connection: Readable) -> None:
        """Read from ``connection``, whose socket has the number ``fileno``, until :meth:`remove`."""
        if fileno in self._connections:
            return
        if not self._connections:
            self._reactor.addReader(self)
            self._busy_poll.enable()
        self._epoll.register(fileno, select.EPOLLIN | select.EPOLLRDHUP)
        self._connections[fileno] = connection

    def remove(self, fileno: int) -> None:
        """Read no more from the socket, be it closed already; one that is not read from is let be."""
        if self._connections.pop(fileno, None) is None:
            return
        with contextlib.suppress(OSError):
            self._epoll.unregister(fileno)
        if not self._connections:
            self._busy_poll.disable()
            self._connections.clear()  # emptied one by one, a dictionary holds the memory of its largest size
            self._reactor.removeReader(self)

    def doRead(self) -> None:
        """Read from those that are ready."""
        self._busy_poll.woken(*self._round())

    def _round(self) -> tuple[int, bool]:
        """Read a round; gives how many connections were ready, and whether there are likely more."""
        self._begin()
        most, longest = self._most, 0
        connections = self._connections
        ready = self._epoll.poll(0, ROUND)
        for fileno, events in ready:
            try:
                connection = connections[fileno]
            except KeyError:
                continue  # one before it in this round has closed it
            data = b""
            if events == _ONLY_DATA:
                try:
                    data = os.read(fileno, most)
                except BlockingIOError:
                    continue
                except OSError:
                    pass  # the reactor meets the same error
            if data:
                if len(data) >= _SHORT:
                    longest = SEGMENT
                    if most == _SHORT:
                        with contextlib.suppress(OSError):  # it was all, or the next round finds what is wrong
                            data += os.read(fileno, SEGMENT - _SHORT)
                try:
                    connection.dataReceived(data)
                except Exception:
                    self.log.failure("a connection's data could not be taken; it is closed", event="command.failed")
                    connection.abort()
            else:
                self.remove(fileno)
                connection.read_by_reactor()
        self._most = longest or _SHORT
        return len(ready), len(ready) == ROUND

    def fileno(self) -> int:
        """What the reactor waits for."""
        return self._epoll.fileno()

    def logPrefix(self) -> str:
        """Who is at work, for the log."""
        return type(self).__name__

    def connectionLost(self, reason: Failure) -> None:
        """The reactor reads no more here: it has each connection back."""
        self._busy_poll.disable()
        connections, self._connections = self._connections, {}
        for fileno, connection in connections.items():
            with contextlib.suppress(OSError):
                self._epoll.unregister(fileno)
            connection.read_by_reactor()


def shared_reader(reactor: IReactorFDSet, begin: Callable[[], None]) -> SharedReader | None:
    """A reader on ``reactor``, or None where the system has no epoll."""
    return SharedReader(reactor, begin) if hasattr(select, "epoll") else None
