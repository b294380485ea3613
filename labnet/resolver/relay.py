"""The short way of a plain question to a DNS parent and of its reply back: in batches, without an object for each step.

What comes back in the plain shape (:mod:`labnet.resolver.relaywire`) is passed on at once. All else goes the long way
through :mod:`labnet.resolver.recursion`: other replies, silence, errors, and who asked the same in the meantime. Both
ways know the same names, ask each only once, and learn the same.

The sockets to a parent are a pool (:mod:`labnet.resolver.relaypool`). Guessing a reply takes one of their ports, a
random id of 16 bits, and the random case of the name's letters (RFC 5452).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IDelayedCall

from labnet.interfaces import IReactor
from labnet.resolver.dnsparent import DNSParent
from labnet.resolver.health import Health, Parents
from labnet.resolver.mmsg import Outbox
from labnet.resolver.model import ExtendedError, InfoCode, Question, Rcode, RRset, Upstream
from labnet.resolver.relaypool import Pool, PoolSocket
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
        self._reactor = reactor
        self._way = way
        self._parent = parent
        self._shapes = shapes
        self._ttl_min, self._ttl_max = ttl
        self._wait = wait
        self._heard = heard
        self._outbox = Outbox(0)
        self._pool = Pool(reactor, (parent.host, parent.port), self._received, self._failed)
        self._socket: PoolSocket[_Asked] | None = None
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
        sock = self._socket
        if sock is None:
            sock = self._socket = self._pool.pick(int.from_bytes(self._bytes(2), "big"), now)
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

    def close(self) -> None:
        """Close every socket; what is still asked goes the long way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pool.close()
        self._in_order.clear()
        self._failed(list(self._pending.values()))

    def _received(self, sock: PoolSocket[_Asked], replies: Iterable[bytes]) -> None:
        """``replies``, or what looks like some, have come by ``sock`` from the parent."""
        askers: dict[IAsker, None] = {}
        heard = None
        for reply in replies:
            found = sock.asked.get(reply[:2])
            verdict = None if found is None or found.done else matches(reply, found.query)
            if found is None or verdict is None:
                continue
            del sock.asked[reply[:2]]
            heard = found
            for asker, *_ in found.clients:
                askers[asker] = None
            if verdict:
                self._pass_on(found, reply)
            else:
                self._failed([found])
        for asker in askers:
            asker.flush()
        if heard is not None:
            self._heard(max(0.0, self._reactor.seconds() - heard.since))

    def _pass_on(self, asked: _Asked, reply: bytes) -> None:
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

    def _failed(self, asked: Iterable[_Asked]) -> None:
        """Nothing of use came to what was ``asked``, or nothing will."""
        for one in asked:
            self._end(one)
            self._go_long(one)

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
        self._failed(late)
        self._pool.close_retired()

    def _bytes(self, count: int) -> bytes:
        at = self._at
        if at + count > len(self._random):
            self._random, at = os.urandom(_RANDOM_BYTES), 0
        self._at = at + count
        return self._random[at : at + count]
