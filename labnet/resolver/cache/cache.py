"""Answers with a lifetime: positive, negative, failures."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from sys import getsizeof
from typing import Final, NamedTuple

from labnet.events import Step
from labnet.resolver.reasons import error_of
from labnet.wire.names import ROOT, ancestors
from labnet.wire.types import (
    CHECKING_DISABLED,
    DNSSEC_OK,
    Answer,
    ExtendedError,
    InfoCode,
    Question,
    Rcode,
    RRset,
    RRType,
    Security,
)

# Bytes of CPython's objects beside the names, rdatas and texts in them (measured; tests hold them to that).
_ENTRY_BYTES: Final = 690  # the entry, its answer and question, and its place in the table
_RRSET_BYTES: Final = 165
_RDATA_BYTES: Final = 45
_MAPPING_BYTES: Final = 215
_ERROR_BYTES: Final = 56

_FORGEABLE: Final = ExtendedError(InfoCode.OTHER, "told by a text: parent, whose replies can be forged")
_STALE_TTL: Final = 30  # seconds; RFC 8767, section 4
_REFRESH_SHARE: Final = 0.1

_EACH_DNSSEC: Final = range((DNSSEC_OK | CHECKING_DISABLED) + 1)  # what the bits of a question may be


class Place(NamedTuple):
    """Where an entry is cached, and for which question."""

    cache: Cache
    question: Question


@dataclass(slots=True)
class Entry:
    """One answer as it came from ``source``: ``since`` in epoch seconds, ``ttl`` its lifetime in seconds."""

    answer: Answer
    since: float
    ttl: int
    source: str
    from_course: bool = False
    """Whether it came from a course parent: then it lives for its TTL and is never refreshed early."""
    refreshed: bool = False
    """Whether it is being asked anew already."""
    place: Place | None = field(default=None, compare=False, repr=False)
    """Where it is cached, or was; a copy has the place of its original."""
    size: int = field(default=0, compare=False, repr=False)
    """Bytes that it takes there, roughly."""

    @property
    def errors(self) -> tuple[ExtendedError, ...]:
        """The extended errors of its answer; one says where a course parent told it."""
        return (*self.answer.errors, _FORGEABLE) if self.from_course else self.answer.errors

    def is_valid(self, now: float) -> bool:
        """Whether its age is at most its TTL."""
        return now - self.since <= self.ttl

    def age(self, now: float) -> int:
        """Whole seconds at ``now``; none by a clock that was set back."""
        return max(0, int(now - self.since))

    def same_until(self, age: int) -> float:
        """The epoch second at which the answer that it gives at ``age`` (seconds) changes."""
        return self.since + min(age + 1, self.ttl)

    def aged(self, now: float) -> AgedAnswer:
        """The answer at ``now``, its TTLs counted down (RFC 1035, section 3.2.1) and its origin said."""
        age, whole = self.age(now), self.answer
        return AgedAnswer(
            whole.rcode,
            self._counted(whole.answer, age),
            self._counted(whole.authority, age),
            whole.additional,
            whole.authoritative,
            whole.mapping,
            self.errors,
            self.origin(now),
            self.same_until(age),
            self._counted(whole.signatures, age) if whole.signatures else (),
            self._counted(whole.proofs, age) if whole.proofs else (),
            whole.security,
            self,
        )

    def _counted(self, rrsets: tuple[RRset, ...], age: int) -> tuple[RRset, ...]:
        return tuple(
            [
                CountedRRset(rrset.name, rrset.rrtype, max(0, rrset.ttl - age), rrset.rdatas, rrset.ttl, self)
                for rrset in rrsets
            ]
        )

    def origin(self, now: float) -> str:
        """Where it comes from, in words."""
        return f"from the cache, learned {self.age(now)} s ago from {self.source}"

    def lifetime(self, now: float) -> dict[str, str | float]:
        """The facts of :meth:`origin`: ``age``, ``ttl``, what is ``left`` of it, in whole seconds, and ``source``."""
        age = self.age(now)
        return {"age": age, "ttl": self.ttl, "left": max(0, self.ttl - age), "source": self.source}

    def stale_step(self, now: float) -> Step:
        """That it serves past its lifetime, as a step of a decision."""
        kind = "stale-negative" if self.answer.rcode == Rcode.NXDOMAIN else "stale"
        return Step(kind, {"age": int(now - self.since), "ttl": self.ttl})

    def stale(self, now: float) -> Answer:
        """The answer past its lifetime (RFC 8767)."""
        error = error_of(self.stale_step(now))
        whole = self.answer
        sections = (whole.answer, whole.authority, whole.signatures, whole.proofs)
        answer, authority, signatures, proofs = (
            tuple([replace(rrset, ttl=_STALE_TTL) for rrset in rrsets]) for rrsets in sections
        )
        return replace(
            whole,
            answer=answer,
            authority=authority,
            errors=(*self.errors, error),
            signatures=signatures,
            proofs=proofs,
            security=Security.INDETERMINATE,  # its signatures may be over
        )

    def is_due(self, now: float) -> bool:
        """Whether so little of its lifetime is left that a popular name is to be asked anew."""
        return not self.refreshed and not self.from_course and now - self.since > self.ttl * (1 - _REFRESH_SHARE)

    def rests_until(self, now: float) -> float:
        """The epoch second from which it is due; from which it is over, where it is due at ``now`` or never will be."""
        share = 1.0 if self.from_course or self.refreshed or self.is_due(now) else 1 - _REFRESH_SHARE
        return math.nextafter(self.since + self.ttl * share, math.inf)

    def serves_again(self, now: float) -> bool:
        """Use it as one that is found; False where the cache has to be asked: it has another one, or this is due."""
        if self.place is None:
            return False
        found = self.place.cache.find(self.place.question, now)
        return found is not None and found.place is self.place and not (found.refreshed or found.is_due(now))


@dataclass(frozen=True, slots=True)
class CountedRRset(RRset):
    """An RRset of ``entry`` whose TTL is counted down from ``whole`` seconds."""

    whole: int = field(compare=False)
    entry: Entry = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AgedAnswer(Answer):
    """What ``entry`` answers at a point in time; each RRset of a chain refers to the entry that it is from."""

    entry: Entry | None = field(default=None, compare=False, repr=False)


def entries_of(answer: Answer) -> list[Entry]:
    """Those that ``answer`` is made of, each once; none where all of it is from the records or just received."""
    counted = [rrset.entry for rrset in (*answer.answer, *answer.authority) if isinstance(rrset, CountedRRset)]
    if isinstance(answer, AgedAnswer) and answer.entry is not None:
        counted.append(answer.entry)
    return list({id(entry): entry for entry in counted}.values())


def rests_until(answer: Answer, now: float) -> float:
    """The epoch second from which the cache has to be asked again for ``answer``, TTLs apart; never for the records."""
    return min([entry.rests_until(now) for entry in entries_of(answer)], default=answer.until)


class Cache:
    """Entries by question, at most ``most_bytes`` in all; the one used longest ago goes first.

    The time (epoch seconds) is an argument: it reads no clock. Entries stay ``stale`` seconds past their lifetime.
    """

    def __init__(self, most_bytes: int, stale: float = 0) -> None:
        self._most_bytes = most_bytes
        self._stale = stale
        self._entries: OrderedDict[Question, Entry] = OrderedDict()
        # By key and DNSSEC bits of a name that does not exist: the question whose entry says so.
        self._absent: dict[tuple[bytes, int], Question] = {}
        self.bytes = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, question: object) -> bool:
        """Whether anything is cached for ``question``, even past its lifetime."""
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

    def peek(self, question: Question) -> Entry | None:
        """The entry for ``question``, valid or not; it does not count as used."""
        return self._entries.get(question)

    def find_stale(self, question: Question, now: float) -> Entry | None:
        """An entry past its lifetime that may still be served while no parent answers (RFC 8767), or None."""
        entry = self._entries.get(question)
        return entry if entry is not None and now - entry.since <= entry.ttl + self._stale else None

    def find_absent(self, question: Question, now: float) -> tuple[Question, Entry] | None:
        """The valid entry by which the name of ``question``, or a name above it, does not exist; and its own question.

        It answers all types of all these names (RFC 2308, section 5; RFC 8020, section 2). None where there is none.
        """
        for about in self._absent_above(question.key, question.dnssec):
            entry = self.find(about, now)
            if entry is not None:
                return about, entry
        return None

    def may_deny(self, question: Question) -> bool:
        """Whether :meth:`find_absent` may find something, even past its lifetime."""
        return bool(self._absent) and any(self._absent_above(question.key, question.dnssec))

    def _absent_above(self, key: bytes, dnssec: int) -> Iterator[Question]:
        if self._absent:
            for name in ancestors(key):
                about = self._absent.get((name, dnssec))
                if about is not None:
                    yield about

    def put(self, question: Question, entry: Entry) -> None:
        """Cache ``entry``, in place of an earlier one for that question."""
        self.forget(question)
        if entry.answer.rcode == Rcode.NXDOMAIN and not entry.answer.answer:
            self._absent[question.key, question.dnssec] = question
        elif self._absent:
            self._absent.pop((question.key, question.dnssec), None)  # the name exists by now
        entry.place, entry.size = Place(self, question), size_of(entry.answer)
        self._entries[question] = entry
        self.bytes += entry.size
        self._make_room()

    def resize(self, most_bytes: int, stale: float) -> None:
        """Have other bounds from now on; what is past them goes."""
        self._most_bytes = most_bytes
        self._stale = stale
        self._make_room()

    def flush(self, *keys: bytes) -> int:
        """Drop every entry of these names, of names below them, and those that lead to such a name; how many that were.

        What says that a name above one of them does not exist would answer for it, and is dropped too. However many
        ``keys`` there are, every entry is looked at once.
        """
        flushed = set(keys)
        denied = {(name, bits) for key in keys for name in ancestors(key) for bits in _EACH_DNSSEC}
        denying = {self._absent[each] for each in denied & self._absent.keys()}

        def is_flushed(name: bytes) -> bool:
            return any(each in flushed for each in ancestors(name))

        found = [
            question
            for question, entry in self._entries.items()
            if ROOT in flushed
            or question in denying
            or is_flushed(question.key)
            or any(is_flushed(name) for name in _names_in(entry.answer.answer))
        ]
        for question in found:
            self.forget(question)
        return len(found)

    def flush_negative(self) -> int:
        """Drop every entry that says that something is not there; how many that were."""
        found = [
            question
            for question, entry in self._entries.items()
            if not entry.answer.answer and entry.answer.mapping is None
        ]
        for question in found:
            self.forget(question)
        return len(found)

    def _make_room(self) -> None:
        while self.bytes > self._most_bytes and self._entries:
            self.forget(next(iter(self._entries)))
            self.evictions += 1

    def forget(self, question: Question) -> None:
        """Drop what is known of ``question``, if anything is."""
        entry = self._entries.pop(question, None)
        if entry is not None:
            self.bytes -= entry.size
            if self._absent.get(place := (question.key, question.dnssec)) == question:
                del self._absent[place]

    def valid(self, now: float) -> Iterator[tuple[Question, Entry]]:
        """Everything of now that is valid at ``now``, what was learned longest ago first.

        What happens to an entry before its turn is seen: a caller that has much to do with each may take them bit by
        bit.
        """
        # An OrderedDict looks up every key on its way, which with many takes longer than a reactor's turn may.
        for question in list(dict.__iter__(self._entries)):
            entry = self._entries.get(question)
            if entry is not None and entry.is_valid(now):
                yield question, entry


def _names_in(rrsets: tuple[RRset, ...]) -> Iterator[bytes]:
    """The keys of the names that have these records, and that their CNAMEs lead to."""
    for rrset in rrsets:
        yield rrset.key
        if rrset.rrtype == RRType.CNAME:
            yield rrset.rdatas[0].lower()


def size_of(answer: Answer) -> int:
    """Bytes that an entry with ``answer`` takes of the process's memory, within a fifth."""
    size = _ENTRY_BYTES
    for rrset in answer.answer + answer.authority + answer.signatures + answer.proofs:
        rdatas = rrset.rdatas
        size += _RRSET_BYTES + len(rrset.name) + _RDATA_BYTES * len(rdatas) + len(b"".join(rdatas))
    if answer.mapping is not None:
        size += _MAPPING_BYTES + len(answer.mapping.name) + len(answer.mapping.address)
    for error in answer.errors:
        size += _ERROR_BYTES + getsizeof(error.text)
    return size
