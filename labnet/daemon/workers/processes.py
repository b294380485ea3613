"""The workers as processes of the system: started, watched, started again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IDelayedCall
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from twisted.runner.procmon import LoggingProtocol, ProcessMonitor

from labnet.daemon.workers.messages import LONGEST_MESSAGE, LearnedOutbox, encoded_message
from labnet.daemon.workers.orders import Orders

COMMAND: Final = (sys.executable, "-m", "labnet.daemon.workers")
"""What starts a worker: twistd would take as long again to load every plugin that is installed."""

FIRST_DELAY: Final = 1.0
MOST_DELAY: Final = 60.0
"""Seconds until a worker that did not get as far as to serve is started again: twice as long each time."""


class Watch(Protocol):
    """Who hears of the workers."""

    def started(self, process: WorkerProcess) -> None:
        """``process`` has its orders."""

    def told(self, process: WorkerProcess, message: dict[str, Any]) -> None:
        """``process`` told ``message``."""

    def said(self, process: WorkerProcess, line: str) -> None:
        """``process`` wrote ``line``, which is no message: so does the interpreter of what goes wrong in it."""

    def ended(self, process: WorkerProcess, why: str) -> None:
        """The worker that ``process`` kept is no more."""


class _Messages(LineOnlyReceiver):
    """A worker's standard output."""

    delimiter = b"\n"
    MAX_LENGTH = LONGEST_MESSAGE

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    def lineReceived(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            self._process.told(dict(message))
        except (ValueError, TypeError):
            self._process.said(line)


class _Errors(LineOnlyReceiver):
    """A worker's standard error: the interpreter itself writes there."""

    delimiter = b"\n"

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    def lineReceived(self, line: bytes) -> None:
        self._process.said(line)


class WorkerProcess(LoggingProtocol):
    """The process that keeps the worker ``name``; ``pid`` is the worker's own, for as long as that serves."""

    service: Workers

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

    def told(self, message: dict[str, Any]) -> None:
        """It told ``message``."""
        if "ended" in message:
            self._ended(f"exit status {message['ended']}" if message["ended"] >= 0 else f"signal {-message['ended']}")
            return
        if "up" in message:
            self.pid = int(message["up"])
            self._delay = FIRST_DELAY
        self.service.watch.told(self, message)

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
        self.service.ended(self, reason)

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


class Workers(ProcessMonitor):
    """Keeps the workers ``names`` running; ``orders`` gives what each is told when it starts.

    A process of the monitor's keeps one worker, which is its fork: a worker that is killed has another in its place
    without loading the program again. ``watch`` hears of it all; ``killed`` kills a process and its worker.
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
        super().__init__(reactor)
        self.reactor = reactor
        self.orders = orders
        self.watch = watch
        self.killTime: Any = grace
        self.maxRestartDelay: Any = MOST_DELAY
        self._kill = killed
        self._inherited: dict[int, int] = {}
        self._stopped: Deferred[None] | None = None
        for name in names:
            self.addProcess(name, list(COMMAND))

    def pass_on(self, descriptors: Mapping[int, int]) -> None:
        """Have every process inherit these: its number of each, and ours."""
        self._inherited = dict(descriptors)

    def startProcess(self, name: str) -> None:
        if name in self.protocols:
            return
        process = self.protocols[name] = WorkerProcess(self, name)
        self.timeStarted[name] = self._clock.seconds()
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
            self._monitoredProcessExited(name)

    def stopProcess(self, name: str) -> None:
        process = self.protocols.get(name)
        if isinstance(process, WorkerProcess) and process.transport is not None:
            process.stop()
            self.murder[name] = self._clock.callLater(self.killTime, self._forceStopProcess, process.transport)

    def _forceStopProcess(self, proc: Any) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._kill(proc.pid, signal.SIGKILL)

    def ended(self, process: WorkerProcess, reason: Failure) -> None:
        """The ``process`` that kept a worker is no more."""
        self._monitoredProcessExited(process.name, reason)
        if self._stopped is not None and not self.protocols:
            stopped, self._stopped = self._stopped, None
            stopped.callback(None)

    def stopService(self) -> Any:
        """Fires when every worker has ended: each drains, and after its grace it is killed."""
        super().stopService()
        if not self.protocols:
            return succeed(None)
        self._stopped = Deferred()
        return self._stopped
