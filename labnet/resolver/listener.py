"""The resolver's ports: datagrams of both protocols on UDP, DNS messages on TCP."""

from __future__ import annotations

import contextlib
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import DatagramProtocol, ServerFactory
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.deadlines import Deadlines
from labnet.interfaces import IReactor, IResolver, ISession, IStreamTransport
from labnet.resolver.model import Answer, Question, RRType
from labnet.resolver.names import key_of
from labnet.resolver.responder import Responder
from labnet.resolver.text import Dialect, LooksLikeReply, TextError

MOST_IN_FLIGHT: Final = 100
"""Questions of one TCP connection that are worked on at a time; then no more are read (RFC 7766, section 6.2.1.1)."""

GRACE: Final = 0.5
"""Seconds that a TCP connection closed by us has to send what is still to be sent."""


class ResolverProtocol(DatagramProtocol):
    """Answers both protocols: a DNS message always holds a NUL byte, a name of the course never does."""

    noisy = False

    def __init__(self, resolver: IResolver, dialect: Dialect, responder: Responder) -> None:
        self._resolver = resolver
        self._dialect = dialect
        self._responder = responder
        self._waiting: set[tuple[tuple[str, int], str]] = set()

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        packets = self._responder.packets
        ready = packets.find(datagram, packets.seconds())
        if ready is not None:
            self._send(ready, addr)
        elif b"\0" in datagram:
            self._responder.respond(datagram, addr[0], False, lambda reply: self._send(reply, addr))
        else:
            self._course(datagram, addr)

    def _course(self, datagram: bytes, addr: tuple[str, int]) -> None:
        try:
            name = self._dialect.decode_question(datagram)
        except LooksLikeReply:
            return
        except TextError:
            self._send(self._dialect.encode(None), addr)
            return
        question = Question(key_of(name), RRType.A, name)
        answer = self._resolver.known(question, failures=False)
        if answer is not None:
            reply = self._dialect.encode(answer.mapping)
            if answer.mapping is not None:
                # Behind a CNAME the address may outlive what leads to it.
                until = answer.until if len(answer.answer) > 1 else answer.mapping.until
                self._responder.packets.course.keep(datagram, reply, until)
            self._send(reply, addr)
            return
        # The protocol has no ids: a client that asks again while it waits would take the second
        # reply for the answer to its next question.
        waiting = (addr, name)
        if waiting not in self._waiting:
            self._waiting.add(waiting)
            self._resolver.ask(question).addCallback(self._answered, waiting)

    def _answered(self, answer: Answer, waiting: tuple[tuple[str, int], str]) -> None:
        self._waiting.discard(waiting)
        self._send(self._dialect.encode(answer.mapping), waiting[0])

    def _send(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if self.transport is not None:
            # A reply that the system does not take (no route, a firewall) is as good as lost on the way.
            with contextlib.suppress(OSError):
                self.transport.write(datagram, addr)


@implementer(ISession, IHalfCloseableProtocol, IPushProducer)
class DNSStreamProtocol(Int16StringReceiver):
    """DNS over TCP (RFC 7766): messages behind their length, answered as each answer comes, not in their order."""

    transport: IStreamTransport

    def __init__(self, streams: DNSStreams) -> None:
        self._streams = streams
        self._in_flight = 0
        self._read_all = False
        self._unsent = False
        self._closing = False

    def connectionMade(self) -> None:
        self._host = str(getattr(self.transport.getPeer(), "host", "127.0.0.1"))
        self.transport.registerProducer(self, True)
        self._streams.opened(self)

    def stringReceived(self, string: bytes) -> None:
        if self._closing:
            return
        self._in_flight += 1
        self._streams.idle.touch(self)
        if self._streams.responder.respond(string, self._host, True, self._reply):
            self._set_reading()
        else:
            self.close()  # as if two servers were to talk for ever

    def _reply(self, message: bytes) -> None:
        self._in_flight -= 1
        if self._closing and not self._read_all:
            return
        self._streams.idle.touch(self)
        self.sendString(message)
        if self._read_all and not self._in_flight:
            self._finish()
        else:
            self._set_reading()

    def _set_reading(self) -> None:
        if self._closing:
            return
        if self._unsent or self._in_flight >= MOST_IN_FLIGHT:
            if not self.paused:
                self.paused = True
                self.transport.pauseProducing()
        elif self.paused:
            self.paused = False
            self.transport.resumeProducing()
            self.dataReceived(b"")  # the messages that came with the one that filled the limit

    def pauseProducing(self) -> None:
        self._unsent = True
        self._set_reading()

    def resumeProducing(self) -> None:
        self._unsent = False
        self._set_reading()

    def stopProducing(self) -> None:
        """The connection is lost; :meth:`connectionLost` does the rest."""

    def readConnectionLost(self) -> None:
        """The client sends no more; what it asked is answered before the connection closes."""
        self._read_all = self._closing = True
        if not self._in_flight:
            self._finish()

    def writeConnectionLost(self) -> None:
        self.abort()

    def serve(self) -> None:
        """Every connection is served from its first byte."""

    def expired(self) -> None:
        """Nothing moved for the idle time: close, unless the client waits for us."""
        if self._unsent or (self._closing and not self._in_flight):
            self.abort()
        elif self._in_flight:
            self._streams.idle.touch(self)
        else:
            self.close()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._finish()

    def _finish(self) -> None:
        # Who said that he asks no more waits for the answers: he has the idle time to read them.
        self._streams.finishing(self, hurried=not self._read_all)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        self._closing = True
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._closing, self._read_all = True, False
        self._streams.lost(self)


class DNSStreams(ServerFactory):
    """The TCP connections of one resolver: at most ``most`` at a time, each closed after ``idle`` silent seconds."""

    noisy = False

    def __init__(self, responder: Responder, reactor: IReactor, idle: float, most: int) -> None:
        self.responder = responder
        self.idle: Deadlines[DNSStreamProtocol] = Deadlines(reactor, idle, DNSStreamProtocol.expired)
        self._closing: Deadlines[DNSStreamProtocol] = Deadlines(reactor, GRACE, DNSStreamProtocol.abort)
        self._most = most
        self._open: dict[DNSStreamProtocol, None] = {}
        self._waiting_for_close: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> DNSStreamProtocol:
        return DNSStreamProtocol(self)

    def opened(self, stream: DNSStreamProtocol) -> None:
        self._open[stream] = None
        self.idle.touch(stream)
        if len(self._open) > self._most:
            oldest = next(iter(self._open))
            del self._open[oldest]  # an aborted one is lost in the reactor's next turn only
            oldest.abort()  # makes room, as RFC 7766, section 6.2.3, allows

    def finishing(self, stream: DNSStreamProtocol, hurried: bool) -> None:
        """What is left to be sent has the idle time; or, ``hurried``, only :data:`GRACE`."""
        if hurried:
            self.idle.discard(stream)
            self._closing.touch(stream)
        else:
            self.idle.touch(stream)

    def lost(self, stream: DNSStreamProtocol) -> None:
        self._open.pop(stream, None)
        self.idle.discard(stream)
        self._closing.discard(stream)
        self._fire_if_closed()

    def close(self) -> Deferred[None]:
        """Close every connection; fires when all are gone."""
        closed: Deferred[None] = Deferred()
        self._waiting_for_close.append(closed)
        for stream in list(self._open):
            stream.close()
            self.finishing(stream, hurried=True)  # also who was given time to read
            if stream in self._open:
                self.finishing(stream, hurried=True)  # also who was being closed already
        self._fire_if_closed()
        return closed

    def _fire_if_closed(self) -> None:
        if not self._open:
            waiting, self._waiting_for_close = self._waiting_for_close, []
            for closed in waiting:
                closed.callback(None)
