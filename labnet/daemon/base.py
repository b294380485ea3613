"""What a lab in one process and the supervisor of several have in common: start, reload, status, and the end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, cast

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger, LogPublisher, globalLogPublisher
from twisted.python.failure import Failure

from labnet.config.reading import Config, ConfigError
from labnet.config.services import ConsoleConfig
from labnet.console.actions import IControlled, actions_of
from labnet.console.control import ControlServer
from labnet.console.ring import Ring
from labnet.console.service import Console, Seen
from labnet.daemon.running.listen_addresses import host_and_port
from labnet.daemon.running.other_zones import OtherZones
from labnet.daemon.running.reach import doubts
from labnet.daemon.running.recent_warnings import RecentWarnings
from labnet.daemon.running.reload import (
    STOPPING,
    FileWatch,
    Outcomes,
    Reloads,
    load_lab,
    waits_for_system,
    watched_files,
)
from labnet.daemon.running.signals import Signals, Terminal
from labnet.daemon.started import Started
from labnet.interfaces import IReactor, StartError
from labnet.metrics import Sample, version
from labnet.net.clocks import wall_of
from labnet.net.opening.systemd import Inherited, Notifier
from labnet.resolver.loading.files import RESOLV_CONF
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.loading.reading import Reading

NO_COMMAND_SERVER: Final = "there is no command server: the configuration has no [command]"
COMMAND_SERVER_IS_OPEN: Final = "the command server is open"
"""Why it is not opened again."""

Lab = tuple[Config, dict[str, Loaded]]
"""A configuration, and what the files of each resolver in it hold."""


class Dumps(Protocol):
    """Something that shows what it learned."""

    def dump(self) -> Iterator[str]:
        """A line for each record that was learned and is valid."""


@dataclass(frozen=True)
class Environment:
    """What a lab uses of the process that it runs in.

    ``in_thread`` is how files are read without holding up the reactor (default: its thread pool), ``started`` is what
    was found at the start of the process, and ``failed`` has it end with status 1 once the reactor has stopped. With
    ``requests`` the log has a line for each of them, for who sits before it. ``keeps_zones`` is False where a
    supervisor has the zones of other servers.
    """

    publisher: LogPublisher = globalLogPublisher
    started: Started | None = None
    in_thread: Callable[[Callable[[], Lab]], Deferred[Lab]] | None = None
    failed: Callable[[], object] = lambda: None
    requests: bool = False
    keeps_zones: bool = True


class BaseService(MultiService):
    """A running ``config``, whose files hold what was ``loaded``.

    ``read`` reads the configuration again for a reload, from the file at ``path`` where it has one; without it only the
    files of the resolvers are read again.
    """

    log = Logger()

    def __init__(
        self,
        config: Config,
        loaded: Mapping[str, Loaded],
        reactor: IReactor,
        read: Callable[[], Config] | None,
        path: str | None,
        environment: Environment,
    ) -> None:
        super().__init__()
        self.setName("labnet")
        self.config = config
        self._reactor = reactor
        self._read = read or (lambda: config)
        self._path = path
        self._in_thread = environment.in_thread or self._in_pool
        self._publisher = environment.publisher
        self._started = environment.started or Started(Inherited(), Notifier(reactor, {}))
        self._warnings = self._doubts(config, loaded)
        self._recent_warnings = RecentWarnings()
        self._signals = Signals(reactor)
        self._terminal = Terminal()
        self._reading = Reading()
        self._reloads = Reloads(lambda: Deferred.fromCoroutine(self._reload()))
        self._outcomes = Outcomes(reactor, self.log)
        self._started_at = wall_of(reactor)()
        self._began = reactor.seconds()
        self._stopping = False
        self._command_has_exited = False
        self._has_ports = False
        self._stop_is_asked = False
        self.ring = Ring(reactor)
        self._waits_for_system = waits_for_system(config, loaded)
        self._reads_anew = False
        self.zones = OtherZones(reactor, self._in_thread_pool, self._zones_changed, environment.keeps_zones)
        """What it has to do with other servers of its zones."""
        self.zones.take(config, loaded)
        seen = self._seen(config.console)
        self.console = Console(
            seen,
            reactor,
            self._publisher,
            self.samples,
            self.last_status,
            self.hindrances,
            Seen(self.ring, self, environment.requests),
        )
        self.console.setServiceParent(self)

    # What differs.

    def _seen(self, config: ConsoleConfig) -> ConsoleConfig:
        """What of ``config`` this process itself shows and writes."""
        return config

    def samples(self) -> Iterable[Sample] | Deferred[Iterable[Sample]]:
        """What was counted."""
        raise NotImplementedError

    def last_status(self) -> dict[str, Any]:
        """How the lab is as far as is known at once, for JSON: points in time are epoch seconds, spans seconds."""
        raise NotImplementedError

    async def _take(self, wanted: Config, loaded: dict[str, Loaded]) -> list[str]:
        """Go over to ``wanted``; what is wrong, each in a sentence. Raises StartError with nothing changed."""
        raise NotImplementedError

    def view(self, what: str, arguments: Mapping[str, Any]) -> Any:
        """What is to be seen of ``what`` (:mod:`labnet.daemon.running.views`), for JSON, or a Deferred of that.

        Raises LookupError with a sentence.
        """
        raise NotImplementedError

    def _serving(self) -> str:
        """What serves, in one line for systemd."""
        raise NotImplementedError

    def _not_serving(self) -> list[str]:
        """Why no client should be sent here yet."""
        raise NotImplementedError

    def _dumps(self) -> Mapping[str, Dumps]:
        """What has learned something, by the resolver's name."""
        raise NotImplementedError

    def _open(self) -> None:
        """Open what is no service, before any service starts; what goes wrong can be logged."""

    def _close(self) -> None:
        """Close what is no service, once every service has stopped."""

    # What is the same.

    def _add_console(self) -> None:
        """Add what watches the files and what takes orders, as children."""
        FileWatch(self._reactor, self._watched, self.reload).setServiceParent(self)
        self.zones.join(self)
        if self.config.console.control is not None:
            control = ControlServer(self.config.console.control, actions_of(cast(IControlled, self)), self._reactor)
            control.setServiceParent(self)

    def privilegedStartService(self) -> None:
        self._has_ports = True
        super().privilegedStartService()

    def startService(self) -> None:
        if not self._has_ports:  # twist has no privileged start
            self.privilegedStartService()
        self.console.open()
        self._publisher.addObserver(self._recent_warnings)
        with said_to_the_user():
            self._open()
            super().startService()
        self._signals.catch(signal.SIGHUP, self._hung_up)
        for number in signal.SIGUSR1, signal.SIGUSR2:
            if signal.getsignal(number) == signal.SIG_DFL:  # twistd has the first one turn its log over
                self._signals.catch(number, partial(self._unasked, signal.Signals(number).name))
        self._outcomes.warn(self._warnings)

    def _stopped(self, result: object) -> None:
        """Every service has stopped, or failed to: ``result`` is a Failure then, and raised at the end."""
        self._close()
        self._signals.give_back()
        self._started.notifier.close()
        with contextlib.suppress(ValueError):
            self._publisher.removeObserver(self._recent_warnings)
        self.console.close()
        if isinstance(result, Failure):
            result.raiseException()

    def reload(self) -> Deferred[list[str]]:
        """Read the configuration and all files again and take them.

        Fires with what is wrong, each in a sentence; then nothing was changed, unless it is said of a single worker.
        What cannot change without a restart stays, and is said in the log.
        """
        if self._reloads.is_busy and not self._stopping:
            self.log.info(
                "a reload waits for the one before it, which is at {path}",
                path=self._reading.path or "the configuration",
                event="reload.waits",
            )
        self._reads_anew = True
        return self._reloads.request()

    def _zones_changed(self) -> None:
        """Serve what other servers have given: the files are read again, by the configuration that runs."""
        self._reloads.request()

    def transfer(self, name: str | None) -> Deferred[list[list[Any]]]:
        """Have the zone of this ``name``, or all that other servers have, asked for: :meth:`OtherZones.transfer`."""
        return self.zones.transfer(name)

    def _notified(self, resolver: str, zone: bytes, serial: int | None, host: str) -> None:
        """The primary at ``host`` has told ``resolver`` that its ``zone`` is a newer one."""
        self.zones.notified(resolver, zone, serial, host)

    def log_level(self, level: str | None) -> str:
        """Have the log tell what is of ``level`` and above; None changes nothing. The level. Raises ValueError."""
        return self.console.log_level(level)

    def stop(self) -> None:
        """End the process in the reactor's next turn, as SIGTERM does; who asked gets an answer before."""
        if not (self._stopping or self._stop_is_asked):
            self._stop_is_asked = True
            self._reactor.callLater(0, self._reactor.stop)

    def _end_reloads(self) -> None:
        """No further reload begins, and one that reads files ends: the reactor's threads are waited for at the end."""
        self._stopping = True
        self._reading.cancel()
        self._reloads.stop()

    async def _reload(self) -> list[str]:
        problems: list[str] = []
        self._started.notifier.reloading()
        try:
            self._reading = reading = Reading()
            running = self.config
            read = self._read if self._reads_anew else lambda: running
            self._reads_anew = False
            config, loaded = await self._in_thread(lambda: load_lab(read, self._reactor.seconds(), reading))
            if self._stopping:
                return [STOPPING]
            waits = waits_for_system(config, loaded)
            problems += await self._take(config, loaded)
            if not problems:
                self._waits_for_system = waits
                self.zones.take(self.config, loaded)
                if self.running and self.zones.join(self):
                    self.zones.served()
        except ConfigError as error:
            problems += [STOPPING] if self._stopping else error.problems
        except StartError as error:
            problems.append(str(error).removeprefix("labnet: "))
        except Exception:
            self.log.failure("the reload failed", event="reload.broken")
            problems.append("the reload failed by a fault in labnet itself; the log has it")
        self._outcomes.tell(problems)
        not_reloaded = f"not reloaded: {problems[0]}; goes on " if problems else ""
        self._started.notifier.ready(not_reloaded + self._serving())
        return problems

    def _hung_up(self) -> None:
        if self._terminal.is_gone:
            self._reactor.stop()
        else:
            self.reload()

    def _unasked(self, name: str) -> None:
        self.log.info("{name} asks for nothing here: see labnet --help", name=name, event="lab.signal-ignored")

    def _status(self, services: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "version": version(),
            "pid": os.getpid(),
            "config": self._path,
            "started": self._started_at,
            "uptime": self._reactor.seconds() - self._began,
            "reload": self._outcomes.status(),
            "services": services,
            "troubles": self._recent_warnings.last(),
            "page": self.console.page,
            "secondary": self.zones.status(),
        }

    def dump(self, resolver: str | None = None) -> Iterator[str]:
        """What the ``resolver``, or each in turn, has learned, a line for each record. Raises ValueError."""
        found = self._dumps()
        if resolver is None:
            return (line for name, each in found.items() for line in (f"; resolver {name}", *each.dump()))
        if resolver not in found:
            raise ValueError(f"there is no resolver {resolver!r}: there are {', '.join(found) or 'none'}")
        return found[resolver].dump()

    @property
    def started_at(self) -> float:
        """When the lab started, by the time of day."""
        return self._started_at

    @property
    def command_is_open(self) -> bool:
        """Whether the command server listens: no EXIT has closed it."""
        return not self._command_has_exited

    def hindrances(self) -> list[str]:
        """Why no client should be sent here now, each reason in a sentence."""
        return [STOPPING] if self._stopping else self._not_serving()

    def _unix_sockets(self) -> list[str]:
        """The paths of the UNIX sockets that are open by the end of the privileged start."""
        addresses = [host_and_port(port) for port in self.console.ports]
        return [path for path, number in addresses if not number]

    def _doubts(self, config: Config, loaded: Mapping[str, Loaded]) -> list[str]:
        """What is to be warned of before ``config`` runs."""
        return warnings_of(config, loaded)

    def _watched(self) -> Iterable[str]:
        if self.config.lab.watch:
            return watched_files(self.config, self._path)
        return (RESOLV_CONF,) if self._waits_for_system else ()

    def _in_pool(self, work: Callable[[], Lab]) -> Deferred[Lab]:
        return self._in_thread_pool(work)

    def _in_thread_pool(self, work: Callable[[], Any]) -> Deferred[Any]:
        reactor: Any = self._reactor
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)


@contextlib.contextmanager
def said_to_the_user() -> Iterator[None]:
    """Whatever cannot be opened is said to a user in the foreground too: ``sys.stderr`` may be the log by now."""
    try:
        yield
    except StartError as error:
        if sys.stderr is not sys.__stderr__:
            print(error, file=sys.__stderr__)
        raise


def warnings_of(config: Config, loaded: Mapping[str, Loaded]) -> list[str]:
    """All that is doubtful in a configuration and in the files of its resolvers."""
    return [*doubts(config), *(warning for files in loaded.values() for warning in files.warnings)]
