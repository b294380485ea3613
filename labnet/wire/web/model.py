"""Requests and responses, and what every codec of a server of them does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from labnet.wire.web.doh import LONGEST_MESSAGE

Fields = Sequence[tuple[bytes, bytes]]
"""Names, in small letters, and values."""

HEADER_BYTES: Final = 8192
"""Bytes of a request line or of header fields that are read. A message in a URL may have 6,000."""

BODY_BYTES: Final = LONGEST_MESSAGE
"""Bytes of a body that are kept."""


class HTTPRequest(NamedTuple):
    """A request: ``stream`` tells it from the others of its connection; one whose body was too long has it cut."""

    stream: int
    method: bytes
    target: bytes
    content_type: bytes
    body: bytes
    is_too_long: bool = False


class HTTPBroken(Exception):
    """The peer does not speak HTTP as it has to; the text says why. What is left is sent, then the connection ends."""


class ServerCodec(Protocol):
    """One connection, as a server reads and writes it."""

    @property
    def waiting(self) -> int:
        """Bytes of responses that the client has not yet made room for."""

    def receive(self, data: bytes) -> list[HTTPRequest]:
        """The requests that are whole with ``data``. Raises :class:`HTTPBroken`."""

    def respond(self, stream: int, status: int, fields: Fields, body: bytes) -> bool:
        """Answer the request of ``stream``. Whether more may be asked on this connection."""

    def end(self) -> None:
        """No further request is answered."""

    def to_send(self) -> bytes:
        """What there is to be sent by now; asked for once."""
