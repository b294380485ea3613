"""HTTP/2 (RFC 9113) as a server of small requests speaks it: it pushes nothing, and knows no priorities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hpack import HPACKError

from labnet.wire.web import http2_frames as kinds
from labnet.wire.web.http2_fields import RequestFields
from labnet.wire.web.http2_frames import LONG, LONGEST_FRAME, H2Error, frame_of
from labnet.wire.web.http2_responses import LARGEST_WINDOW, WINDOW, Begun, HTTP2Responses
from labnet.wire.web.model import BODY_BYTES, HEADER_BYTES, HTTPRequest

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

MOST_STREAMS: Final = 100
"""Requests of one connection at a time."""

MOST_RESETS: Final = 200
"""Requests that a client may take back, beside as many as were answered; then its connection ends."""

_MOST_FRAGMENTS: Final = 16
MOST_UNWANTED: Final = 1 << 20
"""Bytes of a body that is too long and says so, up to which it is read over before the response."""


class HTTP2Codec(HTTP2Responses):
    """One connection, from the client's preface on."""

    def __init__(self) -> None:
        self._in = b""
        self._has_begun = False
        settings = ((kinds.MAX_CONCURRENT_STREAMS, MOST_STREAMS), (kinds.MAX_HEADER_LIST_SIZE, HEADER_BYTES))
        super().__init__(frame_of(kinds.SETTINGS, 0, 0, b"".join(kinds.SETTING.pack(*one) for one in settings)))
        self._fields = RequestFields()
        self._taken = self._resets = 0
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

    def receive(self, data: bytes) -> list[HTTPRequest]:
        data, at = self._in + data, 0
        if not self._has_begun:
            if data[: len(PREFACE)] != PREFACE[: len(data)]:
                self._fail(H2Error.PROTOCOL_ERROR, "the connection does not begin as one of HTTP/2")
            if len(data) < len(PREFACE):
                self._in = data
                return []
            self._has_begun, at = True, len(PREFACE)
        while len(data) - (at := self._read_known(data, at)) >= kinds.HEAD.size:
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
                reader(flags, stream & LARGEST_WINDOW, data[begin:at])
        self._in = data[at:]
        requests, self._requests = self._requests, []
        return requests

    def _read_known(self, data: bytes, at: int) -> int:
        """Read the requests that stand one behind the other in ``data`` from ``at`` on, as long as each is whole, its
        fields are known, and nothing is the matter with it; gives where the rest begins."""
        known, windows, size, taken = self._fields.known, self._windows, len(data), 0
        while at + kinds.HEAD.size <= size and self._block is None and len(windows) < MOST_STREAMS:
            high, low, kind, flags, stream = kinds.HEAD.unpack_from(data, at)
            if kind != kinds.HEADERS or not self._last < stream <= LARGEST_WINDOW or not stream & 1:
                break
            begin = at + kinds.HEAD.size
            end = begin + (high << 8 | low)
            asked, body = known.get(data[begin:end]), b""
            if flags == kinds.END_HEADERS and end + kinds.HEAD.size <= size:
                high, low, kind, flags, number = kinds.HEAD.unpack_from(data, end)
                begin = end + kinds.HEAD.size
                end = begin + (high << 8 | low)
                if kind != kinds.DATA or flags != kinds.END_STREAM or number != stream:
                    break
                body = data[begin:end]
            elif flags != kinds.END_HEADERS | kinds.END_STREAM:
                break
            if asked is None or asked.length not in (-1, len(body)) or len(body) > LONGEST_FRAME or end > size:
                break
            self._requests.append(HTTPRequest(stream, asked.method, asked.target, asked.content_type, body))
            windows[stream] = self._initial
            self._last, at = stream, end
            taken += len(body)
        if taken:
            self._take_room(taken)
        return at

    def _take_room(self, size: int) -> None:
        """So many bytes of bodies have come: give the client room for more before it has none."""
        self._taken += size
        if self._taken > WINDOW // 2:
            self._out.append(frame_of(kinds.WINDOW_UPDATE, 0, 0, LONG.pack(self._taken)))
            self._taken = 0

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
        if number in self._windows:  # what stands behind a body says nothing here
            if not flags & kinds.END_STREAM or number not in self._begun:
                self._fail(H2Error.PROTOCOL_ERROR, "a request begins twice")
            self._finish(number)
            return
        if number <= self._last:
            return  # the rest of a request that is over
        self._last = number
        if asked is None:
            self._reset(number, H2Error.PROTOCOL_ERROR)
        elif len(self._windows) >= MOST_STREAMS:
            self._reset(number, H2Error.REFUSED_STREAM)
        else:
            self._windows[number], self._begun[number] = self._initial, Begun(asked)
            if flags & kinds.END_STREAM:
                self._finish(number)
            elif asked.length > MOST_UNWANTED:
                self._requests.append(HTTPRequest(number, *asked[:3], b"", True))
            elif asked.length > BODY_BYTES:  # some clients hear nothing before they have sent all
                self._out.append(frame_of(kinds.WINDOW_UPDATE, 0, number, LONG.pack(asked.length)))

    def _read_data(self, flags: int, stream: int, payload: bytes) -> None:
        self._take_room(len(payload))
        found = self._begun.get(stream)
        if found is None:
            if stream == 0 or stream > self._last or stream in self._windows:
                self._fail(H2Error.PROTOCOL_ERROR, "data belong to no request")
            return
        if found.asked.length <= BODY_BYTES:
            found.body += self._without_padding(flags, payload)
        if len(found.body) > BODY_BYTES:
            self._fail(H2Error.FLOW_CONTROL_ERROR, "a body is longer than there is room for")
        if flags & kinds.END_STREAM:
            self._finish(stream)

    def _finish(self, number: int) -> None:
        """The whole request has come."""
        begun = self._begun.pop(number)
        asked, body = begun.asked, begun.body
        if asked.length > BODY_BYTES:
            if asked.length <= MOST_UNWANTED:
                self._requests.append(HTTPRequest(number, *asked[:3], b"", True))
        elif asked.length in (-1, len(body)):
            self._requests.append(HTTPRequest(number, *asked[:3], body))
        else:
            del self._windows[number]
            self._reset(number, H2Error.PROTOCOL_ERROR)

    def _read_reset(self, flags: int, stream: int, payload: bytes) -> None:
        if stream == 0 or stream > self._last or len(payload) != LONG.size:
            self._fail(H2Error.PROTOCOL_ERROR, "a request is taken back that was not made")
        for by_stream in (self._windows, self._begun, self._left):
            by_stream.pop(stream, None)
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
                if value > LARGEST_WINDOW:
                    self._fail(H2Error.FLOW_CONTROL_ERROR, "a window is too large")
                for one in self._windows:
                    self._windows[one] += value - self._initial
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
        increment = LONG.unpack(payload)[0] & LARGEST_WINDOW
        window = self._window if stream == 0 else self._windows.get(stream, 0)
        if not increment or window + increment > LARGEST_WINDOW:
            self._fail(H2Error.FLOW_CONTROL_ERROR, "a window cannot have that size")
        if stream == 0:
            self._window += increment
        elif stream in self._windows:
            self._windows[stream] += increment
        self._send_more()

    def _without_padding(self, flags: int, payload: bytes) -> bytes:
        if not flags & kinds.PADDED:
            return payload
        if not payload or payload[0] >= len(payload):
            self._fail(H2Error.PROTOCOL_ERROR, "the padding is longer than its frame")
        return payload[1 : len(payload) - payload[0]]
