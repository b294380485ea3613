"""What the proofs of a zone may be asked, and what stands in their records (RFC 4034, section 4; RFC 5155)."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple, Protocol

from labnet.resolver.upstream.errors import Bogus
from labnet.wire.names import text_of
from labnet.wire.types import InfoCode, RRType, Security

_BLOCK: Final = 2
_LONGEST_BLOCK: Final = 32


class DenialProof(NamedTuple):
    """That something is not there: SECURE, or INSECURE for a ``reason`` (opt-out, too many iterations)."""

    security: Security = Security.SECURE
    reason: str = ""
    code: InfoCode | None = None


PROVEN: Final = DenialProof()


class Cut(Enum):
    """What a name without DS records is to the zone that proves that it has none."""

    UNSIGNED = auto()
    """An insecure delegation: what is below it needs no signature."""
    NONE = auto()
    """No delegation: the zone goes on there."""
    ABSENT = auto()
    """No name at all: there is nothing below it either."""


class Proofs(Protocol):
    """The verified NSEC or NSEC3 records of one zone. Each method raises :class:`Bogus` where they prove no such thing.

    All names are keys in that zone.
    """

    def no_name(self, name: bytes) -> DenialProof:
        """That there is no ``name``, nor a wildcard for it."""

    def no_data(self, name: bytes, rrtype: int) -> DenialProof:
        """That ``name``, or the wildcard for it, has no records of ``rrtype``."""

    def no_closer(self, name: bytes, encloser: bytes) -> DenialProof:
        """That ``name`` is not there, so that the wildcard below ``encloser`` is for it."""

    def cut(self, name: bytes) -> tuple[Cut, str]:
        """What ``name``, which has no DS records, is; and why, in words, where it is an insecure delegation."""


def unproven(says: str) -> Bogus:
    """The failure of a proof."""
    return Bogus(says, InfoCode.NSEC_MISSING)


def read_types(bitmap: bytes) -> frozenset[int]:
    """The types in a bitmap (RFC 4034, section 4.1.2). Raises ValueError for one that cannot be read."""
    types: set[int] = set()
    at, last = 0, -1
    while at < len(bitmap):
        head = bitmap[at : at + _BLOCK]
        if len(head) < _BLOCK or head[0] <= last or not 0 < head[1] <= _LONGEST_BLOCK:
            raise ValueError("a bitmap of types that cannot be read")
        block = bitmap[at + _BLOCK : at + _BLOCK + head[1]]
        if len(block) < head[1]:
            raise ValueError("a bitmap of types that is cut")
        types.update(
            head[0] * 256 + 8 * place + bit for place, byte in enumerate(block) for bit in range(8) if byte & 128 >> bit
        )
        last = head[0]
        at += _BLOCK + len(block)
    return frozenset(types)


def is_cut(types: frozenset[int]) -> bool:
    """Whether a name with these types is a delegation, as the zone above it has it."""
    return RRType.NS in types and RRType.SOA not in types


def unsigned_cut(types: frozenset[int], rrtype: int, name: bytes) -> DenialProof | None:
    """What ``types`` prove of records of ``rrtype`` at ``name`` where they make it an insecure delegation."""
    if rrtype == RRType.DS or not is_cut(types) or RRType.DS in types:
        return None
    return DenialProof(Security.INSECURE, f"{text_of(name)} is delegated, and proven to have no DS")


def is_end(types: frozenset[int]) -> bool:
    """Whether nothing below a name with these types is in its zone (RFC 6840, section 4.1)."""
    return is_cut(types) or RRType.DNAME in types


def lacks(types: frozenset[int], rrtype: int, is_root: bool) -> str | None:
    """What is wrong with taking the ``types`` of a name as a proof that it has no ``rrtype``; None where it is one."""
    if rrtype in types:
        return "says that there are such records"
    if RRType.CNAME in types:
        return "says that the name is an alias"
    if rrtype == RRType.DS and RRType.SOA in types and not is_root:
        return "is of the zone below the cut"
    if rrtype != RRType.DS and is_cut(types):
        return "is of the zone above the cut"
    return None
