"""Sockets to the parents: each datagram socket is connected to one parent, from a fresh random port.

A connected socket takes datagrams from its parent alone, and learns at once when nobody listens there. Its port is a
random one of all that need no right (RFC 5452, section 9.2), not of the half that systems pick from. Twisted's own UDP
port would write two log lines for every question.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Callable
from random import Random
from typing import Final

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IDatagramSocket, IDatagramSockets
from labnet.net.addresses import family_of, socket_address

# Python has no names for them (ip(7), ipv6(7)).
_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_PROBE: Final = 3

FIRST_PORT: Final = 1024
"""The first port that a question goes from; the last is 65535."""

_PORT_TRIES: Final = 5

MOST_BYTES: Final = 65535
"""Bytes of a datagram that are read."""


def never_fragment(sock: socket.socket) -> None:
    """Have the replies of ``sock`` go in one piece or not at all (RFC 9715, section 3.1), where the system can.

    Nor is a path's MTU believed that anybody may have made up. Linux then picks no id for each packet either.
    """
    option = (
        (socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER)
        if sock.family == socket.AF_INET6
        else (socket.IPPROTO_IP, _MTU_DISCOVER)
    )
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            sock.setsockopt(*option, _PROBE)


def bind_randomly(sock: socket.socket, pick_port: Callable[[], int]) -> None:
    """Bind ``sock`` to the first of a few ports that is free; where none is, the system picks one later."""
    anywhere = "::" if sock.family == socket.AF_INET6 else "0.0.0.0"
    for _ in range(_PORT_TRIES):
        with contextlib.suppress(OSError):
            return sock.bind((anywhere, pick_port()))


@implementer(IReadDescriptor, IDatagramSocket)
class ConnectedSocket:
    """A UDP socket to one address; see :class:`~labnet.interfaces.IDatagramSocket`."""

    def __init__(
        self,
        reactor: IReactorFDSet,
        host: str,
        port: int,
        received: Callable[[bytes], None],
        failed: Callable[[OSError], None],
        pick_port: Callable[[], int],
    ) -> None:
        self._reactor = reactor
        self._received = received
        self._failed = failed
        self._socket: socket.socket | None = socket.socket(
            family_of(host), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        try:
            bind_randomly(self._socket, pick_port)
            self._socket.connect(socket_address(host, port))
            self._peer = self._socket.getpeername()[:2]
        except OSError:
            self._socket.close()
            raise
        reactor.addReader(self)

    @property
    def here(self) -> tuple[str, int]:
        if self._socket is None:
            return "0.0.0.0", 0
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def send(self, datagram: bytes) -> None:
        if self._socket is not None:
            try:
                self._socket.send(datagram)
            except BlockingIOError:
                pass  # the buffer is full: as good as lost on the way, the next try sends it again
            except OSError as error:
                self._failed(error)

    def close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            self._reactor.removeReader(self)
            sock.close()

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        return "parent"

    def doRead(self) -> None:
        try:
            if self._socket is None:
                return
            datagram, source = self._socket.recvfrom(MOST_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._failed(error)
            return
        # From elsewhere comes what came while the socket was bound and not yet connected.
        if source[:2] == self._peer:
            self._received(datagram)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor takes an error of the socket, such as a refusal, for the loss of a connection."""
        if self._socket is not None:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or errno.ECONNREFUSED
            self.close()
            self._failed(OSError(code, os.strerror(code)))


@implementer(IDatagramSockets)
class SystemSockets:
    """Opens :class:`ConnectedSocket` on a reactor, each on a port that ``random`` gives."""

    def __init__(self, reactor: IReactorFDSet, random: Random) -> None:
        self._reactor = reactor
        self._random = random

    def open(
        self, host: str, port: int, received: Callable[[bytes], None], failed: Callable[[OSError], None]
    ) -> IDatagramSocket:
        return ConnectedSocket(self._reactor, host, port, received, failed, self._pick_port)

    def _pick_port(self) -> int:
        return self._random.randint(FIRST_PORT, 65535)
