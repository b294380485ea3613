"""The fields and lines of the course protocol's information: in a records file and in replies alike (sans-IO).

A line is ``name,address,ttl``; a learned one has ``,1,epoch`` behind it. Each decoder takes any text or bytes and gives
a value or raises :class:`TextError`, nothing else.
"""

from __future__ import annotations

import math

from labnet.wire.types import LONGEST_TTL, Mapping, is_name


class TextError(ValueError):
    """The bytes are no message or line of the course protocol; the text says why."""


def parse_line(raw: bytes, now: float, ttl: int | None = None) -> Mapping:
    """The mapping in one line; a static one counts as loaded at ``now`` (epoch seconds). Raises :class:`TextError`.

    With ``ttl`` (seconds) a line may be ``name,address`` alone and has that then.
    """
    try:
        fields = [part.strip() for part in raw.decode().split(",")]
    except UnicodeDecodeError as error:
        raise TextError("the line is not UTF-8") from error
    if len(fields) == 2 and ttl is not None:
        return Mapping(decode_name(fields[0]), decode_address(fields[1]), ttl, learned=False, since=now)
    if len(fields) not in (3, 5):
        raise TextError(f"{len(fields)} field(s), expected name,address,ttl or name,address,ttl,flag,epoch")
    name, address, own = decode_name(fields[0]), decode_address(fields[1]), decode_ttl(fields[2])
    if len(fields) == 3:
        return Mapping(name, address, own, learned=False, since=now)
    if fields[3] not in ("0", "1"):
        raise TextError(f"the flag is {fields[3]!r}, expected 0 (static) or 1 (learned)")
    since = decode_since(fields[4])
    learned = fields[3] == "1"
    return Mapping(name, address, own, learned, since if learned else now)


def encode_record(mapping: Mapping) -> str:
    """The line, without its newline, under which a learned mapping is stored: ``name,address,ttl,1,epoch``."""
    return ",".join(str(field) for field in information_of(mapping))


def information_of(mapping: Mapping) -> list[str | float]:
    """The five fields of a mapping: texts but for the epoch second, which is in whole microseconds."""
    return [mapping.name, mapping.address, str(mapping.ttl), "1" if mapping.learned else "0", round(mapping.since, 6)]


def is_course_name(text: str) -> bool:
    """Whether ``text`` can be a name of the course protocol."""
    # A learned name that starts with # would be stored as a comment, and a comment is never removed.
    return is_name(text) and not text.startswith("#")


def decode_name(field: str) -> str:
    """The name in a field of an information line. Raises :class:`TextError`."""
    if not is_course_name(field):
        raise TextError(f"{_shown(field)} is no name: 1 to 255 bytes without white space, not starting with #")
    return field


def decode_address(field: str) -> str:
    """The address in a field of an information line: opaque text. Raises :class:`TextError`."""
    if not is_name(field):
        raise TextError(f"{_shown(field)} is no address: 1 to 255 bytes without white space")
    return field


def decode_ttl(field: str) -> int:
    """The TTL in a field of an information line, 0 to 2147483647 seconds. Raises :class:`TextError`."""
    if not (field.isascii() and field.isdigit() and len(field) <= 10 and int(field) <= LONGEST_TTL):
        raise TextError(f"{_shown(field)} is no TTL: a whole number of seconds, 0 to {LONGEST_TTL}")
    return int(field)


def decode_since(field: str) -> float:
    """The epoch second in the fifth field of an information line. Raises :class:`TextError`."""
    try:
        since = float(field)
    except ValueError:
        since = math.nan
    if not math.isfinite(since) or since < 0:
        raise TextError(f"{_shown(field)} is no epoch second")
    return since


def _shown(field: str) -> str:
    return repr(field if len(field) <= 60 else field[:60] + "…")
