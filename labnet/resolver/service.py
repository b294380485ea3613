"""One resolver, wired: records, what was learned, parents, port."""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from labnet.config import ResolverConfig
from labnet.interfaces import IReactor, StartError
from labnet.resolver.cache import Cache
from labnet.resolver.learned import LearnedLog
from labnet.resolver.listener import ResolverProtocol
from labnet.resolver.model import Mapping
from labnet.resolver.parent import MOST_BYTES, TextParent
from labnet.resolver.records import Records, parse_records
from labnet.resolver.recursion import Resolver
from labnet.resolver.text import Dialect
from labnet.resolver.zone import Zone


@dataclass(slots=True)
class Loaded:
    """The files of one resolver, read.

    ``errors`` keep it from starting, ``warnings`` do not; each names file and line.
    """

    static: list[Mapping] = field(default_factory=list)
    learned: list[Mapping] = field(default_factory=list)
    lines: int = 0
    cut: bool = False
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def load_files(config: ResolverConfig, now: float) -> Loaded:
    """Read the records files and the log of learned mappings that ``config`` names; ``now`` in epoch seconds."""
    loaded = Loaded()
    files = list(config.records)
    if config.learned is not None and config.learned not in files:
        files.append(config.learned)
    for path in files:
        is_log = path == config.learned
        records = _read(path, now, is_log, path in config.records, loaded)
        loaded.static += records.static
        loaded.learned += records.learned
        if is_log:
            loaded.lines, loaded.cut = len(records.learned), records.cut
    return loaded


def _read(path: str, now: float, is_log: bool, is_records: bool, loaded: Loaded) -> Records:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        if is_records:
            loaded.errors.append(f"{path}: there is no such file")
        return Records()
    except OSError as error:
        loaded.errors.append(f"{path}: cannot be read: {error.strerror}")
        return Records()
    records = parse_records(content, now, log=is_log)
    for problem in records.problems:
        # A log is nobody's work: a line in it that cannot be read costs that line, not the start.
        harmless = problem.warning or not is_records
        (loaded.warnings if harmless else loaded.errors).append(f"{path}:{problem.line}: {problem.says}")
    return records


class ResolverService(Service):
    """The resolver ``name``: listens as ``config`` says and answers from ``loaded`` and its parents."""

    def __init__(self, name: str, config: ResolverConfig, loaded: Loaded, reactor: IReactor) -> None:
        self.setName(name)
        self._config = config
        self._reactor = reactor
        self._loaded: Loaded | None = loaded
        self._ports: list[IListeningPort] = []
        self._cache = Cache(config.cache_names)
        self._cache.learn_all(loaded.learned, reactor.seconds())
        self._log = None
        if config.learned is not None:
            self._log = LearnedLog(config.learned, lambda: self._cache.valid(reactor.seconds()))
        self._log_state = (loaded.lines, loaded.cut)
        parents = [
            TextParent(parent.host, parent.port, config.parent_timeout, config.parent_tries, reactor)
            for parent in config.parents
        ]
        self._resolver = Resolver(Zone(loaded.static), self._cache, parents, self._log, reactor, config.default_ttl)

    @property
    def ports(self) -> tuple[IListeningPort, ...]:
        """The UDP ports that are open."""
        return tuple(self._ports)

    def privilegedStartService(self) -> None:
        dialect = Dialect(
            json=self._config.dialect == "json",
            end="\n" if self._config.newline else "",
            unknown=self._config.unknown,
        )
        for listen in self._config.listen:
            protocol = ResolverProtocol(self._resolver, dialect)
            try:
                port = self._reactor.listenUDP(listen.port, protocol, listen.interface, MOST_BYTES)
            except CannotListenError as error:
                raise StartError(str(listen), error) from None
            self._ports.append(port)

    def startService(self) -> None:
        super().startService()
        if self._log is not None:
            self._log.open(*self._log_state)

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed; who still waits for an answer gets the one for an unknown name."""
        super().stopService()
        self._resolver.stop()
        ports, self._ports = self._ports, []
        if self._log is not None:
            self._log.close()
        return gatherResults([maybeDeferred(port.stopListening) for port in ports]).addCallback(lambda _: None)
