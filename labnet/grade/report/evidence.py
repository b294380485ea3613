"""What one run left behind, made readable: the ladder, all bytes, the first difference, the command to repeat it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from labnet.grade.model import Evidence, Grade, Happening, Outcome, Result
from labnet.ladder.model import Arrow, ArrowKind, Column, Heading, Ladder
from labnet.wire.quoting import quoted

_WIDTH: Final = 16


class Detail(StrEnum):
    """How much of a failure a student is shown."""

    FULL = "full"
    ACTUAL = "actual"
    """What the program did, not what was expected of it."""
    TITLE = "title"
    """That the check failed, and no more."""


def ladder_of(evidence: Evidence, title: str) -> Ladder:
    """The record as a ladder: a column for each who took part, an arrow for each datagram or segment."""
    ladder = Ladder(quoted(title))
    places: dict[str, int] = {}
    for event in evidence.events:
        for who in (event.source, event.target):
            if who and who != "judge" and who not in places:
                places[who] = len(ladder.columns)
                ladder.columns.append(Column(who))
    if not ladder.columns:
        ladder.columns.append(Column("program"))
    for event in evidence.events:
        at = int(event.time * 1e9)
        if event.kind == "note" and not event.target:
            ladder.add(Heading(at, quoted(event.note)))
        else:
            ladder.add(_arrow(event, at, places))
    return ladder


def _arrow(event: Happening, at: int, places: dict[str, int]) -> Arrow:
    start, end = places[event.source], places[event.target]
    if event.kind == "silence":
        return Arrow(at, end, start, event.note, kind=ArrowKind.SILENCE)
    if event.data:
        detail = f"{len(event.data)} bytes" + (f", {event.note}" if event.note else "")
        return Arrow(at, start, end, readable(event.data), detail)
    return Arrow(at, start, end, event.note)


def readable(data: bytes) -> str:
    """``data`` as text where it is some, as Python writes bytes where it is none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return repr(data)[2:-1]
    return quoted(text)


def dump(data: bytes, mark: int | None = None) -> Iterator[str]:
    """All of ``data`` as hex and text; the byte at ``mark``, where two differ first, stands in brackets."""
    for start in range(0, max(len(data), 1), _WIDTH):
        row = data[start : start + _WIDTH]
        cells = [f"[{byte:02x}]" if start + at == mark else f" {byte:02x} " for at, byte in enumerate(row)]
        if mark == len(data) and start + len(row) == mark and len(row) < _WIDTH:
            cells.append("[  ]")
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        yield f"{start:04x} {''.join(cells):<{4 * _WIDTH}} {letters}".rstrip()


def difference(expected: bytes, got: bytes) -> int | None:
    """Where ``got`` differs from ``expected`` first, a final newline apart; None where it does not."""
    one, other = expected.rstrip(b"\r\n"), got.rstrip(b"\r\n")
    if one == other:
        return None
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))


def repeat_command(grade: Grade, result: Result) -> str:
    """The command line that runs this check again."""
    return quoted(f"labnet grade {grade.assignment} {grade.given} --only {result.check.id} --seed {grade.seed}")


def lines_of(grade: Grade, result: Result, detail: Detail = Detail.FULL) -> Iterator[str]:
    """The whole evidence for a failure, a line at a time; text that came from the program is harmless."""
    if detail is Detail.TITLE or result.outcome in (Outcome.PASSED, Outcome.BLOCKED):
        return
    yield f"What was seen: {quoted(result.seen)}."
    if result.cause:
        yield f"Why: {quoted(result.cause)}."
    if result.outcome is Outcome.UNSTABLE:
        yield f"Unstable: it failed in {result.failures} of {result.runs} runs."
    yield from _bytes_of(result, detail)
    evidence = result.evidence
    if evidence is None:
        return
    yield "What went over the wire:"
    for event in evidence.events:
        yield f"  {(event.time - evidence.began) * 1000:9.1f} ms  {_sentence(event)}"
        if event.data:
            yield from (f"               {row}" for row in dump(event.data))
    yield from _program_of(evidence)
    if detail is Detail.FULL:
        yield f"Again: {repeat_command(grade, result)}"


def _bytes_of(result: Result, detail: Detail) -> Iterator[str]:
    if result.got is None:
        return
    mark = difference(result.expected, result.got) if result.expected is not None else None
    if result.expected is not None and detail is Detail.FULL:
        yield f"Expected, for example: {readable(result.expected)}"
        yield from (f"  {row}" for row in dump(result.expected, mark))
    yield f"Got: {readable(result.got)}" if result.got else "Got: nothing"
    if result.got:
        yield from (f"  {row}" for row in dump(result.got, mark if detail is Detail.FULL else None))


def _sentence(event: Happening) -> str:
    way = f"{event.source} to {event.target}" if event.target else event.source
    if event.kind == "silence":
        return f"{event.source}: {event.note}"
    if event.data:
        return f"{way}: {readable(event.data)} ({len(event.data)} bytes{', ' + event.note if event.note else ''})"
    return f"{way}: {quoted(event.note)}"


def _program_of(evidence: Evidence) -> Iterator[str]:
    yield f"The program: {quoted(' '.join(evidence.argv))}"
    if evidence.status is not None:
        yield f"It ended with status {evidence.status}."
    for name, text in ("printed", evidence.output), ("wrote to its error stream", evidence.errors):
        if text:
            yield f"It {name}:"
            yield from (f"  {quoted(line)}" for line in text.decode(errors="replace").splitlines())
    if evidence.thrown_away:
        yield f"{evidence.thrown_away:,} more bytes of its output are not kept."
