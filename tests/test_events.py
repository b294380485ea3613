"""What happens, as values."""

from __future__ import annotations

from string import Formatter

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.events import MOST_DATAGRAMS, MOST_STEPS, SENTENCES, Step, Story
from labnet.interfaces import UNWATCHED

ENDS = ("127.0.0.1", 5353), ("127.0.0.1", 1199)


class StepTests(SynchronousTestCase):
    """The steps of a decision."""

    def test_each_kind_of_step_is_a_sentence_with_its_values(self) -> None:
        """None is left open, and none is lost."""
        for kind, pattern in SENTENCES.items():
            names = [name for _, name, _, _ in Formatter().parse(pattern) if name]
            sentence = Step(kind, {name: f"<{name}>" for name in names}).sentence
            self.assertRegex(sentence, r"^(?=\S).*\S$", kind)
            for name in names:
                self.assertIn(f"<{name}>", sentence)


class StoryTests(SynchronousTestCase):
    """What is noted of one question."""

    def test_datagrams_of_the_questions_to_parents_are_among_its_own_by_time(self) -> None:
        """However they were noted."""
        clock = Clock()
        own = Story("main", "1", clock.seconds)
        asked = own.of_flight()
        clock.advance(1)
        own.saw(*ENDS, b"question")
        clock.advance(1)
        asked.saw(*ENDS, b"passed on")
        clock.advance(1)
        own.saw(*ENDS, b"reply")
        self.assertEqual([one.time for one in own.all_datagrams()], [1.0, 2.0, 3.0])

    def test_a_story_does_not_grow_for_ever(self) -> None:
        """Whatever a parent sends."""
        story = Story("main", "1", Clock().seconds)
        for _ in range(10 * MOST_DATAGRAMS):
            story.saw(*ENDS, b"")
            story.step("no-parent")
        self.assertEqual(len(story.all_datagrams()), MOST_DATAGRAMS)
        self.assertEqual(len(story.steps), MOST_STEPS)


class UnwatchedTests(SynchronousTestCase):
    """Where nobody looks."""

    def test_nothing_is_wanted(self) -> None:
        """No question is to be told of."""
        self.assertFalse(UNWATCHED.watched)
        self.assertEqual(UNWATCHED.take(100), 0)
