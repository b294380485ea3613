"""One piece of work that several wait for: it is done once, and given up when nobody waits any more."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

K = TypeVar("K")
T = TypeVar("T")


class Joint(Generic[K, T]):
    """Pieces of work by their keys."""

    def __init__(self) -> None:
        self._waiting: dict[K, list[Deferred[T]]] = {}
        self._working: dict[K, Deferred[None]] = {}

    def do(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """Fires with what ``work`` gives, which is begun where nothing is done for ``key`` yet; it fails as that does.

        Who waits may cancel; the work is cancelled with the last one.
        """
        is_new = key not in self._waiting
        waiter: Deferred[T] = Deferred(lambda left: self._left(key, left))
        self._waiting.setdefault(key, []).append(waiter)
        if is_new:
            working = Deferred.fromCoroutine(self._run(key, work))
            if key in self._waiting:
                self._working[key] = working
        return waiter

    async def _run(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        result: T | Failure
        try:
            result = await work()
        except Exception:
            result = Failure()
        self._working.pop(key, None)
        for waiter in self._waiting.pop(key):
            if waiter.called:
                continue  # cancelled by what an earlier one set off
            if isinstance(result, Failure):
                waiter.errback(Failure(result.value))
            else:
                waiter.callback(result)

    def _left(self, key: K, waiter: Deferred[T]) -> None:
        waiting = self._waiting.get(key, [])
        if waiter in waiting:
            waiting.remove(waiter)
            if not waiting and key in self._working:
                self._working[key].cancel()
