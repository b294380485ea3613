"""The ladder as SVG: classes and no styles, every text escaped, every arrow with its sentence."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from labnet.ladder.model import MEANING, STOPPED, Arrow, ArrowKind, Bar, Heading, Ladder, cells, cut, milliseconds
from labnet.ladder.style import style
from labnet.wire.quoting import quoted

_TOP, _STEP, _HEADING = 66, 50, 46
_MARGIN, _COLUMN, _NARROWEST, _GUTTER = 100, 300, 122, 84
_LETTER, _ROLE_LETTER, _WIDE_LETTER = 7.3, 8.2, 7.0
_HEAD: Final = 8
_NARROW: Final = 560
"""Below this width the times have no column of their own."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things are: ``xs`` are the middles of the columns, all in pixels."""

    width: int
    height: int
    gutter: int
    xs: tuple[int, ...]
    step: int


def ladder_svg(ladder: Ladder, is_alone: bool = False, width: int = 0) -> str:
    """The ladder as an SVG element; ``is_alone`` makes it a file of its own, dark on white.

    ``width`` in pixels is the room that it has, 0 where it may be as wide as it is best read. Where arrows can be
    opened, each is a button: the first is reached by Tab, its neighbours by what the page does with arrow keys.
    """
    frame = _frame(ladder, width)
    opens = any(arrow.exchange or arrow.session for arrow in ladder.arrows)
    size = f' width="{frame.width}" height="{frame.height}"' if width else ""
    alone = ' xmlns="http://www.w3.org/2000/svg"' if is_alone or opens or width else ""
    role, name = ("group", f' aria-label="{_text(ladder.title)}"') if opens else ("img", "")
    kind = "ladder alone" if is_alone else "ladder"
    parts = [
        f'<svg class="{kind}" viewBox="0 0 {frame.width} {frame.height}"{size} role="{role}"{name}{alone}>',
        f"<title>{_text(ladder.title)}</title>",
        f"<desc>{_text('; '.join(_sentences(ladder)))}</desc>" if not opens else "",
        f"<style>{style(is_alone=True)}</style>" if is_alone else "",
        f'<rect class="paper" width="{frame.width}" height="{frame.height}"/>' if is_alone else "",
        *_columns(ladder, frame),
        *_rows(ladder, frame, opens),
    ]
    if ladder.more:
        parts.append(f'<text class="small" x="{frame.xs[0]}" y="{frame.height - 16}">… and {ladder.more} more</text>')
    return "\n".join([*filter(None, parts), "</svg>"])


def _sentences(ladder: Ladder) -> Iterator[str]:
    for row, after in ladder.timed():
        if isinstance(row, Arrow):
            yield ladder.sentence(row, after)


