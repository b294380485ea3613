"""Proofs by NSEC records (RFC 4035, section 5.4; RFC 6840, section 4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from labnet.resolver.validation.denial import (
    PROVEN,
    Cut,
    DenialProof,
    is_cut,
    is_end,
    lacks,
    read_types,
    unproven,
    unsigned_cut,
)
from labnet.resolver.validation.signatures import WILDCARD
from labnet.wire.dns_common import end_of_name
from labnet.wire.names import ROOT, ancestors, canonical, is_below, text_of
from labnet.wire.types import RRset, RRType, type_text


class Nsec(NamedTuple):
    """One NSEC record: no name is between ``owner`` and ``next`` (keys), and the owner has these ``types``."""

    owner: bytes
    next: bytes
    types: frozenset[int]

    def covers(self, name: bytes) -> bool:
        """Whether ``name`` falls between the two; the last record of a zone leads back to its apex."""
        owner, following, place = canonical(self.owner), canonical(self.next), canonical(name)
        if not owner < place:
            return False
        return place < following or not owner < following

    def encloser(self, name: bytes) -> bytes:
        """The closest encloser of a ``name`` that it covers: the longest ancestor that either of its names has too."""
        return max((_common(name, other) for other in (self.owner, self.next)), key=len)


class NsecProofs:
    """What the NSEC ``rrsets`` of ``zone``, which are verified, prove (:class:`~.denial.Proofs`)."""

    def __init__(self, zone: bytes, rrsets: Iterable[RRset]) -> None:
        self._zone = zone
        self._records = [record for rrset in rrsets for record in _read(rrset)]

    def no_name(self, name: bytes) -> DenialProof:
        covering = self._covering(name, "name")
        wildcard = WILDCARD + covering.encloser(name)
        self._covering(wildcard, "wildcard for")
        return PROVEN

    def no_data(self, name: bytes, rrtype: int) -> DenialProof:
        matching = self._matching(name)
        if matching is None:
            covering = self._covers(name)
            if covering is not None and is_below(covering.next, name):
                return PROVEN  # an empty non-terminal
            if covering is None:
                raise unproven(f"nothing proves that {text_of(name)} has no {type_text(rrtype)}")
            matching = self._matching(WILDCARD + covering.encloser(name))
            if matching is None:
                raise unproven(f"nothing proves that no wildcard gives {text_of(name)} a {type_text(rrtype)}")
        elif (cut := unsigned_cut(matching.types, rrtype, name)) is not None:
            return cut
        why = lacks(matching.types, rrtype, name == ROOT)
        if why is not None:
            raise unproven(f"the NSEC of {text_of(matching.owner)}, for {text_of(name)} {type_text(rrtype)}, {why}")
        return PROVEN

    def no_closer(self, name: bytes, encloser: bytes) -> DenialProof:
        covering = self._covering(name, "name")
        if covering.encloser(name) != encloser:
            raise unproven(f"{text_of(name)} was made of a wildcard that is not the next one above it")
        return PROVEN

    def cut(self, name: bytes) -> tuple[Cut, str]:
        matching = self._matching(name)
        if matching is not None:
            why = lacks(matching.types, RRType.DS, name == ROOT)
            if why is not None:
                raise unproven(f"the NSEC of {text_of(name)}, for its DS, {why}")
            says = f"{text_of(self._zone)} proves that {text_of(name)} has no DS"
            return (Cut.UNSIGNED, says) if is_cut(matching.types) else (Cut.NONE, "")
        covering = self._covers(name)
        if covering is None:
            raise unproven(f"nothing proves that {text_of(name)} has no DS")
        return (Cut.NONE if is_below(covering.next, name) else Cut.ABSENT), ""

    def encloser(self, name: bytes) -> bytes:
        """The closest encloser of ``name``. Raises :class:`~labnet.resolver.upstream.errors.Bogus`."""
        return self._covering(name, "name").encloser(name)

    def _matching(self, name: bytes) -> Nsec | None:
        return next((record for record in self._records if record.owner == name), None)

    def _covers(self, name: bytes) -> Nsec | None:
        """The record that covers ``name``, which is in the zone, and may say so."""
        for record in self._records:
            is_beyond = is_end(record.types) and record.owner != name and is_below(name, record.owner)
            if not is_beyond and is_below(name, self._zone) and record.covers(name):
                return record
        return None

    def _covering(self, name: bytes, what: str) -> Nsec:
        """The record by which there is no ``name``."""
        record = self._covers(name)
        if record is None or is_below(record.next, name):
            raise unproven(f"nothing proves that there is no {what} {text_of(name)}")
        return record


def _read(rrset: RRset) -> Iterable[Nsec]:
    for rdata in rrset.rdatas[:1]:
        try:
            end = end_of_name(rdata, 0)
            yield Nsec(rrset.key, rdata[:end].lower(), read_types(rdata[end:]))
        except (ValueError, IndexError):
            continue


def _common(name: bytes, other: bytes) -> bytes:
    """The longest name that both are or are below."""
    others = set(ancestors(other))
    return next(ancestor for ancestor in ancestors(name) if ancestor in others)
