"""One zone, signed by dnspython, with NSEC or NSEC3 records (RFC 4035, section 2; RFC 5155, section 7.1)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import dns.dnssec
import dns.dnssecalgs
import dns.name
import dns.node
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.transaction
import dns.zone
from dns.dnssecalgs.base import GenericPrivateKey
from dns.dnssecalgs.ecdsa import PrivateECDSAP256SHA256, PrivateECDSAP384SHA384
from dns.dnssecalgs.eddsa import PrivateED448, PrivateED25519
from dns.dnssecalgs.rsa import PrivateRSASHA256, PrivateRSASHA512
from dns.dnssectypes import Algorithm, DSDigest
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.DS import DS
from dns.rdtypes.ANY.NSEC3 import NSEC3, Bitmap
from dns.rdtypes.ANY.NSEC3PARAM import NSEC3PARAM

_RSA_BITS: Final = 2048

_MAKERS: Final[Mapping[str, Callable[[], GenericPrivateKey]]] = {
    "ECDSAP256SHA256": PrivateECDSAP256SHA256.generate,
    "ECDSAP384SHA384": PrivateECDSAP384SHA384.generate,
    "ED25519": PrivateED25519.generate,
    "ED448": PrivateED448.generate,
    "RSASHA256": partial(PrivateRSASHA256.generate, _RSA_BITS),
    "RSASHA512": partial(PrivateRSASHA512.generate, _RSA_BITS),
}
"""The algorithms that a zone is signed by today (RFC 8624, section 3.1)."""

_ENTRY: Final = 257
_SHA1: Final = 1
_DAY: Final = 86_400
_EARLY: Final = 3600
"""Seconds that signatures are valid before they are made: clocks differ."""


@dataclass(frozen=True)
class Key:
    """The key of a zone, which signs its other keys and all else: a private half, and the DNSKEY record."""

    private: GenericPrivateKey
    public: DNSKEY

    @property
    def tag(self) -> int:
        """The key tag (RFC 4034, appendix B)."""
        return int(dns.dnssec.key_id(self.public))

    def ds(self, zone: dns.name.Name) -> DS:
        """The DS record by which the zone above vouches for it."""
        return dns.dnssec.make_ds(zone, self.public, DSDigest.SHA256)


@dataclass(frozen=True)
class Signing:
    """How a zone is signed: from the epoch second ``now`` on, for so many ``days``.

    With ``nsec3`` what is not there is proven by NSEC3 records, of so many ``iterations``; ``opt_out`` leaves out
    delegations that are not signed. The defaults are those of RFC 9276.
    """

    now: float
    days: float = 30
    nsec3: bool = False
    opt_out: bool = False
    iterations: int = 0
    salt: bytes = b""


def make_key(algorithm: str) -> Key:
    """A new key, of the algorithm of that mnemonic."""
    return key_of(_MAKERS[algorithm](), algorithm)


def read_key(pem: bytes, algorithm: str) -> Key:
    """The key whose private half is ``pem``.

    Raises ValueError, TypeError or DNSException where that is none of ``algorithm``.
    """
    return key_of(dns.dnssecalgs.get_algorithm_cls(Algorithm[algorithm]).from_pem(pem), algorithm)


def key_of(private: GenericPrivateKey, algorithm: str) -> Key:
    """The key with this ``private`` half."""
    public = dns.dnssec.make_dnskey(private.public_key(), Algorithm[algorithm], flags=_ENTRY)
    return Key(private, public)


def sign(zone: dns.zone.Zone, key: Key, signing: Signing) -> None:
    """Sign ``zone``, whose names are absolute, by ``key``; signatures and proofs that it had are gone."""
    assert zone.origin is not None
    for node in zone.nodes.values():
        node.rdatasets = [each for each in node.rdatasets if each.rdtype not in _OF_SIGNING]
    pair: list[tuple[dns.dnssec.PrivateKey, DNSKEY]] = [(key.private, key.public)]
    signer = partial(
        dns.dnssec.default_rrset_signer,
        signer=zone.origin,
        ksks=pair,
        zsks=pair,
        inception=int(signing.now) - _EARLY,
        expiration=int(signing.now + signing.days * _DAY),
        origin=zone.origin,
    )

    def sign_all_but_nsec(txn: dns.transaction.Transaction, rrset: dns.rrset.RRset) -> None:
        if not signing.nsec3 or rrset.rdtype != dns.rdatatype.NSEC:
            signer(txn, rrset)

    with zone.writer() as txn:
        if signing.nsec3:
            parameters = NSEC3PARAM(
                dns.rdataclass.IN, dns.rdatatype.NSEC3PARAM, _SHA1, 0, signing.iterations, signing.salt
            )
            txn.add(zone.origin, 0, parameters)
        dns.dnssec.sign_zone(zone, txn, pair, rrset_signer=sign_all_but_nsec)
        if signing.nsec3:
            for name in list(txn.iterate_names()):
                txn.delete(name, dns.rdatatype.NSEC)
            for rrset in _nsec3(zone, txn, signing):
                txn.add(rrset)
                signer(txn, rrset)


_OF_SIGNING: Final = (
    dns.rdatatype.DNSKEY,
    dns.rdatatype.NSEC,
    dns.rdatatype.NSEC3,
    dns.rdatatype.NSEC3PARAM,
    dns.rdatatype.RRSIG,
)


def _nsec3(zone: dns.zone.Zone, txn: dns.transaction.Transaction, signing: Signing) -> Iterator[dns.rrset.RRset]:
    """The NSEC3 records, each with the hash of the next (RFC 5155, section 7.1)."""
    assert zone.origin is not None
    types = dict(_types(zone, txn, signing.opt_out))
    for name in list(types):
        while name != zone.origin:  # an empty non-terminal has a record as well
            name = name.parent()
            types.setdefault(name, set())
    hashed = sorted(
        (base64.b32hexdecode(dns.dnssec.nsec3_hash(name, signing.salt, signing.iterations, _SHA1)), types[name])
        for name in types
    )
    ttl = min(zone.get_soa(txn).minimum, zone.find_rdataset(zone.origin, dns.rdatatype.SOA).ttl)
    for place, (digest, present) in enumerate(hashed):
        following = hashed[(place + 1) % len(hashed)][0]
        record = NSEC3(
            dns.rdataclass.IN,
            dns.rdatatype.NSEC3,
            _SHA1,
            int(signing.opt_out),
            signing.iterations,
            signing.salt,
            following,
            Bitmap.from_rdtypes(sorted(present)).windows,
        )
        label = base64.b32hexencode(digest).decode().lower()
        yield dns.rrset.from_rdata(dns.name.Name((label, *zone.origin.labels)), ttl, record)


def _types(
    zone: dns.zone.Zone, txn: dns.transaction.Transaction, opt_out: bool
) -> Iterator[tuple[dns.name.Name, set[dns.rdatatype.RdataType]]]:
    """Each name that the zone has the say about, and the types that it has there."""
    cut: dns.name.Name | None = None
    for name in sorted(txn.iterate_names()):
        if cut is not None and name.is_subdomain(cut):
            continue
        node = txn.get_node(name)
        if node is None:
            continue
        present = {rdataset.rdtype for rdataset in node.rdatasets}
        if dns.rdatatype.NS in present and name != zone.origin:
            cut = name
            present &= {dns.rdatatype.NS, dns.rdatatype.DS, dns.rdatatype.RRSIG}
            if dns.rdatatype.DS not in present:
                if opt_out:
                    continue
                present = {dns.rdatatype.NS}
        yield name, present
