"""A question that is asked on the page: a real datagram to a resolver of the lab, so that all of its way is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import SystemRandom
from typing import Any, Final

import dns.exception
import dns.message
import dns.rdatatype
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from labnet.console.encoding import shown
from labnet.console.page.queries import BadRequest
from labnet.console.ring import Ring, Skipped
from labnet.events import Event, Exchange
from labnet.interfaces import IDatagramSockets
from labnet.wire.course import encode_question
from labnet.wire.types import is_name

PATIENCE: Final = 10.0
"""Seconds that an answer has; a parent that is silent takes some of them."""

LATE: Final = 1.0
"""Seconds that what is told of a question may come later than its reply: from another process."""

MOST: Final = 50
"""Questions of the page that wait at a time."""

_LOOK: Final = 0.05


class Asking:
    """Asks resolvers that ``view`` knows over ``sockets``, and finds in ``ring`` what is told of it."""

    def __init__(
        self,
        reactor: IReactorTime,
        ring: Ring,
        view: Callable[[str, Mapping[str, Any]], Any],
        sockets: IDatagramSockets,
    ) -> None:
        self._sockets = sockets
        self._reactor = reactor
        self._ring = ring
        self._view = view
        self._waiting = 0

    def ask(self, resolver: str, name: str, rrtype: str, protocol: str) -> Deferred[dict[str, Any]]:
        """Ask ``resolver`` ("": the first) by ``protocol``; fires with the exchange. Raises :class:`BadRequest`."""
        message = _message(name, rrtype, protocol)
        if self._waiting >= MOST:
            raise BadRequest(f"{MOST} questions of this page wait already", 429)
        return Deferred.fromCoroutine(self._ask(resolver, message))

    async def _ask(self, resolver: str, message: bytes) -> dict[str, Any]:
        self._waiting += 1
        try:
            lab = await maybeDeferred(self._view, "lab", {})
            server = _server_of(lab, resolver)
            reply = await self._exchange(server, message)
            return await self._told(*reply)
        finally:
            self._waiting -= 1

    async def _exchange(self, server: tuple[str, int], message: bytes) -> tuple[tuple[str, int], bool]:
        """This end's address and port, and whether a reply came."""
        done: Deferred[bool] = Deferred()

        def received(datagram: bytes) -> None:
            if not done.called and (b"\0" not in message or datagram[:2] == message[:2]):
                done.callback(True)

        def give_up(_: object = None) -> None:
            if not done.called:
                done.callback(False)

        try:
            sock = self._sockets.open(*server, received, give_up)
        except OSError as error:
            raise BadRequest(f"no socket to ask from: {error.strerror}", 503) from None
        here = sock.here
        timer = self._reactor.callLater(PATIENCE, give_up)
        sock.send(message)
        try:
            return here, await done
        finally:
            if timer.active():
                timer.cancel()
            sock.close()

    async def _told(self, client: tuple[str, int], answered: bool) -> dict[str, Any]:
        """What the ring has of the question from ``client``."""
        waited = 0.0
        while waited < LATE:
            for noted in self._ring.newest(lambda event: _is_of(event, client)):
                return shown(noted, whole=True)
            await _pause(self._reactor, _LOOK)
            waited += _LOOK
        why = "more happens than can be told of: ask again" if answered else f"no answer came in {PATIENCE:g} s"
        raise BadRequest(why, 503)


def _is_of(event: Event | Skipped, client: tuple[str, int]) -> bool:
    return isinstance(event, Exchange) and event.client[1] == client[1] and event.client[0] == client[0]


def _message(name: str, rrtype: str, protocol: str) -> bytes:
    """The question as the resolver gets it. Raises :class:`BadRequest`."""
    if protocol == "course":
        if not is_name(name):
            raise BadRequest(f"{name!r} is no name of the course protocol")
        return encode_question(name)
    try:
        kind = dns.rdatatype.from_text(rrtype)
        query = dns.message.make_query(name, kind, use_edns=0, payload=1232, id=SystemRandom().getrandbits(16))
        return query.to_wire()
    except (dns.exception.DNSException, ValueError, UnicodeError) as error:
        raise BadRequest(f"{name!r} {rrtype!r} cannot be asked by DNS: {error}") from None


def _server_of(lab: Mapping[str, Any], resolver: str) -> tuple[str, int]:
    """Where ``resolver`` listens."""
    for each in lab["resolvers"]:
        if resolver in ("", each["name"]) and each["listens"]:
            host, _, port = each["listens"][0].partition(" ")[2].rpartition(":")
            host = host.strip("[]")
            return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(port)
    raise BadRequest(f"there is no resolver {resolver!r}", 404)


def _pause(reactor: IReactorTime, seconds: float) -> Deferred[None]:
    pause: Deferred[None] = Deferred()
    reactor.callLater(seconds, pause.callback, None)
    return pause
