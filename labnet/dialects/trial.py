"""Both ends of a dialect talk to each other in memory: the bytes of each case, and what each end makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

from labnet.dialects.codec import AskedName, Codec, Reply
from labnet.dialects.commands import CommandClient, CommandCodec
from labnet.dialects.framing import frame
from labnet.dialects.model import Dialect
from labnet.wire.course_line import TextError
from labnet.wire.names import wire_of
from labnet.wire.types import Answer, CourseReply, Mapping, Rcode, Referral, RRset, RRType

KNOWN: Final = Mapping("www.biu.ac.il", "1.2.3.4", 180, learned=False, since=1605280488.0)
ELSEWHERE: Final = Referral(".co.il", "192.0.2.1:777")
CLIENT: Final = CommandClient("127.0.0.1", 39770)
NOW: Final = 1696167183.0
"""The epoch second at which commands are answered."""


class Message(NamedTuple):
    """What one end sends, and what the other makes of it; ``problem`` says where that is not what was meant."""

    sender: str
    data: bytes | None
    means: str
    problem: str = ""


class Trial(NamedTuple):
    """One case: its messages, in order."""

    what: str
    messages: list[Message]


def trials(dialect: Dialect) -> list[Trial]:
    """Every case that ``dialect`` has."""
    return list(_commands(dialect) if dialect.kind == "commands" else _names(dialect))


def problems_of(dialect: Dialect) -> list[str]:
    """Where the two ends of ``dialect`` do not understand each other, a sentence each."""
    return [
        f"{trial.what}: {message.problem}" for trial in trials(dialect) for message in trial.messages if message.problem
    ]


def _names(dialect: Dialect) -> Iterator[Trial]:
    codec = Codec(dialect)
    known = codec.question_for(KNOWN.name)
    for source in ("records", *[word for word in dialect.reply.source if word != "records"]):
        where = "" if source == "records" else f", from {source}"
        reply = (
            codec.encode_answer(known, _answer()) if codec.has_sections else codec.encode_found(known, KNOWN, source)
        )
        yield Trial(f"a name that is known{where}", [*_asked(codec, known), _said(codec, known, reply, KNOWN.address)])
    if dialect.reply.referral:
        away = codec.question_for("www.google.co.il")
        suffix = ELSEWHERE.suffix if "{suffix}" in str(dialect.reply.referral[0]) else ".il"
        reply = codec.encode_referral(away, Referral(suffix, ELSEWHERE.target))
        yield Trial("a name of another server", [*_asked(codec, away), _said(codec, away, reply, ELSEWHERE.target)])
    unknown = codec.question_for("www.nowhere.example")
    said = _said(codec, unknown, codec.encode_unknown(unknown), "not found")
    yield Trial("a name that is unknown", [*_asked(codec, unknown), said])
    if dialect.question.register:
        yield Trial("a name that is registered", list(_registered(codec)))
    error = codec.encode_error()
    silence_or_error = Message("server", None if error is None else _on_wire(codec, error), "")
    yield Trial("what is no question", [Message("client", _on_wire(codec, b"\x01\x02"), "nothing"), silence_or_error])


def _asked(codec: Codec, asked: AskedName) -> Iterator[Message]:
    data = codec.encode_question(asked)
    try:
        read = codec.decode_question(data)
    except TextError as error:
        yield Message("client", _on_wire(codec, data), "", f"the server cannot read {data!r}: {error}")
        return
    problem = "" if read.name == asked.name else f"the server reads {read.name!r} in {data!r}"
    yield Message("client", _on_wire(codec, data), f"asks for {read.name}", problem)


def _said(codec: Codec, asked: AskedName, data: bytes | None, meant: str) -> Message:
    if data is None:
        return Message("server", None, "the client waits in vain")
    try:
        reply = codec.decode_reply(data, asked)
    except TextError as error:
        return Message("server", _on_wire(codec, data), "", f"the client cannot read {data!r}: {error}")
    means = _meaning(reply)
    problem = "" if means == meant else f"the client reads {means!r} in {data!r}, where {meant!r} is meant"
    return Message("server", _on_wire(codec, data), means, problem)


def _registered(codec: Codec) -> Iterator[Message]:
    asked = AskedName("www.new.example", address="1.2.3.9", ttl=60)
    data = codec.encode_registration(asked)
    yield Message("client", _on_wire(codec, data), f"gives {asked.name} the address {asked.address}")
    yield Message("server", codec.encode_registered(asked), "done")


def _meaning(reply: Reply) -> str:
    if reply is None:
        return "not found"
    return reply.address if isinstance(reply, CourseReply) else reply.target


def _answer() -> Answer:
    name = wire_of(KNOWN.name) or b"\0"
    return Answer(Rcode.NOERROR, (RRset(name, RRType.A, KNOWN.ttl, (bytes([1, 2, 3, 4]),)),))


def _on_wire(codec: Codec, data: bytes) -> bytes:
    return frame(codec.dialect.framing, data) if codec.dialect.is_stream else data


def _commands(dialect: Dialect) -> Iterator[Trial]:
    codec = CommandCodec(dialect, Random(1))
    greeting = codec.greet(*CLIENT)
    yield Trial("the client connects", [Message("server", greeting or None, "")])
    forms = dialect.commands
    for command in forms.replies:
        yield _command(codec, command, command.replace("{text}", "hello"))
    yield _command(codec, "anything else", "DATE")
    for word in forms.end:
        farewell = Message("server", codec.farewell or None, "the server closes the connection")
        yield Trial(word, [Message("client", frame(dialect.framing, word.encode()), ""), farewell])


def _command(codec: CommandCodec, what: str, command: str) -> Trial:
    reply = codec.reply(command.encode(), CLIENT, NOW)
    sent = Message("client", frame(codec.dialect.framing, command.encode()), "")
    return Trial(what, [sent, Message("server", reply or None, "")])
