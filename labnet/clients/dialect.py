"""The resolver's client in a dialect: over UDP or TCP, and from server to server where one refers to another."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from labnet.clients.errors import NoAnswer, NotFound
from labnet.clients.server import AskedServer, Tap, said
from labnet.dialects.codec import AskedName, Codec, Reply, Stray, place_of
from labnet.dialects.framing import Framer, FramingError, frame
from labnet.dialects.recognise import decode_reply
from labnet.wire.course_line import TextError
from labnet.wire.quoting import quoted
from labnet.wire.types import CourseReply, Referral, fold, is_name

MOST_REFERRALS: Final = 10
"""Servers that are asked for one name, beside the first."""


@dataclass
class DialectClient:
    """Asks the server at ``host`` and ``port`` in the dialect of ``codec``, ``tries`` times with ``timeout`` seconds.

    A server that is referred to without a port is asked at ``next_port``, or where that is None at the same port.
    Connections stay open from name to name. ``tap`` is as in :class:`~labnet.clients.server.AskedServer`.
    """

    codec: Codec
    host: str
    port: int
    timeout: float = 3.0
    tries: int = 3
    tap: Tap = field(default=lambda sock: sock)
    next_port: int | None = None
    _streams: dict[tuple[str, int], _Stream] = field(default_factory=dict, init=False)

    def ask(self, name: str) -> str:
        """The address of ``name``. Raises :class:`NotFound`, :class:`NoAnswer`."""
        if not is_name(name):
            raise NotFound("")
        asked = self.codec.question_for(name)
        wish = self.codec.dialect.question.wish
        asked = asked._replace(wish=wish[0] if wish else "")  # the client walks, where a question says who does
        place = self.host, self.port
        before: list[tuple[str, int]] = []
        while True:
            server = AskedServer(*place, self.timeout, self.tries, self.tap)
            reply = self._ask(server, place, asked)
            if reply is None:
                raise NotFound("")
            if not isinstance(reply, Referral):
                return reply.address
            before.append(place)
            place = place_of(reply.target, self.next_port or place[1])
            if place in before or len(before) > MOST_REFERRALS or not reply.fits(name):
                why = "which was asked already" if place in before else "which leads to no answer"
                raise NoAnswer(f"{server} refers to {quoted(place[0])} port {place[1]}, {why}")

    def close(self) -> None:
        """Close every connection, with the word for that where the dialect has one."""
        for stream in self._streams.values():
            stream.close(self.codec.dialect.question.end)
        self._streams.clear()

    def _ask(self, server: AskedServer, place: tuple[str, int], asked: AskedName) -> Reply:
        def take(message: bytes) -> tuple[Reply] | None:
            return self._read(server, message, asked)

        question = self.codec.encode_question(asked)
        if not self.codec.dialect.is_stream:
            return server.ask(question, take)[0]
        is_open = place in self._streams
        for is_last in (not is_open, True):
            stream = self._streams.get(place) or _Stream(server, self.codec.dialect.framing)
            try:
                self._streams[place] = stream
                return stream.ask(question, take)
            except _Closed as closed:
                # A connection that was open may have been closed for its silence, or after one question.
                del self._streams[place]
                stream.close(())
                if is_last:
                    raise NoAnswer(f"no answer from {server}: {closed}") from None
            finally:
                if self.codec.dialect.transport == "tcp-once" and place in self._streams:
                    self._streams.pop(place).close(())
        raise AssertionError("the second try is the last")

    def _read(self, server: AskedServer, message: bytes, asked: AskedName) -> tuple[Reply] | None:
        """What ``message`` says; None where it is to another question."""
        try:
            reply = decode_reply(self.codec, message, asked)
        except Stray:
            return None
        except TextError as error:
            why = f"{said(message)}: {quoted(str(error))}"
            raise NoAnswer(f"{server} sent a reply that cannot be read, {why}") from None
        if isinstance(reply, CourseReply) and reply.name is not None and fold(reply.name) != fold(asked.name):
            return None
        return (reply,)


class _Closed(Exception):
    """The connection is of no use any more; the text says why."""


class _Stream:
    """A connection to ``server``, framed as ``framing`` says. Opening raises :class:`NoAnswer`."""

    def __init__(self, server: AskedServer, framing: str) -> None:
        self._server = server
        self._framing = framing
        self._framer = Framer(framing, by_line=False)
        try:
            self._socket: socket.socket = server.connect()
        except TimeoutError:
            raise NoAnswer(f"no connection to {server} in {server.timeout:g} s") from None

    def ask(self, question: bytes, take: Callable[[bytes], tuple[Reply] | None]) -> Reply:
        """Send ``question``; what ``take`` makes of the first message of which it makes something."""
        try:
            self._socket.sendall(frame(self._framing, question))
            for piece in self._server.pieces(self._socket):
                for message in self._framer.receive(piece):
                    taken = take(message)
                    if taken is not None:
                        return taken[0]
            for message in self._framer.end():
                taken = take(message)
                if taken is not None:
                    return taken[0]
        except TimeoutError:
            raise NoAnswer(f"no answer from {self._server} in {self._server.timeout:g} s") from None
        except FramingError as error:
            raise NoAnswer(f"{self._server} sent a reply that cannot be read: {error}") from None
        except OSError as error:
            raise _Closed(error.strerror or str(error)) from None
        raise _Closed("it closed the connection")

    def close(self, words: tuple[str, ...]) -> None:
        """Close it, after the first of ``words``."""
        try:
            if words:
                self._socket.sendall(frame(self._framing, words[0].encode()))
        except OSError:
            pass  # it is closed already
        finally:
            self._socket.close()


def until(words: tuple[str, ...], read: Callable[[], str] | None) -> Callable[[], str]:
    """``read``, or ``input`` where that is None, which ends like a file at one of ``words``."""

    def line() -> str:
        typed = (read or input)()
        if typed.strip() in words:
            raise EOFError
        return typed

    return line
