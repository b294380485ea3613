"""Bytes into commands (sans-IO).

A command is a line, and clients of the course send it without its end: ``TIME`` and nothing more. So input that has
paused counts as a command too, unless it may be the first letters of one. Input that ends in newlines gives the same
commands however it is cut into segments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from labnet.wire.http import is_request

COMMANDS: Final = (b"TIME", b"EXIT")

INVALID: Final = b"\n"
"""The command that stands for a line longer than :data:`LONGEST_LINE`."""

LONGEST_LINE: Final = 1024
"""Bytes of a line; what is longer is an invalid command."""

SETTLE: Final = 0.05
"""Seconds after which unfinished input that is a whole command counts as one."""

GIVE_UP: Final = 0.5
"""Seconds after which other unfinished input counts as a command; a line cut in two by the network is whole by then."""

ANY: Final = 1 << 30
"""More commands than any input holds."""

_SPACE: Final = b" \t\v\f\r"
_LINE_END: Final = re.compile(rb"\n|\r\0")  # CR NUL: a telnet's Enter (RFC 854)
_REST_OF_LINE: Final = re.compile(rb"[ \t\v\f\r]*(?:\n|\r\0)")


class CommandFramer:
    """Collects the bytes of one connection and gives its commands, white space around each taken off.

    ``words`` are the commands that need no end of their line.
    """

    __slots__ = ("_answered", "_overlong", "_rest", "_words", "is_http")

    def __init__(self, words: Sequence[bytes] = COMMANDS) -> None:
        self._words = words
        self._rest = b""
        self._overlong = False  # the line that goes on was answered as too long
        self._answered = False  # what came last counted as a command before its line ended
        self.is_http = False
        """Whether a line of an HTTP request has come: what follows is a browser's, and no command."""

    def receive(self, data: bytes, most: int = ANY) -> list[bytes]:
        """The commands that ``data`` completes, in order.

        After ``most`` of them the rest stays as bytes, which take less room than unread replies would: while
        :attr:`has_line`, a further call, with nothing, goes on there.
        """
        plain = b"\0" not in data and b":" not in data and b"/" not in data
        if plain and self.is_fresh and data[-1:] == b"\n" and len(data) <= LONGEST_LINE:
            lines = data.split(b"\n")
            if len(lines) <= most:
                lines.pop()
                return [line.strip(_SPACE) for line in lines]
        return self._receive(data, most)

    def _receive(self, data: bytes, most: int) -> list[bytes]:
        data = self._rest + data
        if self._answered:
            rest = _REST_OF_LINE.match(data)
            if rest is not None:
                data = data[rest.end() :]
            self._answered = rest is None and not data.strip(_SPACE)
        lines = _LINE_END.split(data, most) if b"\0" in data else data.split(b"\n", most)
        self._rest = lines.pop()
        if b"/" in data or b":" in data:
            begun = [self._rest] if len(self._rest) > LONGEST_LINE else []
            self.is_http = any(map(is_request, lines + begun))
        commands = [line.strip(_SPACE) if len(line) <= LONGEST_LINE else INVALID for line in lines]
        if self._overlong and lines:
            del commands[0]
            self._overlong = False
        if len(lines) == most and self.has_line:
            return commands
        if self._overlong or len(self._rest) > LONGEST_LINE + 1:  # one more, for the first byte of CR NUL
            if not self._overlong:
                commands.append(INVALID)
            self._overlong = True
            self._answered = False
            self._rest = self._rest[-1:] if self._rest.endswith(b"\r") else b""
        return commands

    @property
    def is_fresh(self) -> bool:
        """Whether nothing that came before matters for what comes next."""
        return not (self._rest or self._overlong or self._answered)

    @property
    def is_unfinished(self) -> bool:
        """Whether there is anything that :attr:`has_line`, :attr:`patience` or :meth:`end` would speak of."""
        return bool(self._rest) or self._overlong

    @property
    def has_line(self) -> bool:
        """Whether a whole line is left, because :meth:`receive` was asked for no more."""
        return b"\n" in self._rest or b"\r\0" in self._rest

    def take_rest(self) -> bytes:
        """What came and was no command yet, as bytes; it is forgotten."""
        rest, self._rest = self._rest, b""
        return rest

    @property
    def patience(self) -> float | None:
        """Seconds of silence after which :meth:`pause` is to be called, or None where only more input can help."""
        text = self._rest.strip(_SPACE)
        if self._overlong:
            return GIVE_UP
        if text in self._words:
            return SETTLE
        begun = self._rest.lstrip(_SPACE)
        return None if any(command.startswith(begun) for command in self._words) else GIVE_UP

    def pause(self) -> list[bytes]:
        """The client has been silent for :attr:`patience`: the command that its unfinished input counts as."""
        if self._overlong:
            self._overlong = False
            self._answered = True
            return []
        return self.end()

    def end(self) -> list[bytes]:
        """The client will send no more: the command that its unfinished input is."""
        text, self._rest = self._rest.strip(_SPACE), b""
        if not text:
            return []
        self._answered = True
        return [text if len(text) <= LONGEST_LINE else INVALID]
