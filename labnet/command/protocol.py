"""One connection to the command server."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IAddress, IDelayedCall, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.command.framing import COMMANDS, CommandFramer
from labnet.interfaces import ISession, IStreamTransport

if TYPE_CHECKING:
    from labnet.command.service import CommandService


@implementer(ISession, IHalfCloseableProtocol, IPushProducer)
class CommandProtocol(LineReceiver):
    """Reads commands and answers them, with the framing of :mod:`labnet.command.framing`.

    A subclass overrides :meth:`lineReceived`, as with any LineReceiver, and answers by :meth:`reply`.
    """

    delimiter = b"\n"
    transport: IStreamTransport

    def __init__(self, service: CommandService) -> None:
        self._service = service
        self._framer = CommandFramer()
        self._pause: IDelayedCall | None = None
        self._replies: list[bytes] = []
        self._serving = False
        self._closing = False
        self._held = False  # unread replies have stopped the reading
        self.flushing = False
        """Whether only unread replies keep the connection open: they have until the time-out."""

    def connectionMade(self) -> None:
        self.transport.pauseProducing()
        # Replies that pile up unread stop the reading of commands.
        self.transport.registerProducer(self, True)
        self._service.gate.arrive(self)

    def serve(self) -> None:
        if self._closing:
            return
        self._serving = True
        host, port = self._peer()
        self._service.deadlines.touch(self)
        self.transport.write(self._service.style.greet(host, port))
        self.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        if not self._closing:
            self._take(self._framer.receive(data))
            self._await_pause()

    def _take(self, commands: list[bytes], complete: bool = True) -> None:
        if commands and complete:
            self._service.deadlines.touch(self)
        for command in commands:
            if self._closing:
                break
            self.lineReceived(command)
        self._send()

    def lineReceived(self, line: bytes) -> None:
        """One command, white space around it taken off."""
        if line == b"TIME":
            self.reply(self._service.time())
        elif line == b"EXIT":
            self._send()
            self._service.exit(self, self._peer()[0])
        else:
            self.reply(self._service.style.invalid)

    def reply(self, reply: bytes) -> None:
        """Send ``reply`` with the others to the same segment, in one write."""
        self._replies.append(reply)

    def _send(self) -> None:
        if self._replies:
            self.transport.write(b"".join(self._replies))
            self._replies.clear()

    def _await_pause(self) -> None:
        patience = self._framer.patience
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        # The silence of a client that is not read from says nothing.
        if patience is not None and not (self._closing or self._held):
            self._pause = self._service.reactor.callLater(patience, self._paused)

    def _paused(self) -> None:
        self._pause = None
        commands = self._framer.pause()
        # What else dribbles in is answered too, but it does not keep the connection alive.
        self._take(commands, complete=any(command in COMMANDS for command in commands))

    def readConnectionLost(self) -> None:
        """The client sends no more; what it sent is answered before the connection closes."""
        if not self._closing:
            self._take(self._framer.end())
        if not self._closing:
            self.flushing = True
            self._finish()

    def writeConnectionLost(self) -> None:
        self.abort()

    def close(self) -> None:
        if self._closing and not self.flushing:
            return
        self._service.deadlines.discard(self)
        self._service.closing.touch(self)
        if self.flushing:
            self.flushing = False
        else:
            self._finish()

    def _finish(self) -> None:
        self._closing = True
        self._await_pause()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        self._closing = True
        self.flushing = False
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._closing = True
        self._await_pause()
        self._service.left(self)

    def resumeProducing(self) -> None:
        """The replies are sent: read on, if it is this client's turn."""
        if self._serving and not self._closing:
            self._held = False
            self.transport.resumeProducing()
            self._await_pause()

    def pauseProducing(self) -> None:
        self._held = True
        self._await_pause()
        self.transport.pauseProducing()

    def stopProducing(self) -> None:
        """The connection is lost; :meth:`connectionLost` does the rest."""

    def _peer(self) -> tuple[str, int]:
        """The client's address and port; a client on a UNIX socket has neither and is on this machine."""
        peer = self.transport.getPeer()
        host = getattr(peer, "host", "127.0.0.1")
        mapped = getattr(ipaddress.ip_address(host.partition("%")[0]), "ipv4_mapped", None)
        return str(mapped or host), getattr(peer, "port", 0)


class CommandFactory(Factory):
    """Makes a :class:`CommandProtocol` for each connection to ``service``."""

    noisy = False

    def __init__(self, service: CommandService) -> None:
        self._service = service

    def buildProtocol(self, addr: IAddress | None) -> CommandProtocol:
        return CommandProtocol(self._service)
