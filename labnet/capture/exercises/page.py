"""An exercise as one web page: each answer with its bytes beside it, the frames, and the ladder of a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labnet.capture.exercises.marking.verdicts import Mark, score
from labnet.capture.exercises.model import ExerciseAnswer
from labnet.capture.exercises.run import Done
from labnet.capture.narrative.hexdump import hex_rows
from labnet.capture.narrative.webpage import document, frame_figure, proof_link, text
from labnet.ladder.svg import ladder_svg


def page(done: Done, marks: Sequence[Mark] | None) -> str:
    """The whole page; ``marks`` are a student's answers, marked."""
    return document(done.title, _body(done, marks))


def _body(done: Done, marks: Sequence[Mark] | None) -> Iterator[str]:
    if marks is not None:
        yield f'<p class="score">{score(marks)}</p>'
    if done.ladder is not None:
        yield f'<div class="scroll">{ladder_svg(done.ladder)}</div>'
    yield from _answers(done, marks)
    for number in sorted(done.frames):
        proved = [proof for answer in done.answers for proof in answer.proofs if proof.frame == number]
        inside = {at for proof in proved for at in range(proof.offset, proof.offset + len(proof.data))}
        yield from frame_figure(done.frames[number], inside)
    if done.stopped:
        yield f"<p>Note: {text(done.stopped)}.</p>"


def _answers(done: Done, marks: Sequence[Mark] | None) -> Iterator[str]:
    by_key = {mark.key: mark for mark in marks or ()}
    yield '<ol class="answers">'
    for answer in done.answers:
        yield f"<li><div>{text(answer.question)} <small>({text(answer.key)})</small></div>"
        mark = by_key.get(answer.key)
        if mark is not None and mark.given:
            verdict = mark.verdict if mark.verdict in ("right", "wrong", "teacher") else ""
            yield f'<div class="{verdict}">your answer: {text(mark.given)}; {text(mark.reason)}</div>'
        yield from _answer(done, answer)
        yield "</li>"
    yield "</ol>"


def _answer(done: Done, answer: ExerciseAnswer) -> Iterator[str]:
    if answer.value is None:
        yield f'<div class="missing">Not in this capture. {text(answer.missing or "")}</div>'
        return
    yield f'<div class="value">{text(answer.value)}</div><div>{text(answer.explanation)}</div>'
    for proof in answer.proofs:
        end = proof.offset + len(proof.data)
        yield proof_link(proof.frame, proof.offset, end, f"{proof.place} ({proof.title})")
        frame = done.frames.get(proof.frame)
        if frame is not None:
            rows = hex_rows(frame.packet.data, proof.offset, min(end, proof.offset + 64))
            yield f"<pre>{text(rows[0]) if len(rows) == 1 else chr(10).join(map(text, rows))}</pre>"
