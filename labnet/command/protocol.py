"""One connection to the command server, from its greeting to its last reply (:mod:`labnet.command.states`)."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.command.framing import SETTLE, CommandFramer
from labnet.command.reader import SEGMENT, SharedReader
from labnet.command.states import TRANSITIONS, SessionEvent, SessionState
from labnet.command.stream import DirectStream
from labnet.command.telling import Telling
from labnet.dialects.commands import CommandCodec
from labnet.interfaces import ISession, IStreamTransport
from labnet.net.deadlines import Deadlines
from labnet.net.direct import close_at_end

BATCH: Final = 128
"""Commands answered by one write; while their replies wait for the client, no further ones are made."""

_TIMES: Final = {line * times: times for line in (b"TIME\n", b"TIME\r\n") for times in range(1, BATCH + 1)}
"""Segments of nothing but TIME, and how often they say it."""

_FRESH: Final = CommandFramer()
"""What a connection has while nothing is unfinished on it; it is asked, and never fed."""

# Looking a member of an Enum up by its class costs Python 3.11 more than a call: not for every segment.
_SERVED: Final = SessionState.SERVED
_PARTING: Final = SessionState.PARTING
_FLUSHING: Final = SessionState.FLUSHING


class CommandServer(Protocol):
    """What a connection needs of the command server that it is to."""

    protocol: Callable[[CommandServer], CommandProtocol]
    style: CommandCodec
    reader: SharedReader | None
    telling: Telling
    deadlines: Deadlines[CommandProtocol]
    closing: Deadlines[CommandProtocol]
    settling: Deadlines[CommandProtocol]
    giving_up: Deadlines[CommandProtocol]
    now: float
    """The reactor's clock (seconds) at the beginning of this round of reading."""
    time_reply: bytes
    """The reply to TIME at that moment."""
    times: int
    """Commands TIME that were answered."""

    def admits(self, host: str) -> bool:
        """Whether a client at ``host`` may connect now."""

    def arrived(self, session: CommandProtocol) -> None:
        """``session`` has a connection."""

    def left(self, session: CommandProtocol) -> None:
        """``session`` lost its connection."""

    def new_framer(self) -> CommandFramer:
        """What collects the commands of one connection."""

    def counted(self, command: bytes) -> float:
        """``command``, which does not end the connection, is answered now: the time of day in epoch seconds."""

    def replies_to(self, commands: list[bytes]) -> bytes:
        """The replies to ``commands``, none of which is EXIT, in one piece."""

    def exit(self, session: CommandProtocol) -> None:
        """EXIT came from ``session``."""

    def refuse_http(self, session: CommandProtocol) -> None:
        """An HTTP request came from ``session``, whose commands are not to be answered."""


