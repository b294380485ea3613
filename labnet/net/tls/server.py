"""TLS as a server speaks it: 1.2 or newer, with credentials that a reload replaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, IReactorTime, ITransport
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.tls.credentials import Credentials, read_key, reason_of

_CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: those with forward secrecy and authenticated encryption (RFC 9325, section 4.2)."""


class TLSConnection(SSL.Connection):
    """A peer that closes in the middle of the handshake is gone: Twisted cannot read the error that says so."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except SSL.ZeroReturnError:
            raise SSL.Error([("SSL routines", "", "unexpected eof while reading")]) from None


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """The server's side of new connections: shows ``credentials``, and agrees to the first of ``protocols`` (ALPN).

    A client that names none of them, or offers no ALPN at all, is served without.
    """

    def __init__(self, credentials: Credentials, protocols: Sequence[bytes]) -> None:
        self._protocols = list(protocols)
        self.change(credentials)

    def change(self, credentials: Credentials) -> None:
        """Show ``credentials`` from the next connection on."""
        self.credentials = credentials
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_cipher_list(_CIPHERS)
        first, *others = x509.load_pem_x509_certificates(credentials.chain)
        context.use_certificate(first)
        for certificate in others:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(read_key(credentials.key))
        context.set_alpn_select_callback(self._select)
        self._context = context

    def _select(self, connection: SSL.Connection, offered: list[bytes]) -> Any:
        return next((one for one in self._protocols if one in offered), SSL.NO_OVERLAPPING_PROTOCOLS)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return TLSConnection(self._context, None)


class _Together(Protocol):
    """Has what came in the records of one segment for ``protocol``, which gets it as a whole."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._came: list[bytes] = []

    def makeConnection(self, transport: ITransport) -> None:
        super().makeConnection(transport)
        self._protocol.makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        self._came.append(data)

    def hand_over(self) -> None:
        """Give the protocol what has come, if there is any."""
        if self._came:
            came, self._came = self._came, []
            self._protocol.dataReceived(b"".join(came))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._protocol.connectionLost(reason)


class PromptTLS(TLSMemoryBIOProtocol):
    """What comes in one segment is read as one, however many records that is, and what is written meanwhile goes out
    in one record as soon as it is read.

    A record costs a client's question more than its answer does, if each is handled by itself. Twisted's own buffering
    of writes waits for the reactor's next turn, which costs a question a third more, and its time.
    """

    _held: list[bytes] | None = None

    def __init__(self, factory: TLSMemoryBIOFactory, protocol: Protocol) -> None:
        self._together = _Together(protocol)
        super().__init__(factory, self._together)

    def dataReceived(self, data: bytes) -> None:
        self._held = []
        try:
            super().dataReceived(data)
            self._together.hand_over()
        finally:
            self._release()

    def write(self, data: bytes) -> None:
        if self._held is None:
            super().write(data)
        else:
            self._held.append(data)

    def loseConnection(self) -> None:
        self._release()
        super().loseConnection()

    def _release(self) -> None:
        held, self._held = self._held, None
        if held:
            super().write(b"".join(held))


class TLSFactory(ServerFactory):
    """Connections of ``factory`` behind ``tls``; what that does not serve is closed before the handshake."""

    noisy = False

    def __init__(self, tls: ServerTLS, factory: ServerFactory, clock: IReactorTime) -> None:
        self._factory = factory
        self._wrapping = TLSMemoryBIOFactory(tls, False, factory, clock)

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:
        protocol: Protocol | None = cast(Any, self._factory).buildProtocol(addr)
        return None if protocol is None else PromptTLS(self._wrapping, protocol)


def why_failed(reason: Failure) -> str | None:
    """Why a connection was lost, where that was TLS: a handshake that failed, or bytes that are none."""
    error = reason.value
    return reason_of(error) if isinstance(error, SSL.Error) else None
