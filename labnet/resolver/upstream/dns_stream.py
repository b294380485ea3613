"""One DNS query and its reply over a TCP connection, each with its length before it (RFC 7766, section 8)."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as ConnectionRefusedByPeer
from twisted.internet.error import TimeoutError as ConnectingTimedOut
from twisted.internet.interfaces import IAddress, IConnector, ITCPTransport
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from labnet.events import ASKING, end_of
from labnet.resolver.upstream.errors import ParentFailed, unreadable
from labnet.wire.dns_upstream import Broken, NotOurs, Sent, Truncated, decode_reply
from labnet.wire.types import Reply


class StreamQuery(Protocol, ClientFactory):
    """``query`` for the server at ``address`` (as people read it), over one connection.

    It is its own factory, as it is connected once. ``done`` fires with the reply or fails with :class:`ParentFailed`.
    """

    noisy = False
    transport: ITCPTransport | None = None

    def __init__(self, address: str, query: bytes) -> None:
        self._address = address
        self._query = query
        self._received = bytearray()
        self._replied = False
        self._story = ASKING.get()
        self.done: Deferred[Reply] = Deferred(lambda _: None)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return self

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(len(self._query).to_bytes(2, "big") + self._query)
        if self._story is not None:
            self._story.saw(end_of(self.transport.getHost()), end_of(self.transport.getPeer()), self._query, "tcp")

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._received += data
        length = int.from_bytes(self._received[:2], "big") + 2
        if len(self._received) < length:
            return
        if self._story is not None and self.transport is not None:
            here, there = end_of(self.transport.getHost()), end_of(self.transport.getPeer())
            self._story.saw(there, here, bytes(self._received[2:length]), "tcp")
        try:
            reply = decode_reply(bytes(self._received[2:length]), Sent.of(self._query))
        except (NotOurs, Truncated, Broken) as error:
            self.done.errback(unreadable(self._address, error))
        else:
            self._replied = True
            self.done.callback(reply)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._fail(f"{self._address} closed the connection without an answer")

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        if reason.check(ConnectionRefusedByPeer):
            self._fail(f"nobody listens on {self._address} for TCP")
        elif reason.check(ConnectingTimedOut):
            self.timed_out()
        else:
            why = getattr(reason.value, "osError", None)
            self._fail(f"cannot ask {self._address} by TCP: {getattr(why, 'strerror', None) or reason.value}")

    def timed_out(self) -> None:
        self._fail(f"{self._address} did not answer by TCP")

    def close(self, connector: IConnector) -> None:
        """Give the socket back: in good order where the reply came, else at once, whatever the peer does."""
        if self.transport is None:
            connector.disconnect()
        elif self._replied:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def _fail(self, why: str) -> None:
        if not self.done.called:
            self.done.errback(Failure(ParentFailed(why)))
