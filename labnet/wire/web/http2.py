"""HTTP/2 (RFC 9113) as a server of small requests speaks it: it pushes nothing, and knows no priorities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from hpack import HPACKError

from labnet.wire.web import http2_frames as kinds
from labnet.wire.web.http2_fields import AskedFields, RequestFields, block_of
from labnet.wire.web.http2_frames import LONG, LONGEST_FRAME, H2Error, frame_of
from labnet.wire.web.model import BODY_BYTES, HEADER_BYTES, Fields, HTTPBroken, HTTPRequest

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

MOST_STREAMS: Final = 100
"""Requests of one connection at a time."""

MOST_RESETS: Final = 200
"""Requests that a client may take back, beside as many as were answered; then its connection ends."""

_MOST_FRAGMENTS: Final = 16
MOST_UNWANTED: Final = 1 << 20
"""Bytes of a body that is too long and says so, up to which it is read over before the response."""

_WINDOW: Final = 65535  # of each stream and of the connection, at first (section 6.9.2)
_LARGEST_WINDOW: Final = 2**31 - 1


class _Stream:
    """A request that has no whole response yet. ``left`` is what of that may not be sent yet."""

    __slots__ = ("asked", "body", "is_read", "left", "window")

    def __init__(self, asked: AskedFields, window: int) -> None:
        self.asked = asked
        self.body = b""
        self.is_read = False
        self.left: bytes | None = None
        self.window = window


class HTTP2Codec:
    """One connection, from the client's preface on."""

    def __init__(self) -> None:
        self._in = b""
        self._begun = False
        settings = ((kinds.MAX_CONCURRENT_STREAMS, MOST_STREAMS), (kinds.MAX_HEADER_LIST_SIZE, HEADER_BYTES))
        self._out = [frame_of(kinds.SETTINGS, 0, 0, b"".join(kinds.SETTING.pack(*one) for one in settings))]
        self._fields = RequestFields()
        self._streams: dict[int, _Stream] = {}
        self._last = 0
        self._window = self._initial = _WINDOW
        self._taken = 0
        self._resets = self._answered = 0
        self._block: tuple[int, int, list[bytes]] | None = None
        self._requests: list[HTTPRequest] = []
        self._readers: dict[int, Callable[[int, int, bytes], None]] = {
            kinds.DATA: self._read_data,
            kinds.HEADERS: self._read_headers,
            kinds.RST_STREAM: self._read_reset,
            kinds.SETTINGS: self._read_settings,
            kinds.PUSH_PROMISE: lambda flags, stream, payload: self._fail(H2Error.PROTOCOL_ERROR, "a client pushes"),
            kinds.PING: self._read_ping,
            kinds.WINDOW_UPDATE: self._read_window_update,
            kinds.CONTINUATION: self._read_continuation,
        }

    @property
    def waiting(self) -> int:
        """Bytes of responses that the client has not yet made room for."""
        return sum(len(stream.left) for stream in self._streams.values() if stream.left)

    def receive(self, data: bytes) -> list[HTTPRequest]:
        data, at = self._in + data, 0
        if not self._begun:
            if data[: len(PREFACE)] != PREFACE[: len(data)]:
                self._fail(H2Error.PROTOCOL_ERROR, "the connection does not begin as one of HTTP/2")
            if len(data) < len(PREFACE):
                self._in = data
                return []
            self._begun, at = True, len(PREFACE)
        while len(data) - at >= kinds.HEAD.size:
            high, low, kind, flags, stream = kinds.HEAD.unpack_from(data, at)
            length, begin = high << 8 | low, at + kinds.HEAD.size
            if length > LONGEST_FRAME:
                self._fail(H2Error.FRAME_SIZE_ERROR, "a frame is too long")
            if begin + length > len(data):
                break
            at = begin + length
            if self._block is not None and kind != kinds.CONTINUATION:
                self._fail(H2Error.PROTOCOL_ERROR, "header fields are interrupted")
            reader = self._readers.get(kind)
            if reader is not None:
                reader(flags, stream & _LARGEST_WINDOW, data[begin:at])
        self._in = data[at:]
        requests, self._requests = self._requests, []
        return requests

    def respond(self, stream: int, status: int, fields: Fields, body: bytes) -> bool:
        found = self._streams.get(stream)
        if found is None:
            return True  # the client took it back
        block = block_of(status, tuple(fields), len(body))
        head = frame_of(kinds.HEADERS, kinds.END_HEADERS, stream, block)
        if len(body) <= min(self._window, found.window, LONGEST_FRAME) and found.is_read:
            self._window -= len(body)
            self._out.append(head + frame_of(kinds.DATA, kinds.END_STREAM, stream, body))
            self._done(stream)
        else:
            self._out.append(head)
            found.left = body
            self._send_left(stream, found)
        return True

    def end(self) -> None:
        self._out.append(frame_of(kinds.GOAWAY, 0, 0, LONG.pack(self._last) + LONG.pack(H2Error.NO_ERROR)))

    def to_send(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _send_left(self, number: int, stream: _Stream) -> None:
        """Send as much of a response as the client has room for (section 5.2)."""
        left = stream.left or b""
        while True:
            size = min(len(left), self._window, stream.window, LONGEST_FRAME)
            if size <= 0 and left:
                stream.left = left
                return
            piece, left = left[:size], left[size:]
            self._window -= size
            stream.window -= size
            self._out.append(frame_of(kinds.DATA, 0 if left else kinds.END_STREAM, number, piece))
            if not left:
                break
        if not stream.is_read:
            self._reset(number, H2Error.NO_ERROR)  # the rest of the request is not wanted
        self._done(number)

    def _done(self, number: int) -> None:
        del self._streams[number]
        self._answered += 1

    def _read_headers(self, flags: int, stream: int, payload: bytes) -> None:
        if not stream & 1:
            self._fail(H2Error.PROTOCOL_ERROR, "a request has no number of a client's")
        payload = self._without_padding(flags, payload)
        if flags & kinds.HAS_PRIORITY:
            payload = payload[5:]
        if flags & kinds.END_HEADERS:
            self._take_fields(stream, flags, payload)
        else:
            self._block = stream, flags, [payload]

    def _read_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != stream:
            self._fail(H2Error.PROTOCOL_ERROR, "header fields go on that did not begin")
        _, first_flags, parts = self._block
        parts.append(payload)
        if len(parts) > _MOST_FRAGMENTS or sum(map(len, parts)) > 2 * HEADER_BYTES:
            self._fail(H2Error.ENHANCE_YOUR_CALM, "the header fields are too long")
        if flags & kinds.END_HEADERS:
            self._block = None
            self._take_fields(stream, first_flags, b"".join(parts))

    def _take_fields(self, number: int, flags: int, block: bytes) -> None:
        try:
            asked = self._fields.read(block)
        except HPACKError as error:
            self._fail(H2Error.COMPRESSION_ERROR, f"the header fields cannot be read: {error}")
        stream = self._streams.get(number)
        if stream is not None:  # what stands behind a body says nothing here
            if not flags & kinds.END_STREAM or stream.is_read:
                self._fail(H2Error.PROTOCOL_ERROR, "a request begins twice")
            self._finish(number, stream)
            return
        if number <= self._last:
            return  # the rest of a request that is over
        self._last = number
        if asked is None:
            self._reset(number, H2Error.PROTOCOL_ERROR)
        elif len(self._streams) >= MOST_STREAMS:
            self._reset(number, H2Error.REFUSED_STREAM)
        else:
            self._streams[number] = stream = _Stream(asked, self._initial)
            if flags & kinds.END_STREAM:
                self._finish(number, stream)
            elif asked.length > MOST_UNWANTED:
                self._requests.append(HTTPRequest(number, *asked[:3], b"", True))
            elif asked.length > BODY_BYTES:  # some clients hear nothing before they have sent all
                self._out.append(frame_of(kinds.WINDOW_UPDATE, 0, number, LONG.pack(asked.length)))

    def _read_data(self, flags: int, stream: int, payload: bytes) -> None:
        self._taken += len(payload)
        if self._taken > _WINDOW // 2:
            self._out.append(frame_of(kinds.WINDOW_UPDATE, 0, 0, LONG.pack(self._taken)))
            self._taken = 0
        found = self._streams.get(stream)
        if found is None or found.is_read:
            if stream == 0 or stream > self._last or found is not None:
                self._fail(H2Error.PROTOCOL_ERROR, "data belong to no request")
            return
        if found.asked.length <= BODY_BYTES:
            found.body += self._without_padding(flags, payload)
        if len(found.body) > BODY_BYTES:
            self._fail(H2Error.FLOW_CONTROL_ERROR, "a body is longer than there is room for")
        if flags & kinds.END_STREAM:
            self._finish(stream, found)

    def _finish(self, number: int, stream: _Stream) -> None:
        """The whole request has come."""
        asked, body = stream.asked, stream.body
        stream.is_read = True
        if asked.length > BODY_BYTES:
            if asked.length <= MOST_UNWANTED:
                self._requests.append(HTTPRequest(number, *asked[:3], b"", True))
            return
        if asked.length not in (-1, len(body)):
            del self._streams[number]
            self._reset(number, H2Error.PROTOCOL_ERROR)
            return
        self._requests.append(HTTPRequest(number, *asked[:3], body))

    def _read_reset(self, flags: int, stream: int, payload: bytes) -> None:
        if stream == 0 or stream > self._last or len(payload) != LONG.size:
            self._fail(H2Error.PROTOCOL_ERROR, "a request is taken back that was not made")
        self._streams.pop(stream, None)
        self._resets += 1
        if self._resets > MOST_RESETS + self._answered:
            self._fail(H2Error.ENHANCE_YOUR_CALM, "too many requests are taken back")

    def _read_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream or len(payload) % kinds.SETTING.size or (flags & kinds.ACK and payload):
            self._fail(H2Error.FRAME_SIZE_ERROR, "the settings cannot be read")
        if flags & kinds.ACK:
            return
        for name, value in kinds.SETTING.iter_unpack(payload):
            if name == kinds.INITIAL_WINDOW_SIZE:
                if value > _LARGEST_WINDOW:
                    self._fail(H2Error.FLOW_CONTROL_ERROR, "a window is too large")
                for one in self._streams.values():
                    one.window += value - self._initial
                self._initial = value
            elif name == kinds.MAX_FRAME_SIZE and not LONGEST_FRAME <= value < 1 << 24:
                self._fail(H2Error.PROTOCOL_ERROR, "frames cannot have that size")
        self._out.append(frame_of(kinds.SETTINGS, kinds.ACK, 0, b""))
        self._send_more()

    def _read_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream or len(payload) != 8:
            self._fail(H2Error.FRAME_SIZE_ERROR, "a ping cannot be read")
        if not flags & kinds.ACK:
            self._out.append(frame_of(kinds.PING, kinds.ACK, 0, payload))

    def _read_window_update(self, flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != LONG.size:
            self._fail(H2Error.FRAME_SIZE_ERROR, "a window's update cannot be read")
        increment = LONG.unpack(payload)[0] & _LARGEST_WINDOW
        found = self._streams.get(stream)
        window = self._window if stream == 0 else 0 if found is None else found.window
        if not increment or window + increment > _LARGEST_WINDOW:
            self._fail(H2Error.FLOW_CONTROL_ERROR, "a window cannot have that size")
        if stream == 0:
            self._window += increment
        elif found is not None:
            found.window += increment
        self._send_more()

    def _send_more(self) -> None:
        for number, stream in list(self._streams.items()):
            if stream.left is not None:
                self._send_left(number, stream)

    def _without_padding(self, flags: int, payload: bytes) -> bytes:
        if not flags & kinds.PADDED:
            return payload
        if not payload or payload[0] >= len(payload):
            self._fail(H2Error.PROTOCOL_ERROR, "the padding is longer than its frame")
        return payload[1 : len(payload) - payload[0]]

    def _reset(self, stream: int, why: H2Error) -> None:
        self._out.append(frame_of(kinds.RST_STREAM, 0, stream, LONG.pack(why)))

    def _fail(self, why: H2Error, text: str) -> NoReturn:
        """End the connection (section 5.4.1)."""
        self._out.append(frame_of(kinds.GOAWAY, 0, 0, LONG.pack(self._last) + LONG.pack(why)))
        raise HTTPBroken(text)
