"""The resolver's TCP ports: DNS messages behind their length (RFC 7766)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IReactor, ISession, IStreamTransport
from labnet.net.deadlines import Deadlines
from labnet.net.direct import close_at_end, write_now
from labnet.resolver.clients.transport import Transport
from labnet.resolver.serve.account import Account
from labnet.resolver.serve.exchange import WhenOver
from labnet.resolver.serve.outflow import Outflow
from labnet.resolver.serve.responder import Responder
from labnet.resolver.serve.stream_answers import StreamAnswers
from labnet.wire.http import is_request

MOST_IN_FLIGHT: Final = 100
"""Questions of one TCP connection that are worked on at a time; then no more are read (RFC 7766, section 6.2.1.1)."""

GRACE: Final = 0.5
"""Seconds that a TCP connection closed by us has to send what is still to be sent."""

MOST_UNSENT: Final = 1 << 20
"""Bytes of answers that may wait for a TCP client that does not read, past what makes us stop reading from it."""


@implementer(ISession, IHalfCloseableProtocol, IPushProducer)
class DNSStreamProtocol(Protocol):
    """DNS over TCP (RFC 7766): messages behind their length, answered as each answer comes, not in their order."""

    transport: IStreamTransport
    over = Transport.TCP
    """How its messages come."""

    def __init__(self, streams: DNSStreams) -> None:
        self._streams = streams
        self._received = b""
        self._waiting: deque[tuple[bytes, bytes | None]] = deque()  # messages that came together, and ready replies
        self._is_first = True  # no message is complete yet
        self._held = False
        self._in_flight = 0
        self._most = MOST_IN_FLIGHT
        self._read_all = False
        self._unsent = False
        self._piled = 0
        self._closing = False
        self._outflows: dict[Outflow, None] = {}

    def connectionMade(self) -> None:
        peer = self.transport.getPeer()
        self.peer = _host_of(peer), int(getattr(peer, "port", 0))
        self.transport.registerProducer(self, True)
        self._streams.opened(self)

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if self._is_first:
            # Read as a length, the first two letters of a request are 16 KiB or more, which its body could fill.
            if is_request(self._received):
                self._streams.refuse_http(self)
                return
            self._is_first = len(self._received) < 2 + int.from_bytes(self._received[:2], "big")
        self._read()

    def _read(self) -> None:
        """Take the messages that have come: what is ready is sent in one write, the rest answered one by one."""
        if self._held or self._closing:
            return
        messages, answers, ends = self._messages_in(), self._streams.answers, (self.peer, self.transport)
        self._waiting.extend(zip(messages, answers.find_all(messages, ends, self.over), strict=True))
        ready: list[bytes] = []
        while self._waiting and not (self._held or self._closing):
            message, reply = self._waiting.popleft()
            if reply is None:
                reply = answers.find(message, ends, self.over)
            if reply is None:
                self._write(ready)
                self._ask(message)
            else:
                ready += len(reply).to_bytes(2, "big"), reply
        self._write(ready)

    def _messages_in(self) -> list[bytes]:
        """The messages that are whole, without their lengths."""
        data, at = self._received, 0
        messages: list[bytes] = []
        while len(data) >= at + 2 and len(data) >= (end := at + 2 + (data[at] << 8 | data[at + 1])):
            messages.append(data[at + 2 : end])
            at = end
        self._received = data[at:]
        return messages

    def _write(self, ready: list[bytes]) -> None:
        if ready:
            self._streams.idle.touch(self)
            write_now(self.transport, b"".join(ready))
            ready.clear()

    def _ask(self, message: bytes) -> None:
        self._in_flight += 1
        self._streams.idle.touch(self)
        account, ends = self._streams.account(self, message), (self.peer, self.transport)
        respond = self._streams.responder.respond
        if respond(message, ends, self.over, self._reply, False, account, self._reply_with_all):
            self._set_reading()
        else:
            self.close()  # as if two servers were to talk for ever

    def _reply(self, message: bytes) -> None:
        self._in_flight -= 1
        if self._closing and not self._read_all:
            return
        self._streams.idle.touch(self)
        self.transport.write(len(message).to_bytes(2, "big") + message)
        self._piled += len(message) if self._unsent else 0
        if self._piled > MOST_UNSENT:
            # What it asked before is answered as its answers come, and each may be long.
            self._streams.responder.counts.lost["unsent"] += 1
            self.abort()
        elif self._read_all and not self._in_flight:
            self._finish()
        else:
            self._set_reading()

    def _reply_with_all(self, messages: Iterator[bytes], over: WhenOver) -> None:
        """Answer one question with ``messages``; it is in flight until the last one is sent."""

        def write(message: bytes) -> None:
            self._streams.idle.touch(self)
            self.transport.write(len(message).to_bytes(2, "big") + message)

        def all_sent(why: str) -> None:
            del self._outflows[outflow]
            self._in_flight -= 1
            over(why)
            if why:
                self.abort()
            elif self._read_all and not self._in_flight:
                self._finish()
            else:
                self._set_reading()

        outflow = Outflow(messages, write, self._streams.clock, all_sent)
        self._outflows[outflow] = None
        if self._unsent:
            outflow.pause()

    def _set_reading(self) -> None:
        if self._closing:
            return
        if self._unsent or self._in_flight >= self._most:
            if not self._held:
                self._held = True
                self.transport.pauseProducing()
        elif self._held:
            self._held = False
            self.transport.resumeProducing()
            self._read()  # the messages that came with the one that filled the limit

    def pauseProducing(self) -> None:
        self._unsent = True
        for outflow in self._outflows:
            outflow.pause()
        self._set_reading()

    def resumeProducing(self) -> None:
        self._unsent, self._piled = False, 0
        for outflow in self._outflows:
            outflow.resume()
        self._set_reading()

    def stopProducing(self) -> None:
        """The connection is lost; :meth:`connectionLost` does the rest."""

    def readConnectionLost(self) -> None:
        """The client sends no more; what it asked is answered before the connection closes."""
        self._read_all = self._closing = True
        if not self._in_flight:
            self._finish(at_end=True)

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
        for outflow in list(self._outflows):
            outflow.stop("the connection was closed")
        if not self._closing:
            self._closing = True
            self._finish()

    def _finish(self, at_end: bool = False) -> None:
        # A client that said that it asks no more waits for the answers: it has the idle time to read them.
        self._streams.finishing(self, hurried=not self._read_all)
        self.transport.unregisterProducer()
        if at_end:
            close_at_end(self.transport)
        else:
            self.transport.loseConnection()

    def abort(self) -> None:
        self._closing = True
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._closing, self._read_all = True, False
        for outflow in list(self._outflows):
            outflow.stop("the connection was closed")
        if self.over.is_encrypted and reason is not None:
            self._streams.tls_lost(self, reason)
        self._streams.lost(self)


class DNSStreams(ServerFactory):
    """The TCP connections of one resolver: at most ``most`` at a time, each closed after ``idle`` silent seconds.

    One address has at most ``per_address`` of them, where that is not 0.
    """

    noisy = False
    log = Logger()

    def __init__(self, responder: Responder, reactor: IReactor, idle: float, most: int, per_address: int = 0) -> None:
        self.responder = responder
        self.answers = StreamAnswers(responder)
        self.clock = reactor
        self.idle: Deadlines[DNSStreamProtocol] = Deadlines(reactor, idle, DNSStreamProtocol.expired)
        self._closing: Deadlines[DNSStreamProtocol] = Deadlines(reactor, GRACE, DNSStreamProtocol.abort)
        self._most = most
        self._per_address = per_address
        self._open: dict[DNSStreamProtocol, None] = {}
        self._by_address: dict[str, dict[DNSStreamProtocol, None]] = {}
        self._waiting_for_close: list[Deferred[None]] = []
        self._http_logged = self._tls_logged = float("-inf")
        self.make_protocol: Callable[[DNSStreams], DNSStreamProtocol] = DNSStreamProtocol
        """Makes what serves a new connection; that of a dialect over TCP tells DNS and text apart."""

    def buildProtocol(self, addr: IAddress | None) -> DNSStreamProtocol | None:
        return self.admit(addr, self.make_protocol)

    def admit(
        self, addr: IAddress | None, make_protocol: Callable[[DNSStreams], DNSStreamProtocol]
    ) -> DNSStreamProtocol | None:
        """What serves a connection of ``addr``; None closes it at once: its client is not served."""
        client = self.responder.admission.client(_host_of(addr))
        if client.allowed:
            return make_protocol(self)
        if client.denied:
            self.responder.counts.lost["denied"] += 1
        else:
            self.responder.counts.refused(client.host, self.responder.clock.seconds())
        return None

    def refuse_http(self, stream: DNSStreamProtocol) -> None:
        """Close ``stream``, on which an HTTP request came; the log says so once a second at most."""
        self.responder.counts.lost["malformed"] += 1
        stream.abort()
        now = self.responder.clock.seconds()
        if now - self._http_logged >= 1:
            self._http_logged = now
            self.log.warn(
                "a TCP connection of {host} is closed: it sent an HTTP request, as a browser does for a web page",
                host=stream.peer[0],
                event="resolver.http",
            )

    def tls_lost(self, stream: DNSStreamProtocol, reason: Failure) -> None:
        """``stream`` was lost for a ``reason``; where TLS failed, the log says so once a second at most."""
        from labnet.net.tls.server import why_failed  # few labs need TLS

        why = why_failed(reason)
        if why is None:
            return
        self.responder.counts.lost["malformed"] += 1
        now = self.responder.clock.seconds()
        if now - self._tls_logged >= 1:
            self._tls_logged = now
            self.log.warn(
                "the TLS connection of {host} failed: {why}", host=stream.peer[0], why=why, event="resolver.tls-failed"
            )

    def account(self, stream: DNSStreamProtocol, message: bytes) -> Account | None:
        """What is told of ``message``, if anybody watches and it is its turn."""
        return self.answers.account(message, (stream.peer, stream.transport), stream.over)

    def opened(self, stream: DNSStreamProtocol) -> None:
        own = self._by_address.setdefault(stream.peer[0], {})
        own[stream] = self._open[stream] = None
        self.idle.touch(stream)
        if self._per_address and len(own) > self._per_address:
            self._make_room(own)
        elif len(self._open) > self._most:
            self._make_room(self._open)

    def _make_room(self, streams: dict[DNSStreamProtocol, None]) -> None:
        """Close the oldest of ``streams``, as RFC 7766, section 6.2.3, allows."""
        oldest = next(iter(streams))
        self.responder.counts.lost["connections"] += 1
        self._forget(oldest)  # an aborted one is lost in the reactor's next turn only
        oldest.abort()

    def _forget(self, stream: DNSStreamProtocol) -> None:
        self._open.pop(stream, None)
        own = self._by_address.get(stream.peer[0], {})
        own.pop(stream, None)
        if not own:
            self._by_address.pop(stream.peer[0], None)

    def finishing(self, stream: DNSStreamProtocol, hurried: bool) -> None:
        """What is left to be sent has the idle time; or, ``hurried``, only :data:`GRACE`."""
        if hurried:
            self.idle.discard(stream)
            self._closing.touch(stream)
        else:
            self.idle.touch(stream)

    def lost(self, stream: DNSStreamProtocol) -> None:
        self._forget(stream)
        self.idle.discard(stream)
        self._closing.discard(stream)
        self._fire_if_closed()

    def change(self, responder: Responder, idle: float, most: int, per_address: int = 0) -> None:
        """Serve by these from now on, the open connections too; those that are one too many are closed."""
        self.responder = self.answers.responder = responder
        self.idle.change(idle)
        self._most = most
        self._per_address = per_address
        for stream in list(self._open):
            if not responder.admission.client(stream.peer[0]).allowed:
                self._forget(stream)
                stream.abort()
        while len(self._open) > most:
            self._make_room(self._open)
        for own in list(self._by_address.values()) if per_address else ():
            while len(own) > per_address:
                self._make_room(own)

    def drain(self) -> Deferred[None]:
        """Take no further questions; fires when every connection has the answers that it waits for and is gone."""
        drained: Deferred[None] = Deferred()
        self._waiting_for_close.append(drained)
        for stream in list(self._open):
            stream.readConnectionLost()
        self._fire_if_closed()
        return drained

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


def _host_of(peer: IAddress | None) -> str:
    return str(getattr(peer, "host", "127.0.0.1"))
