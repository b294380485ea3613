"""The decisions of one resolver: zone, cache, a join with the same question in flight, the parents in turn."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import ILearned, IParent, IResolver
from labnet.resolver.cache import Cache
from labnet.resolver.model import Mapping, fold
from labnet.resolver.parent import ParentFailed
from labnet.resolver.text import Told
from labnet.resolver.zone import Zone


@implementer(IResolver)
class Resolver:
    """Answers from ``zone`` and ``cache``; what neither knows is asked of ``parents`` in turn and learned.

    ``default_ttl`` (seconds) is for a parent that tells none. At most ``most_in_flight`` names are asked for at a time;
    beyond that a name counts as unknown, so that a flood of names costs no socket more.
    """

    log = Logger()

    def __init__(
        self,
        zone: Zone,
        cache: Cache,
        parents: Sequence[IParent],
        learned: ILearned | None,
        clock: IReactorTime,
        default_ttl: int = 60,
        most_in_flight: int = 500,
    ) -> None:
        self._zone = zone
        self._cache = cache
        self._parents = parents
        self._learned = learned
        self._clock = clock
        self._default_ttl = default_ttl
        self._most_in_flight = most_in_flight
        self._waiting: dict[str, list[Deferred[Mapping | None]]] = {}
        self._walks: dict[str, Deferred[Mapping | None]] = {}

    def known(self, name: str) -> Mapping | None:
        key = fold(name)
        return self._zone.find(key) or self._cache.find(key, self._clock.seconds())

    def ask(self, name: str) -> Deferred[Mapping | None]:
        key = fold(name)
        if not self._parents or (key not in self._waiting and len(self._waiting) >= self._most_in_flight):
            return succeed(None)
        asked: Deferred[Mapping | None] = Deferred()
        waiting = self._waiting.setdefault(key, [])
        waiting.append(asked)
        if len(waiting) == 1:
            self._walks[key] = walk = Deferred.fromCoroutine(self._ask_parents(name))
            walk.addErrback(self._unexpected, name).addCallback(self._answer, key)
        return asked

    def stop(self) -> None:
        """Give up every question in flight; who waits for one is told that the name is unknown."""
        for walk in list(self._walks.values()):
            walk.cancel()

    async def _ask_parents(self, name: str) -> Mapping | None:
        for parent in self._parents:
            try:
                told = await parent.ask(name)
            except ParentFailed as error:
                self.log.info("{name} is not resolved: {why}", name=name, why=str(error))
                continue
            if told is not None:
                return self._learn(name, told)
        return None

    def _learn(self, name: str, told: Told) -> Mapping:
        ttl = self._default_ttl if told.ttl is None else told.ttl
        mapping = Mapping(told.name or name, told.address, ttl, learned=True, since=self._clock.seconds())
        self._cache.learn(mapping)
        if self._learned is not None:
            self._learned.append(mapping)
        return mapping

    def _unexpected(self, failure: Failure, name: str) -> None:
        if failure.check(CancelledError) is None:
            self.log.failure("resolving {name} failed", failure, name=name)

    def _answer(self, mapping: Mapping | None, key: str) -> None:
        self._walks.pop(key, None)
        for asked in self._waiting.pop(key):
            asked.callback(mapping)
