"""Proofs by NSEC3 records (RFC 5155, section 8; RFC 9276, section 3.2)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

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
from labnet.resolver.validation.work import Work
from labnet.wire.names import ROOT, ancestors, is_below, next_closer, parent, text_of
from labnet.wire.types import InfoCode, RRset, RRType, Security, type_text

MOST_ITERATIONS: Final = 150
"""Hash iterations of a chain that counts; with more of them its zone's denials are insecure (RFC 9276, section 3.2)."""

_SHA1: Final = 1
_OPT_OUT: Final = 1
_HEAD: Final = 5


class Nsec3(NamedTuple):
    """One NSEC3 record: no hash is between ``hash`` and ``next``, and the name of the first has these ``types``."""

    hash: bytes
    next: bytes
    opt_out: bool
    types: frozenset[int]
    iterations: int
    salt: bytes

    def covers(self, hash: bytes) -> bool:
        """Whether ``hash`` falls between the two; the last record leads back to the first."""
        if self.hash < self.next:
            return self.hash < hash < self.next
        return hash > self.hash or hash < self.next


class _Encloser(NamedTuple):
    """The closest encloser of a name, and the record that covers the next closer name, if one does."""

    name: bytes
    closer: Nsec3 | None


class Nsec3Proofs:
    """What the NSEC3 ``rrsets`` of ``zone``, which are verified, prove (:class:`~.denial.Proofs`), within ``work``."""

    def __init__(self, zone: bytes, rrsets: Iterable[RRset], work: Work) -> None:
        records = [record for rrset in rrsets for record in _read(zone, rrset)]
        self._zone = zone
        self._work = work
        self._records = [record for record in records if _chain(record) == _chain(records[0])]
        self._iterations, self._salt = _chain(records[0]) if records else (0, b"")
        self._hashes: dict[bytes, bytes] = {}

    @property
    def _too_costly(self) -> DenialProof | None:
        if self._iterations <= MOST_ITERATIONS:
            return None
        says = (
            f"the NSEC3 records of {text_of(self._zone)} take {self._iterations} iterations, and above "
            f"{MOST_ITERATIONS} they count for nothing"
        )
        return DenialProof(Security.INSECURE, says, InfoCode.UNSUPPORTED_NSEC3_ITERATIONS)

    def no_name(self, name: bytes) -> DenialProof:
        if (costly := self._too_costly) is not None:
            return costly
        encloser = self._encloser(name)
        closer = self._closer(encloser, name)
        if self._covering(WILDCARD + encloser.name) is None:
            raise unproven(f"nothing proves that there is no wildcard for {text_of(name)}")
        return self._opted(closer, name)

    def no_data(self, name: bytes, rrtype: int) -> DenialProof:
        if (costly := self._too_costly) is not None:
            return costly
        matching = self._matching(name)
        opted = PROVEN
        if matching is None:
            encloser = self._encloser(name)
            closer = self._closer(encloser, name)
            opted = self._opted(closer, name)
            matching = self._matching(WILDCARD + encloser.name)
            if matching is None:
                if opted is not PROVEN:
                    return opted
                raise unproven(f"nothing proves that {text_of(name)} has no {type_text(rrtype)}")
        elif (cut := unsigned_cut(matching.types, rrtype, name)) is not None:
            return cut
        why = lacks(matching.types, rrtype, name == ROOT)
        if why is not None:
            raise unproven(f"the NSEC3 for {text_of(name)} {type_text(rrtype)} {why}")
        return opted

    def no_closer(self, name: bytes, encloser: bytes) -> DenialProof:
        if (costly := self._too_costly) is not None:
            return costly
        closer = self._covering(next_closer(name, encloser))
        if closer is None:
            raise unproven(f"nothing proves that there is no name {text_of(name)}, which was made of a wildcard")
        return self._opted(closer, name)

    def cut(self, name: bytes) -> tuple[Cut, str]:
        if (costly := self._too_costly) is not None:
            return Cut.UNSIGNED, costly.reason
        matching = self._matching(name)
        if matching is not None:
            why = lacks(matching.types, RRType.DS, name == ROOT)
            if why is not None:
                raise unproven(f"the NSEC3 for the DS of {text_of(name)} {why}")
            says = f"{text_of(self._zone)} proves that {text_of(name)} has no DS"
            return (Cut.UNSIGNED, says) if is_cut(matching.types) else (Cut.NONE, "")
        closer = self._closer(self._encloser(name), name)
        if closer.opt_out:
            return Cut.UNSIGNED, f"{text_of(self._zone)} leaves {text_of(name)} out of what it signs (opt-out)"
        return Cut.ABSENT, ""

    def _encloser(self, name: bytes) -> _Encloser:
        """The closest encloser that is proven for ``name``, which has no record of its own (RFC 5155, section 8.3)."""
        closer = name
        for ancestor in ancestors(parent(name)):
            if not is_below(ancestor, self._zone):
                break
            matching = self._matching(ancestor)
            if matching is not None:
                if is_end(matching.types):
                    raise unproven(f"{text_of(ancestor)} ends the zone that would prove something of {text_of(name)}")
                return _Encloser(ancestor, self._covering(closer))
            closer = ancestor
        raise unproven(f"nothing proves which name above {text_of(name)} exists")

    def _closer(self, encloser: _Encloser, name: bytes) -> Nsec3:
        if encloser.closer is None:
            raise unproven(f"nothing proves that there is no name {text_of(name)}")
        return encloser.closer

    def _opted(self, closer: Nsec3, name: bytes) -> DenialProof:
        if not closer.opt_out:
            return PROVEN
        return DenialProof(
            Security.INSECURE, f"{text_of(self._zone)} leaves out what may be at {text_of(name)} (opt-out)"
        )

    def _matching(self, name: bytes) -> Nsec3 | None:
        hash = self._hash(name)
        return next((record for record in self._records if record.hash == hash), None)

    def _covering(self, name: bytes) -> Nsec3 | None:
        hash = self._hash(name)
        return next((record for record in self._records if record.covers(hash)), None)

    def _hash(self, name: bytes) -> bytes:
        """The hash of a key (RFC 5155, section 5)."""
        found = self._hashes.get(name)
        if found is None:
            self._work.hash(self._iterations + 1)
            found = name
            for _ in range(self._iterations + 1):
                found = hashlib.sha1(found + self._salt, usedforsecurity=False).digest()
            self._hashes[name] = found
        return found


def _chain(record: Nsec3) -> tuple[int, bytes]:
    return record.iterations, record.salt


def _read(zone: bytes, rrset: RRset) -> Iterable[Nsec3]:
    """The record in ``rrset``, if it is one of ``zone`` of a known hash and with known flags (RFC 5155, 8.1, 8.2)."""
    owner = rrset.key
    if parent(owner) != zone:
        return
    for rdata in rrset.rdatas[:1]:
        try:
            hash = base64.b32hexdecode(owner[1 : 1 + owner[0]].upper())
            salted = _HEAD + rdata[4]
            end = salted + 1 + rdata[salted]
            following, types = rdata[salted + 1 : end], read_types(rdata[end:])
        except (ValueError, IndexError):
            continue
        if rdata[0] == _SHA1 and not rdata[1] & ~_OPT_OUT and len(following) == len(hash):
            iterations = int.from_bytes(rdata[2:4], "big")
            yield Nsec3(hash, following, bool(rdata[1] & _OPT_OUT), types, iterations, rdata[_HEAD:salted])
