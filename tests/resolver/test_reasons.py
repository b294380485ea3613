"""Extended errors made of the steps of a decision."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.events import SENTENCES, Step
from labnet.resolver.reasons import CODES, error_of, told_why
from labnet.wire.types import InfoCode, Rcode


class ReasonTests(SynchronousTestCase):
    """One sentence for who watches and for the client."""

    def test_each_code_is_of_a_kind_that_has_a_sentence(self) -> None:
        """A kind that was renamed would be told as another error."""
        self.assertEqual(CODES.keys() - SENTENCES.keys(), set())

    def test_the_sentence_has_the_numbers(self) -> None:
        """The code is that of RFC 8914."""
        error = error_of(Step("failed-before", {"age": 3, "ttl": 5}))
        self.assertEqual((error.code, error.text), (13, "It failed 3 s ago, and a failure counts for 5 s."))

    def test_a_kind_without_a_code_of_its_own(self) -> None:
        """It is "other"; the sentence says what."""
        answer = told_why(Rcode.SERVFAIL, "full")
        self.assertEqual((answer.rcode, answer.answer), (Rcode.SERVFAIL, ()))
        (error,) = answer.errors
        self.assertEqual((error.code, error.text), (InfoCode.OTHER, SENTENCES["full"]))
