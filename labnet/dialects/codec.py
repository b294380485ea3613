"""A dialect of names, compiled: bytes into questions and replies, and back (sans-IO).

Decoding takes any bytes and gives a value or raises :class:`~labnet.wire.course_line.TextError`, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from random import SystemRandom
from typing import Final, NamedTuple

from labnet.dialects.model import Dialect, Form
from labnet.dialects.sections import reply_of, sections_of
from labnet.dialects.template import fields_of, reader_of, writer_of
from labnet.wire.course import decode_bare_name
from labnet.wire.course import decode_reply as decode_any_line
from labnet.wire.course_line import TextError, decode_address, decode_name, decode_ttl, information_of
from labnet.wire.types import Answer, CourseReply, Referral
from labnet.wire.types import Mapping as NameMapping

_SHAPE: Final = "the question has the shape of a reply"
_ADDRESS_ALONE: Final = re.compile(r"[0-9]+(?:\.[0-9]+){2,}|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f.:]*")
"""Stricter than a bare address in a reply: no name looks like it, though some are a number or have a colon."""

_random: Final = SystemRandom()

Read = Callable[[str], "dict[str, str] | None"]
Write = Callable[[Mapping[str, str]], str]
Reply = CourseReply | Referral | None
"""What a server says: an address, another server, or that it does not know the name."""


class Stray(TextError):
    """A reply that is to another question."""


class AskedName(NamedTuple):
    """One question: a name, and what the dialect has beside it.

    ``ident`` is its id (of bytes, one character each), ``wish`` the word for who is to walk. With an ``address`` the
    client gives the name that address, for ``ttl`` seconds.
    """

    name: str
    rrtype: str = "A"
    ident: str = ""
    wish: str = ""
    address: str = ""
    ttl: int | None = None


class Codec:
    """The functions of ``dialect``; ``end`` goes behind each reply, and ``unknown`` replaces its own form for that.

    An empty ``unknown`` is an empty message; None leaves the dialect's.
    """

    def __init__(self, dialect: Dialect, end: str = "", unknown: str | None = None) -> None:
        self.dialect = dialect
        self.name = dialect.name
        reply, question = dialect.reply, dialect.question
        self._end = end
        self.id_bytes = question.id_bytes
        """Bytes of an id before the text of each message."""
        self.is_bare = question.forms == ("{name}",) and not self.id_bytes
        """Whether a question is a name and nothing else."""
        self._sources = dict(reply.source)
        self.has_sections = "answer" in fields_of(reply.found[0])
        """Whether a reply has whole sections of records."""
        self.tells_again = "again" in reply.source
        """Whether a record that is given again has another word for where it comes from."""
        own_unknown: tuple[Form, ...] = reply.unknown if unknown is None else (unknown,)
        self._write_question = writer_of(question.forms[0])
        self._write_found = writer_of(reply.found[0])
        self._write_unknown = writer_of(own_unknown[0]) if own_unknown else None
        self._write_referral = writer_of(reply.referral[0]) if reply.referral else None
        self._write_registered = writer_of(reply.registered[0]) if reply.registered else None
        self._write_error = writer_of(reply.error[0]) if reply.error else None
        self._read_questions = _readers(question.forms)
        self._read_registers = _readers(question.register)
        self._read_unknown = _readers([form for form in own_unknown if form != ""])
        self._read_referrals = _readers(reply.referral)
        self._read_found = _readers(reply.found)
        self._unknown = own_unknown[0] if own_unknown else None

    def __reduce__(self) -> tuple[type[Codec], tuple[Dialect, str, str | None]]:
        unknown = self._unknown
        given = unknown if isinstance(unknown, str) and unknown not in self.dialect.reply.unknown else None
        return Codec, (self.dialect, self._end, given)

    def ends(self, message: bytes) -> bool:
        """Whether ``message`` is the client's word that it ends the connection."""
        return message.strip().decode(errors="replace") in self.dialect.question.end

    @property
    def is_plain(self) -> bool:
        """Whether a question is a name and nothing else, so that equal questions have equal replies."""
        return self.is_bare and not self._sources

    def question_for(self, name: str) -> AskedName:
        """What to ask a server about ``name``: the server is to walk, where a question says who is."""
        wish = self.dialect.question.wish
        ident = ""
        if self.id_bytes:
            ident = "".join([chr(_random.randrange(256)) for _ in range(self.id_bytes)])
        elif "{id}" in self.dialect.question.forms[0]:
            ident = str(_random.randrange(1, 65536))
        return AskedName(name, ident=ident, wish=wish[1] if wish else "")

    def encode_question(self, asked: AskedName) -> bytes:
        """The message that asks."""
        if self.is_bare:
            return asked.name.encode()
        text = self._write_question(_said(asked))
        return self._head(asked) + text.encode()

    def encode_registration(self, asked: AskedName) -> bytes:
        """The message that gives a name its address, in a dialect that has one."""
        return self._head(asked) + writer_of(self.dialect.question.register[0])(_said(asked)).encode()

    def decode_question(self, message: bytes) -> AskedName:
        """What a client asks; white space around it is ignored.

        Raises TextError for what is no question, and for what a server could have sent: answering that could make two
        servers talk for ever.
        """
        if self.is_bare:
            if _first(self._read_unknown, message.decode(errors="replace").strip()) is not None:
                raise TextError(_SHAPE)
            name = decode_bare_name(message)
            if "=" in name or _ADDRESS_ALONE.fullmatch(name):
                raise TextError(_SHAPE)
            return AskedName(name)
        ident, text = self._split(message)
        for read in self._read_registers:
            found = read(text)
            if found is not None:
                ttl = decode_ttl(found["ttl"]) if "ttl" in found else None
                name, address = decode_name(found["name"]), decode_address(found["address"])
                return AskedName(name, found.get("type", "A").upper(), found.get("id", ident), "", address, ttl)
        found = _first(self._read_questions, text)
        if found is None:
            raise TextError("the message is no question of this dialect")
        name, wish = decode_name(found["name"]), found.get("wish", "").lower()
        if wish and wish not in self.dialect.question.wish:
            raise TextError(f"{wish!r} is none of {', '.join(self.dialect.question.wish)}")
        return AskedName(name, found.get("type", "A").upper(), found.get("id", ident), wish)

    def encode_found(self, asked: AskedName, mapping: NameMapping, source: str = "records") -> bytes:
        """The reply with ``mapping``, from where ``source`` says."""
        name, address, ttl, flag, since = information_of(mapping)
        values = {**_said(asked), "name": str(name), "address": str(address), "ttl": str(ttl)}
        values |= {"flag": str(flag), "since": str(since), "source": self._word_for(source)}
        return self._reply(asked, self._write_found(values))

    def encode_answer(self, asked: AskedName, answer: Answer) -> bytes | None:
        """The reply with the sections of ``answer``; None where there is nothing in them."""
        if not (answer.answer or answer.is_referral):
            return None
        return self._reply(asked, self._write_found({**_said(asked), **sections_of(answer)}))

    def encode_unknown(self, asked: AskedName) -> bytes | None:
        """The reply where the name is not known; None is silence."""
        write = self._write_unknown
        if write is None:
            return None
        text = write(_said(asked))
        return self._reply(asked, text) if text else b""

    def encode_referral(self, asked: AskedName, referral: Referral) -> bytes | None:
        """The reply that names another server; None where the dialect has none."""
        if self._write_referral is None:
            return None
        said = {"suffix": referral.suffix, "top": referral.suffix.lstrip("."), "target": referral.target}
        return self._reply(asked, self._write_referral({**_said(asked), **said}))

    def encode_registered(self, asked: AskedName) -> bytes | None:
        """The reply to a client that gave a name its address; None where the dialect has none."""
        write = self._write_registered
        return None if write is None else self._reply(asked, write(_said(asked)))

    def encode_error(self) -> bytes | None:
        """The reply to what is no question; None is silence."""
        return None if self._write_error is None else (self._write_error({"any": ""}) + self._end).encode()

    def decode_reply(self, message: bytes, asked: AskedName | None = None) -> Reply:
        """What a server says, in this dialect or in any other that is a line of the course's.

        Raises :class:`Stray` where it is the reply to another question than ``asked``, TextError for anything else.
        """
        try:
            ident, text = self._split(message)
        except TextError:
            return decode_any_line(message)
        own = self.read_own(text)
        if own is None:
            return decode_any_line(message)
        said = own.ident or ident
        if asked is not None and said and said != asked.ident:
            raise Stray("the reply has the id of another question")
        return own.reply

    def read_own(self, text: str) -> OwnReply | None:
        """What ``text`` says as a reply of this dialect, None where it is none. Raises TextError."""
        found = _first(self._read_unknown, text)
        if found is not None:
            return OwnReply(None, found.get("id", ""))
        found = _first(self._read_referrals, text)
        if found is not None:
            top = found.get("top")
            suffix = found.get("suffix") or (f".{top}" if top else "")
            return OwnReply(Referral(suffix, decode_target(found["target"])), found.get("id", ""))
        found = _first(self._read_found, text)
        if found is None:
            return None
        name, ttl = found.get("name"), found.get("ttl")
        if "answer" in found:
            return OwnReply(reply_of(found), "")
        address = decode_address(found["address"])
        reply = CourseReply(name and decode_name(name), address, None if ttl is None else decode_ttl(ttl))
        return OwnReply(reply, found.get("id", ""))

    def _split(self, message: bytes) -> tuple[str, str]:
        """The id before a message's text, and that, without white space around it."""
        head, body = message[: self.id_bytes], message[self.id_bytes :]
        if len(head) < self.id_bytes:
            raise TextError(f"the message is shorter than its id of {self.id_bytes} bytes")
        try:
            return head.decode("latin-1"), body.decode().strip()
        except UnicodeDecodeError as error:
            raise TextError("the message is not UTF-8") from error

    def _head(self, asked: AskedName) -> bytes:
        return asked.ident.encode("latin-1", "replace").rjust(self.id_bytes, b"\0")[: self.id_bytes]

    def _reply(self, asked: AskedName, text: str) -> bytes:
        encoded = (text + self._end).encode()
        return self._head(asked) + encoded if self.id_bytes else encoded

    def _word_for(self, source: str) -> str:
        words = self._sources
        return words.get(source) or words.get("records" if source == "again" else "parent", "")


class OwnReply(NamedTuple):
    """A reply of a dialect, and the id in its text, if there is one."""

    reply: Reply
    ident: str


def decode_target(text: str) -> str:
    """Where a referral leads: a host, an address, or one of them with a port. Raises TextError."""
    host, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if not host or (port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65535)):
        raise TextError(f"{text[:60]!r} is no server: write it as 192.0.2.1:1200")
    return text


def place_of(target: str, port: int) -> tuple[str, int]:
    """Host and port of the ``target`` of a referral; ``port`` where it has none."""
    if target.count(":") == 1:
        host, _, number = target.partition(":")
        return host, int(number)
    return target, port


def _said(asked: AskedName) -> dict[str, str]:
    ttl = "" if asked.ttl is None else str(asked.ttl)
    return {
        "name": asked.name,
        "type": asked.rrtype,
        "id": asked.ident,
        "wish": asked.wish,
        "address": asked.address,
        "ttl": ttl,
        "any": "",
    }


def _readers(forms: Iterable[Form]) -> tuple[Read, ...]:
    return tuple([reader_of(form) for form in forms])


def _first(readers: Iterable[Read], text: str) -> dict[str, str] | None:
    for read in readers:
        found = read(text)
        if found is not None:
            return found
    return None
