"""The command server in other dialects than the assignment's: more commands, other frames, silence for an error.

A dialect that has TIME and EXIT alone, and a reply for anything else, is served by
:class:`~labnet.command.protocol.CommandProtocol`, which answers whole segments of TIME at once.
"""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom

from labnet.command.framing import ANY, INVALID, CommandFramer
from labnet.command.protocol import CommandProtocol, CommandServer
from labnet.config.services import CommandConfig
from labnet.dialects.commands import CommandClient, CommandCodec
from labnet.dialects.framing import Framer, FramingError
from labnet.dialects.library import find


class DialectProtocol(CommandProtocol):
    """A connection whose commands are looked up in the table of the server's dialect, one by one."""

    def lineReceived(self, line: bytes) -> None:
        server, codec = self._server, self._server.style
        if codec.is_end(line):
            self.reply(codec.farewell)
            self._flush()
            server.exit(self)
            return
        client = CommandClient(self.host, getattr(self.transport.getPeer(), "port", 0))
        reply = codec.reply(line, client, server.counted(line))
        if reply:
            self.reply(reply)


class PrefixedFramer(CommandFramer):
    """Collects commands that have their length before them; nothing counts as one before it is whole."""

    __slots__ = ("_frames", "_left")

    def __init__(self, framing: str) -> None:
        super().__init__()
        self._frames = Framer(framing)
        self._left: list[bytes] = []

    def receive(self, data: bytes, most: int = ANY) -> list[bytes]:
        try:
            self._left += [message.strip() for message in self._frames.receive(data)]
        except FramingError:
            # Where the next message begins nobody knows: what has come is one that is none.
            self._frames.end()
            self._left.append(INVALID)
        commands, self._left = self._left[:most], self._left[most:]
        return commands

    @property
    def is_fresh(self) -> bool:
        return False

    @property
    def is_unfinished(self) -> bool:
        return bool(self._left)

    @property
    def has_line(self) -> bool:
        return bool(self._left)

    def take_rest(self) -> bytes:
        return b""

    @property
    def patience(self) -> float | None:
        return None

    def pause(self) -> list[bytes]:
        return []

    def end(self) -> list[bytes]:
        return []


def codec_of(config: CommandConfig) -> CommandCodec:
    """What the server says by ``config``. Raises :class:`~labnet.dialects.reader.DialectError`."""
    return CommandCodec(find(config.dialect or config.replies), SystemRandom())


def with_dialect(config: CommandConfig, codec: CommandCodec) -> CommandConfig:
    """``config``, with what the dialect lays down where it says nothing itself: clients at a time, silent seconds."""
    given = config.model_fields_set
    own = {"timeout": codec.forms.idle, "clients": codec.forms.clients}
    return config.model_copy(update={key: value for key, value in own.items() if key not in given})


def protocol_of(codec: CommandCodec) -> Callable[[CommandServer], CommandProtocol]:
    """What serves a connection."""
    return CommandProtocol if codec.is_plain else DialectProtocol


def framer_of(codec: CommandCodec) -> CommandFramer:
    """A framer for one connection."""
    return PrefixedFramer(codec.dialect.framing) if codec.is_prefixed else CommandFramer(codec.words)
