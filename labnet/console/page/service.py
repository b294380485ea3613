"""The live page, wired: its ports, its address, and what watches for it."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from importlib.util import find_spec
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from labnet.config.services import ConsoleConfig
from labnet.console.http import LimitedSite, SiteService
from labnet.console.page.access import PageAccess
from labnet.console.page.api import Api, Backend
from labnet.console.page.asking import Asking
from labnet.console.page.front import Front
from labnet.console.page.streams import Streams
from labnet.console.page.traffic import Traffic
from labnet.console.ring import Ring
from labnet.console.web import Reasons, Samples, pages_of
from labnet.events import end_of
from labnet.interfaces import IReactor, StartError
from labnet.net.addresses import address_text
from labnet.net.datagrams import SystemSockets

CONNECTIONS: Final = 500
"""Connections at a time; a browser has six of them at most, one of which is the stream."""

_PORT: Final = re.compile(r"^tcp6?:\d+|(?<=:port=)\d+")


class PageService(SiteService):
    """The page of the lab ``backend``, on the endpoints of ``config``.

    A port that another program has is replaced by one that the system chooses: a lab is not to fail for its page.
    ``samples``, ``problems`` and ``hindrances`` are as for :class:`~labnet.console.web.WebService`.
    """

    log = Logger()

    def __init__(
        self,
        config: ConsoleConfig,
        reactor: IReactor,
        backend: Backend,
        ring: Ring,
        pages: tuple[Samples, Reasons, Reasons],
    ) -> None:
        self._ring = ring
        given, self._made_token = config.page_token, ""
        if not given and any(not _is_loopback(listen) for listen in config.page):
            self._made_token = secrets.token_urlsafe(18)
        secret = hashlib.sha256(given.encode()).digest() if given else None  # or cookies would end with the lab
        token = given or self._made_token
        access = PageAccess(token, config.page_viewers, config.page_hosts, secret, trusts_loopback=not given)
        asking = Asking(reactor, ring, backend.view, SystemSockets(reactor, secrets.SystemRandom()))
        self._traffic = Traffic(pages[0], reactor)
        self.streams = Streams(ring, reactor)
        api = Api(backend, ring, asking.ask, self._traffic.shown, access.page_token)
        by_name = pages_of(*pages, reactor)
        if find_spec("prometheus_client") is None:
            del by_name[b"metrics"]
        front = Front(access, api, self.streams, by_name)
        super().__init__(config.page, reactor, LimitedSite(front, reactor, CONNECTIONS, takes_bodies=True))
        self.setName("page")
        ring.changed.append(self._traffic.watch)

    def _listen_on(self, description: str) -> IListeningPort:
        try:
            return super()._listen_on(description)
        except StartError as error:
            elsewhere = _PORT.sub(lambda found: re.sub(r"\d+$", "0", found[0]), description, count=1)
            if elsewhere == description or error.errno is None:
                raise
            port = super()._listen_on(elsewhere)
            self.log.info(
                "{listen} is another program's; the page is on a port that was free",
                listen=description,
                event="console.page-elsewhere",
            )
            return port

    def startService(self) -> None:
        super().startService()
        for address in self.addresses():
            self.log.info("the lab can be watched at {address}", address=address, event="lab.page")

    def addresses(self) -> list[str]:
        """Where the page is, for a browser; with the token that was made for it, where there is one."""
        found = []
        for port in self.ports:
            host, number = end_of(port.getHost())
            if number:
                query = f"?token={self._made_token}" if self._made_token else ""
                found.append(f"http://{address_text(_reachable(host), number)}/{query}")
        return found

    def stopService(self) -> Deferred[None]:
        self._traffic.watch(False)
        self._ring.stop()
        return super().stopService()


def _reachable(host: str) -> str:
    """An address at which something is that listens on ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _is_loopback(listen: str) -> bool:
    """Whether the endpoint ``listen`` is of this machine alone; one that does not say where is not."""
    if listen.startswith("unix:"):
        return True
    found = re.search(r":interface=((?:\\.|[^:\\])*)", listen)
    try:
        return bool(found and ipaddress.ip_address(found[1].replace("\\", "").partition("%")[0]).is_loopback)
    except ValueError:
        return False
