"""The console by HTTP: /metrics for Prometheus, /health and /ready for whoever watches over the process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from labnet.console.http import PLAIN, LimitedSite, SiteService, respond, respond_json
from labnet.interfaces import IReactor
from labnet.metrics import Sample

CONNECTIONS: Final = 50
"""Connections at a time; the oldest makes room."""

MADE_FOR: Final = 1.0
"""Seconds for which a page of metrics is given again: making one takes as long as hundreds of answers."""

PATIENCE: Final = 5.0
"""Seconds that a scrape waits for samples from other processes."""

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
            from labnet.console.metrics import exposition  # it takes half a second to import

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


def wants_openmetrics(accept: str) -> bool:
    """Whether ``accept`` (the HTTP field) names OpenMetrics."""
    return "application/openmetrics-text" in accept


class NoPage(Page):
    """Nothing is here."""

    def show(self, request: Request) -> None:
        respond(request, 404, b"there is no such page: see /\n", PLAIN)


class Pages(Resource):
    """The pages by their names."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        return NoPage()


class WebService(SiteService):
    """The console on every one of the endpoints ``listen``.

    ``samples`` gives what was counted, ``problems`` what is wrong though the process runs, ``hindrances`` why it should
    get no clients; each is asked when a page is.
    """

    def __init__(
        self, listen: Sequence[str], reactor: IReactor, samples: Samples, problems: Reasons, hindrances: Reasons
    ) -> None:
        pages = pages_at(samples, problems, hindrances, reactor)
        super().__init__(listen, reactor, LimitedSite(pages, reactor, CONNECTIONS))
        self.setName("console")


def pages_at(samples: Samples, problems: Reasons, hindrances: Reasons, clock: IReactorTime) -> Pages:
    """All pages, below one address."""
    pages = Pages()
    pages.putChild(b"", IndexPage())
    for name, page in pages_of(samples, problems, hindrances, clock).items():
        pages.putChild(name, page)
    return pages


def pages_of(samples: Samples, problems: Reasons, hindrances: Reasons, clock: IReactorTime) -> dict[bytes, Page]:
    """What is read by programs, by name."""
    return {
        b"metrics": MetricsPage(samples, clock),
        b"health": HealthPage(problems),
        b"ready": ReadyPage(hindrances),
    }
