"""How single values of the configuration are written: text, paths, names, secrets.

Each reader takes what TOML gave and raises ValueError with a sentence that says how to write it instead.
"""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema

from labnet.dialects.library import is_path, shipped
from labnet.dialects.template import TemplateError, fields_of

_REDIS_URL = re.compile(r"redis://(?:[^\s:@/]*:[^\s@/]*@)?(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?(?:/\d{1,4})?")


_LOGIN = re.compile(r"//.*@", re.DOTALL)


_DOMAIN = re.compile(r"\.|(?:[^.\s]{1,63}\.)*[^.\s]{1,63}\.?")


class RecordsFile(BaseModel):
    """A records file: ``course:FILE``, ``hosts:FILE``, ``zone:FILE``, or FILE alone, whose content says its kind."""

    model_config = ConfigDict(frozen=True)
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


def _secret(value: object) -> bytes:
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


class _OneOrMany:
    """Has the JSON schema of a key say that its only item may stand alone."""

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        array = handler(core)
        return {"anyOf": [array["items"], array]}


def text_schema(kind: str) -> WithJsonSchema:
    """The JSON schema of text that is a ``kind`` of value; the page of the keys calls it by that word too."""
    return WithJsonSchema({"type": "string", "format": kind})


_Item = TypeVar("_Item")


Many = Annotated[tuple[_Item, ...], BeforeValidator(_many), _OneOrMany()]


Domain = Annotated[str, BeforeValidator(read_domain), text_schema("domain")]


File = Annotated[RecordsFile, BeforeValidator(parse_records_file), text_schema("records-file")]


Path = Annotated[str, Field(min_length=1), AfterValidator(read_path), text_schema("path")]


DialectName = Annotated[str, BeforeValidator(read_dialect), text_schema("dialect")]


Unknown = Annotated[str, AfterValidator(_unknown)]


Printable = Annotated[str, AfterValidator(_printable)]


ServerName = Annotated[str, AfterValidator(_printable), AfterValidator(_short)]


RedisURL = Annotated[str, BeforeValidator(_redis_url), text_schema("redis-url")]


Secret = Annotated[bytes, BeforeValidator(_secret), text_schema("base64")]


Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]


TTL = Annotated[int, Field(ge=0, le=2**31 - 1)]
