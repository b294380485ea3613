"""What is told of one question of a client, where anybody watches: it is begun when it comes, and told once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from labnet.events import End, Exchange, Story, end_of
from labnet.resolver.clients.counts import Cell, Counts, asked_in
from labnet.wire.dns_request import Refusal, Silence
from labnet.wire.said import said

_LOST: Final = {
    "denied": "dropped",
    "list": "dropped",
    "asked-already": "dropped",
    "rate": "dropped",
    "repeated": "dropped",
    "amplified": "dropped",
    "slipped": "limited",
    "in_flight": "limited",
    "refused": "refused",
    "malformed": "malformed",
}
"""The result of an exchange by the reason that the question counts by."""

_LONGEST: Final = 200
"""Characters of an answer in one line."""


class Account:
    """One question that ``client`` sent to ``listener`` as ``message``; it is told to the events of ``counts``."""

    __slots__ = ("_client", "_counts", "_listener", "_message", "_transport", "story")

    def __init__(
        self,
        counts: Counts,
        seconds: Callable[[], float],
        message: bytes,
        client: End,
        listener: End,
        transport: str = "udp",
    ) -> None:
        self._counts = counts
        self._message = message
        self._client = client
        self._listener = listener
        self._transport = transport
        events = counts.events
        self.story = Story(counts.name, events.new_id(), seconds, events.happened)
        self.story.saw(client, listener, message, transport)

    def lost(self, reason: str, reply: bytes = b"") -> None:
        """The question counts by ``reason``, and gets ``reply`` or none."""
        self.story.step(reason)
        self._tell(_LOST[reason], reply)

    def told(self, reply: bytes, unsent: str, cell: Cell) -> None:
        """``reply`` was sent, or not, for the reason ``unsent``; ``cell`` has its result, and its source or reason."""
        if unsent:
            self.lost(unsent)
        elif cell.source in _LOST:
            self.lost(cell.source, reply)
        else:
            self.answered(cell, reply)

    def answered(self, cell: Cell, reply: bytes) -> None:
        """The client gets ``reply``, which is counted in ``cell``."""
        self._tell(self._result(cell, reply), reply)

    def _result(self, cell: Cell, reply: bytes) -> str:
        if cell.result in ("SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "BADVERS"):
            return "failed" if cell.result == "SERVFAIL" else "refused" if cell.result == "REFUSED" else "malformed"
        is_empty = cell.protocol == "dns" and not reply[6:8].strip(b"\0")  # it has no answer records
        if cell.result in ("unknown", "NXDOMAIN") or is_empty:
            return "negative"
        if self.story.joined_to is not None:
            return "joined"
        return "asked" if cell.source == "parent" else "hit"

    def _tell(self, result: str, reply: bytes) -> None:
        story = self.story
        if reply:
            story.saw(self._listener, self._client, reply, self._transport)
        is_dns = self._message[4:5] == b"\0"
        name, rrtype = "", ""
        try:
            name, rrtype, _ = asked_in(self._message)
        except Silence:
            pass  # what is no question has no name
        except Refusal as refusal:
            if refusal.query is not None:
                name, rrtype, _ = refusal.query.as_asked()
        answer = said(reply)
        story.happened(
            Exchange(
                story.id,
                story.resolver,
                self._listener,
                self._client,
                "dns" if is_dns else "course",
                self._transport,
                name,
                rrtype,
                story.datagrams[0].time,
                story.seconds(),
                result,
                answer.answer[:_LONGEST],
                answer.ttl,
                story.all_datagrams(),
                tuple(story.steps),
                story.joined_to,
            )
        )


def end_of_port(transport: Any) -> End:
    """Where the port or connection ``transport`` is, on this side."""
    return end_of(None if transport is None else transport.getHost())
