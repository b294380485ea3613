"""A DNS server on real sockets and a reactor whose turns the test takes, for what forwards questions in batches."""

from __future__ import annotations

import socket
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rrset
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock


class Reactor(Clock):
    """A clock with readers, of which each turn calls those that have something to read."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[IReadDescriptor] = []
        self.removeReader = self.readers.remove
        self.added = 0

    def addReader(self, reader: IReadDescriptor) -> None:
        self.readers.append(reader)
        self.added += 1

    def turn(self) -> None:
        for reader in list(self.readers):
            if reader in self.readers:
                reader.doRead()


class LoopbackParent:
    """A DNS server on loopback that answers when the test says so."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked: list[bytes] = []
        self.ports: list[int] = []

    def answer(self, make: Callable[[bytes], bytes | None] | None = None, ttl: int = 60) -> None:
        """Answer all that has come."""
        for query, address in self.receive():
            reply = (make or (lambda query: response(query, ttl)))(query)
            if reply is not None:
                self.socket.sendto(reply, address)

    def receive(self) -> list[tuple[bytes, tuple[str, int]]]:
        came = []
        while True:
            try:
                came.append(self.socket.recvfrom(4096))
            except BlockingIOError:
                break
        self.asked += [query for query, _ in came]
        self.ports += [address[1] for _, address in came]
        return came


def response(query: bytes, ttl: int = 60) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(query))
    message.flags |= dns.flags.RA
    message.answer.append(dns.rrset.from_text(message.question[0].name, ttl, "IN", "A", "192.0.2.1"))
    return message.to_wire()
