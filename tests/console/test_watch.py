"""``labnet watch``: what comes of a stream, and what a terminal shows of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.console.control import ControlError
from labnet.console.following import Following, parsed
from labnet.console.ladder_screen import MOST, LadderScreen
from labnet.ladder.model import cells
from tests.ladder import happened

HOSTS = {"127.0.0.1:1200": "resolver parent"}


class StreamTests(SynchronousTestCase):
    """Server-Sent Events."""

    def test_events_have_a_number_a_kind_and_a_value(self) -> None:
        """A sign of life is none, a value may be of several lines, and the last may be cut off."""
        lines = [
            b": alive\n", b"\n", b"id: 7\n", b"event: exchange\n", b'data: {"id":\n', b'data:"a"}\n', b"\n",
            b"data: 1\r\n", b"\r\n", b"event: log\n", b"data: {\n", b"\n", b"id: 9\n", b"data: 2\n",
        ]  # fmt: skip
        self.assertEqual(list(parsed(lines)), [("7", "exchange", {"id": "a"}), ("", "message", 1)])

    def test_an_address_that_is_none_is_said(self) -> None:
        """With one that is."""
        for address in ("https://lab.test/", "http://lab.test:port/", "http://", "ftp://lab.test"):
            error = self.assertRaises(ControlError, Following, address, {})
            self.assertIn("http://127.0.0.1:8090/", str(error))
        Following("127.0.0.1:8090", {})

    def test_where_no_page_is_it_says_so(self) -> None:
        """Port 9 is nobody's."""
        error = self.assertRaises(ControlError, Following("http://127.0.0.1:9/?token=a", {}).lab)
        self.assertIn("the page at http://127.0.0.1:9/ does not answer: Connection refused", str(error))


class ScreenTests(SynchronousTestCase):
    """What is shown."""

    def screen(self) -> LadderScreen:
        return LadderScreen(HOSTS)

    def test_before_anything_happens_it_says_what_will(self) -> None:
        """A screen with nothing on it looks broken."""
        lines = list(self.screen().lines(80, 24, "labnet watch"))
        self.assertEqual([kind for kind, _ in lines], ["title", "heading"])

    def test_the_end_of_the_ladder_is_below_its_columns(self) -> None:
        """No line is wider than the terminal, and there are no more of them than it has."""
        screen = self.screen()
        for number in range(30):
            screen.take("exchange", happened.hit(str(number), f"n{number}.test", float(number)))
        lines = [line for _, line in screen.lines(80, 24, "labnet watch")]
        self.assertEqual(len(lines), 24)
        self.assertLessEqual(max(map(cells, lines)), 80)
        self.assertIn("resolver main", lines[1])
        self.assertIn("n29.test", "".join(lines[-5:]))

    def test_what_was_lost_stands_in_the_title(self) -> None:
        """What was skipped, and that the lab is gone."""
        screen = self.screen()
        screen.take("skipped", {"count": 312})
        screen.take("skipped", {"count": 1})
        screen.lost = "the lab has ended"
        ((_, title), *_) = screen.lines(120, 24, "labnet watch")
        self.assertEqual(title, "labnet watch · skipped 313 · the lab has ended; trying again")

    def test_what_is_kept_has_a_bound(self) -> None:
        """Days of a full lab."""
        screen = self.screen()
        for number in range(3 * MOST):
            screen.take("exchange", happened.hit(str(number), "a.test", float(number)))
            for event in happened.session(f"s{number}"):
                screen.take("session", event)
        self.assertEqual((len(screen._exchanges), len(screen._sessions)), (MOST, MOST))

    def test_without_a_terminal_each_is_printed_when_it_is_over(self) -> None:
        """Drawn, or in words; of a log line nothing."""
        screen = self.screen()
        self.assertFalse(screen.take("log", {"text": "x"}))
        drawn = "\n".join(screen.one("exchange", happened.miss(), 0, in_words=False))
        self.assertRegex(drawn, r"1\.000 ms   │ +│─+▶│  Query shop")
        words = list(screen.one("exchange", happened.miss(), 0, in_words=True))
        self.assertIn("1.000 ms: resolver main to resolver parent: Query shop.lab.test A", words)
        said = []
        for event in happened.session():
            screen.take("session", event)
            said.append(list(screen.one("session", event, 0, in_words=True)))
        self.assertEqual([len(one) for one in said], [0, 0, 0, 6])
        self.assertIn("no command for 15 s", said[-1][-1])
