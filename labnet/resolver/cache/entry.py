"""What is known of one question, and for how long."""

from __future__ import annotations

import math
import socket
from dataclasses import dataclass, field, replace
from sys import getsizeof
from typing import Final, Protocol

from labnet.events import Step
from labnet.resolver.reasons import error_of
from labnet.wire.names import text_of
from labnet.wire.types import (
    Answer,
    ExtendedError,
    InfoCode,
    Mapping,
    Question,
    Rcode,
    RRset,
    RRType,
    Security,
)

# Bytes of CPython's objects beside the names, rdatas and texts in them (measured; tests hold them to that).
_ENTRY_BYTES: Final = 620  # the entry, its answer and question, and its place in the table
_PACKED_BYTES: Final = 410  # the same where there are records alone
_RRSET_BYTES: Final = 165
_RDATA_BYTES: Final = 45
_MAPPING_BYTES: Final = 215
_ERROR_BYTES: Final = 56

_FORGEABLE: Final = ExtendedError(InfoCode.OTHER, "told by a text: parent, whose replies can be forged")
_STALE_TTL: Final = 30  # seconds; RFC 8767, section 4
_REFRESH_SHARE: Final = 0.1

Rdatas = tuple[bytes, ...]
"""The records of the very name and type that a question asks for, in wire form, where those are its whole answer."""


class Keeper(Protocol):
    """The cache that has an entry."""

    def __contains__(self, question: object) -> bool:
        """Whether it has an entry for ``question``, even past its lifetime."""

    def find(self, question: Question, now: float) -> Entry | None:
        """The valid entry for ``question`` at ``now`` (epoch seconds); that is a use of it."""


@dataclass(slots=True)
class Entry:
    """One answer as it came from ``source``: ``since`` in epoch seconds, ``ttl`` its lifetime in seconds.

    Its ``content`` is that answer, or no more than the records in it, of the name and type of its ``question``: so most
    are learned, many are never asked for again, and the answer of one address is eight objects.
    """

    content: Answer | Rdatas
    since: float
    ttl: int
    source: str
    from_course: bool = False
    """Whether it came from a course parent: then it lives for its TTL and is never refreshed early."""
    refreshed: bool = False
    """Whether it is being asked anew already."""
    question: Question | None = field(default=None, compare=False, repr=False)
    """What it is kept for; None where it never was, and has an answer."""
    keeper: Keeper | None = field(default=None, compare=False, repr=False)
    """Where it is kept, or was."""
    size: int = field(default=0, compare=False, repr=False)
    """Bytes that it takes there, roughly."""

    @property
    def answer(self) -> Answer:
        """What it answers; made each time where it has the records alone."""
        content = self.content
        return self._answer_of(content) if isinstance(content, tuple) else content

    @property
    def is_negative(self) -> bool:
        """Whether it says that something is not there."""
        content = self.content
        return not (isinstance(content, tuple) or content.answer or content.mapping)

    @property
    def security(self) -> Security:
        """What validation found of it."""
        return Security.INDETERMINATE if isinstance(self.content, tuple) else self.content.security

    def unpack(self) -> None:
        """Have the answer at hand from now on."""
        self.content = self.answer
        self.size = size_of(self)

    def _answer_of(self, rdatas: Rdatas) -> Answer:
        asked = self.question
        assert asked is not None
        rrsets = (RRset(asked.key, asked.rrtype, self.ttl, rdatas),)
        return Answer(Rcode.NOERROR, rrsets, mapping=mapping_of(asked, rrsets, self.ttl, self.since))

    @property
    def errors(self) -> tuple[ExtendedError, ...]:
        """The extended errors of its answer; one says where a course parent told it."""
        content = self.content
        if isinstance(content, tuple):
            return ()
        return (*content.errors, _FORGEABLE) if self.from_course else content.errors

    def is_valid(self, now: float) -> bool:
        """Whether its age is at most its TTL."""
        return now - self.since <= self.ttl

    def age(self, now: float) -> int:
        """Whole seconds at ``now``; none by a clock that was set back."""
        return max(0, int(now - self.since))

    def same_until(self, age: int) -> float:
        """The epoch second at which the answer that it gives at ``age`` (seconds) changes."""
        return self.since + min(age + 1, self.ttl)

    def aged(self, now: float, of_type: Answer | None = None) -> AgedAnswer:
        """The answer at ``now``, its TTLs counted down (RFC 1035, section 3.2.1) and its origin said.

        It is ``of_type``, what this entry says of another type, where that is given.
        """
        age, whole = self.age(now), of_type or self.answer
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
        if self.keeper is None or self.question is None:
            return False
        return self.keeper.find(self.question, now) is self and not (self.refreshed or self.is_due(now))


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


def packed(question: Question, answer: Answer, ttl: int) -> Answer | Rdatas:
    """The content of an entry for ``question`` that says ``answer`` and lives for ``ttl`` seconds."""
    rrset = answer.answer[0] if len(answer.answer) == 1 else None
    if rrset is None or (rrset.name, rrset.rrtype, rrset.ttl) != (question.key, question.rrtype, ttl):
        return answer
    is_all = answer == Answer(Rcode.NOERROR, answer.answer, mapping=answer.mapping)
    return rrset.rdatas if is_all else answer


def packed_size(key: bytes, rdatas: Rdatas) -> int:
    """Bytes that an entry for the name ``key`` takes, within a fifth, that has no more than ``rdatas``."""
    return _PACKED_BYTES + len(key) + _RDATA_BYTES * len(rdatas) + len(b"".join(rdatas))


def size_of(entry: Entry) -> int:
    """Bytes that ``entry`` takes of the process's memory, within a fifth."""
    answer = entry.content
    if isinstance(answer, tuple):
        return packed_size(b"" if entry.question is None else entry.question.key, answer)
    size = _ENTRY_BYTES
    for rrset in answer.answer + answer.authority + answer.signatures + answer.proofs:
        rdatas = rrset.rdatas
        size += _RRSET_BYTES + len(rrset.name) + _RDATA_BYTES * len(rdatas) + len(b"".join(rdatas))
    if answer.mapping is not None:
        size += _MAPPING_BYTES + len(answer.mapping.name) + len(answer.mapping.address)
    for error in answer.errors:
        size += _ERROR_BYTES + getsizeof(error.text)
    return size


def mapping_of(question: Question, rrsets: tuple[RRset, ...], ttl: int, now: float) -> Mapping | None:
    """What a course client gets of a DNS answer: the first address at the end of the chain."""
    if not rrsets or question.rrtype != RRType.A or rrsets[-1].rrtype != RRType.A:
        return None
    last = rrsets[-1]
    return Mapping(text_of(question.key), socket.inet_ntoa(last.rdatas[0]), ttl, True, now)
