"""The resolver's ports of encrypted DNS: over TLS (RFC 7858) and over HTTPS (RFC 8484)."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import ServerFactory

from labnet.interfaces import IReactor, StartError
from labnet.net.opening.listening import BACKLOG
from labnet.net.tls.credentials import Credentials
from labnet.net.tls.server import ServerTLS, TLSFactory
from labnet.resolver.clients.transport import Transport
from labnet.resolver.serve.tcp import DNSStreamProtocol, DNSStreams
from labnet.values.listeners import TLSListen

_PROTOCOLS: Final = {"tls": (b"dot",), "https": (b"h2", b"http/1.1")}
"""What is agreed to by ALPN (RFC 7301), the best first, by the kind of listener."""


class TLSStreamProtocol(DNSStreamProtocol):
    """DNS over TLS: the connection's time and place are counted from before its handshake."""

    over = Transport.TLS


class EncryptedStreams(ServerFactory):
    """The connections that ``protocol`` serves; they are among ``streams``, and count to their bounds."""

    noisy = False

    def __init__(self, streams: DNSStreams, protocol: type[DNSStreamProtocol]) -> None:
        self._streams = streams
        self._protocol = protocol

    def buildProtocol(self, addr: IAddress | None) -> DNSStreamProtocol | None:
        return self._streams.admit(addr, self._protocol)


class EncryptedListener:
    """One open listener of encrypted DNS, as ``listen`` of the configuration asked for it.

    Without ``credentials`` it is behind a proxy that has some. Raises :class:`~labnet.interfaces.StartError`.
    """

    def __init__(
        self, listen: TLSListen, credentials: Credentials | None, streams: DNSStreams, reactor: IReactor
    ) -> None:
        self.listen = listen
        self._tls = None if credentials is None else ServerTLS(credentials, _PROTOCOLS[listen.kind])
        serving = EncryptedStreams(streams, _protocol_of(listen.kind))
        factory = serving if self._tls is None else TLSFactory(self._tls, serving, reactor)
        try:
            self.port: IListeningPort = reactor.listenTCP(listen.port, factory, BACKLOG, listen.interface)
        except CannotListenError as error:
            raise StartError(str(listen), error) from None
        self._closing: Deferred[Any] | None = None

    def change(self, credentials: Credentials | None) -> None:
        """Show ``credentials`` from the next connection on."""
        if self._tls is not None and credentials is not None and credentials != self._tls.credentials:
            self._tls.change(credentials)

    def stop_reading(self) -> None:
        """Take no further connections."""
        if self._closing is None:
            self._closing = maybeDeferred(self.port.stopListening)

    def close(self) -> Deferred[Any]:
        """Close the port; fires when it is closed."""
        self.stop_reading()
        return self._closing or succeed(None)


def _protocol_of(kind: str) -> type[DNSStreamProtocol]:
    if kind == "tls":
        return TLSStreamProtocol
    from labnet.resolver.serve.https import HTTPSProtocol

    return HTTPSProtocol
