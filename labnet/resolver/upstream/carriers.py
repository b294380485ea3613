"""Connections to encrypted parents: DNS over TLS (RFC 7858), and over HTTPS in HTTP/2 (RFC 8484)."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any, Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.events import end_of
from labnet.interfaces import IReactor
from labnet.net.addresses import address_text
from labnet.net.tls.client import client_tls
from labnet.resolver.upstream.encrypted import EncryptedParent, EncryptedQuestion, Way
from labnet.values.servers import ParentAddress
from labnet.wire.dns_upstream import encode_padded_query
from labnet.wire.types import Question
from labnet.wire.web.doh import LONGEST_MESSAGE, MESSAGE

_MOST_STREAMS: Final = 100
"""Questions of one connection at a time; the least that RFC 9113, section 6.5.2, would have servers take."""

_MOST_FIELDS: Final = 100
"""Header fields of a response that are looked at."""


@implementer(IHandshakeListener)
class _Connection(Protocol):
    """What both kinds share: questions wait until the handshake is over and the server known to be the right one."""

    transport: Any = None

    def __init__(self, parent: EncryptedParent) -> None:
        self.waiting: dict[int, EncryptedQuestion] = {}
        self.is_of_use = False
        self._parent = parent
        self._is_ready = self._is_over = False
        self._held = 0

    def ask(self, asked: EncryptedQuestion) -> None:
        if self._is_ready:
            self._ask(asked)
        else:
            self._hold(asked)

    def _hold(self, asked: EncryptedQuestion) -> None:
        """Have ``asked`` wait until it can be sent."""
        self._held += 1
        self.waiting[-self._held] = asked

    def _release(self, most: int | None = None) -> None:
        """Send what is held, ``most`` of it or all."""
        for id in [id for id in self.waiting if id < 0][:most]:
            self._ask(self.waiting.pop(id))

    def handshakeCompleted(self) -> None:
        self._is_ready = True
        if self._begin():
            self._release()

    def _tell(self, asked: EncryptedQuestion) -> None:
        if asked.story is not None:
            here, there = self._ends()
            asked.story.saw(here, there, asked.query, "tls")

    def _begin(self) -> bool:
        """Whether the connection is as it has to be; its first bytes are sent then."""
        return True

    def _ask(self, asked: EncryptedQuestion) -> None:
        raise NotImplementedError

    def _ends(self) -> tuple[Any, Any]:
        return end_of(self.transport.getHost()), end_of(self.transport.getPeer())

    def _replied(self, id: int, message: bytes) -> None:
        asked = self.waiting.pop(id, None)
        if asked is not None:
            self._parent.replied(self, asked, message, self._ends())

    def abort(self) -> None:
        self._is_over = True
        if self.transport is not None:
            self.transport.abortConnection()

    def lose(self) -> None:
        self._is_over = True
        if self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self._is_over:
            self._is_over = True
            self._parent.lost(self, reason)


class DoTConnection(_Connection):
    """DNS messages behind their length, in any order."""

    def __init__(self, parent: EncryptedParent) -> None:
        super().__init__(parent)
        self._received = b""

    def _ask(self, asked: EncryptedQuestion) -> None:
        id = int.from_bytes(asked.query[:2], "big")
        while id in self.waiting:
            id = (id + 1) & 0xFFFF
        asked.query = id.to_bytes(2, "big") + asked.query[2:]
        self.waiting[id] = asked
        self._tell(asked)
        self.transport.write(len(asked.query).to_bytes(2, "big") + asked.query)

    def dataReceived(self, data: bytes) -> None:
        data, at = self._received + data, 0
        while len(data) - at >= 2 and (end := at + 2 + int.from_bytes(data[at : at + 2], "big")) <= len(data):
            message, at = data[at + 2 : end], end
            self._replied(int.from_bytes(message[:2], "big"), message)
        self._received = data[at:]


class DoHConnection(_Connection):
    """A POST request for each question; its id is 0, so that caches on the way find it (RFC 8484, section 4.1)."""

    def __init__(self, parent: EncryptedParent, authority: str, path: str) -> None:
        super().__init__(parent)
        self._fields = [
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":authority", authority.encode()),
            (b":path", path.encode()),
            (b"accept", MESSAGE),
            (b"content-type", MESSAGE),
        ]
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._wrong: dict[int, str] = {}
        self._bodies: dict[int, bytes] = {}

    def _begin(self) -> bool:
        if self.transport.negotiatedProtocol != b"h2":
            self._end("speaks no HTTP/2")
            return False
        self._http.initiate_connection()
        self._flush()
        return True

    def _ask(self, asked: EncryptedQuestion) -> None:
        # What the server takes is known from its settings only, which come with its first answer.
        if self._http.open_outbound_streams >= min(self._http.remote_settings.max_concurrent_streams, _MOST_STREAMS):
            self._hold(asked)
            return
        stream = self._http.get_next_available_stream_id()
        length = (b"content-length", b"%d" % len(asked.query))
        try:
            self._http.send_headers(stream, [*self._fields, length])
            self._http.send_data(stream, asked.query, end_stream=True)
        except ProtocolError as error:
            self._parent.failed(asked, f"cannot be asked: {error}")
            return
        self.waiting[stream] = asked
        self._tell(asked)
        self._flush()

    def _flush(self) -> None:
        data = self._http.data_to_send()
        if data:
            self.transport.write(data)

    def dataReceived(self, data: bytes) -> None:
        try:
            events = self._http.receive_data(data)
        except ProtocolError as error:
            self._flush()
            self._end(f"does not speak HTTP/2 as it should: {error}")
            return
        for event in events:
            if not self._is_over:
                self._take(event)
        if not self._is_over:
            self._flush()

    def _take(self, event: object) -> None:
        if isinstance(event, ResponseReceived):
            self._head(event.stream_id, event.headers or [])
        elif isinstance(event, DataReceived):
            stream = event.stream_id
            body = self._bodies.get(stream, b"") + (event.data or b"")
            self._bodies[stream] = body[: LONGEST_MESSAGE + 1]
            self._http.acknowledge_received_data(event.flow_controlled_length or 0, stream)
        elif isinstance(event, StreamEnded):
            self._answered(event.stream_id)
        elif isinstance(event, StreamReset):
            self._refused(event.stream_id, "takes a question back")
        elif isinstance(event, ConnectionTerminated):
            self._is_over = True
            self.transport.loseConnection()
            self._parent.lost(self, Failure(ConnectionError("the server ends the connection")))

    def _head(self, stream: int, fields: Any) -> None:
        found = dict(list(fields)[:_MOST_FIELDS])
        status, kind = bytes(found.get(b":status", b"")), bytes(found.get(b"content-type", b""))
        if status != b"200":
            self._wrong[stream] = f"answered with the status {status.decode('ascii', 'replace')}"
        elif kind.partition(b";")[0].strip() != MESSAGE:
            self._wrong[stream] = "answered with something else than a DNS message"

    def _answered(self, stream: int) -> None:
        body, wrong = self._bodies.pop(stream, b""), self._wrong.pop(stream, None)
        if wrong is not None:
            self._refused(stream, wrong)
        else:
            self._replied(stream, body)
        if not self._is_over:
            self._release(1)

    def _refused(self, stream: int, why: str) -> None:
        self._bodies.pop(stream, None)
        self._wrong.pop(stream, None)
        asked = self.waiting.pop(stream, None)
        if asked is not None:
            self._parent.failed(asked, why)

    def _end(self, why: str) -> None:
        """The connection is of no use."""
        self._is_over = True
        self.transport.loseConnection()
        self._parent.useless(self, why)


def encrypted_parent(
    address: ParentAddress, authorities: bytes | None, reactor: IReactor, random: Random, timeout: float
) -> EncryptedParent:
    """The parent at ``address``, vouched for by one of the ``authorities`` (PEM), or of the system's."""
    tls = client_tls(address.name or address.host, authorities, [b"dot" if address.kind == "dot" else b"h2"])
    if address.kind == "dot":
        shown = address_text(address.host, address.port) + (f"#{address.name}" if address.name else "")
        way = Way(shown, address.host, address.port, tls, _with_id, DoTConnection)
    else:
        authority, path = address.authority, address.path
        shown = f"https://{authority}{path}"
        connect = partial(DoHConnection, authority=authority, path=path)
        way = Way(shown, address.host, address.port, tls, _without_id, connect)
    return EncryptedParent(way, reactor, random, timeout)


def _with_id(question: Question, random: Random) -> bytes:
    return encode_padded_query(question, random.getrandbits(16))


def _without_id(question: Question, random: Random) -> bytes:
    return encode_padded_query(question, 0)
