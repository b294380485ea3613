"""What one resolver listens on by now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort

from labnet.metrics import Sample
from labnet.net.batches.batch import overflowed
from labnet.resolver.serve.ports import AnyListener, ByFiles, OpenListener, changed
from labnet.resolver.serve.responder import Responder
from labnet.values.listeners import Listen


class Listeners:
    """The listeners that are open."""

    def __init__(self) -> None:
        self._open: list[AnyListener] = []

    @property
    def regular(self) -> list[OpenListener]:
        """Those of DNS and the course protocol, which are not encrypted."""
        return [listener for listener in self._open if isinstance(listener, OpenListener)]

    @property
    def ports(self) -> tuple[tuple[str, IListeningPort], ...]:
        """The ports, each behind its kind; with one of ``udp`` goes one of TCP of the same number."""
        return tuple(
            [
                ("udp", listener.udp) if isinstance(listener, OpenListener) else (listener.listen.kind, listener.port)
                for listener in self._open
            ]
        )

    def changed(self, wanted: Iterable[Listen]) -> tuple[list[AnyListener], list[Listen]]:
        """Which of them are no longer ``wanted``, and which others are to be opened."""
        return changed(self._open, wanted)

    def exchange(self, opened: list[AnyListener], closing: list[AnyListener]) -> None:
        """Have those that are ``opened`` too, and close those that are ``closing``."""
        self._open = [listener for listener in self._open if listener not in closing] + opened
        for listener in closing:
            listener.close()

    def change(self, responder: Responder, delay: float, credentials: ByFiles) -> None:
        """Serve by ``responder``; give datagrams ``delay`` seconds to come together, and show the ``credentials``."""
        for listener in self._open:
            if isinstance(listener, OpenListener):
                listener.change(responder, delay)
            else:
                listener.change(credentials.get(listener.listen.files))

    def stop_reading(self) -> None:
        """Take no further questions."""
        for listener in self._open:
            listener.stop_reading()

    def close(self) -> list[Deferred[Any]]:
        """Close all of them; each fires when its ports are closed."""
        listeners, self._open = self._open, []
        return [listener.close() for listener in listeners]

    def samples(self, resolver: str) -> Iterator[Sample]:
        """What was lost in the sockets; of those that are closed the counts have it already."""
        for listener in self.regular:
            sock = getattr(listener.udp, "socket", None)
            if sock is not None:
                yield Sample("labnet_queries_dropped_total", (resolver, "overflow"), overflowed(sock))
            unsent = getattr(listener.udp, "unsent", 0)
            yield Sample("labnet_queries_dropped_total", (resolver, "unsent"), unsent)
