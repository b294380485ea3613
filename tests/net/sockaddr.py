"""Addresses as the system has them."""

from __future__ import annotations

import ctypes
import socket
from struct import pack

from labnet.net.batches.batch import Incoming


def name_of(sock: socket.socket) -> bytes:
    """The address of ``sock`` as a struct sockaddr."""
    host, port = sock.getsockname()[:2]
    packed = socket.inet_pton(sock.family, host)
    start = pack("=H", sock.family) + pack("!H", port)
    return start + (packed + bytes(8) if sock.family == socket.AF_INET else bytes(4) + packed + bytes(4))


def put(incoming: Incoming, slot: int, host: str, scope: int = 0) -> None:
    """Have the datagram in ``slot`` be from ``host``, port 53."""
    if ":" in host:
        packed = (
            pack("=H", socket.AF_INET6) + pack("!H4x", 53) + socket.inet_pton(socket.AF_INET6, host) + pack("=I", scope)
        )
    else:
        packed = pack("=H", socket.AF_INET) + pack("!H", 53) + socket.inet_aton(host)
    at = incoming.name_at(slot) - ctypes.addressof(incoming.names)
    incoming.names[at : at + len(packed)] = packed
