"""The program's own traffic as a capture."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.files.formats import open_capture
from labnet.capture.model import OWN_MARK, RAW, Packet
from labnet.capture.packet.dissect import dissect
from labnet.capture.record.own_traffic import LARGEST_SEGMENT, MOST_SENT, OwnTraffic
from labnet.capture.traffic.checks import notes

CLIENT, SERVER, PARENT = ("10.0.0.1", 54699), ("10.0.0.2", 1199), ("10.0.0.3", 1200)


class Recorded:
    """A capture file being written, and read again."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.failures: list[str] = []
        self.traffic = OwnTraffic(path, lambda: 1605280488_123456789, self.failures.append)
        self.traffic.open()

    def packets(self) -> list[Packet]:
        self.traffic.close()
        with open_capture(self.path) as capture:
            return list(capture)


@contextmanager
def recorded() -> Iterator[Recorded]:
    with tempfile.TemporaryDirectory() as folder:
        yield Recorded(os.path.join(folder, "made", "own.pcapng"))


class DatagramTests(SynchronousTestCase):
    """UDP."""

    def test_a_datagram_is_a_packet_with_what_is_real_and_a_comment_on_the_rest(self) -> None:
        """No MAC address, no TTL, no identification is made up."""
        for source, destination in ((CLIENT, SERVER), (("2001:db8::1", 5), ("2001:db8::2", 6))):
            with recorded() as record:
                record.traffic.datagram(source, destination, b"www.google.co.il", outward=True)
                (packet,) = record.packets()
            frame = dissect(packet)
            self.assertEqual((packet.link_type, packet.time_ns), (RAW, 1605280488_123456789))
            self.assertEqual((frame.source, frame.destination), (source[0], destination[0]))
            self.assertEqual((frame.ports, frame.data), ((source[1], destination[1]), b"www.google.co.il"))
            self.assertIn((frame.field("ip.ttl") or frame.field("ipv6.hlim")).value, (0,))
            self.assertTrue(packet.comment.startswith(OWN_MARK) and "the TTL" in packet.comment)
            self.assertEqual([note.kind for note in notes(frame)], ["reconstructed"])

    def test_between_two_of_its_own_sockets_it_is_one_packet(self) -> None:
        """The one sent it and the other received it, as often as it was sent."""
        with recorded() as record:
            for _ in range(2):
                record.traffic.datagram(CLIENT, SERVER, b"x", outward=True)
            for _ in range(3):
                record.traffic.datagram(CLIENT, SERVER, b"x", outward=False)
            self.assertEqual(len(record.packets()), 3)

    def test_what_it_sent_is_not_remembered_without_end(self) -> None:
        """Only the last ones are."""
        with recorded() as record:
            for number in range(MOST_SENT + 1):
                record.traffic.datagram(CLIENT, ("10.0.0.2", number + 1), b"x", outward=True)
            record.traffic.datagram(CLIENT, ("10.0.0.2", 1), b"x", outward=False)
            self.assertEqual(len(record.packets()), MOST_SENT + 2)

    def test_a_socket_for_all_addresses_is_told_not_to_know_its_own(self) -> None:
        """The comment says so."""
        with recorded() as record:
            record.traffic.datagram(CLIENT, ("0.0.0.0", 1199), b"x", outward=False)
            self.assertIn("does not know", record.packets()[0].comment or "")

    def test_ipv4_in_ipv6s_clothes_is_ipv4(self) -> None:
        """As on a socket for both."""
        with recorded() as record:
            record.traffic.datagram(("::ffff:10.0.0.1", 5), SERVER, b"x", outward=False)
            self.assertEqual(dissect(record.packets()[0]).source, "10.0.0.1")


