"""A DNS server that is asked over TLS or HTTPS: one connection that is kept, with any number of questions on it.

A question goes over the connection that is there, or over a new one. What waits on a connection that ends, as servers
do with idle ones, goes over a new one once (RFC 7766, section 6.2.4); one that was never of use fails what waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError as ConnectionRefusedByPeer
from twisted.internet.error import TimeoutError as ConnectingTimedOut
from twisted.internet.interfaces import IConnector, IDelayedCall, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import ClientFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.events import ASKING, Story
from labnet.interfaces import IConnectedParent, IReactor
from labnet.net.tls.client import why_untrusted
from labnet.resolver.upstream.dns import upstream_of
from labnet.resolver.upstream.errors import NoReply, ParentFailed, unreadable
from labnet.wire.dns_upstream import Broken, NotOurs, Sent, Truncated, decode_reply
from labnet.wire.names import is_opaque, text_of
from labnet.wire.types import Question, Upstream

IDLE: Final = 20.0
"""Seconds that a connection is kept after the last question."""


class EncryptedQuestion:
    """A question on its way; ``done`` fires with the answer."""

    def __init__(self, question: Question, query: bytes, cancel: Callable[[EncryptedQuestion], None]) -> None:
        self.question = question
        self.query = query
        self.done: Deferred[Upstream] = Deferred(lambda _: cancel(self))
        self.story: Story | None = ASKING.get()
        self.timer: IDelayedCall | None = None
        self.is_again = False


class Carrier(Protocol):
    """A connection, as :class:`EncryptedParent` has it."""

    waiting: dict[int, EncryptedQuestion]
    is_of_use: bool

    def ask(self, asked: EncryptedQuestion) -> None:
        """Send its query, now or once the connection is there."""

    def abort(self) -> None:
        """Close it at once; nothing more is told of it."""

    def lose(self) -> None:
        """Close it in good order."""


@dataclass(frozen=True)
class Way:
    """How a server is asked: where it is, what checks that it is the right one, what speaks on a connection.

    ``encode`` makes the query for a question, ``address`` is how logs call the server.
    """

    address: str
    host: str
    port: int
    tls: IOpenSSLClientConnectionCreator
    encode: Callable[[Question, Random], bytes]
    connect: Callable[[EncryptedParent], Any]


@implementer(IConnectedParent)
class EncryptedParent:
    """The server at the end of ``way``; a question has ``timeout`` seconds in all."""

    def __init__(self, way: Way, reactor: IReactor, random: Random, timeout: float) -> None:
        self.address = way.address
        self._way = way
        self._reactor = reactor
        self._random = random
        self._timeout = timeout
        self._carrier: Carrier | None = None
        self._connector: IConnector | None = None
        self._idle: IDelayedCall | None = None
        self._is_retired = False

    def ask(self, question: Question) -> Deferred[Upstream]:
        if is_opaque(question.key):
            return fail(ParentFailed(f"{text_of(question.key)!r} is a name that DNS cannot carry"))
        asked = EncryptedQuestion(question, self._way.encode(question, self._random), self._forget)
        asked.timer = self._reactor.callLater(self._timeout, self._timed_out, asked)
        self._send(asked)
        return asked.done

    def retire(self) -> None:
        """Close the connection as soon as nothing waits on it."""
        self._is_retired = True
        self._rest()

    def _send(self, asked: EncryptedQuestion) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._carrier is None:
            self._carrier = self._way.connect(self)
            factory: Any = TLSMemoryBIOFactory(self._way.tls, True, _Once(self._carrier, self), self._reactor)
            self._connector = self._reactor.connectTCP(self._way.host, self._way.port, factory, timeout=self._timeout)
        self._carrier.ask(asked)

    def replied(self, carrier: Carrier, asked: EncryptedQuestion, message: bytes, ends: tuple[Any, Any]) -> None:
        """``message`` came for ``asked`` over ``carrier``, whose ``ends`` are here and there."""
        carrier.is_of_use = True
        here, there = ends
        if asked.story is not None:
            asked.story.saw(there, here, message, "tls")
        try:
            reply = decode_reply(message, Sent.of(asked.query))
            upstream = upstream_of(asked.question, reply, self.address)
        except (NotOurs, Truncated, Broken) as error:
            self._fail(asked, unreadable(self.address, error))
        except ParentFailed as error:
            self._fail(asked, error)
        else:
            self._end(asked)
            asked.done.callback(upstream)
        self._rest()

    def failed(self, asked: EncryptedQuestion, why: str) -> None:
        """The server said something of ``asked`` that is no DNS message."""
        self._fail(asked, ParentFailed(f"{self.address} {why}"))
        self._rest()

    def useless(self, carrier: Carrier, why: str) -> None:
        """The server is reached over ``carrier``, and cannot be asked so."""
        if carrier is self._carrier:
            self._carrier = self._connector = None
        waiting = list(carrier.waiting.values())
        carrier.waiting.clear()
        for asked in waiting:
            self._fail(asked, ParentFailed(f"{self.address} {why}"))

    def lost(self, carrier: Carrier, reason: Failure) -> None:
        """``carrier`` is gone, or could not be had, for a ``reason``."""
        if carrier is self._carrier:
            self._carrier = self._connector = None
        waiting = list(carrier.waiting.values())
        carrier.waiting.clear()
        for asked in waiting:
            if carrier.is_of_use and not asked.is_again:
                asked.is_again = True
                self._send(asked)
            else:
                self._fail(asked, ParentFailed(self._why(reason)))

    def _why(self, reason: Failure) -> str:
        if reason.check(ConnectionRefusedByPeer):
            return f"nobody listens on {self.address} for TCP"
        if reason.check(ConnectingTimedOut):
            return f"{self.address} did not answer by TCP"
        untrusted = why_untrusted(reason)
        if untrusted is not None:
            return f"TLS with {self.address} failed: {untrusted}"
        why = getattr(getattr(reason.value, "osError", None), "strerror", None)
        return f"cannot ask {self.address}: {why}" if why else f"{self.address} closed the connection without an answer"

    def _timed_out(self, asked: EncryptedQuestion) -> None:
        carrier = self._carrier
        self._fail(asked, NoReply(f"{self.address} did not answer"))
        # A connection that is silent may lead nowhere by now: the next question has another one.
        if carrier is not None and carrier is self._carrier:
            self._drop(carrier)

    def _drop(self, carrier: Carrier) -> None:
        connector, self._carrier, self._connector = self._connector, None, None
        carrier.abort()
        if connector is not None:
            connector.disconnect()
        waiting = list(carrier.waiting.values())
        carrier.waiting.clear()
        for asked in waiting:
            asked.is_again = True
            self._send(asked)

    def _forget(self, asked: EncryptedQuestion) -> None:
        """Nobody waits for it any more."""
        self._end(asked)
        self._rest()

    def _fail(self, asked: EncryptedQuestion, error: ParentFailed) -> None:
        self._end(asked)
        if not asked.done.called:
            asked.done.errback(Failure(error))

    def _end(self, asked: EncryptedQuestion) -> None:
        if asked.timer is not None and asked.timer.active():
            asked.timer.cancel()
        if self._carrier is not None:
            for id in [id for id, one in self._carrier.waiting.items() if one is asked]:
                del self._carrier.waiting[id]

    def _rest(self) -> None:
        """Where nothing waits, keep the connection for a while, or close it."""
        carrier = self._carrier
        if carrier is None or carrier.waiting:
            return
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._is_retired:
            self._close()
        else:
            self._idle = self._reactor.callLater(IDLE, self._close)

    def _close(self) -> None:
        self._idle = None
        carrier, self._carrier = self._carrier, None
        connector, self._connector = self._connector, None
        if carrier is None:
            return
        if carrier.is_of_use:
            carrier.lose()
        else:
            carrier.abort()
            if connector is not None:
                connector.disconnect()


class _Once(ClientFactory):
    """Gives the one protocol that there is."""

    noisy = False

    def __init__(self, carrier: Any, parent: EncryptedParent) -> None:
        self._carrier = carrier
        self._parent = parent

    def buildProtocol(self, addr: object) -> Any:
        return self._carrier

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._parent.lost(self._carrier, reason)
