"""The server of a shared cache: what is asked of it and for how long, and that it is looked for while it is away.

A command is sent now or fails; nothing waits for a server that is not there.
"""

from __future__ import annotations

from ipaddress import ip_address
from random import Random
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.config.services import SharedConfig
from labnet.resolver.shared.cache import SharedCache
from labnet.resolver.shared.calls import Call, Calls, Room
from labnet.resolver.shared.connection import Link, RedisAddress, RedisConnection, link, shown
from labnet.resolver.shared.interfaces import ISharedStore
from labnet.resolver.shared.values import (
    Flush,
    Looked,
    StoreGone,
    decode_flush,
    encode_flush,
    escaped_prefix,
    patterns_of,
)

RETRY: Final = 1.0
"""Seconds between two tries to reach the server, and between two looks whether a silent one is still there."""

PATIENCE: Final = 1.0
"""Seconds that it has where no question waits for it: for connections, for a look at it, for what is stored."""

LAST_WORDS: Final = 0.5
"""Seconds that it has to take what was sent last, when the lab stops."""

MOST_CALLS: Final = 1000
"""Commands without an answer; a further question goes alone. What is to be stored may be twice as many."""

_SCANNED: Final = 500  # keys a step of a flush; each step keeps the server from everybody else


@implementer(ISharedStore)
class RedisStore(Service):
    """The server at ``place``, which ``endpoint`` connects to; every key and channel there starts with ``prefix``.

    It is up while it answers within ``timeout`` seconds. One that has not is in doubt until it does: it is asked
    nothing meanwhile. After :data:`PATIENCE` seconds of that it is gone, and looked for anew. ``shared`` gets what
    comes from there, and has to be set before it starts.
    """

    log = Logger()
    shared: SharedCache

    def __init__(
        self,
        place: RedisAddress,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        random: Random,
        prefix: str,
        timeout: float,
    ) -> None:
        self.setName("shared")
        self._place = place
        self._endpoint = endpoint
        self._clock = clock
        self._random = random
        self._prefix = prefix.encode()
        self._pattern = escaped_prefix(prefix)
        self._timeout = timeout
        self._session = ""
        self._link: Link | None = None
        self._connections: list[RedisConnection] = []
        self._linking: Deferred[Link] | None = None
        self._next: IDelayedCall | None = None
        self._calls = Calls(clock, self._gone, self._late)
        self._room = Room(clock, self.log, str(place))
        self._in_doubt = self._was_up = self._said_gone = False

    @property
    def is_up(self) -> bool:
        return self._link is not None and not self._in_doubt

    def startService(self) -> None:
        super().startService()
        self._connect()

    def stopService(self) -> Deferred[None]:
        """Fires when both connections are closed; what was sent last still goes out, if the server takes it."""
        super().stopService()
        connections = self._forget("the lab stops")
        for connection in connections:
            connection.transport.loseConnection()
        hard = self._clock.callLater(LAST_WORDS, _abort, connections)
        closed = gatherResults([connection.closed for connection in connections])
        return closed.addCallback(lambda _: hard.cancel() if hard.active() else None)

    # Whether it is there.

    def _connect(self) -> None:
        self._session = self._random.randbytes(16).hex()
        channels = (self._prefix + b"lab:" + self._session.encode(), self._prefix + b"flush")
        linking = link(self._endpoint, self._place, channels, self._connections.append, self._lost, self._heard)
        self._linking = Deferred.fromCoroutine(linking)
        self._next = self._clock.callLater(PATIENCE, self._gone, f"it did not answer within {PATIENCE:g} s")
        self._linking.addCallbacks(self._linked, self._failed)

    def _linked(self, made: Link) -> None:
        self._linking = None
        self._link = made
        self._put_in_doubt(f"it did not answer within {self._timeout:g} s")

    def _doubt(self, why: str) -> None:
        if self.is_up:
            self._put_in_doubt(why)
            self.shared.gone()

    def _put_in_doubt(self, why: str) -> None:
        """Ask it nothing until it has answered in time."""
        self._in_doubt = True
        self._cancel_next()
        self._next = self._clock.callLater(PATIENCE, self._gone, why)
        self._prove()

    def _prove(self, failure: Failure | None = None) -> None:
        if self._in_doubt and len(self._calls) < MOST_CALLS:
            self.ping(self._timeout).addCallbacks(self._trust, self._prove)

    def _trust(self, _: object) -> None:
        if not self._in_doubt:
            return
        self._in_doubt = False
        self._look_after()
        if not self._was_up or self._said_gone:
            says = "shares what it learns" + (" again" if self._was_up else "")
            self.log.info(
                "the lab {says} by the cache at {place}",
                says=says,
                place=str(self._place),
                event="shared.back" if self._said_gone else "shared.joined",
            )
        self._was_up, self._said_gone = True, False
        self.shared.back()

    def _failed(self, failure: Failure) -> None:
        if self._linking is not None:  # else it was given up
            self._linking = None
            self._gone(shown(failure))

    def _look_after(self, _: object = None) -> None:
        """See now and then whether a server that is not asked anything is there; its messages would be missed."""

        def ping() -> None:
            self._next = None
            self.ping(PATIENCE).addCallbacks(again, _let_go)

        def again(_: object) -> None:
            if self._link is not None and self._next is None:
                self._look_after()

        self._cancel_next()
        self._next = self._clock.callLater(RETRY, ping)

    def _lost(self, connection: RedisConnection, why: str) -> None:
        if connection in self._connections:
            self._gone(why)

    def _gone(self, why: str) -> None:
        """It is not there, as ``why`` says: everybody goes on alone until it is."""
        if not self.running:
            return
        _abort(self._forget(why))
        self._next = self._clock.callLater(RETRY, self._connect)
        if not self._said_gone:
            self._said_gone = True
            self.log.warn(
                "the shared cache at {place} is gone: {why}; the lab goes on alone and looks for it every second",
                place=str(self._place),
                why=why,
                event="shared.gone",
            )

    def _forget(self, why: str) -> list[RedisConnection]:
        """Have nothing to do with the connections any more, which are returned."""
        self._cancel_next()
        connections, self._connections = self._connections, []
        linking, self._linking = self._linking, None
        was_up, self._link, self._in_doubt = self.is_up, None, False
        if linking is not None:
            linking.cancel()
        self._calls.give_up(why)
        if was_up:
            self.shared.gone()
        return connections

    def _cancel_next(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None

    # What is asked of it.

    def look(self, key: bytes, token: bytes, hold: float, insist: bool, within: float) -> Deferred[Looked]:
        if self._link is None:
            return fail(StoreGone("it is not there"))
        command = ("EVALSHA", self._link.look, 3, *self._keys(key))
        arguments = (self._link.channel, token, _milliseconds(hold), int(insist))
        call = self._call(within, MOST_CALLS, *command, *arguments)
        return call.result.addCallback(lambda reply: self._looked(reply)._replace(is_slow=call.is_slow))

    def tell(self, key: bytes, token: bytes, value: bytes, left: float) -> Deferred[None]:
        if self._link is None:
            return fail(StoreGone("it is not there"))
        command = ("EVALSHA", self._link.tell, 3, *self._keys(key))
        kept_for = _milliseconds(left) if left > 0 else 0
        stored = self._call(PATIENCE, 2 * MOST_CALLS, *command, token, value, kept_for)
        return stored.result.addCallback(lambda reply: self._room.said(reply, b"done"))

    def ping(self, within: float) -> Deferred[None]:
        return self._call(within, 2 * MOST_CALLS, "PING").result.addCallback(_ignore)

    def flush(self, flush: Flush) -> Deferred[int]:
        return Deferred.fromCoroutine(self._flush(flush))

    async def _flush(self, flush: Flush) -> int:
        session = self._session
        dropped = 0
        for pattern in patterns_of(flush):
            cursor: Any = b"0"
            while True:
                scanned = await self._command("SCAN", cursor, "MATCH", self._pattern + pattern, "COUNT", _SCANNED)
                cursor, keys = scanned if isinstance(scanned, list) and len(scanned) == 2 else (b"0", [])
                if keys:
                    dropped += await self._command("UNLINK", *keys)
                if cursor == b"0":
                    break
        await self._command("PUBLISH", self._prefix + b"flush", encode_flush(flush, session))
        return dropped

    def _command(self, *command: Any) -> Deferred[Any]:
        return self._call(PATIENCE, 2 * MOST_CALLS, *command).result

    def _call(self, within: float, most: int, *command: Any) -> Call:
        execute = None if self._link is None else self._link.commands.execute_command
        return self._calls.send(execute, within, most, command)

    def _late(self, within: float, why: str) -> None:
        """A command was not answered in time: a short one brings the server into doubt, a long one means it is gone."""
        if within < PATIENCE:
            self._doubt(why)
        else:
            self._gone(why)

    def _keys(self, key: bytes) -> tuple[bytes, bytes, bytes]:
        return self._prefix + key, self._prefix + b"lock:" + key, self._prefix + b"wait:" + key

    def _looked(self, reply: Any) -> Looked:
        if not (isinstance(reply, list) and len(reply) == 3 and isinstance(reply[1], int)):
            raise StoreGone("it sent another reply than the one to the question")
        value, left, word = reply
        if word != b"value":
            self._room.said(word, b"ours", b"theirs")
        value = value if isinstance(value, bytes) else None
        return Looked(value, left / 1000, word == b"ours", word == b"theirs")

    # What it says.

    def _heard(self, channel: bytes, message: bytes) -> None:
        if self._link is None:
            return
        if channel != self._link.channel:
            flush = decode_flush(message, self._session)
            if flush is not None:
                self.shared.flushed(flush)
            return
        size, _, rest = message.partition(b":")
        if size.isdigit() and len(size) < 6:
            key, value = rest[: int(size)], rest[int(size) :]
            self.shared.on_message(key.removeprefix(self._prefix), value)


def shared_cache(config: SharedConfig, reactor: Any, random: Random) -> tuple[SharedCache, RedisStore]:
    """This lab's part in the fleet that ``config`` names, and the service that has its connections."""
    place = RedisAddress.of(config.url)
    endpoint: IStreamClientEndpoint
    try:
        kinds = {4: TCP4ClientEndpoint, 6: TCP6ClientEndpoint}
        endpoint = kinds[ip_address(place.host).version](reactor, place.host, place.port, PATIENCE)
    except ValueError:
        endpoint = HostnameEndpoint(reactor, place.host, place.port, PATIENCE)
    store = RedisStore(place, endpoint, reactor, random, config.prefix, config.timeout)
    store.shared = SharedCache(store, reactor, random, config.timeout, config.lock)
    return store.shared, store


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _abort(connections: list[RedisConnection]) -> None:
    for connection in connections:
        connection.transport.abortConnection()


def _let_go(failure: Failure) -> None:
    failure.trap(StoreGone)


def _ignore(_: object) -> None:
    return None
