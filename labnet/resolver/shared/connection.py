"""Connections to a Redis 7 or Valkey server, by txredisapi's protocols, and what is said on them first.

txredisapi's factories are not used: they keep what was asked while a server was away, for ever, and never come back to
one that once refused a password or was still loading.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from txredisapi import RedisProtocol, SubscriberProtocol

from labnet.net.addresses import address_text

_SHOWN: Final = 200

MOST_UNREAD: Final = 1_000_000
"""Bytes of a reply."""

LOOK: Final = b"""
local value = redis.call('GET', KEYS[1])
local left = value and redis.call('PTTL', KEYS[1]) or -1
if value and ARGV[4] == '0' then return {value, left, 'value'} end
local function locked(holder)
  return holder and redis.call('PUBSUB', 'NUMSUB', string.sub(holder, 34))[2] > 0
end
if locked(redis.call('GET', KEYS[2])) then
  local put = redis.pcall('SADD', KEYS[3], ARGV[1])
  if type(put) == 'table' then return {value, left, put.err} end
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
  return {value, left, 'theirs'}
end
local set = redis.pcall('SET', KEYS[2], ARGV[2] .. ' ' .. ARGV[1], 'PX', ARGV[3])
return {value, left, set.err or 'ours'}
"""
"""Keys: of the value, the lock, who waits. Arguments: our channel, the token, milliseconds for the lock, insist.

Whoever has a lock listens to a channel of its own: where no lab does, that one is gone and its lock counts no more.
"""

TELL: Final = b"""
local lock = redis.call('GET', KEYS[2])
local ours = lock and string.sub(lock, 1, 32) == ARGV[1]
if ours then redis.call('DEL', KEYS[2]) end
if ARGV[2] == '' and not ours then return 'done' end
local set = {}
if tonumber(ARGV[3]) > 0 then set = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
for _, channel in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  redis.call('PUBLISH', channel, #KEYS[1] .. ':' .. KEYS[1] .. ARGV[2])
end
redis.call('DEL', KEYS[3])
return set.err or 'done'
"""
"""Keys as above. Arguments: the token, the value or nothing, milliseconds that it stays."""


class RedisAddress(NamedTuple):
    """Where the server is and the login there, as ``redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`` says it."""

    host: str
    port: int
    user: str
    password: str
    database: int

    @classmethod
    def of(cls, url: str) -> RedisAddress:
        """The place in a ``url`` that the configuration has checked; what is escaped by % in it is read."""
        parts = urlsplit(url)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname or "", parts.port or 6379, user, password, int(parts.path.strip("/") or 0))

    def __str__(self) -> str:
        return address_text(self.host, self.port)


class RedisConnection(RedisProtocol):
    """A connection whose server loses it, and no more, by sending what it should not.

    ``lost`` is called with the reason, once or more often. Replies that come in one segment are read in one
    go; txredisapi goes round the global reactor for each.
    """

    def __init__(
        self, lost: Callable[[RedisConnection, str], None], on_message: Callable[[bytes, bytes], None]
    ) -> None:
        super().__init__(charset=None, convertNumbers=False)
        self.closed: Deferred[None] = Deferred()
        self._lost = lost
        self._on_message = on_message
        self._unread = 0
        self._rest = b""

    def setLineMode(self, extra: bytes = b"") -> None:
        self.line_mode = 1
        self._rest = extra

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        self._unread += len(data)
        try:
            while data:
                self._rest = b""
                super().dataReceived(data)
                data = self._rest
        except Exception as error:  # whatever a parser says of bytes that no server should send
            self._lost(self, f"it sent what is no reply ({type(error).__name__})")
            return
        if self._unread > MOST_UNREAD:
            self._lost(self, "its reply does not end")

    def lineReceived(self, line: str) -> None:
        # No reply that is asked for has an array in an array in an array; a nest of thousands would cost seconds.
        if line.startswith("*") and self.multi_bulk.parent is not None:
            raise ValueError("an array is nested too deeply")
        super().lineReceived(line)

    def replyReceived(self, reply: Any) -> None:
        self._unread = 0
        known = isinstance(reply, list) and len(reply) == 3 and reply[0] in (b"message", b"subscribe")
        if self.replyQueue.waiting or known:
            super().replyReceived(reply)
        else:
            self._lost(self, "it sent a reply that nobody waits for")

    def messageReceived(self, pattern: object, channel: object, message: object) -> None:
        if isinstance(channel, bytes) and isinstance(message, bytes):
            self._on_message(channel, message)

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._lost(self, "the connection is closed")
        self.closed.callback(None)


class Subscription(RedisConnection, SubscriberProtocol):
    """The connection that messages come by."""


class Link(NamedTuple):
    """Both connections, once all is said on them that has to be said first.

    ``channel`` is this link's own, ``look`` and ``tell`` are what the server calls the scripts.
    """

    commands: RedisConnection
    channel: bytes
    look: bytes
    tell: bytes


async def link(
    endpoint: IStreamClientEndpoint,
    address: RedisAddress,
    channels: tuple[bytes, bytes],
    made: Callable[[RedisConnection], None],
    lost: Callable[[RedisConnection, str], None],
    on_message: Callable[[bytes, bytes], None],
) -> Link:
    """Connect twice, and listen to ``channels``, the first of them our own; ``made`` is called with each connection.

    Fails with whatever keeps it from that.
    """
    connections: list[RedisConnection] = []
    for kind in (RedisConnection, Subscription):
        factory = Factory.forProtocol(partial(kind, lost, on_message))
        factory.noisy = False
        connection = cast(RedisConnection, await endpoint.connect(factory))
        made(connection)
        if address.password:
            await connection.execute_command("AUTH", *filter(None, (address.user, address.password)))
        connections.append(connection)
    commands, messages = connections
    await commands.execute_command("SELECT", address.database)
    look, tell = [await commands.execute_command("SCRIPT", "LOAD", script) for script in (LOOK, TELL)]
    await messages.execute_command("SUBSCRIBE", *channels)
    return Link(commands, channels[0], look, tell)


def shown(failure: Failure) -> str:
    """What ``failure`` says, fit for a log; whoever is at the other end may have worded it."""
    error = failure.value
    number = getattr(error, "osError", None)
    return printable(os.strerror(number) if isinstance(number, int) else str(error) or type(error).__name__)


def printable(word: object) -> str:
    """``word``, a server's, as text without what would forge a line of a log."""
    text = word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:_SHOWN].rstrip(".")
