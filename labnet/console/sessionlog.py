"""The session log: one JSON object a line for each connection to the command server, written when it is over."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Final

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from labnet.console.linefile import LineFile
from labnet.console.logs import iso8601
from labnet.events import Event, Session
from labnet.interfaces import IEvents
from labnet.net.clocks import ahead
from labnet.wire.quoting import quoted

MOST_COMMANDS: Final = 20
"""Commands of a session that are written; the others are counted."""


class _Known:
    """What happened in a session so far."""

    __slots__ = ("commands", "count", "opened", "served")

    def __init__(self, opened: float) -> None:
        self.opened = opened
        self.served: float | None = None
        self.commands: list[str] = []
        self.count = 0


@implementer(IEvents)
class SessionLog:
    """Writes sessions to the file at ``path``. It looks at all that happens in the command server."""

    watched = True
    wants = True

    def __init__(self, path: str, clock: IReactorTime) -> None:
        self.file = LineFile(path)
        self.changed: list[Callable[[bool], object]] = []
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._ids = count(1)

    def take(self, count: int = 1, ready: bool = False) -> int:
        return count

    def new_id(self) -> str:
        return str(next(self._ids))

    def happened(self, event: Event) -> None:
        if not isinstance(event, Session):
            return
        known = self._known.get(event.id)
        if known is None:
            known = self._known[event.id] = _Known(event.time)
        if event.what == "served":
            known.served = event.time
        elif event.what == "command":
            known.count += event.commands
            if len(known.commands) < MOST_COMMANDS:
                known.commands.append(quoted(event.text))
        elif event.what == "closed":
            del self._known[event.id]
            self._write(event, known)

    def close(self) -> None:
        """Close the file; what is not over by then is not written."""
        self.file.close()

    def _write(self, closed: Session, known: _Known) -> None:
        host, port = closed.client
        waited = (closed.time if known.served is None else known.served) - known.opened
        line = {
            "time": iso8601(known.opened + ahead(self._clock)),
            "id": closed.id,
            "client": quoted(host),
            "port": port,
            "waited": round(waited, 3),
            "seconds": round(closed.time - known.opened, 3),
            "count": known.count,
            "commands": known.commands,
            "end": quoted(closed.why),
        }
        self.file.write(json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n")
