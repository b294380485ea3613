"""The configuration: TOML in, a frozen and typed :class:`Config` out, or every error at once."""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from importlib.util import find_spec
from itertools import chain
from typing import Any, Final
from urllib.parse import quote

from labnet.config.keys import KeyConfig, Problem, key_problems, with_secrets
from labnet.config.resolver import ResolverConfig
from labnet.config.services import CaptureConfig, CommandConfig, ConsoleConfig, FaultConfig, LabConfig, SharedConfig
from labnet.dialects.library import find as find_dialect
from labnet.dialects.library import is_path
from labnet.dialects.reader import DialectError
from labnet.net.kernel.regular import read_regular
from labnet.packages import hint
from labnet.values.listeners import TLSListen
from labnet.values.model import Model, ModelError, field
from labnet.values.texts import Domain, Many

LARGEST: Final = 10_000_000
"""Bytes of a configuration file."""


class ConfigError(Exception):
    """The configuration cannot be used; ``problems`` has one sentence for each thing that is wrong.

    ``readable`` are the resolvers in it whose files can be read all the same, for what is wrong in those to be told in
    the same go.
    """

    def __init__(self, problems: Sequence[str], readable: Sequence[ResolverConfig] = ()) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
        self.readable = tuple(readable)


class Config(Model):
    """The whole lab, as the composition root takes it."""

    lab: LabConfig = field(default_factory=lambda: LabConfig.model_validate({}))
    command: CommandConfig | None = None
    resolver: Mapping[str, ResolverConfig] = field(default_factory=dict)
    key: Mapping[Domain, KeyConfig] = field(default_factory=dict)
    capture: CaptureConfig = field(default_factory=lambda: CaptureConfig(file=None))
    console: ConsoleConfig = field(default_factory=lambda: ConsoleConfig.model_validate({}))
    shared: SharedConfig | None = None
    fault: Many[FaultConfig] = ()


def find(named: str | None = None) -> str | None:
    """The path of the configuration file: ``named``, ``$LABNET_CONFIG``, etc/labnet.toml here, /etc/labnet/labnet.toml.

    None where there is none of these: the built-in lab is to be run.
    """
    if chosen := named or os.environ.get("LABNET_CONFIG"):
        return os.path.abspath(chosen)
    for path in ("etc/labnet.toml", "/etc/labnet/labnet.toml"):
        if os.path.exists(path):
            return os.path.abspath(path)
    return None


def load(path: str | None, rundir: str = ".") -> Config:
    """The configuration in the file at ``path``, or the built-in one where it is None, with all paths made absolute.

    Raises :class:`ConfigError`.
    """
    if path is None:
        path = str(resources.files("labnet.builtin") / "labnet.toml")
    try:
        table = tomllib.loads(read_regular(path, largest=LARGEST).decode())
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError([f"{path}: is no TOML: {error}"]) from None
    return build(table, os.path.dirname(path), rundir, lambda key: f"{path}: {key}")


def build(table: dict[str, Any], base: str, rundir: str, where: Any = lambda key: key) -> Config:
    """The configuration in ``table``, its records relative to ``base`` and its state to ``rundir``.

    ``where`` words the place of an error from its dotted key. Raises :class:`ConfigError`.
    """
    try:
        config = Config.model_validate(table)
    except ModelError as error:
        readable = [_absolute(resolver, base, base) for resolver in _readable(table)]
        raise ConfigError([f"{where(key)}: {says}" for key, says in error.problems], readable) from None

    def stop_at(problems: Iterable[Problem], readable: Sequence[ResolverConfig] = ()) -> None:
        if said := [f"{where(key)}: {says}" for key, says in problems]:
            raise ConfigError(said, readable)

    stop_at(_unusable(config))
    stop_at(_wrong_orders(config))
    keys, wrong_keys = with_secrets(config.key, base)
    stop_at(chain(wrong_keys, *(key_problems(name, one, config.key) for name, one in config.resolver.items())))
    state = os.path.abspath(os.path.join(rundir, config.lab.state))
    resolvers = {
        name: _absolute(resolver, base, state).placed(secondary_folder(state, name), keys)
        for name, resolver in config.resolver.items()
    }
    command = config.command
    if command is not None and command.dialect is not None and is_path(command.dialect):
        command = command.model_copy(update={"dialect": os.path.abspath(os.path.join(base, command.dialect))})
    stop_at(_dialect_problems(command, resolvers), list(resolvers.values()))
    return config.model_copy(
        update={
            "command": command,
            "lab": config.lab.model_copy(update={"state": state}),
            "resolver": resolvers,
            "key": keys,
            "capture": _below(state, config.capture, "file"),
            "console": _below(state, config.console, "control", "log", "query_log", "session_log"),
        }
    )


