"""What the workers of one resolver learned, as their supervisor keeps it: lines by question, and the logs on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from twisted.internet.interfaces import IReactorTime

from labnet.config.resolver import ResolverConfig
from labnet.resolver.cache.dump import dump_lines
from labnet.resolver.cache.lines import CachedAnswer, decode_line, encode_line
from labnet.resolver.cache.logs import LearnedLogs
from labnet.resolver.loading.loaded import Loaded
from labnet.wire.course_line import parse_line
from labnet.wire.names import ROOT, is_below, key_of, key_of_shown
from labnet.wire.types import RRType

_LINE_BYTES: Final = 700
"""What a line counts beside its characters: what its entry takes in a cache, so that all keep about the same."""

_FORGOTTEN_FOR: Final = 5.0
"""Seconds for which lines that were on their way while their names were flushed are known again."""

Key = tuple[bytes, int]


class Line(NamedTuple):
    """One answer that a worker learned, as the line of the log that it belongs to; times in epoch seconds."""

    text: str
    since: float
    until: float

    @property
    def size(self) -> int:
        """Bytes that it counts."""
        return _LINE_BYTES + len(self.text)

    @property
    def course_name(self) -> str | None:
        """The name that it is about where it came from a course parent."""
        return None if self.text.startswith("{") else self.text.partition(",")[0]


def read_line(text: str) -> tuple[Key, Line]:
    """The question that a line answers, and the line. Raises ValueError."""
    if not text.startswith("{"):
        mapping = parse_line(text.encode(), 0.0)
        until = mapping.since + mapping.ttl
        return (key_of(mapping.name), int(RRType.A)), Line(text, mapping.since, until)
    try:
        fields = json.loads(text)
        key, since, ttl = (bytes.fromhex(fields["q"]), int(fields["t"])), float(fields["s"]), float(fields["l"])
    except (LookupError, TypeError) as error:
        raise ValueError("the line is nothing that was learned") from error
    return key, Line(text, since, since + ttl)


class LearnedJournal:
    """All that the workers of the resolver with this ``config`` learned, of ``cache_bytes`` the last."""

    def __init__(self, config: ResolverConfig, loaded: Loaded, clock: IReactorTime) -> None:
        self._config = config
        self._clock = clock
        self._lines: dict[Key, Line] = {}
        self._bytes = 0
        self._flushed: list[tuple[bytes, float]] = []
        self._logs = LearnedLogs(self._valid, _shifted, lambda line: line.course_name, self._adopt, clock)
        self._take(loaded)

    def __len__(self) -> int:
        return len(self._lines)

    def open(self, loaded: Loaded) -> None:
        """Start on the files of the configuration, which held what was ``loaded``."""
        self._logs.open(self._config.learned, loaded.course_log, loaded.dns_log)

    def close(self) -> None:
        """Bring everything to the disk."""
        self._logs.close()

    def change(self, config: ResolverConfig, loaded: Loaded) -> None:
        """Go by ``config`` from now on; where its files are others, they get all that is known."""
        moved = config.learned != self._config.learned
        self._config = config
        self._make_room()
        if moved:
            self.close()
            known, self._lines, self._bytes = self._lines, {}, 0
            self._take(loaded)
            for key, line in known.items():
                self._put(key, line)
            self.open(loaded)
            self._logs.rewrite()

    def learn(self, text: str) -> bool:
        """Take up the line ``text`` of a worker; whether the others are to know it. Raises ValueError."""
        key, line = read_line(text)
        if self._is_flushed(key, line):
            return False
        self._put(key, line)
        self._logs.append([line])
        return True

    def lines(self) -> Iterator[str]:
        """Every line that is valid now, what was learned last at the end."""
        return (line.text for line in self._valid())

    def flush(self, name: str) -> int:
        """Forget ``name`` and every name below it, in the logs too; how many answers that were."""
        now, below = self._clock.seconds(), key_of_shown(name)
        self._flushed = [(zone, at) for zone, at in self._flushed if now - at < _FORGOTTEN_FOR] + [(below, now)]
        return self._forget_all([key for key in self._lines if below == ROOT or is_below(key[0], below)])

    def flush_negative(self) -> int:
        """Forget what was learned not to be there, in the logs too; how many answers that were."""
        return self._forget_all([key for key, line in self._lines.items() if _is_negative(line)])

    def _forget_all(self, keys: list[Key]) -> int:
        for key in keys:
            self._forget(key)
        if keys:
            self._logs.rewrite()
        return len(keys)

    def dump(self) -> Iterator[str]:
        """What is learned and valid, a line each, as in a master file with the seconds that are left as TTL."""
        now = self._clock.seconds()
        for line in self._valid():
            yield from dump_lines(*decode_line(line.text, os.path.basename(self._config.learned or "")), now)

    def _take(self, loaded: Loaded) -> None:
        for cached in loaded.cached:
            self._put(*read_line(encode_line(cached)))

    def _adopt(self, found: list[CachedAnswer]) -> None:
        for cached in found:
            key, line = read_line(encode_line(cached))
            if key not in self._lines or self._clock.seconds() > self._lines[key].until:
                self._put(key, line)

    def _valid(self) -> Iterator[Line]:
        now = self._clock.seconds()
        return (line for line in list(self._lines.values()) if now <= line.until)

    def _is_flushed(self, key: Key, line: Line) -> bool:
        return any(line.since <= at and (zone == ROOT or is_below(key[0], zone)) for zone, at in self._flushed)

    def _put(self, key: Key, line: Line) -> None:
        self._forget(key)
        self._lines[key] = line
        self._bytes += line.size
        self._make_room()

    def _make_room(self) -> None:
        while self._bytes > self._config.cache_bytes:
            self._forget(next(iter(self._lines)))

    def _forget(self, key: Key) -> None:
        line = self._lines.pop(key, None)
        if line is not None:
            self._bytes -= line.size


def _is_negative(line: Line) -> bool:
    if line.course_name is not None:
        return False
    _, entry = decode_line(line.text, "")
    return entry.is_negative


def _shifted(line: Line, later: float) -> str:
    """The text of ``line``, its times ``later`` seconds later."""
    return encode_line(decode_line(line.text, ""), later) if later else line.text
