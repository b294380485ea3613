"""Bytes into commands (sans-IO).

A command is a line, and clients of the course send it without its end: ``TIME`` and nothing more. So input that has
paused counts as a command too, unless it may be the first letters of one. Input that ends in newlines gives the same
commands however it is cut into segments.
"""

from __future__ import annotations

import re
from typing import Final

COMMANDS: Final = (b"TIME", b"EXIT")

INVALID: Final = b""
"""The command that stands for a line too long to keep."""

LONGEST_LINE: Final = 1024
"""Bytes of a line that are kept."""

SETTLE: Final = 0.05
"""Seconds after which unfinished input that is a whole command counts as one."""

GIVE_UP: Final = 0.5
"""Seconds after which other unfinished input counts as a command; a line cut in two by the network is whole by then."""

_SPACE: Final = b" \t\v\f\r"
_LINE_END: Final = re.compile(rb"\n|\r\0")  # CR NUL: a telnet's Enter (RFC 854)
_REST_OF_LINE: Final = re.compile(rb"[ \t\v\f\r]*(?:\n|\r\0)")


class CommandFramer:
    """Collects the bytes of one connection and gives its commands, white space around each taken off."""

    __slots__ = ("_answered", "_overlong", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._overlong = False  # the line that goes on was answered as too long
        self._answered = False  # what came last counted as a command before its line ended

    def receive(self, data: bytes) -> list[bytes]:
        """The commands that ``data`` completes, in order."""
        data = self._rest + data
        if self._answered:
            rest = _REST_OF_LINE.match(data)
            if rest is not None:
                data = data[rest.end() :]
            self._answered = rest is None and not data.strip(_SPACE)
        lines = _LINE_END.split(data) if b"\0" in data else data.split(b"\n")
        self._rest = lines.pop()
        commands = [line.strip(_SPACE) if len(line) <= LONGEST_LINE else INVALID for line in lines]
        if self._overlong and lines:
            del commands[0]
            self._overlong = False
        if self._overlong or len(self._rest) > LONGEST_LINE + 1:  # one more, for the first byte of CR NUL
            if not self._overlong:
                commands.append(INVALID)
            self._overlong = True
            self._answered = False
            self._rest = self._rest[-1:] if self._rest.endswith(b"\r") else b""
        return commands

    @property
    def patience(self) -> float | None:
        """Seconds of silence after which :meth:`pause` is to be called, or None where only more input can help."""
        text = self._rest.strip(_SPACE)
        if self._overlong:
            return GIVE_UP
        if text in COMMANDS:
            return SETTLE
        begun = self._rest.lstrip(_SPACE)
        return None if any(command.startswith(begun) for command in COMMANDS) else GIVE_UP

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
