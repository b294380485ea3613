"""The ladder as SVG and as text."""

from __future__ import annotations

from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from labnet.ladder.live import live_ladder
from labnet.ladder.model import MOST_ROWS, Arrow, ArrowKind, Column, Ladder, cells, cut
from labnet.ladder.style import style
from labnet.ladder.svg import ladder_svg
from labnet.ladder.text import ladder_lines, ladder_sentences, ladder_text
from tests.ladder import happened

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '<script>alert(1)</script>"\x1b[31m\u202e&'


def everything() -> Ladder:
    exchanges = [
        happened.hit(), happened.miss(), happened.joined(), happened.lost(), happened.spoofed(),
        *(happened.ended_by(kind, kind) for kind in ("refused", "dropped", "limited")),
    ]  # fmt: skip
    return live_ladder(exchanges, happened.session())


def drawn(ladder: Ladder, width: int = 1000) -> ElementTree.Element:
    return ElementTree.fromstring(ladder_svg(ladder, width=width))


class PictureTests(SynchronousTestCase):
    """The SVG."""

    def test_each_arrow_is_a_button_with_its_sentence_and_what_it_opens(self) -> None:
        """One of them is reached by Tab, the others from there."""
        ladder = everything()
        groups = [one for one in drawn(ladder).iter(f"{SVG}g") if one.get("role") == "button"]
        self.assertEqual(len(groups), len(ladder.arrows))
        self.assertEqual([one.get("tabindex") for one in groups], ["0", *["-1"] * (len(groups) - 1)])
        self.assertEqual(groups[0].get("data-exchange"), "1")
        self.assertEqual(groups[1].get("data-arrow"), "1")
        self.assertEqual(groups[0].get("aria-label"), "0.000 ms: client to resolver main: Query www.lab.test A")

    def test_each_kind_is_a_class_and_what_was_stopped_has_a_mark_and_no_head(self) -> None:
        """A fault on order is a class more."""
        groups = [one for one in drawn(everything()).iter(f"{SVG}g") if one.get("role") == "button"]
        classes = {str(one.get("class")) for one in groups}
        kinds = {"sent", "retry", "joined", "silence", "refused", "dropped", "limited"}
        self.assertEqual(classes, {f"arrow {kind}" for kind in kinds} | {"arrow ignored fault"})
        for one in groups:
            parts = {part.get("class") for part in one}
            kind = str(one.get("class")).split()[1]
            self.assertEqual("head" in parts, kind in ("sent", "retry"), kind)
            self.assertEqual("mark" in parts, kind in ("refused", "dropped", "limited", "ignored"), kind)
            self.assertEqual("ring" in parts, kind == "joined")
            self.assertEqual("gap" in parts, kind == "silence")

    def test_it_holds_under_a_policy_that_allows_no_style_and_no_script(self) -> None:
        """Classes only, in what is put into a page."""
        text = ladder_svg(everything(), width=400)
        for part in ("style", "onclick", "href", "url(", "<script"):
            self.assertNotIn(part, text)

    def test_text_from_outside_is_text(self) -> None:
        """In a name, a note, a title and a heading: no markup, no control character, no turned direction."""
        ladder = live_ladder([happened.hit(name=EVIL)])
        ladder.columns[0] = Column(EVIL, EVIL)
        text = ladder_svg(ladder, width=2000)
        self.assertEqual(len(list(ElementTree.fromstring(text).iter(f"{SVG}script"))), 0)
        for sign in ("\x1b", "\u202e", "<script"):
            self.assertNotIn(sign, text)
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;", text)
        for line in (*ladder_text(ladder), *ladder_sentences(ladder)):
            self.assertTrue(line.isprintable())

    def test_it_has_the_width_that_is_there(self) -> None:
        """And every text stays inside it, however long."""
        long = happened.hit(name=".".join(["w" * 63] * 4))
        for width in (370, 600, 1400):
            root = drawn(live_ladder([long, happened.miss()]), width)
            self.assertEqual(root.get("width"), str(width))
            for text in root.iter(f"{SVG}text"):
                length = len("".join(text.itertext())) * 7
                x, names = int(str(text.get("x"))), str(text.get("class"))
                left = x if "right" in names or "heading" in names else x - length // 2
                self.assertGreaterEqual(left if "time" not in names else x - length, -2)
                self.assertLessEqual(left + length if "time" not in names else x, width + 8)

    def test_a_file_alone_has_its_style_and_a_description(self) -> None:
        """It is one picture: nothing in it can be opened."""
        ladder = Ladder("A <b>", [Column("client"), Column("server")], [Arrow(5, 0, 1, "TIME")])
        root = ElementTree.fromstring(ladder_svg(ladder, is_alone=True))
        self.assertEqual((root.get("role"), root.findtext(f"{SVG}title")), ("img", "A <b>"))
        self.assertEqual(root.findtext(f"{SVG}desc"), "0.000 ms: client to server: TIME")
        self.assertIn(".ladder", root.findtext(f"{SVG}style") or "")

    def test_the_style_has_a_colour_for_each_of_its_words_in_light_and_dark(self) -> None:
        """No word in capitals is left over."""
        self.assertNotRegex(style(), r"[:(][A-Z]{3}")
        self.assertIn("prefers-color-scheme:dark", style())
        self.assertNotIn("prefers-color-scheme", style(is_alone=True))


