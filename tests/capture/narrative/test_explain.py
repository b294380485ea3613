"""``labnet explain``: the list and the story."""

from __future__ import annotations

import io

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.model import CaptureError
from labnet.capture.narrative.explain import explain_frame
from labnet.capture.narrative.hexdump import hex_rows
from labnet.capture.narrative.progress import ProgressBar
from tests.capture import samples
from tests.capture.frames import explained, file


class ListTests(SynchronousTestCase):
    """Wireshark's columns."""

    def test_each_packet_is_a_line(self) -> None:
        """Number, time since the first, source, destination, protocol, length, info."""
        lines = explained(samples.pcap([*samples.four_packets(), (1001.5, samples.arp_pair()[1][1])]), most=0)
        self.assertEqual(lines[0].split(), ["No.", "Time", "Source", "Destination", "Protocol", "Length", "Info"])
        self.assertEqual(
            lines[2].split(), ["2", "0.001000", "10.0.0.2", "10.0.0.3", "Course", "58", "Question", "www.google.co.il"]
        )
        self.assertEqual(lines[5].split()[:5], ["5", "1.500000", samples.CHILD_MAC, samples.CLIENT_MAC, "ARP"])

    def test_bytes_of_a_capture_do_not_reach_the_terminal_as_control_characters(self) -> None:
        """An escape sequence is shown, not obeyed."""
        evil = samples.frame(
            samples.CLIENT_MAC,
            samples.CHILD_MAC,
            samples.udp("10.0.0.1", 1, "10.0.0.2", 2, b'["a\x1b]0;x\x07", "b", "1"]'),
        )
        talk = (
            samples.greeting().say("client", b"\x1b[2J\n").say("client", b"GET /\x1b[2J HTTP/1.1\r\nX: \x1b[1m\r\n\r\n")
        )
        text = "\n".join(explained(samples.pcap([(1.0, evil), *talk.packets])))
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\x07", text)

    def test_where_the_file_stops_is_told_and_the_rest_is_there(self) -> None:
        """Cut inside the last packet."""
        lines = explained(samples.pcap(samples.four_packets())[:-5])
        self.assertIn("Note: the file ends at byte", "\n".join(lines))
        self.assertIn("Course exchange about www.google.co.il (frames 1, 2, 3)", lines)
        self.assertIn("  Data, bytes 42 to 97: 56 bytes, cut, so that they cannot be decoded.", lines)

    def test_a_capture_without_packets_says_so(self) -> None:
        """It is one all the same."""
        self.assertIn("holds no packets", explained(samples.pcap([]))[1])


