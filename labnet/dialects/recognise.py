"""A reply in whichever dialect it is: the one that is expected, a line of the course's, or any that is shipped.

The shipped dialects are read and compiled when the first reply comes that is none of the others.
"""

from __future__ import annotations

from functools import cache

from labnet.dialects.codec import AskedName, Codec, Reply, Stray
from labnet.dialects.library import find, shipped
from labnet.wire.course_line import TextError
from labnet.wire.types import type_of


def decode_reply(codec: Codec, message: bytes, asked: AskedName | None = None) -> Reply:
    """What a server says, in the dialect of ``codec`` or in any other.

    Raises :class:`~labnet.dialects.codec.Stray` where it is the reply to another question than ``asked``, and else
    :class:`~labnet.wire.course_line.TextError` where it is none in any dialect.
    """
    try:
        return codec.decode_reply(message, asked)
    except Stray:
        raise
    except TextError as error:
        found = recognise(message)
        if found is None:
            raise error
        return found[1]


def recognise(message: bytes) -> tuple[str, Reply] | None:
    """The shipped dialect in which ``message`` is a reply, and what it says there; None where it is none in any."""
    for codec in _shipped():
        try:
            own = codec.read_own(message[codec.id_bytes :].decode().strip())
        except (TextError, UnicodeDecodeError):
            continue
        if own is not None:
            return codec.name, own.reply
    return None


def recognise_question(message: bytes) -> tuple[str, AskedName] | None:
    """The shipped dialect in which ``message`` asks for more than a bare name, and what; None where there is none."""
    for codec in _shipped():
        if codec.is_bare:
            continue
        try:
            asked = codec.decode_question(message)
        except TextError:
            continue
        # Behind an id any two words are a name and a type.
        if not codec.id_bytes or type_of(asked.rrtype) is not None:
            return codec.name, asked
    return None


@cache
def _shipped() -> tuple[Codec, ...]:
    dialects = [find(name) for name in shipped()]
    return tuple([Codec(dialect) for dialect in dialects if dialect.kind == "names"])
