"""One question for a whole zone to one primary: the connection, and who reads what comes over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final, cast

import dns.tsig
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure

from labnet.interfaces import IReactor
from labnet.net.clocks import wall_of
from labnet.resolver.records.listing import ZoneRecord, serial_of
from labnet.resolver.transfers.incoming import TransferError, TransferKind
from labnet.resolver.transfers.zonestore import NewVersion
from labnet.values.servers import ServerAddress
from labnet.wire.transfer import transfer_query
from labnet.wire.tsig import Signer, Verifier

CONNECTING: Final = 10.0
"""Seconds that a primary has to accept a connection."""

IDLE: Final = 30.0
"""Seconds that it has for each message."""

LONGEST: Final = 3600.0
"""Seconds that a transfer may take in all."""

InThread = Callable[[Callable[[], Any]], "Deferred[Any]"]
"""Has something done in a thread; fires with what came of it."""


@dataclass(frozen=True)
class Means:
    """What transfers use of the process: ``in_thread`` is where files are read and written and messages understood."""

    reactor: IReactor
    in_thread: InThread
    random: Random


class TransferStream(Int16StringReceiver):
    """A connection to a primary, of which one message at a time is taken; no more is read until it is."""

    MAX_LENGTH = 65535

    def __init__(self) -> None:
        self._waiting: Deferred[bytes] | None = None
        self._messages: list[bytes] = []
        self._lost = ""

    def next(self) -> Deferred[bytes]:
        """The next message. Fails with :class:`TransferError` where none comes any more."""
        waiting: Deferred[bytes] = Deferred()
        if self._messages:
            waiting.callback(self._messages.pop(0))
            if not self._messages and self.paused and not self._lost:
                self.resumeProducing()
        elif self._lost:
            waiting.errback(TransferError(self._lost))
        else:
            self._waiting = waiting
            if self.paused:
                self.resumeProducing()
        return waiting

    def stringReceived(self, string: bytes) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(string)
            return
        self._messages.append(string)
        self.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = "it closed the connection before the zone was whole"
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.errback(TransferError(self._lost))

    def close(self) -> None:
        """Nothing more is wanted."""
        transport: Any = self.transport
        transport.abortConnection()


class Fetched:
    """What came of a question: the ``kind``, and the ``soa`` that the primary has."""

    def __init__(self, kind: TransferKind, soa: ZoneRecord, size: int) -> None:
        self.kind = kind
        self.soa = soa
        self.size = size


async def fetch(
    means: Means, path: str, zone: bytes, server: ServerAddress, key: dns.tsig.Key | None, have: ZoneRecord | None
) -> Fetched:
    """Ask ``server`` for ``zone``, signed by ``key`` if there is one, and put what is new into the file at ``path``.

    With ``have``, the SOA of the version in that file, for what changed since. Raises :class:`TransferError`.
    """
    reactor, wall = means.reactor, wall_of(means.reactor)
    id = means.random.getrandbits(16)
    query = transfer_query(id, zone, have)
    verifier = None
    if key is not None:
        signer = Signer(key)
        query = signer.sign(query, wall())
        verifier = Verifier(key, signer.mac)
    stream = await _connected(reactor, server)
    version = NewVersion(path, zone, id, None if have is None else serial_of(have), verifier)
    until, size, is_last = reactor.seconds() + LONGEST, 0, False
    try:
        stream.sendString(query)
        while not is_last:
            message = await _in_time(stream.next(), reactor, min(IDLE, max(0.0, until - reactor.seconds())))
            size += len(message)
            is_last = await means.in_thread(partial(version.receive, message, wall()))
        incoming = version.incoming
        assert incoming.kind is not None
        assert incoming.soa is not None
        if incoming.kind is not TransferKind.CURRENT:
            await means.in_thread(version.finish)
        return Fetched(incoming.kind, incoming.soa, size)
    except OSError as error:
        raise TransferError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        stream.close()
        version.drop()


async def _connected(reactor: Any, server: ServerAddress) -> TransferStream:
    endpoint = (TCP6ClientEndpoint if ":" in server.host else TCP4ClientEndpoint)(
        reactor, server.host, server.port, CONNECTING
    )
    factory = Factory.forProtocol(TransferStream)
    factory.noisy = False
    try:
        return cast(TransferStream, await endpoint.connect(factory))
    except ConnectError as error:
        raise TransferError(f"it cannot be reached: {str(error).rstrip('.')}") from None


async def _in_time(waiting: Deferred[bytes], reactor: IReactor, seconds: float) -> bytes:
    waiting.addTimeout(seconds, reactor, lambda _, __: _late(seconds))
    return await waiting


def _late(seconds: float) -> Failure:
    return Failure(TransferError(f"nothing came for {seconds:g} s"))
