"""``labnet explain`` as a page and as JSON, and its ladders."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.narrative.explain import Understanding
from labnet.capture.narrative.explain_page import explain_json, explain_page
from labnet.capture.narrative.ladder import exchange_ladder, session_ladder
from labnet.capture.traffic.exchanges import CapturedExchange
from labnet.capture.traffic.sessions import CapturedSession
from labnet.ladder.model import ArrowKind, Ladder
from labnet.ladder.svg import ladder_svg
from labnet.ladder.text import ladder_text
from tests.capture import samples
from tests.capture.exercises.test_page import parsed
from tests.capture.frames import file, packets


def happened(timed: list[samples.Timed]) -> list[CapturedExchange | CapturedSession]:
    understanding = Understanding()
    over = [one for packet in packets(timed) for one in understanding.take(packet)[2]]
    return [*over, *understanding.rest()]


def ladder(timed: list[samples.Timed]) -> Ladder:
    (one,) = happened(timed)
    return exchange_ladder(one) if isinstance(one, CapturedExchange) else session_ladder(one)


class PageTests(SynchronousTestCase):
    """The page."""

    def test_the_page_has_list_ladder_and_frames_and_nothing_from_elsewhere(self) -> None:
        """Every tag is closed, every link is inside."""
        with file(samples.pcap(samples.four_packets())) as path:
            text = explain_page(path, 2, lambda done: None)
        checker = parsed(text)
        tags = [tag for tag, _ in checker.tags]
        self.assertEqual((tags.count("figure"), tags.count("svg"), tags.count("tr") >= 5), (2, 1, True))
        self.assertNotIn("http:", text)
        for _, attributes in checker.tags:
            self.assertTrue((attributes.get("href") or "#").startswith("#"))

    def test_what_a_capture_says_is_text_and_never_markup(self) -> None:
        """In the list, in the ladder and in the words."""
        evil = samples.udp(samples.CLIENT, 54699, samples.CHILD, 1199, b"<img/src=x>\x1b[31m.example")
        with file(samples.pcap([(1.0, samples.frame(samples.CLIENT_MAC, samples.CHILD_MAC, evil))])) as path:
            text = explain_page(path, 5, lambda done: None)
        self.assertNotIn("<img", text)
        self.assertNotIn("\x1b", text)

    def test_json_has_the_packets_with_their_fields(self) -> None:
        """And what happened in words."""
        with file(samples.pcap(samples.four_packets())) as path:
            found = json.loads(explain_json(path, 1, lambda done: None))
        self.assertEqual((found["count"], len(found["packets"]), len(found["frames"])), (4, 4, 1))
        fields = {one["field"]: one for layer in found["frames"][0]["layers"] for one in layer["fields"]}
        self.assertEqual((fields["udp.dstport"]["offset"], fields["udp.dstport"]["shown"]), (36, "1199"))
        self.assertIn("www.google.co.il", found["happened"][0][0])


class LadderTests(SynchronousTestCase):
    """Who sends what to whom."""

    def test_a_question_that_goes_on_is_an_arrow_further(self) -> None:
        """Three columns, four arrows."""
        made = ladder(samples.four_packets())
        self.assertEqual([column.role for column in made.columns], ["client", "server", "parent"])
        self.assertEqual([(one.start, one.end) for one in made.arrows], [(0, 1), (1, 2), (2, 1), (1, 0)])

    def test_an_answer_from_memory_goes_to_no_parent(self) -> None:
        """Two columns."""
        first, *_, last = samples.four_packets()
        made = ladder([first, last])
        self.assertEqual([(one.start, one.end) for one in made.arrows], [(0, 1), (1, 0)])

    def test_a_repeated_question_is_dashed_and_silence_is_drawn(self) -> None:
        """Nothing is made up."""
        (when, question), *_ = samples.four_packets()
        made = ladder([(when, question), (when + 1, question)])
        self.assertEqual([one.kind for one in made.arrows], [ArrowKind.SENT, ArrowKind.RETRY, ArrowKind.SILENCE])
        self.assertIn('class="arrow retry"', ladder_svg(made))
        self.assertIn("no answer in this capture", "\n".join(ladder_text(made)))

    def test_a_session_is_a_ladder_too(self) -> None:
        """Commands one way, replies the other."""
        made = ladder(samples.greeting().say("client", b"TIME\n").packets)
        self.assertEqual([(one.start, one.end) for one in made.arrows][-2:], [(1, 0), (0, 1)])
        self.assertIn("'TIME'", "\n".join(ladder_text(made)))
