"""What is known of each server that is asked: its round-trip time, its failures, and the zones it does not serve.

The round-trip time is smoothed as TCP smooths it (RFC 6298, section 2). Each time-out in a row doubles the time that a
server is waited for, and after three of them it is *down*: it is probed only now and then, until it answers again. The
numbers are those of unbound's infrastructure cache.

All times are in seconds; callers give the time, and nothing here reads a clock.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import Final, Generic, TypeVar

UNKNOWN: Final = 0.376
"""Taken for the time-out of a server that has not answered yet."""

BAND: Final = 0.4
"""Servers whose times differ by no more count as equally fast."""

LEAST_WAIT: Final = 0.4
"""No server has less time to answer: one that has to ask others first takes longer than its round trip."""

MEMORY: Final = 900.0
"""What is known of a server is forgotten after so long without a question to it."""

MOST_TRIPS: Final = 60
"""Round trips of a server that are remembered one by one."""

TIMEOUTS_TO_DOWN: Final = 3
FIRST_BACKOFF: Final = 1.0
LONGEST_BACKOFF: Final = 60.0

_GRANULARITY: Final = 0.001
_MOST_DOUBLINGS: Final = 7

Address = tuple[str, int]
"""An IP address as text, and a port."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class Health:
    """How one server behaves. A ``ranked`` parent takes its place by its time, any other keeps the configured one.

    ``srtt`` is the smoothed round-trip time, None before the first answer, and ``variance`` its mean deviation;
    ``failures`` counts the time-outs in a row. ``questions``, ``failed`` and ``forged``
    (datagrams from its address that were no reply) count from the start.
    """

    ranked: bool = True
    srtt: float | None = None
    variance: float = 0.0
    failures: int = 0
    backoff: float = FIRST_BACKOFF
    down_until: float = 0.0
    last_asked: float = float("-inf")
    last_failure: float = float("-inf")
    questions: int = 0
    failed: int = 0
    forged: int = 0
    trips: deque[float] | None = None
    """The last round trips, where they are to be remembered one by one."""

    @property
    def is_down(self) -> bool:
        """Whether it was silent so often that it is only probed now and then."""
        return self.failures >= TIMEOUTS_TO_DOWN

    def is_usable(self, now: float) -> bool:
        """Whether it is up, or due to be probed, as it is too where the clock was set back."""
        return not self.is_down or not now < self.down_until <= now + self.backoff

    @property
    def cost(self) -> float:
        """The mean time that a question to it takes; with each time-out in a row it more than doubles."""
        base = UNKNOWN if self.srtt is None else self.srtt
        return float((base + BAND) * 2 ** min(self.failures, _MOST_DOUBLINGS) - BAND)

    def timeout(self, now: float) -> float:
        """The retransmission time-out (RFC 6298, section 2), twice as long with every time-out in a row.

        It is not multiplied where the server is down, as a client waits for the probe, nor after
        :data:`LONGEST_BACKOFF` without a question, or it would never be seen that the server answers again.
        """
        if now - self.last_asked > MEMORY:
            return UNKNOWN
        measured = UNKNOWN if self.srtt is None else self.srtt + max(_GRANULARITY, 4 * self.variance)
        if self.is_down or now - self.last_asked > LONGEST_BACKOFF:
            return measured
        return float(measured * 2**self.failures)

    def wait(self, now: float, most: float) -> float:
        """How long it is waited for while another server could be asked: :data:`LEAST_WAIT` to ``most``."""
        return min(most, max(LEAST_WAIT, self.timeout(now)))

    def asked(self, now: float) -> None:
        """It is being asked; where it is down this is the probe, and the next one is due after twice the time."""
        if now - self.last_asked > MEMORY:
            self.srtt = None
            if not self.is_down:
                self.failures = 0
        self.questions += 1
        self.last_asked = now
        if self.is_down and self.is_usable(now):
            self.backoff = min(LONGEST_BACKOFF, 2 * self.backoff)
            self.down_until = now + self.backoff

    def answered(self, took: float) -> None:
        """It answered, be it an error; ``took`` covers lost tries too, as they are part of what asking it costs."""
        if self.trips is not None:
            self.trips.append(took)
        if self.srtt is None:
            self.srtt, self.variance = took, took / 2
        else:
            self.variance += (abs(self.srtt - took) - self.variance) / 4
            self.srtt += (took - self.srtt) / 8
        self.failures = 0
        self.backoff = FIRST_BACKOFF

    def stayed_silent(self, since: float, now: float) -> bool:
        """A question asked at ``since`` got no answer. Those that were in flight together count once.

        True where it is down from now on.
        """
        self.failed += 1
        if since < self.last_failure <= now:
            return False
        self.last_failure = now
        self.failures += 1
        if self.failures != TIMEOUTS_TO_DOWN:
            return False
        self.down_until = now + self.backoff
        return True


