"""The console, wired: what counts and writes for the operator, and the pages that show it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger, LogPublisher
from zope.interface import implementer

from labnet.config.services import ConsoleConfig
from labnet.console.lag import ReactorLag
from labnet.console.linefile import LineFile
from labnet.console.logs import LogLines, Logs
from labnet.console.process import Process
from labnet.console.querylog import QueryLog
from labnet.console.ring import Ring
from labnet.console.watchers import Watching
from labnet.interfaces import IMeasured, IReactor
from labnet.metrics import Sample
from labnet.net.addresses import address_text
from labnet.net.clocks import wall_of

if TYPE_CHECKING:
    from labnet.console.page.service import PageService


class Seen(NamedTuple):
    """What is seen of a lab as it happens: its events, and what it answers to questions about itself.

    With ``requests`` the log has a line for each.
    """

    ring: Ring
    backend: Any
    requests: bool = False


@implementer(IMeasured)
class Console(MultiService):
    """What ``config`` wants to be seen of the lab.

    ``counted`` gives the lab's samples, ``status`` how it is, as ``labnet status`` has it, and ``hindrances`` why no
    client should be sent to it now; each is asked when a page is. ``counted`` may take its time.
    """

    log = Logger()

    def __init__(
        self,
        config: ConsoleConfig,
        reactor: IReactor,
        publisher: LogPublisher,
        counted: Callable[[], Iterable[Sample] | Deferred[Iterable[Sample]]],
        status: Callable[[], dict[str, Any]],
        hindrances: Callable[[], list[str]],
        seen: Seen | None = None,
    ) -> None:
        super().__init__()
        self._status = status
        self._logs = Logs(publisher, config.log)
        self._process = Process(wall_of(reactor)())
        self._lag = ReactorLag(reactor)
        self._lag.setServiceParent(self)
        self.query_log: QueryLog | None = None
        if config.query_log is not None:
            self.query_log = QueryLog(config.query_log, config.query_sample, reactor)
            self.query_log.setServiceParent(self)
        self._ports: Callable[[], tuple[IListeningPort, ...]] = tuple
        if config.listen:
            # It takes half a second to import, and a package that is not there where nobody asked for it.
            from labnet.console.web import WebService

            web = WebService(config.listen, reactor, counted, lambda: list(self.problems()), hindrances)
            web.setServiceParent(self)
            self._ports = lambda: web.ports
        ring = Ring(reactor) if seen is None else seen.ring
        self.watching = Watching(ring, reactor, seen is not None and seen.requests, config.session_log)
        self.watching.setServiceParent(self)
        self._page: PageService | None = None
        if config.page and seen is not None:
            from labnet.console.page.service import PageService

            pages = counted, lambda: list(self.problems()), hindrances
            self._page = PageService(config, reactor, seen.backend, seen.ring, pages)
            self._page.setServiceParent(self)
        self._lines = None if seen is None else LogLines(seen.ring)
        self._publisher = publisher

    @property
    def ports(self) -> tuple[IListeningPort, ...]:
        """Where the pages are."""
        return self._ports()

    def startService(self) -> None:
        super().startService()
        for port in self.ports:
            at: Any = port.getHost()
            path = getattr(at, "name", b"") or b""
            if path:
                self._say_listens(
                    os.fsdecode(path), "UNIX", f"curl --unix-socket {os.fsdecode(path)} http://lab/health"
                )
            else:
                where = address_text(at.host, at.port)
                self._say_listens(where, "HTTP", f"curl http://{where}/health")

    def _say_listens(self, at: str, transports: str, example: str) -> None:
        self.log.info(
            "{service} listens on {at} ({transports}); try: {example}",
            service="console",
            at=at,
            transports=transports,
            example=example,
            event="lab.listens",
        )

    @property
    def page(self) -> list[str]:
        """Where the live page is, for a browser."""
        return [] if self._page is None else self._page.addresses()

    def open(self) -> None:
        """Have the log as it should be; before anything else runs."""
        self._logs.open()
        if self._lines is not None:
            self._publisher.addObserver(self._lines)

    def close(self) -> None:
        """Leave the log to whoever had it; when nothing else runs. Idempotent."""
        if self._lines is not None:
            with contextlib.suppress(ValueError):
                self._publisher.removeObserver(self._lines)
        self.watching.close()
        self._logs.close()

    def log_level(self, level: str | None) -> str:
        """Have the log tell what is of ``level`` and above; None changes nothing. The level. Raises ValueError."""
        if level is not None:
            self._logs.set_level(level)
        return self._logs.level

    def samples(self) -> Iterator[Sample]:
        yield from self._process.samples()
        yield from self._lag.samples()

    def problems(self) -> Iterator[str]:
        """What is wrong though the lab runs, each in a sentence."""
        status = self._status()
        for problem in status.get("reload", {}).get("problems", ()):
            yield f"the last reload failed: {problem}"
        if status.get("shared_up") is False:
            yield "the server of the shared cache is gone: each lab goes on with what it knows itself"
        for worker in status.get("workers", ()):
            if not worker["answers"]:
                yield f"worker {worker['number']} does not answer"
        for service in status.get("services", ()):
            for parent in service.get("parents", ()):
                if not parent["up"]:
                    yield f"{service['name']}: the parent {parent['address']} is down"
        for file in self._files():
            if file.failing:
                yield f"{file.path} cannot be written"

    def _files(self) -> Iterator[LineFile]:
        if self._logs.file is not None:
            yield self._logs.file
        if self.query_log is not None:
            yield self.query_log.file
        if self.watching.session_log is not None:
            yield self.watching.session_log.file
