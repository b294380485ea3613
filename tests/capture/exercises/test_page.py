"""The web page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.exercises.marking.verdicts import mark
from labnet.capture.exercises.page import page
from tests.capture import samples
from tests.capture.exercises.test_exercises import done

_VOID = {"meta"}


class _Checker(HTMLParser):
    """Keeps the tags, and sees that each is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag


def parsed(text: str) -> _Checker:
    checker = _Checker()
    checker.feed(text)
    assert not checker.open, checker.open
    return checker


class PageTests(SynchronousTestCase):
    """What is on it."""

    def test_it_is_whole_and_needs_nothing_from_elsewhere(self) -> None:
        """Every tag is closed, and no address of another file or server is in it."""
        for name in ("ip", "arp", "dhcp", "trace"):
            everything = [*samples.arp_pair(), *samples.ping(), *samples.offer(), *samples.four_packets()]
            text = page(done(name, everything), None)
            checker = parsed(text)
            self.assertNotIn("http:", text)
            self.assertNotIn("https:", text)
            for _, attributes in checker.tags:
                self.assertNotIn("src", attributes)
                self.assertTrue((attributes.get("href") or "#").startswith("#"))

    def test_the_bytes_and_the_boxes_of_the_diagram_belong_together(self) -> None:
        """Each field has one box, and lights up exactly its own bytes."""
        exercise = done("ip", samples.ping())
        checker = parsed(page(exercise, None))
        boxes = {a["data-f"]: a["title"] or "" for tag, a in checker.tags if tag == "button"}
        cells = [(a.get("data-f") or "").split() for tag, a in checker.tags if tag == "td"]
        for name, title in boxes.items():
            found = re.search(r"byte (\d+), (\d+) long", title)
            assert found is not None
            self.assertEqual(sum(name in cell for cell in cells), int(found[2]), title)
        self.assertTrue(any("ip.ttl" in title for title in boxes.values()))

    def test_a_row_of_the_diagram_is_thirty_two_bits(self) -> None:
        """As in the RFCs: the twenty bytes of an IP header are five rows."""
        text = page(done("ip", samples.ping()), None)
        diagram = text.split("Internet Protocol version 4</h3>")[1].split("</div>\n")[1]
        spans = [int(span) for span in re.findall(r"span (\d+)", diagram)]
        self.assertEqual(sum(spans), 160)

    def test_the_bytes_that_prove_an_answer_are_marked(self) -> None:
        """All of them and no others."""
        exercise = done("ip", samples.ping())
        checker = parsed(page(exercise, None))
        marked = sum(attributes.get("class") == "proves" for _, attributes in checker.tags)
        proved = {(proof.frame, at) for answer in exercise.answers for proof in answer.proofs
                  for at in range(proof.offset, proof.offset + len(proof.data))}  # fmt: skip
        self.assertEqual(marked, len(proved))

    def test_what_a_capture_or_a_student_says_is_text_and_never_markup(self) -> None:
        """Neither data nor answers can run anything, and no other script than the page's own may."""
        evil = b"<script>alert(1)</script>\x1b[31m"
        packets = samples.four_packets()
        told = samples.udp(samples.PARENT, 1200, samples.CHILD, 42460, samples.NAME + b"," + evil[:25] + b",60")
        reply = samples.frame(samples.PARENT_MAC, samples.CHILD_MAC, told)
        packets[2] = (packets[2][0], reply)
        exercise = done("trace", packets)
        text = page(exercise, mark(exercise.answers, {"packet1.data": "<b onmouseover=x>"}))
        self.assertEqual(text.count("<script>"), 1)
        self.assertNotIn("<b onmouseover", text)
        self.assertNotIn("\x1b", text)
        self.assertRegex(text, r"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[A-Za-z0-9+/]{43}='")
        self.assertIn("alert(1)", text)

    def test_marks_stand_beside_the_answers(self) -> None:
        """Right and wrong, each with its reason."""
        exercise = done("arp", samples.arp_pair())
        text = page(exercise, mark(exercise.answers, {"ethertype": "0x0800", "reply_ip": "10.0.0.2"}))
        self.assertIn('<div class="wrong">your answer: 0x0800; ', text)
        self.assertIn('<div class="right">your answer: 10.0.0.2; ', text)

    def test_what_the_capture_does_not_hold_is_told_there_too(self) -> None:
        """With what to do."""
        self.assertIn("ping -4", page(done("ip", samples.ping6()), None))
