"""Many sheets, marked."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.exercises.marking.batch import mark_folder, write_csv
from labnet.capture.model import CaptureError
from tests.capture import samples

RIGHT = 'ethertype = "ARP (0x0806)"\nbroadcast_mac = "Broadcast"\nasked_address = "10.0.0.2"\n'
RIGHT += 'reply_ip = "10.0.0.2"\nreply_mac = "02:00:00:00:00:02"\n'


@contextmanager
def folder(**files: bytes | str) -> Iterator[str]:
    """A folder with ``files``, whose names have an underscore for the dot."""
    with tempfile.TemporaryDirectory() as path:
        for name, content in files.items():
            with open(os.path.join(path, name.replace("_", ".")), "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
        yield path


class BatchTests(SynchronousTestCase):
    """A folder of sheets."""

    def rows(self, path: str, capture: str) -> tuple[list[str], list[list[str]]]:
        written = io.StringIO()
        lines = list(write_csv(mark_folder("arp", capture, path), written))
        return lines, list(csv.reader(io.StringIO(written.getvalue())))

    def test_each_sheet_is_a_row(self) -> None:
        """With its score and the verdict of each question."""
        arp = samples.pcap(samples.arp_pair())
        with folder(lab_pcap=arp, ada_toml=RIGHT, bob_toml='ethertype = "IPv4"\nreply_ip = "the other one"\n') as path:
            lines, rows = self.rows(path, os.path.join(path, "lab.pcap"))
        self.assertEqual(lines, ["ada: 5 of 5 right", "bob: 0 of 5 right, 1 for the teacher"])
        self.assertEqual(rows[0][:6], ["sheet", "right", "of", "for the teacher", "problem", "ethertype"])
        self.assertEqual(rows[2], ["bob", "0", "5", "1", "", "wrong", "missing", "missing", "teacher", "missing"])

    def test_a_sheet_with_a_capture_of_its_own_is_marked_by_that(self) -> None:
        """Each student captured at home."""
        other = samples.pcap(
            [(when, data.replace(b"\x0a\0\0\2", b"\x0a\0\0\x09")) for when, data in samples.arp_pair()]
        )
        sheet = RIGHT.replace("10.0.0.2", "10.0.0.9")
        with folder(lab_pcap=samples.pcap(samples.arp_pair()), ada_toml=sheet, ada_pcap=other) as path:
            lines, _ = self.rows(path, os.path.join(path, "lab.pcap"))
        self.assertEqual(lines, ["ada: 5 of 5 right"])

    def test_a_sheet_that_cannot_be_read_costs_only_itself(self) -> None:
        """It is said what is wrong with it."""
        with folder(lab_pcap=samples.pcap(samples.arp_pair()), ada_toml="x = ", bob_toml=RIGHT) as path:
            lines, rows = self.rows(path, os.path.join(path, "lab.pcap"))
        self.assertIn("is no TOML", lines[0])
        self.assertEqual(lines[1], "bob: 5 of 5 right")
        self.assertIn("is no TOML", rows[0][4])

    def test_a_folder_without_sheets_is_told_in_a_sentence(self) -> None:
        """Nothing is written."""
        with folder() as path, self.assertRaisesRegex(CaptureError, "has no sheets"):
            self.rows(path, "x.pcap")
