"""The files of one resolver, read: records, what was learned, hints; everything that is wrong in them at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from labnet.config import ResolverConfig
from labnet.net.memory import trim
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.lines import CachedAnswer, decode_dns_line
from labnet.resolver.cache.logs import DNS_LOG_SUFFIX, LogStart
from labnet.resolver.cache.policy import entry_of_mapping
from labnet.resolver.files.course import Records, parse_records
from labnet.resolver.files.detect import kind_of
from labnet.resolver.files.hosts import read_hosts
from labnet.resolver.files.problem import Problem
from labnet.resolver.files.resolv_conf import parse_resolv_conf
from labnet.resolver.files.root_hints import Hints, builtin_hints, parse_hints
from labnet.resolver.files.zonefile import read_zone
from labnet.resolver.records.zone import Zone
from labnet.values import ParentAddress, RecordsFile
from labnet.wire.names import key_of

RESOLV_CONF = "/etc/resolv.conf"


@dataclass(slots=True)
class Loaded:
    """What the files of one resolver hold; ``cached`` is what its logs do, the newest of each last.

    ``errors`` prevent its start, ``warnings`` do not; each names file and line.
    """

    zone: Zone
    records: int = 0
    cached: list[CachedAnswer] = field(default_factory=list)
    course_log: LogStart = field(default_factory=LogStart)
    dns_log: LogStart = field(default_factory=LogStart)
    hints: Hints | None = None
    system: tuple[str, ...] = ()
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note(self, path: str, problems: Iterable[Problem], harmless: bool = False) -> None:
        """Take up what is wrong in the file at ``path``; ``harmless`` makes warnings of it."""
        for problem in problems:
            where = f"{path}:{problem.line}" if problem.line else path
            (self.warnings if harmless or problem.warning else self.errors).append(f"{where}: {problem.says}")


def load_files(config: ResolverConfig, now: float) -> Loaded:
    """Read every file that ``config`` names; ``now`` (epoch seconds) is when static records count as loaded."""
    loaded = Loaded(Zone([key_of(zone) for zone in config.zones], now))
    for file in config.records:
        _load_records(file, now, config.learned == file.path, loaded)
    loaded.zone.finish(config.reverse)
    loaded.records = len(loaded.zone)
    if config.learned is not None:
        if config.learned not in {file.path for file in config.records}:
            _load_learned(config.learned, now, loaded)
        _load_dns_log(config.learned + DNS_LOG_SUFFIX, loaded)
    kinds = {parent.kind for parent in every_parent(config)}
    if "root" in kinds:
        _load_hints(config.hints, loaded)
    if "system" in kinds:
        _load_system(loaded)
    trim()  # what the reading took is a tenth of all, of a million records
    return loaded


def fill(cache: Cache, loaded: Loaded, now: float) -> None:
    """Put what the logs hold and is valid at ``now`` (epoch seconds) into ``cache``."""
    for question, entry in loaded.cached:
        # Of one question the last line counts, even if its time is over.
        cache.forget(question)
        # What is dated later than now was learned before the clock was set back: its lifetime begins now at the latest.
        entry.since = min(entry.since, now)
        if entry.is_valid(now):
            cache.put(question, entry)


def every_parent(config: ResolverConfig) -> list[ParentAddress]:
    """The parents of ``config``, those of single domains included."""
    return [*config.parents, *(parent for parents in config.forward.values() for parent in parents)]


def _read(path: str, loaded: Loaded, needed: bool = True) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        if needed:
            loaded.errors.append(f"{path}: there is no such file")
    except OSError as error:
        loaded.errors.append(f"{path}: cannot be read: {error.strerror}")
    return None


def _load_records(file: RecordsFile, now: float, is_log: bool, loaded: Loaded) -> None:
    content = _read(file.path, loaded)
    if content is None:
        return
    kind = file.kind or ("course" if is_log else kind_of(file.path, content))
    if kind == "course":
        records = parse_records(content, now, log=is_log)
        for mapping in records.static:
            left_out = loaded.zone.add_mapping(mapping)
            if left_out is not None:
                loaded.note(file.path, [Problem(0, left_out, warning=True)])
        _take_learned(file.path, records, is_log, loaded)
        loaded.note(file.path, records.problems)
    elif kind == "hosts":
        loaded.note(file.path, read_hosts(content, loaded.zone.add))
    else:
        loaded.zone.expect(content.count(b"\n"))
        loaded.note(file.path, read_zone(content, loaded.zone.add, loaded.zone.add_addresses).problems)


def _load_learned(path: str, now: float, loaded: Loaded) -> None:
    content = _read(path, loaded, needed=False)
    if content is not None:
        records = parse_records(content, now, log=True)
        _take_learned(path, records, True, loaded)
        # A log is nobody's work: a line in it that cannot be read costs that line, not the start.
        loaded.note(path, records.problems, harmless=True)


def _take_learned(path: str, records: Records, is_log: bool, loaded: Loaded) -> None:
    source = os.path.basename(path)
    loaded.cached += [entry_of_mapping(key_of(mapping.name), mapping, source) for mapping in records.learned]
    if is_log:
        loaded.course_log = LogStart(len(records.learned), records.cut)


def _load_dns_log(path: str, loaded: Loaded) -> None:
    lines = (_read(path, loaded, needed=False) or b"").split(b"\n")
    cut = bool(lines.pop())
    for number, line in enumerate(lines, 1):
        try:
            loaded.cached.append(decode_dns_line(line))
        except ValueError as error:
            loaded.note(path, [Problem(number, f"{error}; it was skipped", warning=True)])
            cut = True
    loaded.dns_log = LogStart(len(lines), cut)


def _load_hints(path: str | None, loaded: Loaded) -> None:
    if path is None:
        loaded.hints = builtin_hints()
        return
    content = _read(path, loaded)
    if content is not None:
        loaded.hints = parse_hints(content)
        loaded.note(path, loaded.hints.problems)


def _load_system(loaded: Loaded) -> None:
    content = _read(RESOLV_CONF, loaded)
    if content is not None:
        system = parse_resolv_conf(content)
        loaded.system = system.addresses
        loaded.note(RESOLV_CONF, system.problems, harmless=True)
        if not loaded.system:
            loaded.errors.append(f"{RESOLV_CONF}: names no server: write the parents' addresses instead of system")
