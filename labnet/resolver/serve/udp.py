"""The resolver's UDP ports: datagrams of both protocols."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from functools import partial

from twisted.internet.protocol import DatagramProtocol

from labnet.net.kernel.reflectors import REFLECTORS
from labnet.resolver.clients.admission import Admission
from labnet.resolver.clients.counts import Cell, Counts
from labnet.resolver.clients.transport import Transport
from labnet.resolver.engine.fast_path import FastPath
from labnet.resolver.serve.account import Account, end_of_port
from labnet.resolver.serve.course import CourseResponder
from labnet.resolver.serve.responder import Responder
from labnet.wire.dns_request import Refusal, Silence, decode_query
from labnet.wire.types import Answer, Question


class ResolverProtocol(DatagramProtocol):
    """Answers both protocols: a DNS message always holds a NUL byte, a name of the course never does."""

    noisy = False

    def __init__(self, course: CourseResponder, responder: Responder, fast_path: FastPath | None = None) -> None:
        self.fast_path = fast_path
        self._course = course
        self.change(responder)

    def change(self, responder: Responder) -> None:
        """Answer as this one does from now on: the configuration has changed."""
        self._responder = responder
        self._id_bytes = self._course.codec.id_bytes

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
        ready = packets.find(datagram, now) if client.gets_ready else None
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
            screen = self.admission.client(addr[0]).screen
            self._responder.resolver.known(question, b"\0" in datagram, story, screen)
        account.answered(cell, reply)

    def _question(self, datagram: bytes) -> Question | None:
        """What ``datagram``, which has an answer, asks."""
        try:
            if self._is_dns(datagram):
                return decode_query(datagram).question
        except (Silence, Refusal):
            return None
        return self._course.question_of(datagram)

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
        if not self._is_dns(datagram):
            self._course.respond(datagram, (addr, self.transport), partial(self._reply, addr), taken, account)
        else:
            ends, send = (addr, self.transport), partial(self._send, addr=addr)
            self._responder.respond(datagram, ends, Transport.UDP, send, taken, account)

    def gave_way(self, datagram: bytes, addr: tuple[str, int], answer: Answer | None) -> None:
        """Say that the DNS message ``datagram`` gave way to another question, with ``answer`` if there is one."""
        ends = addr, self.transport
        self._responder.give_way(datagram, ends, lambda reply: self._send(reply, addr), answer)

    def _is_dns(self, datagram: bytes) -> bool:
        """Whether it is for DNS: its count of questions has a zero byte, behind any id of a course's message."""
        return b"\0" in datagram[self._id_bytes :]

    def _reply(self, addr: tuple[str, int], reply: bytes | None) -> None:
        if reply is not None:
            self._send(reply, addr)

    def _send(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if self.transport is not None:
            # A reply that the system does not take (no route, a firewall) is as good as lost on the way.
            with contextlib.suppress(OSError):
                self.transport.write(datagram, addr)
