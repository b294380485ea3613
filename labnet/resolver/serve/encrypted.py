"""The resolver's ports of encrypted DNS: DNS over TLS (RFC 7858)."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import ServerFactory
from twisted.python.failure import Failure

from labnet.interfaces import IReactor, StartError
from labnet.listeners import TLSListen
from labnet.net.opening.listening import BACKLOG
from labnet.net.tls.credentials import Credentials
from labnet.net.tls.server import ServerTLS, TLSFactory, why_failed
from labnet.resolver.clients.transport import Transport
from labnet.resolver.serve.tcp import DNSStreamProtocol, DNSStreams

_PROTOCOLS: Final = {"tls": (b"dot",)}
"""What is agreed to by ALPN (RFC 7301), the best first, by the kind of listener."""


class TLSStreamProtocol(DNSStreamProtocol):
    """DNS over TLS: the connection's time and place are counted from before its handshake."""

    over = Transport.TLS

    def connectionLost(self, reason: Failure | None = None) -> None:
        why = why_failed(reason)
        if why is not None:
            self._streams.tls_failed(self, why)
        super().connectionLost(reason)


class TLSStreams(ServerFactory):
    """The connections of DNS over TLS; they are among ``streams``, and count to their bounds."""

    noisy = False

    def __init__(self, streams: DNSStreams) -> None:
        self._streams = streams

    def buildProtocol(self, addr: IAddress | None) -> DNSStreamProtocol | None:
        return self._streams.admit(addr, TLSStreamProtocol)


class EncryptedListener:
    """One open listener of encrypted DNS, as ``listen`` of the configuration asked for it.

    Raises :class:`~labnet.interfaces.StartError`.
    """

    def __init__(self, listen: TLSListen, credentials: Credentials, streams: DNSStreams, reactor: IReactor) -> None:
        self.listen = listen
        self._tls = ServerTLS(credentials, _PROTOCOLS[listen.kind])
        factory = TLSFactory(self._tls, TLSStreams(streams), reactor)
        try:
            self.port: IListeningPort = reactor.listenTCP(listen.port, factory, BACKLOG, listen.interface)
        except CannotListenError as error:
            raise StartError(str(listen), error) from None
        self._closing: Deferred[Any] | None = None

    @property
    def credentials(self) -> Credentials:
        """What it shows to new connections."""
        return self._tls.credentials

    def change(self, credentials: Credentials) -> None:
        """Show ``credentials`` from the next connection on."""
        if credentials != self.credentials:
            self._tls.change(credentials)

    def stop_reading(self) -> None:
        """Take no further connections."""
        if self._closing is None:
            self._closing = maybeDeferred(self.port.stopListening)

    def close(self) -> Deferred[Any]:
        """Close the port; fires when it is closed."""
        self.stop_reading()
        return self._closing or succeed(None)
