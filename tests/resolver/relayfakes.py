"""The fast path over real sockets on loopback: a DNS server, a reactor whose turns the test takes, a client's port."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.rrset
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from labnet.interfaces import IExchange
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.policy import Bounds
from labnet.resolver.engine.fast_path import FastPath
from labnet.resolver.engine.resolver import Resolver
from labnet.resolver.records.zone import Zone
from labnet.resolver.upstream.dns import DNSParent
from labnet.resolver.upstream.infra import Health
from labnet.resolver.upstream.selection import Parents
from labnet.wire.dns_upstream import EarlyReply
from labnet.wire.names import ROOT, key_of
from labnet.wire.types import Answer, Question, Reply, RRType


class Reactor(MemoryReactorClock):
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


def response(query: bytes, ttl: int = 60, data: bytes = b"\xc0\0\2\1") -> bytes:
    message = dns.message.make_response(dns.message.from_wire(query))
    message.flags |= dns.flags.RA
    rrtype, family = ("A", socket.AF_INET) if len(data) == 4 else ("AAAA", socket.AF_INET6)
    message.answer.append(
        dns.rrset.from_text(message.question[0].name, ttl, "IN", rrtype, socket.inet_ntop(family, data))
    )
    return message.to_wire()


ADA, BOB = b"\x02\x00\x30\x39ADA!".ljust(16, b"\0"), b"\x02\x00\x30\x39BOB!".ljust(16, b"\0")
WWW = Question(key_of("www.lab.test"), RRType.A)


@implementer(IExchange)
class Exchange:
    """What asks on the full path; nothing is answered."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.early: list[EarlyReply] = []

    def ask(self, host: str, port: int, question: Question, recursion_desired: bool, tcp: bool) -> Deferred[Reply]:
        self.asked.append(question)
        return Deferred()

    def resume(self, host: str, port: int, question: Question, early: EarlyReply) -> Deferred[Reply]:
        self.early.append(early)
        return Deferred()

    def is_regular(self, host: str, port: int) -> bool:
        return True


class Port:
    """The port that clients asked at; what goes the full path is asked there."""

    def __init__(self) -> None:
        self.resolver: Resolver | None = None
        self.replies: list[tuple[bytes, dns.message.Message]] = []
        self.full: list[tuple[bytes, bytes]] = []
        self.failed: list[tuple[bytes, bytes, Answer]] = []
        self.answers: list[Answer] = []
        self.flushed = 0
        self.steps: list[str] = []

    def reply(self, to: bytes, question: bytes, reply: bytes) -> None:
        self.replies.append((to, dns.message.from_wire(reply)))

    def flush(self) -> None:
        self.flushed += 1
        self.steps.append("flushed")

    def give_way(self, to: bytes, question: bytes, answer: Answer) -> None:
        self.failed.append((to, question, answer))

    def go_full(self, to: bytes, question: bytes) -> None:
        self.full.append((to, question))
        if self.resolver is not None:
            asked = dns.message.from_wire(question).question[0]
            self.resolver.ask(Question(asked.name.to_wire().lower(), asked.rdtype)).addCallback(self.answers.append)


def asking(name: str, id: int = 1, rrtype: str = "A", **options: Any) -> bytes:
    return dns.message.make_query(name, rrtype, id=id, **options).to_wire()


class FastPathCase(SynchronousTestCase):
    """A resolver with one parent, and its fast path."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.reactor.advance(1000)
        self.parent = LoopbackParent()
        self.addCleanup(self.parent.socket.close)
        self.port = Port()
        self.make(0, 86400)

    def make(self, least: int, most: int, tcp: bool = False, most_wait: float = 2.0) -> None:
        self.exchange: Any = Exchange()
        self.ttl = least, most
        self.serve(Parents([self.server(self.parent, tcp)], self.reactor, most_wait))

    def server(self, parent: LoopbackParent, tcp: bool = False) -> DNSParent:
        return DNSParent("127.0.0.1", parent.port, tcp, self.exchange)

    def serve(self, parents: Parents) -> None:
        """A resolver with nothing but these parents, and its fast path."""
        self.parents = parents
        self.learned: list[tuple[Question, Entry]] = []
        bounds = Bounds(ttl_min=self.ttl[0], ttl_max=self.ttl[1])
        self.forwards = {ROOT: parents}
        self.resolver = Resolver(Zone(), Cache(1_000_000), self.forwards, self.log_learned, self.reactor, bounds)
        self.path = FastPath(self.reactor, self.resolver, True, self.ttl)
        self.addCleanup(self.path.close)

    def log_learned(self, learned: list[tuple[Question, Entry]]) -> None:
        self.learned += learned
        self.port.steps.append(f"logged {len(learned)}")

    def take(self, question: bytes, to: bytes = ADA) -> bool:
        taken = self.path.take(self.port, to, question, self.reactor.seconds())
        self.path.send()
        return taken

    def health(self) -> Health:
        """That of the parent that is asked next."""
        first = self.parents.first(self.reactor.seconds())
        assert first is not None
        return first[1]

    def ttls(self) -> list[int]:
        """What was learned, by its TTLs."""
        return [entry.answer.answer[0].ttl for _, entry in self.learned]
