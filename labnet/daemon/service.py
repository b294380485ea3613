"""The one place where the lab is put together."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from zope.interface import implementer

from labnet.command.service import CommandService
from labnet.config.reading import Config
from labnet.config.resolver import ResolverConfig
from labnet.config.services import SharedConfig
from labnet.console.control import CLOSED_BY_EXIT
from labnet.daemon.base import (
    COMMAND_SERVER_IS_OPEN,
    NO_COMMAND_SERVER,
    BaseService,
    Environment,
    said_to_the_user,
)
from labnet.daemon.running.changeover import Joining, Leaving, change_over
from labnet.daemon.running.ending import Ending
from labnet.daemon.running.faults import LabFaults
from labnet.daemon.running.listen_addresses import LISTENS, host_and_port, shown, to_try
from labnet.daemon.running.operating import operate
from labnet.daemon.running.reload import STOPPING
from labnet.daemon.running.views import Views
from labnet.interfaces import IChange, IDatagramSockets, IMeasured, IReactor, StartError
from labnet.metrics import Sample
from labnet.net.clocks import wall_of
from labnet.net.datagrams import SystemSockets
from labnet.net.kernel.open_files import raise_open_files_limit
from labnet.resolver.learning import Learning
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.service import ResolverService, Surroundings
from labnet.resolver.shared.values import Flush
from labnet.wire.names import ROOT, key_of_shown

if TYPE_CHECKING:
    from labnet.capture.record.own_traffic import OwnTraffic
    from labnet.faults.switchboard import Switchboard
    from labnet.resolver.shared.cache import SharedCache


_ORDINARY: Final = Environment()

CLOSING: Final = 5.0
"""Seconds that closing everything may take, after what was in flight has had its grace."""


@implementer(IMeasured)
class LabService(BaseService):
    """Everything that runs in one process: the command server and any number of resolvers.

    Its children own the welcome ports, the connections with their time-outs, and the questions to the parents; when it
    stops, all of them are closed. When EXIT has closed the command server and nothing else runs, the reactor stops.
    """

    def __init__(
        self,
        config: Config,
        loaded: Mapping[str, Loaded],
        reactor: IReactor,
        read: Callable[[], Config] | None = None,
        path: str | None = None,
        environment: Environment = _ORDINARY,
    ) -> None:
        super().__init__(config, loaded, reactor, read, path, environment)
        self._shared = None if config.shared is None else self._join(config.shared)
        self.command: CommandService | None = None
        self.resolvers: dict[str, ResolverService] = {}
        self._sockets: IDatagramSockets = SystemSockets(reactor, SystemRandom())
        self._services_reactor = reactor
        self._traffic: OwnTraffic | None = None
        self.faults = LabFaults(self, reactor, self.ring)
        self.ring.mark = self.faults.marked
        self._views = Views(self, reactor)
        self.console.watching.when_command_is_watched(self._watch)
        if config.capture.file is not None:
            # Only a lab that writes a capture needs what writes one.
            from labnet.capture.record import own_traffic
            from labnet.capture.record.tapping import TappedSockets, tapped_reactor

            self._traffic = own_traffic.OwnTraffic(config.capture.file, self._nanoseconds, self._capture_failed)
            self.faults.begun = partial(_remark_faults, self._traffic, reactor)
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
        from labnet.resolver.shared.store import shared_cache  # it needs a package that nothing else does

        shared, connections = shared_cache(config, self._reactor, SystemRandom())
        shared.invalidated = self._invalidated
        connections.setServiceParent(self)
        return shared

    def _invalidated(self, flushes: Collection[Flush]) -> None:
        """Other labs say what is to be forgotten."""
        for resolver in self.resolvers.values():
            keys = [flush.name or ROOT for flush in flushes if flush.resolver in (None, resolver.title)]
            if keys:
                resolver.forget(*keys)

    def _make_command(self, config: Config) -> CommandService:
        assert config.command is not None
        return CommandService(
            config.command, self._services_reactor, self._command_exited, self.console.watching.command
        )

    def _watch(self, watched: bool) -> None:
        """Somebody looks at the lab from now on, or nobody does any more."""
        if self.command is not None:
            self.command.watch(watched)

    def view(self, what: str, arguments: Mapping[str, Any]) -> Any:
        return self._views.view(what, arguments)

    def _make_resolver(self, name: str, config: Config, loaded: Mapping[str, Loaded]) -> ResolverService:
        own = self._resolver_config(name, config)
        made = ResolverService(name, own, loaded[name], self._services_reactor, self._surroundings(name))
        made.counts.log = self.console.query_log
        return made

    def _surroundings(self, resolver: str) -> Surroundings:
        """What the ``resolver`` of this name uses of this process."""
        sockets = self.faults.sockets_for(resolver, self._sockets)
        events, notified = self.console.watching.resolvers, self._notified
        return Surroundings(sockets, shared=self._shared, events=events, notified=notified)

    def _resolver_config(self, name: str, config: Config) -> ResolverConfig:
        if self._traffic is None:
            return config.resolver[name]
        # A batch port answers what it knows by itself, past any protocol that could be tapped.
        return config.resolver[name].model_copy(update={"batch": False})

    def privilegedStartService(self) -> None:
        raise_open_files_limit()
        with said_to_the_user():
            super().privilegedStartService()
        self._started.hand_over(self._state_folder(), self._unix_sockets())

    def _open(self) -> None:
        if self._traffic is not None:
            self._traffic.open()

    def startService(self) -> None:
        super().startService()
        for listening in to_try(*self._ports()):
            self.log.info(LISTENS, **listening._asdict(), event="lab.listens")
        self._started.warn_of_unused()
        for fault in self.config.fault:
            self.faults.order({**fault.given(), "by": "the configuration"})
        self.zones.served()
        self._started.notifier.ready(self._serving())

    def _unix_sockets(self) -> list[str]:
        addresses = [host_and_port(port) for port in self._ports()[0]]
        return [*super()._unix_sockets(), *(path for path, number in addresses if not number)]

    def _state_folder(self) -> str | None:
        """The folder that something of this lab's is written to, if there is any."""
        config = self.config
        console = config.console
        files = [config.capture.file, console.control, console.log, console.query_log, console.session_log]
        files += [resolver.learned for resolver in config.resolver.values()]
        state = config.lab.state + os.sep
        keeps_zones = any(resolver.secondary for resolver in config.resolver.values())
        is_used = keeps_zones or any(file is not None and file.startswith(state) for file in files)
        return config.lab.state if is_used else None

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed, and the capture of what passed through them.

        Before that, questions in flight are answered and sessions ended; a second signal, or the end of ``grace``, ends
        that at once.
        """
        self._end_reloads()
        if not self.running:
            return self._stop_children(None)
        self._started.notifier.stopping(self.config.lab.grace + CLOSING)
        drains = [service.drain for service in (self.command, *self.resolvers.values()) if service is not None]
        ending = Ending(self._reactor, self._signals, self.config.lab.grace)
        return ending.drain(drains).addCallback(self._stop_children)

    def _stop_children(self, _: object) -> Deferred[None]:
        return maybeDeferred(super().stopService).addBoth(self._stopped)

    def _close(self) -> None:
        self.faults.stop()
        if self._traffic is not None:
            self._traffic.close()

    async def _take(self, wanted: Config, loaded: Mapping[str, Loaded]) -> list[str]:
        listened = set(to_try(*self._ports()))
        changes = partial(self._changes, loaded=loaded)
        self.config, warnings = await change_over(self.config, wanted, changes, self._listening_as, self._reactor)
        self._outcomes.warn(warnings + self._doubts(self.config, loaded))
        self.faults.apply()
        if self._command_has_exited:
            self.log.info(
                "the command server stays closed since EXIT: labnet command-server open opens it again",
                event="command.stays-closed",
            )
        for listening in to_try(*self._ports()):
            if listening not in listened:
                self.log.info(LISTENS, **listening._asdict(), event="lab.listens")
        return []

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
        yield from self.faults.samples()
        yield from self.zones.samples()
        for service in (self.command, *self.resolvers.values(), self._shared):
            if service is not None:
                yield from service.samples()

    def status(self) -> dict[str, Any]:
        """How the lab is, for JSON: points in time are epoch seconds, ``uptime`` is in seconds."""
        return self.last_status()

    def last_status(self) -> dict[str, Any]:
        services: list[dict[str, Any]] = []
        if self.command is not None:
            state = CLOSED_BY_EXIT if self._command_has_exited else "running"
            services.append({"name": "command", "kind": "command", "state": state})
            services[-1]["listeners"] = [shown(port) for port in self.command.ports]
        for resolver in self.resolvers.values():
            listeners = [shown(port) if kind == "udp" else f"{kind} {shown(port)}" for kind, port in resolver.all_ports]
            services.append({"kind": "resolver", "state": "running", "listeners": listeners, **resolver.status()})
        shared_up = None if self._shared is None else self._shared.store.is_up
        return self._status(services) | {"shared_up": shared_up, "faults": self.faults.active()}

    def flush(self, name: str) -> int:
        """Drop what every resolver learned about ``name`` and the names below it; how many answers that were."""
        if self._shared is not None:
            self._shared.flush(Flush(key_of_shown(name), None))
        return sum(resolver.flush(name) for resolver in self.resolvers.values())

    def operate(self, do: str, request: dict[str, Any]) -> Any:
        return operate(self.resolvers, do, request, self._shared is not None)

    def open_command_server(self) -> list[str]:
        """Have the command server listen again after an EXIT; what hinders that, each in a sentence."""
        if self.command is None or self.config.command is None:
            return [NO_COMMAND_SERVER]
        if self._stopping or not self._command_has_exited:
            return [STOPPING if self._stopping else COMMAND_SERVER_IS_OPEN]
        try:
            self.command.open(self.config.command)
        except StartError as error:
            return [str(error).removeprefix("labnet: ")]
        self._command_has_exited = False
        for listening in to_try(self.command.ports, ()):
            self.log.info(LISTENS, **listening._asdict(), event="lab.listens")
        return []

    def _dumps(self) -> Mapping[str, Learning]:
        return {name: resolver.learning for name, resolver in self.resolvers.items()}

    def _not_serving(self) -> list[str]:
        return [] if self.running else ["the lab is starting"]

    def _nanoseconds(self) -> int:
        return round(wall_of(self._reactor)() * 1_000_000_000)

    def _capture_failed(self, why: str) -> None:
        self.log.warn("{why}", why=why, event="capture.failed")

    def _ports(self) -> tuple[list[IListeningPort], list[tuple[str, str, IListeningPort]]]:
        """The ports of the command server, and those of the resolvers behind their names and kinds."""
        command = [*self.command.ports] if self.command is not None else []
        ports = [(name, *port) for name, resolver in self.resolvers.items() for port in resolver.all_ports]
        return command, ports

    def _serving(self) -> str:
        """What listens where, in one line."""
        command, resolvers = self._ports()
        ports = [*(("command", port) for port in command), *((name, port) for name, _, port in resolvers)]
        return "serving " + (", ".join(f"{name} on {shown(port)}" for name, port in ports) or "nobody")

    def _command_exited(self) -> None:
        self._command_has_exited = True
        if self.resolvers:
            self.log.info("the command server is closed; the other services go on", event="command.exited")
        else:
            self._reactor.stop()


def _remark_faults(traffic: OwnTraffic, reactor: IReactor, board: Switchboard) -> None:
    """Have the packets of the capture say which fault was done to them.

    Between two of the lab's resolvers a datagram is seen where it leaves, a moment before it comes: at the latest when
    the reactor has looked at its sockets once more, which it does behind what is due.
    """
    traffic.remark_faults(board.done_to, partial(reactor.callLater, 0.1, reactor.callLater, 0))
