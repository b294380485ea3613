"""The workers as processes of the system: started, watched, started again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from labnet.daemon.workers.messages import LONGEST_MESSAGE, LearnedOutbox, encoded_message
from labnet.daemon.workers.orders import Orders

COMMAND: Final = (sys.executable, "-m", "labnet.daemon.workers")
"""What starts a worker: twistd would take as long again to load every plugin that is installed."""

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


class WorkerProcess(ProcessProtocol):
    """The process that keeps the worker ``name``; ``pid`` is the worker's own, for as long as that serves."""

    def __init__(self, service: Workers, name: str) -> None:
        self.service = service
        self.name = name
        self.pid: int | None = None
        self.outbox: LearnedOutbox | None = None
        self.has_orders = False
        self._delay = FIRST_DELAY
        self._again: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._messages = _Messages(self)
        self._errors = _Errors(self)
        self._messages.makeConnection(_NOWHERE)
        self._errors.makeConnection(_NOWHERE)
        self.order()

    @property
    def is_up(self) -> bool:
        """Whether the worker serves."""
        return self.pid is not None

    def order(self) -> None:
        """Have it be a worker now."""
        self._again = None
        if self.transport is not None:
            self.has_orders = True
            self.transport.write(encoded_message(**self.service.orders(self.name)._asdict()))
            self.outbox = LearnedOutbox(self.transport, self.service.reactor)
            self.service.watch.started(self)

    def watch(self, watched: bool) -> None:
        """Have the worker tell what happens in it from now on, or no more."""
        if self.transport is not None and self.has_orders:
            self.transport.write(encoded_message(watch=watched))

    def stop(self) -> None:
        """Have the worker answer what is in flight and end, and no other take its place."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self.transport is not None:
            self.transport.write(encoded_message(stop=True))
            self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._messages.dataReceived(data)

    def errReceived(self, data: bytes) -> None:
        self._errors.dataReceived(data)

    def on_message(self, message: dict[str, Any]) -> None:
        """It sent ``message``."""
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

    def processExited(self, reason: Failure) -> None:
        # A worker whose keeper is gone has the other ends of the pipes still, and ends with them.
        if self.transport is not None:
            self.transport.loseConnection()

    def processEnded(self, reason: Failure) -> None:
        if self.has_orders:
            self._ended(reason.getErrorMessage())
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self.service.ended(self)

    def _ended(self, why: str) -> None:
        """The worker is no more: the next one starts at once, or later and later while none gets as far as to serve."""
        delay = 0.0 if self.is_up else self._delay
        if not self.is_up:
            self._delay = min(2 * self._delay, MOST_DELAY)
        self.pid, self.has_orders = None, False
        if self.outbox is not None and self.transport is not None:
            self.outbox.stopProducing()
            cast(IConsumer, self.transport).unregisterProducer()
            self.outbox = None
        self.service.watch.ended(self, why)
        if self.service.running and self._again is None:
            self._again = self.service.reactor.callLater(delay, self.order)


class _Nowhere:
    disconnecting = False

    def loseConnection(self) -> None:
        """A worker that tells lines too long is cut off by the reader alone."""


_NOWHERE: Any = _Nowhere()


class Workers(Service):
    """Keeps the workers ``names`` running; ``orders`` gives what each is to be when it starts.

    A process of the system keeps one worker, which is its fork: a worker that is killed has another in its place
    without loading the program again. A process that ends is started again at once where it ran for
    :data:`FIRST_DELAY` seconds, else after twice the delay before, :data:`MOST_DELAY` seconds at most. ``watch`` hears
    of it all; ``killed`` kills a process and its worker, ``grace`` seconds after they were to stop.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        names: Iterable[str],
        orders: Callable[[str], Orders],
        watch: Watch,
        grace: float,
        killed: Callable[[int, int], None] = os.killpg,
    ) -> None:
        self.reactor = reactor
        self.orders = orders
        self.watch = watch
        self.processes: dict[str, WorkerProcess] = {}
        """Those that run, by the worker's name."""
        self._grace = grace
        self._kill = killed
        self._inherited: dict[int, int] = {}
        self._stopped: Deferred[None] | None = None
        self._delays = dict.fromkeys(names, FIRST_DELAY)
        self._started_at: dict[str, float] = {}
        self._timers: dict[str, IDelayedCall] = {}
        """By the worker's name: when its process is started again, or killed."""

    def pass_on(self, descriptors: Mapping[int, int]) -> None:
        """Have every process inherit these: its number of each, and ours."""
        self._inherited = dict(descriptors)

    def startService(self) -> None:
        super().startService()
        for name in self._delays:
            self._start(name)

    def stopService(self) -> Deferred[None]:
        """Fires when every worker has ended: each drains, and after its grace it is killed."""
        super().stopService()
        for name in [name for name in self._timers if name not in self.processes]:
            self._timers.pop(name).cancel()
        for name, process in self.processes.items():
            process.stop()
            self._timers[name] = self.reactor.callLater(self._grace, self.kill, process)
        if not self.processes:
            return succeed(None)
        self._stopped = Deferred()
        return self._stopped

    def kill(self, process: WorkerProcess) -> None:
        """End ``process`` and the worker that it keeps at once, whatever they do."""
        transport: Any = process.transport
        if transport is not None and transport.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                self._kill(transport.pid, signal.SIGKILL)

    def ended(self, process: WorkerProcess) -> None:
        """``process`` is no more, nor is its worker."""
        name = process.name
        timer = self._timers.pop(name, None)
        if timer is not None and timer.active():
            timer.cancel()
        self.processes.pop(name, None)
        self._again(name)
        if self._stopped is not None and not self.processes:
            stopped, self._stopped = self._stopped, None
            stopped.callback(None)

    def _start(self, name: str) -> None:
        self._timers.pop(name, None)
        process = self.processes[name] = WorkerProcess(self, name)
        self._started_at[name] = self.reactor.seconds()
        descriptors = {0: "w", 1: "r", 2: "r", **self._inherited}
        try:
            self.reactor.spawnProcess(process, COMMAND[0], COMMAND, env=dict(os.environ), childFDs=descriptors)
        except OSError as error:
            self.log.warn(
                "worker {worker} cannot be started: {why}; it is tried again",
                worker=name,
                why=error.strerror,
                event="worker.no-process",
            )
            del self.processes[name]
            self._again(name)

    def _again(self, name: str) -> None:
        """Start another process for the worker ``name``, if it is still wanted."""
        delay = 0.0
        if self.reactor.seconds() - self._started_at[name] < FIRST_DELAY:
            delay = self._delays[name]
            self._delays[name] = min(2 * delay, MOST_DELAY)
        else:
            self._delays[name] = FIRST_DELAY
        if self.running:
            self._timers[name] = self.reactor.callLater(delay, self._start, name)
