"""A package that a command needs and that is not installed: a sentence with what to type, and a status of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import click

from labnet.packages import hint

MISSING: Final = 3
"""The exit status where a package is missing."""


class MissingPackage(click.ClickException):
    """Ends a command with :data:`MISSING`."""

    exit_code = MISSING


@contextlib.contextmanager
def needs(package: str, extra: str, instead: str = "") -> Iterator[None]:
    """Around the imports of ``package``, which ``extra`` installs; ``instead`` says what goes without.

    Raises :class:`MissingPackage`. An import that fails for anything else is not caught.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        also = f"; {instead}" if instead else ""
        raise MissingPackage(f"this needs {package}, which is not installed: {hint(extra)}{also}") from None
