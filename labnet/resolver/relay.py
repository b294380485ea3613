"""The short way of a plain question to a DNS parent and of its reply back: in batches, without an object for each step.

What comes back in the plain shape (:mod:`labnet.resolver.relaywire`) is passed on at once. All else goes the long way
through :mod:`labnet.resolver.recursion`: other replies, silence, errors, and who asked the same in the meantime. Both
ways know the same names, ask each only once, and learn the same.

The sockets to a parent are a pool, each connected to it and bound to a random port, and replaced after a while
(:data:`MOST_QUERIES`, :data:`LONGEST_USE`). Guessing a reply takes one of their ports, a random id of 16 bits, and the
random case of the name's letters (RFC 5452).
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IReactor
from labnet.resolver.dnsparent import DNSParent
from labnet.resolver.health import Health, Parents
from labnet.resolver.mmsg import Inbox, Outbox
from labnet.resolver.model import ExtendedError, InfoCode, Question, Rcode, RRset, Upstream
from labnet.resolver.relaywire import (
    Shape,
    Shapes,
    encode_plain_query,
    encode_plain_records,
    encode_plain_reply,
    matches,
    name_end,
    plain_addresses,
)

SOCKETS: Final = 16
"""Sockets of the pool to one parent, and so many ports that are in use at a time."""

MOST_QUERIES: Final = 5000
"""Queries of one socket, until it is replaced by one with another port."""

LONGEST_USE: Final = 10.0
"""Seconds until a socket is replaced."""

_TICK: Final = 0.1
_RANDOM_BYTES: Final = 8192


class IAsker(Protocol):
    """Where questions come from and replies go to; ``whence`` is its own word for who asked."""

    def reply(self, whence: Any, question: bytes, reply: bytes) -> None:
        """Send ``reply`` to ``question``, at the latest with the next :meth:`flush`."""

    def flush(self) -> None:
        """Send what is left."""

    def go_long(self, whence: Any, question: bytes) -> None:
        """Have ``question`` answered on the long way."""


class IWay(Protocol):
    """The long way, as the short one sees it: :class:`~labnet.resolver.recursion.Resolver`."""

    def short_way(self, question: Question, now: float) -> Parents | None:
        """Whom to ask ``question``, where nothing is known of it here and nobody asks it already."""

    def begin(self, question: Question) -> None:
        """``question`` is being asked: who else asks it waits."""

    def is_awaited(self, question: Question) -> bool:
        """Whether anybody else waits for ``question``."""

    def told(self, question: Question, upstream: Upstream | None) -> None:
        """The parent told ``upstream``; None where nobody else waits for it and it does not last."""

    def ask_anew(self, question: Question) -> None:
        """Nothing of use came: those who wait are answered on the long way."""


class Relays:
    """The relays to all DNS parents of ``way``, made when first needed; with ``explain`` replies say whose they are."""

    def __init__(self, reactor: IReactor, way: IWay, explain: bool, ttl: tuple[int, int]) -> None:
        self._reactor = reactor
        self._way = way
        self._explain = explain
        self._ttl = ttl
        self._relays: dict[tuple[str, int], Relay] = {}

    def take(self, asker: IAsker, whence: Any, question: bytes, now: float) -> bool:
        """Answer ``question``, a datagram of ``asker``, if it can go the short way."""
        end = name_end(question)
        if not end:
            return False
        asking = Question(question[12:end].lower(), int.from_bytes(question[end : end + 2], "big"))
        parents = self._way.short_way(asking, now)
        if parents is None:
            return any(relay.join(asker, whence, question, end) for relay in self._relays.values())
        first = parents.first(now)
        if first is None:
            return False
        parent, health = first
        relay = self._relays.get((parent.host, parent.port))
        if relay is None:
            relay = self._relays[parent.host, parent.port] = self._relay(parent, parents, health)
        if not relay.ask(asking, asker, whence, question, end, now):
            return False
        health.asked(now)
        return True

    def send(self) -> None:
        """A batch of datagrams ends here: send what it asks."""
        for relay in self._relays.values():
            relay.send()

    def change(self, explain: bool, ttl: tuple[int, int]) -> None:
        """Ask by these from now on, and other parents perhaps: what is still asked goes the long way."""
        self._explain = explain
        self._ttl = ttl
        self.close()

    def close(self) -> None:
        """Close every socket; what is still asked goes the long way."""
        relays, self._relays = self._relays, {}
        for relay in relays.values():
            relay.close()

    def _relay(self, parent: DNSParent, parents: Parents, health: Health) -> Relay:
        error = ExtendedError(InfoCode.OTHER, f"from {parent.address}")
        shapes = Shapes((error,) if self._explain else ())
        return Relay(
            self._reactor, self._way, parent, shapes, self._ttl, partial(parents.wait, health), health.answered
        )


class _Asked:
    """A question that a parent is being asked, and the clients that wait for it."""

    __slots__ = ("clients", "done", "query", "question", "since")

    def __init__(self, question: Question, query: bytes, since: float) -> None:
        self.question = question
        self.query = query
        self.since = since
        self.done = False
        self.clients: list[tuple[IAsker, Any, bytes, int, Shape]] = []


class Relay:
    """Asks ``parent`` the plain questions of ``way``; replies are as ``shapes`` say.

    ``wait`` gives the seconds that it has for a reply, ``heard`` is told how many a reply took. ``ttl`` bounds what is
    passed on: the least and the most seconds.
    """

    def __init__(
        self,
        reactor: IReactor,
        way: IWay,
        parent: DNSParent,
        shapes: Shapes,
        ttl: tuple[int, int],
        wait: Callable[[], float],
        heard: Callable[[float], None],
    ) -> None:
        self.inbox = Inbox()
        self._reactor = reactor
        self._way = way
        self._parent = parent
        self._shapes = shapes
        self._ttl_min, self._ttl_max = ttl
        self._wait = wait
        self._heard = heard
        self._outbox = Outbox(0)
        self._pool: list[_PoolSocket] = []
        self._retired: list[_PoolSocket] = []
        self._socket: _PoolSocket | None = None
        self._pending: dict[Question, _Asked] = {}
        self._in_order: deque[_Asked] = deque()
        self._timer: IDelayedCall | None = None
        self._random = b""
        self._at = 0

    def join(self, asker: IAsker, whence: Any, question: bytes, end: int) -> bool:
        """Have a client wait for a question that is asked already; False where it is not, or cannot."""
        rrtype = int.from_bytes(question[end : end + 2], "big")
        asked = self._pending.get(Question(question[12:end].lower(), rrtype))
        shape = self._shapes.find(question, end)
        if asked is None or shape is None:
            return False
        asked.clients.append((asker, whence, question, end, shape))
        return True

    def ask(self, asking: Question, asker: IAsker, whence: Any, question: bytes, end: int, now: float) -> bool:
        """Ask the parent ``asking``, the ``question`` of a client; False where it is not plain or has no socket."""
        shape = self._shapes.find(question, end)
        if shape is None:
            return False
        sock = self._socket or self._pick(now)
        if sock is None:
            return False
        key = asking.key
        random = self._bytes(2 + len(key))
        id = random[:2]
        while id in sock.asked:
            id = self._bytes(2)
        asked = _Asked(asking, encode_plain_query(id, key, question[end : end + 2], random[2:]), now)
        asked.clients.append((asker, whence, question, end, shape))
        sock.asked[id] = asked
        self._pending[asking] = asked
        self._in_order.append(asked)
        self._way.begin(asking)
        if self._timer is None:
            self._timer = self._reactor.callLater(_TICK, self._look)
        if self._outbox.put(asked.query):
            self.send()
        return True

    def send(self) -> None:
        """Send what was asked; what comes next goes by another socket, so the replies to one batch come together."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.left -= self._outbox.count
            try:
                self._outbox.send(sock.fileno())
            except OSError:
                sock.fail()

    def received(self, asked: _Asked, reply: bytes) -> None:
        """``reply`` has come for what was ``asked``: from its parent, to its port, with its id and its question."""
        found = plain_addresses(reply, asked.query)
        self._end(asked)
        if found is None:
            self._go_long(asked)
            return
        ttl, addresses = found
        ttl = min(max(ttl, self._ttl_min), self._ttl_max)
        question = asked.question
        records = encode_plain_records(question.rrtype, ttl, addresses)
        for asker, whence, sent, end, shape in asked.clients:
            asker.reply(whence, sent, encode_plain_reply(sent, end, shape, len(addresses), records))
        upstream = None
        if ttl or self._way.is_awaited(question):
            rrset = RRset(question.key, question.rrtype, ttl, addresses)
            upstream = Upstream(Rcode.NOERROR, self._parent.address, (rrset,))
        self._way.told(question, upstream)

    def failed(self, asked: Iterable[_Asked]) -> None:
        """Nothing of use came to what was ``asked``, or nothing will."""
        for one in asked:
            self._end(one)
            self._go_long(one)

    def heard(self, asked: _Asked) -> None:
        """Of a batch of replies one was to ``asked``."""
        self._heard(max(0.0, self._reactor.seconds() - asked.since))

    def close(self) -> None:
        """Close every socket; what is still asked goes the long way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pool, self._pool, self._retired = [*self._pool, *self._retired], [], []
        for sock in pool:
            sock.close()
        self._in_order.clear()
        self.failed(list(self._pending.values()))

    def _pick(self, now: float) -> _PoolSocket | None:
        """One of the pool's sockets by chance, a new one in its place where it has done its work."""
        turn = int.from_bytes(self._bytes(2), "big") % SOCKETS
        sock = self._pool[turn] if turn < len(self._pool) else None
        if sock is None or sock.closed or sock.left <= 0 or not 0 <= now - sock.since < LONGEST_USE:
            try:
                fresh = _PoolSocket(self._reactor, self, (self._parent.host, self._parent.port), now)
            except OSError:
                return None
            if sock is None:
                self._pool.append(fresh)
            else:
                self._pool[turn] = fresh
                self._retired.append(sock)
            sock = fresh
        self._socket = sock
        return sock

    def _end(self, asked: _Asked) -> None:
        asked.done = True
        del self._pending[asked.question]

    def _go_long(self, asked: _Asked) -> None:
        for asker, whence, question, _, _ in asked.clients:
            asker.go_long(whence, question)  # it joins who waits for the same question
        self._way.ask_anew(asked.question)

    def _look(self) -> None:
        """Give up what is asked for too long; and forget what is done, in the order in which it was asked."""
        self._timer = None
        in_order, now = self._in_order, self._reactor.seconds()
        wait = self._wait()
        late = []
        while in_order and (in_order[0].done or not 0 <= now - in_order[0].since < wait):
            asked = in_order.popleft()
            if not asked.done:
                late.append(asked)
        if in_order:
            self._timer = self._reactor.callLater(_TICK, self._look)
        self.failed(late)
        waited_for, self._retired = self._retired, []
        for sock in waited_for:
            if any(not asked.done for asked in sock.asked.values()):
                self._retired.append(sock)
            else:
                sock.close()

    def _bytes(self, count: int) -> bytes:
        at = self._at
        if at + count > len(self._random):
            self._random, at = os.urandom(_RANDOM_BYTES), 0
        self._at = at + count
        return self._random[at : at + count]


