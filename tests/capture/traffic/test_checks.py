"""What misleads, and is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Ether
from twisted.trial.unittest import SynchronousTestCase

from labnet.capture import model
from labnet.capture.model import Dissected
from labnet.capture.traffic.checks import ones_sum
from tests.capture import samples
from tests.capture.frames import one, understood


def kinds(frame: Dissected) -> list[str]:
    return [note.kind for note in frame.notes]


def over_ethernet(packet: object) -> bytes:
    return bytes(Ether(src=samples.CLIENT_MAC, dst=samples.CHILD_MAC) / packet)


LONG = b"x" * 40


class ChecksumTests(SynchronousTestCase):
    """Right, left to the card, or wrong."""

    def test_right_checksums_are_no_matter(self) -> None:
        """Over both versions of IP, in every protocol that has one."""
        for packet in (
            IP() / UDP() / LONG,
            IP() / TCP() / LONG,
            IP() / ICMP() / LONG,
            IPv6() / UDP() / LONG,
            IPv6() / TCP() / (LONG + b"odd"),
            IPv6() / ICMPv6EchoRequest(data=LONG),
        ):
            self.assertEqual(kinds(one(over_ethernet(packet))), [], packet.summary())

    def test_the_sum_of_the_pseudo_header_alone_is_offload(self) -> None:
        """This is what Linux leaves in the field for the card: the addresses, the protocol and the length."""
        for base, layer in (
            (IP(src="10.0.0.1", dst="10.0.0.2"), UDP),
            (IPv6(src="2001:db8::1", dst="2001:db8::2"), TCP),
        ):
            length = len(bytes(layer() / LONG))
            ends = bytes(base)[12:20] if base.version == 4 else bytes(base)[8:40]
            pseudo = ones_sum(ends + length.to_bytes(4, "big") + bytes([0, 17 if layer is UDP else 6]))
            frame = one(over_ethernet(base / layer(chksum=pseudo) / LONG))
            self.assertEqual(kinds(frame), ["offload"])
            self.assertIn("Nothing is damaged", frame.notes[0].text)
            self.assertEqual(frame.notes[0].length, 2)

    def test_another_wrong_checksum_is_damage_and_the_right_one_is_told(self) -> None:
        """Offload does not explain it."""
        packet = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / LONG
        right = int.from_bytes(bytes(packet)[26:28], "big")
        packet[UDP].chksum = right ^ 0x0101
        frame = one(over_ethernet(packet))
        self.assertEqual(kinds(frame), ["checksum"])
        self.assertIn(f"0x{right:04x} would be right", frame.notes[0].text)

    def test_a_udp_checksum_of_zero_was_not_made(self) -> None:
        """RFC 768 lets a sender do without."""
        self.assertEqual(kinds(one(over_ethernet(IP() / UDP(chksum=0) / LONG))), [])

    def test_an_ip_checksum_of_zero_is_offload_and_any_other_wrong_one_damage(self) -> None:
        """The card fills that in too."""
        self.assertEqual(kinds(one(over_ethernet(IP(chksum=0) / UDP() / LONG))), ["offload"])
        self.assertEqual(kinds(one(over_ethernet(IP(chksum=5) / UDP() / LONG))), ["checksum"])

    def test_what_is_cut_or_a_fragment_is_not_summed(self) -> None:
        """Bytes that the checksum covers are missing."""
        data = over_ethernet(IP() / UDP(chksum=5) / LONG)
        self.assertEqual(kinds(one(data[:-4], wire_length=len(data))), ["snap"])
        fragment = over_ethernet(IP(flags="MF", proto=17) / (bytes(UDP(chksum=5)) + LONG))
        self.assertEqual(kinds(one(fragment)), ["fragment"])

    @given(st.binary(min_size=1, max_size=100))
    def test_the_sum_is_that_of_words_with_the_carry_added(self, data: bytes) -> None:
        """RFC 1071, done slowly."""
        total = 0
        for at in range(0, len(data), 2):
            total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        while total > 0xFFFF:
            total = (total >> 16) + (total & 0xFFFF)
        self.assertEqual(ones_sum(data), total)


class EndOfFrameTests(SynchronousTestCase):
    """Bytes behind the packet, or too few of them."""

    def test_padding_up_to_sixty_bytes_is_told_with_its_place(self) -> None:
        """Whatever it holds: old cards send what was there before."""
        data = over_ethernet(ARP(op=2))
        for filler in (bytes(18), b"\1" * 18):
            frame = one(data + filler)
            self.assertEqual([(note.kind, note.offset, note.length) for note in frame.notes], [("padding", 42, 18)])

    def test_more_than_that_is_a_trailer(self) -> None:
        """Such as a frame check sequence behind a long frame."""
        self.assertEqual(kinds(one(over_ethernet(IP() / UDP() / LONG) + b"\1\2\3\4")), ["trailer"])

    def test_a_frame_that_is_too_short_was_taken_before_the_card_filled_it(self) -> None:
        """So the same packet has another length on the other machine."""
        self.assertEqual(kinds(one(over_ethernet(ARP()))), ["short"])

    def test_a_loopback_interface_never_fills_up(self) -> None:
        """Its frames have zeros for addresses."""
        data = bytes(12) + bytes(Ether() / IP() / UDP() / b"x")[12:]
        self.assertEqual(kinds(one(data)), [])


class CaptureTests(SynchronousTestCase):
    """What the way of capturing leaves out."""

    def test_the_cooked_header_lacks_the_destination(self) -> None:
        """Version 1 and version 2."""
        packet = samples.udp("10.0.0.1", 1, "10.0.0.2", 2, LONG)
        for version, link_type in ((1, model.COOKED_V1), (2, model.COOKED_V2)):
            frame = one(samples.cooked(version, packet), link_type)
            self.assertEqual(kinds(frame), ["cooked"])
            self.assertIn(f"(v{version})", frame.notes[0].text)
            self.assertEqual(frame.destination, "10.0.0.2")

    def test_the_snap_length_is_told_with_what_is_missing(self) -> None:
        """The capture knows how long the packet was."""
        data = over_ethernet(IP() / UDP() / LONG)
        frame = one(data[:50], wire_length=len(data))
        self.assertEqual(
            frame.notes[0].text, f"The snap length cut this frame: 32 of its {len(data)} bytes are not here."
        )

    def test_a_vlan_tag_moves_everything_behind_it(self) -> None:
        """Offsets from a book are four bytes off."""
        self.assertIn("vlan", kinds(one(samples.vlan_packet())))

    def test_a_segment_larger_than_ethernet_carries_is_told(self) -> None:
        """The card cuts it, or put it together."""
        packet = IP(src="10.0.0.1", dst="10.0.0.2") / TCP() / (b"x" * 4000)
        self.assertEqual(kinds(one(over_ethernet(packet))), ["large"])
        packet[IP].len = 0
        self.assertIn("offload", kinds(one(over_ethernet(packet))))

    def test_a_header_that_is_not_whole_is_told(self) -> None:
        """Cut by the snap length, or lying about its length."""
        data = over_ethernet(IP() / TCP() / LONG)
        self.assertEqual(kinds(one(data[:40], wire_length=len(data))), ["snap", "malformed"])
        lying = bytearray(data)
        lying[46] = 0xF0
        self.assertIn("malformed", kinds(one(bytes(lying[:60]))))

    def test_our_own_traffic_says_what_is_not_real(self) -> None:
        """The comment of the packet is told."""
        frame = one(bytes(samples.udp("10.0.0.1", 1, "10.0.0.2", 2, b"x")), model.RAW, comment=f"{model.OWN_MARK}: …")
        self.assertEqual(kinds(frame), ["reconstructed"])


class FragmentTests(SynchronousTestCase):
    """A datagram in pieces."""

    def test_each_piece_is_told_and_the_last_completes_the_question(self) -> None:
        """The first has the ports, the last the rest of the name."""
        frames, stories = understood(samples.fragments())
        (first, nothing), (last, message) = frames
        self.assertIsNone(nothing)
        self.assertIn("the first of datagram 0x0063", " ".join(note.text for note in first.notes))
        self.assertIn("with frames 1, 2 the datagram is whole", " ".join(note.text for note in last.notes))
        self.assertEqual((message.name, last.ports, last.data), ("www.google.co.il", (54699, 1199), samples.NAME))
        self.assertIn("Course exchange about www.google.co.il (frames 2)", stories)

    def test_pieces_in_any_order_are_put_together(self) -> None:
        """The network may turn them round."""
        frames, _ = understood(reversed(samples.fragments()))
        self.assertEqual(frames[1][0].data, samples.NAME)

    def test_pieces_of_different_datagrams_are_not_mixed(self) -> None:
        """The identification tells them apart."""
        first, last = samples.fragments()
        other = bytearray(last[1])
        other[18:20] = b"\0\1"
        frames, _ = understood([first, (1.1, bytes(other))])
        self.assertIsNone(frames[1][0].joined)
