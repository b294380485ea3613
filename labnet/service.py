"""The one place where the lab is put together."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.capture.own import OwnTraffic
from labnet.capture.tapping import TappedSockets, tapped_reactor
from labnet.command.service import CommandService
from labnet.config import Config, ConfigError
from labnet.interfaces import IDatagramSockets, IReactor, StartError
from labnet.resolver.loading import Loaded, load_files
from labnet.resolver.service import ResolverService
from labnet.resolver.sockets import SystemSockets


def load_lab(read: Callable[[], Config], now: float) -> tuple[Config, dict[str, Loaded]]:
    """The configuration that ``read`` gives, and the files of every resolver in it.

    ``now`` (epoch seconds) is when records count as loaded. Raises :class:`~labnet.config.ConfigError` with everything
    that is wrong in the configuration and in any of the files.
    """
    try:
        config = read()
    except ConfigError as error:
        errors = [says for resolver in error.readable for says in load_files(resolver, now).errors]
        raise ConfigError([*error.problems, *errors]) from None
    loaded = {name: load_files(resolver, now) for name, resolver in config.resolver.items()}
    errors = [error for files in loaded.values() for error in files.errors]
    if errors:
        raise ConfigError(errors)
    return config, loaded


class LabService(MultiService):
    """Everything that runs in one process: the command server and any number of resolvers.

    Its children own the welcome ports, the connections with their time-outs, and the questions to the parents; when it
    stops, all of them are closed. When EXIT has closed the command server and nothing else runs, the reactor stops.
    """

    log = Logger()

    def __init__(self, config: Config, loaded: Mapping[str, Loaded], reactor: IReactor) -> None:
        super().__init__()
        self.setName("labnet")
        self._reactor = reactor
        self._loaded = loaded
        self.command: CommandService | None = None
        self.resolvers: dict[str, ResolverService] = {}
        sockets: IDatagramSockets = SystemSockets(reactor)
        self._traffic: OwnTraffic | None = None
        if config.capture.file is not None:
            self._traffic = OwnTraffic(config.capture.file, self._nanoseconds, self._capture_failed)
            sockets = TappedSockets(sockets, self._traffic)
            reactor = tapped_reactor(reactor, self._traffic)
        if config.command is not None:
            self.command = CommandService(config.command, reactor, self._command_exited)
            self.command.setServiceParent(self)
        for name, resolver in config.resolver.items():
            if self._traffic is not None:
                # A batch port answers what it knows by itself, past any protocol that could be tapped.
                resolver = resolver.model_copy(update={"batch": False})
            self.resolvers[name] = ResolverService(name, resolver, loaded[name], reactor, sockets)
            self.resolvers[name].setServiceParent(self)

    def privilegedStartService(self) -> None:
        _raise_open_files_limit()
        try:
            super().privilegedStartService()
        except StartError as error:
            # sys.stderr is the log by now; who started this in the foreground reads it on the real one.
            print(error, file=sys.__stderr__)
            raise

    def startService(self) -> None:
        if self._traffic is not None:
            self._traffic.open()
        super().startService()
        for files in self._loaded.values():
            for warning in files.warnings:
                self.log.warn("{warning}", warning=warning)
        self._loaded = {}
        for line in self._listeners():
            self.log.info("{line}", line=line)

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed, and the capture of what passed through them."""
        return maybeDeferred(super().stopService).addBoth(self._stopped)

    def _stopped(self, result: object) -> None:
        if self._traffic is not None:
            self._traffic.close()
        if isinstance(result, Failure):
            result.raiseException()

    def _nanoseconds(self) -> int:
        return round(self._reactor.seconds() * 1_000_000_000)

    def _capture_failed(self, why: str) -> None:
        self.log.warn("{why}", why=why)

    def _listeners(self) -> Iterator[str]:
        """What listens where, with a command to try for each."""
        for port in self.command.ports if self.command else ():
            host, number = _host_and_port(port.getHost())
            if number:
                yield f"command server listens on {host}:{number} (TCP); try: labnet command {host} {number} TIME"
            else:
                yield f"command server listens on {host} (UNIX); try: nc -U {host}"
        for name, resolver in self.resolvers.items():
            for port in resolver.ports:
                host, number = _host_and_port(port.getHost())
                yield f"resolver {name} listens on {host}:{number} (UDP, TCP); try: labnet resolve {host} {number} NAME"

    def _command_exited(self) -> None:
        if self.resolvers:
            self.log.info("the command server is closed; the other services go on")
        else:
            self._reactor.stop()


def _host_and_port(address: object) -> tuple[str, int]:
    """Where a port listens; a UNIX socket has its path for a host."""
    name = os.fsdecode(getattr(address, "name", b""))
    return getattr(address, "host", name), getattr(address, "port", 0)


def _raise_open_files_limit() -> None:
    """A connection is a file; the usual soft limit of 1024 would be the lab's limit on clients."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
