"""Tests for :mod:`labnet.wire.types`: questions as they are compared and shown."""

from __future__ import annotations

import copy
import pickle

from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.names import key_of
from labnet.wire.types import Question, RRType

KEY = key_of("www.lab.test")


class QuestionTests(SynchronousTestCase):
    def test_name_and_type_make_it(self) -> None:
        """How a client spelled the name makes no difference, nor what kind of a number the type is."""
        asked = Question(KEY, RRType.A, "WWW.lab.test")
        for same in (Question(KEY, 1), Question(bytes(bytearray(KEY)), RRType.A, "www.lab.test.")):
            self.assertEqual(asked, same)
            self.assertEqual(hash(asked), hash(same))
            self.assertIn(same, {asked: "known"})
        for other in (Question(KEY, RRType.AAAA), Question(key_of("web.lab.test"), RRType.A), KEY, (KEY, 1), None):
            self.assertNotEqual(asked, other)
            self.assertNotIn(other, {asked: "known"})

    def test_a_copy_is_the_same(self) -> None:
        """With its spelling; another process may have another hash for the name."""
        asked = Question(KEY, RRType.AAAA, "WWW.lab.test")
        for same in (copy.copy(asked), copy.deepcopy(asked), pickle.loads(pickle.dumps(asked))):
            self.assertEqual((same, hash(same), same.spelled), (asked, hash(asked), "WWW.lab.test"))
        self.assertNotIn(hash(asked), asked.__reduce__()[1])

    def test_it_is_shown_to_people(self) -> None:
        """By its name and the mnemonic of its type; and whole to who looks for a fault."""
        self.assertEqual(str(Question(KEY, 28)), "www.lab.test AAAA")
        asked = Question(KEY, 28, "WWW.lab.test")
        self.assertEqual(eval(repr(asked), {"Question": Question}).spelled, "WWW.lab.test")
