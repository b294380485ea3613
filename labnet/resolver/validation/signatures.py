"""One RRset and the keys of one zone: is there a signature that holds now (RFC 4034, section 3; RFC 4035, 5.3)?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from struct import Struct
from typing import Final, NamedTuple

import dns.dnssecalgs
import dns.dnssectypes
import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from dns.dnssecalgs.base import GenericPublicKey
from dns.rdtypes.ANY.DNSKEY import DNSKEY

from labnet.resolver.upstream.errors import Bogus
from labnet.resolver.validation.work import Work
from labnet.wire.dns_common import IN, end_of_name
from labnet.wire.names import text_of
from labnet.wire.rdata import WITH_NAMES, names_at
from labnet.wire.types import InfoCode, RRset, RRType, type_text

ALGORITHMS: Final = frozenset((5, 7, 8, 10, 13, 14, 15, 16))
"""Those that are validated: RSA with SHA-1, SHA-256 and SHA-512, ECDSA, and the Edwards curves (RFC 8624, 3.1)."""

MOST_SIGNATURES: Final = 8
"""Signatures of one RRset that are looked at."""

MOST_SAME_TAG: Final = 4
"""Keys of one tag and algorithm that are tried with one signature."""

_MOST_VERIFIED: Final = 32
"""Signatures of one key that are known to hold: a SOA and the same few proofs stand beside many answers."""

_FIXED: Final = Struct("!HBBIIIH")
_KEY: Final = Struct("!HBB")
_ZONE_KEY, _REVOKED = 0x0100, 0x0080
_DNSSEC_PROTOCOL: Final = 3
WILDCARD: Final = b"\x01*"
"""The first label of a wildcard's key."""


class Signature(NamedTuple):
    """An RRSIG (RFC 4034, section 3.1): ``signer`` is a key, ``signed`` its own part of what is signed."""

    covered: int
    algorithm: int
    labels: int
    original_ttl: int
    expiration: int
    inception: int
    tag: int
    signer: bytes
    signature: bytes
    signed: bytes


