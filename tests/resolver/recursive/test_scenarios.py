"""Each file of scenarios/ is a tree of servers and what a client is answered: rules of recursion, one a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.resolver.recursive.player import Player
from tests.resolver.recursive.testbound import parse

_FOLDER = Path(__file__).with_name("scenarios")


class ScenarioTests(SynchronousTestCase):
    """The scenarios; each title says what has to come out."""


def _test_of(path: Path) -> Callable[[ScenarioTests], None]:
    def test(self: ScenarioTests) -> None:
        Player(self, parse(path.read_text())).play()

    return test


for _path in sorted(_FOLDER.glob("*.rpl")):
    setattr(ScenarioTests, f"test_{_path.stem}", _test_of(_path))


class FormatTests(SynchronousTestCase):
    """Mistakes in a scenario are named."""

    def test_a_line_that_is_not_understood_is_named(self) -> None:
        """With its number."""
        with self.assertRaisesRegex(ValueError, "line 2: STOP 1 QUERY: it is not understood"):
            parse("CONFIG_END\nSTOP 1 QUERY\n")

    def test_a_wrong_answer_fails_with_its_step(self) -> None:
        """The RCODE differs."""
        text = (_FOLDER / "referrals.rpl").read_text().replace("REPLY QR RD RA NOERROR", "REPLY QR RD RA NXDOMAIN")
        with self.assertRaisesRegex(AssertionError, "step 10 CHECK_ANSWER: 'NOERROR' != 'NXDOMAIN'"):
            Player(self, parse(text)).play()

    def test_there_are_scenarios(self) -> None:
        """They are found where they are looked for."""
        self.assertGreater(len(list(_FOLDER.glob("*.rpl"))), 10)
