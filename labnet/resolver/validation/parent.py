"""A parent whose replies are validated before anybody has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred, TimeoutError, succeed
from zope.interface import implementer

from labnet.events import ASKING
from labnet.interfaces import IParent
from labnet.resolver.upstream.checked import CheckedParents
from labnet.resolver.upstream.dns import DNSParent
from labnet.resolver.upstream.errors import Bogus, ParentFailed
from labnet.resolver.upstream.selection import Parents
from labnet.resolver.validation.validator import Validator
from labnet.resolver.validation.work import LONGEST_VALIDATION
from labnet.wire.dns_upstream import EarlyReply
from labnet.wire.names import text_of
from labnet.wire.types import CHECKING_DISABLED, DNSSEC_OK, Question, RRset, Security, Upstream


@implementer(IParent)
class ValidatingParent:
    """Asks ``parent`` for signatures and proofs too, and has ``validator`` decide; ``counts`` counts by the result.

    A bogus reply is a failure. What a course parent says passes as it is, and so does what a client asked for with CD
    (RFC 4035, section 3.2.2).
    """

    def __init__(self, parent: IParent, validator: Validator, counts: Counter[str]) -> None:
        self._parent = parent
        self._validator = validator
        self._counts = counts

    @property
    def address(self) -> str:
        return self._parent.address

    def ask(self, question: Question) -> Deferred[Upstream]:
        if question.dnssec & CHECKING_DISABLED:
            return self._parent.ask(question)
        known = self._validator.known(question)
        if known is not None:
            story = ASKING.get()
            if story is not None:
                story.step("proven-before", by=known.parent, name=text_of(question.key))
            return succeed(known)
        return Deferred.fromCoroutine(self._ask(question, self._parent.ask))

    async def _ask(self, question: Question, ask: Callable[[Question], Deferred[Upstream]]) -> Upstream:
        # With CD another resolver gives what it takes for bogus, too: why it is so can only be seen in that.
        bits = DNSSEC_OK | CHECKING_DISABLED
        upstream = await ask(Question(question.key, question.rrtype, question.spelled, bits))
        if upstream.is_of_course:
            return upstream
        story = ASKING.get()
        validating = Deferred.fromCoroutine(self._validator.validate(question, upstream))
        if not validating.called:
            validating.addTimeout(LONGEST_VALIDATION, self._validator.clock)
        try:
            checked, verdict = await validating
        except TimeoutError:
            raise ParentFailed(f"to validate {question} takes more than {LONGEST_VALIDATION:g} s") from None
        except Bogus as error:
            self._counts[Security.BOGUS.word] += 1
            if story is not None:
                story.step("validated", result=Security.BOGUS.word, why=str(error))
            raise
        self._counts[verdict.security.word] += 1
        if story is not None:
            story.step("validated", result=verdict.security.word, why=verdict.reason)
        return checked


class ValidatingParents(ValidatingParent, CheckedParents):
    """Validates what ``parents`` reply, whom the fast path can ask too (:class:`CheckedParents`)."""

    def __init__(self, parents: Parents, validator: Validator, counts: Counter[str]) -> None:
        ValidatingParent.__init__(self, parents, validator, counts)
        CheckedParents.__init__(self, parents)
        self._resume = parents.resume

    def may_answer(self, question: Question) -> bool:
        return self._validator.known(question) is not None

    def check(self, rrset: RRset, signature: bytes) -> tuple[Security, RRset] | None:
        checked = self._validator.at_once(rrset, signature)
        if checked is not None:
            self._counts[checked[0].word] += 1
        return checked

    def resume(self, question: Question, replied: DNSParent, early: EarlyReply) -> Deferred[Upstream]:
        return Deferred.fromCoroutine(self._ask(question, partial(self._resume, replied=replied, early=early)))
