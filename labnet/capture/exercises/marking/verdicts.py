"""A student's answers, marked: right, wrong, or for the teacher, with the reason and the bytes.

An answer is read into facts (:mod:`~labnet.capture.exercises.marking.facts`) and the facts are compared. What states
nothing that can be compared is never wrong: a teacher looks at it.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labnet.capture.exercises.marking import facts
from labnet.capture.exercises.model import ExerciseAnswer, Proof
from labnet.capture.model import CaptureError

MOST_BYTES: Final = 1_000_000
"""Bytes of a sheet of answers that are read."""

RIGHT, WRONG, TEACHER = "right", "wrong", "teacher"
_CANNOT: Final = "this cannot be compared by a program: a teacher has to look at it"


@dataclass(frozen=True, slots=True)
class Mark:
    """One answer marked.

    ``verdict`` is right, wrong, teacher (only a person can judge it), missing (no answer), open (the capture does not
    hold it, so it is out of the count) or unknown (no such question).
    """

    key: str
    verdict: str
    given: str
    reason: str
    proofs: tuple[Proof, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """How many answers are ``right`` of those that ``count``; ``teacher`` are for a person to judge."""

    right: int
    count: int
    teacher: int

    def __str__(self) -> str:
        more = f", {self.teacher} for the teacher" if self.teacher else ""
        return f"{self.right} of {self.count} right{more}"


def score(marks: Sequence[Mark]) -> Score:
    """The score of a sheet; what the capture cannot hold does not count, nor does what is no question."""
    counted = [mark for mark in marks if mark.verdict not in ("open", "unknown")]
    return Score(
        sum(mark.verdict == RIGHT for mark in counted),
        len(counted),
        sum(mark.verdict == TEACHER for mark in counted),
    )


def read_sheet(path: str, exercise: str) -> dict[str, object]:
    """The answers in a TOML file, under dotted keys; those of a table named as the exercise, or without any table.

    Raises :class:`CaptureError`.
    """
    try:
        with open(path, "rb") as file:
            table: Any = tomllib.loads(file.read(MOST_BYTES).decode())
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CaptureError(f"{path}: is no TOML: {error}") from None
    answers = table.get(exercise, table)
    if not isinstance(answers, dict):
        raise CaptureError(f"{path}: {exercise} must be a table of answers: [{exercise}]")
    return dict(_flat(answers))


def _flat(table: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in table.items():
        if isinstance(value, dict) and prefix.count(".") < 4:
            found.extend(_flat(value, f"{prefix}{key}."))
        else:
            found.append((prefix + key, value))
    return found


def mark_best(candidates: Sequence[Sequence[ExerciseAnswer]], sheet: Mapping[str, object]) -> list[Mark]:
    """The marks by the answers that fit the sheet best: any right exchange of a capture counts."""
    best: list[Mark] = []
    for answers in candidates:
        marks = mark(answers, sheet)
        if not best or (score(marks).right, score(marks).teacher) > (score(best).right, score(best).teacher):
            best = marks
    return best


def mark(answers: Sequence[ExerciseAnswer], sheet: Mapping[str, object]) -> list[Mark]:
    """Each question's mark, in order, then what the sheet has beside them."""
    marks = [_mark(answer, sheet.get(answer.key)) for answer in answers]
    keys = [answer.key for answer in answers]
    for key, value in sheet.items():
        if key not in keys:
            near = difflib.get_close_matches(key, keys, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; the questions are {', '.join(keys)}"
            marks.append(Mark(key, "unknown", _text(value), f"there is no such question{hint}"))
    return marks


def _mark(answer: ExerciseAnswer, given: object) -> Mark:
    text = _text(given)
    if given is None or text == "":
        verdict = "missing" if answer.value is not None else "open"
        return Mark(answer.key, verdict, "", answer.question if answer.value is not None else answer.missing or "")
    if answer.value is None:
        return Mark(answer.key, "open", text, answer.missing or "")
    if not _is_of_its_kind(answer):
        verdict = RIGHT if _judge_text(answer, text)[0] == RIGHT else TEACHER
        return Mark(answer.key, verdict, text, f"the capture's own value is unusual: {answer.value}", answer.proofs)
    verdict, why = _JUDGES[answer.kind](answer, text)
    if verdict == WRONG:
        for other, remark in answer.also.items():
            if _JUDGES[answer.kind](_other(answer, other), text)[0] == RIGHT:
                return Mark(answer.key, RIGHT, text, f"{remark}; the one with a reply is {answer.value}", answer.proofs)
    reasons = {RIGHT: answer.explanation, WRONG: _right(answer), TEACHER: _CANNOT}
    reason = f"{why}. {reasons[verdict]}" if why and verdict == WRONG else why or reasons[verdict]
    return Mark(answer.key, verdict, text, reason, answer.proofs)


def _is_of_its_kind(answer: ExerciseAnswer) -> bool:
    """False where a damaged packet, or a sheet's question, has another value than its kind of answer says."""
    try:
        _READINGS.get(answer.kind, str)(answer.value or "")
    except ValueError:
        return False
    return True


def _other(answer: ExerciseAnswer, value: str) -> ExerciseAnswer:
    return ExerciseAnswer(answer.key, answer.question, answer.kind, value, answer.explanation)


def _right(answer: ExerciseAnswer) -> str:
    source = "the capture says" if answer.kind == "words" else "the bytes say"
    return f"{source} {answer.value}. {answer.explanation}"


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)[:2000]
    return "" if value is None else str(value).strip()[:2000]


