"""What a terminal takes: whether it shows colours, and lines that are no longer than it is wide."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Iterator
from typing import Final, TextIO

_NARROWEST: Final = 40
"""Columns below which wrapping would leave no room beside the indent."""


def wants_colour(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal whose user has not said no (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width_of(stream: TextIO) -> int | None:
    """The columns of the terminal that ``stream`` is; None for a file, a pipe, or a terminal that does not say."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None
    return max(columns, _NARROWEST) if columns else None


def wrapped(lines: Iterable[str], width: int | None) -> Iterator[str]:
    """``lines`` broken between words so that none is longer than ``width`` columns; None leaves them as they are.

    What is broken off stands four columns further in than its line began. Rows of a hex dump in colour are left whole:
    they fit 80 columns, and their escapes take no room.
    """
    if width is None:
        yield from lines
        return
    for line in lines:
        if len(line) <= width or "\x1b" in line:
            yield line
            continue
        indent = " " * min(len(line) - len(line.lstrip()) + 4, width // 2)
        yield from textwrap.wrap(
            line, width, subsequent_indent=indent, break_on_hyphens=False, replace_whitespace=False, tabsize=1
        )
