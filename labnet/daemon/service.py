"""The one place where the lab is put together."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from random import SystemRandom
from typing import Any, Final, cast

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger, LogPublisher, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.capture.record.own_traffic import OwnTraffic
from labnet.capture.record.tapping import TappedSockets, tapped_reactor
from labnet.command.service import CommandService
from labnet.config import Config, ConfigError, ResolverConfig, SharedConfig
from labnet.console.control import ControlServer, IControlled, actions_of
from labnet.console.process import version
from labnet.console.service import Console
from labnet.daemon.running.changeover import Joining, Leaving, change_over
from labnet.daemon.running.ending import Ending
from labnet.daemon.running.listen_addresses import host_and_port, shown, to_try
from labnet.daemon.running.recent_warnings import RecentWarnings
from labnet.daemon.running.reload import STOPPING, FileWatch, Outcomes, Reloads, load_lab, watched_files
from labnet.daemon.running.signals import Signals, Terminal
from labnet.daemon.started import Started
from labnet.interfaces import IChange, IDatagramSockets, IMeasured, IReactor, StartError
from labnet.metrics import Sample
from labnet.net.clocks import wall_of
from labnet.net.datagrams import SystemSockets
from labnet.net.systemd import Inherited, Notifier
from labnet.resolver.loading import Loaded
from labnet.resolver.service import ResolverService, Surroundings
from labnet.resolver.shared.cache import SharedCache
from labnet.resolver.shared.values import Flush
from labnet.wire.names import ROOT, key_of

__all__ = ["LabService", "load_lab"]

CLOSING: Final = 5.0
"""Seconds that closing everything may take, after what was in flight has had its grace."""

Lab = tuple[Config, dict[str, Loaded]]


@implementer(IMeasured)
class LabService(MultiService):
    """Everything that runs in one process: the command server and any number of resolvers.

    Its children own the welcome ports, the connections with their time-outs, and the questions to the parents; when it
    stops, all of them are closed. When EXIT has closed the command server and nothing else runs, the reactor stops.

    ``read`` reads the configuration again for a reload, from the file at ``path`` where it has one; without it only the
    records are read again. ``in_thread`` is how that is done without holding up ``reactor``.
    """

    log = Logger()

    def __init__(
        self,
        config: Config,
        loaded: Mapping[str, Loaded],
        reactor: IReactor,
        read: Callable[[], Config] | None = None,
        path: str | None = None,
        in_thread: Callable[[Callable[[], Lab]], Deferred[Lab]] | None = None,
        publisher: LogPublisher = globalLogPublisher,
        started: Started | None = None,
    ) -> None:
        super().__init__()
        self.setName("labnet")
        self.config = config
        self._path = path
        self._reactor = reactor
        self._read = read or (lambda: config)
        self._in_thread = in_thread or self._in_pool
        self._warnings = _warnings(loaded)
        self._publisher = publisher
        self._started = started or Started(Inherited(), Notifier(reactor, {}))
        self._recent_warnings = RecentWarnings()
        self._signals = Signals(reactor)
        self._terminal = Terminal()
        self._reloads = Reloads(lambda: Deferred.fromCoroutine(self._reload()))
        self._outcomes = Outcomes(reactor, self.log)
        self._started_at = wall_of(reactor)()
        self._stopping = False
        self.console = Console(config.console, reactor, publisher, self.samples, self.status, self._hindrances)
        self.console.setServiceParent(self)
        self._shared = None if config.shared is None else self._join(config.shared)
        self.command: CommandService | None = None
        self._command_has_exited = False
        self.resolvers: dict[str, ResolverService] = {}
        self._sockets: IDatagramSockets = SystemSockets(reactor)
        self._services_reactor = reactor
        self._traffic: OwnTraffic | None = None
        if config.capture.file is not None:
            self._traffic = OwnTraffic(config.capture.file, self._nanoseconds, self._capture_failed)
            self._sockets = TappedSockets(self._sockets, self._traffic)
            self._services_reactor = tapped_reactor(reactor, self._traffic)
        if config.command is not None:
            self.command = self._make_command(config)
            self.command.setServiceParent(self)
        for name in config.resolver:
            self.resolvers[name] = self._make_resolver(name, config, loaded)
            self.resolvers[name].setServiceParent(self)
        self._add_console()

    def _join(self, config: SharedConfig) -> SharedCache:
        """Share what is learned with other labs."""
        from labnet.resolver.shared.store import shared_cache  # needs a package that nobody else does

        shared, connections = shared_cache(config, self._reactor, SystemRandom())
        shared.invalidated = self._invalidated
        connections.setServiceParent(self)
        return shared

    def _invalidated(self, flush: Flush) -> None:
        """Another lab says what is to be forgotten."""
        for resolver in self.resolvers.values():
            if flush.resolver in (None, resolver.title):
                resolver.forget(ROOT if flush.name is None else flush.name)

    def _make_command(self, config: Config) -> CommandService:
        assert config.command is not None
        return CommandService(config.command, self._services_reactor, self._command_exited)

    def _make_resolver(self, name: str, config: Config, loaded: Mapping[str, Loaded]) -> ResolverService:
        own = self._resolver_config(name, config)
        made = ResolverService(name, own, loaded[name], self._services_reactor, self._surroundings(name))
        made.counts.log = self.console.query_log
        return made

    def _surroundings(self, resolver: str) -> Surroundings:
        """What the ``resolver`` of this name uses of this process."""
        return Surroundings(self._sockets, shared=self._shared)

    def _resolver_config(self, name: str, config: Config) -> ResolverConfig:
        if self._traffic is None:
            return config.resolver[name]
        # A batch port answers what it knows by itself, past any protocol that could be tapped.
        return config.resolver[name].model_copy(update={"batch": False})

    def _add_console(self) -> None:
        """What looks at the lab and tells it what to do, as children of it."""
        FileWatch(self._reactor, self._watched, self.reload).setServiceParent(self)
        if self.config.console.control is not None:
            control = ControlServer(self.config.console.control, actions_of(cast(IControlled, self)), self._reactor)
            control.setServiceParent(self)

    def _watched(self) -> Iterable[str]:
        return watched_files(self.config, self._path) if self.config.lab.watch else ()

    def privilegedStartService(self) -> None:
        _raise_open_files_limit()
        try:
            super().privilegedStartService()
        except StartError as error:
            # sys.stderr is the log by now; who started this in the foreground reads it on the real one.
            print(error, file=sys.__stderr__)
            raise
        sockets = [host_and_port(port) for port in self._ports()[0]]
        self._started.hand_over(self._state_folder(), [path for path, number in sockets if not number])

    def startService(self) -> None:
        self.console.open()
        self._publisher.addObserver(self._recent_warnings)
        if self._traffic is not None:
            self._traffic.open()
        super().startService()
        self._signals.catch(signal.SIGHUP, self._hung_up)
        self._outcomes.warn(self._warnings)
        for line in to_try(*self._ports()):
            self.log.info("{line}", line=line, event="lab.listens")
        self._started.warn_of_unused()
        self._started.notifier.ready(self._serving())

    def _state_folder(self) -> str | None:
        """The folder that something of this lab's is written to, if there is any."""
        config = self.config
        console = config.console
        files = [config.capture.file, console.control, console.log, console.query_log]
        files += [resolver.learned for resolver in config.resolver.values()]
        state = config.lab.state + os.sep
        return config.lab.state if any(file is not None and file.startswith(state) for file in files) else None

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed, and the capture of what passed through them.

        Before that, questions in flight are answered and sessions told; a second signal, or the end of ``grace``, ends
        that at once.
        """
        self._stopping = True
        self._reloads.stop()
        if not self.running:
            return self._close(None)
        self._started.notifier.stopping(self.config.lab.grace + CLOSING)
        drains = [service.drain for service in (self.command, *self.resolvers.values()) if service is not None]
        ending = Ending(self._reactor, self._signals, self.config.lab.grace)
        return ending.drain(drains).addCallback(self._close)

    def _close(self, _: object) -> Deferred[None]:
        return maybeDeferred(super().stopService).addBoth(self._stopped)

    def _stopped(self, result: object) -> None:
        if self._traffic is not None:
            self._traffic.close()
        self._signals.give_back()
        self._started.notifier.close()
        with contextlib.suppress(ValueError):
            self._publisher.removeObserver(self._recent_warnings)
        self.console.close()
        if isinstance(result, Failure):
            result.raiseException()

    def reload(self) -> Deferred[list[str]]:
        """Read the configuration and all files again and take them in one step.

        Fires with what is wrong, each in a sentence, where nothing was changed; else with nothing. What cannot change
        without a restart stays, and is said in the log.
        """
        return self._reloads.request()

    def _hung_up(self) -> None:
        if self._terminal.is_gone:
            self._reactor.stop()
        else:
            self.reload()

    async def _reload(self) -> list[str]:
        problems: list[str] = []
        self._started.notifier.reloading()
        try:
            config, loaded = await self._in_thread(lambda: load_lab(self._read, self._reactor.seconds()))
            if self._stopping:
                return [STOPPING]
            await self._take(config, loaded)
        except ConfigError as error:
            problems += error.problems
        except StartError as error:
            problems.append(str(error).removeprefix("labnet: "))
        except Exception:
            self.log.failure("the reload failed", event="reload.broken")
            problems.append("the reload failed by a fault in labnet itself; the log has it")
        self._outcomes.tell(problems)
        not_reloaded = f"not reloaded: {problems[0]}; goes on " if problems else ""
        self._started.notifier.ready(not_reloaded + self._serving())
        return problems

    async def _take(self, wanted: Config, loaded: Mapping[str, Loaded]) -> None:
        """Go over to ``wanted``, or raise :class:`~labnet.interfaces.StartError` with nothing changed."""
        listened = set(to_try(*self._ports()))
        changes = partial(self._changes, loaded=loaded)
        self.config, warnings = await change_over(self.config, wanted, changes, self._listening_as, self._reactor)
        self._outcomes.warn(warnings + _warnings(loaded))
        for line in to_try(*self._ports()):
            if line not in listened:
                self.log.info("{line}", line=line, event="lab.listens")

    def _changes(self, config: Config, loaded: Mapping[str, Loaded]) -> Iterator[Callable[[], IChange]]:
        """What has to be done for ``config``, each step still to be prepared; nothing, once the lab stops."""
        if self._stopping:
            return
        grace = config.lab.grace
        for name, resolver in list(self.resolvers.items()):
            if name in config.resolver:
                yield partial(resolver.prepare, self._resolver_config(name, config), loaded[name])
            else:
                yield partial(Leaving, resolver, self._reactor, grace, partial(self.resolvers.pop, name))
        for name in config.resolver:
            if name not in self.resolvers:
                made = self._make_resolver(name, config, loaded)
                yield partial(Joining, made, self, partial(self.resolvers.__setitem__, name, made))
        if self._command_has_exited:
            return
        if self.command is not None and config.command is not None:
            yield partial(self.command.prepare, config.command)
        elif self.command is not None:
            yield partial(Leaving, self.command, self._reactor, grace, partial(setattr, self, "command", None))
        elif config.command is not None:
            command = self._make_command(config)
            yield partial(Joining, command, self, partial(setattr, self, "command", command))

    def _listening_as(self, config: Config) -> Iterator[Callable[[], IChange]]:
        """Have the services that run listen as ``config`` says; all else about them stays."""
        for name, resolver in self.resolvers.items():
            yield partial(resolver.prepare, self._resolver_config(name, config), None)
        if self.command is not None and config.command is not None and not self._command_has_exited:
            yield partial(self.command.prepare, config.command)

    def samples(self) -> Iterator[Sample]:
        yield from self.console.samples()
        yield from self._outcomes.samples()
        for service in (self.command, *self.resolvers.values(), self._shared):
            if service is not None:
                yield from service.samples()

    def status(self) -> dict[str, Any]:
        """How the lab is, for JSON: points in time are epoch seconds, ``uptime`` is in seconds."""
        services: list[dict[str, Any]] = []
        if self.command is not None:
            state = "closed by EXIT" if self._command_has_exited else "running"
            services.append({"name": "command", "kind": "command", "state": state})
            services[-1]["listeners"] = [shown(port) for port in self.command.ports]
        for resolver in self.resolvers.values():
            listeners = [shown(port) for port in resolver.ports]
            services.append({"kind": "resolver", "state": "running", "listeners": listeners, **resolver.status()})
        return {
            "version": version(),
            "pid": os.getpid(),
            "config": self._path,
            "started": self._started_at,
            "uptime": self._reactor.seconds() - self._started_at,
            "reload": self._outcomes.status(),
            "services": services,
            "troubles": self._recent_warnings.last(),
        }

    def flush(self, name: str) -> int:
        """Drop what every resolver learned about ``name`` and the names below it; how many answers that were."""
        if self._shared is not None:
            self._shared.flush(Flush(key_of(name), None))
        return sum(resolver.flush(name) for resolver in self.resolvers.values())

    def dump(self, resolver: str | None = None) -> Iterator[str]:
        """What the ``resolver``, or each in turn, has learned, a line for each record. Raises ValueError."""
        if resolver is None:
            return (line for each in self.resolvers.values() for line in (f"; resolver {each.title}", *each.dump()))
        if resolver not in self.resolvers:
            raise ValueError(f"there is no resolver {resolver!r}: there are {', '.join(self.resolvers) or 'none'}")
        return self.resolvers[resolver].dump()

    def _hindrances(self) -> list[str]:
        """Why no client should be sent here now."""
        if self._stopping:
            return [STOPPING]
        return [] if self.running else ["the lab is starting"]

    def _in_pool(self, work: Callable[[], Lab]) -> Deferred[Lab]:
        reactor: Any = self._reactor
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    def _nanoseconds(self) -> int:
        return round(wall_of(self._reactor)() * 1_000_000_000)

    def _capture_failed(self, why: str) -> None:
        self.log.warn("{why}", why=why, event="capture.failed")

    def _ports(self) -> tuple[list[IListeningPort], list[tuple[str, IListeningPort]]]:
        """The ports of the command server, and those of the resolvers behind their names."""
        command = [*self.command.ports] if self.command is not None else []
        return command, [(name, port) for name, resolver in self.resolvers.items() for port in resolver.ports]

    def _serving(self) -> str:
        """What listens where, in one line."""
        command, resolvers = self._ports()
        ports = [*(("command", port) for port in command), *resolvers]
        return "serving " + (", ".join(f"{name} on {shown(port)}" for name, port in ports) or "nobody")

    def _command_exited(self) -> None:
        self._command_has_exited = True
        if self.resolvers:
            self.log.info("the command server is closed; the other services go on", event="command.exited")
        else:
            self._reactor.stop()


def _warnings(loaded: Mapping[str, Loaded]) -> list[str]:
    return [warning for files in loaded.values() for warning in files.warnings]


def _raise_open_files_limit() -> None:
    """A connection is a file; the usual soft limit of 1024 would be the lab's limit on clients."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
