"""The sockets to one DNS parent: a pool, each connected to it and bound to a random port that the system picks.

A batch of questions goes by a socket that waits for no reply, and while little is asked a batch is one question: so
each has a port of its own, one of hundreds, which a forger has to guess beside the id and the letters of the name (RFC
5452, section 9.2). Where all wait, or descriptors are few, some share one. None is used for long (:data:`MOST_QUERIES`,
:data:`LONGEST_USE`), and one that would not be used again is closed, so none stays open where nothing is asked.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Sequence
from typing import Final, Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IReactor
from labnet.net.addresses import family_of, socket_address
from labnet.net.batches.mmsg import Inbox

MOST_SOCKETS: Final = 512
"""Sockets of the pool to one parent, at most."""

SHARE: Final = 32
"""One parent's sockets are at most one in so many of the descriptors that the process may have."""

LEAST_SOCKETS: Final = 16
"""Sockets of the pool to one parent where descriptors are few."""

MOST_FORGED: Final = 100
"""Datagrams that are no reply, after which a socket counts as found by a forger: it is closed with the next one."""

MOST_QUERIES: Final = 5000
"""Queries of one socket, until it is replaced by one with another port."""

LONGEST_USE: Final = 10.0
"""Seconds until a socket is replaced, or closed where nothing is asked."""


class Timed(Protocol):
    """What a parent was asked, as far as it concerns how long it is waited for."""

    @property
    def since(self) -> float:
        """When, in epoch seconds."""


A = TypeVar("A", bound=Timed)


class RelaySockets(Generic[A]):
    """The sockets to ``parent``, an address and a port.

    ``received`` is called with a socket and the datagrams that have come by it, ``failed`` with what was asked by a
    socket that failed. There are at most ``most`` of them, by default :func:`affordable_sockets`.
    """

    def __init__(
        self,
        reactor: IReactor,
        parent: tuple[str, int],
        received: Callable[[RelaySocket[A], list[bytes]], None],
        failed: Callable[[list[A]], None],
        most: int | None = None,
    ) -> None:
        self.most = affordable_sockets() if most is None else most
        self.inbox = Inbox()
        self.received = received
        self.failed = failed
        self._reactor = reactor
        self._parent = parent
        self._sockets: list[RelaySocket[A]] = []
        self._retired: list[RelaySocket[A]] = []
        self._timer: IDelayedCall | None = None

    def pick(self, chance: int, now: float) -> RelaySocket[A] | None:
        """The socket that ``chance`` gives, or a new one where it has done its work or waits for a reply.

        None where there is no descriptor for a new one and it has done its work.
        """
        turn = chance % self.most
        sock = self._sockets[turn] if turn < len(self._sockets) else None
        is_usable = sock is not None and not sock.closed and sock.left > 0 and sock.is_young(now)
        if sock is not None and is_usable and (not sock.asked or len(self._sockets) >= self.most):
            return sock
        try:
            fresh = RelaySocket(self._reactor, self, self._parent, now)
        except OSError:
            return sock if is_usable else None
        if sock is None or is_usable:
            self._sockets.append(fresh)
        else:
            self._sockets[turn] = fresh
            self._retired.append(sock)
        if self._timer is None:
            self._timer = self._reactor.callLater(LONGEST_USE, self._retire_old)
        return fresh

    @property
    def is_waiting(self) -> bool:
        """Whether a reply is waited for by any socket."""
        return any(sock.asked for sock in (*self._sockets, *self._retired))

    def give_up(self, now: float, wait: float) -> list[A]:
        """Wait no more for what was asked ``wait`` seconds before ``now`` or earlier; gives what that is.

        What has come by now is read first: this process may be the one that was too slow.
        """
        waiting = [sock for sock in (*self._sockets, *self._retired) if sock.asked]  # few of hundreds
        for sock in waiting:
            if sock.is_overdue(now, wait):
                sock.doRead()
        return [asked for sock in waiting for asked in sock.give_up(now, wait)]

    def forget(self, asked: A) -> bool:
        """Wait no more for the reply to ``asked``; False where none is waited for."""
        return any(sock.forget(asked) for sock in (*self._sockets, *self._retired) if sock.asked)

    def close_retired(self) -> None:
        """Close the sockets that are used no more, but those by which a reply may still come."""
        retired, self._retired = self._retired, []
        for sock in retired:
            if sock.asked:
                self._retired.append(sock)
            else:
                sock.close()

    def close(self) -> list[A]:
        """Close every socket; gives what was asked by them and gets no reply."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        every, self._sockets, self._retired = [*self._sockets, *self._retired], [], []
        for sock in every:
            sock.close()
        return [asked for sock in every for asked in sock.asked.values()]

    def _retire_old(self) -> None:
        """Retire what would be replaced at its turn, which may never come; look again when the youngest is as old."""
        self._timer = None
        now = self._reactor.seconds()
        young: list[RelaySocket[A]] = []
        for sock in self._sockets:
            (young if sock.is_young(now) else self._retired).append(sock)
        self._sockets = young
        self.close_retired()
        if young:
            youngest = max(sock.since for sock in young)
            self._timer = self._reactor.callLater(youngest + LONGEST_USE - now, self._retire_old)


def affordable_sockets() -> int:
    """Sockets to one parent that the process's limit of descriptors allows."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_SOCKETS if limit < 0 else max(LEAST_SOCKETS, min(MOST_SOCKETS, limit // SHARE))


