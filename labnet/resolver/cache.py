"""Answers with a lifetime: positive, negative, failures."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from labnet.resolver.model import Answer, ExtendedError, InfoCode, Question, Rcode, RRset
from labnet.resolver.names import ROOT, is_below

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
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, question: object) -> bool:
        """Whether anything is kept for ``question``, be it past its lifetime."""
        return question in self._entries

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
        self._make_room()

    def resize(self, most_bytes: int, stale: float) -> None:
        """Have other bounds from now on; what is past them goes."""
        self._most_bytes = most_bytes
        self._stale = stale
        self._make_room()

    def flush(self, key: bytes) -> int:
        """Drop every entry of the name, of a name below it, or with a record of such a name; how many that were."""
        told = [
            question
            for question, entry in self._entries.items()
            if key == ROOT
            or is_below(question.key, key)
            or any(is_below(rrset.key, key) for rrset in entry.answer.answer)
        ]
        for question in told:
            self.forget(question)
        return len(told)

    def _make_room(self) -> None:
        while self.bytes > self._most_bytes and self._entries:
            self.forget(next(iter(self._entries)))
            self.evictions += 1

    def forget(self, question: Question) -> None:
        """Drop what is known of ``question``, if anything is."""
        entry = self._entries.pop(question, None)
        if entry is not None:
            self.bytes -= entry.size

    def valid(self, now: float) -> Iterator[tuple[Question, Entry]]:
        """Everything of now that is valid at ``now``, what was learned longest ago first.

        What happens to an entry before its turn is seen: who has much to do with each may take them bit by bit.
        """
        # An OrderedDict looks up every key on its way, which with many takes longer than a reactor's turn may.
        for question in list(dict.__iter__(self._entries)):
            entry = self._entries.get(question)
            if entry is not None and entry.is_valid(now):
                yield question, entry


def _aged(rrsets: tuple[RRset, ...], age: int) -> tuple[RRset, ...]:
    return tuple([replace(rrset, ttl=max(0, rrset.ttl - age)) for rrset in rrsets]) if age else rrsets