@implementer(IReadDescriptor)
class _PoolSocket:
    """One socket of a pool: what was ``asked`` by it, by id; after ``left`` queries more it is replaced."""

    def __init__(self, reactor: IReactorFDSet, relay: Relay, parent: tuple[str, int], now: float) -> None:
        self.asked: dict[bytes, _Asked] = {}
        self.left = MOST_QUERIES
        self.since = now
        self.closed = False
        self._reactor = reactor
        self._relay = relay
        family = socket.AF_INET6 if ":" in parent[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self._socket.connect(parent)
        except OSError:
            self._socket.close()
            raise
        reactor.addReader(self)

    def doRead(self) -> None:
        try:
            replies = self._relay.inbox.receive(self.fileno())
        except OSError:
            self.fail()
            return
        askers: dict[IAsker, None] = {}
        heard = None
        for reply in replies:
            found = self.asked.get(reply[:2])
            verdict = None if found is None or found.done else matches(reply, found.query)
            if found is None or verdict is None:
                continue
            del self.asked[reply[:2]]
            heard = found
            for asker, *_ in found.clients:
                askers[asker] = None
            if verdict:
                self._relay.received(found, reply)
            else:
                self._relay.failed([found])
        for asker in askers:
            asker.flush()
        if heard is not None:
            self._relay.heard(heard)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._reactor.removeReader(self)
            self._socket.close()

    def fail(self) -> None:
        """Nobody listens there, or there is no route."""
        failed = [asked for asked in self.asked.values() if not asked.done]
        self.asked.clear()
        self.close()
        self._relay.failed(failed)

    def fileno(self) -> int:
        return -1 if self.closed else self._socket.fileno()

    def logPrefix(self) -> str:
        return "parent"

    def connectionLost(self, reason: Failure) -> None:
        self.fail()
