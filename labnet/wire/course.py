"""The course protocol's bytes: a bare name one way, an information line the other (sans-IO).

Decoding takes any bytes and gives a value or raises :class:`~labnet.wire.course_line.TextError`, nothing else.
"""

from __future__ import annotations

import json
import re

from labnet.wire.course_line import TextError, decode_address, decode_name, decode_ttl, is_course_name
from labnet.wire.types import CourseReply

UNKNOWN_WORDS = frozenset(("not found", "non-existent domain"))
"""What servers of the courses say of a name that they do not know; no address has white space."""

_SHAPE = "the question has the shape of a reply"
_HEADERS = 28
"""Bytes of an IPv4 header and a UDP header, which each datagram has on the wire."""

_BARE_ADDRESS = re.compile(r"(?=.*[0-9])(?=.*[.:])[0-9A-Fa-f.:]+")


def largest_reply(question: bytes) -> int:
    """Bytes of the largest reply to ``question`` that puts no more than three times as much on the wire.

    So who has the address of another in a question gains little. A datagram counts with its headers there.
    """
    return 3 * (len(question) + _HEADERS) - _HEADERS


def decode_bare_name(datagram: bytes) -> str:
    """The name in a datagram that may be a question, white space around it ignored.

    Raises TextError for what is no name, and for a list or a line of fields.
    """
    try:
        name = datagram.decode().strip()
    except UnicodeDecodeError as error:
        raise TextError("the question is not UTF-8") from error
    if not name or name[0] in "[{" or "," in name:
        raise TextError(_SHAPE)
    if not is_course_name(name):
        raise TextError("the question is no name")
    return name


def encode_question(name: str) -> bytes:
    """The datagram that asks for ``name``: its bytes and nothing else, as the transcript's sixteen."""
    return name.encode()


def decode_reply(datagram: bytes) -> CourseReply | None:
    """What a server of the course says, in whichever dialect it speaks; None where it does not know the name.

    A JSON list or comma-separated text of 2 to 5 fields, an address and a TTL, or a bare address; a final newline is
    ignored. An empty list or datagram, :data:`UNKNOWN_WORDS`, or those as the address say that it does not.
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
    if fields in ([], [""]) or any(field.lower() in UNKNOWN_WORDS for field in fields[:2]):
        return None
    if len(fields) == 1 and _BARE_ADDRESS.fullmatch(fields[0]):
        return CourseReply(None, fields[0], None)
    if len(fields) == 2 and _BARE_ADDRESS.fullmatch(fields[0]) and fields[1].isascii() and fields[1].isdigit():
        return CourseReply(None, fields[0], decode_ttl(fields[1]))
    if not 2 <= len(fields) <= 5:
        raise TextError(f"the reply has {len(fields)} field(s), not 2 to 5")
    ttl = decode_ttl(fields[2]) if len(fields) > 2 else None
    return CourseReply(decode_name(fields[0]), decode_address(fields[1]), ttl)