@implementer(IReadDescriptor)
class RelaySocket(Generic[A]):
    """One socket of a pool: what was ``asked`` by it and is waited for, by id, in the order in which it was asked.

    After ``left`` queries more it is replaced.
    """

    def __init__(self, reactor: IReactorFDSet, pool: RelaySockets[A], parent: tuple[str, int], now: float) -> None:
        self.asked: dict[bytes, A] = {}
        self._late: set[bytes] = set()
        self.forged = 0
        """Datagrams that came by it and are no reply; one to what was given up is none of a forger's."""
        self.left = MOST_QUERIES
        self.since = now
        self.closed = False
        self._reactor = reactor
        self._pool = pool
        self._socket = socket.socket(
            family_of(parent[0]), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        try:
            self._socket.connect(socket_address(*parent))
        except OSError:
            self._socket.close()
            raise
        reactor.addReader(self)

    def is_young(self, now: float) -> bool:
        """Whether it may still be used, by its time."""
        return 0 <= now - self.since < LONGEST_USE

    def is_overdue(self, now: float, wait: float) -> bool:
        """Whether what it asked first of what it waits for was asked ``wait`` seconds before ``now`` or earlier."""
        first = next(iter(self.asked.values()), None)
        return first is not None and not 0 <= now - first.since < wait

    def give_up(self, now: float, wait: float) -> list[A]:
        """Wait no more for what this socket asked ``wait`` seconds before ``now`` or earlier; gives what that is."""
        late = []
        for id, asked in self.asked.items():
            if 0 <= now - asked.since < wait:
                break
            late.append(id)
        self._late.update(late)
        return [self.asked.pop(id) for id in late]

    def forget(self, asked: A) -> bool:
        """Wait no more for the reply to ``asked``; False where this socket did not ask it."""
        id = next((id for id, one in self.asked.items() if one is asked), None)
        if id is None:
            return False
        del self.asked[id]
        self._late.add(id)
        return True

    def is_found(self, strays: Sequence[bytes]) -> bool:
        """Datagrams with the ids ``strays`` came that are no reply; whether a forger has found the port by now."""
        for id in strays:
            if id in self._late:
                self._late.remove(id)
            else:
                self.forged += 1
        return self.forged > MOST_FORGED

    def doRead(self) -> None:
        try:
            replies = self._pool.inbox.receive(self.fileno())
        except OSError:
            self.fail()
            return
        self._pool.received(self, replies)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._reactor.removeReader(self)
            self._socket.close()

    def fail(self) -> None:
        """Close it: no server listens there, or there is no route."""
        failed = list(self.asked.values())
        self.asked.clear()
        self.close()
        self._pool.failed(failed)

    def fileno(self) -> int:
        return -1 if self.closed else self._socket.fileno()

    def logPrefix(self) -> str:
        return "parent"

    def connectionLost(self, reason: Failure) -> None:
        self.fail()
