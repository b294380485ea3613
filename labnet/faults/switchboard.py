"""The orders that hold now: taken, ended by themselves, and asked at the sockets what to do with a datagram."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final, NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from labnet.events import Datagram, End, Exchange, FaultChanged
from labnet.faults.datagrams import Sending, name_of, struck
from labnet.faults.model import KINDS, MOST_ORDERS, Hits, Order, OrderError, order_of
from labnet.interfaces import IEvents

_MOST_STRIKES: Final = 2_000

_HELD: Final = 0.5
"""Seconds that a datagram waits for the next one, which is to overtake it."""


class Strike(NamedTuple):
    """A fault was done to ``data``, on its way between two ends."""

    source: End
    destination: End
    data: bytes
    sentence: str


class Switchboard:
    """All orders of the lab. ``changed`` are called whenever the sides that have any have changed.

    ``resolvers`` names the lab's resolvers, ``events`` is told of each order and of its end.
    """

    log = Logger()

    def __init__(self, reactor: IReactorTime, resolvers: Callable[[], list[str]], events: IEvents) -> None:
        self._reactor = reactor
        self._resolvers = resolvers
        self._events = events
        self._orders: dict[str, Hits] = {}
        self._timers: dict[str, IDelayedCall] = {}
        self._held: dict[tuple[str, str, str], tuple[Callable[[bytes], object], bytes]] = {}
        self._strikes: deque[Strike] = deque(maxlen=_MOST_STRIKES)
        self._on_the_wire: deque[Strike] = deque(maxlen=_MOST_STRIKES)
        self._sessions: dict[End, str] = {}
        self._next = 1
        self._random = Random(0)
        self.changed: list[Callable[[], object]] = []
        self.done: Counter[str] = Counter()
        """How often each kind was done, since the start."""

    # Orders

    def order(self, given: dict[str, Any]) -> str:
        """Carry out the order ``given`` from now on; its id. Raises :class:`OrderError`."""
        if len(self._orders) >= MOST_ORDERS:
            raise OrderError([f"there are {MOST_ORDERS} orders already: end one of them first"])
        now = self._reactor.seconds()
        order = order_of(given, self._resolvers(), now)
        id = f"f{self._next}"
        self._next += 1
        self._orders[id] = Hits(order)
        self._timers[id] = self._reactor.callLater(order.until - now, self.end, id, "its time is over")
        self.log.warn("fault {id} is ordered: {order}", id=id, order=order.sentence, event="fault.ordered")
        self._tell(id, "ordered", order.sentence)
        return id

    def end(self, id: str, why: str = "it was ended") -> None:
        """End the order ``id``. Raises LookupError, with a sentence, where there is none."""
        hits = self._orders.pop(id, None)
        if hits is None:
            raise LookupError(f"there is no fault {id!r}: {', '.join(self._orders) or 'none is ordered'}")
        timer = self._timers.pop(id)
        if timer.active():
            timer.cancel()
        self.log.info("fault {id} has ended: {why}", id=id, why=why, event="fault.ended")
        self._tell(id, "ended", f"{hits.order.sentence}: {why}")

    def end_all(self) -> None:
        """End every order."""
        for id in list(self._orders):
            self.end(id)

    def _tell(self, id: str, what: str, sentence: str) -> None:
        if self._events.watched:
            self._events.happened(FaultChanged(self._reactor.seconds(), id, what, sentence))
        for call in self.changed:
            call()

    def shown(self) -> dict[str, Any]:
        """The orders and the kinds there are, as the API has them."""
        return {
            "faults": [_shown(id, hits) for id, hits in self._orders.items()],
            "kinds": [
                {
                    "kind": name,
                    "sentence": kind.sentence,
                    "transport": "tcp" if "session" in kind.sides else "udp",
                    "sides": sorted(kind.sides),
                    "amount": kind.amount or None,
                }
                for name, kind in KINDS.items()
            ],
        }

    def sides_of(self, where: str) -> set[str]:
        """The sides of the resolver ``where``, or of the command server, that have an order."""
        return {hits.order.side for hits in self._orders.values() if hits.order.where == where}

    # What is done

    def strike(self, where: str, side: str, direction: str, client: str, name: str) -> Order | None:
        """The first order that hits what passes ``where`` now."""
        for id, hits in list(self._orders.items()):
            order = hits.order
            if (order.where, order.side, order.direction) == (where, side, direction) and hits.strikes(client, name):
                self.done[order.kind] += 1
                if hits.is_done:
                    self.end(id, "it has hit what it was ordered for")
                return order
        return None

    def pass_on(self, way: tuple[str, str, str], ends: tuple[End, End], data: bytes, send: Send) -> Order | None:
        """Give ``data``, which goes from one of ``ends`` to the other, to ``send``, or what a fault makes of it.

        The order that hit it, if any did.

        ``way`` is where, side and direction. ``send`` is called with the data, and whether it is from another port.
        """
        where, side, direction = way
        source, destination = ends
        client = (source if direction == "in" else destination)[0] if side == "client" else ""
        order = self.strike(where, side, direction, client, name_of(data))
        held = self._held.pop(way, None)
        if order is None:
            send(data, False)
        else:
            strike = Strike(source, destination, data, order.sentence)
            self._strikes.append(strike)
            sendings = struck(
                order.kind, data, order.amount, self._random, destination if direction == "out" else source
            )
            if direction == "in" or sendings is None:  # what is held back leaves as it is
                self._on_the_wire.append(strike)
            if sendings is None:
                self._hold(way, data, send)
            else:
                self._send(sendings, ends, order, send)
        if held is not None:
            held[0](held[1])
        return order

    def lost(self, where: str, client: End, listener: End, question: bytes, order: Order) -> None:
        """The ``question`` of a client never came to the resolver ``where``: told where anybody watches."""
        if not self._events.watched:
            return
        now = self._reactor.seconds()
        datagram = Datagram(now, client, listener, question, note=order.kind, fault=order.sentence)
        protocol = "dns" if b"\0" in question else "course"
        names = name_of(question), ""
        told = (self._events.new_id(), where, listener, client, protocol, "udp", *names, now, now, "dropped", "", None)
        self._events.happened(Exchange(*told, (datagram,), ()))

    def _send(self, sendings: Iterable[Sending], ends: tuple[End, End], order: Order, send: Send) -> None:
        for sending in sendings:
            if sending.data != b"" or order.kind == "empty":
                strike = Strike(*ends, sending.data, order.sentence)
                self._strikes.append(strike)
                if order.direction == "out" and not sending.is_elsewhere:
                    self._on_the_wire.append(strike)
            if sending.delay:
                self._reactor.callLater(sending.delay, send, sending.data, sending.is_elsewhere)
            else:
                send(sending.data, sending.is_elsewhere)

    def _hold(self, way: tuple[str, str, str], data: bytes, send: Send) -> None:
        def late(held: bytes) -> None:
            send(held, False)

        self._held[way] = (late, data)
        self._reactor.callLater(_HELD, self._let_go, way, data)

    def _let_go(self, way: tuple[str, str, str], data: bytes) -> None:
        held = self._held.get(way)
        if held is not None and held[1] is data:
            del self._held[way]
            held[0](data)

    def mark_session(self, client: End, sentence: str) -> None:
        """The connection of ``client`` meets the fault that ``sentence`` tells."""
        self._sessions[client] = sentence

    def forget_session(self, client: End) -> None:
        """The connection of ``client`` is over."""
        self._sessions.pop(client, None)

    def done_to(self, source: End, destination: End, data: bytes) -> str:
        """Which fault was done to ``data`` between two ends, or to their connection; empty where none.

        It is asked once for each datagram that came, or that left, in their order: the next one may have the same data.
        """
        for one in self._on_the_wire:
            if one[:3] == (source, destination, data):
                self._on_the_wire.remove(one)
                return one.sentence
        return self._sessions.get(source) or self._sessions.get(destination) or ""

    def marked(self, exchange: Exchange) -> Exchange:
        """``exchange``, whose datagrams say which fault was done to them."""
        if not self._strikes:
            return exchange
        struck_ones = {(one.source, one.destination, one.data): one.sentence for one in self._strikes}
        datagrams = tuple(
            one._replace(fault=struck_ones.get((one.source, one.destination, one.data), one.fault))
            for one in exchange.datagrams
        )
        return exchange._replace(datagrams=datagrams)

    def stop(self) -> None:
        """End all timers; the lab ends."""
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()
        self._orders.clear()


Send = Callable[[bytes, bool], object]


def _shown(id: str, hits: Hits) -> dict[str, Any]:
    order = hits.order
    return {
        "id": id,
        "kind": order.kind,
        "where": order.where,
        "side": order.side,
        "direction": order.direction,
        "client": order.client,
        "name": order.name,
        "when": order.when,
        "until": order.until,
        "amount": order.amount,
        "count": hits.hit,
        "by": order.by,
        "sentence": order.sentence,
    }
