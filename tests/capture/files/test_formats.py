"""Reading pcap and pcapng."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tempfile

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.files import pcapng
from labnet.capture.files.formats import Capture, open_capture
from labnet.capture.files.source import CaptureBytes
from labnet.capture.files.writing import PcapngWriter
from labnet.capture.model import CaptureError, Packet
from tests.capture.samples import block, option, pcap
from tests.capture.samples import pcapng as make_pcapng

PACKETS = [(1605280488.749312, b"first"), (1605280489.5, b"second!")]
TIMES = [1605280488749312000, 1605280489500000000]


def read(content: bytes) -> tuple[list[Packet], str | None]:
    """All packets of a file's content, and where it stopped early."""
    capture = Capture(CaptureBytes(io.BytesIO(content), "FILE", len(content)))
    return list(capture), capture.stopped


class PcapTests(SynchronousTestCase):
    """The classic format."""

    def test_both_byte_orders_and_both_resolutions_give_the_same_packets(self) -> None:
        """Magic numbers tell byte order and resolution apart."""
        for order in "<>":
            for nano in (False, True):
                packets, stopped = read(pcap(PACKETS, order=order, nano=nano))
                self.assertEqual([one.time_ns for one in packets], TIMES)
                self.assertEqual([one.data for one in packets], [b"first", b"second!"])
                self.assertEqual([one.number for one in packets], [1, 2])
                self.assertIsNone(stopped)

    def test_nanoseconds_are_exact(self) -> None:
        """No floating point comes near a time stamp."""
        record = struct.pack("<IIII", 1605280488, 123456789, 1, 1) + b"x"
        packets, _ = read(pcap([], nano=True) + record)
        self.assertEqual(packets[0].time_ns, 1605280488_123456789)

    def test_a_snap_length_shows_in_the_packet(self) -> None:
        """A packet knows how long it was on the wire."""
        packets, _ = read(pcap([(1.0, b"x" * 100)], snap=64))
        self.assertEqual((len(packets[0].data), packets[0].wire_length, packets[0].is_cut), (64, 100, True))

    def test_the_upper_bits_of_the_link_type_are_not_part_of_it(self) -> None:
        """A file that says how long the frame check sequence is has the same link type."""
        content = bytearray(pcap(PACKETS))
        content[23] = 0x24
        self.assertEqual(read(bytes(content))[0][0].link_type, 1)

    def test_a_file_cut_inside_a_packet_gives_what_is_there_and_says_where(self) -> None:
        """The last packet is given as far as it goes."""
        content = pcap(PACKETS)[:-3]
        packets, stopped = read(content)
        self.assertEqual([one.data for one in packets], [b"first", b"seco"])
        self.assertEqual(stopped, f"the file ends at byte {len(content)}, inside frame 2: 3 byte(s) are missing")

    def test_a_file_cut_inside_a_record_header_says_where(self) -> None:
        """What is before it is given."""
        packets, stopped = read(pcap(PACKETS[:1]) + b"1234")
        self.assertEqual((len(packets), stopped), (1, "the file ends at byte 49, inside the header of frame 2"))

    def test_a_length_that_no_packet_has_ends_the_reading(self) -> None:
        """It is not believed, nor is memory taken for it."""
        packets, stopped = read(pcap(PACKETS[:1]) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0xFFFFFFFF))
        self.assertEqual(len(packets), 1)
        self.assertIn("frame 2, at byte 45, claims 4294967295 bytes", stopped or "")

    def test_a_header_that_is_cut_is_an_error(self) -> None:
        """Nothing can be read then."""
        with self.assertRaisesRegex(CaptureError, "FILE: the file ends inside its own header"):
            read(pcap([])[:20])


