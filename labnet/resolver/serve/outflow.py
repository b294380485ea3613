"""Many messages to one client, as fast as it takes them, while the reactor has its turns in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from labnet.resolver.serve.exchange import WhenOver
from labnet.wire.dns_common import BadMessage


class Outflow:
    """Gives each of ``messages`` to ``write``, one in a turn of the reactor; then calls ``over``, once.

    What makes the messages works for a few milliseconds each, so a zone of a million names delays nobody.
    """

    def __init__(
        self, messages: Iterator[bytes], write: Callable[[bytes], object], clock: IReactorTime, over: WhenOver
    ) -> None:
        self._messages = messages
        self._write = write
        self._clock = clock
        self._over: WhenOver | None = over
        self._held = False
        self._call: IDelayedCall | None = None
        self._schedule()

    def pause(self) -> None:
        """The client takes no more for now."""
        self._held = True
        self._cancel()

    def resume(self) -> None:
        """It does again."""
        self._held = False
        self._schedule()

    def stop(self, why: str) -> None:
        """Send no more. Idempotent."""
        self._cancel()
        over, self._over = self._over, None
        if over is not None:
            over(why)

    def _cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _schedule(self) -> None:
        if self._call is None and self._over is not None and not self._held:
            self._call = self._clock.callLater(0, self._next)

    def _next(self) -> None:
        self._call = None
        try:
            message = next(self._messages, None)
        except BadMessage as error:
            self.stop(str(error))
            return
        if message is None:
            self.stop("")
            return
        if message:
            self._write(message)
        self._schedule()
