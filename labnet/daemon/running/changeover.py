"""From one configuration to another while the lab runs: everything is prepared, then all of it is taken in one step."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from labnet.config.reading import Config, secondary_folder
from labnet.interfaces import IChange, StartError

Changes = Callable[[Config], Iterable[Callable[[], IChange]]]
"""What has to be prepared for a configuration."""

_MOMENT: Final = 0.01
"""Seconds in which a port that closes in the reactor's next turn has closed."""

_PATHS: Final = ("learned", "file", "control", "log", "query_log", "session_log")
"""The keys of all tables that name a file below `state`."""

_NOT_ALLOWED: Final = (errno.EACCES, errno.EPERM)
_PORT: Final = re.compile(r":(?:port=)?(\d+)")


async def change_over(
    running: Config, wanted: Config, changes: Changes, listening_as: Changes, clock: IReactorTime
) -> tuple[Config, list[str]]:
    """Go from ``running`` to ``wanted``: what is then run, and a sentence for each thing that only a restart brings.

    ``changes`` are those to all of a configuration, ``listening_as`` those of the listeners of what runs now. Raises
    :class:`~labnet.interfaces.StartError` where a listener cannot be opened; then everything is as it was.
    """
    config, warnings = kept_until_restart(running, wanted)
    released = False
    while True:
        try:
            swap(changes(config))
        except StartError as error:
            less = without_listener(config, running, error.listener) if error.errno in _NOT_ALLOWED else None
            if less is not None:
                warnings.append(f"listening on {error.listener} needs the rights of the start: restart the lab")
                config = less
            elif error.errno == errno.EADDRINUSE and not released and _frees(running, config, error.listener):
                released = True
                swap(listening_as(narrowed(running, config)))
                await deferLater(clock, _MOMENT, lambda: None)
            else:
                if released:
                    swap(listening_as(running))
                raise
        else:
            return config, warnings


def _frees(running: Config, wanted: Config, listener: str) -> bool:
    """Whether a listener that is ``running`` and no longer ``wanted`` has the port number of ``listener``."""
    number = _PORT.search(listener)
    gone = [_PORT.search(listen) for _, listen in _listeners(running) - _listeners(wanted)]
    return number is not None and any(found is not None and found[1] == number[1] for found in gone)


def _listeners(config: Config) -> set[tuple[str, str]]:
    """Every listener, behind the name of its resolver."""
    listens = {(name, str(listen)) for name, resolver in config.resolver.items() for listen in resolver.listen}
    return listens | {("", listen) for listen in (config.command.listen if config.command is not None else ())}


def kept_until_restart(running: Config, wanted: Config) -> tuple[Config, list[str]]:
    """``wanted`` with what a running lab cannot change as it is ``running``, and a sentence for each of those."""
    warnings = [
        f"[lab] {key} is changed only by a restart"
        for key in ("state", "workers")
        if getattr(wanted.lab, key) != getattr(running.lab, key)
    ]
    config = _with_state(wanted, running.lab.state)
    for table in "capture", "console":
        was, then = getattr(running, table), getattr(config, table)
        changed = [key for key in type(was).model_fields if getattr(was, key) != getattr(then, key)]
        warnings += [f"[{table}] {key} is changed only by a restart" for key in changed]
    if config.shared != running.shared:
        warnings.append("[shared] is changed only by a restart")
    resolvers = dict(config.resolver)
    for name, before in running.resolver.items():
        if name in resolvers and resolvers[name].batch != before.batch:
            warnings.append(f"[resolver.{name}] batch is changed only by a restart")
            resolvers[name] = resolvers[name].model_copy(update={"batch": before.batch})
    unchanged = {
        "resolver": resolvers,
        "capture": running.capture,
        "console": running.console,
        "shared": running.shared,
    }
    lab = config.lab.model_copy(update={"workers": running.lab.workers})
    return config.model_copy(update=unchanged | {"lab": lab}), warnings


