"""The supervisor: it runs the workers, speaks for all of them, and keeps what they learned."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.config.reading import Config
from labnet.config.services import ConsoleConfig
from labnet.console.actions import IControlled
from labnet.console.encoding import unpacked
from labnet.daemon.base import (
    COMMAND_SERVER_IS_OPEN,
    NO_COMMAND_SERVER,
    BaseService,
    Environment,
    said_to_the_user,
)
from labnet.daemon.running.changeover import kept_until_restart
from labnet.daemon.running.reload import STOPPING
from labnet.daemon.workers.fleet import Fleet
from labnet.daemon.workers.journal import LearnedJournal
from labnet.daemon.workers.labfile import LabFile
from labnet.daemon.workers.operating import Operating
from labnet.daemon.workers.orders import Orders, Settled, unprivileged
from labnet.daemon.workers.process import WorkerProcess
from labnet.daemon.workers.processes import Workers
from labnet.daemon.workers.status import merged_services
from labnet.interfaces import IReactor
from labnet.metrics import Sample
from labnet.net.clocks import since_boot
from labnet.net.opening.listening import check_free
from labnet.net.opening.systemd import FIRST_INHERITED
from labnet.resolver.cache.lock import claimed
from labnet.resolver.loading.loaded import Loaded

_ORDINARY: Final = Environment()

POLL: Final = 1.0
"""Seconds between two questions to the workers how they are: what one counted since is lost when it is killed."""

CLOSING: Final = 2.0
"""Seconds, beyond those of the drain, after which a worker that is to end is killed."""


@implementer(IControlled)
class SupervisorService(BaseService):
    """Runs ``config`` in as many processes as it says.

    It serves no client: the workers open the ports. Its own are the control socket, the pages of the console, signals,
    the watched files, and the logs.
    """

    def __init__(
        self,
        config: Config,
        loaded: Mapping[str, Loaded],
        reactor: IReactor,
        read: Callable[[], Config],
        path: str | None = None,
        environment: Environment = _ORDINARY,
    ) -> None:
        super().__init__(config, loaded, reactor, read, path, replace(environment, requests=False))
        self._requests = environment.requests
        self._loaded = dict(loaded)
        self._fail = environment.failed
        self._settled = Settled()
        self._secret = secrets.token_hex(16)
        self._inherited: list[str] = []
        self._folder = ""
        """A folder of ours for control sockets, where they cannot stand beside the supervisor's own."""
        self._lab_file: LabFile | None = None
        self.journals = {
            name: LearnedJournal(resolver, loaded[name], reactor) for name, resolver in config.resolver.items()
        }
        self.fleet = Fleet(
            reactor, config.lab.workers, self._control_of, self.journals, lambda hung: self.workers.kill(hung)
        )
        self._operating = Operating(self.fleet, self.journals)
        self._poll = LoopingCall(self.fleet.refresh)
        self._poll.clock = reactor
        self._started.notifier.is_well = lambda: self.fleet.is_well
        self._add_console()
        names = [str(worker.number) for worker in self.fleet.workers]
        self.workers = Workers(self._reactor, names, self._orders, self, config.lab.grace + CLOSING)
        self.workers.setServiceParent(self)
        self.ring.changed.append(self._watch)

    def _watch(self, watched: bool) -> None:
        """Somebody looks at the lab from now on, or nobody does any more."""
        for process in self.workers.processes.values():
            process.watch(watched)

    def privilegedStartService(self) -> None:
        """Find out what would keep a worker from opening its ports: a shared port does not notice another process's."""
        with said_to_the_user():
            self.config = self._settled.config(self.config)
            if self._started.owner is not None:
                unprivileged(self.config)
                self._settled.close()  # what root holds is not shared with whom it becomes
            fixed = [listener for listener in _listeners(self.config) if not self._settled.has(listener)]
            check_free(fixed, self._started.inherited, self.config.lab.freebind)
            super().privilegedStartService()
        self._started.hand_over(self.config.lab.state, self._unix_sockets())

    def _open(self) -> None:
        self._lab_file = LabFile(self.config.lab.state)
        self._lab_file.write(self.config, self._loaded)
        descriptors, environment = self._started.inherited.passed_on()
        self._inherited = [name for name in environment.get("LISTEN_FDNAMES", "").split(":") if name]
        self.workers.pass_on({**descriptors, self._lab_descriptor: self._lab_file.fileno()})
        for name, journal in self.journals.items():
            journal.open(self._loaded[name])
        self._loaded = {}

    def startService(self) -> None:
        super().startService()
        self._poll.start(POLL)

    def stopService(self) -> Deferred[None]:
        """Fires when every worker has ended: each answers what is in flight first, within the grace.

        A second signal ends them at once.
        """
        self._end_reloads()
        for number in signal.SIGTERM, signal.SIGINT:
            self._signals.catch(number, self._hurry)
        self._started.notifier.stopping(self.config.lab.grace + CLOSING)
        if self._poll.running:
            self._poll.stop()
        return maybeDeferred(super().stopService).addBoth(self._stopped)

    def _hurry(self) -> None:
        self.log.warn("a second signal: what is in flight is given up", event="stop.hurried")
        for process in list(self.workers.processes.values()):
            self.workers.kill(process)

    def _close(self) -> None:
        for journal in self.journals.values():
            journal.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lab_file is not None:
            self._lab_file.close()
        self._settled.close()

    def _seen(self, config: ConsoleConfig) -> ConsoleConfig:
        return config.model_copy(update={"query_log": None, "session_log": None})

    def samples(self) -> Deferred[Iterable[Sample]]:
        """What all workers counted and how each is; the memory and processor time are those of all processes."""
        return self.fleet.refresh().addCallback(lambda _: list(self.fleet.samples(self._own_samples())))

    def _own_samples(self) -> Iterator[Sample]:
        yield from self.console.samples()
        yield from self.zones.samples()

    def status(self) -> Deferred[dict[str, Any]]:
        """How the lab is, as :meth:`labnet.daemon.service.LabService.status` says it, and its ``workers``."""
        return self.fleet.refresh().addCallback(lambda _: self.last_status())

    def last_status(self) -> dict[str, Any]:
        """How the lab was when the workers were asked last."""
        statuses = [worker.status for worker in self.fleet.up if worker.status is not None]
        shared_up = all(status["shared_up"] for status in statuses) if self.config.shared is not None else None
        return self._status(merged_services(statuses)) | {"shared_up": shared_up, "workers": self.fleet.status()}

    def flush(self, name: str) -> Deferred[int]:
        """Drop what was learned about ``name`` and the names below it, in every worker; how many answers that were."""
        count = sum(journal.flush(name) for journal in self.journals.values())
        asked = self.fleet.ask("flush", name=name)
        return asked.addCallback(lambda counts: max([count, *[one for one in counts.values() if isinstance(one, int)]]))

    def operate(self, do: str, request: dict[str, Any]) -> Deferred[Any]:
        return self._operating.operate(do, request, self.config.shared is not None)

    def open_command_server(self) -> Deferred[list[str]]:
        """Have the command server of the first worker listen again after an EXIT; fires with what hinders that."""
        return Deferred.fromCoroutine(self._open_command_server())

    async def _open_command_server(self) -> list[str]:
        if self.config.command is None:
            return [NO_COMMAND_SERVER]
        if self._stopping or not self._command_has_exited:
            return [STOPPING if self._stopping else COMMAND_SERVER_IS_OPEN]
        self._command_has_exited = False
        result = (await self.fleet.ask("open-command-server")).get(1, [NO_COMMAND_SERVER])
        if result == [NO_COMMAND_SERVER]:  # the worker was started again since, without one
            self.workers.kill(self.workers.processes["1"])
            return []
        problems = [result.getErrorMessage()] if isinstance(result, Failure) else [str(problem) for problem in result]
        self._command_has_exited = bool(problems)
        return problems

    def view(self, what: str, arguments: Mapping[str, Any]) -> Any:
        """What the first worker that serves shows, which is what all of them have; what is forgotten, all forget."""
        if what == "flush":
            return self.flush(str(arguments.get("name") or ""))
        if what == "open-command-server":
            return self.open_command_server()
        if what in ("order-fault", "end-fault"):
            return self.fleet.view_of_all(what, arguments)
        return self.fleet.view(what, arguments)

    def _dumps(self) -> Mapping[str, LearnedJournal]:
        return self.journals

    def started(self, process: WorkerProcess) -> None:
        """``process`` has its orders."""
        self.fleet.started(process)

    def on_message(self, process: WorkerProcess, message: dict[str, Any]) -> None:
        """``process`` sent ``message``."""
        if "learned" in message:
            self.fleet.learned(process, message["learned"])
        elif "log" in message:
            self.fleet.logged(process, message["log"])
        elif "up" in message:
            self.fleet.serves(process)
            if self.ring.watched:
                process.watch(True)
            if len(self.fleet.up) == len(self.fleet.workers):
                self.zones.served()
                self._started.notifier.ready(self._serving())
        elif "events" in message:
            for event in message["events"]:
                self.ring.happened(unpacked(event))
        elif "notified" in message:
            resolver, zone, serial, host = message["notified"]
            self.zones.notified(resolver, bytes.fromhex(zone), serial, host)
        elif "exited" in message:
            self._command_has_exited = True
        elif "failed" in message:
            self._worker_failed(process, message["failed"])

    def said(self, process: WorkerProcess, line: str) -> None:
        """``process`` wrote ``line``, which is no message."""
        self.log.warn("worker {worker}: {text}", worker=process.name, text=line, event="worker.said")

    def ended(self, process: WorkerProcess, why: str) -> None:
        """The worker of ``process`` is no more."""
        self.fleet.ended(process)
        if not self._stopping:
            self.log.warn(
                "worker {worker} has ended ({why}) and is started again",
                worker=process.name,
                why=why,
                event="worker.ended",
            )

    def _worker_failed(self, process: WorkerProcess, why: str) -> None:
        """A worker cannot open its ports: at its first start that is the end, as with one process."""
        self.log.error("{why}", why=why, event="worker.failed")
        if not self.fleet.workers[int(process.name) - 1].was_up and not self._stopping:
            self._stopping = True
            print(why, file=sys.__stderr__)
            self._fail()
            self._reactor.stop()

    async def _take(self, wanted: Config, loaded: dict[str, Loaded]) -> list[str]:
        wanted = self._settled.config(wanted)
        config, warnings = kept_until_restart(self.config, wanted)
        warnings += self._doubts(config, loaded)
        before = set(map(str, _listeners(self.config)))
        fresh = [one for one in _listeners(config) if str(one) not in before and not self._settled.has(one)]
        check_free(fresh, self._started.inherited, self.config.lab.freebind)
        assert self._lab_file is not None
        with claimed(resolver.learned for resolver in config.resolver.values()):
            try:
                self._lab_file.write(config, loaded)
            except OSError as error:
                return [f"the workers cannot be given the configuration: {error.strerror or error}"]
            self.config = config
            self._take_journals(config, loaded)
        self._outcomes.warn(warnings)
        self._operating.forget()
        results = await self.fleet.ask("reload")
        problems: dict[str, None] = {}
        for number, result in results.items():
            found = [result.getErrorMessage()] if isinstance(result, Failure) else result
            problems |= dict.fromkeys(f"worker {number}: {problem}" for problem in found)
        return list(problems)

    def _take_journals(self, config: Config, loaded: dict[str, Loaded]) -> None:
        for name in [name for name in self.journals if name not in config.resolver]:
            self.journals.pop(name).close()
        for name, resolver in config.resolver.items():
            if name in self.journals:
                self.journals[name].change(resolver, loaded[name])
            else:
                self.journals[name] = LearnedJournal(resolver, loaded[name], self._reactor)
                self.journals[name].open(loaded[name])

    def _serving(self) -> str:
        return f"{len(self.fleet.workers)} workers serve"

    def _orders(self, name: str) -> Orders:
        return Orders(
            int(name),
            self.config.lab.workers,
            self._lab_descriptor,
            self._control_of(int(name)),
            self._secret,
            not self._command_has_exited,
            self._reactor.seconds() - since_boot(),
            self._inherited,
            self._requests,
        )

    @property
    def _lab_descriptor(self) -> int:
        """The number that the file of the lab has in a worker: behind what systemd passed."""
        return FIRST_INHERITED + len(self._inherited)

    def _control_of(self, number: int) -> str:
        """Beside the supervisor's own control socket, where that folder can be written to."""
        control = self.config.console.control
        beside = control is not None and os.access(os.path.dirname(control), os.W_OK)
        if beside:
            return f"{control}.{number}"
        if not os.path.isdir(self._folder):
            self._folder = tempfile.mkdtemp(prefix="labnet-")
        return os.path.join(self._folder, f"control.sock.{number}")

    def _not_serving(self) -> list[str]:
        return [f"worker {worker.number} does not serve yet" for worker in self.fleet.workers if not worker.is_up]


def _listeners(config: Config) -> Iterator[Any]:
    """Everything that the services of ``config`` listen on."""
    if config.command is not None:
        yield from config.command.listen
    for resolver in config.resolver.values():
        yield from resolver.listen
