"""Tests for :mod:`labnet.resolver.validation.parent`: what is asked of a parent, and what becomes of its reply."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import dns.name
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer
from zope.interface.verify import verifyObject

from labnet.events import ASKING, Story
from labnet.interfaces import IParent
from labnet.resolver.upstream.errors import Bogus, ParentFailed
from labnet.resolver.validation.parent import ValidatingParent
from labnet.resolver.validation.validator import Validator
from labnet.wire.types import CHECKING_DISABLED, DNSSEC_OK, CourseReply, InfoCode, Question, Rcode, Security, Upstream
from tests.resolver.validation.trees import Tree, TreeTests, question


@implementer(IParent)
class Parent:
    """Says what the tree does, or ``says``."""

    address = "192.0.2.53:53"

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.asked: list[Question] = []
        self.says: Upstream | None = None

    def ask(self, question: Question) -> Deferred[Upstream]:
        self.asked.append(question)
        return succeed(self.says or self.tree.told(question))


class ValidatingParentTests(TreeTests):
    """Before a parent that says what the tree does."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = Tree().grow()
        self.parent = Parent(self.tree)
        self.counts: Counter[str] = Counter()
        self.validating = ValidatingParent(self.parent, Validator(self.chain(self.tree)), self.counts)

    def broken(self) -> None:
        """The address of www.lab.test has no signature any more."""
        self.tree.zones["lab.test."].delete_rdataset(dns.name.from_text("www.lab.test."), "RRSIG", "A")

    def test_it_is_a_parent_of_the_same_address(self) -> None:
        verifyObject(IParent, self.validating)
        self.assertEqual(self.validating.address, "192.0.2.53:53")

    def test_the_parent_is_asked_for_all_that_validation_needs(self) -> None:
        """DO and CD; who asked without gets no signatures."""
        upstream = self.successResultOf(self.validating.ask(question("www.lab.test A")))
        self.assertEqual([each.dnssec for each in self.parent.asked], [DNSSEC_OK | CHECKING_DISABLED])
        self.assertEqual((upstream.security, upstream.signatures), (Security.SECURE, ()))
        self.assertEqual(self.counts, {"secure": 1})

    def test_what_is_bogus_fails_and_is_told_in_the_story(self) -> None:
        """With its code."""
        self.broken()
        story = Story("main", "1", self.clock.seconds)
        token = ASKING.set(story)
        failure = self.failureResultOf(self.validating.ask(question("www.lab.test A")), Bogus)
        ASKING.reset(token)
        self.assertEqual(failure.value.code, InfoCode.RRSIGS_MISSING)
        self.assertEqual(self.counts, {"bogus": 1})
        self.assertEqual(
            story.steps[-1].sentence,
            "Validated: bogus: www.lab.test A has no signature, and lab.test is signed.",
        )

    def test_a_client_that_checks_by_itself_gets_what_there_is(self) -> None:
        """With CD nothing is validated, and nothing is called secure."""
        self.broken()
        upstream = self.successResultOf(self.validating.ask(question("www.lab.test A", CHECKING_DISABLED)))
        self.assertEqual(upstream.security, Security.INDETERMINATE)
        self.assertEqual([each.dnssec for each in self.parent.asked], [CHECKING_DISABLED])
        self.assertEqual(self.counts, {})

    def test_validation_that_takes_too_long_is_given_up(self) -> None:
        """Whoever serves the links slowly; what is asked is cancelled."""
        cancelled: list[object] = []
        chain = self.chain(self.tree)
        chain.ask = lambda asked: Deferred(cancelled.append)
        asking = ValidatingParent(self.parent, Validator(chain), self.counts).ask(question("www.lab.test A"))
        self.clock.advance(29)
        self.assertNoResult(asking)
        self.clock.advance(1)
        failure = self.failureResultOf(asking, ParentFailed)
        self.assertEqual(failure.getErrorMessage(), "to validate www.lab.test A takes more than 30 s")
        self.assertEqual(len(cancelled), 1)

    def test_what_a_course_parent_says_passes(self) -> None:
        """Also that it knows nothing."""
        for said in (CourseReply(None, "10.0.0.1", 60), None):
            self.parent.says = Upstream(Rcode.NXDOMAIN, "course", course_reply=said, is_of_course=True)
            asked = Question(question("www.lab.test A").key, 1, "WWW.lab.test")
            self.assertEqual(self.successResultOf(self.validating.ask(asked)), self.parent.says)
            self.assertEqual(self.parent.asked[-1].spelled, "WWW.lab.test")

    def test_the_reason_of_what_is_insecure_is_in_the_story(self) -> None:
        """Where the chain ends."""
        story = Story("main", "1", self.clock.seconds)
        token = ASKING.set(story)
        upstream = self.successResultOf(self.validating.ask(question("www.plain.test A")))
        ASKING.reset(token)
        self.assertEqual(upstream, replace(upstream, security=Security.INSECURE))
        self.assertEqual(
            story.steps[-1].sentence, "Validated: insecure: test proves that plain.test has no DS: it is not signed."
        )
