"""A student's answers, marked: right or wrong, the reason, and the bytes."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labnet.capture.exercises.model import ExerciseAnswer, Proof
from labnet.capture.model import CaptureError
from labnet.capture.names import ETHERTYPES, IP_PROTOCOLS

MOST_BYTES: Final = 1_000_000
"""Bytes of a sheet of answers that are read."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One answer marked.

    ``verdict`` is right, wrong, missing (no answer), open (the capture cannot tell) or unknown (no such question).
    """

    key: str
    verdict: str
    given: str
    reason: str
    proofs: tuple[Proof, ...] = ()


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
    own = table.get(exercise, table)
    if not isinstance(own, dict):
        raise CaptureError(f"{path}: {exercise} must be a table of answers: [{exercise}]")
    return dict(_flat(own))


def _flat(table: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in table.items():
        if isinstance(value, dict) and prefix.count(".") < 4:
            found.extend(_flat(value, f"{prefix}{key}."))
        else:
            found.append((prefix + key, value))
    return found


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
        return Mark(answer.key, "missing", "", answer.question)
    if answer.value is None:
        return Mark(answer.key, "open", text, answer.missing or "")
    if answer.kind == "words":
        return _mark_words(answer, text)
    normal = _NORMAL[answer.kind]
    try:
        same = normal(given) == normal(answer.value)
    except ValueError as error:
        return Mark(answer.key, "wrong", text, f"{error}. {_right(answer)}", answer.proofs)
    special = _mistake(answer, text)
    if special is not None:
        return Mark(answer.key, "wrong", text, special, answer.proofs)
    if same:
        return Mark(answer.key, "right", text, answer.explanation, answer.proofs)
    for other, remark in answer.also.items():
        if normal(given) == normal(other):
            return Mark(answer.key, "right", text, f"{remark}; the one with a reply is {answer.value}", answer.proofs)
    return Mark(answer.key, "wrong", text, _right(answer), answer.proofs)


def _mark_words(answer: ExerciseAnswer, text: str) -> Mark:
    """A sentence in the student's own words: it is right with one of the words that every right one has."""
    said = re.sub(r"[\s_-]+", " ", text.lower())
    used = [word for word in answer.words if word in said]
    if any(not re.search(rf"\b(not|no|isn't|never)( \w+){{0,2}} {word}", said) for word in used):
        return Mark(answer.key, "right", text, answer.explanation, answer.proofs)
    return Mark(answer.key, "wrong", text, f"the capture says: {answer.value}. {answer.explanation}", answer.proofs)


def _right(answer: ExerciseAnswer) -> str:
    return f"the bytes say {answer.value}. {answer.explanation}"


def _mistake(answer: ExerciseAnswer, text: str) -> str | None:
    """The reason for an answer whose number may be right and whose words are not."""
    if answer.kind != "ethertype":
        return None
    upper = [name for name in ("TCP", "UDP", "HTTP", "ICMP") if re.search(rf"\b{name}\b", text, re.IGNORECASE)]
    if upper:
        return (
            f"the EtherType says {answer.value} and nothing of {upper[0]}: it names only what is directly inside the "
            f"frame; {upper[0]} is named further up, by the headers inside"
        )
    return None


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)[:300]
    return "" if value is None else str(value).strip()[:300]


def _address(value: object) -> object:
    try:
        return ipaddress.ip_address(_text(value))
    except ValueError:
        raise ValueError(f"{_text(value)!r} is no IP address") from None


def _addresses(value: object) -> object:
    parts = value if isinstance(value, list) else [part for part in re.split(r"[\s,;]+", _text(value)) if part]
    return frozenset(_address(part) for part in parts)


def _mac(value: object) -> object:
    digits = re.sub(r"[:.\-\s]", "", _text(value).lower())
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        raise ValueError(f"{_text(value)!r} is no MAC address: six bytes in hexadecimal")
    return digits


def _number(value: object) -> object:
    found = re.fullmatch(r"(0x[0-9a-f]{1,8}|[0-9]{1,10})\s*(b|bytes?|octets?|hops?)?", _text(value).lower())
    if found is None:
        raise ValueError(f"{_text(value)!r} is no whole number")
    return int(found[1], 16 if found[1].startswith("0x") else 10)


def _numbered(names: Mapping[int, str], hexadecimal: bool) -> Callable[[object], object]:
    """The number in an answer such as 0x0800, "0800", "IPv4" or "IPv4 (0x0800)"."""
    known = {name.lower(): number for number, name in names.items()}

    def normal(value: object) -> object:
        if isinstance(value, int):
            return value
        text = _text(value).lower()
        found = re.search(r"0x([0-9a-f]{1,4})\b", text)
        if found:
            return int(found[1], 16)
        found = re.search(r"\b([0-9a-f]{4})\b" if hexadecimal else r"\b([0-9]{1,3})\b", text)
        if found:
            return int(found[1], 16 if hexadecimal else 10)
        for name, number in sorted(known.items(), key=lambda one: -len(one[0])):
            if name in text:
                return number
        if hexadecimal and re.search(r"\bip\b", text):
            return 0x0800
        raise ValueError(f"{_text(value)!r} names no {'EtherType' if hexadecimal else 'protocol'}")

    return normal


def _words(value: object) -> object:
    """Text as it stands, but for white space around it; a JSON list counts by its values."""
    text = _text(value)
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return [str(one) for one in parsed] if isinstance(parsed, list) else text


_NORMAL: Final[Mapping[str, Callable[[object], object]]] = {
    "address": _address, "addresses": _addresses, "mac": _mac, "number": _number, "text": _words,
    "ethertype": _numbered(ETHERTYPES, True), "protocol": _numbered(IP_PROTOCOLS, False),
}  # fmt: skip
