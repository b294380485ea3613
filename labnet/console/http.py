"""HTTP as both pages of the console have it: what a request may be, what a connection may take, how one is answered."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from labnet.interfaces import IReactor, IStreamTransport, StartError
from labnet.net.opening.listening import with_defaults
from labnet.values.endpoints import endpoint_of

MODE: Final = 0o660
"""The mode of a UNIX socket whose endpoint names none: for the owner and a group that may look at the lab."""

IDLE: Final = 60.0
"""Seconds that a silent connection is kept: longer than the usual time between two scrapes."""

LINGER: Final = 5
"""Seconds that a connection has to take its last response when it is closed."""

HEADERS: Final = 100
HEADER_BYTES: Final = 8192
BODY_BYTES: Final = 65_536
"""Bytes of a request's body after which the connection is closed."""

MOST_BODY: Final = 16_384
"""Bytes of a request's body that are kept; the others are thrown away."""

JSON: Final = "application/json"
PLAIN: Final = "text/plain; charset=utf-8"
NOTHING: Final = "default-src 'none'"
"""The policy of what is no page: nothing in it is to be run or loaded (Content Security Policy 3)."""


def begin(request: Request, code: int, kind: str, policy: str = NOTHING) -> None:
    """Send the head of a response; it is never kept by a cache and never taken for another kind."""
    request.setResponseCode(code)
    for name, value in (
        ("Server", "labnet"),
        ("Content-Type", kind),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Content-Security-Policy", policy),
    ):
        request.setHeader(name.encode("ascii"), value.encode("ascii"))


def respond(request: Request, code: int, body: bytes, kind: str, policy: str = NOTHING) -> None:
    """Send the whole response."""
    begin(request, code, kind, policy)
    request.setHeader(b"Content-Length", str(len(body)).encode("ascii"))
    request.write(body)
    request.finish()


def respond_json(request: Request, code: int, value: object) -> None:
    """Send ``value`` as JSON."""
    respond(request, code, json.dumps(value).encode("ascii") + b"\n", JSON)


class PageRequest(Request):
    """A request; it is answered in a turn of the reactor of its own. Of its body no more is kept than a page takes."""

    channel: LimitedChannel
    body = b""
    """The body as far as it is kept, which is all of it where ``body_bytes`` is no more than that."""
    body_bytes = 0

    def process(self) -> None:
        self.channel.take_turn(super().process)

    def gotLength(self, length: int | None) -> None:
        self.content = io.BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        self.body_bytes += len(data)
        if self.body_bytes > BODY_BYTES:
            self.loseConnection()
        elif self.body_bytes <= MOST_BODY and self.channel.factory.takes_bodies:
            self.body += data


class LimitedChannel(HTTPChannel):
    """A connection; HTTP/1.1 is all that a scraper needs.

    A client that sends many requests at once, or does not read, must not have them all answered into memory: one is
    answered in each turn of the reactor, and none while the last responses are unread.
    """

    maxHeaders = HEADERS
    totalHeadersSize = HEADER_BYTES
    MAX_LENGTH = HEADER_BYTES
    abortTimeout = LINGER
    factory: LimitedSite
    transport: IStreamTransport
    _lingering: IDelayedCall | None = None
    _turn: IDelayedCall | None = None
    _held: Callable[[], None] | None = None
    _is_full = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.opened(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._end_lingering()
        self._held = None
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self.factory.lost(self)

    def take_turn(self, process: Callable[[], None]) -> None:
        """Call ``process``, which answers a request, in the next turn in which the responses before it are read."""
        if self._is_full:
            self._held = process
        else:
            self._turn = self.callLater(0, process)

    def pauseProducing(self) -> None:
        self._is_full = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self._is_full = False
        super().resumeProducing()
        held, self._held = self._held, None
        if held is not None:
            self.take_turn(held)

    def timeoutConnection(self) -> None:
        # Twisted's own says each in the log, which would let clients fill it.
        if self._lingering is None:
            self._lingering = self.callLater(LINGER, self.abort)
        self.loseConnection()

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        self._end_lingering()
        self.transport.abortConnection()

    def _end_lingering(self) -> None:
        lingering, self._lingering = self._lingering, None
        if lingering is not None and lingering.active():
            lingering.cancel()


class LimitedSite(Site):
    """``pages`` and the connections that read them, at most ``most`` at a time: the oldest makes room."""

    noisy = False
    displayTracebacks = False
    protocol: Any = LimitedChannel

    def __init__(self, pages: IResource, reactor: IReactorTime, most: int, takes_bodies: bool = False) -> None:
        super().__init__(pages, requestFactory=PageRequest, timeout=IDLE, reactor=reactor)
        self.takes_bodies = takes_bodies
        self._most = most
        self._open: dict[LimitedChannel, None] = {}
        self._closed: list[Deferred[None]] = []

    def startFactory(self) -> None:
        """Open no log of requests: for its lines Twisted would look at the clock each second, and wake the process."""

    def log(self, request: object) -> None:
        """Scrapes are not worth a line of the log each."""

    def opened(self, channel: LimitedChannel) -> None:
        """``channel`` is connected."""
        self._open[channel] = None
        if len(self._open) > self._most:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.abort()

    def lost(self, channel: LimitedChannel) -> None:
        """``channel`` lost its connection."""
        self._open.pop(channel, None)
        self._fire_if_closed()

    def close(self) -> Deferred[None]:
        """Close every connection; fires when all are gone."""
        closed: Deferred[None] = Deferred()
        self._closed.append(closed)
        for channel in list(self._open):
            channel.abort()
        self._fire_if_closed()
        return closed

    def _fire_if_closed(self) -> None:
        if not self._open:
            waiting, self._closed = self._closed, []
            for closed in waiting:
                closed.callback(None)


class SiteService(Service):
    """``site`` on every one of the endpoints ``listen``."""

    def __init__(self, listen: Sequence[str], reactor: IReactor, site: LimitedSite) -> None:
        self._listen = listen
        self._reactor = reactor
        self._site = site
        self._ports: list[IListeningPort] = []

    @property
    def ports(self) -> tuple[IListeningPort, ...]:
        """The ports that are open."""
        return tuple(self._ports)

    def privilegedStartService(self) -> None:
        for description in self._listen:
            self._ports.append(self._listen_on(description))

    def _listen_on(self, description: str) -> IListeningPort:
        """Listen on the endpoint ``description``. Raises StartError."""
        outcome: list[IListeningPort | Failure] = []
        try:
            endpoint = endpoint_of(self._reactor, with_defaults(description, MODE))
            endpoint.listen(self._site).addBoth(outcome.append)
        except Exception as error:
            outcome.append(Failure(error))
        if not outcome:
            raise StartError(description, "it is not ready at once")
        port = outcome[0]
        if isinstance(port, Failure):
            raise StartError(description, port.value)
        return port

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed."""
        super().stopService()
        ports, self._ports = self._ports, []
        closed: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in ports]
        return gatherResults([*closed, self._site.close()]).addCallback(lambda _: None)
