"""The newest part of a log, read from its end: as much as a cache has room for, however long the log is.

Of one question the last line counts, so reading starts at the end: a question that was seen before has a newer line, a
line whose time is over is not decoded, and once the room is used up older lines are only counted. A log of a million
lines takes about two seconds, and no more memory than what is taken of it.
"""

from __future__ import annotations

import io
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from labnet.resolver.cache.entry import size_of
from labnet.resolver.cache.lines import CachedAnswer, decode_course_line, decode_dns_line
from labnet.resolver.cache.log import LogStart
from labnet.resolver.files.problem import Problem

MOST_PROBLEMS: Final = 10
"""Lines that cannot be read of which each is named; further ones are counted."""

_PART: Final = 1 << 20
"""Bytes that are read at a time."""

_MOST_PARTS: Final = 4  # of one line; a longer one is none of ours

_CUT: Final = "the last line is cut in the middle and was skipped"
_DNS: Final = re.compile(rb'\{"q":"([0-9a-f]*)","t":([0-9]{1,5}),"s":([0-9.e+]{1,30}),"l":([0-9]{1,10}),')
_COURSE: Final = re.compile(
    rb"(?![ \t]*#)([^,\n]+),[^,\n]+,[ \t]*([0-9]{1,10})[ \t]*,[ \t]*1[ \t]*,[ \t]*([0-9.e+]{1,30})[ \t\r]*"
)
_LEARNED: Final = re.compile(  # lines that are as _COURSE has them, in a row
    rb"(?:(?![ \t]*#)[^,\n]++,[^,\n]++,[ \t]*+[0-9]{1,10}+[ \t]*+,[ \t]*+1[ \t]*+,"
    rb"[ \t]*+[0-9.e+]{1,30}+[ \t\r]*+\n){1,1000}+"
)
_AUTHORS: Final = re.compile(rb"\s*(?:#.*)?|[^,]*,[^,]*,[^,]*(?:,[ \t]*0[ \t]*,[^,]*)?", re.DOTALL)


class Tail(NamedTuple):
    """What was taken of a log, the newest last, and what is wrong in its lines."""

    cached: list[CachedAnswer]
    start: LogStart
    problems: list[Problem]


