"""Clients as the courses write them: a socket, a send, a receive."""

from __future__ import annotations

import select
import socket
import struct
import time

from tests.interop.daemon import DEADLINE

Address = tuple[str, int]


def connect(address: Address) -> socket.socket:
    """A connection whose every receive has a time-out."""
    sock = socket.create_connection(address, DEADLINE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def line(sock: socket.socket) -> bytes:
    """One line with its newline, and not a byte more; what came of it where the server closes in the middle."""
    received = b""
    while not received.endswith(b"\n") and (byte := sock.recv(1)):
        received += byte
    return received


def rest(sock: socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    while piece := sock.recv(65536):
        received += piece
    return received


def ended(sock: socket.socket) -> bytes:
    """What still comes until the connection ends, be it by FIN or by RST."""
    received = b""
    try:
        while piece := sock.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def greeted(address: Address) -> socket.socket:
    """A connection that has read its greeting."""
    sock = connect(address)
    assert line(sock).startswith(b"Connected: your IP address is ")
    return sock


def silent(*socks: socket.socket, seconds: float = 0.7) -> bool:
    """Whether the server says nothing to any of them for so long: longer than it waits for the rest of a command."""
    return not select.select(socks, [], [], seconds)[0]


def reset(sock: socket.socket) -> None:
    """Close with an RST instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def resolve(address: Address, name: str) -> bytes:
    """The datagram that a resolver answers ``name`` with."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        sock.sendto(name.encode(), address)
        reply, source = sock.recvfrom(65535)
        assert source == address
        return reply


def is_time(reply: bytes, earliest: float) -> bool:
    """Whether ``reply`` is ``time.ctime()`` of a second between ``earliest`` and now."""
    said = time.mktime(time.strptime(reply.decode(), "%a %b %d %H:%M:%S %Y"))
    return time.ctime(said).encode() == reply and int(earliest) <= said <= time.time()
