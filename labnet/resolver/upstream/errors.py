"""How asking a server fails."""

from __future__ import annotations

from labnet.wire.types import ExtendedError


class ParentFailed(Exception):
    """A server did not answer, or not usefully. The text says which and how; ``errors`` are its own extended errors."""

    def __init__(self, text: str, errors: tuple[ExtendedError, ...] = ()) -> None:
        super().__init__(text)
        self.errors = errors


class Unusable(ParentFailed):
    """A server's reply arrived and holds nothing of use. ``rcode`` is the reply's."""

    def __init__(self, text: str, rcode: int, errors: tuple[ExtendedError, ...] = ()) -> None:
        super().__init__(text, errors)
        self.rcode = rcode