class TailReader:
    """Reads logs at ``now`` (epoch seconds) for a cache of ``room`` bytes, which all of them share.

    ``checkpoint`` is called now and then; what it raises ends the reading.
    """

    def __init__(self, now: float, room: int, checkpoint: Callable[[], object] = lambda: None) -> None:
        self._now = now
        self._room = room
        self._checkpoint = checkpoint
        self._cached: list[CachedAnswer] = []
        self._seen: set[int] = set()
        self._passes_over_all = False

    def dns(self, file: BinaryIO) -> Tail:
        """The newest answers in a DNS log. Raises OSError."""
        blocks = self._blocks(file)
        cut = bool(next(blocks, b""))
        lines = 0
        bad = _Bad()
        for block in blocks:
            if self._room <= 0:
                lines += block.count(b"\n") + 1
                continue
            for line in reversed(block.split(b"\n")):
                lines += 1
                try:
                    self._take_dns(line)
                except ValueError as error:
                    bad.add(lines, f"{error}; it was skipped")
        return Tail(self._taken(), LogStart(lines, cut or bad.count > 0), bad.problems(lines))

    def course(self, file: BinaryIO, source: str, is_records: bool = False) -> Tail:
        """The newest answers in a course log, whose lines do not name their ``source``; other lines are passed over.

        Where it ``is_records`` too, whatever is wrong with those is found by who reads them (:func:`authors_lines`).
        Raises OSError.
        """
        self._passes_over_all = is_records
        blocks = self._blocks(file)
        last = next(blocks, b"")
        lines = learned = 0
        cut = False
        bad = _Bad()
        for block in blocks:
            if self._room <= 0:
                lines += block.count(b"\n") + 1
                learned += block.count(b",1,")
                continue
            for line in reversed(block.split(b"\n")):
                if not lines and last:
                    # Only what was appended behind a learned line can have been cut by a crash.
                    cut = _COURSE.fullmatch(line) is not None and _COURSE.fullmatch(last) is None
                    lines += 1
                    learned += self._take_course(last, source, lines, bad) if not cut else 0
                lines += 1
                learned += self._take_course(line, source, lines, bad)
        if not lines and last:
            lines = 1
            learned += self._take_course(last, source, lines, bad)
        problems = bad.problems(lines)
        if cut and not is_records:
            problems.append(Problem(lines, _CUT, warning=True))
        return Tail(self._taken(), LogStart(learned, cut), problems)

    def _take_dns(self, line: bytes) -> None:
        head = _DNS.match(line)
        if head is None:
            cached = decode_dns_line(line)
            self._take(hash(cached[0]), cached[1].since, cached[1].ttl, lambda: cached)
        else:
            self._take(hash((head[1], head[2])), float(head[3]), int(head[4]), lambda: decode_dns_line(line))

    def _take_course(self, line: bytes, source: str, number: int, bad: _Bad) -> int:
        """Take the answer in ``line``, if it is a learned one: 1 then, and else 0."""
        fields = _COURSE.fullmatch(line)
        if fields is None and (self._passes_over_all or _AUTHORS.fullmatch(line)):
            return 0
        try:
            if fields is None:
                cached = decode_course_line(line, source)
                self._take(hash(cached[0]), cached[1].since, cached[1].ttl, lambda: cached)
            else:
                key, ttl, since = hash(fields[1].strip().lower()), int(fields[2]), float(fields[3])
                self._take(key, since, ttl, lambda: decode_course_line(line, source))
        except ValueError as error:
            bad.add(number, str(error))
            return 0
        return 1

    def _take(self, key: int, since: float, ttl: int, decode: Callable[[], CachedAnswer]) -> None:
        if key in self._seen:
            return
        self._seen.add(key)
        if self._now - min(since, self._now) > ttl:
            return
        cached = decode()
        self._room -= size_of(cached[1])
        if self._room >= 0:
            self._cached.append(cached)

    def _taken(self) -> list[CachedAnswer]:
        cached, self._cached, self._seen = self._cached, [], set()
        cached.reverse()
        return cached

    def _blocks(self, file: BinaryIO) -> Iterator[bytes]:
        """What stands behind the last newline, then all lines before it, many at a time, the last ones first."""
        end = file.seek(0, os.SEEK_END)
        parts: list[bytes] = []  # what was read since the last newline that was met, the newest first
        is_last = True
        while end:
            start = max(0, end - _PART)
            file.seek(start)
            part = file.read(end - start)
            end = start
            self._checkpoint()
            first = part.find(b"\n") if start else -1
            if start and first < 0:
                parts.append(part)
                del parts[:-_MOST_PARTS]
                continue
            block = part[first + 1 :] + b"".join(reversed(parts))
            parts = [part[:first]] if start else []
            if is_last:
                block, newline, last = block.rpartition(b"\n")
                yield last
                is_last = False
                if not newline:
                    continue
            yield block


def authors_lines(file: BinaryIO, checkpoint: Callable[[], object] = lambda: None) -> Iterator[tuple[int, bytes]]:
    """The lines of a records file that are not learned, with their numbers, and the last two or three in any case.

    Learned lines are passed over many at a time. Raises OSError.
    """
    number, parts = 1, [b""]
    while part := file.read(_PART):
        checkpoint()
        parts.append(part)
        if b"\n" not in part:
            continue
        block = b"".join(parts)
        end = block.rfind(b"\n", 0, max(0, block.rfind(b"\n", 0, max(0, len(block) - 1)))) + 1
        yield from _not_learned(block[:end], number)
        number += block.count(b"\n", 0, end)
        parts = [block[end:]]
    yield from enumerate(io.BytesIO(b"".join(parts)), number)


def _not_learned(block: bytes, number: int) -> Iterator[tuple[int, bytes]]:
    """The lines in ``block``, of which the first has this ``number``, that are not learned."""
    at = 0
    while at < len(block):
        found = _LEARNED.match(block, at)
        if found is not None:
            number += block.count(b"\n", at, found.end())
            at = found.end()
        else:
            end = block.index(b"\n", at) + 1
            yield number, block[at:end]
            number, at = number + 1, end


class _Bad:
    """Lines that cannot be read, by their number from the end."""

    def __init__(self) -> None:
        self.count = 0
        self._first: deque[tuple[int, str]] = deque(maxlen=MOST_PROBLEMS)

    def add(self, number: int, says: str) -> None:
        self.count += 1
        self._first.appendleft((number, says))

    def problems(self, lines: int) -> list[Problem]:
        """Warnings about the first of them, by their number among so many ``lines``, and how many more there are."""
        found = [Problem(lines - number + 1, says, warning=True) for number, says in self._first]
        if self.count > len(found):
            more = f"{self.count - len(found):,} more lines cannot be read and were skipped"
            found.append(Problem(0, more, warning=True))
        return found
