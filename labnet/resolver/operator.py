"""What an operator asks of one resolver while it runs: why it would answer what, and other records until a reload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import dns.exception
import dns.rdatatype
from twisted.internet.interfaces import IReactorTime

from labnet.events import Story
from labnet.interfaces import IResolver, IScreen, IScreens
from labnet.resolver.cache.dump import record_lines, shown_name
from labnet.resolver.clients.counts import by_of
from labnet.resolver.engine.resolver import Resolver
from labnet.resolver.files.entries import EntryError, Scope, bounded, read_record
from labnet.resolver.records.editing import EditError, add_mapping, add_record, remove_records
from labnet.resolver.records.zone import Zone
from labnet.resolver.upstream.selection import Parents
from labnet.wire.course_line import TextError, parse_line
from labnet.wire.names import ROOT, key_of_shown
from labnet.wire.quoting import quoted
from labnet.wire.types import Answer, Question, RRset, RRType, type_text

MOST_EDITS: Final = 10_000
"""Records that may be added between two reloads."""

TTL: Final = 3600
"""Seconds of a record that is added without a TTL."""


class OperatorError(Exception):
    """What is asked cannot be done; the text is a sentence."""


class Operator:
    """The orders to the ``resolver`` of a name; ``changed`` is called when its records are others.

    ``title`` is that name. Every method raises :class:`OperatorError`.
    """

    def __init__(self, title: str, resolver: Resolver, changed: Callable[[], object], clock: IReactorTime) -> None:
        self._title = title
        self._resolver = resolver
        self._changed = changed
        self._clock = clock
        self.answers: IResolver = resolver
        """What answers clients: the resolver, or what stands before it."""
        self.screens: IScreens | None = None
        """What is kept from whom."""
        self._edits = 0
        self._edited: Zone | None = None

    def lookup(self, name: str, rrtype: str = "A", client: str = "") -> dict[str, Any]:
        """What would answer ``name`` now, for JSON: the steps, and either the answer or the parents to be asked.

        Where it matters who asks, that is the ``client`` (an address), else one that is in no network of a list.
        Nobody is asked, and nothing is counted.
        """
        question = Question(key_of_shown(name), _type_of(rrtype))
        story = Story(self._title, "", self._clock.seconds)
        story.is_afterwards = True
        answer = self.answers.known(question, True, story, self._screen_of(client))
        for step in story.steps:
            if step.kind == "alias":
                question = Question(key_of_shown(str(step.values["target"])), question.rrtype)
        found: dict[str, Any] = {
            "resolver": self._title,
            "steps": [quoted(step.sentence) for step in story.steps],
            "status": None if answer is None else answer.rcode.name,
            "answer": [] if answer is None else list(_lines(answer)),
            "list": by_of(answer),
            "parents": [],
        }
        if answer is None:
            found["parents"] = self._parents(question)
            found["asked"] = f"{shown_name(question.key)} {type_text(question.rrtype)}"
        return found

    def _screen_of(self, client: str) -> IScreen | None:
        if self.screens is None:
            return None
        try:
            return self.screens.of(client) if client else self.screens.usual
        except ValueError:
            raise OperatorError(f"{client!r} is no IP address") from None

    def add(self, text: str) -> list[str]:
        """Serve one more record, as a master file or a line of the course has it; what is served then, a line each.

        Names are whole ones, with or without their final dot; without a TTL it is :data:`TTL`.
        """
        zone = self._resolver.zone
        if self._edits_of(zone) >= MOST_EDITS:
            raise OperatorError(f"{MOST_EDITS} records were added since the last reload: put them into a file")
        try:
            if "," in text and not any(sign.isspace() for sign in text):
                mapping = parse_line(text.encode("utf-8", "surrogatepass"), zone.data.loaded_at)
                add_mapping(zone.data, replace(mapping, learned=False))
                shown = [f"{quoted(mapping.name)},{quoted(mapping.address)},{mapping.ttl}"]
            else:
                rrset = _record(text)
                add_record(zone.data, rrset)
                shown = list(record_lines(rrset))
        except (EditError, EntryError, TextError) as error:
            raise OperatorError(str(error)) from None
        self._edits += 1
        self._changed()
        return shown

    def remove(self, name: str, rrtype: str | None = None, text: str = "") -> int:
        """Serve the records of ``name`` no longer, those of a type, or the one with the data ``text``; how many."""
        zone, key = self._resolver.zone, key_of_shown(name)
        kind = None if rrtype is None else _type_of(rrtype)
        try:
            # An address of the course may be none, and then its text alone counts.
            rdata = _record(f". {type_text(kind)} {text}").rdatas[0] if text and kind is not None else b""
        except EntryError as error:
            if kind != RRType.A:
                raise OperatorError(str(error)) from None
            rdata = text.encode("utf-8", "surrogatepass")
        try:
            count = remove_records(zone.data, key, kind, text, rdata)
        except EditError as error:
            raise OperatorError(str(error)) from None
        if count:
            self._changed()
        return count

    def requests(self) -> Iterator[dict[str, Any]]:
        """The questions that parents are being asked, the oldest first, for JSON; times in seconds."""
        now = self._clock.seconds()
        for flight in self._resolver.flights:
            yield {
                "resolver": self._title,
                "name": shown_name(flight.question.key),
                "type": type_text(flight.question.rrtype),
                "seconds": round(max(0.0, now - flight.since), 3),
                "clients": len(flight.late) + len(flight.waiting),
                "parents": getattr(self._resolver.parent_of(flight.question), "address", ""),
            }

    def _edits_of(self, zone: Zone) -> int:
        if self._edited is not zone:
            self._edited, self._edits = zone, 0
        return self._edits

    def _parents(self, question: Question) -> list[str]:
        parent = self._resolver.parent_of(question)
        if not isinstance(parent, Parents):
            return [] if parent is None else [quoted(parent.address)]
        return [f"{quoted(state.address)} ({_health(state)})" for state in parent.states()]


def _health(state: Any) -> str:
    if state.down_until is not None:
        return "down"
    return "not asked yet" if state.srtt is None else f"up, {state.srtt * 1000:.1f} ms"


def _lines(answer: Answer) -> Iterator[str]:
    for rrset in answer.answer:
        yield from record_lines(rrset)
    if not answer.answer and answer.mapping is not None:
        yield f"{quoted(answer.mapping.name)},{quoted(answer.mapping.address)},{answer.mapping.ttl}"


def _record(text: str) -> RRset:
    rrset = read_record(text, Scope(origin=ROOT, default_ttl=TTL))
    if rrset is None:
        raise EntryError("there is no record: NAME TTL TYPE DATA, or NAME,ADDRESS,TTL")
    return replace(rrset, ttl=bounded(rrset.ttl))


def _type_of(text: str) -> int:
    try:
        return int(dns.rdatatype.from_text(text))
    except (dns.exception.DNSException, ValueError):
        raise OperatorError(f"{text!r} is no record type: A, AAAA, MX, TXT, … or TYPE and a number") from None
