"""CNAME chains: what is asked next, and where somebody else is to be asked (sans-IO)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from labnet.wire.types import Answer, Question, Rcode, RRset, RRType, failure_of

LONGEST: Final = 11
"""CNAMEs that are followed for one question, as unbound does."""


@dataclass(slots=True)
class Chain:
    """The CNAMEs followed for one question, and what is asked next."""

    asked: Question
    rrsets: list[RRset] = field(default_factory=list)
    authoritative: bool | None = None
    until: float = math.inf

    def follow(self, answer: Answer) -> Answer | None:
        """The whole answer where the chain ends with ``answer``; else None, and the name it leads to is next."""
        if self.authoritative is None:  # AA speaks of the first name (RFC 1035, section 4.1.1)
            self.authoritative = answer.authoritative
        self.until = min(self.until, answer.until)
        target = _target(answer, self.asked)
        if target is not None and len(self.rrsets) < LONGEST:
            self.rrsets += answer.answer
            self.asked = target
            return None
        if target is not None:
            return failure_of("the CNAME chain does not end")
        if self.rrsets and answer.rcode == Rcode.REFUSED:
            answer = replace(answer, rcode=Rcode.NOERROR)  # as an authority that is not asked to recurse
        return replace(answer.behind(self.rrsets), authoritative=self.authoritative, until=self.until)


def _target(answer: Answer, question: Question) -> Question | None:
    """The name that the chain goes on with, where ``answer`` ends in a CNAME that was not itself asked for."""
    if not answer.answer or question.rrtype in (RRType.CNAME, RRType.ANY):
        return None
    last = answer.answer[-1]
    return Question(last.rdatas[0].lower(), question.rrtype) if last.rrtype == RRType.CNAME else None


def cut_chain(answer: Answer, asked: Question, is_elsewhere: Callable[[bytes], bool]) -> Answer:
    """``answer`` up to its first CNAME whose target (a key) ``is_elsewhere``: from there on somebody else is asked.

    What was kept stays whole: which names those are is another matter after each change of the configuration.
    """
    if asked.rrtype not in (RRType.CNAME, RRType.ANY):
        for number, rrset in enumerate(answer.answer[:-1], 1):
            if rrset.rrtype == RRType.CNAME and is_elsewhere(rrset.rdatas[0].lower()):
                return replace(answer, answer=answer.answer[:number])
    return answer
