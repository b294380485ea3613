"""The tables of the configuration that say what a resolver keeps from its clients; the descriptions are the docs."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final, Literal

from labnet.values.addresses import Network
from labnet.values.model import Checks, Model, Reads, Written, field
from labnet.values.texts import Many, Path, Printable
from labnet.wire.names import wire_of

WORDS: Final = ("nxdomain", "nodata", "zero", "refused", "allow")
"""What a list may say in place of addresses."""


_NAME: Final = re.compile(r"(?:\*?\.)?[^\s*]+")


def _answer(value: object) -> str:
    if isinstance(value, str):
        if value in WORDS:
            return value
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            pass
    raise ValueError(f"{value!r} is no answer: write {', '.join(WORDS)}, or addresses")


def _answers(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or (len(value) > 1 and any(each in WORDS for each in value)):
        raise ValueError(f"must be one of {', '.join(WORDS)}, or addresses")
    return value


def _listed(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value) or wire_of(value.lstrip("*.")) is None:
        raise ValueError(f"{value!r} is no name: write ads.example, or *.ads.example for it and all below it")
    return value


ListName = Annotated[Printable, field(max_length=40)]


BlockAnswer = Annotated[str, Reads(_answer), Written("answer")]


ListedName = Annotated[str, Reads(_listed), Written("name")]


class BlockTable(Model):
    """``[resolver.NAME.block.LIST]``: a list of names, and what is answered about them."""

    file: Path | None = field(None, description="The file with the names, relative to this file.")
    form: Literal["domains", "hosts", "rpz"] = field(
        "domains",
        description="Of the file: a name a line, lines as in /etc/hosts, or a response policy zone, which says itself "
        "what is answered.",
    )
    names: Many[ListedName] = field(
        (), description="Names of the list beside those of the file; *.example.org is example.org and all below it."
    )
    subdomains: bool = field(False, description="Whether each name of the list stands for all names below it too.")
    answer: Annotated[Many[BlockAnswer], Checks(_answers)] = field(
        ("nxdomain",),
        description="nxdomain, nodata, zero (0.0.0.0 and ::), refused, or addresses; allow: no other list counts for "
        "these names.",
    )
    clients: Many[Network] = field((), description="Networks of the clients that it is for; default: all.")
    asked_for: bool = field(
        False, description="The clients wish it so: they are told Filtered (17) as extended error, not Blocked (15)."
    )

    def model_check(self) -> None:
        if self.file is None and not self.names:
            raise ValueError("has no names: give it a file, or names")
        if self.form == "rpz" and "answer" in self.model_fields_set:
            raise ValueError("has an answer, which a file of form rpz says itself: leave one of them out")
        if self.form == "rpz" and self.file is None:
            raise ValueError("is of form rpz and has no file: give it one")
