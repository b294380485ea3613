"""The fast path: a client's datagram is passed on to a DNS parent, and its reply passed back, without an object for
each step.

A question is passed on where it is forwardable (:mod:`labnet.wire.dns_forward`), where nothing is known of it here that
counts, and where its first parent is a DNS server that is up. A reply with nothing but addresses, and the signature of
those where it is checked, is passed back at once. All else is for the full path: it goes on from any other reply as it
came, and asks anew where there was none. Both paths share one table (:mod:`labnet.resolver.engine.inflight`), so they
know the same names, ask each only once, and learn the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from labnet.interfaces import IReactor, IScreen
from labnet.resolver.engine.flight import Flight, LatePort
from labnet.resolver.engine.resolver import Resolver
from labnet.resolver.upstream.checked import CheckedParents
from labnet.resolver.upstream.dns import DNSParent
from labnet.resolver.upstream.infra import Health
from labnet.resolver.upstream.relay import Relay
from labnet.resolver.upstream.selection import Parents
from labnet.wire.dns_common import HEADER, QR, RD, TC
from labnet.wire.dns_forward import (
    Shape,
    Shapes,
    encode_addresses,
    encode_forwarded_query,
    encode_forwarded_reply,
    encode_secure_reply,
    encode_signed_query,
    forwardable_addresses,
    matches,
    name_end,
    signed_addresses,
)
from labnet.wire.dns_upstream import EarlyReply, Sent
from labnet.wire.types import ExtendedError, InfoCode, Question, Rcode, RRset, Security, Upstream

Check = Callable[[RRset, bytes], tuple[Security, RRset] | None]
Encode = Callable[[bytes, int, Shape, int, bytes], bytes]

_TRUNCATED: Final = HEADER.pack(0, QR | TC | RD, 1, 0, 0, 0)


class FastPath:
    """The fast path of ``resolver``; with ``explain`` replies say which parent they are from.

    ``ttl`` bounds what is passed back: the least and the most seconds. ``mixed_case`` is as in
    :class:`~labnet.resolver.upstream.dns.ExchangeOptions`.
    """

    def __init__(
        self, reactor: IReactor, resolver: Resolver, explain: bool, ttl: tuple[int, int], mixed_case: bool = True
    ) -> None:
        self.ttl = ttl
        self._reactor = reactor
        self._resolver = resolver
        self.flights = resolver.flights
        self._explain = explain
        self._mixed_case = mixed_case
        self._forwarders: dict[tuple[str, int], Forwarder] = {}
        self._chosen: tuple[Parents | CheckedParents, float, Forwarder, Health] | None = None

    @property
    def usual(self) -> IScreen | None:
        """What is kept from the clients whose questions are passed on; None: nothing is."""
        return self._resolver.usual

    def take(self, port: LatePort, origin: Any, datagram: bytes, now: float, network: bytes = b"") -> bool:
        """Have ``datagram``, which ``port`` got from ``origin``, answered by its parent, if it can go the fast path.

        It comes from a client of ``network``.
        """
        end = name_end(datagram)
        if not end:
            return False
        question = Question(datagram[HEADER.size : end].lower(), datagram[end] << 8 | datagram[end + 1])
        flight = self.flights.find(question)
        if flight is not None:
            return self._join(flight, port, origin, datagram, end)
        parents = self._resolver.forwardable(question, now)
        if parents is None:
            return False
        chosen = self._chosen
        if chosen is None or parents is not chosen[0] or now != chosen[1]:
            chosen = self._choose(parents, now)
            if chosen is None:
                return False
        _, _, forwarder, health = chosen
        shape = forwarder.shapes.find(datagram, end)
        relay = forwarder.relay
        if shape is None or (relay.socket is None and not relay.pick_socket(now)):
            return False
        flight = self.flights.reserve(question, now, forwarder, network)
        flight.late.append((port, origin, datagram, end, shape))
        relay.ask(flight, question.key, shape.type_class)
        self._resolver.misses += 1
        health.asked(now)
        return True

    def send(self) -> None:
        """A batch of datagrams ends here: send what it asks."""
        self._chosen = None
        for forwarder in self._forwarders.values():
            forwarder.relay.send()

    def change(self, explain: bool, ttl: tuple[int, int], mixed_case: bool) -> None:
        """Ask by these from now on, and other parents perhaps: what is still asked goes the full path."""
        self._explain = explain
        self.ttl = ttl
        self._mixed_case = mixed_case
        self.close()

    def close(self) -> None:
        """Close every socket; what is still asked goes the full path."""
        forwarders, self._forwarders = self._forwarders, {}
        self._chosen = None
        for forwarder in forwarders.values():
            forwarder.relay.close()

    def divert(self, flight: Flight, replied: DNSParent | None = None, early: EarlyReply | None = None) -> None:
        """Have ``flight`` answered on the full path, which goes on from what a parent ``replied`` early."""
        self._resolver.misses -= 1  # it is counted there, for each who waits
        self._resolver.divert(flight, replied, early)

    def _join(self, flight: Flight, port: LatePort, origin: Any, datagram: bytes, end: int) -> bool:
        """Have a client wait for what is passed on already; False where it is not, or cannot be passed back to it."""
        shape = flight.forwarder.shapes.find(datagram, end) if flight.forwarder is not None else None
        if shape is None or flight.is_crowded:
            return False
        flight.late.append((port, origin, datagram, end, shape))
        return True

    def _choose(
        self, parents: Parents | CheckedParents, now: float
    ) -> tuple[Parents | CheckedParents, float, Forwarder, Health] | None:
        """Who is asked what a batch asks ``parents`` at ``now``; None where that has to go the full path."""
        self._chosen = None
        first = parents.first(now)
        if first is not None and first[0].is_regular:
            parent, health = first
            forwarder = self._forwarders.get((parent.host, parent.port))
            if forwarder is None:
                error = ExtendedError(InfoCode.OTHER, f"from {parent.address}")
                shapes = Shapes((error,) if self._explain else ())
                if isinstance(parents, CheckedParents):
                    forwarder = CheckingForwarder(self, parent, shapes, health, parents.check)
                else:
                    forwarder = Forwarder(self, parent, shapes, health)
                forwarder.relay = Relay(
                    self._reactor,
                    (parent.host, parent.port),
                    forwarder,
                    wait=partial(parents.wait, health),
                    heard=health.answered,
                    mixed_case=self._mixed_case,
                )
                self._forwarders[parent.host, parent.port] = forwarder
            self._chosen = (parents, now, forwarder, health)
        return self._chosen


class Forwarder:
    """Passes questions on to ``parent`` and replies back, which are as ``shapes`` say."""

    relay: Relay[Flight]
    encode_query = staticmethod(encode_forwarded_query)

    def __init__(self, path: FastPath, parent: DNSParent, shapes: Shapes, health: Health) -> None:
        self.shapes = shapes
        self._health = health
        self._path = path
        self._flights = path.flights
        self._parent = parent
        self._address = parent.address
        self._ports: dict[LatePort, None] = {}
        self._diverted: list[tuple[Flight, bytes]] = []

    def replied(self, flight: Flight, reply: bytes) -> bool:
        """``reply`` has come from the parent, to the socket and with the id of ``flight``; False where it is none."""
        found = forwardable_addresses(reply, flight.section)
        if found is None:
            return self._divert(flight, reply)
        ttl, addresses = found
        usual = self._path.usual
        if usual is not None and usual.harms(flight.question, addresses):
            return self._divert(flight, reply)
        least, most = self._path.ttl
        ttl = min(max(ttl, least), most)
        self._pass_back(flight, ttl, addresses, encode_forwarded_reply)
        if ttl or flight.waiting:
            self._flights.learn_rdatas(flight, addresses, ttl, self._address)
        else:
            self._flights.release(flight)
        return True

    def _pass_back(self, flight: Flight, ttl: int, addresses: tuple[bytes, ...], encode: Encode) -> None:
        """Answer all who wait for ``flight`` on the fast path: these addresses for ``ttl`` seconds."""
        count, ports = len(addresses), self._ports
        records = encode_addresses(flight.section[-4:], ttl, addresses)
        for port, origin, question, end, shape in flight.late:
            ports[port] = None
            port.reply(origin, question, encode(question, end, shape, count, records))

    def _divert(self, flight: Flight, reply: bytes) -> bool:
        """What else came for ``flight`` is for the full path; False where it is no ``reply`` at all."""
        if matches(reply, flight.section):
            self._diverted.append((flight, reply))
            return True
        return False

    def forget(self, flight: Flight) -> bool:
        """Wait no more for the reply to ``flight``; False where it is here already."""
        return self.relay.forget(flight)

    def done(self) -> None:
        """All replies that had come are read: answer, and have the full path do what is left."""
        ports, self._ports = self._ports, {}
        diverted, self._diverted = self._diverted, []
        self._flights.commit(ports)
        for flight, reply in diverted:
            sent = Sent(int.from_bytes(reply[:2], "big"), flight.section)
            self._path.divert(flight, self._parent, EarlyReply(reply, sent, flight.since))

    def failed(self, flights: Iterable[Flight]) -> None:
        """Nothing of use came for ``flights``, or nothing will."""
        for flight in flights:
            self._path.divert(flight)

    def forged(self, count: int, exposed: Iterable[Flight]) -> None:
        """``count`` datagrams were no reply; ``exposed`` are asked by TCP, as after a truncated reply."""
        self._health.forged += count
        for flight in exposed:
            self._diverted.append((flight, _TRUNCATED + flight.section))


class CheckingForwarder(Forwarder):
    """Passes back what ``check`` (:meth:`~labnet.resolver.upstream.checked.CheckedParents.check`) can judge at once."""

    encode_query = staticmethod(encode_signed_query)

    def __init__(self, path: FastPath, parent: DNSParent, shapes: Shapes, health: Health, check: Check) -> None:
        super().__init__(path, parent, shapes, health)
        self._check = check

    def replied(self, flight: Flight, reply: bytes) -> bool:
        found = signed_addresses(reply, flight.section)
        if found is None:
            return self._divert(flight, reply)
        ttl, addresses, signature = found
        asked, usual = flight.question, self._path.usual
        if usual is not None and usual.harms(asked, addresses):
            return self._divert(flight, reply)
        checked = self._check(RRset(asked.key, asked.rrtype, ttl, addresses), signature)
        if checked is None:
            return self._divert(flight, reply)
        security, rrset = checked
        least, most = self._path.ttl
        rrset = rrset.lasting(min(max(rrset.ttl, least), most))
        is_secure = security is Security.SECURE
        self._pass_back(flight, rrset.ttl, addresses, encode_secure_reply if is_secure else encode_forwarded_reply)
        if rrset.ttl or flight.waiting:
            upstream = Upstream(Rcode.NOERROR, self._address, (rrset,), security=security)
            self._flights.learn(flight, upstream)
        else:
            self._flights.release(flight)
        return True
