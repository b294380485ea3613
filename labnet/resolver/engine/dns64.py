"""DNS64: AAAA records of names that have none, for clients behind a translator (NAT64) (RFC 6147).

A decision beside that of the resolver behind it, which is asked for A where AAAA leads to nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from labnet.events import Story
from labnet.interfaces import IResolver, IScreen
from labnet.resolver.records.reverse import address_of, reverse_name
from labnet.resolver.records.special import made_up_soa
from labnet.values.addresses import IPNetwork
from labnet.wire.names import is_below, key_of, text_of
from labnet.wire.nat64 import WELL_KNOWN, TranslationPrefix
from labnet.wire.types import (
    CHECKING_DISABLED,
    DNSSEC_OK,
    Answer,
    BlockedAnswer,
    Question,
    Rcode,
    RRset,
    RRType,
    Security,
)

LONGEST_TTL: Final = 600
"""Seconds that a record that is made lives, where no SOA says for how long there is no AAAA (RFC 6147, 5.1.7)."""

IPV4ONLY: Final = key_of("ipv4only.arpa")
"""The name by whose AAAA records a client finds the prefix (RFC 7050); it is answered here (RFC 8880, section 7.1)."""

_IPV4ONLY_ADDRESSES: Final = (bytes((192, 0, 0, 170)), bytes((192, 0, 0, 171)))
_IPV4ONLY_TTL: Final = 86_400
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_FAILED: Final = (Rcode.NOERROR, Rcode.SERVFAIL)


@implementer(IResolver)
class DNS64:
    """Answers from ``resolver``, and for AAAA from its A records, which it puts behind ``prefix``.

    AAAA records in one of ``excluded`` count as none, and so do A records in one of them.
    """

    def __init__(self, resolver: IResolver, prefix: ipaddress.IPv6Network, excluded: Iterable[IPNetwork]) -> None:
        self._resolver = resolver
        self._prefix = TranslationPrefix(prefix)
        self._excluded = (_MAPPED, *excluded)

    @property
    def can_recurse(self) -> bool:
        return self._resolver.can_recurse

    def known(
        self, question: Question, failures: bool = True, story: Story | None = None, screen: IScreen | None = None
    ) -> Answer | None:
        found = self._own(question, story)
        if found is not None:
            return found
        pointer = self._pointer(question)
        if pointer is not None:
            target = self._resolver.known(question.at(pointer.rdatas[0]), failures, story, screen)
            return None if target is None else _behind(target, pointer)
        answer = self._resolver.known(question, failures, story, screen)
        if answer is None or not self._is_wanting(question, answer):
            return answer and self._cleaned(question, answer)
        addresses = self._resolver.known(_for_ipv4(question), failures, story, screen)
        return None if addresses is None else self._made(question, answer, addresses, story)

    def recorded(self, question: Question) -> Answer | None:
        found = self._own(question, None)
        answer = found or self._resolver.recorded(question)
        if found is not None or answer is None or not self._is_wanting(question, answer):
            return answer
        addresses = self._resolver.recorded(_for_ipv4(question))
        return answer if addresses is None else self._made(question, answer, addresses, None)

    def nearest(self, question: Question, screen: IScreen | None = None) -> Answer | None:
        return self._resolver.nearest(question, screen)

    def ask(
        self, question: Question, story: Story | None = None, network: bytes = b"", screen: IScreen | None = None
    ) -> Deferred[Answer]:
        pointer = self._pointer(question)
        if pointer is not None:
            asked = self._resolver.ask(question.at(pointer.rdatas[0]), story, network, screen)
            return asked.addCallback(_behind, pointer)
        if question.rrtype != RRType.AAAA:
            return self._resolver.ask(question, story, network, screen)
        return Deferred.fromCoroutine(self._ask(question, story, network, screen))

    async def _ask(self, question: Question, story: Story | None, network: bytes, screen: IScreen | None) -> Answer:
        answer = await self._resolver.ask(question, story, network, screen)
        if not self._is_wanting(question, answer):
            return self._cleaned(question, answer)
        for_ipv4 = _for_ipv4(question)
        known = self._resolver.known(for_ipv4, True, story, screen)
        asked = succeed(known) if known is not None else self._resolver.ask(for_ipv4, story, network, screen)
        return self._made(question, answer, await asked, story)

    def _own(self, question: Question, story: Story | None) -> Answer | None:
        """What is answered about ``ipv4only.arpa`` and the names below it."""
        key = question.key
        if not (key.endswith(IPV4ONLY) and is_below(key, IPV4ONLY)):
            return None
        if story is not None:
            story.step("special", name=text_of(key))
        rdatas = {
            RRType.A: _IPV4ONLY_ADDRESSES,
            RRType.AAAA: tuple([self._prefix.embed(address) for address in _IPV4ONLY_ADDRESSES]),
        }
        if key == IPV4ONLY and question.rrtype in rdatas:
            rrset = RRset(key, question.rrtype, _IPV4ONLY_TTL, rdatas[RRType(question.rrtype)])
            return Answer(Rcode.NOERROR, (rrset,), authoritative=True, origin=_ORIGIN, until=float("inf"))
        rcode = Rcode.NOERROR if key == IPV4ONLY else Rcode.NXDOMAIN
        soa = made_up_soa(IPV4ONLY)
        return Answer(rcode, authority=(soa,), authoritative=True, origin=_ORIGIN, until=float("inf"))

    def _pointer(self, question: Question) -> RRset | None:
        """The CNAME from the reverse name of an address behind the prefix to that of the IPv4 address in it."""
        if question.rrtype != RRType.PTR:
            return None
        address = address_of(question.key)
        inner = None if address is None or len(address) != 16 else self._prefix.extract(address)
        if inner is None or self._resolver.recorded(question) is not None:
            return None
        return RRset(question.key, RRType.CNAME, LONGEST_TTL, (reverse_name(inner),))

    def _is_wanting(self, question: Question, answer: Answer) -> bool:
        """Whether AAAA records are to be made, in place of ``answer`` (RFC 6147, sections 5.1 and 5.5)."""
        if question.rrtype != RRType.AAAA or isinstance(answer, BlockedAnswer) or answer.is_referral:
            return False
        both = DNSSEC_OK | CHECKING_DISABLED
        if question.dnssec & both == both or answer.rcode not in _FAILED or answer.security is Security.BOGUS:
            return False
        return not any(self._usable(rrset) for rrset in answer.answer if rrset.rrtype == RRType.AAAA)

    def _cleaned(self, question: Question, answer: Answer) -> Answer:
        """``answer`` without the AAAA records that count as none."""
        if question.rrtype != RRType.AAAA or isinstance(answer, BlockedAnswer):
            return answer
        kept = [(rrset, self._usable(rrset)) for rrset in answer.answer if rrset.rrtype == RRType.AAAA]
        if all(len(usable) == len(rrset.rdatas) for rrset, usable in kept):
            return answer
        records = [
            _plain(rrset, self._usable(rrset) if rrset.rrtype == RRType.AAAA else rrset.rdatas)
            for rrset in answer.answer
        ]
        return Answer(answer.rcode, tuple(records), errors=answer.errors, origin=answer.origin, until=answer.until)

    def _usable(self, rrset: RRset) -> tuple[bytes, ...]:
        return tuple([rdata for rdata in rrset.rdatas if not self._is_excluded(rdata)])

    def _is_excluded(self, rdata: bytes) -> bool:
        address = ipaddress.ip_address(rdata)
        if address.version == 4 and self._prefix.network == WELL_KNOWN and not address.is_global:
            return True  # RFC 6052, section 3.1
        return any(address in network for network in self._excluded)

    def _made(self, question: Question, answer: Answer, addresses: Answer, story: Story | None) -> Answer:
        """The answer with AAAA records made of those in ``addresses``; ``answer`` where there are none."""
        if isinstance(addresses, BlockedAnswer):
            return addresses
        most = min([rrset.ttl for rrset in answer.authority if rrset.rrtype == RRType.SOA], default=LONGEST_TTL)
        records, made = [], False
        for rrset in addresses.answer:
            if rrset.rrtype != RRType.A:
                records.append(_plain(rrset, rrset.rdatas))
            elif usable := self._usable(rrset):
                rdatas = tuple([self._prefix.embed(rdata) for rdata in usable])
                records.append(RRset(rrset.name, RRType.AAAA, min(rrset.ttl, most), rdatas))
                made = True
        if not made:
            return answer
        if story is not None:
            story.step("translated", name=text_of(question.key), prefix=str(self._prefix.network))
        return Answer(
            Rcode.NOERROR,
            tuple(records),
            authoritative=addresses.authoritative,
            errors=addresses.errors,
            origin=addresses.origin and f"{addresses.origin}, of A records",
            until=min(answer.until, addresses.until),
        )


_ORIGIN: Final = "from the special names (RFC 8880)"


def _behind(answer: Answer, pointer: RRset) -> Answer:
    """``answer`` behind a CNAME that nobody signed."""
    return replace(answer, security=Security.INDETERMINATE).behind((pointer,))


def _for_ipv4(question: Question) -> Question:
    return Question(question.key, RRType.A, dnssec=question.dnssec)


def _plain(rrset: RRset, rdatas: tuple[bytes, ...]) -> RRset:
    """``rrset`` with these data, and without what the cache knows of it: a reply made of it is not counted down."""
    return RRset(rrset.name, rrset.rrtype, rrset.ttl, rdatas)
