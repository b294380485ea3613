"""The process of the system that keeps the workers: started, watched, started again."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.daemon.workers.orders import FIRST_PIPE, Orders, pipes_of
from labnet.daemon.workers.process import FIRST_DELAY, MOST_DELAY, Watch, WorkerProcess

COMMAND: Final = (sys.executable, "-m", "labnet.daemon.workers")
"""What keeps the workers, behind it how many: twistd would take as long again to load every plugin there is."""


class _Nursery(ProcessProtocol):
    """The process that keeps the workers of ``service``: it has loaded the program, and they are forked of it."""

    def __init__(self, service: Workers) -> None:
        self._service = service
        self.workers = list(service.processes.values())

    def connectionMade(self) -> None:
        transport: Any = self.transport
        for number, worker in enumerate(self.workers, 1):
            worker.begin(transport.pipes[0], transport.pipes[pipes_of(number)[0]])

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        place, kind = divmod(childFD - FIRST_PIPE, 3)
        if place < 0:  # what the process itself has to say
            self.workers[0].errReceived(data)
        elif kind == 1:
            self.workers[place].outReceived(data)
        else:
            self.workers[place].errReceived(data)

    def processExited(self, reason: Failure) -> None:
        # The workers have the other ends of the pipes still, and end with them.
        transport: Any = self.transport
        for descriptor in list(transport.pipes):
            transport.closeChildFD(descriptor)

    def processEnded(self, reason: Failure) -> None:
        self._service.ended(reason.getErrorMessage())


class Workers(Service):
    """Keeps the workers ``names`` running; ``orders`` gives what each is to be when it starts.

    One process of the system has loaded the program, and all of them are its forks: what none of them writes to is in
    memory once, and one that is killed has another in its place without loading anything. Where that process ends it is
    started again at once if it ran for :data:`FIRST_DELAY` seconds, else after twice the delay before,
    :data:`MOST_DELAY` seconds at most. ``watch`` hears of it all; ``killed`` kills a process.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        names: Iterable[str],
        orders: Callable[[str], Orders],
        watch: Watch,
        grace: float,
        killed: Callable[[int, int], None] = os.kill,
    ) -> None:
        self.reactor = reactor
        self.orders = orders
        self.watch = watch
        self.processes = {name: WorkerProcess(self, name) for name in names}
        """By the worker's name."""
        self._grace = grace
        self._kill = killed
        self._inherited: dict[int, int] = {}
        self._nursery: Any = None
        self._stopped: Deferred[None] | None = None
        self._delay = FIRST_DELAY
        self._started_at = 0.0
        self._timer: IDelayedCall | None = None
        """When the process is started again, or the workers are killed."""

    def pass_on(self, descriptors: Mapping[int, int]) -> None:
        """Have every process inherit these: its number of each, and ours."""
        self._inherited = dict(descriptors)

    def startService(self) -> None:
        super().startService()
        if self.processes:
            self._start()

    def stopService(self) -> Deferred[None]:
        """Fires when every worker has ended: each drains, and after its grace, in seconds, it is killed."""
        super().stopService()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._nursery is None:
            return succeed(None)
        for process in self.processes.values():
            process.stop()
        self._nursery.closeStdin()
        self._timer = self.reactor.callLater(self._grace, self._kill_all)
        self._stopped = Deferred()
        return self._stopped

    def kill(self, process: WorkerProcess) -> None:
        """End the worker of ``process`` at once, whatever it does."""
        if process.forked is not None:
            with contextlib.suppress(ProcessLookupError):
                self._kill(process.forked, signal.SIGKILL)

    def ended(self, why: str) -> None:
        """The process that kept the workers is no more, nor are they."""
        self._nursery = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for process in self.processes.values():
            process.gone(why)
        self._again()
        if self._stopped is not None:
            stopped, self._stopped = self._stopped, None
            stopped.callback(None)

    def _kill_all(self) -> None:
        self._timer = None
        for process in self.processes.values():
            self.kill(process)
        if all(process.forked is None for process in self.processes.values()):  # it has not got as far as to fork any
            with contextlib.suppress(ProcessLookupError):
                self._kill(self._nursery.pid, signal.SIGKILL)

    def _start(self) -> None:
        self._timer = None
        self._started_at = self.reactor.seconds()
        descriptors: dict[int, int | str] = {0: "w", 1: "r", 2: "r", **self._inherited}
        for number in range(1, len(self.processes) + 1):
            descriptors |= zip(pipes_of(number), "wrr", strict=True)
        command = (*COMMAND, str(len(self.processes)))
        environment = dict(os.environ)
        try:
            self._nursery = self.reactor.spawnProcess(
                _Nursery(self), command[0], command, env=environment, childFDs=descriptors
            )
        except OSError as error:
            self.log.warn(
                "the workers cannot be started: {why}; it is tried again", why=error.strerror, event="worker.no-process"
            )
            self._again()

    def _again(self) -> None:
        """Start another process for the workers, if they are still wanted."""
        delay = 0.0
        if self.reactor.seconds() - self._started_at < FIRST_DELAY:
            delay = self._delay
            self._delay = min(2 * delay, MOST_DELAY)
        else:
            self._delay = FIRST_DELAY
        if self.running:
            self._timer = self.reactor.callLater(delay, self._start)
