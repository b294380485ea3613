"""``$GENERATE`` of zone files: many records from one line, as BIND's manual describes it (sans-IO)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from labnet.resolver.files.entries import EntryError, class_of, seconds_of, shown

MOST_GENERATED: Final = 1_000_000
"""Records that one ``$GENERATE`` may make."""

_WIDEST: Final = 127  # characters of a padded number, as in BIND

_LINE = re.compile(r"\S+\s+(\S+)\s+(\S+)\s+(\S.*)", re.DOTALL)
_RANGE = re.compile(r"([0-9]{1,10})-([0-9]{1,10})(?:/([0-9]{1,10}))?")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:;.*)?', re.DOTALL)
_SIGN = re.compile(r"(\\.)|\$(\$)|\$(?:\{([^}]*)\})?", re.DOTALL)
_MODIFIER = re.compile(r"([+-]?[0-9]{1,10})(?:,([0-9]{1,3})(?:,([doxXnN]))?)?")


def generate(text: str) -> Iterator[str]:
    """The records, as text, of a line ``$GENERATE range owner [ttl] [class] type data``.

    ``data`` is what stands to the end of the line, or between quotation marks. In ``owner`` and ``data`` every ``$`` is
    the number, ``${offset,width,base}`` the number so written, ``$$`` the sign itself. Raises :class:`EntryError`.
    """
    line = _LINE.fullmatch(text)
    span = None if line is None else _RANGE.fullmatch(line[1])
    if line is None or span is None:
        raise EntryError(f"{shown(text)} cannot be read: write $GENERATE FIRST-LAST[/STEP] NAME [TTL] [IN] TYPE DATA")
    first, last, step = int(span[1]), int(span[2]), int(span[3] or 1)
    if step < 1 or first > last:
        raise EntryError(f"{shown(text)} cannot be read: {line[1]} is no range, whose first number is the least")
    if (last - first) // step >= MOST_GENERATED:
        raise EntryError(f"$GENERATE makes more than {MOST_GENERATED} records; write several smaller ones")
    middle, data = _parted(line[3])
    for number in range(first, last + 1, step):
        yield f"{_filled(line[2], number)} {middle} {_filled(data, number)}"


def _parted(text: str) -> tuple[str, str]:
    """TTL, class and type, and what stands behind them."""
    middle = []
    is_type = False
    while text and not is_type:
        word, text = [*text.split(None, 1), ""][:2]
        middle.append(word)
        is_type = seconds_of(word) is None and class_of(word) is None
    quoted = _QUOTED.fullmatch(text)
    return " ".join(middle), text if quoted is None else quoted[1].replace('\\"', '"')


def _filled(template: str, number: int) -> str:
    """``template`` with ``number`` in it."""

    def fill(sign: re.Match[str]) -> str:
        escaped, dollar, modifier = sign.groups()
        if escaped or dollar:
            return str(escaped or dollar)
        return str(number) if modifier is None else _written(number, modifier)

    return _SIGN.sub(fill, template)


def _written(number: int, modifier: str) -> str:
    match = _MODIFIER.fullmatch(modifier)
    if match is None or int(match[2] or 0) > _WIDEST:
        raise EntryError(f"${{{modifier}}} is no modifier: write ${{OFFSET[,WIDTH[,BASE]]}}, BASE one of doxXnN")
    number, width, base = number + int(match[1]), int(match[2] or 0), match[3] or "d"
    if base not in "nN":
        return format(number, base).zfill(width)
    if number < 0:
        raise EntryError(f"${{{modifier}}} makes a negative number, which has no nibbles")
    digits = format(number, "x" if base == "n" else "X").zfill((width + 1) // 2)
    return ".".join(reversed(digits))
