"""The files of one resolver, read: records, what was learned, hints; everything that is wrong in them at once."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterable
from dataclasses import dataclass, field

from labnet.config import ResolverConfig
from labnet.resolver.cache.lines import CachedAnswer, decode_dns_line
from labnet.resolver.files.course import Problem, Records, parse_records
from labnet.resolver.files.detect import kind_of, read_hosts, read_zone
from labnet.resolver.files.resolv_conf import parse_resolv_conf
from labnet.resolver.files.root_hints import Hints, builtin_hints, parse_hints
from labnet.resolver.records.zone import Zone
from labnet.values import ParentAddress, RecordsFile
from labnet.wire.names import key_of
from labnet.wire.types import Mapping

RESOLV_CONF = "/etc/resolv.conf"

DNS_LOG_SUFFIX = ".dns"
"""What the name of the log of DNS answers has behind that of the course protocol's."""


@dataclass(slots=True)
class Loaded:
    """What the files of one resolver hold.

    ``errors`` keep it from starting, ``warnings`` do not; each names file and line.
    """

    zone: Zone
    records: int = 0
    learned: list[Mapping] = field(default_factory=list)
    kept: list[CachedAnswer] = field(default_factory=list)
    lines: int = 0
    kept_lines: int = 0
    cut: bool = False
    kept_cut: bool = False
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
        _load_kept(config.learned + DNS_LOG_SUFFIX, loaded)
    kinds = {parent.kind for parent in every_parent(config)}
    if "root" in kinds:
        _load_hints(config.hints, loaded)
    if "system" in kinds:
        _load_system(loaded)
    _give_back_memory()
    return loaded


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
        _take_learned(records, is_log, loaded)
        loaded.note(file.path, records.problems)
    elif kind == "hosts":
        loaded.note(file.path, read_hosts(content, loaded.zone.add))
    else:
        loaded.zone.expect(content.count(b"\n"))
        loaded.note(file.path, read_zone(content, loaded.zone.add, add_addresses=loaded.zone.add_addresses).problems)


def _load_learned(path: str, now: float, loaded: Loaded) -> None:
    content = _read(path, loaded, needed=False)
    if content is not None:
        records = parse_records(content, now, log=True)
        _take_learned(records, True, loaded)
        # A log is nobody's work: a line in it that cannot be read costs that line, not the start.
        loaded.note(path, records.problems, harmless=True)


def _take_learned(records: Records, is_log: bool, loaded: Loaded) -> None:
    loaded.learned += records.learned
    if is_log:
        loaded.lines, loaded.cut = len(records.learned), records.cut


def _load_kept(path: str, loaded: Loaded) -> None:
    lines = (_read(path, loaded, needed=False) or b"").split(b"\n")
    loaded.kept_cut = bool(lines.pop())
    loaded.kept_lines = len(lines)
    for number, line in enumerate(lines, 1):
        try:
            loaded.kept.append(decode_dns_line(line))
        except ValueError as error:
            loaded.note(path, [Problem(number, f"{error}; it was skipped", warning=True)])
            loaded.kept_cut = True


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


def _give_back_memory() -> None:
    """Have the C library return what the reading took; of a million records that is a tenth of all."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc has it; another library's free() is left as it is