class PcapngTests(SynchronousTestCase):
    """The newer format."""

    def test_both_byte_orders_and_any_resolution_give_the_same_packets(self) -> None:
        """The section says the order, the interface the resolution."""
        for order in "<>":
            for resolution in (6, 9):
                packets, stopped = read(make_pcapng(PACKETS, order=order, resolution=resolution))
                self.assertEqual(
                    [(one.time_ns, one.data) for one in packets], list(zip(TIMES, [b"first", b"second!"], strict=True))
                )
                self.assertIsNone(stopped)

    def test_a_resolution_may_be_a_power_of_two(self) -> None:
        """With the highest bit set it counts in binary."""
        head = make_pcapng([])[:28]
        interface = block(1, struct.pack("<HHI", 1, 0, 0) + option(9, b"\x81"))
        packet = block(6, struct.pack("<IIIII", 0, 0, 3, 0, 0))
        self.assertEqual(read(head + interface + packet)[0][0].time_ns, 1_500_000_000)

    def test_what_the_writer_writes_is_read_again(self) -> None:
        """Times, lengths, comments and the interface's name survive."""
        file = io.BytesIO()
        writer = PcapngWriter(file, 101, "eth0")
        writer.write(1605280488_123456789, b"abc", 10, "a comment: ü")
        writer.write(5, b"defg")
        packets, _ = read(file.getvalue())
        self.assertEqual(packets[0], Packet(1, 1605280488_123456789, 10, b"abc", 101, "eth0", "a comment: ü"))
        self.assertEqual(packets[1], Packet(2, 5, 4, b"defg", 101, "eth0", None))

    def test_interfaces_of_several_link_types_are_told_apart(self) -> None:
        """Each packet has the link type of its own interface."""
        content = make_pcapng([]) + block(1, struct.pack("<HHI", 101, 0, 0))
        content += block(6, struct.pack("<IIIII", 1, 0, 0, 1, 1) + b"x") + block(
            6, struct.pack("<IIIII", 0, 0, 0, 1, 1) + b"y"
        )
        self.assertEqual([one.link_type for one in read(content)[0]], [101, 1])

    def test_sections_may_follow_each_other_in_another_byte_order(self) -> None:
        """As when two files were put behind one another."""
        packets, _ = read(make_pcapng(PACKETS) + make_pcapng(PACKETS, order=">"))
        self.assertEqual([one.number for one in packets], [1, 2, 3, 4])
        self.assertEqual(packets[0].time_ns, packets[2].time_ns)

    def test_simple_and_obsolete_packet_blocks_are_packets(self) -> None:
        """Old and small writers use them."""
        for order in "<>":
            simple = block(3, struct.pack(order + "I", 3) + b"abc", order)
            old = block(2, struct.pack(order + "HHIIII", 0, 9, 0, 1_000_000, 2, 2) + b"de", order)
            packets, _ = read(make_pcapng([], order=order) + simple + old)
            self.assertEqual([(one.data, one.time_ns) for one in packets], [(b"abc", 0), (b"de", 1_000_000_000)])

    def test_unknown_blocks_are_passed_over(self) -> None:
        """Name resolution, statistics, secrets and what is to come."""
        packets, stopped = read(make_pcapng([]) + block(0xBAD, b"anything") + make_pcapng(PACKETS)[28:])
        self.assertEqual((len(packets), stopped), (2, None))

    def test_damage_ends_the_reading_with_what_came_before(self) -> None:
        """A length that cannot be, an end that differs, an interface that is not there."""
        good = make_pcapng(PACKETS)
        for bad, why in (
            (struct.pack("<II", 6, 13), "claims a length of 13 bytes"),
            (struct.pack("<II", 6, 0x7FFFFFFC), "claims a length of 2147483644 bytes"),
            (block(6, bytes(20))[:-4] + b"\1\0\0\0", "ends with another length"),
            (block(6, struct.pack("<IIIII", 7, 0, 0, 0, 0)), "names interface 7"),
            (block(6, struct.pack("<IIIII", 0, 0, 0, 99, 99)), "claims a packet of 99 bytes"),
            (block(6, bytes(8)), "is too short for a packet"),
            (b"\6\0", "inside the header of a block"),
            (block(6, bytes(20))[:-6], "is cut by the end of the file"),
        ):
            packets, stopped = read(good + bad)
            self.assertEqual(len(packets), 2, why)
            self.assertIn(why, stopped or "")

    def test_a_first_section_that_cannot_be_read_is_an_error(self) -> None:
        """It would be no capture at all."""
        with self.assertRaisesRegex(CaptureError, "no byte-order magic"):
            read(pcapng.MAGIC + bytes(40))


class CompressedTests(SynchronousTestCase):
    """Files that gzip compressed."""

    def read(self, content: bytes) -> tuple[list[bytes], str | None]:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sample.pcap.gz")
            with open(path, "wb") as file:
                file.write(content)
            with open_capture(path) as capture:
                return [packet.data for packet in capture], capture.stopped

    def test_a_compressed_file_is_read_as_it_is(self) -> None:
        """Both formats."""
        for made in (pcap(PACKETS), make_pcapng(PACKETS)):
            self.assertEqual(self.read(gzip.compress(made)), ([b"first", b"second!"], None))

    def test_a_compressed_file_that_is_cut_is_read_up_to_there(self) -> None:
        """And it is said where it ends."""
        whole = gzip.compress(pcap(PACKETS), compresslevel=0)
        packets, stopped = self.read(whole[:-30])
        self.assertEqual(packets[:1], [b"first"])
        self.assertRegex(stopped or "", "the (compressed )?file ends")


class OtherFilesTests(SynchronousTestCase):
    """What is no capture."""

    def test_each_kind_is_told_in_a_sentence(self) -> None:
        """Empty, compressed, or something else altogether."""
        for content, why in (
            (b"", "is empty"),
            (b"PK\3\4", "zip archive"),
            (b"GET /", "is no capture: it begins with the bytes 47 45 54 20"),
        ):
            with self.assertRaisesRegex(CaptureError, why):
                read(content)

    def test_a_file_that_cannot_be_opened_or_read_is_told(self) -> None:
        """A missing file and a folder."""
        with tempfile.TemporaryDirectory() as folder:
            for path, why in ((os.path.join(folder, "none"), "No such file"), (folder, "Is a directory")):
                with self.assertRaisesRegex(CaptureError, f"cannot be read: {why}"), open_capture(path) as capture:
                    list(capture)

    @given(st.sampled_from([pcap(PACKETS), make_pcapng(PACKETS)]), st.binary(max_size=200), st.integers(0, 200))
    def test_any_bytes_give_packets_or_one_kind_of_error(self, original: bytes, junk: bytes, at: int) -> None:
        """Whatever is written over a capture, reading ends, and with nothing but CaptureError."""
        try:
            packets, _ = read(original[:at] + junk + original[at + len(junk) :])
        except CaptureError:
            return
        self.assertTrue(all(len(one.data) <= one.wire_length for one in packets))
