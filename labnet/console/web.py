"""The console by HTTP: /metrics for Prometheus, /health and /ready for whoever watches over the process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from labnet.console.metrics import exposition, wants_openmetrics
from labnet.interfaces import IReactor, IStreamTransport, StartError
from labnet.metrics import Sample
from labnet.net.opening.listening import with_defaults

MODE: Final = 0o660
"""The mode of a UNIX socket whose endpoint names none: for the owner and a group that may look at the lab."""

CONNECTIONS: Final = 50
"""Connections at a time; the oldest makes room."""

IDLE: Final = 60.0
"""Seconds that a silent connection is kept: longer than the usual time between two scrapes."""

LINGER: Final = 5
"""Seconds that a connection has to take its last response when it is closed."""

HEADERS: Final = 100
HEADER_BYTES: Final = 8192
BODY_BYTES: Final = 65_536
"""Bytes of a request's body, all of them thrown away, after which the connection is closed."""

MADE_FOR: Final = 1.0
"""Seconds for which a page of metrics is given again: making one takes as long as hundreds of answers."""

PATIENCE: Final = 5.0
"""Seconds that a scrape waits for samples from other processes."""

JSON: Final = "application/json"
PLAIN: Final = "text/plain; charset=utf-8"

INDEX: Final = b"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>labnet</title></head><body><h1>labnet</h1><ul>
<li><a href="/metrics">/metrics</a>: what was counted, for Prometheus</li>
<li><a href="/health">/health</a>: whether the process runs, and what is wrong</li>
<li><a href="/ready">/ready</a>: whether it serves</li>
</ul></body></html>
"""

Samples = Callable[[], "Iterable[Sample] | Deferred[Iterable[Sample]]"]
Reasons = Callable[[], Sequence[str]]


class Page(Resource):
    """A page that is read: GET and HEAD, nothing below it."""

    isLeaf = True

    def render(self, request: Request) -> int:
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"Allow", b"GET, HEAD")
            respond(request, 405, b"only GET and HEAD\n", PLAIN)
        elif any(request.postpath or ()):
            respond(request, 404, b"there is no such page: see /\n", PLAIN)
        else:
            self.show(request)
        return NOT_DONE_YET

    def show(self, request: Request) -> None:
        """Respond to ``request``."""
        raise NotImplementedError


class IndexPage(Page):
    """What else there is."""

    def show(self, request: Request) -> None:
        respond(request, 200, INDEX, "text/html; charset=utf-8")


class HealthPage(Page):
    """200 as long as the process can say so, with what ``problems`` says is wrong in it all the same."""

    def __init__(self, problems: Reasons) -> None:
        super().__init__()
        self._problems = problems

    def show(self, request: Request) -> None:
        problems = list(self._problems())
        respond_json(request, 200, {"status": "degraded" if problems else "ok", "reasons": problems})


class ReadyPage(Page):
    """200 where ``hindrances`` says nothing, else 503: no clients should be sent here now."""

    def __init__(self, hindrances: Reasons) -> None:
        super().__init__()
        self._hindrances = hindrances

    def show(self, request: Request) -> None:
        reasons = list(self._hindrances())
        respond_json(request, 503 if reasons else 200, {"ready": not reasons, "reasons": reasons})


class MetricsPage(Page):
    """What ``samples`` gives, at once or later; they are asked for once a second at most, however many read it."""

    log = Logger()

    def __init__(self, samples: Samples, clock: IReactorTime) -> None:
        super().__init__()
        self._samples = samples
        self._clock = clock
        self._failing = False
        self._counted: list[Sample] = []
        self._until = 0.0
        self._pages: dict[bool, tuple[bytes, str]] = {}
        self._waiting: list[Deferred[None]] = []

    def show(self, request: Request) -> None:
        Deferred.fromCoroutine(self._show(request))

    async def _show(self, request: Request) -> None:
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        try:
            accept = b",".join(request.requestHeaders.getRawHeaders(b"accept", []))
            page, kind = await self._page(accept.decode("latin-1"))  # as text it might be none
        except Exception:
            if not self._failing:
                self._failing = True
                self.log.failure("what was counted cannot be had", event="console.metrics-failed")
            code, page, kind = 503, b"what was counted cannot be had now: see the log\n", PLAIN
        else:
            self._failing = False
            code = 200
        if not gone:
            respond(request, code, page, kind)

    async def _page(self, accept: str) -> tuple[bytes, str]:
        if not self._until - MADE_FOR <= self._clock.seconds() < self._until:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            if len(self._waiting) == 1:
                Deferred.fromCoroutine(self._count()).addBoth(self._counted_all)
            await waiting
        asked = wants_openmetrics(accept)
        if asked not in self._pages:
            self._pages[asked] = exposition(self._counted, accept)
        return self._pages[asked]

    async def _count(self) -> None:
        counted = self._samples()
        if isinstance(counted, Deferred):
            counted = await counted.addTimeout(PATIENCE, self._clock)
        self._counted = list(counted)
        self._pages.clear()
        self._until = self._clock.seconds() + MADE_FOR

    def _counted_all(self, result: Failure | None) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(result)  # a Failure is raised there


class NoPage(Page):
    """Nothing is here."""

    def show(self, request: Request) -> None:
        respond(request, 404, b"there is no such page: see /\n", PLAIN)


class Pages(Resource):
    """The pages by their names."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        return NoPage()