class Memory(Generic[K, V]):
    """Values with an end of life, at most ``most`` of them; past that the one used longest ago is forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def find(self, key: K, now: float) -> V | None:
        """The value under ``key``, or None; one past its end is forgotten."""
        found = self._values.get(key)
        if found is None:
            return None
        expires, value = found
        if expires <= now:
            del self._values[key]
            return None
        self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V, expires: float) -> None:
        """Remember ``value`` until ``expires``, in place of an earlier one."""
        self._values[key] = (expires, value)
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def forget(self, key: K) -> None:
        self._values.pop(key, None)


class Quirk(Enum):
    """What a server was found to do against the protocol."""

    NO_EDNS = auto()
    """It answers queries with EDNS with an error (RFC 6891, section 7)."""
    CHANGES_CASE = auto()
    """It does not repeat the letters of the name as they were sent, and does not answer by TCP."""


class InfraCache:
    """The servers that were asked in the last :data:`MEMORY` seconds, at most ``most`` of them."""

    def __init__(self, most: int) -> None:
        self._servers: Memory[Address, Health] = Memory(most)
        self._lame: Memory[tuple[bytes, Address], bool] = Memory(most)
        self._quirks: Memory[tuple[Quirk, Address], bool] = Memory(most)

    def note(self, quirk: Quirk, server: Address, now: float) -> None:
        """Remember ``quirk`` of ``server`` for :data:`MEMORY` seconds, then it is tried again without."""
        self._quirks.put((quirk, server), True, now + MEMORY)

    def has(self, quirk: Quirk, server: Address, now: float) -> bool:
        """Whether ``server`` is known for ``quirk``."""
        return self._quirks.find((quirk, server), now) is not None

    def asked(self, server: Address, now: float) -> Health:
        """``server`` is being asked; what comes of it is for the health returned."""
        health = self._servers.find(server, now) or Health()
        self._servers.put(server, health, now + MEMORY)
        health.asked(now)
        return health

    def was_lame(self, server: Address, zone: bytes, now: float) -> None:
        """``server`` answered, but not as a server of ``zone``."""
        self._lame.put((zone, server), True, now + MEMORY)

    def in_order(self, servers: Iterable[Address], zone: bytes, random: Random, now: float) -> list[Address]:
        """``servers`` without repetition, in the order in which to ask them about ``zone``.

        Those within :data:`BAND` of the fastest come first, in a random order: a forger cannot know which one is asked,
        and the load is shared. Among them IPv4 comes before IPv6, which not every network has. Slower ones follow by
        their cost, and those that are lame for ``zone`` come last. One that is down is left out until its probe is due;
        where all are down it is the one whose probe is due first.
        """
        healths = {server: self._servers.find(server, now) or _NEW for server in servers}
        usable = [server for server, health in healths.items() if health.is_usable(now)]
        if healths and not usable:
            usable = [min(healths, key=lambda server: healths[server].down_until)]
        fast = min((healths[server].cost for server in usable), default=0.0) + BAND
        shuffled = sorted(usable)
        random.shuffle(shuffled)

        def rank(server: Address) -> tuple[bool, float, bool]:
            return (
                self._lame.find((zone, server), now) is not None,
                max(healths[server].cost, fast),
                ":" in server[0],
            )

        return sorted(shuffled, key=rank)


_NEW: Final = Health()
