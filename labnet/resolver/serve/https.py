"""DNS over HTTPS (RFC 8484): requests of HTTP/1.1 and HTTP/2, answered as the answers come."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from labnet.resolver.clients.transport import Transport
from labnet.resolver.serve.tcp import MOST_IN_FLIGHT, MOST_UNSENT, DNSStreamProtocol, DNSStreams
from labnet.wire.web.doh import NoQuestion, fields_with, question_in
from labnet.wire.web.http1 import HTTP1Codec
from labnet.wire.web.http2 import HTTP2Codec
from labnet.wire.web.model import Fields, HTTPBroken, HTTPRequest, ServerCodec

_NO_QUERY: Final = NoQuestion(400, "this is no DNS query")


class HTTPSProtocol(DNSStreamProtocol):
    """A connection of DNS over HTTPS, with the bounds and the time-outs of one of DNS over TCP.

    What was agreed on by ALPN says which HTTP is spoken: without TLS, or without ALPN, that is HTTP/1.1.
    """

    over = Transport.HTTPS

    def __init__(self, streams: DNSStreams) -> None:
        super().__init__(streams)
        self._codec: ServerCodec | None = None
        self._is_taking = self._is_last = False

    def dataReceived(self, data: bytes) -> None:
        if self._codec is None:
            is_http2 = getattr(self.transport, "negotiatedProtocol", None) == b"h2"
            self._codec = HTTP2Codec() if is_http2 else HTTP1Codec()
            # In HTTP/1.1 what comes behind a request is not read before its response.
            self._most = MOST_IN_FLIGHT if is_http2 else 1
        self._take(self._codec, data)

    def _read(self) -> None:
        if self._codec is not None:
            self._take(self._codec, b"")

    def _take(self, codec: ServerCodec, data: bytes) -> None:
        """Answer the requests that are whole with ``data``, and those that waited for a response before theirs."""
        self._is_taking = True
        try:
            while not (self._closing or self._is_last) and (requests := codec.receive(data)):
                self._answer(codec, requests)
                data = b""
        except HTTPBroken:
            self._streams.responder.counts.lost["malformed"] += 1
            self._is_last = True
        self._is_taking = False
        self._flush(codec)

    def _flush(self, codec: ServerCodec) -> None:
        """Send what there is, and read on, or end."""
        if out := codec.to_send():
            self.transport.write(out)
        if self._read_all and not self._in_flight:
            self._finish()
        elif self._is_last and not self._in_flight:
            self.close()
        else:
            self._set_reading()

    def _answer(self, codec: ServerCodec, requests: Sequence[HTTPRequest]) -> None:
        """Answer ``requests``: what is ready is looked up together, the rest one by one."""
        self._streams.idle.touch(self)
        streams: list[int] = []
        messages: list[bytes] = []
        for stream, method, target, content_type, body, is_too_long in requests:
            try:
                if is_too_long:
                    raise NoQuestion(413, "the body is longer than a DNS message can be")
                messages.append(question_in(method, target, content_type, body))
            except NoQuestion as error:
                self._streams.responder.counts.lost["malformed"] += 1
                self._respond(codec, stream, error.status, error.fields, error.body)
            else:
                streams.append(stream)
        answers, ends = self._streams.answers, (self.peer, self.transport)
        ready = answers.find_all(messages, ends, self.over)
        for stream, message, reply in zip(streams, messages, ready, strict=True):
            if reply is None:
                reply = answers.find(message, ends, self.over)
            if reply is None:
                self._ask_for(codec, stream, message)
            else:
                self._respond(codec, stream, 200, fields_with(reply), reply)

    def _ask_for(self, codec: ServerCodec, stream: int, message: bytes) -> None:
        self._in_flight += 1
        account, ends = self._streams.account(self, message), (self.peer, self.transport)
        reply = partial(self._replied, codec, stream)
        if not self._streams.responder.respond(message, ends, self.over, reply, False, account):
            self._in_flight -= 1
            self._respond(codec, stream, _NO_QUERY.status, _NO_QUERY.fields, _NO_QUERY.body)

    def _replied(self, codec: ServerCodec, stream: int, reply: bytes) -> None:
        self._in_flight -= 1
        if self._closing and not self._read_all:
            return
        self._streams.idle.touch(self)
        self._respond(codec, stream, 200, fields_with(reply), reply)
        self._piled += len(reply) if self._unsent else 0
        if self._piled + codec.waiting > MOST_UNSENT:
            self._streams.responder.counts.lost["unsent"] += 1
            self.abort()
        elif not self._is_taking:
            self._flush(codec)

    def _respond(self, codec: ServerCodec, stream: int, status: int, fields: Fields, body: bytes) -> None:
        self._is_last |= not codec.respond(stream, status, fields, body)

    def _finish(self, at_end: bool = False) -> None:
        if self._codec is not None:
            self._codec.end()
            self.transport.write(self._codec.to_send())
        super()._finish(at_end)
