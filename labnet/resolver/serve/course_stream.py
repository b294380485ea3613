"""Questions of the course protocol over TCP, on the port of DNS over TCP.

The first byte tells them apart: a DNS message begins with its length, which is below 0x2000, so with a control
character that no text begins with. The course protocol has no ids, so the questions of one connection are answered in
their order, one at a time.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from labnet.dialects.framing import Framer, FramingError, frame
from labnet.resolver.serve.course import CourseResponder
from labnet.resolver.serve.tcp import MOST_IN_FLIGHT, DNSStreamProtocol, DNSStreams

_SPACES: Final = b"\t\n\v\f\r"


class CourseStreamProtocol(DNSStreamProtocol):
    """A connection that speaks the dialect of ``course``, or DNS where its first byte says so."""

    def __init__(self, streams: DNSStreams, course: CourseResponder) -> None:
        super().__init__(streams)
        dialect = course.codec.dialect
        self._course = course
        self._framing = dialect.framing
        self._framer = Framer(dialect.framing)
        self._once = dialect.transport == "tcp-once"
        self._may_be_dns = dialect.framing not in ("bytes-2", "bytes-4")
        self._is_course: bool | None = None
        self._messages: deque[bytes] = deque()
        self._is_answering = False

    def dataReceived(self, data: bytes) -> None:
        if self._is_course is None:
            self._is_course = not self._may_be_dns or data[0] >= 0x20 or data[0] in _SPACES
        if not self._is_course:
            super().dataReceived(data)
            return
        try:
            self._messages += self._framer.receive(data)
        except FramingError:
            self._streams.responder.counts.lost["malformed"] += 1
            self.close()
            return
        self._answer_on()
        self._set_reading()

    def _read(self) -> None:
        if self._is_course:
            self._answer_on()
        else:
            super()._read()

    def _answer_on(self) -> None:
        """Answer what has come, as long as no question waits for its answer."""
        if self._is_answering:
            return
        self._is_answering = True
        while self._messages and not self._in_flight and not self._unsent and self._goes_on:
            self._answer(self._messages.popleft())
        self._is_answering = False

    @property
    def _goes_on(self) -> bool:
        return not self._closing or self._read_all

    def _answer(self, message: bytes) -> None:
        if self._course.codec.ends(message):
            self._messages.clear()
            self.close()
            return
        self._in_flight += 1
        self._streams.idle.touch(self)
        account = self._streams.account(self, message)
        self._course.respond(message, (self.peer, self.transport), self._told, False, account, stream=True)

    def _told(self, reply: bytes | None) -> None:
        self._in_flight -= 1
        if not self._goes_on:
            return
        if reply is not None:
            self._streams.idle.touch(self)
            self._send(reply)
        if self._once:
            self._messages.clear()
            self.close()
        elif self._messages and not self._is_answering:
            self._answer_on()
            return  # the last of them has done what follows
        if self._read_all and not (self._in_flight or self._messages):
            self._finish()
        else:
            self._set_reading()

    def _send(self, reply: bytes) -> None:
        try:
            self.transport.write(frame(self._framing, reply))
        except FramingError:
            self._streams.responder.counts.lost["unsent"] += 1
            self.close()

    def _set_reading(self) -> None:
        if self._is_course and len(self._messages) >= MOST_IN_FLIGHT and not self._held and not self._closing:
            self._held = True
            self.transport.pauseProducing()
        elif not self._is_course or len(self._messages) < MOST_IN_FLIGHT:
            super()._set_reading()

    def readConnectionLost(self) -> None:
        """The client sends no more; what it asked is answered before the connection closes."""
        self._messages += self._framer.end() if self._is_course else []
        if self._messages or self._in_flight:
            self._read_all = self._closing = True
            self._answer_on()
        else:
            super().readConnectionLost()
