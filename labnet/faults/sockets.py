"""Where faults are done: at the sockets to parents, at a resolver's UDP ports, at connections of clients.

Without an order none of this is in the way: the sockets to parents are opened by the function of those that are
wrapped, a port has its own protocol, a factory its own ``buildProtocol``.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IReactorTime
from zope.interface import directlyProvides, implementer, providedBy

from labnet.events import ASKING, End, end_of
from labnet.interfaces import IDatagramSocket, IDatagramSockets
from labnet.net.addresses import family_of, socket_address

if TYPE_CHECKING:
    from labnet.faults.model import Order
    from labnet.faults.switchboard import Switchboard

_REFUSED: Final = OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


@implementer(IDatagramSockets)
class FaultySockets:
    """Gives ``sockets``, those to the parents of the resolver ``where``; :meth:`turn` has them meet faults."""

    def __init__(self, sockets: IDatagramSockets, where: str) -> None:
        self._sockets = sockets
        self._where = where
        self.open = sockets.open

    def turn(self, board: Switchboard | None, reactor: IReactorTime) -> None:
        """Do the faults of ``board`` from now on, or none any more; sockets that are open stay as they are."""
        self.open = self._sockets.open if board is None else partial(self._open, board, reactor)

    def _open(
        self,
        board: Switchboard,
        reactor: IReactorTime,
        host: str,
        port: int,
        received: Callable[[bytes], None],
        failed: Callable[[OSError], None],
    ) -> IDatagramSocket:
        faulty = _FaultySocket(board, self._where, (host, port), received)
        faulty.fail = lambda: reactor.callLater(0, failed, _REFUSED)
        faulty.socket = self._sockets.open(host, port, faulty.received, failed)
        return faulty


@implementer(IDatagramSocket)
class _FaultySocket:
    socket: IDatagramSocket
    fail: Callable[[], object]

    def __init__(self, board: Switchboard, where: str, there: End, received: Callable[[bytes], None]) -> None:
        self._board = board
        self._where = where
        self._there = there
        self._received = received
        self._story = ASKING.get()
        self._is_closed = False

    @property
    def here(self) -> End:
        return self.socket.here

    def send(self, datagram: bytes) -> None:
        ends = self.here, self._there
        order = self._board.pass_on((self._where, "parent", "out"), ends, datagram, self._send)
        if order is not None and order.kind == "down":
            self.fail()

    def _send(self, datagram: bytes, is_elsewhere: bool) -> None:
        if not self._is_closed:
            self.socket.send(datagram)

    def received(self, datagram: bytes) -> None:
        before = len(self._story.datagrams) if self._story is not None else 0
        ends = self._there, self.here
        order = self._board.pass_on((self._where, "parent", "in"), ends, datagram, self._give)
        story = self._story
        if order is not None and story is not None and len(story.datagrams) == before:
            story.saw(*ends, datagram, kind="thrown-away", note=order.kind)
            story.datagrams[-1] = story.datagrams[-1]._replace(fault=order.sentence)

    def _give(self, datagram: bytes, is_elsewhere: bool) -> None:
        # A connected socket never sees what comes from elsewhere.
        if not (self._is_closed or is_elsewhere):
            self._received(datagram)

    def close(self) -> None:
        self._is_closed = True
        self.socket.close()


class FaultyPort:
    """Stands between a resolver's UDP ``port`` and its protocol, from :meth:`begin` to :meth:`end`."""

    def __init__(self, port: Any, board: Switchboard, where: str) -> None:
        self._port = port
        self._board = board
        self._where = where
        self._protocol: Any = None

    def begin(self) -> None:
        """Take what comes and what goes. A port that answers in batches takes one datagram at a time meanwhile."""
        self._protocol = self._port.protocol
        divert = getattr(self._port, "divert", None)
        if divert is None:
            self._port.protocol = self
        else:
            divert(self)
        self._protocol.transport = self

    def end(self) -> None:
        """Let port and protocol have each other again. Idempotent."""
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.transport = self._port
            restore = getattr(self._port, "restore", None)
            if restore is None:
                self._port.protocol = protocol
            else:
                restore(protocol)

    def __getattr__(self, name: str) -> Any:
        # To the port this is its protocol, to the protocol its port.
        protocol = self.__dict__.get("_protocol")
        return getattr(self._port, name) if protocol is None or hasattr(self._port, name) else getattr(protocol, name)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """What came to the port."""

        def give(data: bytes, is_elsewhere: bool) -> None:
            if self._protocol is not None:
                self._protocol.datagramReceived(data, addr)

        way = (self._where, "client", "in")
        order = self._board.pass_on(way, (addr[:2], end_of(self._port.getHost())), datagram, give)
        if order is not None and order.kind == "drop":
            self._board.lost(self._where, addr[:2], end_of(self._port.getHost()), datagram, order)

    def write(self, datagram: bytes, addr: Any = None) -> None:
        """What the protocol sends."""

        def send(data: bytes, is_elsewhere: bool) -> None:
            if is_elsewhere:
                _send_from_elsewhere(data, addr)
            elif self._port.socket is not None:
                self._port.write(data, addr)

        self._board.pass_on((self._where, "client", "out"), (end_of(self._port.getHost()), addr[:2]), datagram, send)


