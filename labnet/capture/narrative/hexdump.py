"""Bytes as a hex dump, some of them highlighted."""

from __future__ import annotations

from typing import Final

WIDTH: Final = 16
MOST_ROWS: Final = 32
"""Rows that are shown of one stretch of bytes."""

_INVERSE, _DIM, _PLAIN = "\x1b[7m", "\x1b[2m", "\x1b[0m"


def hex_rows(data: bytes, start: int, end: int, colour: bool = False) -> list[str]:
    """The rows of a dump that hold bytes ``start`` to ``end`` of ``data``, those bytes highlighted.

    In colour they are inverse among their dim neighbours; without, dots stand in the neighbours' places.
    """
    start, end = max(start, 0), min(end, len(data))
    if start >= end:
        return []
    first, last = start // WIDTH, (end - 1) // WIDTH
    rows = [_row(data, row, start, end, colour) for row in range(first, min(last, first + MOST_ROWS - 1) + 1)]
    if last - first >= MOST_ROWS:
        rows.append(f"… {end - (first + MOST_ROWS) * WIDTH} more bytes")
    return rows


def _row(data: bytes, row: int, start: int, end: int, colour: bool) -> str:
    cells, letters = [], []
    for at in range(row * WIDTH, (row + 1) * WIDTH):
        inside = start <= at < end
        if at >= len(data):
            cells.append("  ")
        elif colour:
            paint = _INVERSE if inside else _DIM
            cells.append(f"{paint}{data[at]:02x}{_PLAIN}")
            letters.append(f"{paint}{letter(data[at])}{_PLAIN}")
        else:
            cells.append(f"{data[at]:02x}" if inside else "··")
            letters.append(letter(data[at]) if inside else " ")
    half = WIDTH // 2
    return f"{row * WIDTH:04x}  {' '.join(cells[:half])}  {' '.join(cells[half:])}  {''.join(letters)}".rstrip()


def letter(byte: int) -> str:
    """The byte as ASCII, a dot where it is no printable one."""
    return chr(byte) if 0x20 <= byte < 0x7F else "."


def printable(text: str) -> str:
    """``text`` without control characters: a capture must not steer the reader's terminal."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "·" for one in text)
