"""The welcome ports: opened all or none, held while clients wait, exchanged one by one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure

from labnet.interfaces import IReactor, StartError
from labnet.net.opening.listening import with_defaults
from labnet.values.endpoints import endpoint_of

MODE: Final = 0o600
"""The mode of a UNIX socket whose endpoint names none: every client may say EXIT."""

SOCKET_BUFFER: Final = 16384
"""Bytes that the system is asked to buffer for each direction of a connection; Linux doubles it for its own use.

By default Linux buffers megabytes for a client that does not read, and thousands of those would use up the memory that
all connections of the machine share. Replies are short; none waits for more room than this.
"""


class WelcomePort(NamedTuple):
    """A port that listens, and the endpoint string that it was opened for."""

    endpoint: str
    port: IListeningPort


class WelcomePorts:
    """The ports on which ``factory`` takes connections."""

    def __init__(self, reactor: IReactor, factory: IProtocolFactory) -> None:
        self._reactor = reactor
        self._factory = factory
        self._open: list[WelcomePort] = []
        self._held = False

    @property
    def ports(self) -> tuple[IListeningPort, ...]:
        """Those that are open."""
        return tuple(port for _, port in self._open)

    def open(self, endpoints: Sequence[str]) -> None:
        """Listen on ``endpoints``. Raises StartError where one cannot be opened; then none of them is open."""
        self._open += self._opened(endpoints)

    def opened_for(self, endpoints: Sequence[str]) -> list[WelcomePort]:
        """Ports for those of ``endpoints`` that are not open yet, for :meth:`exchange` to take; they do not accept yet.

        Raises StartError as :meth:`open` does.
        """
        missing = list(endpoints)
        for endpoint, _ in self._open:
            if endpoint in missing:
                missing.remove(endpoint)
        opened = self._opened(missing)
        for new in opened:
            _toggle(new.port, False)
        return opened

    def exchange(self, endpoints: Sequence[str], opened: Sequence[WelcomePort]) -> None:
        """Listen on ``endpoints``: on those that are open already, and by ``opened``; close the others.

        A client that has connected to one of the others and was not accepted yet is accepted first.
        """
        staying, gone, wanted = [], [], list(endpoints)
        for open_port in self._open:
            if open_port.endpoint in wanted:
                wanted.remove(open_port.endpoint)
                staying.append(open_port)
            else:
                gone.append(open_port)
        self._open = [*staying, *opened]
        for new in opened:
            _toggle(new.port, not self._held)
        for old in gone:
            accept: Any = getattr(old.port, "doRead", None)
            if accept is not None:
                accept()
        close(gone)

    def hold(self, hold: bool) -> None:
        """Stop accepting, or accept again."""
        if hold is not self._held:
            self._held = hold
            for _, port in self._open:
                _toggle(port, not hold)

    def close(self) -> Deferred[None]:
        """Close all of them; fires when they are closed."""
        gone, self._open = self._open, []
        return close(gone)

    def _opened(self, endpoints: Sequence[str]) -> list[WelcomePort]:
        opened: list[WelcomePort] = []
        for endpoint in endpoints:
            outcome: list[IListeningPort | Failure] = []
            try:
                description = with_defaults(endpoint, MODE)
                endpoint_of(self._reactor, description).listen(self._factory).addBoth(outcome.append)
            except Exception as error:
                outcome.append(Failure(error))
            result = outcome[0] if outcome else Failure(ValueError("it is not ready at once"))
            if isinstance(result, Failure):
                close(opened)
                raise StartError(endpoint, result.value)
            _bound_buffers(result)
            opened.append(WelcomePort(endpoint, result))
        return opened


def close(ports: Sequence[WelcomePort]) -> Deferred[None]:
    """Close ``ports``; fires when they are closed."""
    closing = gatherResults([maybeDeferred(port.stopListening) for _, port in ports])
    return closing.addCallback(lambda _: None)


def _toggle(port: IListeningPort, accept: bool) -> None:
    # Every stream port of Twisted's is a FileDescriptor; one that is not has its clients wait in the gate.
    toggle = getattr(port, "startReading" if accept else "stopReading", None)
    if toggle is not None:
        toggle()


def _bound_buffers(port: IListeningPort) -> None:
    """What is set on a welcome socket its connections have from their start, and for no further system call."""
    sock = getattr(port, "socket", None)
    if isinstance(sock, socket.socket) and sock.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
            # A reply never waits until the one before it is acknowledged; each is one write anyway.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
