"""What a signed zone says beside its answers: signatures, and proofs of what is not there.

The zone is signed in its file; nothing is signed here. A proof is a set of NSEC records (RFC 4035, section 3.1.3) or of
NSEC3 records (RFC 5155, section 7.2), each with its signature. The words: a record *matches* a name that is its owner
(or has its hash), and *covers* a name that falls between its owner and the next. The *closest encloser* of a name is
its nearest ancestor that exists, the *next closer* name is one label longer than that.
"""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, Protocol

from labnet.resolver.records.packed import Node
from labnet.wire.names import ROOT, ancestors, canonical, next_closer
from labnet.wire.types import Answer, Rcode, RRset, RRType

RRSIG: Final = 46
NSEC: Final = 47
NSEC3: Final = 50
NSEC3PARAM: Final = 51

PROVING: Final = frozenset((RRSIG, NSEC, NSEC3))
"""Types that say something of the other records."""

MOST_ITERATIONS: Final = 150
"""Hash iterations of an NSEC3 chain that is used; beyond that answers have no proofs (RFC 9276, section 3.2)."""

_SHA1: Final = 1
_WILDCARD: Final = b"\x01*"


def signature_of(node: Node | None, rrset: RRset) -> Iterator[RRset]:
    """The RRSIGs among a name's records that cover ``rrset``, under its owner and with its TTL."""
    found = None if node is None else node.rrsets.get(RRSIG)
    if found is not None:
        rdatas = tuple([rdata for rdata in found[1] if int.from_bytes(rdata[:2], "big") == rrset.rrtype])
        if rdatas:
            yield RRset(rrset.name, RRSIG, rrset.ttl, rdatas)


class Names(Protocol):
    """The names of the zones that are answered from."""

    def node(self, key: bytes) -> Node | None:
        """The records of a name, or None where it has none."""

    def exists(self, key: bytes) -> bool:
        """Whether there is a name, with records or as an empty non-terminal."""


class SignedZone:
    """What is known of one signed zone.

    ``apex`` are the records of its apex, ``owners`` the keys of its NSEC records, ``hashed`` its NSEC3 records by hash.
    """

    def __init__(self, apex: Node, owners: Iterable[bytes], hashed: Mapping[bytes, Node]) -> None:
        self.apex = apex
        self.owners = sorted((canonical(owner), owner) for owner in owners)
        self.hashed = hashed
        self.hashes = sorted(hashed)
        parameters = apex.rrsets.get(NSEC3PARAM, (0, (b"\0\0\0\0\0",)))[1][0]
        self._iterations = int.from_bytes(parameters[2:4], "big")
        self._salt = parameters[5 : 5 + parameters[4]]
        self.has_nsec3 = parameters[0] == _SHA1 and bool(hashed) and self._iterations <= MOST_ITERATIONS

    def complete(self, names: Names, key: bytes, node: Node | None, answer: Answer) -> Answer:
        """``answer`` with signatures and proofs; ``node`` are the records of its name ``key``, if it has any."""
        return _Prover(self, names).complete(key, node, answer)

    def hash_of(self, name: bytes) -> bytes:
        """The hash of a key (RFC 5155, section 5)."""
        digest = name
        for _ in range(self._iterations + 1):
            digest = hashlib.sha1(digest + self._salt, usedforsecurity=False).digest()
        return digest


