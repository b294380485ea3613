"""Several who look at what happens in a lab, as one :class:`~labnet.interfaces.IEvents`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast

from twisted.application.service import MultiService
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from labnet.console.requests import RequestLog
from labnet.console.sessionlog import SessionLog
from labnet.events import Event
from labnet.interfaces import IEvents


class Watcher(Protocol):
    """Who looks, at times; the methods are those of :class:`~labnet.interfaces.IEvents`."""

    watched: bool
    changed: list[Callable[[bool], object]]
    """Called when it begins to look (True) and when it looks no more (False)."""

    @property
    def wants(self) -> bool:
        """Whether it would take one more question."""

    def take(self, count: int = 1, ready: bool = False) -> int:
        """How many of ``count`` questions it wants."""

    def new_id(self) -> str:
        """An id as no other has."""

    def happened(self, event: Event) -> None:
        """``event`` happened."""


@implementer(IEvents)
class Watchers:
    """Tells all ``watchers`` what happens; ids are the first one's. While none looks, none costs anything."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = tuple(watchers)
        self.changed: list[Callable[[bool], object]] = []
        """Called when the first begins to look (True), and when none does any more (False)."""
        self.watched = self._is_watched
        for watcher in self._watchers:
            watcher.changed.append(self._looks)

    @property
    def wants(self) -> bool:
        return self.watched and any(watcher.wants for watcher in self._watchers)

    @property
    def _is_watched(self) -> bool:
        return any(watcher.watched for watcher in self._watchers)

    def take(self, count: int = 1, ready: bool = False) -> int:
        return max([watcher.take(count, ready) for watcher in self._watchers], default=0)

    def new_id(self) -> str:
        return self._watchers[0].new_id()

    def happened(self, event: Event) -> None:
        for watcher in self._watchers:
            watcher.happened(event)

    def _looks(self, _: bool) -> None:
        before, self.watched = self.watched, self._is_watched
        if self.watched != before:
            for changed in self.changed:
                changed(self.watched)


class Watching(MultiService):
    """Who looks at what happens in one process: the ``ring``, and as they are wanted a line for each of the
    ``requests`` and a ``session_log`` at its path.

    ``command`` is told of the command server, ``resolvers`` of the resolvers.
    """

    def __init__(self, ring: Watcher, clock: IReactorTime, requests: bool, session_log: str | None) -> None:
        super().__init__()
        self.session_log = None if session_log is None else SessionLog(session_log, clock)
        logs: list[Watcher] = []
        for _ in range(2 if requests else 0):
            log = RequestLog(clock)
            log.setServiceParent(self)
            logs.append(log)
        of_command = [*logs[:1], *([self.session_log] if self.session_log is not None else [])]
        command = Watchers([ring, *of_command]) if of_command else ring
        self._changed = command.changed
        self.command = cast(IEvents, command)
        self.resolvers = cast(IEvents, Watchers([ring, *logs[1:]]) if logs else ring)

    def when_command_is_watched(self, call: Callable[[bool], object]) -> None:
        """Have ``call`` called when the first begins to look at the command server, and when none does any more."""
        self._changed.append(call)

    def close(self) -> None:
        """Close the file; when no session is left. Idempotent."""
        if self.session_log is not None:
            self.session_log.close()
