"""docs/captures.rst shows what the program prints."""

from __future__ import annotations

import textwrap
from pathlib import Path
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.exercises.run import Done, run
from labnet.capture.narrative.explain import explain, explain_frame
from labnet.ladder.svg import ladder_svg
from tests.capture import samples
from tests.capture.exercises.test_exercises import done

DOCS = Path(__file__).resolve().parents[2] / "docs"
TRACE = str(DOCS / "trace.pcapng")


def drawn(exercise: Done) -> str:
    """The trace's ladder."""
    assert exercise.ladder is not None
    return ladder_svg(exercise.ladder, is_alone=True)


class DocumentationTests(SynchronousTestCase):
    """The how-to and its capture."""

    def test_the_picture_is_the_one_that_the_program_makes(self) -> None:
        """From the capture beside it."""
        made = drawn(run("trace", TRACE, lambda read: None))
        self.assertEqual((DOCS / "trace.svg").read_text(), made + "\n")

    def test_the_texts_are_those_that_the_program_prints(self) -> None:
        """Each quoted line is one of its lines."""
        printed = {line.strip() for line in explain(TRACE, 200, False, lambda read: None)}
        printed |= {line.strip() for line in explain_frame(TRACE, 2, False)}
        page = (DOCS / "captures.rst").read_text()
        quoted = [part.split("\n\n", 2)[1] for part in page.split(".. code-block:: text")[1:]]
        self.assertEqual(len(quoted), 2)
        for line in textwrap.dedent("\n".join(quoted)).splitlines():
            self.assertIn(line.strip(), printed)


class PictureTests(SynchronousTestCase):
    """The sequence diagram."""

    def test_each_packet_is_an_arrow_with_its_data_and_ports(self) -> None:
        """Drawn as well-formed SVG, with nothing of the capture as markup."""
        packets = samples.four_packets()
        told = samples.udp(samples.PARENT, 1200, samples.CHILD, 42460, samples.NAME + b",<b>&,60")
        packets[2] = (packets[2][0], samples.frame(samples.PARENT_MAC, samples.CHILD_MAC, told))
        root = ElementTree.fromstring(drawn(done("trace", packets)))
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("frame 2 · port 42460 → 1200", texts)
        self.assertIn("1.000 ms", texts)
        self.assertIn("Reply www.google.co.il,<b>&,60", texts)
        self.assertEqual(len(list(root.iter("{http://www.w3.org/2000/svg}line"))), 3 + 4)

    def test_without_a_trace_there_is_none(self) -> None:
        """Another exercise, or a capture that lacks it."""
        for name, packets in (("ip", samples.ping()), ("trace", samples.ping())):
            self.assertIsNone(done(name, packets).ladder)
