"""An order for a fault: which, where, to what, when, and until when."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NamedTuple

LONGEST: Final = 86_400.0
"""Seconds after which any order ends; ten minutes where it says nothing."""

USUAL_SECONDS: Final = 600.0
MOST_ORDERS: Final = 50
MOST_DELAY: Final = 60_000
"""Milliseconds that anything is held back, at most."""


class FaultKind(NamedTuple):
    """A fault: ``sentence`` says what is done; ``sides`` where it can be ordered; ``amount`` what its number is."""

    sentence: str
    sides: frozenset[str]
    amount: str = ""
    usual: int = 0


_UDP: Final = frozenset({"client", "parent"})
_PARENT: Final = frozenset({"parent"})
_SESSION: Final = frozenset({"session"})

KINDS: Final = {
    "drop": FaultKind("The datagram is lost on the way.", _UDP),
    "delay": FaultKind("The datagram comes late.", _UDP, "milliseconds", 1000),
    "duplicate": FaultKind("The datagram comes twice.", _UDP),
    "reorder": FaultKind("The datagram comes behind the next one.", _UDP),
    "truncate": FaultKind("The datagram ends in its middle.", _UDP),
    "corrupt": FaultKind("One bit of the datagram is flipped.", _UDP),
    "wrong-id": FaultKind("A DNS message has another id.", _UDP),
    "wrong-name": FaultKind("The message is about another name.", _UDP),
    "wrong-port": FaultKind("The reply comes from another port than was asked.", _UDP),
    "spoof": FaultKind("A forged reply comes before the real one.", _UDP),
    "garbage": FaultKind("The datagram has other bytes, drawn at random.", _UDP),
    "empty": FaultKind("The datagram has no byte.", _UDP),
    "stale-ttl": FaultKind("What the reply says is over: its TTL is 0.", _UDP),
    "referral-loop": FaultKind("The parent refers to itself.", _PARENT),
    "down": FaultKind("Nothing listens at the parent: its port is unreachable.", _PARENT),
    "silent": FaultKind("The parent gets no question, so it never answers.", _PARENT),
    "split": FaultKind("Each reply comes in segments of one byte.", _SESSION, "milliseconds", 50),
    "coalesce": FaultKind("Replies are held back and come together.", _SESSION, "milliseconds", 500),
    "half-close": FaultKind("The server sends no more after its first reply, and reads on.", _SESSION),
    "reset": FaultKind("The connection is reset at the first command.", _SESSION),
    "silence": FaultKind("Commands get no reply.", _SESSION),
    "slow-reader": FaultKind("The server reads a segment, then nothing for a while.", _SESSION, "milliseconds", 500),
}

IN_ONLY: Final = frozenset({"referral-loop"})
OUT_ONLY: Final = frozenset({"down", "silent"})


class OrderError(Exception):
    """The order cannot be carried out; each problem is a sentence."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True, slots=True)
class Order:
    """``where`` is a resolver's name, or "command"; ``side`` client, parent (both UDP) or session (TCP with clients).

    ``direction`` is "in" for what comes to the lab and "out" for what leaves it. ``client`` is a network, ``name`` a
    name or, with a dot before it, all below it; an empty one is any. Of what fits, the ``nth``, each ``every``-th, or
    the ``share`` (0 to 1, drawn by ``seed``) is hit; ``amount`` is the kind's number. ``until`` is in epoch seconds.
    """

    kind: str
    where: str
    side: str
    direction: str
    until: float
    client: str = ""
    name: str = ""
    nth: int = 0
    every: int = 0
    share: float = 1.0
    seed: int = 0
    amount: int = 0
    by: str = ""

    @property
    def when(self) -> str:
        """Which of them are hit, in words."""
        if self.nth:
            return f"number {self.nth}"
        if self.every > 1:
            return f"one in {self.every}"
        return "every one" if self.share >= 1 else f"a share of {self.share:g}, seed {self.seed}"

    @property
    def sentence(self) -> str:
        """The order in a line."""
        side = "TCP" if self.side == "session" else f"{self.side} side"
        place = "the command server" if self.where == "command" else f"resolver {self.where}, {side}"
        way = {"in": "what comes in", "out": "what goes out"}[self.direction]
        to = f" for clients in {self.client}" if self.client else ""
        about = f" about {self.name}" if self.name else ""
        amount = f" {self.amount} ms" if KINDS[self.kind].amount else ""
        return f"{self.kind}{amount} at {place}: {self.when} of {way}{to}{about}"


