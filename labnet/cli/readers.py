"""The kinds of values that options and arguments take; each is refused in a sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

Value = TypeVar("Value")


class Reader(click.ParamType[Value]):
    """Takes what ``read`` makes a value of, or refuses with a ValueError. ``words`` are what a shell completes."""

    def __init__(self, name: str, read: Callable[[str], Value], words: Callable[[], Iterable[str]] = tuple) -> None:
        self.name = name
        self._read = read
        self._words = words

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):  # a default
            return value
        try:
            return self._read(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in self._words() if word.startswith(incomplete)]


def read_port(text: str) -> int:
    """A port number."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535):
        raise ValueError(f"{text!r} is no port: a number from 1 to 65535")
    return int(text)


def read_seconds(text: str) -> float:
    """A time to wait."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) <= 3600:
            return float(text)
    raise ValueError(f"{text!r} is no time: seconds above 0, 3600 at most")


def read_tries(text: str) -> int:
    """How often something is tried."""
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 0 < int(text) <= 100):
        raise ValueError(f"{text!r} is no count: 1 to 100")
    return int(text)


PORT: Final = Reader("port", read_port)
SECONDS: Final = Reader("seconds", read_seconds)
TRIES: Final = Reader("tries", read_tries)
