"""A walk in progress: what it may cost, who waits for it, and how the servers of a zone failed it."""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from labnet.resolver.recursive.bailiwick import Found
from labnet.resolver.recursive.delegation import Delegation
from labnet.resolver.upstream.errors import ParentFailed
from labnet.wire.names import text_of
from labnet.wire.types import Question, Upstream


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a walk goes for one question of a client, all that it leads to included.

    ``packets`` sent to servers, ``referrals`` followed, ``cnames`` in a chain (as unbound), ``depth`` of walks for the
    addresses of name servers, ``glueless`` name servers resolved for one zone (against NXNSAttack), ``seconds`` after
    which no further server is asked. ``zones`` and ``addresses`` bound what is remembered, in entries.
    """

    packets: int = 32
    referrals: int = 30
    cnames: int = 11
    depth: int = 4
    glueless: int = 3
    seconds: float = 30.0
    zones: int = 20_000
    addresses: int = 20_000


@dataclass(slots=True)
class Spent:
    """What one question of a client has cost so far, the walks that it started included.

    After the epoch second ``until`` no further server is asked.
    """

    until: float
    packets: int = 0
    referrals: int = 0


class RunningWalk:
    """One question on its way, and who waits for it.

    A walk waits for at most one other, so whether a new wait would close a circle is seen by following ``waits_for``.
    Once the other has ended the link stays, and does no harm: a walk that has ended asks nobody.
    """

    def __init__(self, question: Question, spent: Spent, depth: int) -> None:
        self.question = question
        self.spent = spent
        self.depth = depth
        self.server = "root"
        self.waits_for: RunningWalk | None = None
        self.running: Deferred[None] | None = None
        self._waiters: list[Deferred[Upstream]] = []

    def waits_on(self, other: RunningWalk) -> bool:
        """Whether it is ``other``, or waits for it over however many."""
        walk: RunningWalk | None = self
        while walk is not None and walk is not other:
            walk = walk.waits_for
        return walk is other

    def wait(self) -> Deferred[Upstream]:
        """Fires with the answer. When all who wait have cancelled, the walk ends."""
        waiter: Deferred[Upstream] = Deferred(self._left)
        self._waiters.append(waiter)
        return waiter

    def settle(self, result: Upstream | Failure) -> None:
        """Pass ``result`` on to all who wait."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.called:
                continue  # cancelled by what an earlier one set off
            if isinstance(result, Failure):
                waiter.errback(Failure(result.value) if len(waiters) > 1 else result)
            else:
                waiter.callback(result)

    def _left(self, waiter: Deferred[Upstream]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
            if not self._waiters and self.running is not None:
                self.running.cancel()


@dataclass(slots=True)
class Attempt:
    """One question to the servers of one zone: which were asked, and how they failed.

    ``answered`` is the server that did (names by address), ``glueless`` counts the servers whose address was looked
    for. ``last_resort`` is what counts if no server answers better, ``resolvers`` are servers (names by address) that
    may find out more if they are asked for recursion.
    """

    walk: RunningWalk
    delegation: Delegation
    question: Question
    asked: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    is_lame: bool = False
    answered: dict[str, bytes] = field(default_factory=dict)
    glueless: int = 0
    last_resort: Found | None = None
    resolvers: dict[str, bytes] = field(default_factory=dict)

    @property
    def zone(self) -> bytes:
        return self.delegation.zone


class GaveUp(ParentFailed):
    """The question has cost what it may cost."""


class NoServer(ParentFailed):
    """No server of a zone said anything of use; ``lame`` says that one at least is there."""

    def __init__(self, attempt: Attempt) -> None:
        failures = attempt.failures or ["none has an address that can be asked"]
        shown = "; ".join(failures[:3]) + (f"; and {len(failures) - 3} more" if len(failures) > 3 else "")
        super().__init__(f"no server of {text_of(attempt.zone)} answered {attempt.question}: {shown}")
        self.lame = attempt.is_lame