class StreamTests(SynchronousTestCase):
    """TCP."""

    def test_a_connection_is_told_from_its_opening_to_its_close(self) -> None:
        """Sequence numbers count the data, and what stands for an event says so."""
        with recorded() as record:
            traffic = record.traffic
            traffic.opened(CLIENT, SERVER)
            traffic.sent(SERVER, CLIENT, b"hello", outward=True)
            traffic.sent(CLIENT, SERVER, b"TIME", outward=False)
            traffic.closed(SERVER, CLIENT, False, outward=True)
            traffic.closed(CLIENT, SERVER, True, outward=False)
            traffic.ended(SERVER, CLIENT)
            traffic.sent(CLIENT, SERVER, b"late", outward=False)
            packets = record.packets()
        frames = [dissect(packet) for packet in packets]
        told = [
            (f.ports[0], f.field("tcp.flags").shown, f.field("tcp.seq_raw").value, f.field("tcp.ack_raw").value, f.data)
            for f in frames
        ]
        self.assertEqual(
            told,
            [
                (54699, "SYN", 0, 0, b""), (1199, "SYN, ACK", 0, 1, b""), (1199, "PSH, ACK", 1, 1, b"hello"),
                (54699, "PSH, ACK", 1, 6, b"TIME"), (1199, "FIN, ACK", 6, 5, b""), (54699, "RST", 5, 0, b""),
            ],
        )  # fmt: skip
        self.assertIn("stands for the opening of the connection", packets[0].comment or "")
        self.assertEqual({note.kind for frame in frames for note in notes(frame)}, {"reconstructed"})

    def test_a_large_write_is_cut_into_segments(self) -> None:
        """None is longer than an IP packet can be."""
        with recorded() as record:
            record.traffic.opened(CLIENT, SERVER)
            record.traffic.sent(CLIENT, SERVER, b"x" * (2 * LARGEST_SEGMENT + 1), outward=False)
            lengths = [len(dissect(packet).data) for packet in record.packets()[2:]]
        self.assertEqual(lengths, [LARGEST_SEGMENT, LARGEST_SEGMENT, 1])

    def test_a_connection_of_the_program_with_itself_is_told_once(self) -> None:
        """Both its ends tell of it."""
        with recorded() as record:
            for _ in range(2):
                record.traffic.opened(CLIENT, SERVER)
            for outward in (True, False):
                record.traffic.sent(CLIENT, SERVER, b"x", outward)
                record.traffic.closed(CLIENT, SERVER, False, outward)
            self.assertEqual(len(record.packets()), 4)


class FileTests(SynchronousTestCase):
    """The file."""

    def test_a_new_file_is_for_its_owner_and_group_alone(self) -> None:
        """What clients ask is in it."""
        with recorded() as record:
            self.assertEqual(os.stat(record.path).st_mode & 0o137, 0)

    def test_its_mode_is_the_same_under_twistds_umask(self) -> None:
        """The group may read it."""
        self.addCleanup(os.umask, os.umask(0o077))
        with recorded() as record:
            self.assertEqual(os.stat(record.path).st_mode & 0o777, 0o640)

    def test_a_fifo_is_not_waited_for(self) -> None:
        """It is said in a sentence, and nothing is written."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "own.pcapng")
            os.mkfifo(path)
            record = Recorded(path)
            record.traffic.datagram(CLIENT, SERVER, b"x", outward=True)
            self.assertEqual(len(record.failures), 1)

    def test_a_file_that_cannot_be_opened_is_told_and_costs_nothing_else(self) -> None:
        """What is told of then goes nowhere."""
        failures: list[str] = []
        traffic = OwnTraffic("/proc/none/own.pcapng", lambda: 0, failures.append)
        traffic.open()
        traffic.datagram(CLIENT, SERVER, b"x", outward=True)
        traffic.close()
        self.assertEqual(len(failures), 1)
        self.assertIn("cannot capture into /proc/none/own.pcapng: ", failures[0])

    def test_a_full_disk_is_told_once(self) -> None:
        """And the capture ends there."""
        failures: list[str] = []
        traffic = OwnTraffic("/dev/full", lambda: 0, failures.append)
        traffic.open()
        for _ in range(3):
            traffic.datagram(CLIENT, SERVER, b"x", outward=True)
        self.assertEqual(failures, ["cannot capture into /dev/full: No space left on device"])

    def test_each_packet_is_in_the_file_at_once(self) -> None:
        """So that it can be watched, and is whole if the program is killed."""
        with recorded() as record:
            record.traffic.datagram(CLIENT, SERVER, b"x", outward=True)
            with open_capture(record.path) as capture:
                self.assertEqual(len(list(capture)), 1)
            record.traffic.close()
