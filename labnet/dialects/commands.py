"""A dialect of commands, compiled: what a command server says (sans-IO)."""

from __future__ import annotations

import time
from random import Random
from typing import Final, NamedTuple

from labnet.dialects.framing import FramingError, frame
from labnet.dialects.model import Dialect

NAME: Final = "labnet"
"""What a server is called where nobody has named it."""


class CommandClient(NamedTuple):
    """Whom a reply is for, by its address and port."""

    host: str
    port: int


class CommandCodec:
    """The functions of ``dialect``; ``random`` is for its numbers, ``name`` for its server."""

    def __init__(self, dialect: Dialect, random: Random, name: str = NAME) -> None:
        self.dialect = dialect
        self.forms = forms = dialect.commands
        self._random = random
        self._name = name
        self._fixed = {command.encode(): reply for command, reply in forms.replies.items() if "{text}" not in command}
        self._open = {
            command.removesuffix("{text}").strip().encode(): reply
            for command, reply in forms.replies.items()
            if "{text}" in command
        }
        self._ends = frozenset(word.encode() for word in forms.end)
        self.exit_closes_all = forms.ends_all
        """Whether a command that closes the connection closes the server too."""
        self.words: Final = tuple(sorted({*self._fixed, *self._open, *self._ends}))
        """The commands, to tell a whole one from one that goes on."""
        self.is_prefixed = dialect.framing not in ("whole", "lf", "crlf")
        self.invalid = self._said(forms.invalid)
        """The reply to what is no command."""
        self.farewell = self._said(forms.farewell)
        """The reply to a command that closes the connection."""
        self.closing = self._said(forms.closing)
        """What is said where the server stops."""

    @property
    def is_plain(self) -> bool:
        """Whether it has TIME and EXIT alone, as the assignment's words have, and a reply to anything else."""
        has_both = set(self._fixed) == {b"TIME"} and self._ends == {b"EXIT"} and not self._open
        return has_both and bool(self.invalid) and not (self.is_prefixed or self.farewell)

    def greet(self, host: str, port: int) -> bytes:
        """What is said first to a client at address ``host``; nothing where the client is to speak first."""
        text = self.forms.greeting
        return b"" if text is None else self._framed(text.format(ip=host, port=port).encode())

    def is_command(self, command: bytes) -> bool:
        """Whether ``command`` is one, and not anything else."""
        return command in self.words or command.partition(b" ")[0] in self._open

    def is_end(self, command: bytes) -> bool:
        """Whether ``command`` closes the connection."""
        return command in self._ends

    def reply(self, command: bytes, client: CommandClient, now: float) -> bytes:
        """The reply to ``command`` at ``now`` (epoch seconds); nothing where the dialect has silence for it."""
        text = b""
        form = self._fixed.get(command)
        if form is None:
            word, _, text = command.partition(b" ")
            form = self._open.get(word)
        if form is None:
            return self._said(self.forms.invalid)
        # The client's own bytes go back as they came, whatever they are.
        return self._framed(self._written(form, text, client, now))

    def time(self, now: float) -> bytes:
        """The reply to TIME at ``now`` (epoch seconds)."""
        return self.reply(b"TIME", CommandClient("", 0), now)

    def _said(self, form: str | None) -> bytes:
        return b"" if form is None else self._framed(form.format().encode())

    def _written(self, form: str, text: bytes, client: CommandClient, now: float) -> bytes:
        clock = time.localtime(now)
        values = {
            "ctime": time.ctime(now),
            "year": f"{clock.tm_year:04d}",
            "month": f"{clock.tm_mon:02d}",
            "day": f"{clock.tm_mday:02d}",
            "hour": f"{clock.tm_hour:02d}",
            "minute": f"{clock.tm_min:02d}",
            "second": f"{clock.tm_sec:02d}",
            "ip": client.host,
            "port": str(client.port),
            "name": self._name,
            "random": str(self._random.randint(1, 10)),
            "text": text.decode("utf-8", "surrogateescape"),
        }
        return form.format_map(values).encode("utf-8", "surrogateescape")

    def _framed(self, message: bytes) -> bytes:
        if not self.is_prefixed:
            return message  # its forms have the end of their lines
        try:
            return frame(self.dialect.framing, message)
        except FramingError:
            return frame(self.dialect.framing, message[:99])
