"""Questions a second, hits, failures and latency, of the last minutes in which somebody looked."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from labnet.metrics import BOUNDS, Sample, merged
from labnet.net.clocks import wall_of

MOST: Final = 300
"""Seconds that are kept."""

_PERIOD: Final = 1.0
_FROM_MEMORY: Final = frozenset({"ready", "records", "cache", "stale", "blocked"})
_LIMITED: Final = frozenset({"rate", "slipped", "in_flight"})


class Traffic:
    """Counts anew each second, while somebody looks, what ``samples`` gives, at once or later."""

    def __init__(self, samples: Callable[[], Any], clock: IReactorTime) -> None:
        self._samples = samples
        self._wall = wall_of(clock)
        self._series: deque[dict[str, Any]] = deque(maxlen=MOST)
        self._before: _Counted | None = None
        self._now = _Counted([])
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def watch(self, watched: bool) -> None:
        """Somebody looks from now on, or nobody does any more."""
        if watched and not self._looking.running:
            self._before = None
            self._looking.start(_PERIOD)
        elif not watched and self._looking.running:
            self._looking.stop()

    def shown(self) -> dict[str, Any]:
        """For JSON: points in time as epoch seconds, latencies in seconds."""
        return {
            "series": list(self._series),
            "by_protocol": dict(self._now.by_protocol),
            "by_result": dict(self._now.by_result),
            "by_source": dict(self._now.by_source),
        }

    def _look(self) -> Deferred[None]:
        return maybeDeferred(self._samples).addCallback(self._counted)

    def _counted(self, samples: Iterable[Sample]) -> None:
        self._now = now = _Counted(samples)
        before, self._before = self._before, now
        if before is None:
            return
        buckets = [max(0, new - old) for new, old in zip(now.buckets, before.buckets, strict=True)]
        self._series.append(
            {
                "time": round(self._wall(), 3),
                "questions": max(0, now.questions - before.questions),
                "hits": max(0, now.hits - before.hits),
                "failures": max(0, now.by_result["SERVFAIL"] - before.by_result["SERVFAIL"]),
                "limited": max(0, now.limited - before.limited),
                "p50": _quantile(buckets, 0.5),
                "p99": _quantile(buckets, 0.99),
            }
        )


class _Counted:
    """What was counted of all resolvers at one moment."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.by_protocol: Counter[str] = Counter()
        self.by_result: Counter[str] = Counter()
        self.by_source: Counter[str] = Counter()
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.limited = 0
        for name, labels, value in merged([samples]):
            if name == "labnet_queries_total":
                _, _, protocol, result, source = labels
                self.by_protocol[protocol] += value
                self.by_result[result] += value
                self.by_source[source] += value
            elif name == "labnet_queries_dropped_total" and labels[1] in _LIMITED:
                self.limited += value
            elif name == "labnet_query_seconds":
                self.buckets = [old + new for old, new in zip(self.buckets, value[:-1], strict=True)]
        self.questions = self.by_result.total()
        self.hits = sum(self.by_source[source] for source in _FROM_MEMORY)


def _quantile(buckets: list[int], share: float) -> float | None:
    """The upper bound of the bucket that so large a ``share`` of what was measured is in or below."""
    total = sum(buckets)
    if not total:
        return None
    sums = [sum(buckets[: place + 1]) for place in range(len(buckets))]
    place = bisect_left(sums, share * total)
    return BOUNDS[min(place, len(BOUNDS) - 1)]
