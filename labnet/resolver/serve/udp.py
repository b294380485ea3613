"""The resolver's UDP ports: datagrams of both protocols."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Final

from twisted.internet.protocol import DatagramProtocol

from labnet.interfaces import IResolver
from labnet.net.kernel.reflectors import REFLECTORS
from labnet.policy.ratelimit import TokenBuckets
from labnet.resolver.cache.cache import rests_until
from labnet.resolver.clients.admission import Admission, Client, Ticket
from labnet.resolver.clients.counts import FOUND, UNKNOWN, Counts, source_of
from labnet.resolver.engine.fast_path import FastPath
from labnet.resolver.serve.responder import Responder
from labnet.wire.course import Dialect, largest_reply
from labnet.wire.course_line import TextError
from labnet.wire.names import key_of
from labnet.wire.types import Answer, Mapping, Question, Rcode, RRType

UNKNOWNS_AT_ONCE: Final = 10
"""Replies in a moment to one client that one name is unknown; then it gets one a second.

A person or a script may ask again at once. A server that takes the reply for a question does so for ever.
"""

_UNKNOWN: Final = Answer(Rcode.REFUSED)


class ResolverProtocol(DatagramProtocol):
    """Answers both protocols: a DNS message always holds a NUL byte, a name of the course never does."""

    noisy = False

    def __init__(
        self, resolver: IResolver, dialect: Dialect, responder: Responder, fast_path: FastPath | None = None
    ) -> None:
        self.fast_path = fast_path
        self._resolver = resolver
        self._waiting: set[tuple[tuple[str, int], str]] = set()
        self._unknowns = TokenBuckets(1.0, UNKNOWNS_AT_ONCE)
        self.change(dialect, responder)

    def change(self, dialect: Dialect, responder: Responder) -> None:
        """Answer as these do from now on: the configuration has changed."""
        self._dialect = dialect
        self._responder = responder
        self._protocol = "json" if dialect.json else "line"

    @property
    def admission(self) -> Admission:
        """Says who gets how much."""
        return self._responder.admission

    @property
    def counts(self) -> Counts:
        """Where all is counted."""
        return self._responder.counts

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        responder = self._responder
        if addr[1] in REFLECTORS:
            responder.counts.lost["malformed"] += 1
            return
        client = responder.admission.client(addr[0])
        packets = responder.packets
        now = packets.seconds()
        ready = packets.find(datagram, now) if client.may_recurse else None
        if ready is None or not responder.admission.takes(client, now):
            self.answer(datagram, addr, taken=False)
        else:
            reply, cell = ready
            self._send(reply, addr)
            responder.counts.answered_ready(cell, addr, now, responder.clock.seconds(), datagram)

    def answer(self, datagram: bytes, addr: tuple[str, int], taken: bool = True) -> None:
        """Answer what no ready answer is there for; ``taken`` says that it is within the client's rate."""
        if b"\0" not in datagram:
            self._course(datagram, addr, taken)
        else:
            self._responder.respond(datagram, addr, False, lambda reply: self._send(reply, addr), taken)

    def _course(self, datagram: bytes, addr: tuple[str, int], taken: bool) -> None:
        admission, counts = self._responder.admission, self._responder.counts
        client, came = admission.client(addr[0]), self._responder.clock.seconds()
        if client.denied:
            counts.lost["denied"] += 1
            return
        if not (taken or admission.takes(client, came)):
            counts.lost["rate"] += 1
            return
        try:
            name = self._dialect.decode_question(datagram)
        except TextError:
            counts.lost["malformed"] += 1
            return
        if not client.allowed:
            counts.lost["refused"] += 1
            self._tell(name, None, addr, client)
            return
        question = Question(key_of(name), RRType.A, name)
        if client.may_recurse:
            answer = self._resolver.known(question, failures=False)
        else:
            answer = self._resolver.recorded(question) or _UNKNOWN
        if answer is None:
            self._ask(question, addr, client, came)
            return
        reply = self._tell(name, answer.mapping, addr, client)
        source = source_of(answer, asked=False) if client.may_recurse else "records"
        is_small = len(reply) <= largest_reply(datagram)
        if answer.mapping is not None and client.may_recurse and answer.until and is_small:
            cell = counts.cell("udp", self._protocol, FOUND, source)
            # An information line tells since when and for how long: it is the same for all that time.
            self._responder.packets.course.put(datagram, reply, rests_until(answer, came), cell)
        self._count(answer, source, addr, name, came)

    def _ask(self, question: Question, addr: tuple[str, int], client: Client, came: float) -> None:
        # The protocol has no ids: a client that asks again while it waits would take the second
        # reply for the answer to its next question.
        waiting = (addr, question.spelled)
        if waiting in self._waiting:
            return
        ticket = self._responder.admission.admit(client, came)
        if ticket is None:
            self._too_many(waiting)
            return
        ticket.gave_way = partial(self._too_many, waiting)
        self._waiting.add(waiting)
        self._resolver.ask(question).addCallback(self._answered, waiting, came, ticket)

    def _answered(self, answer: Answer, waiting: tuple[tuple[str, int], str], came: float, ticket: Ticket) -> None:
        if not ticket.give_back():
            return
        self._waiting.discard(waiting)
        addr, name = waiting
        self._tell(name, answer.mapping, addr, self.admission.client(addr[0]))
        self._count(answer, source_of(answer, asked=True), addr, name, came)

    def _too_many(self, waiting: tuple[tuple[str, int], str]) -> None:
        """A question is not asked, or gave way to another one."""
        self._waiting.discard(waiting)
        self._responder.counts.lost["in_flight"] += 1
        addr, name = waiting
        self._tell(name, None, addr, self.admission.client(addr[0]))

    def _tell(self, name: str, mapping: Mapping | None, addr: tuple[str, int], client: Client) -> bytes:
        """Send the reply for ``name``, unless it could do harm to others; it is returned in any case."""
        reply = self._dialect.encode(mapping)
        responder = self._responder
        asked = f"{addr[0]} {addr[1]} {name}".encode()
        if mapping is None and not self._unknowns.take(asked, responder.clock.seconds()):
            responder.counts.lost["repeated"] += 1
        elif client.limited and len(reply) > largest_reply(name.encode()):
            responder.counts.lost["amplified"] += 1
        else:
            self._send(reply, addr)
        return reply

    def _count(self, answer: Answer, source: str, addr: tuple[str, int], name: str, came: float) -> None:
        counts = self._responder.counts
        cell = counts.cell("udp", self._protocol, UNKNOWN if answer.mapping is None else FOUND, source)
        counts.answered(cell, addr, came, self._responder.clock.seconds(), lambda: (name, "A"))

    def _send(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if self.transport is not None:
            # A reply that the system does not take (no route, a firewall) is as good as lost on the way.
            with contextlib.suppress(OSError):
                self.transport.write(datagram, addr)
