"""What one resolver has learned: its cache, and the logs that keep it over a restart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twisted.internet.interfaces import IReactorTime

from labnet.config.resolver import ResolverConfig
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.dump import dump_lines
from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.interfaces import ILearned
from labnet.resolver.cache.lines import CachedAnswer, course_name, encode_line
from labnet.resolver.cache.lock import LogLock
from labnet.resolver.cache.logs import LearnedLogs
from labnet.resolver.cache.policy import capped
from labnet.resolver.loading.loaded import Loaded, counts, fill
from labnet.wire.types import Question, RRType


class Learning:
    """The cache of the resolver with this ``config``, with what is ``loaded`` in it, and the logs of that.

    Where one is given ``elsewhere`` takes what is learned, in place of log files of its own.
    """

    def __init__(
        self, config: ResolverConfig, loaded: Loaded, clock: IReactorTime, elsewhere: ILearned | None = None
    ) -> None:
        self.cache = Cache(config.cache_bytes, config.serve_stale)
        self._clock = clock
        self._config = config
        self._validates = loaded.anchors is not None
        self._logs = LearnedLogs(self._live, encode_line, course_name, self._adopt, clock)
        self._has_logs = elsewhere is None
        self._kept_by: ILearned = elsewhere or self._logs
        self._starts = (loaded.course_log, loaded.dns_log)
        fill(self.cache, loaded, clock.seconds(), config.course_ttl_max)

    def open(self) -> None:
        """Go on with the logs. Raises :class:`~labnet.interfaces.InUse` where another lab has them."""
        self._logs.open(self._config.learned if self._has_logs else None, *self._starts)

    def close(self) -> None:
        """Bring everything to the disk."""
        self._logs.close()

    def claim(self, config: ResolverConfig) -> LogLock | None:
        """The lock of the logs that ``config`` names, where it has any here. Raises as :meth:`open` does."""
        return LogLock(config.learned) if config.learned is not None and self._has_logs else None

    def take(self, config: ResolverConfig, loaded: Loaded) -> None:
        """Go by ``config`` from now on.

        Where the logs are elsewhere then, what they have there counts if nothing newer is known; then they have all.
        """
        moved = config.learned != self._config.learned
        self._config = config
        self._validates = loaded.anchors is not None
        self.cache.resize(config.cache_bytes, config.serve_stale)
        if not moved:
            return
        self._logs.close()
        known = list(self.cache.valid(self._clock.seconds()))
        fill(self.cache, loaded, self._clock.seconds(), config.course_ttl_max)
        for question, entry in known:
            self.cache.put(question, entry)
        self._starts = (loaded.course_log, loaded.dns_log)
        self.open()
        self._logs.rewrite()

    def keep(self, learned: Sequence[CachedAnswer]) -> None:
        """Have what the cache has ``learned`` outlive this process.

        What was asked with DO or CD is for such clients alone, and lives in this process's cache alone.
        """
        lasting = [cached for cached in learned if cached[1].ttl and not cached[0].dnssec]
        if lasting:
            self._kept_by.append(lasting)

    def rewrite(self) -> None:
        """Keep what the cache has now and nothing else."""
        self._kept_by.rewrite()

    def put(self, question: Question, entry: Entry) -> None:
        """Take up what another process learned."""
        if entry.is_valid(self._clock.seconds()):
            self.cache.put(question, entry)

    def parent_of(self, question: Question) -> str:
        """Who told what is kept for ``question``; a course parent's word of a name answers every type."""
        entry = self.cache.peek(question) or self.cache.peek(Question(question.key, RRType.A))
        return "" if entry is None else entry.source

    def dump(self) -> Iterator[str]:
        """What is learned and valid, a line each, as in a master file with the seconds that are left as TTL."""
        now = self._clock.seconds()
        for question, entry in self.cache.valid(now):
            yield from dump_lines(question, entry, now)

    def _adopt(self, found: list[CachedAnswer]) -> None:
        for question, entry in found:
            if counts(entry, self._validates) and self.cache.find(question, self._clock.seconds()) is None:
                self.cache.put(*capped((question, entry), self._config.course_ttl_max))

    def _live(self) -> Iterator[CachedAnswer]:
        return (cached for cached in self.cache.valid(self._clock.seconds()) if not cached[0].dnssec)
