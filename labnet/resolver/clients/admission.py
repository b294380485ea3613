"""Who gets how much of a resolver: nothing, a refusal, the records alone, or everything (sans-IO).

What is decided about a client is remembered by its address until the rules change, so that the way of a ready answer
costs one look into a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from labnet.interfaces import IScreen, IScreens
from labnet.policy.access import Access
from labnet.policy.ratelimit import TokenBuckets, network_of
from labnet.values.addresses import IPNetwork

_REMEMBERED: Final = 10_000
"""Clients that are remembered; then all are forgotten: a dictionary that is emptied needs no order."""

PATIENCE: Final = 0.2
"""Seconds after which a question in flight is slow: it gives way to the next where its network has too many."""


@dataclass(frozen=True)
class Rules:
    """The networks and limits of one resolver, as its table in the configuration has them.

    ``recursion`` is None where everybody who is allowed may recurse. ``rate`` are answers a second to one client
    network by UDP, ``burst`` seconds of it that may be used up at once, ``slip`` says which of the DNS answers past it
    are sent truncated: each n-th, 0 for none. ``in_flight`` are questions of one client network that parents are
    being asked at a time. ``screens`` has what is kept from whom; None: nothing is.
    """

    allow: Iterable[IPNetwork]
    deny: Iterable[IPNetwork] = ()
    recursion: Iterable[IPNetwork] | None = None
    exempt: Iterable[IPNetwork] = ()
    rate: float = 0
    burst: float = 1
    slip: int = 0
    in_flight: int = 100
    screens: IScreens | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """What an address may have.

    One that is ``denied`` gets nothing, one that is ``allowed`` the records, one that ``may_recurse`` every answer; the
    rate counts for one that is ``limited``. ``network`` is what its limits are counted by, ``host`` its address.
    ``screen`` says what is kept from it. What is ready is for those alone from whom the usual is kept: they
    ``gets_ready`` then.
    """

    allowed: bool
    denied: bool
    may_recurse: bool
    limited: bool
    network: bytes
    host: str
    screen: IScreen | None
    gets_ready: bool

    @property
    def unlimited(self) -> bool:
        """Whether every answer that is ready may go to it, uncounted."""
        return self.gets_ready and not self.limited


class Over(Enum):
    """What becomes of an answer past the rate."""

    DROPPED = auto()
    TRUNCATED = auto()


class Admission:
    """Applies ``rules``, and :meth:`change` others; counts what is in flight."""

    def __init__(self, rules: Rules) -> None:
        self.generation = 0
        """Goes up with each change: who remembers a :class:`Client` of an earlier one forgets it."""
        self._in_flight: dict[bytes, dict[Ticket, None]] = {}
        self._over = 0
        self._clients: dict[str, Client] = {}
        self._buckets = TokenBuckets(rules.rate, rules.burst)
        self._rules = rules
        self._take_in(rules)

    def change(self, rules: Rules) -> None:
        """From now on ``rules`` count; what was used up of a rate that stays the same stays used up."""
        if (rules.rate, rules.burst) != (self._rules.rate, self._rules.burst):
            self._buckets = TokenBuckets(rules.rate, rules.burst)
        self._take_in(rules)

    def _take_in(self, rules: Rules) -> None:
        self._rules = rules
        self._access = Access(rules.allow, rules.deny)
        self._recursion = self._access if rules.recursion is None else Access(rules.recursion)
        self._exempt = Access(rules.exempt)
        self._clients.clear()
        self.generation += 1

    def client(self, host: str) -> Client:
        """What the client at ``host``, an address in text, may have."""
        client = self._clients.get(host)
        if client is None:
            if len(self._clients) >= _REMEMBERED:
                self._clients.clear()
            allowed = self._access.allows(host)
            may_recurse = allowed and self._recursion.allows(host)
            screens = self._rules.screens
            screen = None if screens is None else screens.of(host)
            client = self._clients[host] = Client(
                allowed,
                self._access.denies(host),
                may_recurse,
                bool(self._rules.rate) and not self._exempt.allows(host),
                network_of(host),
                host,
                screen,
                may_recurse and (screens is None or screen is screens.usual),
            )
        return client

    def takes(self, client: Client, now: float, answers: int = 1) -> bool:
        """Whether ``answers`` more by UDP are within the client's rate at ``now`` (epoch seconds); they are counted."""
        return not client.limited or self._buckets.take(client.network, now, answers)

    def over(self) -> Over:
        """What becomes of a DNS answer that is past the rate: each n-th is sent truncated (RRL's slip).

        Who is really at its address comes back by TCP; who is not gets less than was sent in its name.
        """
        self._over += 1
        slip = self._rules.slip
        return Over.TRUNCATED if slip and self._over % slip == 0 else Over.DROPPED

    @property
    def in_flight(self) -> int:
        """Questions that parents are being asked for clients, those who joined another's included."""
        return sum(map(len, self._in_flight.values()))

    def admit(self, client: Client, now: float) -> Ticket | None:
        """Count one more question of ``client`` in flight at ``now`` (epoch seconds).

        Where its network has as many as it may have, a slow one gives way: the oldest of the address that has most, so
        that one client does not end recursion for all behind one switch. None where none is slow.
        """
        tickets = self._in_flight.get(client.network)
        if tickets is None:
            tickets = self._in_flight[client.network] = {}
        elif len(tickets) >= self._rules.in_flight:
            slow = self._slow_one(tickets, now)
            if slow is None:
                return None
            slow.give_way()
            tickets = self._in_flight.setdefault(client.network, {})
        ticket = Ticket(self._in_flight, client, now)
        tickets[ticket] = None
        return ticket

    def _slow_one(self, tickets: dict[Ticket, None], now: float) -> Ticket | None:
        """The oldest of ``tickets`` that is slow, among those of the address that has most of them."""
        before = now - PATIENCE
        if next(iter(tickets)).since >= before:
            return None
        counts = Counter([ticket.host for ticket in tickets])
        most = max(counts.values())
        return next((ticket for ticket in tickets if ticket.since < before and counts[ticket.host] == most), None)


class GivesWay(Protocol):
    """Where questions come from whose tickets give way."""

    def gave_way(self, ticket: Ticket) -> None:
        """The question of ``ticket`` gave way to another one: who asked it is told."""


class Ticket:
    """One question of a client in flight since the epoch second ``since``.

    Whoever is done with it gives it back; only the first time counts. ``gave_way`` is called where it has to give way
    to another question, and is not to be answered later; or its ``port`` is told, where a callable for each question
    would cost too much.
    """

    __slots__ = ("_in_flight", "_network", "gave_way", "host", "port", "since")

    def __init__(self, in_flight: dict[bytes, dict[Ticket, None]], client: Client, since: float) -> None:
        self._in_flight = in_flight
        self._network: bytes | None = client.network
        self.host = client.host
        self.since = since
        self.gave_way: Callable[[], None] | None = None
        self.port: GivesWay | None = None

    def give_back(self) -> bool:
        """The question is answered, or will never be; False where it was given back before."""
        network, self._network = self._network, None
        if network is None:
            return False
        tickets = self._in_flight[network]
        del tickets[self]
        if not tickets:
            del self._in_flight[network]
        return True

    def give_way(self) -> None:
        """Another question takes its place."""
        if not self.give_back():
            return
        if self.gave_way is not None:
            self.gave_way()
        elif self.port is not None:
            self.port.gave_way(self)