Judgement = tuple[str, str]
"""A verdict, and what there is to say beside the question's own explanation."""


def _judge_address(answer: ExerciseAnswer, text: str) -> Judgement:
    wanted = ipaddress.ip_address(answer.value or "")
    stated = facts.mask(text) if answer.key == "subnet_mask" else facts.addresses(text)
    return _one_of(set(stated), wanted)


def _one_of(stated: set[Any], wanted: object) -> Judgement:
    if stated == {wanted}:
        return RIGHT, ""
    if wanted in stated:
        return TEACHER, "it names the right one among others"
    return (WRONG, "") if stated else (TEACHER, "")


def _judge_addresses(answer: ExerciseAnswer, text: str) -> Judgement:
    wanted = set(facts.addresses(answer.value or ""))
    stated = set(facts.addresses(text))
    if not stated:
        return TEACHER, ""
    return (RIGHT, "") if stated == wanted else (WRONG, "")


def _judge_mac(answer: ExerciseAnswer, text: str) -> Judgement:
    return _one_of(set(facts.macs(text)), re.sub(r"[:.\-]", "", (answer.value or "").lower()))


def _judge_number(answer: ExerciseAnswer, text: str) -> Judgement:
    wanted, found = int(answer.value or "0"), facts.numbers(text)
    stated = set(found.stated)
    if found.wrong_sum and wanted in stated:
        return TEACHER, "the number is right and the calculation is not"
    if found.in_seconds:
        return (TEACHER, "") if wanted in stated else (WRONG, "")
    verdict, why = _one_of(stated, wanted)
    # In brackets Wireshark shows the field as it stands in the header, which counts words; nothing else fits there.
    beside = {number for number in found.beside if number not in (wanted, wanted // 4, 4 * wanted)}
    return (TEACHER, "what stands in brackets is another number") if verdict == RIGHT and beside else (verdict, why)


def _judge_ethertype(answer: ExerciseAnswer, text: str) -> Judgement:
    wanted = _number_in(answer.value or "")
    found = facts.ethertypes(text)
    if found.upper:
        upper = found.upper[0]
        return WRONG, (
            f"the EtherType says {answer.value} and nothing of {upper}: it names only what is directly inside the "
            f"frame; {upper} is named further up, by the headers inside"
        )
    stated = found.numbers | found.names
    if found.is_ip and not stated:
        return (RIGHT, "") if wanted == 0x0800 else (TEACHER, "") if wanted == 0x86DD else (WRONG, "")
    if found.is_ip and wanted not in (0x0800, 0x86DD):
        return WRONG, ""
    if len(stated) > 1:
        return WRONG, "it states more than one"
    return _one_of(stated, wanted)


def _number_in(value: str) -> int:
    found = re.search(r"0x([0-9a-fA-F]+)", value)
    return int(found[1], 16) if found is not None else -1


def _judge_protocol(answer: ExerciseAnswer, text: str) -> Judgement:
    found, wanted = facts.protocols(text), facts.protocols(answer.value or "")
    stated, right = found.numbers | found.names, wanted.numbers | wanted.names
    if len(stated) > 1:
        return WRONG, "it states more than one"
    return (RIGHT, "") if stated and stated <= right else (WRONG, "") if stated else (TEACHER, "")


def _judge_text(answer: ExerciseAnswer, text: str) -> Judgement:
    """Data as they stand: quoted or not, as a list by its values, or in hexadecimal."""
    wanted = answer.value or ""
    bare = text.strip().strip("\"'`\u201c\u201d").removesuffix("\\n").removesuffix("\\r").strip()
    bare = re.sub(r"\s*\(\d+ bytes?\)$", "", re.sub(r"^(?:data|name|query|question)\s*[:=]\s*", "", bare, flags=re.I))
    bare = bare.strip().strip("\"'`\u201c\u201d")
    if _as_list(bare) == _as_list(wanted):
        return RIGHT, ""
    digits = re.sub(r"[\s:]|0x", "", bare).lower()
    if re.fullmatch(r"(?:[0-9a-f]{2})+", digits) and bytes.fromhex(digits).strip() == wanted.encode():
        return RIGHT, ""
    if wanted and wanted in text:
        return TEACHER, ""
    return WRONG, ""


def _as_list(text: str) -> object:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return [str(one) for one in parsed] if isinstance(parsed, list) else text


def _judge_words(answer: ExerciseAnswer, text: str) -> Judgement:
    """A sentence by what it states: something that every right one says, and nothing that none says."""
    concepts = answer.concepts
    right = any(facts.states(text, one) for one in concepts.says)
    right |= any(facts.mentions(text, one) for one in concepts.mentions)
    wrong = any(facts.states(text, one) for one in concepts.never)
    wrong |= any(facts.mentions(text, one) and not facts.states(text, one) for one in concepts.says) and not right
    if right and wrong:
        return TEACHER, ""
    return (RIGHT, "") if right else (WRONG, "") if wrong else (TEACHER, "")


def _judge_name(answer: ExerciseAnswer, text: str) -> Judgement:
    """Text whose case, quotes, label and final dot do not count."""
    wanted = _bare(answer.value or "")
    given = _bare(text)
    if given == wanted or _bare(re.sub(r"^[\w -]{1,40}[:=]\s*", "", text)) == wanted:
        return RIGHT, ""
    inside = [*re.findall(r"\((.*?)\)", answer.value or ""), re.sub(r"\s*\(.*", "", answer.value or "")]
    if given in [_bare(one) for one in inside] or _bare(re.sub(r"\s*\(.*", "", text)) == _bare(inside[-1]):
        return RIGHT, ""
    return (TEACHER, "") if wanted and wanted in given else (WRONG, "")


def _bare(text: str) -> str:
    return text.strip().strip("\"'`\u201c\u201d").casefold().removesuffix(".").strip()


_WORD: Final = re.compile(r"[A-Za-z]+")
_FILLERS: Final = frozenset(("FLAGS", "FLAG", "AND", "THE", "SET", "BIT", "BITS", "ARE", "IS"))


def _judge_list(answer: ExerciseAnswer, text: str) -> Judgement:
    """Names in any order, such as flags; numbers in brackets do not count."""
    wanted = {one.upper() for one in _WORD.findall(answer.value or "")}
    given = {one.upper() for one in _WORD.findall(re.sub(r"0x\w+", "", text))} - _FILLERS
    if not given:
        return TEACHER, ""
    return (RIGHT, "") if given == wanted else (WRONG, "")


_SCALES: Final = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "milliseconds": 1e-3,
    "us": 1e-6, "\u00b5s": 1e-6, "microseconds": 1e-6, "bit/s": 1.0, "bps": 1.0, "b/s": 1.0, "kbit/s": 1e3, "kbps": 1e3,
    "mbit/s": 1e6, "mbps": 1e6, "bytes/s": 8.0, "byte/s": 8.0, "kb/s": 8e3, "mb/s": 8e6,
}  # fmt: skip
TOLERANCE: Final = 0.05
"""By so much of it a time or a rate may differ."""


def _quantity(value: str) -> float:
    return float(value.partition(" ")[0])


_READINGS: Final[Mapping[str, Callable[[str], object]]] = {
    "address": ipaddress.ip_address, "number": int, "quantity": _quantity,
}  # fmt: skip
"""What reads a value of the kind; it raises ValueError for another."""


def _judge_quantity(answer: ExerciseAnswer, text: str) -> Judgement:
    """A time or a rate, in any unit, within :data:`TOLERANCE`."""
    wanted = _quantity(answer.value or "0")
    text = text.split("=")[-1].replace(",", "")
    found = re.search(r"([0-9]*\.?[0-9]+(?:e-?\d+)?)\s*([a-z\u00b5]+(?:/s)?)?", text.casefold())
    if found is None:
        return TEACHER, ""
    scale = _SCALES.get(found[2] or "")
    if scale is None:
        return (RIGHT if _near(float(found[1]), wanted) else TEACHER), ""
    return (RIGHT, "") if _near(float(found[1]) * scale, wanted) else (WRONG, "")


def _near(given: float, wanted: float) -> bool:
    return abs(given - wanted) <= TOLERANCE * abs(wanted) + 1e-9


_JUDGES: Final[Mapping[str, Callable[[ExerciseAnswer, str], Judgement]]] = {
    "address": _judge_address, "addresses": _judge_addresses, "mac": _judge_mac, "number": _judge_number, "ethertype":
    _judge_ethertype, "protocol": _judge_protocol, "text": _judge_text, "words": _judge_words, "name": _judge_name,
    "list": _judge_list, "quantity": _judge_quantity,
}  # fmt: skip
