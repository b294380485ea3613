"""A change of one resolver that is ready, to be made or dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zope.interface import implementer

from labnet.interfaces import IChange
from labnet.resolver.cache.lock import LogLock
from labnet.resolver.serve.ports import AnyListener


@implementer(IChange)
class ResolverChange:
    """What ``take`` does; the listeners ``opened`` for it are open, and its logs are claimed by ``claim``."""

    def __init__(self, take: Callable[[], object], opened: Sequence[AnyListener], claim: LogLock | None) -> None:
        self._take = take
        self._opened = opened
        self._claim = claim

    def commit(self) -> None:
        self._take()
        self._end_claim()

    def cancel(self) -> None:
        for listener in self._opened:
            listener.close()
        self._end_claim()

    def _end_claim(self) -> None:
        """The service has the lock by itself now, or does not need it."""
        if self._claim is not None:
            self._claim.release()
