"""One connection to the command server."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING, Any, Final, cast

from twisted.internet import tcp
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.command.framing import COMMANDS, SETTLE, CommandFramer
from labnet.command.reader import SEGMENT
from labnet.interfaces import ISession, IStreamTransport

if TYPE_CHECKING:
    from labnet.command.service import CommandService
    from labnet.net.deadlines import Deadlines

BATCH: Final = 128
"""Commands answered by one write; while their replies wait for the client, no further ones are made."""


_TIMES: Final = {line * times: times for line in (b"TIME\n", b"TIME\r\n") for times in range(1, BATCH + 1)}
"""Segments of nothing but TIME, and how often they say it."""

_FRESH: Final = CommandFramer()
"""What a connection has while nothing is unfinished on it; it is asked, and never fed."""


@implementer(ISession, IHalfCloseableProtocol, IPushProducer)
class CommandProtocol(LineReceiver):
    """Reads commands and answers them, with the framing of :mod:`labnet.command.framing`.

    A subclass overrides :meth:`lineReceived`, as with any LineReceiver, and answers by :meth:`reply` or by
    :meth:`sendLine`; it may go to raw mode and back.

    On a plain TCP connection of Twisted's, replies go to the socket at once while nothing waits for it, and it is read
    by the service's :class:`~labnet.command.reader.SharedReader`; on any other (TLS, UNIX, one that is looked at), and
    for all that does not go through at once, the transport does it.
    """

    delimiter = b"\n"
    transport: IStreamTransport

    # What a connection has only now and then stands here, so that an idle one is small.
    host = "127.0.0.1"
    """The client's address; a client on a UNIX socket has none and is on this machine."""
    flushing = False
    """Whether only unread replies keep the connection open: they have until the time-out."""
    end = "client"
    """Why the connection ends, as ``labnet_sessions_ended_total`` has it."""
    _serving = False
    _closing = False
    _held = False  # unread replies have stopped the reading
    _shared = False  # it is the shared reader that reads, not the reactor
    _fileno = -1  # the socket's number while the shared reader has it
    _unsent = b""  # replies to commands of the segment that is being read
    _last_words: bytes | None = None  # said before the connection closes, once all that came is answered
    _framer = _FRESH
    _silence: Deadlines[CommandProtocol] | None = None  # what the client's unfinished input waits in
    _plain: tcp.Server | None = None
    _most = BATCH
    _ready = False  # the shared reader reads, and nothing waits to be completed or to be sent: TIME takes the short way

    def __init_subclass__(cls, **arguments: object) -> None:
        super().__init_subclass__(**arguments)
        if cls.lineReceived is not CommandProtocol.lineReceived:
            cls._most = 1  # any line may go to raw mode

    def __init__(self, service: CommandService) -> None:
        self._service = service

    def connectionMade(self) -> None:
        transport: Any = self.transport
        if type(transport) is tcp.Server:
            self._plain = transport
            self._shared = self._service.reader is not None and isinstance(transport.socket, socket.socket)
            transport.logstr = transport.repstr = type(self).__name__  # one text for all takes no room
        transport.bufferSize = SEGMENT
        transport.pauseProducing()
        # Replies that pile up unread stop the reading of commands.
        transport.registerProducer(self, True)
        self.host = host_of(transport.getPeer())
        self._service.arrived(self)

    def serve(self) -> None:
        if self._closing:
            return
        self._serving = True
        self._service.deadlines.touch(self)
        self._write(self._service.style.greet(self.host, getattr(self.transport.getPeer(), "port", 0)))
        self._read()

    def dataReceived(self, data: bytes) -> None:
        times = _TIMES.get(data) if self._ready else None
        if times is not None:
            service = self._service
            service.deadlines.touched[self] = service.now
            service.times += times
            reply = service.time_reply * times
            try:
                sent = os.write(self._fileno, reply)
            except OSError:
                sent = 0  # no room, or the connection has failed: the transport finds out which
            if sent < len(reply):
                self._ready = False
                self.transport.write(reply[sent:])
        elif not self._closing:
            self._ready = False
            if self._framer is _FRESH:
                self._framer = CommandFramer()
            self._data_received(data)
            if self._framer.is_fresh:
                self._framer = _FRESH
            self._ready = self._is_ready()

    def _is_ready(self) -> bool:
        plain = self._plain
        return (
            self._shared
            and plain is not None
            and not (plain._tempDataLen or plain.dataBuffer)
            and not (self._held or self._closing)
            and self._framer is _FRESH
            and type(self) is CommandProtocol
        )

    def _data_received(self, data: bytes) -> None:
        if self._silence is not None:
            self._stop_waiting()
        if not self.line_mode:
            cast(Any, self).rawDataReceived(data)
            return
        commands = self._framer.receive(data, self._most)
        if commands:
            self._take(commands)
        if self._framer.is_unfinished or self._unsent:
            self._go_on()

    def _take(self, commands: list[bytes], complete: bool = True) -> None:
        if complete:
            self._service.deadlines.touch(self)
        if self._most == BATCH and b"EXIT" not in commands:
            if self._unsent:
                self._flush()
            self._write(self._service.replies_to(commands))
            return
        for command in commands:
            if self._closing:
                break
            self.lineReceived(command)

    def _go_on(self) -> None:
        """With whole lines that were left, while their replies find room; then wait for the rest of the last one."""
        framer = self._framer
        while framer.has_line and self.line_mode and not (self._held or self._closing):
            if len(self._unsent) > SEGMENT:
                self._flush()
            self._take(framer.receive(b"", self._most))
        self._flush()
        if self._closing or self._held:
            return
        if not self.line_mode:
            rest = framer.take_rest()
            if rest:
                cast(Any, self).rawDataReceived(rest)
        if self._last_words is not None:
            self._say_last_words()
        elif self.line_mode:
            self._await_silence()

    def lineReceived(self, line: bytes) -> None:
        """One command, white space around it taken off."""
        if line == b"EXIT":
            self._flush()
            self._service.exit(self)
        else:
            self.reply(self._service.replies_to([line]))

    def reply(self, reply: bytes) -> None:
        """Send ``reply`` with the others to the same segment, in one write."""
        self._unsent += reply

    def sendLine(self, line: bytes) -> None:
        """Send ``line`` and its end at once, behind what :meth:`reply` was given."""
        self._unsent += line + self.delimiter
        self._flush()

    def _flush(self) -> None:
        if self._unsent:
            unsent, self._unsent = self._unsent, b""
            self._write(unsent)

    def _write(self, data: bytes) -> None:
        plain = self._plain
        if plain is not None and (self._ready or not (plain._tempDataLen or plain.dataBuffer or plain.TLS)):
            try:
                sent = plain.socket.send(data)
            except OSError:
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        self._ready = False
        self.transport.write(data)

    def _await_silence(self) -> None:
        patience = self._framer.patience
        # The silence of a client that is not read from says nothing.
        if patience is not None and not (self._closing or self._held):
            service = self._service
            self._silence = service.settling if patience == SETTLE else service.giving_up
            self._silence.touch(self)

    def _stop_waiting(self) -> None:
        if self._silence is not None:
            self._silence.discard(self)
            self._silence = None

    def fell_silent(self) -> None:
        """The client has not gone on: what it has sent counts as a command now."""
        self._silence = None
        commands = self._framer.pause()
        # What else dribbles in is answered too, but it does not keep the connection alive.
        if commands:
            self._take(commands, complete=any(command in COMMANDS for command in commands))
            self._flush()

    def readConnectionLost(self) -> None:
        """The client sends no more; what it sent is answered before the connection closes."""
        self.dismiss(b"")

    def dismiss(self, last_words: bytes, end: str = "client") -> None:
        """Answer what has come, say ``last_words``, and close when the client has read it all.

        ``end`` is why, as ``labnet_sessions_ended_total`` has it.
        """
        if not self._closing and self._last_words is None:
            self.end = end
            self._last_words = last_words
            self._stop_waiting()
            self._go_on()

    def _say_last_words(self) -> None:
        commands = self._framer.end()
        if commands:
            self._take(commands)
            self._flush()
        if not self._closing:
            self._unsent += self._last_words or b""
            self._flush()
            self.flushing = True
            self._finish()

    def writeConnectionLost(self) -> None:
        self.abort()

    def close(self, end: str = "server") -> None:
        if self._closing and not self.flushing:
            return
        self.end = end
        self._service.deadlines.discard(self)
        self._service.closing.touch(self)
        if self.flushing:
            self.flushing = False
        else:
            self._finish()

    def _finish(self) -> None:
        self._closing = True
        self._stop_waiting()
        self._leave_reader()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        self._closing = True
        self.flushing = False
        self._stop_waiting()
        self._leave_reader()
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._closing = True
        self._stop_waiting()
        self._leave_reader()
        self._plain = None
        self._service.left(self)

    def resumeProducing(self) -> None:
        """The replies are sent: go on, if it is this client's turn."""
        if self._serving and not self._closing:
            self._held = False
            self._go_on()
            if not (self._held or self._closing):
                self._read()

    def pauseProducing(self) -> None:
        self._held = True
        self._stop_waiting()
        self._stop_reading()

    def stopProducing(self) -> None:
        """The connection is lost; :meth:`connectionLost` does the rest."""
        self._leave_reader()

    def _read(self) -> None:
        reader, plain = self._service.reader, self._plain
        if self._shared and reader is not None and plain is not None:
            self._fileno = plain.fileno()
            reader.add(self._fileno, self)
            self._ready = self._is_ready()
        else:
            self.transport.resumeProducing()

    def _stop_reading(self) -> None:
        if self._shared:
            self._leave_reader()
        else:
            self.transport.pauseProducing()

    def _leave_reader(self) -> None:
        self._ready = False
        if self._fileno >= 0 and self._service.reader is not None:
            self._service.reader.remove(self._fileno)
            self._fileno = -1

    def read_by_reactor(self) -> None:
        """There is something else to read than data."""
        self._ready = self._shared = False
        self._fileno = -1
        self.transport.resumeProducing()


def host_of(address: IAddress | None) -> str:
    """The address in text at which a client is; one on a UNIX socket has none and is on this machine."""
    host: str = getattr(address, "host", "127.0.0.1")
    mapped = getattr(ipaddress.ip_address(host.partition("%")[0]), "ipv4_mapped", None)
    return str(mapped or host)


class CommandFactory(Factory):
    """Makes a :class:`CommandProtocol` for each connection to ``service``, but for those that it refuses."""

    noisy = False

    def __init__(self, service: CommandService) -> None:
        self._service = service

    def buildProtocol(self, addr: IAddress | None) -> CommandProtocol | None:
        """None closes the connection at once."""
        return CommandProtocol(self._service) if self._service.admits(host_of(addr)) else None
