"""The subcommands, as ``labnet`` runs them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from labnet import cli
from tests.capture import samples
from tests.capture.frames import file


def labnet(*arguments: str) -> tuple[int, str, str]:
    """Exit status, output, errors."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main(arguments)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
    return status, out.getvalue(), err.getvalue()


class ExplainTests(SynchronousTestCase):
    """labnet explain."""

    def test_it_prints_the_explanation(self) -> None:
        """Status 0."""
        with file(samples.pcap(samples.four_packets())) as path:
            status, out, err = labnet("explain", path)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("Course exchange about www.google.co.il", out)

    def test_one_frame(self) -> None:
        """With its fields."""
        with file(samples.pcap(samples.four_packets())) as path:
            self.assertIn("[udp.srcport]", labnet("explain", path, "--frame", "2")[1])
            status, out, err = labnet("explain", path, "--frame", "5")
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(err, f"labnet: {path}: there is no frame 5: the capture has 4\n")

    def test_what_is_no_capture_is_one_sentence(self) -> None:
        """Status 2."""
        with file(b"hello") as path:
            status, _, err = labnet("explain", path)
        self.assertEqual(status, 2)
        self.assertEqual(
            err,
            f"labnet: {path}: is no capture: it begins with the bytes 68 65 6c 6c, and neither pcap nor pcapng does\n",
        )

    def test_wrong_arguments_are_told_in_words(self) -> None:
        """As everywhere in labnet."""
        self.assertIn("'0' is no frame", labnet("explain", "x", "--frame", "0")[2])
        self.assertIn("'-1' is no count", labnet("explain", "x", "--packets=-1")[2])


class ExerciseTests(SynchronousTestCase):
    """labnet exercise."""

    def test_answers_as_text_json_page_and_sheet(self) -> None:
        """One exercise, four forms."""
        with file(samples.pcap(samples.ping())) as path:
            self.assertIn("10.0.0.1", labnet("exercise", "ip", path)[1])
            self.assertEqual(json.loads(labnet("exercise", "ip", path, "--json")[1])["exercise"], "ip")
            self.assertTrue(labnet("exercise", "ip", path, "--html")[1].startswith("<!doctype html>"))
            self.assertIn(
                '[ip]\n# What is the source address?\nsource = ""', labnet("exercise", "ip", path, "--blank")[1]
            )

    def test_the_status_says_whether_answers_are_right(self) -> None:
        """0, 1, and 2 where a file cannot be read."""
        with file(samples.pcap(samples.arp_pair())) as path, tempfile.TemporaryDirectory() as folder:
            sheet = os.path.join(folder, "answers.toml")
            right = f"""[arp]
                ethertype = "0x0806"
                broadcast_mac = "ff:ff:ff:ff:ff:ff"
                asked_address = "10.0.0.2"
                reply_ip = "10.0.0.2"
                reply_mac = "{samples.CHILD_MAC}"
            """
            for text, status in ((right, 0), (right.replace("0806", "0800"), 1), ("[", 2)):
                with open(sheet, "w") as made:
                    made.write(text)
                self.assertEqual(labnet("exercise", "arp", path, "--check", sheet)[0], status)
            self.assertEqual(labnet("exercise", "ip", path)[0], 1)

    def test_marks_are_printed_with_reason_and_bytes(self) -> None:
        """The published answer that is wrong."""
        with file(samples.pcap(samples.arp_pair())) as path, tempfile.TemporaryDirectory() as folder:
            sheet = os.path.join(folder, "answers.toml")
            with open(sheet, "w") as made:
                made.write('ethertype = "0x0800"\n')
            out = labnet("exercise", "arp", path, "--check", sheet)[1]
        self.assertIn("WRONG: ethertype: 0x0800: the bytes say ARP (0x0806).", out)
        self.assertIn("frame 1, bytes 12-13 (Type): 08 06", out)
        self.assertIn("0 of 5 right", out)


class CaptureTests(SynchronousTestCase):
    """labnet capture, and --capture of the clients."""

    def test_an_unknown_interface_is_one_sentence(self) -> None:
        """Nothing is written."""
        status, _, err = labnet("capture", "-i", "none", "-w", "x.pcapng")
        self.assertEqual(status, 2)
        self.assertTrue(err.startswith("labnet: there is no interface 'none'; there are: any, "), err)
        self.assertFalse(os.path.exists("x.pcapng"))

    def test_a_client_whose_capture_cannot_be_written_does_not_start(self) -> None:
        """It says why."""
        status, _, err = labnet("resolve", "127.0.0.1", "1", "x", "--capture", "/proc/none/x.pcapng")
        self.assertEqual(status, 2)
        self.assertTrue(err.startswith("labnet: cannot capture into /proc/none/x.pcapng: "), err)


class DNSCaptureTests(SynchronousTestCase):
    """--capture together with --dns."""

    def test_a_trace_is_not_followed_and_that_is_said(self) -> None:
        """An empty file would mislead."""
        status, _, err = labnet("resolve", "127.0.0.1", "1", "x.example", "--trace", "--capture", "x.pcapng")
        self.assertEqual(
            (status, err), (2, "labnet: --capture does not follow --trace: use labnet capture beside it\n")
        )
