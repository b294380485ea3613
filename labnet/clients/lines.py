"""Lines that a person types: at prompt_toolkit in a terminal that can do it, otherwise at Python's input().

This module is there without prompt_toolkit; what needs it is :mod:`labnet.clients.prompting`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import sys
from collections.abc import Callable

from labnet.clients.command import CommandConnection


def is_for_a_person() -> bool:
    """Whether a person types and looks, in a terminal with cursor movement, and prompt_toolkit is installed."""
    return (
        sys.stdin is not None
        and sys.stdin.isatty()
        and sys.stdout.isatty()
        and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
        and importlib.util.find_spec("prompt_toolkit") is not None
    )


def name_reader() -> Callable[[], str] | None:
    """What reads a name from who is there; None where ``input()`` does."""
    if not is_for_a_person():
        edit_plain_lines()
        return None
    from labnet.clients.prompting import name_reader

    return name_reader()


def command_dialogue() -> Callable[[CommandConnection], int]:
    """The dialogue with a command server for who is there."""
    if is_for_a_person():
        from labnet.clients.live import converse
    else:
        edit_plain_lines()
        from labnet.clients.command import converse
    return converse


def edit_plain_lines() -> None:
    """Give ``input()`` its line editing and history, where this Python has it, and let it take any bytes."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401
