"""What a protocol does to its TCP connection past the reactor, where that says the same with fewer system calls."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from labnet.interfaces import IStreamTransport
from labnet.net.twisted_private import has_unsent, is_direct


def write_now(transport: IStreamTransport, data: bytes) -> None:
    """Send ``data`` at once, as far as there is room; the transport sends the rest, behind what it has to send yet."""
    plain: Any = transport
    if is_direct(plain) and not has_unsent(plain):
        data = unsent(plain.socket, data)
    if data:
        transport.write(data)


def unsent(sock: socket.socket, data: bytes) -> bytes:
    """Send ``data`` by ``sock``, as far as there is room; gives the rest."""
    try:
        sent = sock.send(data)
    except OSError:
        return data  # no room, or the connection has failed: the transport finds out which
    return data[sent:]


def close_at_end(transport: IStreamTransport) -> None:
    """Close a connection whose client sends no more, at once where nothing is left to be sent.

    Only ``readConnectionLost`` may call it, as the last that it does: ``connectionLost`` is called before this returns,
    while ``loseConnection`` waits until the socket is ready for the nothing that is left.
    """
    plain: Any = transport
    if is_direct(plain) and not has_unsent(plain):
        plain.connectionLost(Failure(ConnectionDone()))
    else:
        transport.loseConnection()
