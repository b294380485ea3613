"""HTTP/1.1 (RFC 9112) as a server of small requests speaks it, on h11."""

from __future__ import annotations

from typing import Final

import h11

from labnet.wire.web.model import BODY_BYTES, HEADER_BYTES, Fields, HTTPBroken, HTTPRequest

_LONGEST_BODY: Final = 2 * BODY_BYTES
"""Bytes of a body after which the connection ends instead of reading on."""


class HTTP1Codec:
    """One connection; a request is read when the one before it has its response."""

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)
        self._request: h11.Request | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._out: list[bytes] = []

    @property
    def waiting(self) -> int:
        """Nothing waits but for the connection."""
        return 0

    def receive(self, data: bytes) -> list[HTTPRequest]:
        try:
            if data:
                self._connection.receive_data(data)
            return self._next()
        except h11.RemoteProtocolError as error:
            if self._connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                self._say(error.error_status_hint, [(b"connection", b"close")], f"{error}\n".encode())
            raise HTTPBroken(str(error)) from None

    def _next(self) -> list[HTTPRequest]:
        while True:
            event = self._connection.next_event()
            if self._connection.they_are_waiting_for_100_continue:
                self._send(h11.InformationalResponse(status_code=100, headers=[]))
            if isinstance(event, h11.Request):
                self._request, self._body, self._size = event, [], 0
            elif isinstance(event, h11.Data):
                self._size += len(event.data)
                if self._size <= BODY_BYTES:
                    self._body.append(bytes(event.data))
                elif self._size > _LONGEST_BODY:
                    self._say(413, [(b"connection", b"close")], b"the body is too long\n")
                    raise HTTPBroken("the body is too long")
            elif isinstance(event, h11.EndOfMessage) and self._request is not None:
                return [self._whole(self._request)]
            else:  # more has to come, or the response has to go out first
                return []

    def _whole(self, request: h11.Request) -> HTTPRequest:
        content_type = next((value for name, value in request.headers if name == b"content-type"), b"")
        body = b"".join(self._body)
        return HTTPRequest(0, request.method, request.target, content_type, body, self._size > BODY_BYTES)

    def respond(self, stream: int, status: int, fields: Fields, body: bytes) -> bool:
        self._say(status, fields, body)
        if self._connection.our_state is h11.DONE and self._connection.their_state is h11.DONE:
            self._connection.start_next_cycle()
            return True
        return False

    def _say(self, status: int, fields: Fields, body: bytes) -> None:
        length = (b"content-length", b"%d" % len(body))
        self._send(h11.Response(status_code=status, headers=[*fields, length]))
        self._send(h11.Data(data=body))
        self._send(h11.EndOfMessage())

    def _send(self, event: h11.Event) -> None:
        self._out.append(self._connection.send(event) or b"")

    def end(self) -> None:
        """The end of the connection says it."""

    def to_send(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)
