"""Messages between a worker and its supervisor: one JSON object a line, and what was learned in batches."""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Final, cast

from twisted.internet.interfaces import IConsumer, IDelayedCall, IPushProducer, IReactorTime, ITransport
from zope.interface import implementer

MOST_UNSENT: Final = 32_000_000
"""Bytes of what was learned that wait for another process to read them."""

LONGEST_MESSAGE: Final = 64_000_000
"""Bytes of one message between a worker and its supervisor."""

_BATCH: Final = 100
"""Lines of one message: what is read in one turn of a reactor must not keep its clients waiting."""


@implementer(IPushProducer)
class LearnedOutbox:
    """What was learned, on its way to another process: a batch each turn of the reactor, as long as that one reads.

    While it does not, lines wait; of more than :data:`MOST_UNSENT` bytes the oldest are dropped.
    """

    def __init__(self, transport: ITransport, clock: IReactorTime) -> None:
        self._transport = transport
        self._clock = clock
        self._lines: deque[tuple[str, str]] = deque()
        self._bytes = 0
        self._call: IDelayedCall | None = None
        self._paused = False
        cast(IConsumer, transport).registerProducer(self, True)

    def put(self, resolver: str, line: str) -> None:
        """Send ``line``, which the resolver of this name learned, in the next batch."""
        self._lines.append((resolver, line))
        self._bytes += len(line)
        while self._bytes > MOST_UNSENT:
            self._bytes -= len(self._lines.popleft()[1])
        self._soon()

    @property
    def is_busy(self) -> bool:
        """Whether the other process does not read."""
        return self._paused

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._soon()

    def stopProducing(self) -> None:
        self._lines.clear()
        self._bytes = 0
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _soon(self) -> None:
        if self._lines and self._call is None and not self._paused:
            self._call = self._clock.callLater(0, self._send)

    def _send(self) -> None:
        self._call = None
        batch: dict[str, list[str]] = {}
        for _ in range(min(_BATCH, len(self._lines))):
            resolver, line = self._lines.popleft()
            self._bytes -= len(line)
            batch.setdefault(resolver, []).append(line)
        self._transport.write(encoded_message(learned=batch))
        self._soon()


def encoded_message(**message: Any) -> bytes:
    """A message between a worker and its supervisor: a line of JSON."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
