"""What a resolver knows, for who looks at it: names of all kinds, and its parents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from labnet.events import ASKING, Story
from labnet.interfaces import IParent
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.dump import data_text
from labnet.resolver.cache.entry import Entry
from labnet.resolver.engine.resolver import Resolver
from labnet.resolver.forwarding import Forwarding
from labnet.resolver.records.packed import unpack
from labnet.resolver.upstream.errors import ParentFailed
from labnet.wire.names import key_of, text_of
from labnet.wire.quoting import quoted
from labnet.wire.types import Question, Rcode, RRType, Upstream, type_text

KINDS: Final = ("record", "learned", "negative", "failure")

MOST_LOOKED_AT: Final = 20_000
"""Names that one look at them takes in; then it says where to go on."""

LAST_PLACE: Final = 200_000
"""Names behind which no look goes on: the whole of a large zone is no list for people."""

Row = dict[str, Any]


class Inspection:
    """Looks at ``resolver``, which is called ``name``."""

    def __init__(
        self, name: str, resolver: Resolver, cache: Cache, forwarding: Forwarding, clock: IReactorTime
    ) -> None:
        self._name = name
        self._resolver = resolver
        self._cache = cache
        self._forwarding = forwarding
        self._clock = clock

    def names(self, find: str = "", kind: str = "", limit: int = 100, after: int = 0) -> tuple[list[Row], int | None]:
        """At least ``limit`` rows of names with ``find`` in them, if there are so many, from the place ``after`` on.

        They are of one ``kind``, or of all. With them the place to go on from, None where those were the last.
        """
        found: list[Row] = []
        place, wanted = after, find.lower()
        for key, rows in islice(self._names(kind), after, min(LAST_PLACE, after + MOST_LOOKED_AT)):
            place += 1
            if wanted in text_of(key).lower():
                found += rows()
                if len(found) >= limit:
                    return found, place
        is_whole_look = place == after + MOST_LOOKED_AT and place < LAST_PLACE
        return found, place if is_whole_look else None

    def _names(self, kind: str) -> Iterator[tuple[bytes, Callable[[], list[Row]]]]:
        """Every name, those of records first, and what makes its rows."""
        now = self._clock.seconds()
        if kind in ("", "record"):
            records = self._resolver.zone.data.records
            for key, value in list(records.others()):
                if value:  # else it is an empty non-terminal
                    yield key, partial(self._records, key, value)
            bulk = records.bulk()
            for _, place in bulk.addresses():
                key = bulk.key(place)
                yield key, partial(self._records, key, bulk.value(place))
        if kind in ("", "learned", "negative"):
            for question, entry in self._cache.valid(now):
                if kind in ("", "negative" if entry.is_negative else "learned"):
                    yield question.key, partial(_learned, question, entry, now, entry.is_negative)
        if kind in ("", "failure"):
            for question, entry in self._resolver.flights.failures.valid(now):
                yield question.key, partial(_failed, question, entry, now)

    def _records(self, key: bytes, value: bytes) -> list[Row]:
        node = unpack(value, key, self._resolver.zone.data.loaded_at)
        if not node.rrsets and node.mapping is not None:
            return [_record(key, "A", node.mapping.address, node.mapping.ttl)]
        return [
            _record(node.name, type_text(rrtype), data_text(rrtype, rdata), ttl)
            for rrtype, (ttl, rdatas) in node.rrsets.items()
            for rdata in rdatas[:20]
        ]

    def parents(self) -> Iterator[Row]:
        """Each parent as it is, and whether it would be asked next, and why."""
        for domain, parents in self._forwarding.parents.items():
            states = {state.address: state for state in parents.states()}
            for place, (address, why, rtts, tries) in enumerate(parents.prospects()):
                state = states[address]
                yield {
                    "resolver": self._name,
                    "domain": text_of(domain),
                    "address": address,
                    "state": "up" if state.down_until is None else "down",
                    "rtt": state.srtt,
                    "rtts": rtts,
                    "timeout": state.timeout,
                    "tries": tries,
                    "failures": state.failures,
                    "next": place == 0,
                    "why": why,
                }

    def ask_parent(self, address: str, name: str, rrtype: int = RRType.A) -> Deferred[Row]:
        """Ask the parent at ``address`` for ``name`` now, whatever is known; nothing is learned of it.

        Raises LookupError where there is no such parent.
        """
        for parents in self._forwarding.parents.values():
            for parent in parents.each():
                if parent.address == address:
                    return Deferred.fromCoroutine(self._ask_parent(parent, Question(key_of(name), rrtype, name)))
        raise LookupError(f"{self._name} has no parent {address!r}")

    async def _ask_parent(self, parent: IParent, question: Question) -> Row:
        story = Story(self._name, "", self._clock.seconds)
        ASKING.set(story)
        began = self._clock.seconds()
        try:
            upstream = await parent.ask(question)
            says, answered = _said(upstream), True
        except ParentFailed as error:
            says, answered = str(error), False
        took = round(1000 * max(0.0, self._clock.seconds() - began), 3)
        why = [{"kind": step.kind, "sentence": quoted(step.sentence)} for step in story.steps]
        return {"address": parent.address, "answered": answered, "says": quoted(says), "milliseconds": took, "why": why}


def _record(name: bytes, rrtype: str, data: str, ttl: int) -> Row:
    table = {"name": quoted(text_of(name)), "type": rrtype, "data": quoted(data), "ttl": ttl, "left": None}
    return {**table, "kind": "record", "from": "records", "since": None}


def _failed(question: Question, entry: Entry, now: float) -> list[Row]:
    (row,) = _learned(question, entry, now, True)
    why = "; ".join(error.text for error in entry.answer.errors)
    return [{**row, "kind": "failure", "data": quoted(why)}]


def _learned(question: Question, entry: Entry, now: float, is_negative: bool) -> list[Row]:
    answer = entry.answer
    if answer.mapping is not None and not answer.answer:
        data = answer.mapping.address
    elif is_negative:
        data = "no such name" if answer.rcode == Rcode.NXDOMAIN else "no such records"
    else:
        data = ", ".join(data_text(rrset.rrtype, rdata) for rrset in answer.answer[:4] for rdata in rrset.rdatas[:8])
    row = {
        "name": quoted(text_of(question.key)),
        "type": type_text(question.rrtype),
        "data": quoted(data),
        "ttl": entry.ttl,
        "left": max(0.0, round(entry.since + entry.ttl - now, 3)),
        "kind": "negative" if is_negative else "learned",
        "from": quoted(entry.source),
        "since": entry.since,
    }
    return [row]


def _said(upstream: Upstream) -> str:
    if upstream.course_reply is not None:
        return upstream.course_reply.address
    records = [data_text(rrset.rrtype, rdata) for rrset in upstream.rrsets for rdata in rrset.rdatas]
    return ", ".join(records) or upstream.rcode.name