class _Prover:
    """Completes one answer of a signed zone; the zone does not know the names, which know the zone."""

    def __init__(self, zone: SignedZone, names: Names) -> None:
        self._zone = zone
        self._node = names.node
        self._exists = names.exists

    def complete(self, key: bytes, node: Node | None, answer: Answer) -> Answer:
        """``answer`` with signatures and proofs; ``node`` are the records of its name ``key``, if it has any."""
        if answer.is_referral:
            return replace(answer, proofs=_each_once(self._of_referral(answer.authority[0].key)))
        source = node
        encloser = key
        if node is None and not self._exists(key):
            encloser = next((name for name in ancestors(key) if self._exists(name)), ROOT)
            source = self._node(_WILDCARD + encloser)
        if answer.answer:
            return self._signed(key, encloser, source, answer)
        proofs = [found for rrset in answer.authority for found in signature_of(self._zone.apex, rrset)]
        if answer.rcode == Rcode.NXDOMAIN:
            proofs += self._no_name(key, encloser)
        elif encloser == key:
            proofs += self._no_data(key)
        else:
            proofs += self._no_data_of_wildcard(key, encloser)
        return replace(answer, proofs=_each_once(proofs))

    def _signed(self, key: bytes, encloser: bytes, source: Node | None, answer: Answer) -> Answer:
        """A positive answer from the records of ``source``, a wildcard's where ``encloser`` is not its name ``key``."""
        first = answer.answer[0]
        if first.key != key:  # a DNAME; the CNAME made of it has no signature (RFC 6672, section 5.3.1)
            return replace(answer, signatures=tuple(signature_of(self._node(first.key), first)))
        signatures = tuple([found for rrset in answer.answer for found in signature_of(source, rrset)])
        proofs = self._no_closer(key, encloser) if encloser != key and signatures else []
        return replace(answer, signatures=signatures, proofs=_each_once(proofs))

    def _of_referral(self, cut: bytes) -> list[RRset]:
        """The DS RRset of a delegation, or that there is none."""
        node = self._node(cut)
        rrset = None if node is None else node.rrset(RRType.DS)
        return self._no_data(cut) if rrset is None else [rrset, *signature_of(node, rrset)]

    def _no_data(self, name: bytes) -> list[RRset]:
        """That ``name`` has no records of a type, or is an empty non-terminal.

        Where opt-out leaves a name without a record of its own, its closest encloser with one proves it.
        """
        return self._matching(name) or self._absent(name, name)[1]

    def _no_name(self, name: bytes, encloser: bytes) -> list[RRset]:
        """That neither ``name`` nor a wildcard for it is there."""
        encloser, absent = self._absent(name, encloser)
        return [*absent, *self._covering(_WILDCARD + encloser)]

    def _no_closer(self, name: bytes, encloser: bytes) -> list[RRset]:
        """That ``name`` is not there, so that the wildcard below ``encloser`` is for it."""
        return self._covering(next_closer(name, encloser) if self._zone.has_nsec3 else name)

    def _no_data_of_wildcard(self, name: bytes, encloser: bytes) -> list[RRset]:
        """That ``name`` is not there, and that the wildcard for it has no records of a type."""
        encloser, absent = self._absent(name, encloser)
        wildcard = _WILDCARD + encloser
        return [*absent, *(self._matching(wildcard) or self._covering(wildcard))]

    def _absent(self, name: bytes, encloser: bytes) -> tuple[bytes, list[RRset]]:
        """That ``name`` is not there, and its closest encloser for which there is a proof.

        By NSEC3 that is the nearest one with a record (RFC 5155, section 7.2.1).
        """
        if not self._zone.has_nsec3:
            return encloser, self._covering(name)
        closer = name
        for ancestor in ancestors(name):
            if found := self._matching(ancestor):
                return ancestor, found if ancestor == name else [*found, *self._covering(closer)]
            closer = ancestor
        return encloser, []

    def _matching(self, name: bytes) -> list[RRset]:
        if self._zone.has_nsec3:
            return _proof(self._zone.hashed.get(self._zone.hash_of(name)), NSEC3)
        return _proof(self._node(name), NSEC)

    def _covering(self, name: bytes) -> list[RRset]:
        if self._zone.has_nsec3:
            return _proof(
                self._zone.hashed[self._zone.hashes[bisect_right(self._zone.hashes, self._zone.hash_of(name)) - 1]],
                NSEC3,
            )
        if not self._zone.owners:
            return []
        place = bisect_right(self._zone.owners, (canonical(name), b"\xff"))
        return _proof(self._node(self._zone.owners[place - 1][1]), NSEC)


def is_of_nsec3(rrset: RRset) -> bool:
    """Whether an RRset is NSEC3 or the signatures of one."""
    return rrset.rrtype == NSEC3 or (rrset.rrtype == RRSIG and int.from_bytes(rrset.rdatas[0][:2], "big") == NSEC3)


def hash_of(owner: bytes) -> bytes:
    """The hash that the key of an NSEC3 record begins with; empty where it is none."""
    try:
        return base64.b32hexdecode(owner[1 : 1 + owner[0]].upper())
    except ValueError:
        return b""


def _proof(node: Node | None, rrtype: int) -> list[RRset]:
    rrset = None if node is None else node.rrset(rrtype)
    return [] if rrset is None else [rrset, *signature_of(node, rrset)]


def _each_once(rrsets: Iterable[RRset]) -> tuple[RRset, ...]:
    return tuple(dict.fromkeys(rrsets))