def respond(request: Request, code: int, body: bytes, kind: str) -> None:
    """Send the whole response; it is never kept by a cache and never taken for another kind."""
    request.setResponseCode(code)
    for name, value in (
        ("Server", "labnet"),
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "default-src 'none'"),
    ):
        request.setHeader(name.encode("ascii"), value.encode("ascii"))
    request.write(body)
    request.finish()


def respond_json(request: Request, code: int, value: object) -> None:
    """Send ``value`` as JSON."""
    respond(request, code, json.dumps(value).encode("ascii") + b"\n", JSON)


class _Request(Request):
    """A request whose body is thrown away as it comes; it is answered in a turn of the reactor of its own."""

    channel: _Channel

    def process(self) -> None:
        self.channel.take_turn(super().process)

    def gotLength(self, length: int | None) -> None:
        self.content = io.BytesIO()
        self._body = 0

    def handleContentChunk(self, data: bytes) -> None:
        self._body += len(data)
        if self._body > BODY_BYTES:
            self.loseConnection()


class _Channel(HTTPChannel):
    """A connection; HTTP/1.1 is all that a scraper needs.

    A client that sends many requests at once, or does not read, must not have them all answered into memory: one is
    answered in each turn of the reactor, and none while the last responses are unread.
    """

    maxHeaders = HEADERS
    totalHeadersSize = HEADER_BYTES
    MAX_LENGTH = HEADER_BYTES
    abortTimeout = LINGER
    factory: ConsoleSite
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


class ConsoleSite(Site):
    """The pages and the connections that read them, at most :data:`CONNECTIONS` at a time."""

    noisy = False
    displayTracebacks = False
    protocol: Any = _Channel

    def __init__(self, samples: Samples, problems: Reasons, hindrances: Reasons, reactor: IReactorTime) -> None:
        pages = Pages()
        pages.putChild(b"", IndexPage())
        pages.putChild(b"metrics", MetricsPage(samples, reactor))
        pages.putChild(b"health", HealthPage(problems))
        pages.putChild(b"ready", ReadyPage(hindrances))
        super().__init__(pages, requestFactory=_Request, timeout=IDLE, reactor=reactor)
        self._open: dict[_Channel, None] = {}
        self._closed: list[Deferred[None]] = []

    def log(self, request: object) -> None:
        """Scrapes are not worth a line of the log each."""

    def opened(self, channel: _Channel) -> None:
        """``channel`` is connected."""
        self._open[channel] = None
        if len(self._open) > CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.abort()

    def lost(self, channel: _Channel) -> None:
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


class WebService(Service):
    """The console on every one of the endpoints ``listen``.

    ``samples`` gives what was counted, ``problems`` what is wrong though the process runs, ``hindrances`` why it should
    get no clients; each is asked when a page is.
    """

    def __init__(
        self, listen: Sequence[str], reactor: IReactor, samples: Samples, problems: Reasons, hindrances: Reasons
    ) -> None:
        self.setName("console")
        self._listen = listen
        self._reactor = reactor
        self._site = ConsoleSite(samples, problems, hindrances, reactor)
        self._ports: list[IListeningPort] = []

    @property
    def ports(self) -> tuple[IListeningPort, ...]:
        """The ports that are open."""
        return tuple(self._ports)

    def privilegedStartService(self) -> None:
        for description in self._listen:
            outcome: list[IListeningPort | Failure] = []
            try:
                endpoint = serverFromString(self._reactor, with_defaults(description, MODE))
                endpoint.listen(self._site).addBoth(outcome.append)
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
        ports, self._ports = self._ports, []
        closed: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in ports]
        return gatherResults([*closed, self._site.close()]).addCallback(lambda _: None)
