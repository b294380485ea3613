"""Ready answers for the messages of a connection: those that came together are looked up and counted together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from labnet.resolver.clients.counts import Cell, Ends
from labnet.resolver.clients.transport import Transport
from labnet.resolver.serve.account import Account, end_of_port
from labnet.resolver.serve.responder import Responder

_ID: Final = 2
_TC: Final = 2  # the bit in the first byte behind the id: truncated for UDP


class StreamAnswers:
    """The ready answers of ``responder`` for what comes by connections: each by its ``ends``, ``over`` a transport."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    def find_all(self, messages: Sequence[bytes], ends: Ends, over: Transport) -> list[bytes | None]:
        """The replies to ``messages`` by a look into one table; where that has none, :meth:`find` may."""
        if len(messages) == 1:  # by itself it needs no lists
            return [self.find(messages[0], ends, over)]
        responder = self.responder
        if not responder.admission.client(ends[0][0]).gets_ready:
            return [None] * len(messages)
        now = responder.packets.seconds()
        found: list[bytes | None] = []
        answered: list[tuple[bytes, bytes, Cell]] = []
        for message, packet in zip(messages, responder.packets.dns.packets_for(messages), strict=True):
            if packet is None or packet[0] is None or packet[2][0] & _TC:
                found.append(None)
                continue
            reply = message[:_ID] + packet[2]
            found.append(reply)
            answered.append((message, reply, packet[1]))
        if answered:
            self._count(answered, ends, over, now)
        return found

    def find(self, message: bytes, ends: Ends, over: Transport) -> bytes | None:
        """The reply to ``message``, if one is known, can be made of the records, or comes in turns."""
        # A message of the course protocol has no zero byte: its ready answers are none here.
        if message[4:5] != b"\0" or not self.responder.admission.client(ends[0][0]).gets_ready:
            return None
        now = self.responder.packets.seconds()
        found = self.responder.packets.find(message, now)
        if found is None or found[0][_ID] & _TC:
            return None
        self._count([(message, *found)], ends, over, now)
        return found[0]

    def account(self, message: bytes, ends: Ends, over: Transport) -> Account | None:
        """What is told of ``message``, if anybody watches and it is its turn."""
        counts = self.responder.counts
        if not (counts.events.watched and counts.events.take()):
            return None
        return Account(counts, self.responder.clock.seconds, message, ends[0], end_of_port(ends[1]), over.label)

    def _count(self, answered: Sequence[tuple[bytes, bytes, Cell]], ends: Ends, over: Transport, came: float) -> None:
        counts = self.responder.counts
        counts.answered_by_stream(answered, over, ends, (came, self.responder.clock.seconds()))
        if not counts.events.watched:
            return
        for message, reply, cell in answered:
            account = self.account(message, ends, over)
            if account is not None:
                account.story.step("ready", source=cell.source)
                account.answered(cell, reply)
