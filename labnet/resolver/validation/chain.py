"""The chain of trust: from the nearest anchor down to the zone that a name is in (RFC 4035, section 5; RFC 6840).

From zone to zone it goes label by label. The DS records of the next name say which keys it has if it is a zone; where
there are none, the proof of that says whether the name is an insecure delegation or no delegation at all. Only such a
proof makes anything insecure: without it, what has no signature is bogus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from labnet.net.clocks import wall_of
from labnet.resolver.files.trust_anchors import TrustAnchors
from labnet.resolver.upstream.errors import Bogus, ParentFailed
from labnet.resolver.upstream.infra import Memory
from labnet.resolver.validation.denial import Cut
from labnet.resolver.validation.joint import Joint
from labnet.resolver.validation.keys import Vouched, keys_of, read_ds, unusable_text, usable, vouched_key
from labnet.resolver.validation.proofs import proofs_of
from labnet.resolver.validation.signatures import Keys, lifetime, signatures_of, unsigned, verify
from labnet.resolver.validation.work import Work
from labnet.wire.names import ROOT, parent, text_of
from labnet.wire.types import (
    CHECKING_DISABLED,
    DNSSEC_OK,
    InfoCode,
    Question,
    RRType,
    Security,
    Upstream,
)

MOST_LINKS: Final = 40
"""Links that are looked for on one way down; the longest name of ip6.arpa takes 34."""

MOST_ZONES: Final = 20_000
"""Names that are remembered as zones, or as none."""

LONGEST: Final = 86_400
"""Seconds that a link is remembered at most."""

_FAILED: Final = 5
"""Seconds that a broken link is remembered (RFC 9520, section 3.2)."""

Ask = Callable[[Question], Deferred[Upstream]]
"""Asks for DS and DNSKEY records, with what proves them; nothing of the reply is taken on trust."""


@dataclass(frozen=True, slots=True)
class TrustZone:
    """The zone of this ``name``, a key: SECURE with its ``keys``, or what has none, for a ``reason``.

    ``path`` are the zones above it, from the anchor on.
    """

    name: bytes
    security: Security
    keys: Keys
    path: tuple[bytes, ...] = ()
    reason: str = ""
    code: InfoCode | None = None


class TrustLink:
    """A name below a zone: a :class:`TrustZone` of its own, none (``zone`` is None), or the end of all names."""

    __slots__ = ("is_end", "zone")

    def __init__(self, zone: TrustZone | None, is_end: bool = False) -> None:
        self.zone = zone
        self.is_end = is_end


class TrustChain:
    """Finds zones and their keys by ``ask``, from ``anchors`` down; at ``insecure`` names it looks no further.

    ``told`` is called with each link that was looked at, in words.
    """

    log = Logger()

    def __init__(
        self,
        anchors: TrustAnchors,
        insecure: frozenset[bytes],
        ask: Ask,
        clock: IReactorTime,
        told: Callable[[str], None] = lambda says: None,
    ) -> None:
        self.anchors = anchors
        self.insecure = insecure
        self.ask = ask
        self.clock = clock
        self.now = wall_of(clock)
        """The time of day, which signatures speak of."""
        self._told = told
        self._memory: Memory[bytes, TrustLink | Bogus] = Memory(MOST_ZONES)
        self._finding: Joint[bytes, TrustLink] = Joint()
        self._said: set[str] = set()

    def forget(self) -> None:
        """Forget every link."""
        self._memory = Memory(MOST_ZONES)

    def anchor_above(self, name: bytes) -> bytes | TrustZone:
        """The nearest zone at or above ``name`` that has an anchor, or what the name is in where no signature counts.

        So it is where no anchor is above it, and where it is told to be insecure.
        """
        insecure, zones = self.insecure, self.anchors.zones
        each = name
        while each:
            if each in insecure:
                return _insecure(each, f"{text_of(each)} is in the list of insecure names")
            if each in zones:
                return each
            each = each[1 + each[0] :]
        return TrustZone(ROOT, Security.INDETERMINATE, Keys(ROOT, ()), (), f"no trust anchor is above {text_of(name)}")

    async def zone_of(self, name: bytes) -> TrustZone:
        """The zone that ``name`` is in. Raises :class:`Bogus` where a link on the way is, or ParentFailed."""
        anchor = self.anchor_above(name)
        if isinstance(anchor, TrustZone):
            return anchor
        links = 0
        zone: TrustZone | None = None
        for each in _downward(anchor, name):
            link = self._remembered(each)
            if link is None:
                links += 1
                if links > MOST_LINKS:
                    raise Bogus(f"{text_of(name)} is more than {MOST_LINKS} links away from the trust anchor")
                link = await self._finding.do(each, partial(self._find, zone, each))
            zone = link.zone or zone
            if _is_last(link, zone):
                break
        assert zone is not None
        return zone

    def known_zone_of(self, name: bytes) -> TrustZone | None:
        """What :meth:`zone_of` gives, where every link is remembered that it takes; else None.

        Raises :class:`Bogus` where one of them is.
        """
        anchor = self.anchor_above(name)
        if isinstance(anchor, TrustZone):
            return anchor
        zone: TrustZone | None = None
        for each in _downward(anchor, name):
            link = self._remembered(each)
            if link is None:
                return None
            zone = link.zone or zone
            if _is_last(link, zone):
                break
        return zone

    def _remembered(self, name: bytes) -> TrustLink | None:
        found = self._memory.find(name, self.clock.seconds())
        if isinstance(found, Bogus):
            raise Bogus(str(found), found.code)
        return found

    async def _find(self, above: TrustZone | None, name: bytes) -> TrustLink:
        """What ``name`` is to the zone ``above`` it, None where it is an anchor's."""
        try:
            link, ttl = await (self._prime(name) if above is None else self._below(above, name))
        except Bogus as error:
            self._memory.put(name, error, self.clock.seconds() + _FAILED)
            self._told(str(error))
            raise
        self._memory.put(name, link, self.clock.seconds() + min(ttl, LONGEST))
        return link

    async def _records(self, name: bytes, rrtype: RRType, why: str) -> Upstream:
        try:
            return await self.ask(Question(name, rrtype, dnssec=DNSSEC_OK | CHECKING_DISABLED))
        except ParentFailed as error:
            says = f"{why} needs {text_of(name)} {rrtype.name}, which cannot be had: {error}"
            raise ParentFailed(says, error.errors) from None

    async def _prime(self, name: bytes) -> tuple[TrustLink, int]:
        """The zone that has an anchor."""
        anchor = self.anchors.zones[name]
        vouched = [*read_ds(anchor.ds), *map(vouched_key, anchor.keys)]
        able = usable(vouched)
        where = self.anchors.origin
        if not able:
            says, code = unusable_text(name, vouched)
            self.log.warn(
                "{where}: {says}; what is below is not validated",
                where=where,
                says=says,
                event="dnssec.anchor-unusable",
            )
            return TrustLink(_insecure(name, says, code)), LONGEST
        try:
            zone, ttl, present = await self._enter(name, able, ())
        except Bogus as error:
            says = f"the trust anchor of {text_of(name)} leads to no key of it ({where}): {error}"
            if self._is_new(says):
                self.log.warn("{says}; get the anchors of today", says=says, event="dnssec.anchor-fails")
            raise Bogus(says, error.code) from None
        unused = ", ".join(str(one.tag) for one in able if one.tag not in present)
        if unused and self._is_new(unused):
            self.log.warn(
                "{where}: {zone} has no key {tags} (any more): the anchor is old, or ahead of its time",
                where=where,
                zone=text_of(name),
                tags=unused,
                event="dnssec.anchor-unused",
            )
        return TrustLink(zone), ttl

    async def _below(self, above: TrustZone, name: bytes) -> tuple[TrustLink, int]:
        """What ``name``, the next below the secure zone ``above``, is to it."""
        upstream = await self._records(name, RRType.DS, f"what is in {text_of(name)}")
        now, work = self.now(), Work()
        first = upstream.rrsets[0] if upstream.rrsets else None
        if first is not None:
            signature = verify(first, signatures_of(first, upstream.signatures), above.keys, now, work)
            ttl = lifetime(first, signature, now)
            if (first.key, first.rrtype) != (name, RRType.DS):
                return TrustLink(None, is_end=True), ttl  # an alias, or renamed: no zone is there
            vouched = read_ds(first.rdatas)
            able = usable(vouched)
            if not able:
                says, code = unusable_text(name, vouched)
                self._told(says)
                return TrustLink(_insecure(name, says, code)), ttl
            zone, lasts, _ = await self._enter(name, able, (*above.path, above.name))
            return TrustLink(zone), min(ttl, lasts)
        denials = proofs_of(upstream.proofs, above.keys, now, work)
        if denials is None:
            raise Bogus(
                f"{text_of(above.name)} is signed, and proves neither that {text_of(name)} has a DS nor that it has "
                "none",
                InfoCode.NSEC_MISSING,
            )
        cut, says = denials.proofs.cut(name)
        self._told(says or f"{text_of(above.name)} proves that {text_of(name)} is no zone of its own")
        if cut is Cut.UNSIGNED:
            return TrustLink(_insecure(name, f"{says}: it is not signed")), denials.ttl
        return TrustLink(None, is_end=cut is Cut.ABSENT), denials.ttl

    async def _enter(
        self, name: bytes, vouched: list[Vouched], path: tuple[bytes, ...]
    ) -> tuple[TrustZone, int, set[int]]:
        """The zone whose keys are ``vouched`` for, for how long (seconds), and the tags of its keys."""
        upstream = await self._records(name, RRType.DNSKEY, f"what is in {text_of(name)}")
        rrset = next((each for each in upstream.rrsets if (each.key, each.rrtype) == (name, RRType.DNSKEY)), None)
        if rrset is None:
            raise Bogus(f"{text_of(name)} is vouched for, and has no keys", InfoCode.DNSKEY_MISSING)
        signatures = signatures_of(rrset, upstream.signatures)
        if not signatures:
            raise unsigned(rrset, name)
        keys, by, ttl = keys_of(rrset, signatures, vouched, self.now(), Work())
        self._told(f"{_vouching(path, name)} key {by.tag} of {text_of(name)}, which signs {_keys_text(len(keys.keys))}")
        return TrustZone(name, Security.SECURE, keys, path), ttl, {key.tag for key in keys.keys}

    def _is_new(self, says: str) -> bool:
        """Whether it was not said yet: an anchor is looked at again and again."""
        if says in self._said or len(self._said) >= MOST_LINKS:
            return False
        self._said.add(says)
        return True


def _is_last(link: TrustLink, zone: TrustZone | None) -> bool:
    """Whether the ``link`` that led to ``zone`` is the last one on the way down."""
    return link.is_end or (zone is not None and zone.security is not Security.SECURE)


def _vouching(path: tuple[bytes, ...], name: bytes) -> str:
    return f"the DS in {text_of(path[-1])} vouches for" if path else "the trust anchor vouches for"


def _keys_text(count: int) -> str:
    return "its keys" if count > 1 else "itself"


def _insecure(name: bytes, reason: str, code: InfoCode | None = None) -> TrustZone:
    return TrustZone(name, Security.INSECURE, Keys(name, ()), (), reason, code)


def _downward(top: bytes, name: bytes) -> list[bytes]:
    """``top``, and each name from there down to ``name``, which is below it."""
    names = [name]
    while name != top:
        name = parent(name)
        names.append(name)
    names.reverse()
    return names