def _unusable(config: Config) -> Iterator[Problem]:
    """What the lab lacks for running at all."""
    if config.shared is not None and find_spec("txredisapi") is None:
        yield "shared", f"needs txredisapi, which is not there: {hint('shared')}"
    for name, resolver in config.resolver.items():
        if resolver.dnssec != "off" and find_spec("cryptography") is None:
            yield f"resolver.{name}.dnssec", f"needs cryptography, which is not there: {hint('dnssec')}"
    if config.command is None and not config.resolver:
        yield "command", "there is nothing to run: add a [command] or a [resolver.NAME] table"
    for name, resolver in config.resolver.items():
        if _is_encrypted(resolver) and find_spec("OpenSSL") is None:
            yield f"resolver.{name}", f"encrypted DNS needs pyopenssl, which is not there: {hint('tls')}"
    for name in config.console.page_viewers:
        if name not in config.resolver:
            says = f"there is no such resolver; there are {', '.join(config.resolver) or 'none'}"
            yield f"console.page_viewers.{name}", says


def _wrong_orders(config: Config) -> Iterator[Problem]:
    for number, fault in enumerate(config.fault):
        for problem in fault.problems(list(config.resolver)):
            yield f"fault.{number}", problem


def _below(state: str, table: Model, *keys: str) -> Model:
    """``table`` with the files of ``keys`` in the folder ``state``."""
    given = {key: getattr(table, key) for key in keys}
    return table.model_copy(update={key: os.path.join(state, path) for key, path in given.items() if path is not None})


def secondary_folder(state: str, resolver: str) -> str:
    """Where the zones that ``resolver`` has from other servers are kept, in the folder ``state``."""
    return os.path.join(state, "secondary", quote(resolver, safe=""))


def _dialect_problems(command: CommandConfig | None, resolvers: Mapping[str, ResolverConfig]) -> Iterator[Problem]:
    """What is wrong with the dialects, each by its key."""
    named = [(f"resolver.{name}.dialect", each.dialect, "names") for name, each in resolvers.items()]
    if command is not None and command.dialect is not None:
        named.append(("command.dialect", command.dialect, "commands"))
    for key, dialect, kind in named:
        try:
            found = find_dialect(dialect)
        except DialectError as error:
            yield from ((key, problem) for problem in error.problems)
        else:
            if found.kind != kind:
                yield key, f"{dialect!r} is a dialect of {found.kind}, not of {kind}"


def _absolute(resolver: ResolverConfig, base: str, state: str) -> ResolverConfig:
    def path(folder: str, file: str) -> str:
        return os.path.abspath(os.path.join(folder, file))

    records = tuple(file.model_copy(update={"path": path(base, file.path)}) for file in resolver.records)
    learned = None if resolver.learned is None else path(state, resolver.learned)
    hints = None if resolver.hints is None else path(base, resolver.hints)
    anchors = None if resolver.trust_anchors is None else path(base, resolver.trust_anchors)
    dialect = path(base, resolver.dialect) if is_path(resolver.dialect) else resolver.dialect
    ca = None if resolver.ca is None else path(base, resolver.ca)
    listen = tuple(one.below(base) if isinstance(one, TLSListen) else one for one in resolver.listen)
    block = {
        name: table if table.file is None else table.model_copy(update={"file": path(base, table.file)})
        for name, table in resolver.block.items()
    }
    files = {"records": records, "learned": learned, "hints": hints, "ca": ca, "dialect": dialect, "block": block}
    files["trust_anchors"] = anchors
    return resolver.model_copy(update={"listen": listen, **files})


def _is_encrypted(resolver: ResolverConfig) -> bool:
    parents = [*resolver.parents, *(parent for several in resolver.forward.values() for parent in several)]
    is_listening = any(isinstance(listen, TLSListen) for listen in resolver.listen)
    return is_listening or resolver.ca is not None or any(parent.is_encrypted for parent in parents)


def _readable(table: dict[str, Any]) -> Iterator[ResolverConfig]:
    """What names files in the resolvers of a ``table`` that is wrong elsewhere."""
    resolvers = table.get("resolver")
    for resolver in resolvers.values() if isinstance(resolvers, dict) else ():
        if isinstance(resolver, dict):
            with contextlib.suppress(ModelError):
                yield ResolverConfig.model_validate({"listen": "udp:0", "records": resolver.get("records", [])})
