"""What labnet uses of Twisted that has no public name: all of it stands here.

Each is looked for before it is used. Where a version of Twisted lacks it, labnet does without, as the function's first
lines say, and one line of the log (``lab.twisted-differs``) names what is missing and what that costs.
"""

from __future__ import annotations

import os
import select
import socket
from functools import cache
from typing import Any, TypeGuard, cast

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.logger import ILogObserver, Logger

import twisted

_log = Logger()


@cache
def _say_missing(name: str, instead: str) -> None:
    _log.warn(
        "Twisted {version} has no {name}: {instead}",
        version=twisted.__version__,
        name=name,
        instead=instead,
        event="lab.twisted-differs",
    )


def epoll_of(reactor: Any) -> int:
    """The descriptor of the epoll that ``reactor`` waits by; -1 where it waits by other means.

    Without it no descriptor polls for itself while it is busy.
    """
    poller = getattr(reactor, "_poller", None)
    if hasattr(select, "epoll") and isinstance(poller, select.epoll):
        return poller.fileno()
    if type(getattr(reactor, "wrapped", reactor)).__name__ == "EPollReactor":
        _say_missing("EPollReactor._poller", "busy ports are woken by the reactor for each batch")
    return -1


def redirect_log(port: Any, observer: ILogObserver) -> None:
    """Have ``port`` log to ``observer`` what it would log otherwise.

    Without it Twisted says in lines of its own which connections it closes for want of a file descriptor.
    """
    own = getattr(port, "_logger", None)
    if isinstance(own, Logger):
        port._logger = Logger(own.namespace, observer=observer)
    elif isinstance(port, tcp.Port):
        _say_missing("tcp.Port._logger", "each connection that finds no file descriptor is a line of the log")


class _InheritedUNIXPort(unix.Port):
    """Keeps the mode of an inherited socket's file, the file itself, and the socket open for other processes."""

    _shouldShutdown = False

    def __init__(self, sock: socket.socket, factory: Factory, reactor: Any) -> None:
        # What begins with NUL is in no file system.
        super().__init__(b"\0" + os.fsencode(sock.getsockname()), factory, reactor=reactor)


def inherited_unix_port(sock: socket.socket, factory: Factory, reactor: Any) -> IListeningPort:
    """A port of ``factory`` on the UNIX socket ``sock``, which listens already and belongs to others too.

    Without it Twisted's own port gives the socket's file another mode, and removes it in the end.
    """
    port: Any = _InheritedUNIXPort(sock, factory, reactor)
    if not (hasattr(port, "_preexistingSocket") and hasattr(unix.Port, "_shouldShutdown")):
        _say_missing("unix.Port._preexistingSocket", "a UNIX socket that was passed loses its mode and its file")
        with sock:
            adopted: IListeningPort = reactor.adoptStreamPort(sock.fileno(), socket.AF_UNIX, factory)
        return adopted
    port._preexistingSocket = sock
    port.startListening()
    return cast(IListeningPort, port)


def is_direct(transport: object) -> TypeGuard[tcp.Server]:
    """Whether ``transport`` is Twisted's TCP connection and no other, whose unsent data :func:`has_unsent` knows.

    Without it everything is written by way of the transport.
    """
    if type(transport) is not tcp.Server:
        return False
    if all(hasattr(transport, name) for name in ("_tempDataLen", "dataBuffer", "TLS")):
        return True
    _say_missing("FileDescriptor._tempDataLen", "replies of the command server are written by the reactor")
    return False


def has_unsent(transport: tcp.Server) -> bool:
    """Whether ``transport`` has data of its own to send yet, or may send it in another form (TLS)."""
    return bool(transport._tempDataLen or transport.dataBuffer or transport.TLS)