@implementer(ISession, IHalfCloseableProtocol, IPushProducer)
class CommandProtocol(DirectStream, LineReceiver):
    """Reads commands and answers them, with the framing of :mod:`labnet.command.framing`.

    A subclass overrides :meth:`lineReceived`, as with any LineReceiver, and answers by :meth:`reply` or by
    :meth:`sendLine`; it may go to raw mode and back.
    """

    transport: IStreamTransport

    # What a connection has only now and then stands here, so that an idle one is small.
    host = "127.0.0.1"
    """The client's address; a client on a UNIX socket has none and is on this machine."""
    end = "client"
    """Why the connection ends, as ``labnet_sessions_ended_total`` has it."""
    _state = SessionState.WAITING
    _last_words = b""  # said before the connection closes, once all that came is answered
    _at_end = False  # the reactor is saying just now that the client sends no more
    _framer = _FRESH
    _silence: Deadlines[CommandProtocol] | None = None  # what the client's unfinished input waits in
    _most = BATCH

    def __init_subclass__(cls, **arguments: object) -> None:
        super().__init_subclass__(**arguments)
        if cls.lineReceived is not CommandProtocol.lineReceived:
            cls._most = 1  # any line may go to raw mode

    def __init__(self, server: CommandServer) -> None:
        self._server = server

    @property
    def _reader(self) -> SharedReader | None:
        return self._server.reader

    def _on(self, event: SessionEvent) -> bool:
        """Whether ``event`` moves the connection to another state, which it is in then."""
        state = TRANSITIONS.get((self._state, event))
        if state is None:
            return False
        self._state = state
        return True

    def connectionMade(self) -> None:
        self._adopt()
        self.transport.pauseProducing()
        # Replies that pile up unread stop the reading of commands.
        self.transport.registerProducer(self, True)
        self.host = host_of(self.transport.getPeer())
        self._server.arrived(self)

    def serve(self) -> None:
        if self._on(SessionEvent.SERVE):
            self._server.deadlines.touch(self)
            greeting = self._server.style.greet(self.host, getattr(self.transport.getPeer(), "port", 0))
            self._write(greeting)
            if self._server.telling.events.watched:
                self._server.telling.tell(self, "served", reply=greeting)
            self._listen()

    def _listen(self) -> None:
        if self._state is _SERVED:
            self._read()
            self._fast = self._is_fast()

    def dataReceived(self, data: bytes) -> None:
        times = _TIMES.get(data) if self._fast else None
        if times is not None:
            server = self._server
            server.deadlines.touched[self] = server.now
            server.times += times
            reply = server.time_reply * times
            try:
                sent = os.write(self._fileno, reply)
            except OSError:
                sent = 0  # no room, or the connection has failed: the transport finds out which
            if sent < len(reply):
                self._fast = False
                self.transport.write(reply[sent:])
        elif self._state < _FLUSHING:
            self._fast = False
            if self._framer is _FRESH:
                self._framer = self._server.new_framer()
            self._data_received(data)
            if self._framer.is_fresh:
                self._framer = _FRESH
            self._fast = self._is_fast()

    def _is_fast(self) -> bool:
        served = self._state is _SERVED and self._framer is _FRESH and type(self) is CommandProtocol
        return served and self._is_direct() and not self._server.telling.events.watched

    @property
    def state(self) -> str:
        """How far it is, in a word."""
        return self._state.name.lower().replace("_", " ")

    def look(self) -> None:
        """Somebody begins to watch, or stops: find out anew whether commands may be answered unseen."""
        self._fast = self._is_fast()

    def _data_received(self, data: bytes) -> None:
        if self._silence is not None:
            self._stop_waiting()
        if not self.line_mode:
            cast(Any, self).rawDataReceived(data)
            return
        self._take(self._commands_in(data))
        if self._framer.is_unfinished or self._unsent:
            self._go_on()

    def _commands_in(self, data: bytes) -> list[bytes]:
        commands = self._framer.receive(data, self._most)
        if not self._framer.is_http:
            return commands
        self._server.refuse_http(self)
        return []

    def _take(self, commands: list[bytes], complete: bool = True) -> None:
        if not commands:
            return
        if complete and any(commands):  # a blank line is answered, and is no command
            self._server.deadlines.touch(self)
        if self._most == BATCH and b"EXIT" not in commands:
            self._flush()
            replies = self._server.replies_to(commands)
            self._write(replies)
            if self._server.telling.events.watched:
                self._server.telling.tell_commands(self, commands, replies)
            return
        for command in commands:
            if self._state >= _FLUSHING:
                break
            self.lineReceived(command)

    @property
    def _may_answer(self) -> bool:
        return self._state is _SERVED or self._state is _PARTING

    def _go_on(self) -> None:
        """Take complete lines that were left while their replies find room; then wait for the rest of the last one."""
        framer = self._framer
        while framer.has_line and self.line_mode and self._may_answer:
            if len(self._unsent) > SEGMENT:
                self._flush()
            self._take(self._commands_in(b""))
        self._flush()
        if not self._may_answer:
            return
        if not self.line_mode:
            rest = framer.take_rest()
            if rest:
                cast(Any, self).rawDataReceived(rest)
        if self._state is _PARTING:
            self._say_last_words()
        elif self.line_mode:
            self._await_silence()

    def lineReceived(self, line: bytes) -> None:
        """One command, white space around it taken off."""
        if line == b"EXIT":
            self._flush()
            self._server.exit(self)
        else:
            reply = self._server.replies_to([line])
            self.reply(reply)
            if self._server.telling.events.watched:
                self._server.telling.tell_commands(self, [line], reply)

    def _await_silence(self) -> None:
        patience = self._framer.patience
        # The silence of a client that is not read from says nothing.
        if patience is not None and self._state is _SERVED:
            self._silence = self._server.settling if patience == SETTLE else self._server.giving_up
            self._silence.touch(self)

    def _stop_waiting(self) -> None:
        if self._silence is not None:
            self._silence.discard(self)
            self._silence = None

    def fell_silent(self) -> None:
        """Take what the client has sent as a command now: it has not gone on."""
        self._silence = None
        commands = self._framer.pause()
        # What else dribbles in is answered too, but it does not keep the connection alive.
        self._take(commands, complete=any(self._server.style.is_command(command) for command in commands))
        self._flush()

    def readConnectionLost(self) -> None:
        """Answer what the client has sent, then close: it sends no more."""
        self._at_end = True
        self.dismiss(b"")
        self._at_end = False

    def dismiss(self, last_words: bytes, end: str = "client") -> None:
        """Answer what has come, say ``last_words``, and close when the client has read it all.

        ``end`` is why, as ``labnet_sessions_ended_total`` has it.
        """
        if self._on(SessionEvent.DISMISS):
            self.end = end
            self._last_words = last_words
            self._stop_waiting()
            self._go_on()

    def _say_last_words(self) -> None:
        self._take(self._framer.end())
        self._flush()
        if self._state < _FLUSHING:
            self._unsent += self._last_words
            self._flush()
            self._on(SessionEvent.SAID)
            self._finish()

    def writeConnectionLost(self) -> None:
        self.abort()

    def close(self, end: str = "server") -> None:
        flushing = self._state is _FLUSHING
        if self._on(SessionEvent.CLOSE):
            self.end = end
            self._server.deadlines.discard(self)
            self._server.closing.touch(self)
            if not flushing:
                self._finish()

    def expire(self) -> None:
        """End the connection: its time-out has passed."""
        if self._state is _FLUSHING:
            self.end = "timeout"
            self.abort()
        else:
            self.close("timeout")

    def _finish(self) -> None:
        self._stop_waiting()
        self._leave_reader()
        self.transport.unregisterProducer()
        if self._at_end:
            close_at_end(self.transport)
        else:
            self.transport.loseConnection()

    def abort(self) -> None:
        self._on(SessionEvent.LOST)
        self._stop_waiting()
        self._leave_reader()
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._on(SessionEvent.LOST)
        self._stop_waiting()
        self._leave_reader()
        self._tcp = None
        self._server.left(self)

    def resumeProducing(self) -> None:
        """Go on, for the replies are sent."""
        if self._on(SessionEvent.RESUME):
            self._go_on()
            self._listen()

    def pauseProducing(self) -> None:
        """Answer no more commands until the replies so far are sent."""
        if self._on(SessionEvent.PAUSE):
            self._stop_waiting()
            self._stop_reading()

    def stopProducing(self) -> None:
        """The connection is lost; :meth:`connectionLost` does the rest."""
        self._leave_reader()


def host_of(address: IAddress | None) -> str:
    """The address in text at which a client is; one on a UNIX socket has none and is on this machine."""
    host: str = getattr(address, "host", "127.0.0.1")
    mapped = getattr(ipaddress.ip_address(host.partition("%")[0]), "ipv4_mapped", None)
    return str(mapped or host)


class CommandFactory(Factory):
    """Makes a :class:`CommandProtocol` for each connection to ``server``, but for those that it refuses."""

    noisy = False

    def __init__(self, server: CommandServer) -> None:
        self._server = server

    def buildProtocol(self, addr: IAddress | None) -> CommandProtocol | None:
        """None closes the connection at once."""
        return self._server.protocol(self._server) if self._server.admits(host_of(addr)) else None
