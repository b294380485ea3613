"""The listeners of one resolver: a UDP port and a TCP port of the same number each, or one of encrypted DNS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from labnet.interfaces import IReactor, StartError
from labnet.net.opening.listening import BACKLOG, opener_beside
from labnet.resolver.ready.packetcache import PacketCaches
from labnet.resolver.serve.batch_port import BatchPort, is_available
from labnet.resolver.serve.responder import Responder
from labnet.resolver.serve.tcp import DNSStreams
from labnet.resolver.serve.udp import ResolverProtocol
from labnet.values.listeners import Listen, TLSListen, UDPListen

if TYPE_CHECKING:
    from labnet.net.tls.credentials import Credentials
    from labnet.resolver.serve.encrypted import EncryptedListener

MOST_BYTES: Final = 8192
"""Bytes of a question that are read."""

_SAME_NUMBER_TRIES: Final = 20
"""Tries for a port number, of the system's choosing, that is free for both UDP and TCP."""


class OpenListener:
    """One open listener, as ``listen`` of the configuration asked for it; ``protocol`` serves its UDP port."""

    def __init__(self, listen: UDPListen, udp: IListeningPort, tcp: IListeningPort, protocol: ResolverProtocol) -> None:
        self.listen = listen
        self.udp = udp
        self.protocol = protocol
        self._tcp: IListeningPort | None = tcp
        self._closing: list[Deferred[Any]] = []

    def change(self, responder: Responder, delay: float) -> None:
        """Serve by ``responder``, and give datagrams ``delay`` seconds to come together, if taken by the batch."""
        self.protocol.change(responder)
        if isinstance(self.udp, BatchPort):
            self.udp.delay(delay)

    def stop_reading(self) -> None:
        """Take no further questions and connections; what was asked by UDP can still be answered."""
        stop = getattr(self.udp, "stopReading", None)  # every UDP port of a real reactor has it
        if stop is not None:
            stop()
        tcp, self._tcp = self._tcp, None
        if tcp is not None:
            self._closing.append(maybeDeferred(tcp.stopListening))

    def close(self) -> Deferred[Any]:
        """Close both ports; fires when they are closed."""
        self.stop_reading()
        return gatherResults([*self._closing, maybeDeferred(self.udp.stopListening)])


AnyListener: TypeAlias = "OpenListener | EncryptedListener"
ByFiles: TypeAlias = "Mapping[tuple[str, str], Credentials]"
"""The credentials by the paths of their files."""


class Ports:
    """Opens listeners on ``reactor``: a new ``protocol`` serves each UDP port, ``streams`` all TCP ports."""

    def __init__(
        self,
        reactor: IReactor,
        protocol: Callable[[], ResolverProtocol],
        streams: DNSStreams,
        packets: PacketCaches,
    ) -> None:
        self._reactor = reactor
        self._open_socket = opener_beside(reactor)
        self._protocol = protocol
        self._streams = streams
        self._packets = packets

    def open(
        self, listens: Iterable[Listen], batch: bool, delay: float, credentials: ByFiles | None = None
    ) -> list[AnyListener]:
        """All of ``listens``, or none. Raises :class:`~labnet.interfaces.StartError`.

        With ``batch`` they take many datagrams at a time where they can, and give them up to ``delay`` seconds to come.
        Those of encrypted DNS have the ``credentials`` of their files.
        """
        opened: list[AnyListener] = []
        try:
            for listen in listens:
                if isinstance(listen, TLSListen):
                    opened.append(self._open_encrypted(listen, credentials or {}))
                else:
                    opened.append(self._open(listen, batch, delay))
        except StartError:
            for listener in opened:
                listener.close()
            raise
        return opened

    def _open_encrypted(self, listen: TLSListen, credentials: ByFiles) -> EncryptedListener:
        from labnet.resolver.serve.encrypted import EncryptedListener  # few labs need TLS

        return EncryptedListener(listen, credentials.get(listen.files), self._streams, self._reactor)

    def _open(self, listen: UDPListen, batch: bool, delay: float) -> OpenListener:
        tries_left = 1 if listen.port else _SAME_NUMBER_TRIES
        while True:
            tries_left -= 1
            protocol = self._protocol()
            try:
                udp = self._open_udp(listen, protocol, batch, delay)
            except CannotListenError as error:
                raise StartError(str(listen), error) from None
            number = cast(IPv4Address | IPv6Address, udp.getHost()).port
            try:
                return OpenListener(
                    listen, udp, self._reactor.listenTCP(number, self._streams, BACKLOG, listen.interface), protocol
                )
            except CannotListenError as error:
                udp.stopListening()
                if not tries_left:
                    tcp = str(listen.model_copy(update={"port": number})).replace("udp:", "tcp:", 1)
                    raise StartError(tcp, error) from None

    def _open_udp(self, listen: UDPListen, protocol: ResolverProtocol, batch: bool, delay: float) -> IListeningPort:
        if not (batch and is_available(self._reactor)):
            return self._reactor.listenUDP(listen.port, protocol, listen.interface, MOST_BYTES)
        port = BatchPort(
            self._reactor, (listen.interface, listen.port), protocol, self._packets, self._open_socket, delay
        )
        port.startListening()
        return port


def changed(open_: Iterable[AnyListener], wanted: Iterable[Listen]) -> tuple[list[AnyListener], list[Listen]]:
    """Which of the listeners that are ``open_`` are no longer ``wanted``, and which are to be opened."""
    left = Counter(wanted)
    closing = []
    for listener in open_:
        if left[listener.listen]:
            left[listener.listen] -= 1
        else:
            closing.append(listener)
    return closing, list(left.elements())
