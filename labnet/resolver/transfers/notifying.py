"""Other servers are told that a zone is a newer one (RFC 1996)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

import dns.rcode
import dns.tsig
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from labnet.interfaces import IDatagramSocket, IDatagramSockets
from labnet.net.addresses import address_text
from labnet.net.clocks import wall_of
from labnet.resolver.records.listing import ZoneRecord, serial_of
from labnet.values.servers import ServerAddress
from labnet.wire.dns_common import HEADER, OPCODE, QR
from labnet.wire.names import text_of
from labnet.wire.transfer import NOTIFY, notify_query
from labnet.wire.tsig import SignatureError, Signer, Verifier

WAITS: Final = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds that a server has to answer each try (RFC 1996, section 3.6)."""


class NotifySender:
    """Tells servers of newer zones; a newer version takes the place of one that a server has not answered yet."""

    log = Logger()

    def __init__(self, sockets: IDatagramSockets, clock: IReactorTime, random: Random) -> None:
        self._sockets = sockets
        self._clock = clock
        self._random = random
        self._running: dict[tuple[str, bytes, ServerAddress], _Telling] = {}

    def tell(self, resolver: str, soa: ZoneRecord, server: ServerAddress, key: dns.tsig.Key | None) -> None:
        """Tell ``server`` that the zone of the ``resolver`` has this SOA; signed where there is a ``key``."""
        place = resolver, soa.name.lower(), server
        before = self._running.pop(place, None)
        if before is not None:
            before.stop()

        def over(problem: str) -> None:
            self._running.pop(place, None)
            if problem:
                self.log.warn(
                    "resolver {resolver}: {server} was not told of the serial {serial} of {zone}: {problem}",
                    resolver=resolver,
                    server=address_text(server.host, server.port),
                    zone=text_of(soa.name),
                    serial=serial_of(soa),
                    problem=problem,
                    event="notify.failed",
                )

        self._running[place] = telling = _Telling(self._sockets, self._clock, over)
        telling.begin(self._random.getrandbits(16), soa, server, key)

    def stop(self) -> None:
        """Tell nobody any more."""
        running, self._running = self._running, {}
        for telling in running.values():
            telling.stop()


class _Telling:
    """One server is told one thing, until it answers or all tries are over; then ``over`` is called."""

    def __init__(self, sockets: IDatagramSockets, clock: IReactorTime, over: Callable[[str], object]) -> None:
        self._sockets = sockets
        self._clock = clock
        self._over = over
        self._waits = list(WAITS)
        self._why = "it does not answer"
        self._socket: IDatagramSocket | None = None
        self._call: IDelayedCall | None = None

    def begin(self, id: int, soa: ZoneRecord, server: ServerAddress, key: dns.tsig.Key | None) -> None:
        """Send the first datagram."""
        self._id, self._bare, self._server, self._key = id, notify_query(id, soa), server, key
        self._send()

    def stop(self) -> None:
        """Send no more. Idempotent."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._close()

    def _send(self) -> None:
        self._call = None
        self._close()
        if not self._waits:
            self._over(self._why)
            return
        # Before anything is sent: what comes of it may be called at once.
        self._call = self._clock.callLater(self._waits.pop(0), self._send)
        query, self._verifier = self._bare, None
        if self._key is not None:
            signer = Signer(self._key)
            query = signer.sign(self._bare, wall_of(self._clock)())
            self._verifier = Verifier(self._key, signer.mac)
        try:
            self._socket = self._sockets.open(self._server.host, self._server.port, self._received, self._failed)
        except OSError as error:
            self._failed(error)
        else:
            self._socket.send(query)

    def _received(self, datagram: bytes) -> None:
        """An answer, if it is one: of any RCODE, since there is nothing else to say to a server that refuses."""
        if self._verifier is not None:
            try:
                datagram = self._verifier.open(datagram, wall_of(self._clock)())
            except SignatureError as error:
                self._why = f"its answer is not right: {error}"
                return
        if len(datagram) < HEADER.size:
            return
        id, flags, *_ = HEADER.unpack_from(datagram)
        if id == self._id and flags & QR and (flags & OPCODE) >> 11 == NOTIFY:
            self.stop()
            rcode = flags & 15
            self._over(f"it answers {dns.rcode.to_text(dns.rcode.Rcode(rcode))}" if rcode else "")

    def _failed(self, error: OSError) -> None:
        self._why = error.strerror or str(error)
        self._close()

    def _close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()
