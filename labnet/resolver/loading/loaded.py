"""What the files of a resolver hold, and what of it counts in the cache."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from labnet.dialects.library import find as find_dialect
from labnet.dialects.model import Dialect
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.lines import CachedAnswer
from labnet.resolver.cache.log import LogStart
from labnet.resolver.cache.policy import capped
from labnet.resolver.files.problem import Problem
from labnet.resolver.filtering.lists import BlockList
from labnet.resolver.records.zone import Zone
from labnet.values.servers import ParentAddress
from labnet.wire.types import Referral, Security

if TYPE_CHECKING:
    from labnet.net.tls.credentials import Credentials
    from labnet.resolver.files.root_hints import Hints
    from labnet.resolver.files.trust_anchors import TrustAnchors


@dataclass(slots=True)
class Loaded:
    """What the files of one resolver hold; ``cached`` is what its logs do, the newest of each last.

    ``referrals`` are the servers that the records name for the names of a domain; ``servers`` has those of them that
    the resolver asks itself, by the domain's key. ``lists`` are those that block names, in their order.

    ``ca`` are the authorities (PEM) that encrypted parents are checked by, where those are not the system's;
    ``credentials`` are what encrypted listeners show, by the paths of certificate and key. Without
    ``anchors`` nothing is validated.

    ``errors`` prevent its start, ``warnings`` do not; each names file and line.
    """

    zone: Zone
    records: int = 0
    dialect: Dialect = field(default_factory=lambda: find_dialect("json"))
    referrals: list[Referral] = field(default_factory=list)
    servers: list[tuple[bytes, ParentAddress]] = field(default_factory=list)
    cached: list[CachedAnswer] = field(default_factory=list)
    course_log: LogStart = field(default_factory=LogStart)
    dns_log: LogStart = field(default_factory=LogStart)
    lists: list[BlockList] = field(default_factory=list)
    hints: Hints | None = None
    anchors: TrustAnchors | None = None
    system: tuple[str, ...] = ()
    ca: bytes | None = None
    credentials: dict[tuple[str, str], Credentials] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note(self, path: str, problems: Iterable[Problem], harmless: bool = False) -> None:
        """Take up what is wrong in the file at ``path``; ``harmless`` makes warnings of it."""
        for problem in problems:
            of = problem.path or path
            where = f"{of}:{problem.line}" if problem.line else of
            (self.warnings if harmless or problem.warning else self.errors).append(f"{where}: {problem.says}")


def fill(cache: Cache, loaded: Loaded, now: float, course_ttl_max: int) -> None:
    """Put what the logs hold and is valid at ``now`` (epoch seconds) into ``cache``; ``loaded`` has none of it then.

    What a course parent said lives for ``course_ttl_max`` seconds at most. Where replies are validated, what was not
    when it was learned does not count.
    """
    cached, loaded.cached = loaded.cached, []
    for each in cached:
        question, entry = capped(each, course_ttl_max)
        if not counts(entry, loaded.anchors is not None):
            continue
        # Of one question the last line counts, even if its time is over.
        cache.forget(question)
        # What is dated later than now was learned before the clock was set back: its lifetime begins now at the latest.
        entry.since = min(entry.since, now)
        if entry.is_valid(now):
            cache.put(question, entry)


def counts(entry: Entry, validates: bool) -> bool:
    """Whether what was learned as ``entry`` counts where replies are validated, or not; it is unvalidated then."""
    if not validates and entry.security:
        entry.content = replace(entry.answer, security=Security.INDETERMINATE)
    return not validates or entry.from_course or bool(entry.security)
