"""Many questions to one DNS parent by UDP, in batches, without an object for each step.

What a reply means is for the owner to say; here is which of what comes is one. The sockets to a parent are a pool
(:mod:`labnet.resolver.upstream.relay_sockets`). Guessing a reply takes one of their ports, a random id of 16 bits, and
the random case of the name's letters (RFC 5452).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall

from labnet.interfaces import IReactor
from labnet.net.batches.mmsg import Outbox
from labnet.resolver.upstream.relay_sockets import RelaySocket, RelaySockets
from labnet.wire.dns_forward import encode_sections

_TICK: Final = 0.1
_RANDOM_BYTES: Final = 8192


class Asked(Protocol):
    """What the parent is asked."""

    section: bytes
    """The question as the parent got it, to be found in its reply bit by bit."""

    @property
    def since(self) -> float:
        """When, in epoch seconds."""


A = TypeVar("A", bound=Asked)
Each = TypeVar("Each", contravariant=True)


class RelayOwner(Protocol[Each]):
    """Who has a relay ask, and gets what comes of it."""

    def encode_query(self, id: bytes, section: bytes, /) -> bytes:
        """The query of this id with a question section."""

    def replied(self, asked: Each, reply: bytes, /) -> bool:
        """``reply`` has come from the parent, to the socket and with the id of ``asked``; False if it is no reply."""

    def done(self) -> None:
        """All replies that had come by one socket were handed over."""

    def failed(self, asked: Iterable[Each], /) -> None:
        """No reply came to these, or none will."""

    def forged(self, count: int, exposed: Iterable[Each], /) -> None:
        """``count`` datagrams came that are no reply; to ``exposed`` none is waited for, as a forger found the port."""


class Relay(Generic[A]):
    """Asks ``parent``, an address and a port, for ``owner``.

    ``wait`` gives the seconds that it has for a reply; ``heard`` is called with the seconds that one took. Names go in
    random letters where ``mixed_case`` says so.
    """

    def __init__(
        self,
        reactor: IReactor,
        parent: tuple[str, int],
        owner: RelayOwner[A],
        wait: Callable[[], float],
        heard: Callable[[float], Any],
        mixed_case: bool = True,
    ) -> None:
        self._reactor = reactor
        self._owner = owner
        self._wait = wait
        self._heard = heard
        self._mixed_case = mixed_case
        self._outbox = Outbox(0)
        self._sockets: RelaySockets[A] = RelaySockets(reactor, parent, self._received, owner.failed)
        self.socket: RelaySocket[A] | None = None
        self._batch: list[A] = []
        self._keys: list[bytes] = []
        self._kinds: list[bytes] = []
        self._timer: IDelayedCall | None = None
        self._random = b""
        self._at = 0

    def pick_socket(self, now: float) -> bool:
        """Pick the ``socket`` for the batch that begins at ``now`` (epoch seconds); False where none can be had."""
        self.socket = self._sockets.pick(int.from_bytes(self._bytes(2), "big"), now)
        return self.socket is not None

    def ask(self, asked: A, key: bytes, kind: bytes) -> None:
        """Ask for the name ``key`` with the type and class ``kind``, with the next :meth:`send`."""
        self._batch.append(asked)
        self._keys.append(key)
        self._kinds.append(kind)

    def send(self) -> None:
        """Send what was asked; what comes next goes by another socket, so the replies to one batch come together."""
        sock, self.socket = self.socket, None
        if sock is None or not self._batch:
            return
        if self._timer is None:
            self._timer = self._reactor.callLater(_TICK, self._look)
        queries = self._encode(sock.asked)
        sock.left -= len(queries)
        try:
            self._outbox.send(sock.fileno(), queries)
        except OSError:
            sock.fail()

    def _encode(self, asked_by_id: dict[bytes, A]) -> list[bytes]:
        """The queries for the batch, each with an id of its own."""
        batch, self._batch = self._batch, []
        keys, self._keys = self._keys, []
        kinds, self._kinds = self._kinds, []
        at = sum(map(len, keys))
        random = self._bytes(at + 2 * len(keys))
        queries = []
        encode_query = self._owner.encode_query
        sections = encode_sections(keys, kinds, random[:at] if self._mixed_case else bytes(at))
        for asked, section in zip(batch, sections, strict=True):
            id = random[at : at + 2]
            at += 2
            while id in asked_by_id:
                id = self._bytes(2)
            asked_by_id[id] = asked
            asked.section = section
            queries.append(encode_query(id, section))
        return queries

    def close(self) -> None:
        """Close every socket; what is still asked has failed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        asked, self._batch, self.socket = self._batch, [], None
        self._keys.clear()
        self._kinds.clear()
        self._owner.failed([*self._sockets.close(), *asked])

    def forget(self, asked: A) -> bool:
        """Wait no more for the reply to ``asked``; False where none is waited for."""
        return self._sockets.forget(asked)

    def _received(self, sock: RelaySocket[A], replies: Iterable[bytes]) -> None:
        """``replies``, or what looks like some, have come by ``sock`` from the parent."""
        asked_by_id, replied = sock.asked, self._owner.replied
        heard = None
        strays = []
        for reply in replies:
            id = reply[:2]
            asked = asked_by_id.get(id)
            if asked is not None and replied(asked, reply):
                del asked_by_id[id]
                heard = asked
            else:
                strays.append(id)
        if strays:
            self._strayed(sock, strays)
        self._owner.done()
        if heard is not None:
            self._heard(max(0.0, self._reactor.seconds() - heard.since))

    def _strayed(self, sock: RelaySocket[A], ids: list[bytes]) -> None:
        """Datagrams with ``ids`` came by ``sock`` that are no reply to what is asked by it."""
        exposed: list[A] = []
        before = sock.forged
        if sock.is_found(ids):
            exposed = [*sock.asked.values()]
            sock.asked.clear()
            sock.close()
        self._owner.forged(sock.forged - before, exposed)

    def _look(self) -> None:
        """Give up what is asked for too long."""
        self._timer = None
        self._owner.failed(self._sockets.give_up(self._reactor.seconds(), self._wait()))
        if self._sockets.is_waiting:
            self._timer = self._reactor.callLater(_TICK, self._look)
        self._sockets.close_retired()

    def _bytes(self, count: int) -> bytes:
        at = self._at
        if at + count > len(self._random):
            self._random, at = os.urandom(max(count, _RANDOM_BYTES)), 0
        self._at = at + count
        return self._random[at : at + count]
