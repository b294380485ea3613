"""DNS over TLS and over HTTPS, as ``labnet resolve`` asks by them: a connection whose server is checked."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from labnet.clients.errors import NoAnswer
from labnet.wire.quoting import quoted

_PROTOCOLS: Final = {"tls": "dot", "https": "h2"}
_PATH: Final = "/dns-query"


@dataclass(frozen=True)
class Encryption:
    """How a server is asked by ``scheme``, and what it has to prove.

    Its certificate has to be for ``name``, by default the host that is asked, by an authority of the file ``ca``, by
    default one of the system's; unless ``insecure``. ``tell`` gets a line about the certificate.
    """

    scheme: Literal["tls", "https"]
    name: str | None = None
    ca: str | None = None
    insecure: bool = False
    tell: Callable[[str], None] | None = None

    def wrap(self, sock: socket.socket, host: str) -> socket.socket:
        """The connection ``sock`` to ``host``, encrypted; as if it were one of DNS over TCP. Raises NoAnswer."""
        name = self.name or host
        try:
            tls = self._context().wrap_socket(sock, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            sock.close()
            hint = "" if self.ca else "; --tls-ca FILE names its authority, --insecure asks whoever it is"
            raise NoAnswer(f"{name} does not prove who it is: {quoted(error.verify_message)}{hint}") from None
        except (ssl.SSLError, EOFError) as error:
            sock.close()
            reason = getattr(error, "reason", None) or "it ends the connection"
            raise NoAnswer(f"TLS with {host} failed: {quoted(str(reason)).lower().replace('_', ' ')}") from None
        if self.tell is not None:
            self.tell(_described(tls))
        if self.scheme == "tls":
            return tls
        if tls.selected_alpn_protocol() != "h2":
            tls.close()
            raise NoAnswer(f"{host} speaks no HTTP/2")
        return cast(socket.socket, _HTTPSSocket(tls, name))

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except ssl.SSLError:
            raise NoAnswer(f"{self.ca}: holds no certificate in PEM") from None
        except OSError as error:
            raise NoAnswer(f"{self.ca}: cannot be read: {error.strerror}") from None
        if self.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols([_PROTOCOLS[self.scheme]])
        return context


def _described(tls: ssl.SSLSocket) -> str:
    """What was agreed on, and whose certificate it is."""
    from cryptography import x509

    found = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        shown = ", ".join(str(name.value) for name in names)
    except (x509.ExtensionNotFound, ValueError):
        shown = "nobody"
    protocol = tls.selected_alpn_protocol()
    agreed = f"{tls.version()}, {(tls.cipher() or ('',))[0]}" + (f", {protocol}" if protocol else "")
    until = f"{found.not_valid_after_utc:%Y-%m-%d}"
    return quoted(f"{agreed}; the certificate is for {shown}, by {found.issuer.rfc4514_string()}, until {until}")


class _HTTPSSocket:
    """A connection of HTTP/2 that takes and gives messages as one of DNS over TCP does, one at a time."""

    def __init__(self, tls: ssl.SSLSocket, name: str) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        self._tls = tls
        self._name = f"[{name}]" if ":" in name else name
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._http.initiate_connection()
        self._status = ""
        self._body = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tls, name)

    def sendall(self, data: bytes) -> None:
        stream = self._http.get_next_available_stream_id()
        kind = "application/dns-message"
        head = [(":method", "POST"), (":scheme", "https"), (":authority", self._name), (":path", _PATH)]
        self._http.send_headers(stream, [*head, ("accept", kind), ("content-type", kind)])
        self._http.send_data(stream, data[2:], end_stream=True)
        self._tls.sendall(self._http.data_to_send())

    def recv(self, size: int) -> bytes:
        from h2.exceptions import ProtocolError

        while data := self._tls.recv(size):
            try:
                events = self._http.receive_data(data)
            except ProtocolError as error:
                raise NoAnswer(f"{self._name} does not speak HTTP/2 as it should: {quoted(str(error))}") from None
            is_whole = False
            for event in events:
                is_whole |= self._take(event)
            if is_whole:
                return self._whole()
            self._tls.sendall(self._http.data_to_send())
        return b""

    def _take(self, event: object) -> bool:
        """Whether the response is whole with ``event``."""
        from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset

        if isinstance(event, ResponseReceived):
            fields: Any = dict(event.headers or [])
            self._status = str(fields.get(":status", ""))
        elif isinstance(event, DataReceived):
            self._body = (self._body + (event.data or b""))[:65536]
            self._http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
        elif isinstance(event, StreamReset | ConnectionTerminated):
            raise NoAnswer(f"{self._name} ends the request without an answer")
        return isinstance(event, StreamEnded)

    def _whole(self) -> bytes:
        status, body = self._status, self._body
        self._body = b""
        if status != "200":
            says = quoted(body[:200].decode(errors="replace").strip())
            raise NoAnswer(f"{self._name} answers with the status {quoted(status)}: {says}")
        return len(body).to_bytes(2, "big") + body

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._tls.close()
