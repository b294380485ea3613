"""The answers and the marks as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from labnet.capture.exercises.marking.verdicts import Mark, score
from labnet.capture.exercises.model import ExerciseAnswer
from labnet.capture.exercises.run import Done
from labnet.capture.narrative.hexdump import hex_rows, printable


def answered(done: Done, colour: bool) -> Iterator[str]:
    """The questions with their answers, bytes and explanations."""
    yield from (done.title, "")
    said = None
    for number, answer in enumerate(done.answers, 1):
        yield f"{number}. {answer.question} ({answer.key})"
        if answer.value is None:
            yield f"   Not in this capture{f'. {answer.missing}' if answer.missing != said else ', as above.'}"
            said = answer.missing
        else:
            yield f"   {printable(answer.value)}"
            yield from _proofs(done, answer, colour)
            yield f"   {printable(answer.explanation)}"
        yield ""
    if done.stopped:
        yield f"Note: {done.stopped}."


def _proofs(done: Done, answer: ExerciseAnswer, colour: bool) -> Iterator[str]:
    for proof in answer.proofs:
        yield f"   {proof.place} ({proof.title}):"
        data = done.frames[proof.frame].packet.data
        yield from (f"      {row}" for row in hex_rows(data, proof.offset, proof.offset + len(proof.data), colour))


def marked(marks: Sequence[Mark]) -> Iterator[str]:
    """A student's own answers, each right or wrong and why."""
    words = {
        "right": "right", "wrong": "WRONG", "missing": "no answer", "open": "not in this capture",
        "teacher": "for the teacher",
    }  # fmt: skip
    for mark in marks:
        given = f" {printable(mark.given)}:" if mark.given else ""
        yield f"{words.get(mark.verdict, mark.verdict)}: {mark.key}:{given} {printable(mark.reason)}"
        yield from (f"      {proof.place} ({proof.title}): {_bytes(proof.data)}" for proof in mark.proofs)
    yield str(score(marks))


def key(done: Done) -> Iterator[str]:
    """The teacher's key as TOML: each right answer, and those by other exchanges of the capture as comments."""
    yield f"# Key: {done.title}. It marks itself: labnet exercise {done.name} FILE --check THIS_FILE"
    table = None
    for number, answer in enumerate(done.answers):
        *above, name = answer.key.split(".")
        if table != above:
            table = above
            yield f"\n[{'.'.join([done.name, *above])}]"
        others = {other[number].value for other in done.others} - {answer.value, None}
        if answer.value is None:
            yield f"# {name}: not in this capture"
            continue
        also = f"  # or {', '.join(sorted(map(str, others)))}" if others else ""
        yield f"{name} = {json.dumps(answer.value, ensure_ascii=False)}{also}"


def _bytes(data: bytes) -> str:
    return data.hex(" ") if len(data) <= 32 else f"{data[:32].hex(' ')} … ({len(data)} bytes)"


def as_json(done: Done, marks: Sequence[Mark] | None) -> str:
    """Everything, for other programs."""
    answers = [
        {
            "key": answer.key,
            "question": answer.question,
            "answer": answer.value,
            "explanation": answer.explanation if answer.value is not None else None,
            "missing": answer.missing,
            "proofs": [
                {"frame": one.frame, "offset": one.offset, "bytes": one.data.hex(), "field": one.title}
                for one in answer.proofs
            ],
        }
        for answer in done.answers
    ]
    result: dict[str, object] = {"exercise": done.name, "answers": answers, "stopped": done.stopped}
    if marks is not None:
        total = score(marks)
        result["score"] = {"right": total.right, "of": total.count, "teacher": total.teacher}
        result["marks"] = [
            {"key": one.key, "verdict": one.verdict, "given": one.given, "reason": one.reason} for one in marks
        ]
    return json.dumps(result, indent=2, ensure_ascii=False)


def blank(done: Done) -> Iterator[str]:
    """A sheet of the exercise's questions in TOML, for a student to fill in."""
    table = None
    yield f"# {done.title}. Fill in what you found, then: labnet exercise {done.name} FILE --check THIS_FILE"
    for answer in done.answers:
        *above, key = answer.key.split(".")
        if table != above:
            table = above
            yield f"\n[{'.'.join([done.name, *above])}]"
        yield f"# {answer.question}"
        yield f'{key} = ""'
