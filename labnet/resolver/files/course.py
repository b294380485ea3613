"""The records file: ``name,address,ttl`` a line, learned lines with ``,1,epoch`` behind (sans-IO).

Lines that are blank or start with ``#`` are the author's. Parsing takes any bytes; what is wrong comes back as
problems with their line numbers, never as an exception.
"""

from __future__ import annotations

import io
import ipaddress
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from labnet.resolver.files.problem import Problem
from labnet.wire.course_line import TextError, parse_line
from labnet.wire.names import key_of
from labnet.wire.types import Mapping, fold

_LINES: Final = 4096  # between two calls of a checkpoint
_CUT: Final = "the last line is cut in the middle and was skipped"


@dataclass(slots=True)
class Records:
    """What one records file holds.

    ``cut`` says that the last line was left unfinished by a crash; it counts as absent.
    """

    static: list[Mapping] = field(default_factory=list)
    learned: list[Mapping] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    cut: bool = False


class CutLine(TextError):
    """The last line was left unfinished by a crash."""


def parse_records(
    content: bytes,
    now: float,
    log: bool = False,
    checkpoint: Callable[[], None] = lambda: None,
    ttl: int | None = None,
) -> Records:
    """Read a records file's ``content``; ``now`` (epoch seconds) is when its static mappings count as loaded.

    ``log`` says that the resolver appends to this file, so that a last line without its newline may be the work of a
    crash rather than of the author. ``checkpoint`` is called every some thousand lines; what it raises ends
    the reading. With ``ttl`` (seconds) lines may do without one, and have that then.
    """
    return parse_lines(_numbered(content), now, log, checkpoint, ttl)


def parse_lines(
    lines: Iterable[tuple[int, bytes]],
    now: float,
    log: bool = False,
    checkpoint: Callable[[], None] = lambda: None,
    ttl: int | None = None,
) -> Records:
    """Read some lines of a records file, each with its number and its newline, as :func:`parse_records` reads all."""
    records = Records()
    line_of: dict[bytes | str, int] = {}
    for count, (number, _, found) in enumerate(_scan(lines, now, log, ttl)):
        if count % _LINES == 0:
            checkpoint()
        if isinstance(found, TextError):
            records.cut = isinstance(found, CutLine)
            records.problems.append(Problem(number, str(found), warning=records.cut))
        elif found is not None and found.learned:
            records.learned.append(found)
        elif found is not None:
            records.static.append(found)
            first = line_of.setdefault(_comparable(found.name), number)
            records.problems += [Problem(number, says, True) for says in _doubts(found, first, number)]
    return records


def authored(content: bytes) -> Iterator[bytes]:
    """For each line of ``content``, what of it is its author's: nothing of a learned one, all bytes of any other.

    A line that cannot be read is the author's too, unless a crash cut it. What comes has its newline.
    """
    for _, raw, found in _scan(_numbered(content), 0, log=True):
        is_learned = isinstance(found, CutLine) or (isinstance(found, Mapping) and found.learned)
        yield b"" if is_learned else raw + b"\n"


def _numbered(content: bytes) -> Iterator[tuple[int, bytes]]:
    return enumerate(io.BytesIO(content), 1)  # one by one: of a big file nobody wants a list


def _comparable(name: str) -> bytes | str:
    return fold(name) if name.isascii() and "xn--" not in name.lower() else key_of(name)


def _scan(
    lines: Iterable[tuple[int, bytes]], now: float, log: bool, ttl: int | None = None
) -> Iterator[tuple[int, bytes, Mapping | TextError | None]]:
    """Each line with its number, its bytes, and its mapping, what is wrong with it, or None for the author's."""
    after_learned = False
    for number, line in lines:
        raw = line.removesuffix(b"\n")
        text = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        # A learned line is longer than a static one, so a cut one can look static; only what was
        # appended behind another learned line can have been cut.
        may_be_cut = log and after_learned and not line.endswith(b"\n")
        after_learned = False
        if not text.strip() or text.strip().startswith(b"#"):
            yield number, raw, None
            continue
        try:
            mapping = parse_line(text, now, ttl)
        except TextError as error:
            yield number, raw, CutLine(_CUT) if may_be_cut else error
            continue
        after_learned = mapping.learned
        yield number, raw, CutLine(_CUT) if may_be_cut and not mapping.learned else mapping


def _doubts(mapping: Mapping, first: int, number: int) -> Iterator[str]:
    if first != number:
        yield f"{mapping.name} stands in line {first} already; that line is the one answered"
    if not is_ip_address(mapping.address):
        yield f"{mapping.address!r} is no IP address; it is served all the same, but only to the course protocol"


def is_ip_address(address: str) -> bool:
    """Whether ``address`` is an IPv4 or IPv6 address that DNS can carry, which is one without a zone (``%eth0``)."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return "%" not in address
