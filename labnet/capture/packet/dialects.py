"""Messages of the course protocol in any dialect that is shipped, over UDP and TCP, where their form alone says so."""

from __future__ import annotations

import re
from typing import Final

from labnet.capture.model import Field
from labnet.dialects.codec import Reply
from labnet.dialects.recognise import recognise, recognise_question
from labnet.wire.types import CourseReply, Referral

_LONGEST: Final = 2000
"""Bytes of a message that is looked at."""

_ADDRESS: Final = re.compile(r"(?=.*[0-9])(?=.*[.:])[0-9A-Fa-f.:]+")
_UNMISTAKABLE: Final = re.compile(
    rb"\S+,\S+,\s*(?:A|NS)\s*|(?:TYPE|STATUS)=\S+\s.*|STATUS=\S+\s*|[01] \S+ \S+ \S+(?: (?:aa|ra|ns|nx))?\s*"
    rb"|\S+ \S+ A\s*|\S+ - (?:NS|Error: ?HOST NOT FOUND)\s*|(?:Root|Local) DNS:\S+\s*|.{0,8}QUESTION\b.*",
    re.DOTALL,
)
"""What no other protocol's message is like, so that no question has to wait for it."""

_COMMAND: Final = re.compile(rb"JAM \d\d:\d\d:\d\d\r?\n?|\d\d(?:TIME|NAME|RAND|EXIT)")


def is_unmistakable(data: bytes) -> bool:
    """Whether ``data`` can be nothing but a message of a dialect, by its form."""
    return len(data) <= _LONGEST and _UNMISTAKABLE.fullmatch(data) is not None


def reply_in(data: bytes) -> tuple[str, Reply] | None:
    """The dialect in which ``data`` is a reply, and what it says; None where it is none in any."""
    found = recognise(data) if len(data) <= _LONGEST else None
    if found is None:
        return None
    reply = found[1]
    return None if isinstance(reply, CourseReply) and not _ADDRESS.fullmatch(reply.address) else found


def question_in(data: bytes) -> tuple[str, str] | None:
    """The dialect in which ``data`` is more than a bare name, and the name that it asks for."""
    found = recognise_question(data) if len(data) <= _LONGEST else None
    return None if found is None else (found[0], found[1].name)


def is_command(data: bytes) -> bool:
    """Whether ``data`` is a command or a reply that only the dialects jam and prefixed have."""
    return _COMMAND.fullmatch(data) is not None and (not data[:2].isdigit() or int(data[:2]) == len(data) - 2)


def fields_of(dialect: str, reply: Reply, data: bytes, at: int) -> list[Field]:
    """The fields of a reply in ``data``, which begins at ``at``."""
    fields = [Field("labnet.course.dialect", "Dialect", at, len(data), dialect, dialect)]
    parts: list[tuple[str, str, str | None]] = []
    if isinstance(reply, Referral):
        parts = [("labnet.course.target", "Server that knows more", reply.target)]
    elif reply is not None:
        ttl = None if reply.ttl is None else str(reply.ttl)
        parts = [
            ("labnet.course.name", "Name", reply.name),
            ("labnet.course.address", "Address", reply.address),
            ("labnet.course.ttl", "TTL in seconds", ttl),
        ]
    for name, title, value in parts:
        where = -1 if value is None else data.find(value.encode())
        if value is not None and where >= 0:
            fields.append(Field(name, title, at + where, len(value.encode()), value, value))
    return fields
