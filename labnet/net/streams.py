"""TCP connections to the parents, one for each question, with the interface of a UDP socket to one address."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, Final, cast

from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IConnector, IReactorTCP, ITCPTransport
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.dialects.framing import Framer, FramingError, frame
from labnet.interfaces import IDatagramSocket, IDatagramSockets

MOST_BYTES: Final = 65535
"""Bytes that are read of one connection."""

_PATIENCE: Final = 30.0
"""Seconds until the system gives a connection up; who asks closes it sooner."""


@implementer(IDatagramSocket)
class MessageStream(Protocol):
    """A connection that carries messages framed as ``framing`` says; what is sent waits until it is there."""

    transport: ITCPTransport

    def __init__(self, framing: str, received: Callable[[bytes], None], failed: Callable[[OSError], None]) -> None:
        self.connector: IConnector | None = None
        self._framing = framing
        self._framer = Framer(framing, by_line=False)
        self._received = received
        self._failed = failed
        self._waiting: list[bytes] = []
        self._is_open = self._is_over = False
        self._bytes = 0

    @property
    def here(self) -> tuple[str, int]:
        """Its own address and port; zeros where it is not open."""
        own: Any = self.transport.getHost() if self._is_open and not self._is_over else None
        return ("0.0.0.0", 0) if own is None else (str(own.host), int(own.port))

    def connectionMade(self) -> None:
        self._is_open = True
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self.transport.write(message)

    def send(self, datagram: bytes) -> None:
        try:
            message = frame(self._framing, datagram)
        except FramingError as error:
            self._fail(OSError(errno.EMSGSIZE, str(error)))
            return
        if self._is_open:
            self.transport.write(message)
        else:
            self._waiting.append(message)

    def dataReceived(self, data: bytes) -> None:
        self._bytes += len(data)
        try:
            messages = self._framer.receive(data)
        except FramingError as error:
            self._fail(OSError(errno.EPROTO, str(error)))
            return
        if self._bytes > MOST_BYTES:
            self._fail(OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE)))
            return
        for message in messages:
            if not self._is_over:
                self._received(message)

    def connectionLost(self, reason: Failure | None = None) -> None:
        for message in self._framer.end():
            if not self._is_over:
                self._received(message)
        self._fail(OSError(errno.ECONNRESET, "it closed the connection"))

    def lost(self, reason: Failure) -> None:
        """No connection could be made."""
        error = reason.value
        code = getattr(error, "osError", None) if isinstance(error, ConnectError) else None
        self._fail(OSError(code or errno.ECONNREFUSED, os.strerror(code or errno.ECONNREFUSED)))

    def close(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._is_open:
            # A reset ends many a server of the courses: its next receive raises.
            self.transport.loseConnection()
        elif self.connector is not None:
            self.connector.disconnect()

    def _fail(self, error: OSError) -> None:
        if not self._is_over:
            self.close()
            self._failed(error)


class _Factory(ClientFactory):
    noisy = False

    def __init__(self, stream: MessageStream) -> None:
        self._stream = stream

    def buildProtocol(self, addr: object) -> MessageStream:
        return self._stream

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._stream.lost(reason)


@implementer(IDatagramSockets)
class StreamSockets:
    """Opens a :class:`MessageStream` on a reactor for each question."""

    def __init__(self, reactor: IReactorTCP, framing: str) -> None:
        self._reactor = reactor
        self._framing = framing

    def open(
        self, host: str, port: int, received: Callable[[bytes], None], failed: Callable[[OSError], None]
    ) -> IDatagramSocket:
        stream = MessageStream(self._framing, received, failed)
        reactor = cast(Any, self._reactor)
        stream.connector = reactor.connectTCP(host, port, _Factory(stream), timeout=_PATIENCE)
        return cast(IDatagramSocket, stream)
