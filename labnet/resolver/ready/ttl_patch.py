"""How a DNS answer from the cache ages, byte by byte, so that a ready one need not be made anew each second (sans-IO).

Its TTLs count down, and the extended error that says where it comes from counts up; nothing else of it changes while
the cache has the entries that it is made of. That is looked up, and so counts as a use of them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from labnet.resolver.cache.entry import AgedAnswer, CountedRRset, Entry, Keeper, entries_of
from labnet.wire.dns_common import TYPE_CLASS, RecordPlace
from labnet.wire.types import Answer, Question

_ID: Final = 2  # bytes of a message in front of the answer that is ready
_TTL: Final = struct.Struct("!I")
_LONGEST_TEXT: Final = 200  # bytes; what is longer was cut

_BYTES: Final = 560
_FIELD_BYTES: Final = 80
"""What an :class:`Ageing` takes, and for each of its fields (measured)."""


@dataclass(slots=True)
class Ageing:
    """How an answer ages until the epoch second ``until``; then the cache has to be asked.

    ``fields`` has the entries that it is made of, each with its TTLs: where they stand and what they count down from.
    The last ``text`` bytes say the origin of ``last``. For the question ``absent`` that cache had nothing, or that
    would be the answer.
    """

    fields: list[tuple[Entry, list[tuple[int, int]]]]
    last: Entry | None
    text: int
    absent: tuple[Keeper, Question] | None
    until: float

    @property
    def size(self) -> int:
        """Bytes that it takes, roughly."""
        return _BYTES + _FIELD_BYTES * sum([len(ttls) for _, ttls in self.fields])

    def at(self, answer: bytes, now: float) -> tuple[bytes, float] | None:
        """``answer`` as it is at ``now``, and the epoch second until which it is so; None where the cache is asked."""
        aged, until = bytearray(answer), math.inf
        for entry, ttls in self.fields:
            if not entry.serves_again(now):
                return None
            age = entry.age(now)
            until = min(until, entry.same_until(age))
            for at, whole in ttls:
                _TTL.pack_into(aged, at, max(0, whole - age))
        if self.absent is not None and self.absent[1] in self.absent[0]:
            return None
        if self.last is not None:
            text = self.last.origin(now).encode()
            if len(text) != self.text:
                return None
            aged[-len(text) :] = text
        return bytes(aged), until


def ageing_of(
    reply: bytes, records: Sequence[RecordPlace], answer: Answer, rrtype: int, text: str, now: float
) -> Ageing | None:
    """How ``reply``, the whole message that says ``answer`` to a question of type ``rrtype``, ages from ``now`` on.

    It has these ``records``, and ends with ``text`` where there was room for it. None where it has to be made anew
    after this second: it does not have all records, or an entry is to be asked anew.
    """
    entries, said = entries_of(answer), text.encode()
    last = answer.entry if isinstance(answer, AgedAnswer) else None
    absent = _absent(last, rrtype)
    if not entries or len(said) > _LONGEST_TEXT or any(entry.keeper is None or entry.is_due(now) for entry in entries):
        return None
    fields: dict[int, list[tuple[int, int]]] = {id(entry): [] for entry in entries}
    places = iter(records)
    for rrset in (*answer.answer, *answer.authority, *answer.additional):
        own = list(islice(places, len(rrset.rdatas)))
        if len(own) < len(rrset.rdatas):
            return None
        if any((place.rrtype, place.ttl) != (rrset.rrtype, rrset.ttl) for place in own):
            return None
        if isinstance(rrset, CountedRRset):
            fields[id(rrset.entry)] += [(place.at + TYPE_CLASS.size - _ID, rrset.whole) for place in own]
    return Ageing(
        [(entry, fields[id(entry)]) for entry in entries],
        last if said and reply.endswith(said) else None,
        len(said),
        absent,
        min(entry.rests_until(now) for entry in entries),
    )


def _absent(entry: Entry | None, rrtype: int) -> tuple[Keeper, Question] | None:
    """Where the cache had nothing: what ``entry`` says of type ``rrtype`` was learned for another type."""
    if entry is None or entry.keeper is None or entry.question is None or entry.question.rrtype == rrtype:
        return None
    return entry.keeper, Question(entry.question.key, rrtype)
