"""The course protocol's bytes: a bare name one way, an information line the other (sans-IO).

Decoding takes any bytes and either gives a value or raises :class:`TextError`, nothing else.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

from labnet.wire.types import LONGEST_TTL, Mapping, is_name

_BARE_ADDRESS = re.compile(r"(?=.*[0-9])(?=.*[.:])[0-9A-Fa-f.:]+")


class TextError(ValueError):
    """The bytes are no message of the course protocol; the text says why."""


class LooksLikeReply(TextError):
    """A question that has the shape of a reply: answering it could make two servers talk for ever."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a parent's reply says. ``name`` is None in a bare address, ``ttl`` (seconds) where the reply has none."""

    name: str | None
    address: str
    ttl: int | None


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one resolver words its replies.

    ``json`` is the transcript's list, otherwise the assignment's ``name,address,ttl`` line, then with ``end`` after it
    and ``unknown`` for a name that has no answer.
    """

    json: bool = True
    end: str = ""
    unknown: str = ""

    def encode(self, mapping: Mapping | None) -> bytes:
        """The reply datagram for ``mapping``, or for an unknown name where it is None."""
        if self.json:
            return json.dumps([] if mapping is None else _information(mapping)).encode()
        if mapping is None:
            return (self.unknown + self.end).encode() if self.unknown else b""
        return f"{mapping.name},{mapping.address},{mapping.ttl}{self.end}".encode()

    def decode_question(self, datagram: bytes) -> str:
        """The name a client asks for: the bare name, white space around it ignored.

        Raises :class:`LooksLikeReply` for what a server could have sent, :class:`TextError` for what else is no name.
        """
        try:
            name = datagram.decode().strip()
        except UnicodeDecodeError as error:
            raise TextError("the question is not UTF-8") from error
        if not name or name.startswith("[") or "," in name or (not self.json and name == self.unknown.strip()):
            raise LooksLikeReply("the question has the shape of a reply")
        if not _is_course_name(name):
            raise TextError("the question is no name")
        return name


def encode_question(name: str) -> bytes:
    """The datagram that asks for ``name``: its bytes and nothing else, as the transcript's sixteen."""
    return name.encode()


def decode_reply(datagram: bytes) -> Told | None:
    """What a server of the course says, in whichever dialect it speaks; None where it does not know the name.

    A JSON list or comma-separated text of 2 to 5 fields, or a bare address; a final newline is ignored.
    Raises :class:`TextError` for anything else.
    """
    try:
        text = datagram.decode().strip()
    except UnicodeDecodeError as error:
        raise TextError("the reply is not UTF-8") from error
    if text.startswith("["):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TextError("the reply starts as a JSON list and is none") from error
        if not all(type(field) in (str, int, float) for field in parsed):
            raise TextError("the reply has a field that is neither text nor a number")
        fields = [str(field).strip() for field in parsed]
    else:
        fields = [field.strip() for field in text.split(",")]
    if fields in ([], [""]):
        return None
    if len(fields) == 1 and _BARE_ADDRESS.fullmatch(fields[0]):
        return Told(None, fields[0], None)
    if not 2 <= len(fields) <= 5:
        raise TextError(f"the reply has {len(fields)} field(s), not 2 to 5")
    return Told(decode_name(fields[0]), decode_address(fields[1]), decode_ttl(fields[2]) if len(fields) > 2 else None)


def decode_name(field: str) -> str:
    """The name in a field of an information line. Raises :class:`TextError`."""
    if not _is_course_name(field):
        raise TextError(f"{_shown(field)} is no name: 1 to 255 bytes without white space, not starting with #")
    return field


def decode_address(field: str) -> str:
    """The address in a field of an information line: opaque text. Raises :class:`TextError`."""
    if not is_name(field):
        raise TextError(f"{_shown(field)} is no address: 1 to 255 bytes without white space")
    return field


def decode_ttl(field: str) -> int:
    """The TTL in a field of an information line, 0 to 2147483647 seconds. Raises :class:`TextError`."""
    if not (field.isascii() and field.isdigit() and len(field) <= 10 and int(field) <= LONGEST_TTL):
        raise TextError(f"{_shown(field)} is no TTL: a whole number of seconds, 0 to {LONGEST_TTL}")
    return int(field)


def decode_since(field: str) -> float:
    """The epoch second in the fifth field of an information line. Raises :class:`TextError`."""
    try:
        since = float(field)
    except ValueError:
        since = math.nan
    if not math.isfinite(since) or since < 0:
        raise TextError(f"{_shown(field)} is no epoch second")
    return since


def encode_record(mapping: Mapping) -> str:
    """The line, without its newline, under which a learned mapping is kept: ``name,address,ttl,1,epoch``."""
    return ",".join(str(field) for field in _information(mapping))


def _information(mapping: Mapping) -> list[str | float]:
    return [mapping.name, mapping.address, str(mapping.ttl), "1" if mapping.learned else "0", mapping.since]


def _is_course_name(text: str) -> bool:
    # A learned name that starts with # would be kept as a comment, and a comment is never removed.
    return is_name(text) and not text.startswith("#")


def _shown(field: str) -> str:
    return repr(field if len(field) <= 60 else field[:60] + "…")
