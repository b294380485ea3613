"""The command server: its welcome port, the gate, the time-outs, EXIT."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import ipaddress
from collections.abc import Callable
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.command.gate import Gate
from labnet.command.protocol import CommandFactory, CommandProtocol
from labnet.command.replies import STYLES
from labnet.config import CommandConfig
from labnet.deadlines import Deadlines
from labnet.interfaces import IReactor, StartError

GRACE: Final = 0.5
"""Seconds that a closed connection has to send what is still to be sent."""

CROWD: Final = 1000
"""Sessions at a time whose memory is worth giving back to the system when the last of them has left."""


class CommandService(Service):
    """Listens as ``config`` says; ``exited`` is called when EXIT has closed every socket."""

    log = Logger()

    def __init__(self, config: CommandConfig, reactor: IReactor, exited: Callable[[], None]) -> None:
        self.reactor = reactor
        self.style = STYLES[config.replies]
        self.gate = Gate(config.clients, self._hold)
        self.deadlines: Deadlines[CommandProtocol] = Deadlines(reactor, config.timeout, self._expired)
        self.closing: Deadlines[CommandProtocol] = Deadlines(reactor, GRACE, CommandProtocol.abort)
        self._config = config
        self._exited = exited
        self._ports: list[IListeningPort] = []
        self._most = 0
        self._second = -1
        self._time = b""
        self._waiting_for_close: list[Deferred[None]] = []

    @property
    def ports(self) -> tuple[IListeningPort, ...]:
        """The welcome ports that are open."""
        return tuple(self._ports)

    def privilegedStartService(self) -> None:
        for description in self._config.listen:
            outcome: list[IListeningPort | Failure] = []
            try:
                serverFromString(self.reactor, description).listen(CommandFactory(self)).addBoth(outcome.append)
            except Exception as error:
                outcome.append(Failure(error))
            if not outcome:
                raise StartError(description, "it is not ready at once")
            port = outcome[0]
            if isinstance(port, Failure):
                raise StartError(description, port.value)
            self._ports.append(port)

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed."""
        super().stopService()
        return self._close()

    def time(self) -> bytes:
        """The reply to TIME, made once a second."""
        now = self.reactor.seconds()
        if int(now) != self._second:
            self._second = int(now)
            self._time = self.style.time(now)
        return self._time

    def exit(self, session: CommandProtocol, host: str) -> None:
        """EXIT came from ``session`` at address ``host``: style and networks say whether all close or that one."""
        address = ipaddress.ip_address(host.partition("%")[0])
        if self.style.exit_closes_all and any(address in network for network in self._config.exit_from):
            self.log.info("EXIT from {host}: the command server closes", host=host)
            self._close().addCallback(self._exit_done)
        else:
            session.close()

    def _exit_done(self, _: None) -> None:
        if self.running:  # else a stop has overtaken it
            self._exited()

    def left(self, session: CommandProtocol) -> None:
        """``session`` lost its connection."""
        self._most = max(self._most, len(self.deadlines) + len(self.closing))
        self.deadlines.discard(session)
        self.closing.discard(session)
        if self._most >= CROWD and not len(self.deadlines) + len(self.closing):
            self._most = 0
            self.reactor.callLater(0, _give_back_memory)
        self.gate.leave(session)
        self._fire_if_closed()

    def _expired(self, session: CommandProtocol) -> None:
        if session.flushing:
            session.abort()
        else:
            session.close()

    def _hold(self, hold: bool) -> None:
        for port in self._ports:
            # Every stream port of Twisted's is a FileDescriptor; one that is not has its clients wait in the gate.
            toggle = getattr(port, "stopReading" if hold else "startReading", None)
            if toggle is not None:
                toggle()

    def _close(self) -> Deferred[None]:
        """Close the welcome ports and every session; fires when all are gone."""
        ports, self._ports = self._ports, []
        for session in self.gate.sessions:
            session.close()
        closed: Deferred[None] = Deferred()
        self._waiting_for_close.append(closed)
        stopped = gatherResults([maybeDeferred(port.stopListening) for port in ports])
        return stopped.addCallback(lambda _: self._fire_if_closed()).addCallback(lambda _: closed)

    def _fire_if_closed(self) -> None:
        if not self._ports and self.gate.is_empty:
            waiting, self._waiting_for_close = self._waiting_for_close, []
            for closed in waiting:
                closed.callback(None)


def _give_back_memory() -> None:
    """Python keeps lists of free objects, and glibc all of its heap but the end: return both to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
