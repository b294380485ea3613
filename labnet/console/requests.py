"""A line of the log for each request, for who runs a lab in a terminal: what was asked, what was answered, from where.

It is for people: a few lines a second at most, and what comes past them is not even made. The query log and the session
log have everything.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from labnet.events import Event, Exchange, Session, Step
from labnet.interfaces import IEvents
from labnet.net.addresses import address_text
from labnet.wire.reply_text import told_in

LINES: Final = 10
"""Lines in :data:`PERIOD`."""

PERIOD: Final = 1.0
"""Seconds."""

_WHERE: Final = {
    "parent-answered": "from {parent}",
    "parent-failed": "{parent} failed",
    "cache": "from the cache, by {source}",
    "cache-negative": "from the cache, by {source}",
    "failed-before": "it failed a moment ago",
    "stale": "past its lifetime",
    "stale-negative": "past its lifetime",
    "records": "from the records",
    "records-say-no": "from the records",
    "special": "a special name",
    "listed": "by the list {list}",
    "listed-client": "by the list {list}",
    "listed-address": "by the list {list}",
    "rebinding": "a private address is not passed on",
    "joined": "with another one's question",
    "no-parent": "no parent to ask",
}
"""Where an answer comes from, by the steps that lead to it."""

_WHAT: Final = {
    "opened": "connected",
    "waiting": "waits for its turn, {text} waiting",
    "command": "{text}: {reply}",
    "closed": "is gone: {why}",
}
"""What is said of a session; that it is served is seen by its commands."""


@implementer(IEvents)
class RequestLog(Service):
    """Says of each exchange and of each session what happened, :data:`LINES` a second at most."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.watched = True
        self.changed: list[Callable[[bool], object]] = []
        self._clock = clock
        self._left = LINES
        self._renewal: IDelayedCall | None = None
        self._ids = count(1)

    @property
    def wants(self) -> bool:
        return self.watched

    def take(self, count: int = 1, ready: bool = False) -> int:
        return min(count, self._left)

    def new_id(self) -> str:
        return str(next(self._ids))

    def happened(self, event: Event) -> None:
        if not self._left:
            return
        if isinstance(event, Exchange):
            self._say_exchange(event)
        elif isinstance(event, Session) and event.what in _WHAT:
            self._say_session(event)
        else:
            return
        self._left -= 1
        if self._renewal is None and self.running:
            self._renewal = self._clock.callLater(PERIOD, self._renew)
        if not self._left:
            self.log.info("more requests come than are shown, {lines} a second", lines=LINES, event="request.more")
            self._look(False)

    def stopService(self) -> None:
        super().stopService()
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None

    def _renew(self) -> None:
        self._renewal = None
        self._left = LINES
        self._look(True)

    def _look(self, looks: bool) -> None:
        if self.watched != looks:
            self.watched = looks
            for changed in self.changed:
                changed(looks)

    def _say_exchange(self, exchange: Exchange) -> None:
        last = exchange.datagrams[-1] if exchange.datagrams else None
        replied = last is not None and last.data and last.destination == exchange.client
        answer, ttl = told_in(last.data) if last is not None and replied else ("", None)
        self.log.info(
            "{resolver}: {client} asks {name} {type} ({protocol}): {answer}{lifetime}{where}, {milliseconds} ms",
            resolver=exchange.resolver,
            client=address_text(*exchange.client),
            name=exchange.name or "nothing",
            type=exchange.type,
            protocol=exchange.protocol,
            answer=answer or _without_answer(exchange),
            lifetime="" if ttl is None else f", {ttl} s",
            ttl=ttl,
            where=_where(exchange.why),
            result=exchange.result,
            milliseconds=f"{max(0.0, exchange.ended - exchange.began) * 1000:.1f}",
            event="request.answered",
        )

    def _say_session(self, session: Session) -> None:
        self.log.info(
            "command: {client} {says}",
            client=address_text(*session.client),
            says=_WHAT[session.what].format_map(session._asdict()).removesuffix(": "),
            session=session.id,
            what=session.what,
            event="request.session",
        )


def _without_answer(exchange: Exchange) -> str:
    """What is said where no record was: the RCODE, or why the client heard nothing."""
    if exchange.result in ("dropped", "limited", "refused", "malformed") and exchange.why:
        return f"{exchange.result}, {exchange.why[-1].sentence}".rstrip(".")
    return exchange.answer or "unknown"


def _where(why: tuple[Step, ...]) -> str:
    for step in reversed(why):
        if step.kind in _WHERE:
            return f", {_WHERE[step.kind].format_map(step.values)}"
    return ""
