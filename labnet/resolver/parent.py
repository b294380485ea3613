"""One question to one parent over the course protocol: its socket, its timer, and which reply counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IParent, IReactor
from labnet.resolver.model import fold
from labnet.resolver.text import TextError, Told, decode_reply, encode_question

MOST_BYTES: Final = 8192
"""Bytes of a reply that are read."""


class ParentFailed(Exception):
    """The parent did not answer; the text says how."""


@implementer(IParent)
@dataclass(frozen=True)
class TextParent:
    """A parent at ``host`` (an address) and ``port`` that speaks the course protocol.

    It is given ``timeout`` seconds a try and ``tries`` tries.
    """

    host: str
    port: int
    timeout: float
    tries: int
    reactor: IReactor

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def ask(self, name: str) -> Deferred[Told | None]:
        return _Exchange(self, name).start()


class _Exchange(DatagramProtocol):
    """One question on a socket of its own, at a port the system picks (RFC 5452, section 9.2).

    The socket is connected, so the kernel drops what comes from elsewhere and tells at once when nobody listens there.
    """

    log = Logger()
    noisy = False

    def __init__(self, parent: TextParent, name: str) -> None:
        self._parent = parent
        self._name = name
        self._tries_left = parent.tries
        self._timer: IDelayedCall | None = None
        self._port: IListeningPort | None = None
        self._done: Deferred[Told | None] = Deferred(self._cancelled)

    def start(self) -> Deferred[Told | None]:
        try:
            self._port = self._parent.reactor.listenUDP(0, self, "::" if ":" in self._parent.host else "", MOST_BYTES)
        except CannotListenError as error:
            self._end(ParentFailed(f"no socket to ask {self._parent.address}: {error.socketError}"))
        return self._done

    def startProtocol(self) -> None:
        assert self.transport is not None
        self.transport.connect(self._parent.host, self._parent.port)
        self._try()

    def _try(self) -> None:
        if not self._tries_left:
            self._end(ParentFailed(f"{self._parent.address} did not answer"))
            return
        self._tries_left -= 1
        self._timer = self._parent.reactor.callLater(self._parent.timeout, self._try)
        assert self.transport is not None
        try:
            self.transport.write(encode_question(self._name), None)
        except OSError as error:
            self._end(ParentFailed(f"cannot send to {self._parent.address}: {error.strerror}"))

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if addr[:2] != (self._parent.host, self._parent.port):
            return
        try:
            told = decode_reply(datagram)
        except TextError as error:
            self.log.info(
                "{parent} answered {name} with what is no answer: {why}",
                parent=self._parent.address,
                name=self._name,
                why=str(error),
            )
            told = None
        if told is None or told.name is None or fold(told.name) == fold(self._name):
            self._end(told)

    def connectionRefused(self) -> None:
        self._end(ParentFailed(f"nobody listens on {self._parent.address}"))

    def _end(self, result: Told | ParentFailed | None) -> None:
        if self._close():
            self._done.callback(result) if not isinstance(result, ParentFailed) else self._done.errback(Failure(result))

    def _cancelled(self, _: object) -> None:
        self._close()

    def _close(self) -> bool:
        """Give the socket and the timer back; False where that was done already."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()
        return not self._done.called