class TextTests(SynchronousTestCase):
    """The ladder for a terminal."""

    def test_no_line_is_wider_than_the_terminal(self) -> None:
        """From wide to narrow, with names of two cells a sign."""
        for width in (60, 80, 100, 140):
            ladder = live_ladder([happened.hit(name="例え。テスト" * 30), happened.miss(), happened.lost()])
            for line in ladder_text(ladder, width):
                self.assertLessEqual(cells(line), width, line)

    def test_arrows_stand_between_their_columns(self) -> None:
        """A retry has other dashes, and who joins a dot."""
        text = "\n".join(ladder_text(live_ladder([happened.miss(), happened.joined(), happened.lost()])))
        self.assertRegex(text, r"20\.000 ms   │ +│◀─+│  Reply 192\.0\.2\.9")
        self.assertRegex(text, r"10\.000 ms   │─+●│ +│  Query shop\.lab\.test A  joined")
        self.assertRegex(text, r"1\.501 s   │ +│╌+▶│  Query gone")

    def test_each_line_says_what_it_shows(self) -> None:
        """So that a terminal can colour it; a fault before the kind."""
        kinds = [kind for kind, _ in ladder_lines(everything(), 200)]
        self.assertEqual(kinds[:4], ["head", "head", "heading", "sent"])
        self.assertEqual(kinds.count("fault"), 1)
        self.assertIn("silence", kinds)

    def test_words_say_what_colour_and_dashes_say(self) -> None:
        """For who listens."""
        words = "\n".join(ladder_sentences(everything()))
        self.assertIn("1.501 s: resolver main to parent: Query gone.lab.test A; asked again", words)
        self.assertIn("client to resolver main: Query shop.lab.test A; joins the same question in flight", words)
        self.assertIn("resolver main waits for parent: nothing for 1.5 s; silence", words)
        self.assertIn("Reply 6.6.6.6; thrown away; fault spoof; its id is another", words)

    def test_what_has_no_room_is_counted(self) -> None:
        """A ladder has a bound, and says what it left out."""
        ladder = Ladder("long", [Column("a"), Column("b")])
        for number in range(MOST_ROWS + 7):
            ladder.add(Arrow(number, 0, 1, "x"))
        self.assertEqual(list(ladder_text(ladder))[-1], "… and 7 more")
        self.assertIn("… and 7 more", ladder_svg(ladder))

    def test_a_long_text_is_cut_by_cells(self) -> None:
        """An ideograph takes two, a combining mark none."""
        self.assertEqual((cut("abcdef", 4), cut("例例例", 4), cut("e\u0301" * 3, 3)), ("abc…", "例…", "e\u0301" * 3))

    def test_a_silence_waits_for_somebody(self) -> None:
        """An arrow to its own column is a note there."""
        ladder = Ladder(
            "", [Column("client"), Column("server")], [Arrow(0, 0, 1, "nothing for 2 s", kind=ArrowKind.SILENCE)]
        )
        self.assertEqual(
            ladder.sentence(ladder.arrows[0], 0), "0.000 ms: client waits for server: nothing for 2 s; silence"
        )
