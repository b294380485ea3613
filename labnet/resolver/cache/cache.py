"""Answers with a lifetime: positive, negative, failures."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from labnet.resolver.cache.entry import Entry, Rdatas, packed_size, size_of
from labnet.wire.names import ROOT, ancestors
from labnet.wire.types import CHECKING_DISABLED, DNSSEC_OK, Question, Rcode, RRType

_EACH_DNSSEC: Final = range((DNSSEC_OK | CHECKING_DISABLED) + 1)  # what the bits of a question may be


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
            if isinstance(entry.content, tuple):
                self._unpack(entry)
            return entry
        if now - entry.since > entry.ttl + self._stale:
            self.forget(question)
        return None

    def peek(self, question: Question) -> Entry | None:
        """The entry for ``question``, valid or not; it does not count as used."""
        return self._entries.get(question)

    def find_stale(self, question: Question, now: float) -> Entry | None:
        """An entry past its lifetime that may still be served while no parent answers (RFC 8767), or None."""
        return self._entries[question] if self.may_answer(question, now) else None

    def find_absent(self, question: Question, now: float) -> tuple[Question, Entry] | None:
        """The valid entry by which the name of ``question``, or a name above it, does not exist; and its own question.

        It answers all types of all these names (RFC 2308, section 5; RFC 8020, section 2). None where there is none.
        """
        for about in self._absent_above(question.key, question.dnssec):
            entry = self.find(about, now)
            if entry is not None:
                return about, entry
        return None

    def may_deny(self, question: Question, now: float) -> bool:
        """Whether :meth:`find_absent` may find something at ``now``, or something may be served stale in its place."""
        return bool(self._absent) and any(
            self.may_answer(about, now) for about in self._absent_above(question.key, question.dnssec)
        )

    def may_answer(self, question: Question, now: float) -> bool:
        """Whether there is an entry for ``question`` that is valid at ``now``, or may still be served stale."""
        entry = self._entries.get(question)
        return entry is not None and now - entry.since <= entry.ttl + self._stale

    def _absent_above(self, key: bytes, dnssec: int) -> Iterator[Question]:
        if self._absent:
            for name in ancestors(key):
                about = self._absent.get((name, dnssec))
                if about is not None:
                    yield about

    def put(self, question: Question, entry: Entry) -> None:
        """Cache ``entry``, in place of an earlier one for that question."""
        self.forget(question)
        if entry.is_negative and entry.answer.rcode == Rcode.NXDOMAIN:
            self._absent[question.key, question.dnssec] = question
        elif self._absent:
            self._absent.pop((question.key, question.dnssec), None)  # the name exists by now
        entry.question, entry.keeper = question, self
        entry.size = size_of(entry)
        self._entries[question] = entry
        self.bytes += entry.size
        self._make_room()

    def put_rdatas(self, question: Question, rdatas: Rdatas, since: float, ttl: int, source: str) -> Entry:
        """Cache that ``rdatas`` are the whole answer to ``question``, in place of an earlier one; gives the entry."""
        if question in self._entries:
            self.forget(question)
        if self._absent:
            self._absent.pop((question.key, question.dnssec), None)
        size = packed_size(question.key, rdatas)
        entry = self._entries[question] = Entry(rdatas, since, ttl, source, False, False, question, self, size)
        self.bytes += size
        if self.bytes > self._most_bytes:
            self._make_room()
        return entry

    def _unpack(self, entry: Entry) -> None:
        self.bytes -= entry.size
        entry.unpack()
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
            or any(is_flushed(name) for name in _names_in(entry))
        ]
        for question in found:
            self.forget(question)
        return len(found)

    def flush_negative(self) -> int:
        """Drop every entry that says that something is not there; how many that were."""
        found = [question for question, entry in self._entries.items() if entry.is_negative]
        for question in found:
            self.forget(question)
        return len(found)

    def _make_room(self) -> None:
        entries = self._entries
        while self.bytes > self._most_bytes and entries:
            self._gone(*entries.popitem(last=False))
            self.evictions += 1

    def forget(self, question: Question) -> None:
        """Drop what is known of ``question``, if anything is."""
        entry = self._entries.pop(question, None)
        if entry is not None:
            self._gone(question, entry)

    def _gone(self, question: Question, entry: Entry) -> None:
        self.bytes -= entry.size
        if self._absent and self._absent.get(place := (question.key, question.dnssec)) == question:
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


def _names_in(entry: Entry) -> Iterator[bytes]:
    """The keys of the names that have the records of ``entry``, and that their CNAMEs lead to, where it has others."""
    for rrset in () if isinstance(entry.content, tuple) else entry.content.answer:
        yield rrset.key
        if rrset.rrtype == RRType.CNAME:
            yield rrset.rdatas[0].lower()