def _with_state(config: Config, state: str) -> Config:
    """``config`` with all that is below its folder of state below ``state`` instead."""
    was = config.lab.state + os.sep

    def moved(table: Any) -> Any:
        paths = {key: getattr(table, key, None) for key in _PATHS}
        below = {key: path for key, path in paths.items() if path is not None and path.startswith(was)}
        return table.model_copy(
            update={key: os.path.join(state, path.removeprefix(was)) for key, path in below.items()}
        )

    return config.model_copy(
        update={
            "lab": config.lab.model_copy(update={"state": state}),
            "resolver": {
                name: moved(resolver).placed(secondary_folder(state, name), resolver.keys)
                for name, resolver in config.resolver.items()
            },
            "capture": moved(config.capture),
            "console": moved(config.console),
        }
    )


def swap(prepares: Iterable[Callable[[], IChange]]) -> None:
    """Prepare every change, then commit them all. Raises StartError; then none was committed."""
    changes: list[IChange] = []
    try:
        for prepare in prepares:
            changes.append(prepare())
    except StartError:
        for change in reversed(changes):
            change.cancel()
        raise
    for change in changes:
        change.commit()


@implementer(IChange)
class Joining:
    """A new ``service`` of the running ``parent``; ``joined`` is called when it is there to stay."""

    def __init__(self, service: Service, parent: MultiService, joined: Callable[[], object]) -> None:
        self._service = service
        self._joined = joined
        try:
            service.setServiceParent(parent)  # which starts it, as its parent runs
        except StartError:
            self.cancel()
            raise

    def commit(self) -> None:
        self._joined()

    def cancel(self) -> None:
        maybeDeferred(self._service.disownServiceParent)


@implementer(IChange)
class Leaving:
    """A ``service`` that goes: what is in flight has ``grace`` seconds; ``left`` is called as soon as that is sure."""

    def __init__(self, service: Any, clock: IReactorTime, grace: float, left: Callable[[], object]) -> None:
        self._service = service
        self._clock = clock
        self._grace = grace
        self._left = left

    def commit(self) -> None:
        self._left()
        drained: Deferred[None] = maybeDeferred(self._service.drain)
        drained.addTimeout(self._grace, self._clock).addBoth(self._drained)

    def _drained(self, _: object) -> Any:
        # Else the parent has stopped it meanwhile.
        return self._service.disownServiceParent() if self._service.running else None

    def cancel(self) -> None:
        """Nothing was begun."""


def narrowed(running: Config, wanted: Config) -> Config:
    """``running`` without the listeners that are not ``wanted`` of the same service."""

    def remaining(was: Any, then: Any) -> Any:
        listen = () if then is None else tuple(one for one in was.listen if one in then.listen)
        return was.model_copy(update={"listen": listen})

    resolvers = {name: remaining(was, wanted.resolver.get(name)) for name, was in running.resolver.items()}
    command = None if running.command is None else remaining(running.command, wanted.command)
    return running.model_copy(update={"resolver": resolvers, "command": command})


def without_listener(wanted: Config, running: Config, listener: str) -> Config | None:
    """``wanted`` without ``listener``, which may not be opened now; None where no service of it has that.

    A service that would then listen nowhere listens as in ``running``; a new one stays away.
    """

    def less(then: Any, was: Any) -> Any:
        listen = tuple(one for one in then.listen if str(one) != listener)
        if len(listen) == len(then.listen):
            return then
        listen = listen or (() if was is None else was.listen)
        return then.model_copy(update={"listen": listen}) if listen else None

    command = None if wanted.command is None else less(wanted.command, running.command)
    resolvers = {name: less(then, running.resolver.get(name)) for name, then in wanted.resolver.items()}
    if command is wanted.command and all(resolvers[name] is then for name, then in wanted.resolver.items()):
        return None
    resolvers = {name: resolver for name, resolver in resolvers.items() if resolver is not None}
    return wanted.model_copy(update={"resolver": resolvers, "command": command})
