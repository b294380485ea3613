"""What happens, as it happens: Server-Sent Events (HTML, section 9.2) from the ring, to many readers.

A stream has no buffer of its own: it knows the number of the event that it sent last, and the transport says when more
can be sent. A reader that is slow loses what the ring has no more by then, and is told how much; nobody waits for it.
What readers with the same filter get is made once.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from labnet.console.encoding import KINDS, shown
from labnet.console.http import begin
from labnet.console.page.queries import BadRequest, Filter, wanted_by
from labnet.console.ring import Noted, Ring

STREAMS: Final = 200
"""Streams in all; a class of 40 with two tabs each has less than half of them."""

STREAMS_PER_ADDRESS: Final = 100
"""Streams of one address: a class may be behind one."""

HEARTBEAT: Final = 20.0
"""Seconds between two signs of life; whoever is between sees that the connection is in use."""

STALLED: Final = 120.0
"""Seconds that a reader may take nothing at all; then its stream is closed, and it may come again."""

BATCH: Final = 100
"""Events that are sent at a time, until the transport has said whether it can take more."""


class Streams:
    """The streams of one page, from ``ring``."""

    def __init__(self, ring: Ring, clock: IReactorTime) -> None:
        self.ring = ring
        self.clock = clock
        self.open: dict[EventStream, None] = {}
        self._of_address: Counter[str] = Counter()
        self._chunks: dict[tuple[Filter, int, int], bytes] = {}
        self._beat_call: IDelayedCall | None = None

    def start(self, request: Request, host: str, wanted: Filter, after: int | None) -> None:
        """Answer ``request`` of the address ``host`` by what happens from now on, or from behind the number ``after``.

        Raises :class:`BadRequest` where there are too many streams.
        """
        if len(self.open) >= STREAMS:
            raise BadRequest(f"there are {STREAMS} streams already: close a tab", 429)
        if self._of_address[host] >= STREAMS_PER_ADDRESS:
            raise BadRequest(f"your address has {STREAMS_PER_ADDRESS} streams already: close a tab", 429)
        stream = EventStream(self, request, host, wanted, self.ring.last if after is None else after)
        self.open[stream] = None
        self._of_address[host] += 1
        if self._beat_call is None:
            self._beat_call = self.clock.callLater(HEARTBEAT, self._beat)
        stream.begin()
        self.ring.attach(stream)

    def ended(self, stream: EventStream) -> None:
        """``stream`` is over."""
        self.ring.detach(stream)
        if self.open.pop(stream, stream) is None:
            self._of_address[stream.host] -= 1
        if not self.open and self._beat_call is not None:
            self._beat_call.cancel()
            self._beat_call = None

    def chunk(self, wanted: Filter, after: int, last: int) -> bytes:
        """The events behind ``after`` up to ``last`` that are ``wanted``, as they are sent."""
        key = (wanted, after, last)
        chunk = self._chunks.get(key)
        if chunk is None:
            if len(self._chunks) > 50:
                self._chunks.clear()
            passes = wanted_by(wanted)
            events = self.ring.after(after, last - after)
            told = [_encoded(noted) for noted in events if passes(noted.event)]
            # The number of one that is not wanted counts too, or a reader that comes again would be told of a loss.
            told.append(f"id: {last}\n\n".encode() if events and told == [] else b"")
            chunk = self._chunks[key] = b"".join(told)
        return chunk

    def _beat(self) -> None:
        self._beat_call = self.clock.callLater(HEARTBEAT, self._beat)
        for stream in list(self.open):
            stream.beat(self.clock.seconds())


@implementer(IPushProducer)
class EventStream:
    """One of ``streams``, by ``request`` of ``host``; ``position`` is the number of the event that was sent last."""

    def __init__(self, streams: Streams, request: Request, host: str, wanted: Filter, position: int) -> None:
        self.host = host
        self._streams = streams
        self._request: Any = request
        self._wanted = wanted
        self._position = position
        self._paused_since: float | None = None

    def begin(self) -> None:
        """Send the head, and what is there already."""
        self._request.notifyFinish().addBoth(self._over)
        begin(self._request, 200, "text/event-stream; charset=utf-8")
        self._request.setHeader(b"X-Accel-Buffering", b"no")
        self._request.registerProducer(self, True)
        ring = self._streams.ring
        if self._position > ring.last:  # the lab was started anew since
            self._position = ring.oldest - 1
        self._request.write(b"retry: 2000\n\n")
        self.ready()

    def ready(self) -> None:
        """Send what is new, as long as it is taken."""
        ring = self._streams.ring
        while self._paused_since is None and self._position < ring.last:
            lost = ring.oldest - 1 - self._position
            if lost > 0:
                self._position += lost
                self._request.write(_event("skipped", {"count": lost}, self._position))
                continue
            last = min(ring.last, self._position + BATCH)
            chunk = self._streams.chunk(self._wanted, self._position, last)
            self._position = last
            if chunk:
                self._request.write(chunk)

    def beat(self, now: float) -> None:
        """Send a sign of life; a reader that has taken nothing for too long is left."""
        if self._paused_since is None:
            self._request.write(b": here\n\n")
        elif now - self._paused_since > STALLED:
            self._request.channel.abort()

    def pauseProducing(self) -> None:
        self._paused_since = self._streams.clock.seconds()

    def resumeProducing(self) -> None:
        self._paused_since = None
        self.ready()

    def stopProducing(self) -> None:
        """The connection is lost; ``notifyFinish`` does the rest."""

    def _over(self, result: Failure | None) -> None:
        self._paused_since = 0.0  # nothing more is written
        self._streams.ended(self)


def _encoded(noted: Noted) -> bytes:
    return _event(KINDS[type(noted.event)], shown(noted), noted.number)


def _event(kind: str, value: Any, number: int) -> bytes:
    data = json.dumps(value, separators=(",", ":"))
    return f"id: {number}\nevent: {kind}\ndata: {data}\n\n".encode("ascii")
