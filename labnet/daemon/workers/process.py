"""One worker as its supervisor has it: its orders, what it says, its end, and the next in its place."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.protocols.basic import LineOnlyReceiver

from labnet.daemon.workers.messages import LONGEST_MESSAGE, LearnedOutbox, encoded_message
from labnet.daemon.workers.orders import Orders

FIRST_DELAY: Final = 1.0
MOST_DELAY: Final = 60.0
"""Seconds until a worker that did not get as far as to serve is started again: twice as long each time."""


class Watch(Protocol):
    """What hears of the workers."""

    def started(self, process: WorkerProcess) -> None:
        """``process`` has its orders."""

    def on_message(self, process: WorkerProcess, message: dict[str, Any]) -> None:
        """``process`` sent ``message``."""

    def said(self, process: WorkerProcess, line: str) -> None:
        """``process`` wrote ``line``, which is no message: so does the interpreter of what goes wrong in it."""

    def ended(self, process: WorkerProcess, why: str) -> None:
        """The worker of ``process`` is no more."""


class Keeps(Protocol):
    """What keeps the workers running, while it is ``running``."""

    reactor: Any
    watch: Watch
    running: Any

    def orders(self, name: str) -> Orders:
        """What the worker ``name`` is to be."""


class _Messages(LineOnlyReceiver):
    """A worker's standard output."""

    delimiter = b"\n"
    MAX_LENGTH = LONGEST_MESSAGE

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    def lineReceived(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            self._process.on_message(dict(message))
        except (ValueError, TypeError):
            self._process.said(line)


class _Errors(LineOnlyReceiver):
    """A worker's standard error: the interpreter itself writes there."""

    delimiter = b"\n"

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    def lineReceived(self, line: bytes) -> None:
        self._process.said(line)


class _Nowhere:
    disconnecting = False

    def loseConnection(self) -> None:
        """A worker that tells lines too long is cut off by the reader alone."""


_NOWHERE: Any = _Nowhere()


class WorkerProcess:
    """The worker ``name``, whose pipes the ``service`` has; ``pid`` is the worker's own, for as long as that serves."""

    def __init__(self, service: Keeps, name: str) -> None:
        self.service = service
        self.name = name
        self.pid: int | None = None
        self.forked: int | None = None
        """The process that is to serve, from its fork until its end."""
        self.outbox: LearnedOutbox | None = None
        self.has_orders = False
        self._delay = FIRST_DELAY
        self._again: IDelayedCall | None = None
        self._messages = _Messages(self)
        self._errors = _Errors(self)
        self._messages.makeConnection(_NOWHERE)
        self._errors.makeConnection(_NOWHERE)

    def begin(self, nursery: Any, pipe: Any) -> None:
        """There is a process that forks workers by the orders that ``nursery`` takes; the worker reads ``pipe``."""
        self._nursery, self._pipe = nursery, pipe
        self.order()

    @property
    def is_up(self) -> bool:
        """Whether the worker serves."""
        return self.pid is not None

    def order(self) -> None:
        """Have it be a worker now."""
        self._again = None
        self.has_orders = True
        self._nursery.write(encoded_message(**self.service.orders(self.name)._asdict()))
        self.outbox = LearnedOutbox(self._pipe, self.service.reactor)
        self.service.watch.started(self)

    def watch(self, watched: bool) -> None:
        """Have the worker tell what happens in it from now on, or no more."""
        if self.has_orders:
            self._pipe.write(encoded_message(watch=watched))

    def stop(self) -> None:
        """Have the worker answer what is in flight and end, and no other take its place."""
        self._forget_next()
        self._pipe.write(encoded_message(stop=True))
        self._pipe.loseConnection()

    def outReceived(self, data: bytes) -> None:
        self._messages.dataReceived(data)

    def errReceived(self, data: bytes) -> None:
        self._errors.dataReceived(data)

    def on_message(self, message: dict[str, Any]) -> None:
        """It sent ``message``."""
        if "forked" in message:
            self.forked = int(message["forked"])
            return
        if "ended" in message:
            self._ended(f"exit status {message['ended']}" if message["ended"] >= 0 else f"signal {-message['ended']}")
            return
        if "up" in message:
            self.pid = int(message["up"])
            self._delay = FIRST_DELAY
        self.service.watch.on_message(self, message)

    def said(self, line: bytes) -> None:
        """It wrote ``line``, which is no message."""
        if line:
            self.service.watch.said(self, line.decode(errors="backslashreplace"))

    def gone(self, why: str) -> None:
        """Nothing keeps the worker any more."""
        if self.has_orders:
            self._ended(why)
        self._forget_next()

    def _forget_next(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _ended(self, why: str) -> None:
        """The worker is no more: the next one starts at once, or later and later while none gets as far as to serve."""
        if not self.has_orders:
            return
        delay = 0.0 if self.is_up else self._delay
        if not self.is_up:
            self._delay = min(2 * self._delay, MOST_DELAY)
        self.pid = self.forked = None
        self.has_orders = False
        if self.outbox is not None:
            self.outbox.stopProducing()
            self._pipe.unregisterProducer()
            self.outbox = None
        self.service.watch.ended(self, why)
        if self.service.running and self._again is None:
            self._again = self.service.reactor.callLater(delay, self.order)