def _frame(ladder: Ladder, width: int) -> _Frame:
    between = max(1, len(ladder.columns) - 1)
    gutter = _GUTTER if not width or width >= _NARROW else 0
    if width:
        margin = min(_MARGIN, max(62, width // 8))
        step = max(_NARROWEST, (width - gutter - 2 * margin) // between)
    else:
        margin, step = _MARGIN, _COLUMN
    xs = tuple(gutter + margin + step * column for column in range(max(1, len(ladder.columns))))
    height = _TOP + sum(_height(row) for row in ladder.rows) + (_STEP if ladder.more else 0) + 18
    return _Frame(max(width, xs[-1] + margin), height, gutter, xs, step)


def _height(row: Arrow | Heading) -> int:
    return _STEP if isinstance(row, Arrow) else _HEADING


def _columns(ladder: Ladder, frame: _Frame) -> Iterator[str]:
    half = min(92, frame.step // 2 - 4, frame.xs[0] - frame.gutter - 2)
    room = 2 * half - 6
    for x, column in zip(frame.xs, ladder.columns, strict=False):
        yield f'<rect class="host" x="{x - half}" y="4" width="{2 * half}" height="46" rx="8"/>'
        yield f'<text class="who" x="{x}" y="24">{_text(cut(column.role, int(room / _ROLE_LETTER)))}</text>'
        yield f'<text class="where" x="{x}" y="41">{_text(cut(column.address, int(room / _LETTER)))}</text>'
        yield f'<line class="life" x1="{x}" y1="50" x2="{x}" y2="{frame.height - 8}"/>'


def _rows(ladder: Ladder, frame: _Frame, opens: bool) -> Iterator[str]:
    middles, y = [], _TOP
    for row in ladder.rows:
        middles.append(y + 26)
        y += _height(row)
    for bar in ladder.bars:
        if bar.last < len(middles):
            yield _bar(bar, frame, middles)
    is_first = True
    for (row, after), middle in zip(ladder.timed(), middles, strict=True):
        if isinstance(row, Heading):
            yield from _heading(row, frame, middle)
            continue
        button = ""
        if opens:
            reached = 0 if is_first else -1
            of, ident = ("session", row.session) if row.session else ("exchange", row.exchange)
            button = f' tabindex="{reached}" data-{of}="{_text(ident)}" data-arrow="{row.number}"'
            is_first = False
        said = _text(ladder.sentence(row, after))
        kind = f"arrow {row.kind}{' fault' if row.fault else ''}"
        role = "button" if opens else "img"
        yield f'<g class="{kind}" role="{role}"{button} aria-label="{said}">'
        yield f"<title>{said}</title>"
        left = 0 if frame.gutter else 2
        yield f'<rect class="row" x="{left}" y="{middle - 26}" width="{frame.width - left}" height="{_STEP}"/>'
        yield from _line(row, frame, middle)
        yield "</g>"
        # Beside the arrow, whose sentence says the same: a button's name has to be what is written in it.
        yield f'<g class="words {kind.removeprefix("arrow ")}" aria-hidden="true">'
        yield from _words(row, after, frame, middle)
        yield "</g>"


def _bar(bar: Bar, frame: _Frame, middles: list[int]) -> str:
    x, top, bottom = frame.xs[bar.column], middles[bar.first], middles[bar.last]
    return f'<rect class="waits" x="{x - 5}" y="{top}" width="10" height="{max(6, bottom - top)}" rx="3"/>'


def _heading(row: Heading, frame: _Frame, y: int) -> Iterator[str]:
    yield f'<line class="rule" x1="0" y1="{y - 20}" x2="{frame.width}" y2="{y - 20}"/>'
    room = int((frame.width - 16) / _WIDE_LETTER)
    detail = cut(row.detail, room // 2)
    text = cut(row.text, room - cells(detail) - 2)
    yield (
        f'<text class="heading" x="6" y="{y}">{_text(text)}<tspan class="small" dx="10">{_text(detail)}</tspan></text>'
    )


def _line(row: Arrow, frame: _Frame, y: int) -> Iterator[str]:
    start, end = frame.xs[row.start], frame.xs[row.end]
    if row.start == row.end or row.kind is ArrowKind.SILENCE:
        yield f'<line class="gap" x1="{start}" y1="{y - 22}" x2="{start}" y2="{y + 22}"/>'
        return
    way = 1 if end > start else -1
    tip = end - way * (14 if row.kind is ArrowKind.IGNORED else 2)
    if row.kind is ArrowKind.DROPPED:
        tip = start + (end - start) * 3 // 4
    yield f'<line class="way" x1="{start}" y1="{y}" x2="{tip}" y2="{y}"/>'
    yield _tip(row.kind, tip, y, way)


def _words(row: Arrow, after: int, frame: _Frame, y: int) -> Iterator[str]:
    start, end = frame.xs[row.start], frame.xs[row.end]
    meant = MEANING[row.kind] if row.kind is ArrowKind.JOINED else ""
    told = [f"fault: {row.fault}" if row.fault else "", row.detail or meant]
    if frame.gutter:
        yield f'<text class="time" x="{frame.gutter - 10}" y="{y + 4}">{milliseconds(after)}</text>'
    else:
        told.insert(0, milliseconds(after))
    below = " · ".join(filter(None, told))
    if row.start == row.end or row.kind is ArrowKind.SILENCE:
        yield from _beside(row.says, "says", start, frame, y - 1)
        yield from _beside(below, "small", start, frame, y + 15)
        return
    yield from _above(row.says, "says", (start + end) // 2, frame, y - 7)
    if below:
        yield from _above(below, "small", (start + end) // 2, frame, y + 15)


def _tip(kind: ArrowKind, x: int, y: int, way: int) -> str:
    if kind is ArrowKind.JOINED:
        return f'<circle class="ring" cx="{x}" cy="{y}" r="5"/>'
    if kind in STOPPED:
        if kind in (ArrowKind.DROPPED, ArrowKind.IGNORED):
            return f'<path class="mark" d="M{x - 6} {y - 6}l12 12m0 -12l-12 12"/>'
        x -= way * 7
        return f'<path class="mark" d="M{x - 7} {y}a7 7 0 1 0 14 0a7 7 0 1 0 -14 0m2 -5l10 10"/>'
    back = x - way * _HEAD
    return f'<path class="head" d="M{x} {y}L{back} {y - 5}V{y + 5}z"/>'


def _above(text: str, kind: str, middle: int, frame: _Frame, y: int) -> Iterator[str]:
    """``text`` in the middle of its arrow, or as near as the edges allow."""
    left = frame.gutter + 4
    text = cut(text, int((frame.width - left - 4) / _LETTER))
    half = int(cells(text) * _LETTER / 2)
    x = max(left + half, min(middle, frame.width - half - 4))
    yield f'<text class="{kind}" x="{x}" y="{y}">{_text(text)}</text>'


def _beside(text: str, kind: str, x: int, frame: _Frame, y: int) -> Iterator[str]:
    """``text`` right of the column at ``x``, or left of it where there is more room."""
    right, left = frame.width - x - 18, x - frame.gutter - 18
    if right >= min(left, cells(text) * _LETTER):
        yield f'<text class="{kind} right" x="{x + 14}" y="{y}">{_text(cut(text, int(right / _LETTER)))}</text>'
    else:
        yield f'<text class="{kind} left" x="{x - 14}" y="{y}">{_text(cut(text, int(left / _LETTER)))}</text>'


def _text(value: str) -> str:
    return html.escape(quoted(value))
