"""The ladder as text: drawn for terminals, and in words for who listens to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from labnet.ladder.model import STOPPED, Arrow, ArrowKind, Heading, Ladder, cells, cut, milliseconds
from labnet.wire.quoting import quoted

_GUTTER, _WIDEST, _NARROWEST, _READABLE, _SAYS = 14, 24, 8, 15, 40
_MARKS: Final = {
    ArrowKind.IGNORED: "✕",
    ArrowKind.DROPPED: "✕",
    ArrowKind.REFUSED: "⊘",
    ArrowKind.LIMITED: "⊘",
    ArrowKind.JOINED: "●",
}


def ladder_text(ladder: Ladder, width: int = 0) -> Iterator[str]:
    """The ladder drawn in lines; ``width`` is the terminal's in characters, 0 where a line may be of any length."""
    for _, line in ladder_lines(ladder, width):
        yield line


def ladder_lines(ladder: Ladder, width: int = 0) -> Iterator[tuple[str, str]]:
    """Each line of :func:`ladder_text` with what it shows: "head", "heading", "fault", or the kind of an arrow."""
    count = max(1, len(ladder.columns))
    step, beside = _WIDEST, True
    if width:
        beside = (width - _GUTTER - _SAYS) // count >= _READABLE
        step = min(_WIDEST, max(_NARROWEST, (width - _GUTTER - _SAYS * beside) // count))
    for line in ("role", "address"):
        names = (cut(getattr(column, line), step - 2) for column in ladder.columns)
        yield "head", (" " * (_GUTTER - 2) + "".join(_padded(name, step) for name in names)).rstrip()
    for row, after in ladder.timed():
        if isinstance(row, Heading):
            line = "  ".join(filter(None, (row.text, row.detail)))
            yield "heading", cut(line, width) if width else quoted(line)
            continue
        kind = "fault" if row.fault else str(row.kind)
        says = "  ".join(filter(None, (row.says, _told(row))))
        drawn = f"{milliseconds(after):>{_GUTTER - 3}}   {_drawn(row, count, step)}"
        if beside:
            says = cut(says, width - cells(drawn) - 2) if width else quoted(says)
            yield kind, f"{drawn}  {says}".rstrip()
        else:
            says = cut(says, width - _GUTTER)
            indent = min(_GUTTER + step * min(row.start, row.end) + 2, width - cells(says))
            yield kind, " " * indent + says
            yield kind, drawn.rstrip()
    if ladder.more:
        yield "heading", f"… and {ladder.more} more"


def ladder_sentences(ladder: Ladder) -> Iterator[str]:
    """The ladder in words, a line an arrow."""
    for row, after in ladder.timed():
        if isinstance(row, Heading):
            yield quoted(": ".join(filter(None, (row.text, row.detail))))
        else:
            yield ladder.sentence(row, after)
    if ladder.more:
        yield f"… and {ladder.more} more"


def _told(arrow: Arrow) -> str:
    kind = str(arrow.kind) if arrow.kind in STOPPED or arrow.kind is ArrowKind.JOINED else ""
    return " · ".join(filter(None, (kind, f"fault: {arrow.fault}" if arrow.fault else "", arrow.detail)))


def _drawn(arrow: Arrow, count: int, step: int) -> str:
    """The columns' lines with the arrow between two of them."""
    signs = [" "] * (step * (count - 1) + 1)
    for column in range(count):
        signs[step * column] = "│"
    start, end = step * arrow.start, step * arrow.end
    if arrow.start == arrow.end or arrow.kind is ArrowKind.SILENCE:
        signs[start] = "┆"
        if start + 2 < len(signs):
            signs[start + 2] = "?"
        return "".join(signs)
    left, right = min(start, end), max(start, end)
    dashes = "╌" if arrow.kind is ArrowKind.RETRY else "─"
    for at in range(left + 1, right):
        signs[at] = dashes
    signs[end - 1 if end > start else end + 1] = _MARKS.get(arrow.kind, "▶" if end > start else "◀")
    return "".join(signs)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
