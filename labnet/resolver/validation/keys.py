"""Which keys of a zone its parent, or a trust anchor, vouches for (RFC 4034, section 5; RFC 4035, section 5.2)."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

from labnet.resolver.upstream.errors import Bogus
from labnet.resolver.validation.signatures import ALGORITHMS, Keys, Signature, ZoneKey, algorithm_text, lifetime, verify
from labnet.resolver.validation.work import Work
from labnet.wire.names import text_of
from labnet.wire.types import InfoCode, RRset

MOST_KEYS: Final = 64
"""Keys of one zone that are looked at."""

MOST_DS: Final = 32
"""DS records of one zone that are looked at."""

_DIGESTS: Final[dict[int, Callable[[bytes], Any]]] = {1: hashlib.sha1, 2: hashlib.sha256, 4: hashlib.sha384}
"""The digests that DS records may have here (RFC 8624, section 3.3)."""

_SHA1: Final = 1
_FIXED: Final = Struct("!HBB")


class Vouched(NamedTuple):
    """A DS record, or a key that is trusted as it stands: then ``digest`` is its whole data, and ``kind`` is 0."""

    tag: int
    algorithm: int
    kind: int
    digest: bytes

    def fits(self, zone: bytes, key: ZoneKey) -> bool:
        """Whether it is about this ``key`` of ``zone`` (RFC 4034, section 5.1.4)."""
        if (key.tag, key.algorithm) != (self.tag, self.algorithm):
            return False
        if not self.kind:
            return key.rdata == self.digest
        return bool(_DIGESTS[self.kind](zone + key.rdata).digest() == self.digest)

    @property
    def is_usable(self) -> bool:
        """Whether its digest and its key's algorithm are known here."""
        return self.algorithm in ALGORITHMS and (not self.kind or self.kind in _DIGESTS)


def read_ds(rdatas: Iterable[bytes]) -> list[Vouched]:
    """What DS records vouch for; those that cannot be read are none."""
    return [
        Vouched._make((*_FIXED.unpack_from(rdata), rdata[_FIXED.size :]))
        for rdata in list(rdatas)[:MOST_DS]
        if len(rdata) > _FIXED.size
    ]


def vouched_key(rdata: bytes) -> Vouched:
    """What a DNSKEY record that is trusted as it stands vouches for. Raises ValueError where it is none."""
    key = ZoneKey(rdata)
    return Vouched(key.tag, key.algorithm, 0, rdata)


def usable(vouched: Sequence[Vouched]) -> list[Vouched]:
    """Those that count: of known kinds, and without SHA-1 where there is a better digest (RFC 4509, section 3)."""
    able = [one for one in vouched if one.is_usable]
    better = [one for one in able if one.kind != _SHA1]
    return better or able


def unusable_text(zone: bytes, vouched: Sequence[Vouched]) -> tuple[str, InfoCode]:
    """Why none of them counts, and what a client is told."""
    algorithms = {one.algorithm for one in vouched}
    if not algorithms & ALGORITHMS:
        named = ", ".join(map(algorithm_text, sorted(algorithms)))
        says = f"{text_of(zone)} is signed by {named} alone, which cannot be checked here"
        return says, InfoCode.UNSUPPORTED_DNSKEY_ALGORITHM
    kinds = ", ".join(str(kind) for kind in sorted({one.kind for one in vouched}))
    says = f"the DS of {text_of(zone)} has digests of type {kinds} alone, which cannot be checked here"
    return says, InfoCode.UNSUPPORTED_DS_DIGEST_TYPE


class Entered(NamedTuple):
    """The keys of a zone, the one ``by`` which they were signed, and the seconds that they count."""

    keys: Keys
    by: ZoneKey
    ttl: int


def keys_of(
    rrset: RRset, signatures: Sequence[Signature], vouched: Sequence[Vouched], now: float, work: Work
) -> Entered:
    """The keys in the DNSKEY ``rrset``, which one that is ``vouched`` for signs.

    Raises :class:`Bogus` where none does.
    """
    keys = []
    for rdata in rrset.rdatas[:MOST_KEYS]:
        with contextlib.suppress(ValueError):
            keys.append(ZoneKey(rdata))
    entries = [key for key in keys if key.signs and any(one.fits(rrset.key, key) for one in vouched)]
    if not entries:
        raise Bogus(*_unvouched(rrset.key, keys, vouched))
    signature = verify(rrset, signatures, Keys(rrset.key, tuple(entries)), now, work)
    by = next(key for key in entries if (key.tag, key.algorithm) == (signature.tag, signature.algorithm))
    return Entered(Keys(rrset.key, tuple(keys)), by, lifetime(rrset, signature, now))


def _unvouched(zone: bytes, keys: Sequence[ZoneKey], vouched: Sequence[Vouched]) -> tuple[str, InfoCode]:
    """Why no key of ``zone`` is one of those ``vouched`` for."""
    tags = ", ".join(str(one.tag) for one in vouched[:4])
    fitting = [key for key in keys if any(one.fits(zone, key) for one in vouched)]
    if fitting and not any(key.is_zone_key for key in fitting):
        return f"key {tags} of {text_of(zone)} is no zone key", InfoCode.NO_ZONE_KEY_BIT_SET
    named = ", ".join(str(key.tag) for key in keys[:4])
    says = f"{text_of(zone)} has no key with tag {tags} that fits what vouches for it; its keys are {named}"
    return says, InfoCode.DNSKEY_MISSING
