"""DNS over HTTPS (RFC 8484): which request asks what, and what a response says of itself."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Final

from labnet.wire.dns_common import HEADER, record_places
from labnet.wire.types import RRType

PATH: Final = b"/dns-query"
MESSAGE: Final = b"application/dns-message"

LONGEST_MESSAGE: Final = 65535
"""Bytes of a DNS message."""

_OFTEN: Final = 1024
"""Bytes up to which a reply may be kept in mind."""

_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


class NoQuestion(Exception):
    """A request that asks nothing of DNS: the ``status`` of its response, and a sentence for who reads it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

    @property
    def body(self) -> bytes:
        """The text, as a body."""
        return f"{self}\n".encode()

    @property
    def fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """The header fields of the response."""
        return (_TEXT, (b"allow", b"GET, POST")) if self.status == 405 else (_TEXT,)


def question_in(method: bytes, target: bytes, content_type: bytes, body: bytes) -> bytes:
    """The DNS message that a request carries (section 4.1). Raises :class:`NoQuestion`."""
    message = _in_head(method, target, content_type)
    if message is None:
        message = body
    if len(message) < HEADER.size:
        raise NoQuestion(400, "this is no DNS message")
    return message


@lru_cache(1024)
def _in_head(method: bytes, target: bytes, content_type: bytes) -> bytes | None:
    """The message in the target of a request; None where the body is one. Raises :class:`NoQuestion`."""
    path, _, query = target.partition(b"?")
    if path != PATH:
        raise NoQuestion(404, f"there is nothing here; DNS over HTTPS is at {PATH.decode()}")
    if method == b"POST":
        if content_type.partition(b";")[0].strip().lower() != MESSAGE:
            raise NoQuestion(415, f"the body has to be of type {MESSAGE.decode()}")
        return None
    if method == b"GET":
        return _in_query(query)
    raise NoQuestion(405, "the method has to be GET or POST")


def _in_query(query: bytes) -> bytes:
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if name == b"dns":
            try:
                return base64.b64decode(value + b"=" * (-len(value) % 4), b"-_", validate=True)
            except binascii.Error:
                raise NoQuestion(400, "the parameter dns is no base64url") from None
    raise NoQuestion(400, "the parameter dns is missing")


def target_of(path: bytes, message: bytes) -> bytes:
    """The target of a GET request for ``message``."""
    return path + b"?dns=" + base64.urlsafe_b64encode(message).rstrip(b"=")


@lru_cache(1024)
def fields_for(seconds: int) -> tuple[tuple[bytes, bytes], ...]:
    """The header fields of the response with a message that may be kept so many ``seconds`` (section 5.1)."""
    return (b"content-type", MESSAGE), (b"cache-control", b"max-age=%d" % seconds)


def fields_with(reply: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The header fields of the response with ``reply``, which stay in mind for the replies that are given often."""
    return _fields_with(reply) if len(reply) <= _OFTEN else fields_for(lifetime(reply))


@lru_cache(4096)
def _fields_with(reply: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return fields_for(lifetime(reply))


def lifetime(reply: bytes) -> int:
    """Seconds that ``reply`` may be kept: the least TTL of its answer, a negative one's by its SOA (RFC 2308), or 0."""
    _, _, _, answers, authorities, _ = HEADER.unpack_from(reply)
    if not answers and not authorities:
        return 0
    places = record_places(reply)
    if answers:
        return min(place.ttl for place in places[:answers])
    for place in places[:authorities]:
        if place.rrtype == RRType.SOA:
            return min(place.ttl, int.from_bytes(reply[place.end - 4 : place.end], "big"))
    return 0
