"""From the text of a dialect file to the model, or everything that is wrong in it at once (sans-IO)."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from labnet.dialects.model import (
    FRAMINGS,
    REPLY_FIELDS,
    SOURCES,
    TRANSPORTS,
    WALKERS,
    CommandForms,
    Dialect,
    Form,
    QuestionForms,
    RecordsForms,
    ReplyForms,
)
from labnet.dialects.template import TemplateError, fields_of

LARGEST: Final = 100_000
"""Bytes of a dialect file."""

_LONGEST: Final = 1000
"""Characters of a text in it."""

_MOST: Final = 50
"""Items of a list in it."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

T = TypeVar("T")
Check = Callable[[Any], Any]


class DialectError(ValueError):
    """A file is no dialect; ``problems`` has one sentence for each thing that is wrong, its key first."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read_dialect(name: str, content: bytes) -> Dialect:
    """The dialect ``name`` that ``content`` says. Raises :class:`DialectError`."""
    try:
        table = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DialectError([f"is no TOML: {error}"]) from None
    reading = _Reading()
    dialect = reading.dialect(name, table)
    problems = reading.problems or list(_contradictions(dialect))
    if problems:
        raise DialectError(problems)
    return dialect


class _Reading:
    """Collects what is wrong while it takes the tables apart."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def dialect(self, name: str, table: dict[str, Any]) -> Dialect:
        if not _NAME.fullmatch(name):
            self.problems.append(f"{name!r} is no name of a dialect: letters, digits, - and _")
        checks: dict[str, Check] = {
            "title": _text,
            "course": _text,
            "kind": _one_of("names", "commands"),
            "transport": _one_of(*TRANSPORTS),
            "framing": _one_of(*FRAMINGS),
            "lines": _texts_by(None),
            "records": self._table("records", RecordsForms, _RECORDS),
            "question": self._table("question", QuestionForms, _QUESTION),
            "reply": self._table("reply", ReplyForms, _REPLY),
            "commands": self._table("commands", CommandForms, _COMMANDS),
            "walk": _one_of(*WALKERS),
            "ignores_case": _yes_or_no,
            "cache": _number(0, 2**31 - 1),
            "keeps": _yes_or_no,
            "client_end": _texts,
            "port": _number(1, 65535),
        }
        values = self._values("", table, checks)
        if "title" not in table:
            self.problems.append("title: this key is needed: what the dialect is, in a few words")
        return Dialect(name=name, title=str(values.pop("title", "")), **values)

    def _table(self, where: str, made: Callable[..., T], checks: dict[str, Check]) -> Check:
        def check(value: Any) -> T:
            if not isinstance(value, dict):
                raise ValueError(f"must be a table, not {value!r}")
            return made(**self._values(f"{where}.", value, checks))

        return check

    def _values(self, where: str, table: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
        values = {}
        for key, value in table.items():
            check = checks.get(key)
            if check is None:
                near = difflib.get_close_matches(key, checks, 1)
                self.problems.append(
                    f"{where}{key}: there is no such key" + (f"; did you mean {near[0]}?" if near else "")
                )
                continue
            try:
                values[key] = check(value)
            except ValueError as error:
                self.problems += [f"{where}{key}: {problem}" for problem in str(error).split("\n")]
        return values


def _contradictions(dialect: Dialect) -> list[str]:
    """What single keys do not show to be wrong."""
    if dialect.kind == "commands":
        return [] if dialect.commands.replies else ["commands.replies: must have a command at least"]
    problems = []
    asked = dialect.question.forms
    if not asked:
        problems.append("question.forms: must have a form at least")
    if not dialect.reply.found:
        problems.append("reply.found: must have a form at least")
    for key, forms, needed in (
        ("question.forms", asked, "name"),
        ("question.register", dialect.question.register, "address"),
        ("reply.referral", dialect.reply.referral, "target"),
        ("records.referral", dialect.records.referral, "target"),
    ):
        problems += [f"{key}: {form!r} lacks {{{needed}}}" for form in forms if needed not in fields_of(form)]
    for form in dialect.reply.found:
        if not {"address", "answer"} & set(fields_of(form)):
            problems.append(f"reply.found: {form!r} lacks {{address}}")
    if dialect.walk != "nobody" and not dialect.reply.referral and "answer" not in fields_of(dialect.reply.found[0]):
        problems.append(f"reply.referral: must have a form where walk is {dialect.walk!r}")
    if dialect.walk == "asked" and len(dialect.question.wish) != 2:
        problems.append("question.wish: must have two words, who walks: for the client, for the server")
    if dialect.records.like == "forms" and not (dialect.records.found or dialect.records.json):
        problems.append('records.found: must have a form at least, or like = "course"')
    if dialect.framing != "whole" and not dialect.is_stream:
        problems.append(f"framing: {dialect.framing!r} is for TCP; a datagram is a message as it is")
    return problems


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError(f"must be text of {_LONGEST} characters at most, not {_shown(value)}")
    return value


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {_shown(value)}")
    return value


def _number(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}, not {_shown(value)}")
        return value

    return check


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value <= 86400:
        raise ValueError(f"must be seconds, above 0 and 86400 at most, not {_shown(value)}")
    return float(value)


def _one_of(*words: str) -> Check:
    def check(value: Any) -> str:
        if value not in words:
            raise ValueError(f"must be {', '.join(words[:-1])} or {words[-1]}, not {_shown(value)}")
        return str(value)

    return check


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MOST:
        raise ValueError(f"must be a list of {_MOST} at most, not {_shown(value)}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple([_text(each) for each in _list(value)])


def _texts_by(keys: Sequence[str] | None) -> Check:
    def check(value: Any) -> dict[str, str]:
        if not isinstance(value, dict) or len(value) > _MOST:
            raise ValueError(f"must be a table of {_MOST} at most, not {_shown(value)}")
        wrong = [key for key in value if keys is not None and key not in keys]
        if wrong:
            raise ValueError(f"there is no {wrong[0]!r}: write {', '.join(keys or ())}")
        return {key: _text(each) for key, each in value.items()}

    return check


def _forms(*fields: str) -> Check:
    """A list of forms that have ``fields`` alone."""

    def check(value: Any) -> tuple[Form, ...]:
        problems, forms = [], []
        for each in _list(value):
            form: Form = _texts(each) if isinstance(each, list) else _text(each)
            forms.append(form)
            try:
                wrong = [name for name in fields_of(form) if name not in fields]
            except TemplateError as error:
                problems.append(f"{_shown(each)} {error}")
            else:
                problems += [f"{_shown(each)} has {{{name}}}, which has no place here" for name in wrong]
        if problems:
            raise ValueError("\n".join(problems))
        return tuple(forms)

    return check


def _said_by_server(*fields: str) -> Check:
    """A text with ``fields`` alone; ``false`` stands for none."""

    def check(value: Any) -> str | None:
        return None if value is False else _with_fields(_text(value), fields)

    return check


def _with_fields(text: str, fields: Sequence[str]) -> str:
    found = re.findall(r"\{([^{}]*)\}", text.replace("{{", "").replace("}}", ""))
    wrong = [name for name in found if name not in fields]
    if wrong:
        there = ", ".join(f"{{{name}}}" for name in fields) or "none"
        raise ValueError(f"{_shown(text)} has {{{wrong[0]}}}: the fields here are {there}")
    if text.replace("{{", "").replace("}}", "").count("{") != len(found):
        raise ValueError(f"{_shown(text)} has a brace alone: write {{{{ or }}}}")
    return text


def _replies(value: Any) -> dict[str, str]:
    """Replies by command."""
    replies = _texts_by(None)(value)
    for command, reply in replies.items():
        if not command.strip() or command.partition("{text}")[2]:
            raise ValueError(f"{command!r} is no command: a word, with {{text}} at its end or without")
        has_text = command.endswith("{text}")
        _with_fields(reply, (*REPLY_FIELDS, "text") if has_text else REPLY_FIELDS)
    return dict(replies)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "…"


_MAPPED: Final = ("name", "address", "ttl", "flag", "since", "type", "data", "any")
_SAID: Final = ("id", "wish", "source")
_SECTIONS: Final = ("question", "answer", "authority", "additional")

_RECORDS: Final[dict[str, Check]] = {
    "like": _one_of("course", "forms", "master"),
    "found": _forms(*_MAPPED),
    "referral": _forms("suffix", "top", "target", "any"),
    "json": _yes_or_no,
    "comment": _text,
    "file": _text,
}
_QUESTION: Final[dict[str, Check]] = {
    "forms": _forms("name", "type", "id", "wish"),
    "register": _forms("name", "type", "id", "address", "ttl"),
    "id_bytes": _number(0, 4),
    "wish": _texts,
    "end": _texts,
}
_REPLY: Final[dict[str, Check]] = {
    "found": _forms(*_MAPPED, *_SAID, *_SECTIONS),
    "referral": _forms("name", "suffix", "top", "target", "id", "wish", "any"),
    "unknown": _forms("name", "type", "id", "any"),
    "registered": _forms("name", "type", "id", "address", "ttl"),
    "error": _forms("any"),
    "source": _texts_by(SOURCES),
}
_COMMANDS: Final[dict[str, Check]] = {
    "replies": _replies,
    "greeting": _said_by_server("ip", "port"),
    "greetings": _texts,
    "invalid": _said_by_server(),
    "invalids": _texts,
    "end": _texts,
    "ends_all": _yes_or_no,
    "farewell": _said_by_server(),
    "closing": _said_by_server(),
    "clients": _number(0, 1_000_000),
    "idle": _seconds,
}
