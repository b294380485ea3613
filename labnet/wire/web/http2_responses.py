"""What a server says in HTTP/2: responses, as far as the client has room for them (RFC 9113, section 5.2)."""

from __future__ import annotations

from typing import Final, NoReturn

from labnet.wire.web import http2_frames as kinds
from labnet.wire.web.http2_fields import AskedFields, block_of, heads_of
from labnet.wire.web.http2_frames import LONG, LONGEST_FRAME, H2Error, frame_of
from labnet.wire.web.model import Fields, HTTPBroken

WINDOW: Final = 65535
"""Bytes that a peer has room for at first, for each stream and for all of the connection (section 6.9.2)."""

LARGEST_WINDOW: Final = 2**31 - 1
"""Bytes of a window, and the number of a stream, at most."""


class Begun:
    """A request whose body has not come as a whole."""

    def __init__(self, asked: AskedFields) -> None:
        self.asked = asked
        self.body = b""


class HTTP2Responses:
    """The side of a connection that writes; ``settings`` is the frame that it begins with."""

    def __init__(self, settings: bytes) -> None:
        self._out = [settings]
        # By the numbers of the streams that have no whole response: the bytes that the client has room for,
        # the requests of which more has to come, and what of a response is left to be sent.
        self._windows: dict[int, int] = {}
        self._begun: dict[int, Begun] = {}
        self._left: dict[int, bytes] = {}
        self._window = self._initial = WINDOW
        self._answered = self._last = 0

    @property
    def waiting(self) -> int:
        """Bytes of responses that the client has not yet made room for."""
        return sum(map(len, self._left.values()))

    def respond(self, stream: int, status: int, fields: Fields, body: bytes) -> bool:
        window, size = self._windows.get(stream), len(body)
        if window is None:
            return True  # the client took it back
        if size <= window and size <= self._window and size <= LONGEST_FRAME and stream not in self._begun:
            before, between = heads_of(status, tuple(fields), size)
            number = LONG.pack(stream)
            self._out += before, number, between, number, body
            self._window -= size
            self._done(stream)
        else:
            self._out.append(frame_of(kinds.HEADERS, kinds.END_HEADERS, stream, block_of(status, tuple(fields), size)))
            self._left[stream] = body
            self._send_left(stream)
        return True

    def end(self) -> None:
        self._out.append(frame_of(kinds.GOAWAY, 0, 0, LONG.pack(self._last) + LONG.pack(H2Error.NO_ERROR)))

    def to_send(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _send_left(self, stream: int) -> None:
        """Send as much of a response as the client has room for (section 5.2)."""
        left, window = self._left[stream], self._windows[stream]
        while True:
            size = max(0, min(len(left), self._window, window, LONGEST_FRAME))
            if not size and left:
                self._left[stream], self._windows[stream] = left, window
                return
            piece, left = left[:size], left[size:]
            self._window -= size
            window -= size
            self._out.append(frame_of(kinds.DATA, 0 if left else kinds.END_STREAM, stream, piece))
            if not left:
                break
        del self._left[stream]
        if stream in self._begun:
            del self._begun[stream]
            self._reset(stream, H2Error.NO_ERROR)  # the rest of the request is not wanted
        self._done(stream)

    def _done(self, stream: int) -> None:
        del self._windows[stream]
        self._answered += 1

    def _send_more(self) -> None:
        for stream in list(self._left):
            self._send_left(stream)

    def _reset(self, stream: int, why: H2Error) -> None:
        self._out.append(frame_of(kinds.RST_STREAM, 0, stream, LONG.pack(why)))

    def _fail(self, why: H2Error, text: str) -> NoReturn:
        """End the connection (section 5.4.1)."""
        self._out.append(frame_of(kinds.GOAWAY, 0, 0, LONG.pack(self._last) + LONG.pack(why)))
        raise HTTPBroken(text)
