"""A capture being taken."""

from __future__ import annotations

import io
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.files.formats import Capture
from labnet.capture.files.source import CaptureBytes
from labnet.capture.files.writing import PcapngWriter
from labnet.capture.model import COOKED_V2, ETHERNET, RAW, CaptureError
from labnet.capture.record import live
from labnet.capture.record.live import PacketSource, compile_filter
from labnet.capture.record.recording import Recording, protocol_of
from tests.capture import samples


class RecordingTests(SynchronousTestCase):
    """Packets into a file, counted."""

    def setUp(self) -> None:
        self.file = io.BytesIO()
        self.now = 0.0
        self.shown: list[str] = []
        self.recording = Recording(PcapngWriter(self.file, ETHERNET, "eth0"), ETHERNET)
        self.recording.show = self.shown.append
        self.recording.clock = lambda: self.now

    def packets(self, count: int) -> list[tuple[int, bytes, int]]:
        data = samples.arp_pair()[0][1]
        return [(number, data, 100) for number in range(count)]

    def test_packets_are_written_with_time_and_length_and_counted(self) -> None:
        """What is read again is what came."""
        self.recording.run([*self.packets(2), None])
        content = self.file.getvalue()
        read = list(Capture(CaptureBytes(io.BytesIO(content), "FILE", len(content))))
        self.assertEqual(
            [(one.time_ns, one.wire_length, one.interface) for one in read], [(0, 100, "eth0"), (1, 100, "eth0")]
        )
        self.assertEqual(self.recording.line(), "2 packets: ARP 2")
        self.assertEqual(self.shown[-1], "2 packets: ARP 2")

    def test_it_ends_after_so_many_packets(self) -> None:
        """The rest is not taken."""
        self.recording.most = 3
        self.recording.run(self.packets(10))
        self.assertEqual(self.recording.counts.total(), 3)

    def test_it_ends_after_so_many_seconds_even_in_silence(self) -> None:
        """A moment without a packet looks at the clock too."""
        self.recording.seconds = 5

        def silence() -> object:
            for _ in range(100):
                self.now += 1
                yield None

        self.recording.run(silence())
        self.assertEqual(self.now, 5)

    def test_protocols_are_told_by_few_bytes(self) -> None:
        """Over each link type, and of junk too."""
        datagram = samples.udp("10.0.0.1", 1, "10.0.0.2", 2, b"x")
        self.assertEqual(protocol_of(ETHERNET, samples.ping()[0][1]), "ICMP")
        self.assertEqual(protocol_of(ETHERNET, samples.vlan_packet()), "UDP")
        self.assertEqual(protocol_of(ETHERNET, samples.ping6()[0][1]), "ICMPv6")
        self.assertEqual(protocol_of(COOKED_V2, samples.cooked(2, datagram)), "UDP")
        self.assertEqual(protocol_of(RAW, bytes(datagram)), "UDP")
        for junk in (b"", b"\x45", bytes(20)):
            self.assertEqual(protocol_of(RAW, junk), {b"\x45": "IPv4"}.get(junk, "other"))


class RightsTests(SynchronousTestCase):
    """What is told where capturing is not possible."""

    def test_an_interface_that_is_not_there_is_told_with_those_that_are(self) -> None:
        """Its own name among them is what was meant."""
        with self.assertRaisesRegex(CaptureError, r"there is no interface 'eht0'; there are: any, .*lo"):
            PacketSource.find("eht0")

    def test_the_loopback_and_any_are_known(self) -> None:
        """With their link types."""
        self.assertEqual((PacketSource.find("lo").link_type, PacketSource.find("any").link_type), (ETHERNET, COOKED_V2))

    def test_without_the_right_the_ways_to_get_it_and_to_do_without_are_told(self) -> None:
        """In one sentence or two."""
        refused = mock.patch.object(live.socket, "socket", side_effect=PermissionError)
        with refused, self.assertRaisesRegex(CaptureError, "sudo.*--capture FILE"):
            live.Live(PacketSource.find("lo"))

    def test_without_tcpdump_a_filter_is_refused_clearly(self) -> None:
        """It is what compiles filters."""
        missing = mock.patch.object(live.shutil, "which", return_value=None)
        with missing, self.assertRaisesRegex(CaptureError, "--filter needs tcpdump"):
            compile_filter("udp", PacketSource.find("lo"))
