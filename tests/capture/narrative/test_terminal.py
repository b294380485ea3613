"""Lines that fit the terminal they are printed on."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import tempfile
import termios

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.narrative.terminal import width_of, wrapped


class WrappedTests(SynchronousTestCase):
    """wrapped()."""

    def test_a_line_of_many_words_is_broken_between_them_and_goes_on_further_in(self) -> None:
        """No word is lost, no line is longer than the terminal."""
        line = "  Ethernet: " + "word " * 30 + "end"
        rows = list(wrapped([line], 50))
        self.assertTrue(all(len(row) <= 50 for row in rows), rows)
        self.assertTrue(rows[0].startswith("  Ethernet: word"))
        self.assertTrue(all(row.startswith("      word") for row in rows[1:-1]))
        self.assertEqual(" ".join(rows).split(), line.split())

    def test_a_word_longer_than_the_terminal_is_broken_and_whole(self) -> None:
        """A name of 253 bytes is still all there."""
        rows = list(wrapped(["x" * 253], 80))
        self.assertEqual("".join(row.strip() for row in rows), "x" * 253)
        self.assertTrue(all(len(row) <= 80 for row in rows))

    def test_lines_that_fit_and_empty_ones_and_coloured_rows_stay_as_they_are(self) -> None:
        """The columns of the packet list, the empty line between two packets, the rows of a hex dump."""
        lines = ["     1      0.000000  127.0.0.1", "", "\x1b[7m00\x1b[0m " * 40]
        self.assertEqual(list(wrapped(lines, 60)), lines)

    def test_without_a_width_nothing_is_broken(self) -> None:
        """What goes into a file has one line each, for grep."""
        self.assertEqual(list(wrapped(["word " * 100], None)), ["word " * 100])


class WidthTests(SynchronousTestCase):
    """width_of()."""

    def test_a_terminal_says_its_columns_and_a_very_narrow_one_counts_as_40(self) -> None:
        """Set as a window that is resized sets them; 0 is a terminal that does not know."""
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        with os.fdopen(follower, "w") as terminal:
            for columns, width in (97, 97), (12, 40), (0, None):
                fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
                self.assertEqual(width_of(terminal), width)

    def test_a_file_has_no_width(self) -> None:
        """Its reader is a program."""
        with tempfile.TemporaryFile("w") as written:
            self.assertIsNone(width_of(written))
