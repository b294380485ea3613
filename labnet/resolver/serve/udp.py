"""The resolver's UDP ports: datagrams of both protocols."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from functools import partial
from typing import Final

from twisted.internet.protocol import DatagramProtocol

from labnet.interfaces import IResolver
from labnet.net.kernel.reflectors import REFLECTORS
from labnet.policy.ratelimit import TokenBuckets
from labnet.resolver.cache.cache import rests_until
from labnet.resolver.clients.admission import Admission, Client, Ticket
from labnet.resolver.clients.counts import FOUND, UNKNOWN, Asked, Cell, Counts, Times, source_of
from labnet.resolver.engine.fast_path import FastPath
from labnet.resolver.serve.account import Account, end_of_port
from labnet.resolver.serve.responder import Responder
from labnet.wire.course import Dialect, largest_reply
from labnet.wire.course_line import TextError
from labnet.wire.dns_request import Refusal, Silence, decode_query
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
            self._lose("malformed", self._account(datagram, addr))
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
            times = now, responder.clock.seconds()
            responder.counts.answered_ready(cell, (addr, self.transport), times, datagram, reply)
            if responder.counts.events.watched and responder.counts.events.take(ready=True):
                self._tell_ready(datagram, addr, reply, cell)

    def tell_ready(self, datagrams: Iterable[tuple[bytes, tuple[str, int]]]) -> None:
        """Tell of ``datagrams``, each with its client, that were answered just now from what is ready."""
        packets = self._responder.packets
        for datagram, addr in datagrams:
            ready = packets.find(datagram, packets.clock.seconds())
            if ready is not None:
                self._tell_ready(datagram, addr, *ready)

    def _tell_ready(self, datagram: bytes, addr: tuple[str, int], reply: bytes, cell: Cell) -> None:
        clock = self._responder.clock
        account = Account(self.counts, clock.seconds, datagram, addr, end_of_port(self.transport))
        story = account.story
        story.is_afterwards = True
        story.step("ready", source=cell.source)
        question = self._question(datagram)
        if question is not None:
            self._resolver.known(question, b"\0" in datagram, story)
        account.answered(cell, reply)

    def _question(self, datagram: bytes) -> Question | None:
        """What ``datagram``, which has an answer, asks."""
        try:
            if b"\0" in datagram:
                return decode_query(datagram).question
            name = self._dialect.decode_question(datagram)
        except (TextError, Silence, Refusal):
            return None
        return Question(key_of(name), RRType.A, name)

    def _account(self, datagram: bytes, addr: tuple[str, int]) -> Account | None:
        """What is told of ``datagram``, if anybody watches and it is its turn."""
        counts = self._responder.counts
        if not (counts.events.watched and counts.events.take()):
            return None
        return Account(counts, self._responder.clock.seconds, datagram, addr, end_of_port(self.transport))

    def _lose(self, reason: str, account: Account | None) -> None:
        """A question counts by ``reason``, and gets no reply."""
        self.counts.lost[reason] += 1
        if account is not None:
            account.lost(reason)

    def answer(self, datagram: bytes, addr: tuple[str, int], taken: bool = True) -> None:
        """Answer what no ready answer is there for; ``taken`` says that it is within the client's rate."""
        account = self._account(datagram, addr)
        if b"\0" not in datagram:
            self._course(datagram, addr, taken, account)
        else:
            ends = addr, self.transport
            self._responder.respond(datagram, ends, False, lambda reply: self._send(reply, addr), taken, account)

    def gave_way(self, datagram: bytes, addr: tuple[str, int], answer: Answer | None) -> None:
        """Say that the DNS message ``datagram`` gave way to another question, with ``answer`` if there is one."""
        ends = addr, self.transport
        self._responder.give_way(datagram, ends, lambda reply: self._send(reply, addr), answer)

    def _course(self, datagram: bytes, addr: tuple[str, int], taken: bool, account: Account | None) -> None:
        admission, counts = self._responder.admission, self._responder.counts
        client, came = admission.client(addr[0]), self._responder.clock.seconds()
        if client.denied:
            self._lose("denied", account)
            return
        if not (taken or admission.takes(client, came)):
            self._lose("rate", account)
            return
        try:
            name = self._dialect.decode_question(datagram)
        except TextError:
            self._lose("malformed", account)
            return
        if not client.allowed:
            counts.refused(addr[0], came)
            self._tell(name, None, addr, client, account, "refused")
            return
        question = Question(key_of(name), RRType.A, name)
        answer: Answer | None
        if not client.may_recurse:
            answer = self._resolver.recorded(question) or _UNKNOWN
        elif account is None:
            answer = self._resolver.known(question, failures=False)
        else:
            answer = self._resolver.known(question, False, account.story)
        if answer is None:
            self._ask(question, addr, client, came, account)
            return
        reply = self._dialect.encode(name, answer.mapping)
        source = source_of(answer, asked=False) if client.may_recurse else "records"
        is_small = len(reply) <= largest_reply(datagram)
        if answer.mapping is not None and client.may_recurse and answer.until and is_small:
            cell = counts.cell("udp", self._protocol, FOUND, source)
            # An information line tells since when and for how long: it is the same for all that time.
            self._responder.packets.course.put(datagram, reply, rests_until(answer, came), cell)
        self._count(answer, source, addr, question, (came, self._responder.clock.seconds()), reply)
        self._tell(name, answer.mapping, addr, client, account, source)

    def _ask(
        self, question: Question, addr: tuple[str, int], client: Client, came: float, account: Account | None
    ) -> None:
        # The protocol has no ids: a client that asks again while it waits would take the second
        # reply for the answer to its next question.
        waiting = (addr, question.spelled)
        if waiting in self._waiting:
            if account is not None:
                account.lost("asked-already")
            return
        ticket = self._responder.admission.admit(client, came)
        if ticket is None:
            self._too_many(waiting, account)
            return
        ticket.gave_way = partial(self._too_many, waiting, account)
        self._waiting.add(waiting)
        asked = self._resolver.ask(question, None if account is None else account.story, client.network)
        asked.addCallback(self._answered, waiting, came, ticket, account)

    def _answered(
        self,
        answer: Answer,
        waiting: tuple[tuple[str, int], str],
        came: float,
        ticket: Ticket,
        account: Account | None,
    ) -> None:
        if not ticket.give_back():
            return
        self._waiting.discard(waiting)
        addr, name = waiting
        source = source_of(answer, asked=True)
        self._tell(name, answer.mapping, addr, self.admission.client(addr[0]), account, source)
        question, reply = Question(key_of(name), RRType.A, name), self._dialect.encode(name, answer.mapping)
        self._count(answer, source, addr, question, (came, self._responder.clock.seconds()), reply)

    def _too_many(self, waiting: tuple[tuple[str, int], str], account: Account | None) -> None:
        """A question is not asked, or gave way to another one."""
        self._waiting.discard(waiting)
        self._responder.counts.lost["in_flight"] += 1
        addr, name = waiting
        self._tell(name, None, addr, self.admission.client(addr[0]), account, "in_flight")

    def _tell(
        self,
        name: str,
        mapping: Mapping | None,
        addr: tuple[str, int],
        client: Client,
        account: Account | None,
        source: str,
    ) -> None:
        """Send the reply for ``name``, unless it could do harm to others.

        ``source`` is where the answer comes from, or the reason that the question counts by.
        """
        reply = self._dialect.encode(name, mapping)
        responder = self._responder
        asked = f"{addr[0]} {addr[1]} {name}".encode()
        lost = ""
        if mapping is None and not self._unknowns.take(asked, responder.clock.seconds()):
            lost = "repeated"
        elif client.limited and len(reply) > largest_reply(name.encode()):
            lost = "amplified"
        if lost:
            responder.counts.lost[lost] += 1
        else:
            self._send(reply, addr)
        if account is not None:
            account.told(reply, lost, self._cell(mapping, source))

    def _cell(self, mapping: Mapping | None, source: str) -> Cell:
        return self._responder.counts.cell("udp", self._protocol, UNKNOWN if mapping is None else FOUND, source)

    def _count(
        self, answer: Answer, source: str, addr: tuple[str, int], question: Question, times: Times, reply: bytes
    ) -> None:
        cell = self._cell(answer.mapping, source)
        asked = partial(_asked, question)
        self.counts.answered(cell, (addr, self.transport), times, asked, reply, answer.origin)

    def _send(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if self.transport is not None:
            # A reply that the system does not take (no route, a firewall) is as good as lost on the way.
            with contextlib.suppress(OSError):
                self.transport.write(datagram, addr)


def _asked(question: Question) -> Asked:
    return question.spelled, "A", question
