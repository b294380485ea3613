"""QNAME minimisation: which parts of a name are asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.recursive.minimise import MAX_MINIMISE_COUNT, Minimised
from labnet.wire.names import ROOT, key_of
from tests.resolver.recursive.fakes import ask


def asked(text: str, zone: bytes = ROOT) -> list[str]:
    """What is asked where every part of the name is there and no zone is cut."""
    question = ask(text)
    path = Minimised(question, zone)
    texts = []
    while True:
        part = path.next()
        texts.append(str(part))
        if part == question:
            return texts
        path.reached(part.key)


class MinimisedTests(SynchronousTestCase):
    """The names on the way down."""

    def test_one_label_more_each_time(self) -> None:
        """With type A, and the question's own type for the whole name."""
        self.assertEqual(asked("www.lab.test MX"), ["test A", "lab.test A", "www.lab.test MX"])

    def test_it_begins_below_the_zone_that_is_known(self) -> None:
        """Nothing above it is asked for."""
        self.assertEqual(asked("www.lab.test MX", key_of("test")), ["lab.test A", "www.lab.test MX"])

    def test_a_question_for_the_zone_itself_is_asked_whole(self) -> None:
        """There is nothing to hide from its own servers."""
        self.assertEqual(asked("lab.test NS", key_of("lab.test")), ["lab.test NS"])
        self.assertEqual(asked(". NS"), [". NS"])

    def test_long_names_take_ten_questions(self) -> None:
        """RFC 9156, section 2.3: four by one label, then six that share the other fourteen."""
        name = ".".join("abcdefghijklmnopqr")
        lengths = [text.split()[0].count(".") + 1 for text in asked(f"{name} TXT")]
        self.assertEqual(lengths, [1, 2, 3, 4, 6, 8, 10, 12, 15, 18])

    def test_labels_with_an_underscore_cost_no_question(self) -> None:
        """They are no zone of their own (RFC 9156, section 2.3)."""
        self.assertEqual(asked("_25._tcp.mail.test TLSA"), ["test A", "mail.test A", "_25._tcp.mail.test TLSA"])
        self.assertEqual(asked("a._tcp.test TXT"), ["test A", "a._tcp.test TXT"])

    def test_relaxed_it_asks_for_the_whole_name(self) -> None:
        """From the next question on."""
        question = ask("a.b.c.test A")
        path = Minimised(question, ROOT)
        path.next()
        path.relax()
        self.assertEqual(path.next(), question)

    @given(st.lists(st.sampled_from(["a", "_b", "cc"]), min_size=1, max_size=60), st.integers(0, 60))
    def test_any_name_takes_at_most_ten_questions(self, labels: list[str], known: int) -> None:
        """It always ends with the whole name, each part being longer than the one before."""
        name = ".".join(labels)
        texts = asked(f"{name} TXT", key_of(".".join(labels[-min(known, len(labels)) :]) if known else "."))
        self.assertLessEqual(len(texts), MAX_MINIMISE_COUNT)
        self.assertEqual(texts[-1], f"{name} TXT")
        lengths = [len(text.split()[0]) for text in texts]
        self.assertEqual(lengths, sorted(set(lengths)))