def _send_from_elsewhere(data: bytes, addr: End) -> None:
    with socket.socket(family_of(addr[0]), socket.SOCK_DGRAM) as other:
        try:
            other.sendto(data, socket_address(*addr))
        except OSError:
            return  # as good as lost on the way


class FaultyFactory:
    """Has the connections that ``factory`` makes, to the server ``where``, meet the faults of ``board`` on request."""

    def __init__(self, factory: Any, board: Switchboard, reactor: IReactorTime, where: str) -> None:
        self._factory = factory
        self._board = board
        self._reactor = reactor
        self._where = where

    def turn(self, is_on: bool) -> None:
        """From the next connection on; those that are open stay as they are."""
        if is_on:
            self._factory.buildProtocol = self._build
        else:
            self._factory.__dict__.pop("buildProtocol", None)

    def _build(self, addr: Any) -> Any:
        made = type(self._factory).buildProtocol(self._factory, addr)
        if made is None:
            return None
        client = end_of(addr)
        order = self._board.strike(self._where, "session", "in", client[0], "")
        if order is None:
            return made
        self._board.mark_session(client, order.sentence)
        return FaultyStream(made, order, self._reactor, partial(self._board.forget_session, client))


class FaultyStream:
    """A connection of a client with the fault of ``order``; ``protocol`` serves it, ``over`` is called at its end."""

    def __init__(self, protocol: Any, order: Order, reactor: IReactorTime, over: Callable[[], object]) -> None:
        self._protocol = protocol
        self._over = over
        self._kind = order.kind
        self._pause = order.amount / 1000
        self._reactor = reactor
        self._transport: Any = None
        self._was_asked = False
        self._waiting = b""
        self._closes = self._says_no_more = False
        directlyProvides(self, providedBy(protocol))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    def makeConnection(self, transport: Any) -> None:
        self._transport = transport
        self._protocol.makeConnection(_FaultyTransport(self, transport))

    def connectionLost(self, *reason: Any) -> None:
        self._over()
        self._protocol.connectionLost(*reason)

    def dataReceived(self, data: bytes) -> None:
        self._was_asked = True
        if self._kind == "reset":
            self._transport.abortConnection()
            return
        self._protocol.dataReceived(data)
        if self._kind == "slow-reader":
            self._transport.pauseProducing()
            self._reactor.callLater(self._pause, self._read_on)

    def _read_on(self) -> None:
        if self._transport.connected:
            self._transport.resumeProducing()

    def write(self, data: bytes) -> None:
        """What the protocol sends."""
        if self._says_no_more or (self._kind == "silence" and self._was_asked):
            return
        if self._kind in ("split", "coalesce"):
            if not self._waiting:
                self._reactor.callLater(self._pause, self._write_waiting)
            self._waiting += data
            return
        self._transport.write(data)
        if self._kind == "half-close" and self._was_asked:
            self._says_no_more = True
            self._transport.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        """This side has said that it sends no more; the protocol, which did not ask for it, reads on."""
        if not self._says_no_more:
            self._protocol.writeConnectionLost()

    def _write_waiting(self) -> None:
        count = 1 if self._kind == "split" else len(self._waiting)
        part, self._waiting = self._waiting[:count], self._waiting[count:]
        self._transport.write(part)
        if self._waiting:
            self._reactor.callLater(self._pause, self._write_waiting)
        elif self._closes:
            self._transport.loseConnection()

    def close(self) -> None:
        """The protocol closes; what is held back is sent before."""
        self._closes = True
        if not self._waiting:
            self._transport.loseConnection()


class _FaultyTransport:
    def __init__(self, stream: FaultyStream, transport: Any) -> None:
        self._stream = stream
        self._wrapped = transport
        directlyProvides(self, providedBy(transport))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def write(self, data: bytes) -> None:
        self._stream.write(data)

    def writeSequence(self, parts: Any) -> None:
        self._stream.write(b"".join(parts))

    def loseConnection(self, *reason: Any) -> None:
        self._stream.close()
