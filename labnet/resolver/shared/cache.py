"""The decisions of a lab that shares what it learns: what it takes from others, whom it waits for, when it goes alone.

The server of the shared cache may delay an answer by ``timeout`` seconds in all. One that takes more than half of them
for the first look gets no second one, and no question waits for another lab then: that is the half in which it is
noticed that the server has died meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from random import Random
from typing import Final

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IMeasured, IParent
from labnet.metrics import Histogram, Sample
from labnet.resolver.cache.policy import Bounds, entry_of
from labnet.resolver.shared.interfaces import ISharedStore
from labnet.resolver.shared.values import Flush, Looked, ParentGroup, Shared, StoreGone, decode_value, encode_value
from labnet.resolver.upstream.errors import ParentFailed
from labnet.wire.names import ROOT, ancestors, is_opaque
from labnet.wire.types import Question, Upstream

LOOK_AGAIN: Final = 0.25
"""Seconds after which a question that waits for another lab looks itself: that lab may be gone, or its word lost."""

MOST_FLUSHES: Final = 1000
"""Flushes that are remembered."""

MOST_PASSES: Final = 5
"""Flushes of other labs a second that are each done at once; further ones are done together at the end of the second.

Each looks at every answer that is cached: a lab that flushes a thousand names must not stop the others.
"""

_BEAT: Final = 0.1
"""While a question waits: the share of ``timeout`` between the answer to a ping and the next ping."""

_HIT, _WAITED, _ASKED, _ALONE = "hit", "waited", "asked", "alone"


@implementer(IMeasured)
class SharedCache:
    """This lab's part in a fleet that shares ``store``.

    ``timeout`` is what the server may delay an answer, ``lock`` for how long one lab may keep the others waiting, both
    in seconds. ``invalidated`` is called with what other labs say is to be forgotten.
    """

    log = Logger()

    def __init__(self, store: ISharedStore, clock: IReactorTime, random: Random, timeout: float, lock: float) -> None:
        self.store = store
        self.clock = clock
        self.timeout = timeout
        self.lock = lock
        self.invalidated: Callable[[Collection[Flush]], object] = lambda flushes: None
        self.counts = dict.fromkeys((_HIT, _WAITED, _ASKED, _ALONE), 0)
        self.ignored = 0
        self._seconds = Histogram()
        self._random = random
        self._waits: dict[bytes, set[_Wait]] = {}
        self._ears: dict[bytes, list[list[bytes]]] = {}
        self._beat: IDelayedCall | None = None
        self._flushed: dict[Flush, float] = {}
        self._all_flushed = -math.inf
        """What is older counts as flushed: of more flushes than are remembered the oldest was then."""
        self._incoming: dict[Flush, None] = {}
        self._passes = 0
        self._second = -math.inf
        self._pass: IDelayedCall | None = None
        self._owed: dict[Flush, None] = {}

    def parent(self, group: ParentGroup, parent: IParent, bounds: Bounds, patience: float) -> IParent:
        """``parent`` as the labs of ``group`` share it; it waits for another lab for at most ``patience`` seconds."""
        return SharedParent(self, group, parent, bounds, patience)

    def token(self) -> bytes:
        """A random name for a lock that no other lab uses."""
        return self._random.randbytes(16).hex().encode()

    def look(self, key: bytes, token: bytes, insist: bool, within: float) -> Deferred[Looked]:
        """What the server says of ``key``; nothing at all where it does not say it within ``within`` seconds."""
        if not self.store.is_up or within <= 0:
            return succeed(Looked())
        began = self.clock.seconds()

        def looked(result: Looked | Failure) -> Looked:
            self._seconds.observe(max(0.0, self.clock.seconds() - began))
            if isinstance(result, Failure):
                result.trap(StoreGone)
                return Looked()
            return result

        return self.store.look(key, token, self.lock, insist, within).addBoth(looked)

    def tell(self, key: bytes, token: bytes, value: bytes, left: float) -> None:
        """Store ``value`` and send it to all labs that wait; an empty one gives up the lock under ``token``."""
        self.store.tell(key, token, value, left).addErrback(_let_go)

    def flush(self, flush: Flush) -> Deferred[int]:
        """Have the server and all other labs forget; how many values the server had.

        Where the server is not there, that is done when it is back.
        """
        self._note(flush)
        if not self.store.is_up:
            self._owe(flush)
            return succeed(0)

        def failed(failure: Failure) -> int:
            failure.trap(StoreGone)
            self._owe(flush)
            return 0

        return self.store.flush(flush).addErrback(failed)

    def _owe(self, flush: Flush) -> None:
        self._owed[flush] = None
        if len(self._owed) > MOST_FLUSHES:
            del self._owed[next(iter(self._owed))]

    def _note(self, flush: Flush) -> None:
        self._flushed.pop(flush, None)
        self._flushed[flush] = self.clock.seconds()
        if len(self._flushed) > MOST_FLUSHES:
            self._all_flushed = self._flushed.pop(next(iter(self._flushed)))

    def is_flushed(self, resolver: str, question: Question, upstream: Upstream) -> bool:
        """Whether ``upstream`` is from before a flush that it falls under, by any name in it.

        The server may still have it: another lab stored it meanwhile, or a CNAME leads to the name that was flushed.
        """
        if not self._flushed or upstream.since is None:
            return False
        if upstream.since <= self._all_flushed:
            return True
        flushes = [Flush(None, resolver), Flush(ROOT, None)]
        for name in {question.key, *(rrset.key for rrset in upstream.rrsets)}:
            flushes += [Flush(each, None) for each in ((name,) if is_opaque(name) else ancestors(name))]
        return any(upstream.since <= self._flushed.get(flush, -math.inf) for flush in flushes)

    def samples(self) -> Iterator[Sample]:
        yield Sample("labnet_shared_up", (), int(self.store.is_up))
        yield Sample("labnet_shared_waiting", (), sum(map(len, self._waits.values())))
        for result, count in self.counts.items():
            yield Sample("labnet_shared_requests_total", (result,), count)
        yield Sample("labnet_shared_ignored_total", (), self.ignored)
        yield self._seconds.sample("labnet_shared_seconds")

    # What comes from the store.

    def on_message(self, key: bytes, value: bytes) -> None:
        """The lab that asked the parents for ``key`` got ``value``, or is done without one where it is empty."""
        for ear in self._ears.get(key, ()):
            ear.append(value)
        for wait in list(self._waits.get(key, ())):
            wait.settle(Looked(value or None, math.inf))

    def flushed(self, flush: Flush) -> None:
        """Another lab says what is to be forgotten."""
        self._note(flush)
        self._incoming[flush] = None
        if len(self._incoming) > MOST_FLUSHES:
            self._incoming = {Flush(ROOT, None): None}
        now = self.clock.seconds()
        if now - self._second >= 1:
            self._second, self._passes = now, 0
        self._passes += 1
        if self._passes <= MOST_PASSES:
            self._invalidate()
        elif self._pass is None:
            self._pass = self.clock.callLater(self._second + 1 - now, self._invalidate)

    def _invalidate(self) -> None:
        timer, self._pass = self._pass, None
        if timer is not None and timer.active():
            timer.cancel()
        flushes, self._incoming = self._incoming, {}
        self.invalidated(flushes)

    def gone(self) -> None:
        """The server is gone: no question that waits will hear anything."""
        for waits in list(self._waits.values()):
            for wait in list(waits):
                wait.settle(Looked())

    def back(self) -> None:
        """The server is there, for the first time or again."""
        owed, self._owed = self._owed, {}
        for flush in owed:
            self.flush(flush)

    # Who waits.

    @contextmanager
    def listening(self, key: bytes) -> Iterator[list[bytes]]:
        """The values that come for ``key`` meanwhile: messages have a connection of their own and may be faster."""
        ear: list[bytes] = []
        self._ears.setdefault(key, []).append(ear)
        try:
            yield ear
        finally:
            ears = self._ears[key]
            ears[:] = [each for each in ears if each is not ear]
            if not ears:
                del self._ears[key]

    def join(self, wait: _Wait) -> None:
        """``wait`` is settled by the next word on its key."""
        self._waits.setdefault(wait.key, set()).add(wait)
        if self._beat is None:
            self._beat = self.clock.callLater(self.timeout * _BEAT, self._ping)

    def leave(self, wait: _Wait) -> None:
        """It waits no longer."""
        waits = self._waits[wait.key]
        waits.remove(wait)
        if not waits:
            del self._waits[wait.key]
        if not self._waits and self._beat is not None and self._beat.active():
            self._beat.cancel()
            self._beat = None

    def _ping(self) -> None:
        within = self.timeout / 2 - self.timeout * _BEAT
        self.store.ping(within).addErrback(_let_go).addCallback(self._pinged)

    def _pinged(self, _: object) -> None:
        self._beat = self.clock.callLater(self.timeout * _BEAT, self._ping) if self._waits else None


class _Wait:
    """One question that another lab asks the parents; ``done`` fires with what comes of it, after ``most`` seconds."""

    def __init__(self, shared: SharedCache, key: bytes, token: bytes, most: float) -> None:
        self.key = key
        self.done: Deferred[Looked] = Deferred(lambda _: self._end())
        self._shared = shared
        self._token = token
        self._until = shared.clock.seconds() + most
        self._call = shared.clock.callLater(min(LOOK_AGAIN, most), self._again)
        shared.join(self)

    def settle(self, looked: Looked) -> None:
        """Something came of it; the first thing counts."""
        if not self.done.called:
            self._end()
            self.done.callback(looked)
        elif looked.ours:
            self._shared.tell(self.key, self._token, b"", 0)

    def _end(self) -> None:
        self._shared.leave(self)
        if self._call.active():
            self._call.cancel()

    def _again(self) -> None:
        left = self._until - self._shared.clock.seconds()
        if left <= 0:
            self.settle(Looked())
            return
        self._call = self._shared.clock.callLater(min(LOOK_AGAIN, left), self._again)
        self._shared.look(self.key, self._token, False, self._shared.timeout / 2).addCallback(self._looked)

    def _looked(self, looked: Looked) -> None:
        if not looked.theirs:
            self.settle(looked)


@implementer(IParent)
class SharedParent:
    """``parent``, asked only for what no lab of ``group`` knows and no other one is asking already."""

    def __init__(
        self, shared: SharedCache, group: ParentGroup, parent: IParent, bounds: Bounds, patience: float
    ) -> None:
        self._shared = shared
        self._group = group
        self._parent = parent
        self._bounds = bounds
        self._patience = min(shared.lock, patience)

    @property
    def address(self) -> str:
        return self._parent.address

    def ask(self, question: Question) -> Deferred[Upstream]:
        if question.dnssec:
            return self._parent.ask(question)  # a value has no place for signatures
        return Deferred.fromCoroutine(self._ask(question, self._group.key(question), self._shared.token()))

    async def _ask(self, question: Question, key: bytes, token: bytes) -> Upstream:
        try:
            found = await self._find(question, key, token)
        except CancelledError:
            self._shared.tell(key, token, b"", 0)
            raise
        if isinstance(found, Upstream):
            return found
        return await self._ask_parent(question, key, token, found)

    async def _find(self, question: Question, key: bytes, token: bytes) -> Upstream | Shared | None:
        """What another lab tells; where the parents are to be asked: nothing, or a value that is due."""
        shared = self._shared
        with shared.listening(key) as heard:
            looked = await shared.look(key, token, False, shared.timeout)
        if looked.theirs and heard:
            looked = Looked(heard[0] or None, math.inf)
        found = self._read(question, looked)
        if found is not None and not found.is_due:
            shared.counts[_HIT] += 1
            return found.upstream
        if looked.value is not None and not looked.is_slow:
            looked = await shared.look(key, token, True, shared.timeout / 2)
            if looked.theirs and found is not None:
                shared.counts[_HIT] += 1
                return found.upstream
        elif looked.theirs and not looked.is_slow:
            looked = await _Wait(shared, key, token, self._patience).done
            answer = self._read(question, looked)
            if answer is not None:
                shared.counts[_WAITED] += 1
                return answer.upstream
        shared.counts[_ASKED if looked.ours else _ALONE] += 1
        return found

    def _read(self, question: Question, looked: Looked) -> Shared | None:
        if looked.value is None:
            return None
        shared = self._shared
        found = decode_value(question, looked, self._bounds, shared.clock.seconds())
        if found is None or shared.is_flushed(self._group.resolver, question, found.upstream):
            shared.ignored += 1
            return None
        return found

    async def _ask_parent(self, question: Question, key: bytes, token: bytes, due: Shared | None) -> Upstream:
        """Ask, and send the reply to the other labs; what is ``due`` to be asked anew counts where the parents fail."""
        shared = self._shared
        value, left = b"", 0.0
        try:
            upstream = await self._parent.ask(question)
            value, left = encode_value(question, upstream, self._bounds, shared.clock.seconds())
            return upstream
        except ParentFailed:
            if due is None or not self._is_valid(question, due.upstream):
                raise
            return due.upstream
        finally:
            shared.tell(key, token, value, left)

    def _is_valid(self, question: Question, upstream: Upstream) -> bool:
        now = self._shared.clock.seconds()
        cached = entry_of(question, upstream, now, self._bounds)
        return cached is not None and cached[1].is_valid(now)


def _let_go(failure: Failure) -> None:
    failure.trap(StoreGone)
