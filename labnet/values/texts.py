"""How single values of the configuration are written: text, paths, names, secrets.

Each reader takes what TOML gave and raises ValueError with a sentence that says how to write it instead.
"""

from __future__ import annotations

import base64
import re
from typing import Annotated, Literal, TypeVar

from labnet.dialects.library import is_path, shipped
from labnet.dialects.template import TemplateError, fields_of
from labnet.values.model import Checks, Model, Reads, Written, field

_REDIS_URL = re.compile(r"redis://(?:[^\s:@/]*:[^\s@/]*@)?(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?(?:/\d{1,4})?")


_LOGIN = re.compile(r"//.*@", re.DOTALL)


_DOMAIN = re.compile(r"\.|(?:[^.\s]{1,63}\.)*[^.\s]{1,63}\.?")


class RecordsFile(Model):
    """A records file: ``course:FILE``, ``hosts:FILE``, ``zone:FILE``, or FILE alone, whose content says its kind."""

    path: str
    kind: Literal["course", "hosts", "zone"] | None = None


def _many(value: object) -> tuple[object, ...]:
    """A key that takes a list takes its only item alone too."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def read_text(value: object) -> str:
    """Text of the configuration. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}")
    return value


def read_path(value: str) -> str:
    """A path that a file may have. Raises ValueError."""
    if not value:
        raise ValueError("must name a file")
    if "\0" in value:
        raise ValueError(f"{value!r} is no path: it holds a NUL")
    return value


def parse_records_file(value: object) -> RecordsFile:
    """Raises ValueError."""
    if isinstance(value, RecordsFile):
        return value
    text = read_text(value)
    kinds: tuple[Literal["course", "hosts", "zone"], ...] = ("course", "hosts", "zone")
    for kind in kinds:
        if text.startswith(kind + ":"):
            return RecordsFile(path=read_path(text.removeprefix(kind + ":")), kind=kind)
    return RecordsFile(path=read_path(text))


def read_domain(value: object) -> str:
    text = read_text(value)
    if not _DOMAIN.fullmatch(text):
        raise ValueError(f"{text!r} is no domain name")
    return text


def read_secret(value: object) -> bytes:
    """A secret in base64; what is wrong with it is said without it."""
    try:
        secret = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except ValueError:
        secret = b""
    if not secret:
        raise ValueError("must be a secret in base64, such as tsig-keygen makes")
    return secret


def _redis_url(value: object) -> str:
    text = read_text(value)
    if not _REDIS_URL.fullmatch(text):
        shown = _LOGIN.sub("//…@", text)  # the password is nobody's to read
        raise ValueError(f"must be redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], not {shown!r}")
    return text


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable text")
    return value


def read_dialect(value: object) -> str:
    """The name of a dialect that labnet has, or the path of a file. Raises ValueError."""
    text = read_text(value)
    if is_path(text):
        return read_path(text)
    known = shipped()
    if text not in known:
        raise ValueError(f"there is no dialect {text!r}: write the path of a file, or one of {', '.join(known)}")
    return text


def _unknown(value: str) -> str:
    """The form of a reply, of which the name is the only field. Raises ValueError."""
    try:
        wrong = [field for field in fields_of(_printable(value)) if field != "name"]
    except TemplateError as error:
        raise ValueError(str(error)) from None
    if wrong:
        raise ValueError(f"has {{{wrong[0]}}}: only {{name}} is filled in")
    return value


def _short(value: str) -> str:
    """``value``, if an answer has room for it beside everything else. Raises ValueError."""
    if len(value.encode()) > 64:
        raise ValueError("must be 64 bytes at most")
    return value


_Item = TypeVar("_Item")


Many = Annotated[tuple[_Item, ...], Reads(_many)]


Domain = Annotated[str, Reads(read_domain), Written("domain")]


File = Annotated[RecordsFile, Reads(parse_records_file), Written("records-file")]


Path = Annotated[str, field(min_length=1), Checks(read_path), Written("path")]


DialectName = Annotated[str, Reads(read_dialect), Written("dialect")]


Unknown = Annotated[str, Checks(_unknown)]


Printable = Annotated[str, Checks(_printable)]


ServerName = Annotated[str, Checks(_printable), Checks(_short)]


RedisURL = Annotated[str, Reads(_redis_url), Written("redis-url")]


Secret = Annotated[bytes, Reads(read_secret), Written("base64")]


Seconds = Annotated[float, field(gt=0, le=86400, finite=True)]


TTL = Annotated[int, field(ge=0, le=2**31 - 1)]