class Hits:
    """Says of each datagram that fits an order whether it is hit; counts."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.fitting = 0
        self.hit = 0
        self._random = Random(order.seed)
        self._network = ipaddress.ip_network(order.client) if order.client else None

    def strikes(self, client: str, name: str) -> bool:
        """Whether the next one, of ``client`` (an address; empty where there is none) about ``name``, is hit."""
        if not self._fits(client, name):
            return False
        self.fitting += 1
        order = self.order
        if order.nth:
            is_hit = self.fitting == order.nth
        elif order.every > 1:
            is_hit = self.fitting % order.every == 0
        else:
            is_hit = order.share >= 1 or self._random.random() < order.share
        self.hit += is_hit
        return is_hit

    @property
    def is_done(self) -> bool:
        """Whether nothing further can be hit."""
        return bool(self.order.nth) and self.fitting >= self.order.nth

    def _fits(self, client: str, name: str) -> bool:
        wanted = self.order.name.lower().rstrip(".")
        asked = name.lower().rstrip(".")
        if wanted.startswith("."):
            if not (asked.endswith(wanted) or asked == wanted[1:]):
                return False
        elif wanted and asked != wanted:
            return False
        if self._network is None:
            return True
        try:
            return bool(client) and ipaddress.ip_address(client.partition("%")[0]) in self._network
        except ValueError:
            return False


def order_of(given: dict[str, Any], resolvers: list[str], now: float) -> Order:
    """The order in ``given``, as the API, the command line and the configuration have it; ``now`` in epoch seconds.

    ``resolvers`` are the lab's. Raises :class:`OrderError` with everything that is wrong.
    """
    known = {"kind", "where", "side", "direction", "client", "name", "nth", "every", "share", "seed", "amount"}
    known |= {"seconds", "by"}
    problems = [f"{key!r} is no part of an order: {', '.join(sorted(known))}" for key in given if key not in known]
    kind = str(given.get("kind", ""))
    if kind not in KINDS:
        raise OrderError([*problems, f"{kind!r} is no fault: {', '.join(KINDS)}"])
    sides = KINDS[kind].sides
    side = str(given.get("side") or next(iter(sorted(sides))))
    if side not in sides:
        problems.append(f"{kind} is for the {' or '.join(sorted(sides))} side, not {side!r}")
    where = str(given.get("where") or ("command" if side == "session" else resolvers[0] if resolvers else ""))
    if where not in resolvers and (side, where) != ("session", "command"):
        problems.append(f"there is no resolver {where!r}: {', '.join(resolvers) or 'none'}")
    usual = "out" if kind in OUT_ONLY or side == "client" else "in"
    direction = str(given.get("direction") or usual)
    if direction not in ("in", "out"):
        problems.append(f"direction is in or out, not {direction!r}")
    elif direction != usual and kind in IN_ONLY | OUT_ONLY:
        problems.append(f"{kind} is for what goes {usual} alone")
    client = str(given.get("client") or "")
    if client:
        try:
            client = str(ipaddress.ip_network(client, strict=False))
        except ValueError:
            problems.append(f"client {client!r} is no network")
    numbers = _numbers(given, kind, problems)
    seconds = numbers.pop("seconds")
    if problems:
        raise OrderError(problems)
    until = now + seconds
    return Order(
        kind, where, side, direction, until, client, str(given.get("name") or ""), by=str(given.get("by") or ""),
        **numbers,
    )  # fmt: skip


def _numbers(given: dict[str, Any], kind: str, problems: list[str]) -> dict[str, Any]:
    """The numbers of an order, within their bounds; what is wrong with them goes into ``problems``."""
    bounds: dict[str, tuple[float, float, float]] = {
        "nth": (0, 1e9, 0),
        "every": (0, 1e9, 0),
        "share": (0.0, 1.0, 1.0),
        "seed": (0, 2**31, 0),
        "amount": (0, MOST_DELAY, KINDS[kind].usual),
        "seconds": (1.0, LONGEST, USUAL_SECONDS),
    }
    found: dict[str, Any] = {}
    for key, (least, most, usual) in bounds.items():
        value = given.get(key)
        try:
            number = float(usual if value in (None, "") else value)
        except (TypeError, ValueError):
            problems.append(f"{key} {value!r} is no number")
            continue
        if not least <= number <= most:
            problems.append(f"{key} is {least:g} to {most:g}, not {value!r}")
            number = usual
        is_whole = key not in ("share", "seconds")
        if is_whole and number != int(number):
            problems.append(f"{key} is a whole number, not {value!r}")
        found[key] = int(number) if is_whole else number
    if sum(bool(given.get(key)) for key in ("nth", "every", "share")) > 1:
        problems.append("nth, every and share exclude each other")
    return found