class StoryTests(SynchronousTestCase):
    """What happened."""

    def test_the_four_packets_are_one_story_with_latencies(self) -> None:
        """How long the parent took, and how long all."""
        lines = explained(samples.pcap(samples.four_packets()), most=0)
        start = lines.index("Course exchange about www.google.co.il (frames 1, 2, 3, 4)")
        self.assertEqual(
            [" ".join(line.split()) for line in lines[start + 1 :]],
            [
                "0.000 ms frame 1: the client 10.0.0.1:54699 asks the server 10.0.0.2:1199 for www.google.co.il",
                "1.000 ms frame 2: the server 10.0.0.2:42460 asks its parent 10.0.0.3:1200 for www.google.co.il",
                "3.000 ms frame 3: the parent answers: 21.09.1992.8 (after 2.000 ms)",
                "4.000 ms frame 4: the server answers: 21.09.1992.8 (after 4.000 ms, 2.000 ms of them waiting for "
                "the parent)",
            ],
        )

    def test_a_session_is_told_with_who_closed_and_why(self) -> None:
        """Commands, replies, EXIT."""
        talk = samples.greeting().say("client", b"TIME").say("server", b"Sun Oct  1 13:33:03 2023\n")
        talk.say("client", b"EXIT").say("server", b"", "FA").say("client", b"", "FA")
        text = "\n".join(explained(samples.pcap(talk.packets), most=0))
        self.assertIn("frame 5: the client sends the command 'TIME'", text)
        self.assertIn("frame 6: the server replies 'Sun Oct  1 13:33:03 2023\\n'", text)
        self.assertIn("The server closed because of EXIT.", text)

    def test_what_has_no_answer_is_told_as_that(self) -> None:
        """At the end of the capture."""
        self.assertIn(
            "no answer in this capture", "\n".join(explained(samples.pcap(samples.four_packets()[:1]), most=0))
        )

    def test_a_packet_is_told_from_the_data_down_to_the_link(self) -> None:
        """A sentence a layer, then its bytes."""
        lines = explained(samples.pcap(samples.four_packets()[:1]))
        told = [line for line in lines if line.startswith("  ") and ", bytes " in line]
        self.assertEqual(
            told,
            [
                "  Course protocol (question), bytes 42 to 57: Somebody asks for the address of www.google.co.il: 16 "
                "bytes, the bare name and nothing else.",
                "  User Datagram Protocol, bytes 34 to 41: From port 54699 to port 1199; 16 bytes of data, without a "
                "connection.",
                "  Internet Protocol version 4, bytes 14 to 33: From 10.0.0.1 to 10.0.0.2; 20 bytes of header and 24 "
                "of payload; protocol 17, UDP, is inside; TTL 64.",
                "  Ethernet, bytes 0 to 13: From network card 02:00:00:00:00:01 to 02:00:00:00:00:02; the EtherType "
                "0x0800 says that IPv4 is inside.",
            ],
        )

    def test_only_so_many_packets_are_told_layer_by_layer(self) -> None:
        """The rest is counted, with the way to see it."""
        lines = explained(samples.pcap(samples.four_packets()), most=1)
        self.assertEqual(sum(line.startswith("Frame ") for line in lines), 1)
        self.assertIn("… and 3 more packets: --frame N tells one, --packets 4 tells all.", lines)

    def test_one_frame_is_told_with_every_field(self) -> None:
        """Bytes, title, value, and Wireshark's name."""
        with file(samples.pcap(samples.four_packets())) as path:
            text = "\n".join(explain_frame(path, 3, False))
            self.assertIn("23               11                       Protocol: UDP (17)  [ip.proto]", text)
            with self.assertRaisesRegex(CaptureError, "there is no frame 9: the capture has 4"):
                list(explain_frame(path, 9, False))


class ShownTests(SynchronousTestCase):
    """Hex dumps and the progress bar."""

    def test_only_the_rows_and_bytes_in_question_are_shown(self) -> None:
        """Dots stand for the others."""
        rows = hex_rows(bytes(range(64)), 20, 22)
        self.assertEqual(rows, ["0010  ·· ·· ·· ·· 14 15 ·· ··  ·· ·· ·· ·· ·· ·· ·· ··      .."])

    def test_in_colour_the_neighbours_stay(self) -> None:
        """The bytes in question are inverse."""
        (row,) = hex_rows(b"abcd", 1, 2, colour=True)
        self.assertIn("\x1b[7m62\x1b[0m", row)
        self.assertIn("\x1b[2m61\x1b[0m", row)

    def test_long_stretches_end_with_a_count(self) -> None:
        """A jumbo frame does not fill the screen."""
        self.assertEqual(hex_rows(bytes(10_000), 0, 10_000)[-1], "… 9488 more bytes")

    def test_the_bar_is_drawn_on_a_terminal_when_it_takes_long(self) -> None:
        """And not beside results on the same terminal, nor into a file."""

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        now = [0.0]
        terminal = Terminal()
        bar = ProgressBar(terminal, io.StringIO(), lambda: now[0])
        bar.show(0.1)
        self.assertEqual(terminal.getvalue(), "")
        now[0] = 2
        bar.show(0.5)
        self.assertIn("[####################                    ]  50% ", terminal.getvalue())
        bar.show(1.0)
        self.assertTrue(terminal.getvalue().endswith("\r\x1b[K"))
        for stream, beside in ((Terminal(), Terminal()), (io.StringIO(), io.StringIO())):
            silent = ProgressBar(stream, beside, lambda: now[0])
            now[0] += 9
            silent.show(0.5)
            self.assertEqual(stream.getvalue(), "")
