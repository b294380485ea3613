"""CNAME chains: what is asked next, and where another parent is to be asked (sans-IO)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from labnet.interfaces import IScreen
from labnet.wire.types import Answer, ExtendedError, Question, Rcode, RRset, RRType, Security, failure_of

LONGEST: Final = 11
"""CNAMEs that are followed for one question, as unbound does."""

LONGEST_AUTHORITATIVE: Final = 20
"""CNAMEs and DNAMEs that are followed within zones that are answered with AA, as NSD and Knot do."""


@dataclass(slots=True)
class Chain:
    """The CNAMEs followed for one question, with their signatures, proofs, errors and security, and what is asked next.

    ``screen`` is what is kept from the client from there on.

    A chain of authoritative zones that is too long or a circle is answered as far as it goes; any other is a failure,
    since whoever made it may go on for ever.
    """

    asked: Question
    screen: IScreen | None = None
    rrsets: list[RRset] = field(default_factory=list)
    signatures: list[RRset] = field(default_factory=list)
    proofs: list[RRset] = field(default_factory=list)
    errors: list[ExtendedError] = field(default_factory=list)
    authoritative: bool | None = None
    until: float = math.inf
    security: Security = Security.SECURE
    _is_authoritative: bool = True
    _passed: set[bytes] = field(default_factory=set)
    _links: int = 0

    def follow(self, answer: Answer) -> Answer | None:
        """The whole answer where the chain ends with ``answer``; else None, and the name it leads to is next."""
        if self.authoritative is None:  # AA speaks of the first name (RFC 1035, section 4.1.1)
            self.authoritative = answer.authoritative
        self.until = min(self.until, answer.until)
        self.security = min(self.security, answer.security)
        self._is_authoritative = self._is_authoritative and answer.authoritative
        self.errors += [error for error in answer.errors if error not in self.errors]
        self._passed.add(self.asked.key)
        target = _target(answer, self.asked)
        if target is not None and self._goes_on(target):
            self.rrsets += [rrset for rrset in answer.answer if rrset not in self.rrsets]  # a DNAME may come again
            self.signatures += [rrset for rrset in answer.signatures if rrset not in self.signatures]
            self.proofs += answer.proofs
            self._links += len(answer.answer)
            self.asked = target
            return None
        if target is not None and not self._is_authoritative:
            return failure_of("the CNAME chain does not end")
        if self.rrsets and answer.rcode == Rcode.REFUSED:
            answer = replace(answer, rcode=Rcode.NOERROR)  # as an authority that is not asked to recurse
        whole = answer.behind(self.rrsets, self.signatures, self.proofs)
        return replace(
            whole,
            authoritative=self.authoritative,
            errors=tuple(self.errors),
            until=self.until,
            security=self.security,
        )

    def _goes_on(self, target: Question) -> bool:
        if not self._is_authoritative:
            return self._links < LONGEST
        return self._links < LONGEST_AUTHORITATIVE and target.key not in self._passed


def _target(answer: Answer, question: Question) -> Question | None:
    """The name that the chain goes on with, where ``answer`` ends in a CNAME that was not itself asked for.

    None where a SOA beside it says that there is nothing to go on to.
    """
    if not answer.answer or _is_negative(answer) or question.rrtype in (RRType.CNAME, RRType.ANY):
        return None
    last = answer.answer[-1]
    return question.at(last.rdatas[0].lower()) if last.rrtype == RRType.CNAME else None


def _is_negative(answer: Answer) -> bool:
    return any(rrset.rrtype == RRType.SOA for rrset in answer.authority)


def cut_chain(answer: Answer, asked: Question, is_elsewhere: Callable[[bytes], bool]) -> Answer:
    """``answer`` up to its first CNAME whose target (a key) ``is_elsewhere``: from there on another parent is asked.

    What is in the cache stays whole: which names those are changes with the configuration.
    """
    if asked.rrtype not in (RRType.CNAME, RRType.ANY):
        links = answer.answer if _is_negative(answer) else answer.answer[:-1]
        for number, rrset in enumerate(links, 1):
            if rrset.rrtype == RRType.CNAME and is_elsewhere(rrset.rdatas[0].lower()):
                shown = answer.answer[:number]
                keys = {rrset.key for rrset in shown}
                signatures = tuple(s for s in answer.signatures if s.key in keys)
                return replace(answer, rcode=Rcode.NOERROR, answer=shown, authority=(), signatures=signatures)
    return answer
