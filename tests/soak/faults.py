"""A daemon's parents and its clients in one thread: every answer that a client got is noted with when it was asked for.

The parents answer every name, at once; what they tell of it changes from one run of the daemon to the next, so that an
answer shows when it was learned.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from tests.soak.dns_packets import HEADER, question, wire_of

LONG, SHORT = 12, 1
"""Seconds for which what the parents tell is valid: names that start with ``l`` live long, the others do not."""

_RESPONSE = 0x8180


def ttl_of(name: str) -> int:
    """The TTL that the parents tell."""
    return LONG if name.startswith("l") else SHORT


@dataclass
class Told:
    """One answer that a client got: asked at ``asked`` and there at ``got`` (epoch seconds)."""

    address: str
    asked: float
    got: float


@dataclass
class Client:
    """Asks ``server`` for one name after the other, ``window`` of them at a time, over the course protocol or DNS."""

    server: tuple[str, int]
    names: Iterator[str]
    is_dns: bool
    window: int = 16
    told: dict[str, Told] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.sock = socket.socket(type=socket.SOCK_DGRAM)
        self.sock.connect(self.server)
        self.sock.setblocking(False)

    def ask(self) -> None:
        """Ask on until as many questions as the window has are open, or there are no names."""
        while len(self.asked) < self.window and (name := next(self.names, None)) is not None:
            self.asked[name] = time.time()
            # The id says nothing: the reply repeats the question.
            self.sock.send(question(1, wire_of(name)) if self.is_dns else name.encode())

    def read(self) -> None:
        """Note what has come."""
        try:
            while True:
                reply = self.sock.recv(65535)
                name, address = _dns_told(reply) if self.is_dns else _course_told(reply)
                if not name and len(self.asked) == 1:
                    (name,) = self.asked  # a reply of the course that says "unknown" does not say what
                asked = self.asked.pop(name, None)
                if asked is not None and address is not None:
                    self.told[name] = Told(address, asked, time.time())
                    self.count += 1
                elif asked is not None:
                    self.failed.append(name)
        except (BlockingIOError, ConnectionRefusedError):
            return

    def close(self) -> None:
        self.sock.close()


class Parents:
    """A parent of each protocol on ports of 127.0.0.1. ``run`` is what its answers depend on beside the name."""

    def __init__(self) -> None:
        self.run = 0
        self.asked: set[str] = set()
        self.course = _bound()
        self.dns = _bound()

    def address(self, name: str, run: int) -> str:
        """What is told of ``name`` in a run of the daemon."""
        number = zlib.crc32(f"{run} {name}".encode())
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def answer(self, sock: socket.socket) -> None:
        """Answer what has come to one of the two."""
        try:
            while True:
                asked, source = sock.recvfrom(65535)
                name = _name_in(asked) if sock is self.dns else asked.decode()
                self.asked.add(name)
                address = self.address(name, self.run)
                if sock is self.dns:
                    end = HEADER.size + len(wire_of(name)) + 4
                    head = asked[:2] + struct.pack("!HHHHH", _RESPONSE, 1, 1, 0, 0)
                    rdata = socket.inet_aton(address)
                    record = struct.pack("!HHHIH", 0xC00C, 1, 1, ttl_of(name), 4) + rdata
                    sock.sendto(head + asked[HEADER.size : end] + record, source)
                else:
                    sock.sendto(f"{name},{address},{ttl_of(name)}".encode(), source)
        except BlockingIOError:
            return

    def drain(self) -> None:
        """Forget what was asked while they were away."""
        for sock in (self.course, self.dns):
            with contextlib.suppress(BlockingIOError):
                while True:
                    sock.recv(65535)

    def close(self) -> None:
        self.course.close()
        self.dns.close()


def turn(parents: Parents, clients: list[Client], seconds: float) -> None:
    """Let everybody talk for ``seconds``, or until no client has anything left to ask."""
    by_number = {client.sock.fileno(): client for client in clients}
    poll = select.poll()
    for sock in (parents.course, parents.dns, *(client.sock for client in clients)):
        poll.register(sock, select.POLLIN)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        for client in clients:
            client.ask()
        if not any(client.asked for client in clients):
            return
        for number, _ in poll.poll(max(1, left * 1000)):
            if number in by_number:
                by_number[number].read()
            else:
                parents.answer(parents.course if number == parents.course.fileno() else parents.dns)


def ask(
    parents: Parents, server: tuple[str, int], name: str, is_dns: bool = False, seconds: float = 30.0
) -> str | None:
    """The address that the server tells of one name; None where it says that it knows none."""
    client = Client(server, iter([name]), is_dns, window=1)
    turn(parents, [client], seconds)
    client.close()
    assert not client.asked, f"no answer about {name} in {seconds} s"
    return client.told[name].address if name in client.told else None


def names(server: str, run: int, long_share: int = 8) -> Iterator[str]:
    """Names that nobody asked for before; one of ``long_share`` lives long."""
    for number in count():
        kind = "s" if number % long_share else "l"
        yield f"{kind}{number}.r{run}.{server}.test"


def _bound() -> socket.socket:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def _name_in(message: bytes) -> str:
    labels = []
    at = HEADER.size
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode().lower())
        at += 1 + message[at]
    return ".".join(labels)


def _dns_told(reply: bytes) -> tuple[str, str | None]:
    is_answer = not reply[3] & 15 and reply[6:8] == b"\0\1"
    return _name_in(reply), socket.inet_ntoa(reply[-4:]) if is_answer else None


def _course_told(reply: bytes) -> tuple[str, str | None]:
    fields = json.loads(reply)
    return (fields[0], fields[1]) if fields else ("", None)
