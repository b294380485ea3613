"""Answers with a lifetime: positive, negative, failures."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from labnet.resolver.model import Answer, ExtendedError, InfoCode, Question, Rcode, RRset

_ENTRY_BYTES: Final = 700
"""What an entry costs beside the bytes of its names and rdatas: objects, and its place in the table (measured)."""

_RRSET_BYTES: Final = 250
_STALE_TTL: Final = 30  # seconds; RFC 8767, section 4
_REFRESH_SHARE: Final = 0.1


@dataclass(slots=True)
class Entry:
    """One answer as ``source`` told it: ``since`` in epoch seconds, ``ttl`` its lifetime in seconds."""

    answer: Answer
    since: float
    ttl: int
    source: str
    told: bool = False
    """Whether a course parent told it: then it lives for its TTL and not a refresh longer."""
    refreshed: bool = False
    """Whether it is being asked anew already."""

    def is_valid(self, now: float) -> bool:
        """Whether its age is at most its TTL."""
        return now - self.since <= self.ttl

    def aged(self, now: float) -> Answer:
        """The answer at ``now``, its TTLs counted down (RFC 1035, section 3.2.1) and its origin said."""
        age = max(0, int(now - self.since))
        return replace(
            self.answer,
            answer=_aged(self.answer.answer, age),
            authority=_aged(self.answer.authority, age),
            origin=self.origin(now),
            until=self.since + min(age + 1, self.ttl),
        )

    def origin(self, now: float) -> str:
        """Where it comes from, in words."""
        return f"from the cache, learned {max(0, int(now - self.since))} s ago from {self.source}"

    def stale(self, now: float) -> Answer:
        """The answer past its lifetime (RFC 8767)."""
        code = InfoCode.STALE_NXDOMAIN if self.answer.rcode == Rcode.NXDOMAIN else InfoCode.STALE_ANSWER
        error = ExtendedError(code, f"{int(now - self.since)} s old, no parent answers")
        sections = (self.answer.answer, self.answer.authority)
        fresh, authority = (tuple([replace(rrset, ttl=_STALE_TTL) for rrset in rrsets]) for rrsets in sections)
        return replace(self.answer, answer=fresh, authority=authority, errors=(*self.answer.errors, error))

    def is_due(self, now: float) -> bool:
        """Whether so little of its lifetime is left that a popular name is to be asked anew."""
        return not self.refreshed and not self.told and now - self.since > self.ttl * (1 - _REFRESH_SHARE)

    @property
    def size(self) -> int:
        """Bytes that it takes, roughly."""
        rrsets = (*self.answer.answer, *self.answer.authority)
        return _ENTRY_BYTES + sum(_RRSET_BYTES + len(rrset.name) + sum(map(len, rrset.rdatas)) for rrset in rrsets)


class Cache:
    """Entries by question, at most ``most_bytes`` in all; the one used longest ago goes first.

    It is told the time (epoch seconds) and reads no clock. Entries are kept ``stale`` seconds past their lifetime.
    """

    def __init__(self, most_bytes: int, stale: float = 0) -> None:
        self._most_bytes = most_bytes
        self._stale = stale
        self._entries: OrderedDict[Question, Entry] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, question: Question, now: float) -> Entry | None:
        """The valid entry for ``question``, or None."""
        entry = self._entries.get(question)
        if entry is None:
            return None
        if entry.is_valid(now):
            self._entries.move_to_end(question)
            return entry
        if now - entry.since > entry.ttl + self._stale:
            self.forget(question)
        return None

    def find_stale(self, question: Question, now: float) -> Entry | None:
        """An entry past its lifetime that may still be served while no parent answers (RFC 8767), or None."""
        entry = self._entries.get(question)
        return entry if entry is not None and now - entry.since <= entry.ttl + self._stale else None

    def keep(self, question: Question, entry: Entry) -> None:
        """Keep ``entry``, in place of an earlier one for that question."""
        self.forget(question)
        self._entries[question] = entry
        self.bytes += entry.size
        while self.bytes > self._most_bytes and self._entries:
            self.forget(next(iter(self._entries)))

    def forget(self, question: Question) -> None:
        """Drop what is known of ``question``, if anything is."""
        entry = self._entries.pop(question, None)
        if entry is not None:
            self.bytes -= entry.size

    def valid(self, now: float) -> Iterator[tuple[Question, Entry]]:
        """Everything valid at ``now``, what was used longest ago first."""
        return ((question, entry) for question, entry in list(self._entries.items()) if entry.is_valid(now))


def _aged(rrsets: tuple[RRset, ...], age: int) -> tuple[RRset, ...]:
    return tuple([replace(rrset, ttl=max(0, rrset.ttl - age)) for rrset in rrsets]) if age else rrsets
