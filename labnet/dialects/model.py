"""What a dialect file says, as frozen values; :mod:`labnet.dialects.reader` makes them (sans-IO)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Form = str | tuple[str, ...]
"""A template of :mod:`labnet.dialects.template`, or the fields of a JSON list."""

TRANSPORTS: Final = ("udp", "tcp", "tcp-once")
FRAMINGS: Final = ("whole", "lf", "crlf", "digits-2", "bytes-2", "bytes-4")
WALKERS: Final = ("nobody", "client", "resolver", "server", "asked")
SOURCES: Final = ("records", "again", "parent", "cache")

REPLY_FIELDS: Final = ("ctime", "year", "month", "day", "hour", "minute", "second", "ip", "port", "name", "random")
"""What a command's reply may tell: the time, the client's address, the server's name, a number from 1 to 10."""


@dataclass(frozen=True, slots=True)
class RecordsForms:
    """How a records file is written.

    ``like`` is ``course`` for the resolver's own format, ``master`` for lines of name, type and data, ``forms`` for
    lines of these forms; with ``json`` a file that begins with a brace or a bracket is JSON. ``found`` are lines with
    an address, ``referral`` lines that name the server of a domain. Lines that begin with ``comment`` are nobody's.
    ``file`` is the file's name where a command line has none.
    """

    like: str = "forms"
    found: tuple[Form, ...] = ()
    referral: tuple[Form, ...] = ()
    json: bool = False
    comment: str = "#"
    file: str = ""

    @property
    def may_lack_ttl(self) -> bool:
        """Whether a line may do without a TTL."""
        return any("{ttl}" not in form for form in self.found)


@dataclass(frozen=True, slots=True)
class QuestionForms:
    """How a client asks: it sends the first of ``forms``, and a server takes each of them.

    ``register`` are those with which a client gives a name its address. ``id_bytes`` bytes of an id stand before the
    text of a question and of its reply. ``wish`` has the words that say who is to walk: for the client, for the server.
    With one of ``end`` in place of a question a client ends the connection.
    """

    forms: tuple[Form, ...] = ("{name}",)
    register: tuple[Form, ...] = ()
    id_bytes: int = 0
    wish: tuple[str, ...] = ()
    end: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyForms:
    """How a server answers: it sends the first form of each list, and a client takes all; none is silence.

    ``source`` has the word for ``{source}`` by where an answer comes from: ``records``, ``again`` (records that were
    given before), ``parent``, ``cache``.
    """

    found: tuple[Form, ...] = ()
    referral: tuple[Form, ...] = ()
    unknown: tuple[Form, ...] = ()
    registered: tuple[Form, ...] = ()
    error: tuple[Form, ...] = ()
    source: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommandForms:
    """What a command server answers: ``replies`` by command, and ``invalid`` to anything else, None for silence.

    A command that ends in ``{text}`` takes any text there. ``greeting`` is the first word, None where the client speaks
    first. ``end`` are the commands that close the connection, ``farewell`` is the reply to them; ``ends_all`` says that
    the first of them closes the server too. ``closing`` is said where the server stops. ``greetings`` and ``invalids``
    are what other servers of the course say instead. It serves ``clients`` at a time, 0 for any number, and closes a
    connection without a command for ``idle`` seconds.
    """

    replies: Mapping[str, str] = field(default_factory=dict)
    greeting: str | None = None
    greetings: tuple[str, ...] = ()
    invalid: str | None = None
    invalids: tuple[str, ...] = ()
    end: tuple[str, ...] = ("EXIT",)
    ends_all: bool = False
    farewell: str | None = None
    closing: str | None = None
    clients: int = 1
    idle: float = 15.0


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect. ``walk`` says who follows a referral; ``cache`` how long what was learned lives.

    That is in seconds, where a reply has no TTL; None leaves it to the configuration. ``keeps`` says that what is
    learned is written to the records file. ``lines`` are the command lines of the course's programs by role,
    ``client_end`` the words that end its client. ``ignores_case`` is about the letters of names.
    """

    name: str
    title: str
    course: str = ""
    kind: str = "names"
    transport: str = "udp"
    framing: str = "whole"
    lines: Mapping[str, str] = field(default_factory=dict)
    records: RecordsForms = RecordsForms()
    question: QuestionForms = QuestionForms()
    reply: ReplyForms = ReplyForms()
    commands: CommandForms = CommandForms()
    walk: str = "nobody"
    ignores_case: bool = True
    cache: int | None = None
    keeps: bool = False
    client_end: tuple[str, ...] = ()
    port: int = 0

    @property
    def is_stream(self) -> bool:
        """Whether questions come by TCP."""
        return self.transport != "udp"
