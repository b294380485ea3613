"""The resolver's decisions, told as scenarios: each file in tests/scenarios is one test."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.resolver.scenarios import Run, ScenarioError, parse, scenario_files


def play(test: SynchronousTestCase, text: str) -> None:
    """Play the scenario ``text``; its files are gone when ``test`` has ended."""
    folder = tempfile.TemporaryDirectory()
    test.addCleanup(folder.cleanup)
    Run(parse(text), Path(folder.name)).play()


def _test_of(path: Path) -> Callable[[SynchronousTestCase], None]:
    def test(self: SynchronousTestCase) -> None:
        play(self, path.read_text("ascii"))

    test.__name__ = "test_" + re.sub(r"\W", "_", path.stem)
    test.__doc__ = parse(path.read_text("ascii")).title
    return test


class ScenarioTests(SynchronousTestCase):
    """The scenario files, one method each."""


for _path in scenario_files():
    _test = _test_of(_path)
    setattr(ScenarioTests, _test.__name__, _test)


class RunnerTests(SynchronousTestCase):
    """A scenario that the resolver does not keep to fails, and says where."""

    START = "# a test\nrecords:\n    www.a,1.2.3.4,60\nparent P is at 192.0.2.53:1200\n"

    def fails(self, steps: str, says: str) -> None:
        with self.assertRaisesRegex(AssertionError, says):
            play(self, self.START + steps)

    def test_there_are_scenarios(self) -> None:
        """The folder of scenarios is found."""
        self.assertGreater(len(list(scenario_files())), 20)

    def test_a_scenario_that_is_kept_passes(self) -> None:
        """The scenario that the others here vary passes as it stands."""
        play(
            self,
            self.START + 'client A asks www.a\nclient A is told ["www.a", "1.2.3.4", "60", "0", 1605280488.749312]',
        )

    def test_another_answer_fails(self) -> None:
        """An answer other than the expected one fails, at its line, and is shown."""
        self.fails("client A asks www.a\nclient A is told []\n", r"line 6: this was not sent: b'\[\]'; .*1\.2\.3\.4")

    def test_an_answer_that_is_missing_fails(self) -> None:
        """An answer that was expected and did not come fails."""
        self.fails("client A asks www.b\nparent P is asked www.b\nclient A is told []\n", "line 7: .*nothing")

    def test_an_answer_to_another_client_fails(self) -> None:
        """An answer that went to another client's port is no answer to this one."""
        self.fails("client A asks www.a\nclient A2 is told []\n", "line 6: this was not sent")

    def test_an_unexpected_datagram_fails(self) -> None:
        """What nobody expected fails at the next step, and at the end where there is none."""
        self.fails("client A asks www.a\ntime passes 1\n", "line 6: nobody expected")
        self.fails("client A asks www.a\n", "at the end: nobody expected")

    def test_an_unknown_step_fails(self) -> None:
        """A step that is misspelt fails; it is not passed over."""
        self.fails("client A sks www.a\n", "line 5: there is no such step")

    def test_a_file_without_steps_is_no_scenario(self) -> None:
        """A file without a title, or without steps, is refused."""
        for text in ("# a test\nrecords:\n    www.a,1.2.3.4,60\n", "\nrestart\n"):
            with self.assertRaises(ScenarioError):
                parse(text)
