"""What is told of the connections to the command server, where anybody watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from twisted.internet.interfaces import IReactorTime

from labnet.events import End, Session, end_of
from labnet.interfaces import IEvents

_LONGEST: Final = 200
"""Characters of a command or a reply."""

_ENDS: Final = {
    "client": "the client closed it",
    "exit": "EXIT",
    "server": "the server closed it",
    "timeout": "no command came in time",
    "turn": "its turn was over, for others waited",
    "http": "it sent an HTTP request",
}


class _Known(NamedTuple):
    id: str
    client: End
    server: End


class Telling:
    """Tells ``events`` of sessions. A session has a number from when it is seen first until it is over."""

    def __init__(self, events: IEvents, clock: IReactorTime) -> None:
        self.events = events
        self._clock = clock
        self._known: dict[Any, _Known] = {}
        self._commands: dict[Any, int] = {}

    def id_of(self, session: Any) -> str:
        """The number of ``session``."""
        return self._of(session).id

    def client_of(self, session: Any) -> End:
        """Where the client of ``session`` is."""
        return self._of(session).client

    def commands_of(self, session: Any) -> int:
        """The commands of ``session`` that were seen."""
        return self._commands.get(session, 0)

    def tell(self, session: Any, what: str, text: str = "", reply: bytes = b"", commands: int = 1) -> None:
        """``what`` happened in ``session`` just now."""
        said = reply.decode(errors="backslashreplace").strip()[:_LONGEST]
        told = self._of(session)
        self.events.happened(Session(self._clock.seconds(), *told, what, text[:_LONGEST], said, commands=commands))

    def tell_commands(self, session: Any, commands: Sequence[bytes], reply: bytes) -> None:
        """``commands`` of ``session`` were answered by ``reply``."""
        self._commands[session] = self._commands.get(session, 0) + len(commands)
        if not self.events.take():
            return
        first = commands[0].decode(errors="backslashreplace") if commands else ""
        more = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
        self.tell(session, "command", f"{first[:_LONGEST]}{more}", reply, len(commands))

    def closed(self, session: Any, why: str) -> None:
        """``session`` is over: its transport knows no more where it was."""
        known = self._known.get(session)
        if known is not None and self.events.watched:
            self.events.happened(Session(self._clock.seconds(), *known, "closed", why=_ENDS.get(why, why)))
        # Not before: who is told of it may look at all sessions, and this one is still among them.
        self._commands.pop(session, None)
        self._known.pop(session, None)

    def _of(self, session: Any) -> _Known:
        known = self._known.get(session)
        if known is None:
            known = _Known(self.events.new_id(), *_ends_of(session.transport))
            self._known[session] = known
        return known


def _ends_of(transport: Any) -> tuple[End, End]:
    """The client's end and ours; zeros for what a connection that is lost knows no more."""
    try:
        return end_of(transport.getPeer()), end_of(transport.getHost())
    except (AttributeError, OSError):
        return end_of(None), end_of(None)
