"""Ready answers for the messages of a connection: those that came together are looked up and counted together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from labnet.resolver.clients.counts import Cell, Ends
from labnet.resolver.clients.transport import Transport
from labnet.resolver.serve.account import Account
from labnet.resolver.serve.responder import Responder

_ID: Final = 2
_TC: Final = 2  # the bit in the first byte behind the id: truncated for UDP


class StreamAnswers:
    """Ready answers for what the client at one of ``ends`` has sent until now, ``over`` whichever transport.

    ``account`` makes what is told of a message, if anybody watches.
    """

    def __init__(
        self, responder: Responder, ends: Ends, over: Transport, account: Callable[[bytes], Account | None]
    ) -> None:
        self._responder = responder
        self._ends = ends
        self._over = over
        self._account = account
        self._now = responder.packets.seconds()
        self._gets_ready = responder.admission.client(ends[0][0]).gets_ready

    def find_all(self, messages: Sequence[bytes]) -> list[bytes | None]:
        """The replies to ``messages`` by a look into one table; where that has none, :meth:`find` may."""
        if not self._gets_ready:
            return [None] * len(messages)
        found: list[bytes | None] = []
        answered: list[tuple[bytes, bytes, Cell]] = []
        for message, packet in zip(messages, self._responder.packets.dns.packets_for(messages), strict=True):
            if packet is None or packet[0] is None or packet[2][0] & _TC:
                found.append(None)
                continue
            reply = message[:_ID] + packet[2]
            found.append(reply)
            answered.append((message, reply, packet[1]))
        if answered:
            self._count(answered)
        return found

    def find(self, message: bytes) -> bytes | None:
        """The reply to ``message``, if one is known, can be made of the records, or comes in turns."""
        # A message of the course protocol has no zero byte: its ready answers are none here.
        if not self._gets_ready or message[4:5] != b"\0":
            return None
        found = self._responder.packets.find(message, self._now)
        if found is None or found[0][_ID] & _TC:
            return None
        self._count([(message, *found)])
        return found[0]

    def _count(self, answered: Sequence[tuple[bytes, bytes, Cell]]) -> None:
        counts = self._responder.counts
        counts.answered_by_stream(answered, self._over, self._ends, (self._now, self._responder.clock.seconds()))
        if not counts.events.watched:
            return
        for message, reply, cell in answered:
            account = self._account(message)
            if account is not None:
                account.story.step("ready", source=cell.source)
                account.answered(cell, reply)