class ZoneKey:
    """A DNSKEY record (RFC 4034, section 2). Raises ValueError for data that is none."""

    def __init__(self, rdata: bytes) -> None:
        if len(rdata) <= _KEY.size:
            raise ValueError("a DNSKEY record without a key")
        self.rdata = rdata
        self.flags, self.protocol, self.algorithm = _KEY.unpack_from(rdata)
        self.tag = tag_of(rdata)
        self._verified: dict[bytes, None] = {}

    @property
    def signs(self) -> bool:
        """Whether it may sign a zone: a zone key, of this protocol, not revoked (RFC 4034, 2.1; RFC 5011, 2.1)."""
        return bool(self.flags & (_ZONE_KEY | _REVOKED) == _ZONE_KEY and self.protocol == _DNSSEC_PROTOCOL)

    @property
    def is_zone_key(self) -> bool:
        """Whether it has the bit of a zone's key."""
        return bool(self.flags & _ZONE_KEY)

    @cached_property
    def _public(self) -> GenericPublicKey | None:
        try:
            key = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.DNSKEY, self.rdata, 0, len(self.rdata))
            assert isinstance(key, DNSKEY)
            return dns.dnssecalgs.get_algorithm_cls_from_dnskey(key).public_cls.from_dnskey(key)
        except (ValueError, LookupError, UnsupportedAlgorithm, dns.exception.DNSException):
            return None  # not a point of its curve, an exponent that cannot be, …

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether ``signature`` is of ``data`` and by this key."""
        signed = hashlib.sha256(signature + data).digest()
        public = self._public
        if public is None or signed in self._verified:
            return public is not None
        try:
            public.verify(signature, data)
        except (InvalidSignature, ValueError, UnsupportedAlgorithm, dns.exception.DNSException):
            return False
        if len(self._verified) >= _MOST_VERIFIED:
            self._verified.clear()
        self._verified[signed] = None
        return True


class Keys(NamedTuple):
    """The keys by which what is in the zone of this name is checked."""

    zone: bytes
    keys: tuple[ZoneKey, ...]


def tag_of(rdata: bytes) -> int:
    """The key tag of a DNSKEY record (RFC 4034, appendix B)."""
    total = sum(rdata[::2]) * 256 + sum(rdata[1::2])
    return (total + (total >> 16)) & 0xFFFF


def algorithm_text(algorithm: int) -> str:
    """An algorithm of keys by its mnemonic, or its number."""
    return str(dns.dnssectypes.Algorithm.to_text(dns.dnssectypes.Algorithm.make(algorithm)))


def signatures_of(rrset: RRset, among: Iterable[RRset]) -> list[Signature]:
    """The RRSIGs ``among`` others that cover ``rrset``; what cannot be read is none."""
    key, found = rrset.key, []
    for one in among:
        if one.rrtype == RRType.RRSIG and one.key == key:
            for rdata in one.rdatas:
                signature = read_signature(rdata)
                if signature is not None and signature.covered == rrset.rrtype:
                    found.append(signature)
    return found


def read_signature(rdata: bytes) -> Signature | None:
    """The RRSIG in ``rdata``; None where it is none."""
    try:
        end = end_of_name(rdata, _FIXED.size)
        fixed = _FIXED.unpack_from(rdata)
    except (ValueError, IndexError):
        return None
    signer = rdata[_FIXED.size : end].lower()
    return Signature._make((*fixed, signer, rdata[end:], rdata[: _FIXED.size] + signer))


def verify(rrset: RRset, signatures: Sequence[Signature], keys: Keys, now: float, work: Work) -> Signature:
    """The first of ``signatures`` that holds for ``rrset`` at ``now`` (seconds of the day's clock) by one of ``keys``.

    Raises :class:`Bogus` where none does; the text is about the first one.
    """
    wrong = []
    for signature in signatures[:MOST_SIGNATURES]:
        why = _wrong(rrset, signature, keys, now, work)
        if why is None:
            return signature
        wrong.append(why)
    raise wrong[0] if wrong else unsigned(rrset, keys.zone)


def unsigned(rrset: RRset, zone: bytes) -> Bogus:
    """What is wrong with an ``rrset`` without a signature in a ``zone`` that is signed."""
    return Bogus(f"{rrset_text(rrset)} has no signature, and {text_of(zone)} is signed", InfoCode.RRSIGS_MISSING)


def _wrong(rrset: RRset, signature: Signature, keys: Keys, now: float, work: Work) -> Bogus | None:
    """Why ``signature`` does not hold."""
    if signature.signer != keys.zone:
        return _bogus(rrset, signature, f" is not by its zone, {text_of(keys.zone)}")
    if signature.labels > _count_labels(rrset.key):
        return _bogus(rrset, signature, f" is for a name of {signature.labels} labels")
    if _is_before(signature.expiration, now):
        says = f" expired {_time_text(signature.expiration, now)}"
        return _bogus(rrset, signature, says, InfoCode.SIGNATURE_EXPIRED)
    if _is_before(now, signature.inception):
        says = f" is not valid before {_time_text(signature.inception, now)}"
        return _bogus(rrset, signature, says, InfoCode.SIGNATURE_NOT_YET_VALID)
    if signature.algorithm not in ALGORITHMS:
        says = f" is of algorithm {algorithm_text(signature.algorithm)}, which cannot be checked here"
        return _bogus(rrset, signature, says, InfoCode.UNSUPPORTED_DNSKEY_ALGORITHM)
    fitting = [key for key in keys.keys if key.tag == signature.tag and key.algorithm == signature.algorithm]
    able = [key for key in fitting if key.signs]
    if not able:
        if fitting and not any(key.is_zone_key for key in fitting):
            return _bogus(rrset, signature, ": that key is no zone key", InfoCode.NO_ZONE_KEY_BIT_SET)
        return _bogus(rrset, signature, f": {text_of(keys.zone)} has no such key", InfoCode.DNSKEY_MISSING)
    data = signed_data(rrset, signature)
    for key in able[:MOST_SAME_TAG]:
        work.verify()
        if key.verifies(signature.signature, data):
            return None
        work.failed()
    return _bogus(rrset, signature, " does not fit: the records or the signature were changed")


def _bogus(rrset: RRset, signature: Signature, says: str, code: InfoCode = InfoCode.DNSSEC_BOGUS) -> Bogus:
    """That ``signature`` does not hold, which ``says`` why."""
    by = f"by key {signature.tag} of {text_of(signature.signer)}"
    return Bogus(f"the signature of {rrset_text(rrset)} {by}{says}", code)


def signed_data(rrset: RRset, signature: Signature) -> bytes:
    """The bytes that ``signature`` is made of (RFC 4034, section 3.1.8.1)."""
    encloser = expanded_from(rrset, signature)
    owner = rrset.key if encloser is None else WILDCARD + encloser
    head = owner + Struct("!HHI").pack(rrset.rrtype, IN, signature.original_ttl)
    rdatas = sorted({canonical_rdata(rrset.rrtype, rdata) for rdata in rrset.rdatas})
    return signature.signed + b"".join([head + len(rdata).to_bytes(2, "big") + rdata for rdata in rdatas])


def canonical_rdata(rrtype: int, rdata: bytes) -> bytes:
    """Record data with its names in small letters where its type says so (RFC 4034, 6.2; RFC 6840, 5.1)."""
    layout = WITH_NAMES.get(rrtype)
    if layout is None:
        return rdata
    try:
        end = at = names_at(layout, rdata, 0)
        for _ in range(layout.names):
            end = end_of_name(rdata, end)
    except (ValueError, IndexError):
        return rdata
    return rdata[:at] + rdata[at:end].lower() + rdata[end:]


def expanded_from(rrset: RRset, signature: Signature) -> bytes | None:
    """The name above the wildcard that ``rrset`` was made of, as ``signature`` tells; None where it was not."""
    extra = _count_labels(rrset.key) - signature.labels
    if extra <= 0:
        return None
    encloser = rrset.key
    for _ in range(extra + encloser.startswith(WILDCARD)):
        encloser = encloser[1 + encloser[0] :]
    return encloser


def lifetime(rrset: RRset, signature: Signature, now: float) -> int:
    """Seconds that ``rrset`` counts from ``now`` on by the ``signature`` that holds for it (RFC 4035, 5.3.3)."""
    return min(rrset.ttl, signature.original_ttl, (signature.expiration - int(now)) & 0xFFFFFFFF)


def rrset_text(rrset: RRset) -> str:
    """Which RRset it is, in words."""
    return f"{text_of(rrset.key)} {type_text(rrset.rrtype)}"


def _count_labels(key: bytes) -> int:
    """The labels of a name as an RRSIG counts them: without the root's and a leading ``*`` (RFC 4034, 3.1.3)."""
    count = at = 0
    while length := key[at]:
        at += 1 + length
        count += 1
    return count - key.startswith(WILDCARD)


def _is_before(time: float, other: float) -> bool:
    """Whether ``time`` is before ``other``, in serial number arithmetic (RFC 4034, section 3.1.5)."""
    difference = (int(other) - int(time)) & 0xFFFFFFFF
    return 0 < difference < 0x80000000


def _time_text(time: int, now: float) -> str:
    """A time of a signature, near ``now``, as people read it."""
    distance = (time - int(now) + 0x80000000) & 0xFFFFFFFF
    return datetime.fromtimestamp(int(now) + distance - 0x80000000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
