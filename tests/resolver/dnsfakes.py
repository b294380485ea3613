"""DNS servers as a test wants them: their replies, made by dnspython, and the sockets that carry them, in memory."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from twisted.internet.defer import Deferred, fail
from twisted.internet.testing import MemoryReactorClock, StringTransport
from zope.interface import implementer

from labnet.interfaces import IDatagramSocket, IDatagramSockets, IExchange, IParent
from labnet.resolver.upstream.errors import ParentFailed
from labnet.wire.names import key_of, wire_of
from labnet.wire.types import Question, Reply, RRset, Upstream

A, NS, CNAME, SOA, TXT, AAAA, DNAME, ANY = 1, 2, 5, 6, 16, 28, 39, 255


def question(name: str, rrtype: int = A) -> Question:
    return Question(key_of(name), rrtype)


def wire(name: str) -> bytes:
    found = wire_of(name)
    assert found is not None
    return found


def records(*lines: str) -> list[dns.rrset.RRset]:
    """RRsets from lines as ``www.example. 60 A 192.0.2.1``."""
    found = []
    for line in lines:
        name, ttl, rrtype, rdata = line.split(None, 3)
        found.append(dns.rrset.from_text(name, int(ttl), "IN", rrtype, rdata))
    return found


def rrset(name: str, ttl: int, rrtype: int, *rdatas: bytes) -> RRset:
    return RRset(wire(name), rrtype, ttl, rdatas)


def reply_to(
    query: bytes,
    *answer: str,
    rcode: str = "NOERROR",
    authority: Iterable[str] = (),
    additional: Iterable[str] = (),
    options: Iterable[Any] = (),
    edns: bool = False,
    flags: str = "QR RD RA",
) -> bytes:
    """A server's reply to ``query``, whose question it repeats letter by letter."""
    message = dns.message.make_response(dns.message.from_wire(query))
    options = list(options)
    message.use_edns(0 if edns or options else -1, options=options)
    message.set_rcode(dns.rcode.from_text(rcode))
    message.flags = (message.flags & ~0x07F0 & 0x780F) | dns.flags.from_text(flags)
    message.answer, message.authority, message.additional = records(*answer), records(*authority), records(*additional)
    return message.to_wire()


def message_of(query: bytes, *resource_records: bytes, sections: tuple[int, int, int] | None = None) -> bytes:
    """A reply byte by byte: header and question, then ``resource_records``, answers if not told otherwise."""
    counts = sections or (len(resource_records), 0, 0)
    question_section = query[12 : query.index(0, 12) + 5]
    return query[:2] + struct.pack("!HHHHH", 0x8180, 1, *counts) + question_section + b"".join(resource_records)


def record(name: bytes, rrtype: int, rdata: bytes, ttl: int = 60, rrclass: int = 1) -> bytes:
    return name + struct.pack("!HHIH", rrtype, rrclass, ttl, len(rdata)) + rdata


ASKED = b"\xc0\x0c"
"""A compression pointer to the name in the question."""


@implementer(IDatagramSocket)
@dataclass(eq=False)
class FakeSocket:
    """A socket to one address, what was ``sent`` over it, and whether it was closed."""

    host: str
    port: int
    received: Callable[[bytes], None]
    failed: Callable[[OSError], None]
    send_error: OSError | None = None
    sent: list[bytes] = field(default_factory=list)
    closed: bool = False
    here: tuple[str, int] = ("127.0.0.1", 5353)

    def send(self, datagram: bytes) -> None:
        assert not self.closed, "a closed socket cannot send"
        self.sent.append(datagram)
        if self.send_error is not None:
            self.failed(self.send_error)

    def close(self) -> None:
        self.closed = True

    def receive(self, datagram: bytes) -> None:
        """A datagram comes in; a closed socket hears nothing."""
        if not self.closed:
            self.received(datagram)

    @property
    def query(self) -> bytes:
        """What was sent, once."""
        (query,) = self.sent
        return query


@implementer(IDatagramSockets)
class FakeSockets:
    """Every socket that was opened, in order."""

    def __init__(self) -> None:
        self.opened: list[FakeSocket] = []
        self.open_error: OSError | None = None
        self.send_error: OSError | None = None

    def open(
        self, host: str, port: int, received: Callable[[bytes], None], failed: Callable[[OSError], None]
    ) -> FakeSocket:
        if self.open_error is not None:
            raise self.open_error
        self.opened.append(FakeSocket(host, port, received, failed, self.send_error))
        return self.opened[-1]

    @property
    def last(self) -> FakeSocket:
        return self.opened[-1]

    @property
    def all_closed(self) -> bool:
        return all(socket.closed for socket in self.opened)


class FakeConnection:
    """The ``number``-th TCP connection that was made on ``reactor``, accepted by its server."""

    def __init__(self, reactor: MemoryReactorClock, number: int = -1) -> None:
        self.host, self.port, factory, _, _ = reactor.tcpClients[number]
        self.transport = StringTransport()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    @property
    def query(self) -> bytes:
        """The one message that was sent."""
        sent = self.transport.value()
        assert int.from_bytes(sent[:2], "big") == len(sent) - 2
        return sent[2:]

    def receive(self, message: bytes) -> None:
        self.protocol.dataReceived(framed(message))

    @property
    def aborted(self) -> bool:
        return bool(self.transport.disconnected)

    @property
    def closed(self) -> bool:
        """Whether it was closed in good order."""
        return bool(self.transport.disconnecting) and not self.aborted


def framed(message: bytes) -> bytes:
    """A message as it goes over TCP."""
    return len(message).to_bytes(2, "big") + message


@implementer(IExchange)
class FakeExchange:
    """Remembers what it was asked; the test fires the Deferreds in ``replies``."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, Question, bool, bool]] = []
        self.replies: list[Deferred[Reply]] = []
        self.cancelled: list[str] = []

    def is_regular(self, host: str, port: int) -> bool:
        return True

    def ask(
        self,
        host: str,
        port: int,
        question: Question,
        recursion_desired: bool,
        tcp: bool,
        sending: Callable[[], None] = lambda: None,
    ) -> Deferred[Reply]:
        self.asked.append((host, port, question, recursion_desired, tcp))
        self.replies.append(Deferred(lambda _: self.cancelled.append(host)))
        return self.replies[-1]


@implementer(IParent)
class FakeParent:
    """A parent that is no DNS server; the test fires the Deferreds in ``answers``, or it ``carries`` no name at all."""

    def __init__(self, address: str, carries: bool = True) -> None:
        self.address = address
        self.carries = carries
        self.answers: list[Deferred[Upstream]] = []

    def ask(self, question: Question) -> Deferred[Upstream]:
        if not self.carries:
            return fail(ParentFailed("it cannot be asked for this name"))
        self.answers.append(Deferred())
        return self.answers[-1]
