"""Addresses as the system has them."""

from __future__ import annotations

import socket
from struct import pack


def name_of(sock: socket.socket) -> bytes:
    """The address of ``sock`` as a struct sockaddr."""
    host, port = sock.getsockname()[:2]
    packed = socket.inet_pton(sock.family, host)
    start = pack("=H", sock.family) + pack("!H", port)
    return start + (packed + bytes(8) if sock.family == socket.AF_INET else bytes(4) + packed + bytes(4))
