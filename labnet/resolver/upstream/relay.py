"""The short way of a plain question to a DNS parent and of its reply back: in batches, without an object for each step.

What comes back in the plain shape (:mod:`labnet.wire.dns_forward`) is passed on at once. All else goes the long way
through :mod:`labnet.resolver.engine.resolver`: other replies, silence, errors, and who asked the same in the meantime.
Both ways know the same names, ask each only once, and learn the same.

The sockets to a parent are a pool (:mod:`labnet.resolver.upstream.relay_sockets`). Guessing a reply takes one of their
ports, a random id of 16 bits, and the random case of the name's letters (RFC 5452).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IDelayedCall

from labnet.interfaces import IReactor
from labnet.net.mmsg import Outbox
from labnet.resolver.upstream.dns import DNSParent
from labnet.resolver.upstream.infra import Health
from labnet.resolver.upstream.relay_sockets import Pool, PoolSocket
from labnet.resolver.upstream.selection import Parents
from labnet.wire.dns_forward import (
    Shape,
    Shapes,
    encode_addresses,
    encode_forwarded_query,
    encode_forwarded_reply,
    encode_sections,
    forwardable_addresses,
    matches,
    name_end,
)
from labnet.wire.types import ExtendedError, InfoCode, Question, Rcode, RRset, Upstream

_TICK: Final = 0.1
_RANDOM_BYTES: Final = 8192


class IAsker(Protocol):
    """Where questions come from and replies go to; ``whence`` is its own word for who asked."""

    def reply(self, whence: Any, question: bytes, reply: bytes) -> None:
        """Send ``reply`` to ``question`` with the next :meth:`flush`."""

    def flush(self) -> None:
        """Send what is left."""

    def go_long(self, whence: Any, question: bytes) -> None:
        """Have ``question`` answered on the long way."""


class IWay(Protocol):
    """The long way, as the short one sees it: :class:`~labnet.resolver.engine.resolver.Resolver`."""

    def short_way(self, question: Question, now: float) -> Parents | None:
        """Whom to ask ``question``, where nothing is known of it here and nobody asks it already."""

    def begin(self, question: Question) -> None:
        """``question`` is being asked: who else asks it waits."""

    def let_go(self, question: Question) -> bool:
        """The parent told what does not last: whether nobody else waits for it. Then ``question`` is over."""

    def told(self, question: Question, upstream: Upstream) -> None:
        """The parent told ``upstream``: it is learned, and told to those who wait."""

    def settle(self) -> None:
        """Have all that was learned kept; to be called before it is answered."""

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
        self._chosen: tuple[Parents, float, Relay, Health] | None = None

    def take(self, asker: IAsker, whence: Any, question: bytes, now: float) -> bool:
        """Answer ``question``, a datagram of ``asker``, if it can go the short way."""
        end = name_end(question)
        if not end:
            return False
        asking = Question(question[12:end].lower(), question[end] << 8 | question[end + 1])
        parents = self._way.short_way(asking, now)
        if parents is None:
            return any(relay.join(asking, asker, whence, question, end) for relay in self._relays.values())
        chosen = self._chosen
        if chosen is None or parents is not chosen[0] or now != chosen[1]:
            chosen = self._choose(parents, now)
            if chosen is None:
                return False
        _, _, relay, health = chosen
        if not relay.ask(asking, asker, whence, question, end, now):
            return False
        health.asked(now)
        return True

    def send(self) -> None:
        """A batch of datagrams ends here: send what it asks."""
        self._chosen = None
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
        self._chosen = None
        for relay in relays.values():
            relay.close()

    def _choose(self, parents: Parents, now: float) -> tuple[Parents, float, Relay, Health] | None:
        """Who is asked what a batch asks ``parents`` at ``now``; None where that has to go the long way."""
        self._chosen = None
        first = parents.first(now)
        if first is not None:
            parent, health = first
            relay = self._relays.get((parent.host, parent.port))
            if relay is None:
                relay = self._relays[parent.host, parent.port] = self._relay(parent, parents, health)
            self._chosen = (parents, now, relay, health)
        return self._chosen

    def _relay(self, parent: DNSParent, parents: Parents, health: Health) -> Relay:
        error = ExtendedError(InfoCode.OTHER, f"from {parent.address}")
        shapes = Shapes((error,) if self._explain else ())
        return Relay(
            self._reactor, self._way, parent, shapes, self._ttl, partial(parents.wait, health), health.answered
        )


class _Asked:
    """A question of a client that is on its short way, and the ``others`` who wait for the same."""

    __slots__ = ("asker", "end", "others", "question", "section", "sent", "shape", "since", "whence")

    def __init__(
        self, question: Question, asker: IAsker, whence: Any, sent: bytes, end: int, shape: Shape, since: float
    ) -> None:
        self.question = question
        self.asker = asker
        self.whence = whence
        self.sent = sent
        self.end = end
        self.shape = shape
        self.since = since
        self.others: list[_Asked] | tuple[()] = ()  # a list for each would keep the garbage collector busy
        self.section = b""
        """What the parent is asked, to be found in its reply bit by bit."""


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
        self._batch: list[_Asked] = []
        self._pending: dict[Question, _Asked] = {}
        self._timer: IDelayedCall | None = None
        self._random = b""
        self._at = 0

    def join(self, asking: Question, asker: IAsker, whence: Any, question: bytes, end: int) -> bool:
        """Have a client wait for a question that is asked already; False where it is not, or cannot."""
        asked = self._pending.get(asking)
        shape = self._shapes.find(question, end)
        if asked is None or shape is None:
            return False
        one = _Asked(asking, asker, whence, question, end, shape, asked.since)
        if asked.others:
            asked.others.append(one)
        else:
            asked.others = [one]
        return True

    def ask(self, asking: Question, asker: IAsker, whence: Any, question: bytes, end: int, now: float) -> bool:
        """Ask the parent ``asking``, the ``question`` of a client, with the next :meth:`send`.

        False where it is not plain or has no socket.
        """
        shape = self._shapes.find(question, end)
        if shape is None:
            return False
        if self._socket is None:
            self._socket = self._pool.pick(int.from_bytes(self._bytes(2), "big"), now)
            if self._socket is None:
                return False
        asked = _Asked(asking, asker, whence, question, end, shape, now)
        self._batch.append(asked)
        self._pending[asking] = asked
        self._way.begin(asking)
        return True

    def send(self) -> None:
        """Send what was asked; what comes next goes by another socket, so the replies to one batch come together."""
        sock, self._socket = self._socket, None
        batch, self._batch = self._batch, []
        if sock is None:
            return
        if self._timer is None:
            self._timer = self._reactor.callLater(_TICK, self._look)
        queries = self._encode(batch, sock.asked)
        sock.left -= len(queries)
        try:
            self._outbox.send(sock.fileno(), queries)
        except OSError:
            sock.fail()

    def _encode(self, batch: list[_Asked], asked_by_id: dict[bytes, _Asked]) -> list[bytes]:
        """The queries for ``batch``, each with an id of its own."""
        keys = [asked.question.key for asked in batch]
        at = sum(map(len, keys))
        random = self._bytes(at + 2 * len(keys))
        sections = encode_sections(keys, [asked.shape.type_class for asked in batch], random[:at])
        queries = []
        for asked, section in zip(batch, sections, strict=True):
            id = random[at : at + 2]
            at += 2
            while id in asked_by_id:
                id = self._bytes(2)
            asked_by_id[id] = asked
            asked.section = section
            queries.append(encode_forwarded_query(id, section))
        return queries

    def close(self) -> None:
        """Close every socket; what is still asked goes the long way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pool.close()
        self._socket, self._batch = None, []
        self._failed(list(self._pending.values()))

    def _received(self, sock: PoolSocket[_Asked], replies: Iterable[bytes]) -> None:
        """``replies``, or what looks like some, have come by ``sock`` from the parent."""
        askers: dict[IAsker, None] = {}
        heard = None
        for reply in replies:
            asked = sock.asked.get(reply[:2])
            if asked is None:
                continue
            found = forwardable_addresses(reply, asked.section)
            if found is None and not matches(reply, asked.section):
                continue
            del sock.asked[reply[:2]]
            heard = asked
            if found is None:
                self._failed([asked])
                continue
            for one in (asked, *asked.others):
                askers[one.asker] = None
            self._pass_on(asked, *found)
        self._way.settle()
        for asker in askers:
            asker.flush()
        if heard is not None:
            self._heard(max(0.0, self._reactor.seconds() - heard.since))

    def _pass_on(self, asked: _Asked, ttl: int, addresses: tuple[bytes, ...]) -> None:
        """``addresses`` have come for what was ``asked``: from its parent, to its port, by its id and its question."""
        question = asked.question
        del self._pending[question]
        ttl = min(max(ttl, self._ttl_min), self._ttl_max)
        records = encode_addresses(asked.shape.type_class, ttl, addresses)
        for one in (asked, *asked.others):
            reply = encode_forwarded_reply(one.sent, one.end, one.shape, len(addresses), records)
            one.asker.reply(one.whence, one.sent, reply)
        if ttl or not self._way.let_go(question):
            rrset = RRset(question.key, question.rrtype, ttl, addresses)
            self._way.told(question, Upstream(Rcode.NOERROR, self._parent.address, (rrset,)))

    def _failed(self, asked: Iterable[_Asked]) -> None:
        """Nothing of use came to what was ``asked``, or nothing will."""
        for one in asked:
            del self._pending[one.question]
            for client in (one, *one.others):
                client.asker.go_long(client.whence, client.sent)  # it joins who waits for the same question
            self._way.ask_anew(one.question)

    def _look(self) -> None:
        """Give up what is asked for too long."""
        self._timer = None
        self._failed(self._pool.give_up(self._reactor.seconds(), self._wait()))
        if self._pool.is_waiting:
            self._timer = self._reactor.callLater(_TICK, self._look)
        self._pool.close_retired()

    def _bytes(self, count: int) -> bytes:
        at = self._at
        if at + count > len(self._random):
            self._random, at = os.urandom(max(count, _RANDOM_BYTES)), 0
        self._at = at + count
        return self._random[at : at + count]
