"""A running lab's new configuration: read and checked whole, one reload at a time, and what asks for one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.config.reading import Config, ConfigError
from labnet.config.resolver import ResolverConfig
from labnet.metrics import Sample
from labnet.net.clocks import until_next, wall_of
from labnet.resolver.cache.logs import DNS_LOG_SUFFIX
from labnet.resolver.filtering.loading import list_files
from labnet.resolver.loading.files import RESOLV_CONF, load_files
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.loading.reading import Reading, ReadingEnded
from labnet.resolver.settings import every_parent
from labnet.values.listeners import TLSListen

POLL: Final = 1.0
"""Seconds between two looks at the watched files; a change is taken once a look has found no further one."""

LONGEST_CHANGE: Final = 5.0
"""Seconds after which a change is taken that does not come to an end: a file that is written to all the time."""

STOPPING: Final = "the lab is stopping"
"""Why a reload that comes too late does not happen."""


def load_lab(
    read: Callable[[], Config], now: float, reading: Reading | None = None
) -> tuple[Config, dict[str, Loaded]]:
    """The configuration that ``read`` gives, and the files of every resolver in it.

    ``now`` (epoch seconds) is when records count as loaded. Raises :class:`~labnet.config.reading.ConfigError` with
    everything that is wrong in the configuration and in any of the files, also where ``reading`` is cancelled or takes
    too long.
    """
    reading = reading or Reading()
    try:
        return _load_lab(read, now, reading)
    except ReadingEnded as error:
        raise ConfigError([str(error)]) from None


def _load_lab(read: Callable[[], Config], now: float, reading: Reading) -> tuple[Config, dict[str, Loaded]]:
    try:
        config = read()
    except ConfigError as error:
        errors = [says for resolver in error.readable for says in load_files(resolver, now, reading).errors]
        raise ConfigError([*error.problems, *errors]) from None
    loaded = {name: load_files(resolver, now, reading) for name, resolver in config.resolver.items()}
    errors = list(shared_files(config))
    errors += [error for files in loaded.values() for error in files.errors]
    if errors:
        del loaded  # an error keeps what its frame has, until all garbage is collected
        raise ConfigError(errors)
    return config, loaded


def shared_files(config: Config) -> Iterator[str]:
    """Where two parts of ``config`` would write to the same file, or one to what another reads: a sentence each."""
    console = config.console
    written = [
        *((f"resolver.{name}.learned", resolver.learned) for name, resolver in config.resolver.items()),
        *(
            (f"resolver.{name}.learned (its DNS log)", resolver.learned + DNS_LOG_SUFFIX)
            for name, resolver in config.resolver.items()
            if resolver.learned is not None
        ),
        ("capture.file", config.capture.file),
        ("console.log", console.log),
        ("console.query_log", console.query_log),
        ("console.session_log", console.session_log),
        ("console.control", console.control),
    ]
    writers: dict[str, str] = {}
    for key, path in written:
        if path is not None and not path.startswith("/dev/"):
            first = writers.setdefault(os.path.realpath(path), key)
            if first != key:
                yield f"{key}: {first} writes to {path} already; name another file"
    for name, resolver in config.resolver.items():
        read = [(f"resolver.{name}.records", file.path) for file in resolver.records]
        read += [(f"resolver.{name}.block", file) for file in list_files(resolver.block.values())]
        for key in ("hints", "trust_anchors"):
            path = getattr(resolver, key)
            read += [(f"resolver.{name}.{key}", path)] if path is not None else []
        for key, path in read:
            writer = writers.get(os.path.realpath(path))
            if writer is not None and writer != f"resolver.{name}.learned":
                yield f"{key}: {writer} writes to {path}; name another file"


class Reloads:
    """Runs ``reload`` (problems, or none where it is done), one at a time.

    Whoever asks while one runs waits for one more, which sees what has changed since; however many ask, it is one.
    """

    def __init__(self, reload: Callable[[], Deferred[list[str]]]) -> None:
        self._reload = reload
        self._waiting: list[Deferred[list[str]]] = []
        self._runs = False
        self._stopped = False

    @property
    def is_busy(self) -> bool:
        """Whether a reload is under way and none waits for its end yet."""
        return self._runs and not self._waiting

    def request(self) -> Deferred[list[str]]:
        """Fires with what is wrong where nothing was changed, or with nothing; it fails only as ``reload`` does."""
        if self._stopped:
            return succeed([STOPPING])
        asked: Deferred[list[str]] = Deferred()
        self._waiting.append(asked)
        if not self._runs:
            self._run()
        return asked

    def stop(self) -> None:
        """No further reload begins; everyone who waits for one gets that as the problem."""
        self._stopped = True
        waiting, self._waiting = self._waiting, []
        for asked in waiting:
            asked.callback([STOPPING])

    def _run(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._runs = True
        maybeDeferred(self._reload).addBoth(self._ran, waiting)

    def _ran(self, result: list[str] | Failure, waiting: list[Deferred[list[str]]]) -> None:
        self._runs = False
        if self._waiting:
            self._run()
        for asked in waiting:
            asked.callback(result)


class Outcomes:
    """What became of the reloads; each problem and warning is logged once, as long as it lasts."""

    def __init__(self, clock: IReactorTime, log: Logger) -> None:
        self.problems: list[str] = []
        self._clock = clock
        self._log = log
        self._at: float | None = None
        self._done = self._failed = 0
        self._warnings: list[str] = []

    def tell(self, problems: list[str]) -> None:
        """A reload is over; with ``problems`` it has changed nothing."""
        before, self.problems = self.problems, problems
        self._at = wall_of(self._clock)()
        if not problems:
            self._done += 1
            self._log.info("the lab was reloaded", event="reload.done")
            return
        self._failed += 1
        for problem in problems:
            if problem not in before:
                self._log.error("{problem}", problem=problem, event="reload.problem")
        self._log.error(
            "the lab was not reloaded and goes on as it was: {count} problem(s), as labnet check says them",
            count=len(problems),
            event="reload.failed",
        )

    def warn(self, warnings: list[str]) -> None:
        """All that is doubtful in what runs now."""
        before, self._warnings = self._warnings, warnings
        for warning in warnings:
            if warning not in before:
                self._log.warn("{says}", says=warning, event="lab.warning")

    def samples(self) -> Iterator[Sample]:
        yield Sample("labnet_reloads_total", ("done",), self._done)
        yield Sample("labnet_reloads_total", ("failed",), self._failed)

    def status(self) -> dict[str, Any]:
        """For JSON: when the last one was (epoch seconds, or None), what was wrong, and how many there were."""
        return {"at": self._at, "problems": self.problems, "done": self._done, "failed": self._failed}


class FileWatch(Service):
    """Calls ``changed`` once after any of ``paths`` has changed and then stayed the same for :data:`POLL` seconds.

    Where something goes on changing it is called every :data:`LONGEST_CHANGE` seconds all the same.

    It polls, so that files on other machines and those that an editor puts in another's place are seen as well.
    """

    def __init__(self, clock: IReactorTime, paths: Callable[[], Iterable[str]], changed: Callable[[], object]) -> None:
        self._clock = clock
        self._paths = paths
        self._changed = changed
        self._call: IDelayedCall | None = None
        self._known: dict[str, tuple[int, ...]] = {}
        self._seen: dict[str, tuple[int, ...]] = {}
        self._changing_since: float | None = None

    def startService(self) -> None:
        super().startService()
        self._known = self._seen = self._look()
        self._call = self._clock.callLater(until_next(self._clock, POLL), self._poll)

    def stopService(self) -> None:
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _poll(self) -> None:
        self._call = self._clock.callLater(until_next(self._clock, POLL), self._poll)
        before, self._seen = self._seen, self._look()
        # A path that is new in the configuration was read by the reload that brought it.
        self._known = {path: self._known.get(path, found) for path, found in self._seen.items()}
        if self._seen == self._known:
            self._changing_since = None
            return
        now = self._clock.seconds()
        if self._changing_since is None:
            self._changing_since = now
        if self._seen == before or now - self._changing_since >= LONGEST_CHANGE:
            self._known, self._changing_since = self._seen, None
            self._changed()

    def _look(self) -> dict[str, tuple[int, ...]]:
        return {path: _identity(path) for path in self._paths()}


def watched_files(config: Config, path: str | None) -> Iterator[str]:
    """What a reload of the configuration at ``path`` reads, but for the logs that the lab itself writes."""
    if path is not None:
        yield path
    for resolver in config.resolver.values():
        yield from (file.path for file in resolver.records if file.path != resolver.learned)
        yield from list_files(resolver.block.values())
        yield from (path for path in (resolver.hints, resolver.ca, resolver.trust_anchors) if path is not None)
        for listen in resolver.listen:
            yield from filter(None, listen.files if isinstance(listen, TLSListen) else ())
    if any(map(uses_system, config.resolver.values())):
        yield RESOLV_CONF


def uses_system(resolver: ResolverConfig) -> bool:
    """Whether any parent of ``resolver`` is one of the system's servers."""
    return any(parent.kind == "system" for parent in every_parent(resolver))


def waits_for_system(config: Config, loaded: Mapping[str, Loaded]) -> bool:
    """Whether a resolver asks the system's servers, and the system has ``loaded`` none yet."""
    return any(uses_system(resolver) and not loaded[name].system for name, resolver in config.resolver.items())


def _identity(path: str) -> tuple[int, ...]:
    try:
        stat = os.stat(path)
    except OSError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
