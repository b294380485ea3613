"""Packets into layers, with the place of every field."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from twisted.trial.unittest import SynchronousTestCase

from labnet.capture import model
from labnet.capture.model import Dissected, Packet
from labnet.capture.packet.dissect import dissect
from tests.capture import samples


def layers(data: bytes, link_type: int = model.ETHERNET) -> Dissected:
    return dissect(Packet(1, 0, len(data), data, link_type))


def names(frame: Dissected) -> list[str]:
    return [layer.name for layer in frame.layers]


DATAGRAM = samples.udp("10.0.0.1", 54699, "10.0.0.2", 1199, samples.NAME)


class LinkTests(SynchronousTestCase):
    """Every link type leads to the same datagram."""

    def assertIsTheDatagram(self, frame: Dissected, outer: list[str], at: int) -> None:
        self.assertEqual(names(frame), [*outer, "ip", "udp"])
        self.assertEqual((frame.source, frame.destination, frame.ports), ("10.0.0.1", "10.0.0.2", (54699, 1199)))
        self.assertEqual((frame.payload, frame.data), ((at, at + 16), samples.NAME))

    def test_ethernet(self) -> None:
        """Fourteen bytes before the IP header."""
        data = samples.frame(samples.CLIENT_MAC, samples.CHILD_MAC, DATAGRAM)
        frame = layers(data + bytes(6))
        self.assertIsTheDatagram(frame, ["eth"], 42)
        self.assertEqual(frame.field("eth.src").value, samples.CLIENT_MAC)

    def test_a_vlan_tag(self) -> None:
        """Four bytes more, and the tag's own number."""
        frame = layers(samples.vlan_packet())
        self.assertIsTheDatagram(frame, ["eth", "vlan"], 46)
        self.assertEqual(frame.field("vlan.id").value, 42)

    def test_linux_cooked_v1_and_v2(self) -> None:
        """The sender's address has as many bytes as the header says; there is no destination."""
        for version, link_type, at in ((1, model.COOKED_V1, 44), (2, model.COOKED_V2, 48)):
            frame = layers(samples.cooked(version, DATAGRAM), link_type)
            self.assertIsTheDatagram(frame, ["sll"], at)
            self.assertEqual(frame.field("sll.src.eth").value, samples.CLIENT_MAC)
            self.assertEqual(frame.field("sll.src.eth").length, 6)

    def test_raw_ip(self) -> None:
        """The IP header is first, whichever number the file has for that."""
        for link_type in (model.RAW, 12, 14, model.IPV4):
            self.assertIsTheDatagram(layers(bytes(DATAGRAM), link_type), [], 28)

    def test_bsd_loopback_in_either_byte_order(self) -> None:
        """NULL has the byte order of whoever captured, LOOP the network's."""
        self.assertIsTheDatagram(layers(b"\2\0\0\0" + bytes(DATAGRAM), model.NULL), ["null"], 32)
        self.assertIsTheDatagram(layers(b"\0\0\0\2" + bytes(DATAGRAM), model.LOOP), ["null"], 32)

    def test_an_old_style_frame_has_a_length_and_no_ethertype(self) -> None:
        """Below 0x0600 the field counts bytes, and IEEE 802.2 follows."""
        frame = layers(bytes(12) + b"\0\5" + b"\x42\x42\x03ab" + bytes(41))
        self.assertEqual((names(frame), frame.field("eth.len").value), (["eth", "llc"], 5))
        self.assertEqual((frame.payload, frame.data, frame.unread), ((17, 19), b"ab", "IEEE 802.2 (LLC)"))

    def test_an_unknown_link_type_has_no_layers(self) -> None:
        """The bytes are left as they are."""
        frame = layers(b"abc", 147)
        self.assertEqual((frame.layers, frame.data), ([], b"abc"))


class FieldTests(SynchronousTestCase):
    """Where a field is and what it holds."""

    def test_bits_are_placed_inside_their_byte(self) -> None:
        """Version and header length share one."""
        frame = layers(bytes(DATAGRAM), model.RAW)
        version, length = frame.field("ip.version"), frame.field("ip.hdr_len")
        self.assertEqual((version.offset, version.length, version.bits, version.value), (0, 1, (0, 4), 4))
        self.assertEqual((length.offset, length.length, length.bits, length.value), (0, 1, (4, 4), 20))
        self.assertEqual(frame.field("ip.frag_offset").bits, (3, 13))

    def test_options_of_ip_move_what_follows(self) -> None:
        """The header length counts, not twenty."""
        packet = IP(src="10.0.0.1", dst="10.0.0.2", options=[b"\x94\x04\x00\x00"]) / UDP(sport=1, dport=2) / b"x"
        frame = layers(bytes(packet), model.RAW)
        self.assertEqual((frame.layers[0].length, frame.payload), (24, (32, 33)))
        self.assertEqual(frame.field("ip.options").value, b"\x94\x04\x00\x00")

    def test_options_of_tcp_are_fields(self) -> None:
        """Kind and value, each with its place."""
        packet = IP() / TCP(flags="S", options=[("NOP", None), ("MSS", 1460), ("WScale", 7)])
        frame = layers(bytes(packet), model.RAW)
        mss = frame.field("tcp.options.mss_val")
        self.assertEqual((mss.offset, mss.length, mss.value), (43, 2, 1460))
        self.assertEqual(frame.field("tcp.options.wscale.shift").value, 7)

    def test_extension_headers_of_ipv6_are_walked(self) -> None:
        """However many there are, the transport is found."""
        packet = IPv6(src="::1", dst="::2") / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / UDP(sport=7, dport=8) / b"x"
        frame = layers(bytes(packet), model.RAW)
        self.assertEqual(names(frame), ["ipv6", "ipv6.options", "ipv6.options", "udp"])
        self.assertEqual((frame.ports, frame.data), ((7, 8), b"x"))

    def test_a_fragment_of_ipv6_is_one(self) -> None:
        """Its offset counts bytes."""
        packet = IPv6(src="::1", dst="::2") / IPv6ExtHdrFragment(offset=2, m=1, id=9, nh=17) / b"abcd"
        self.assertEqual(layers(bytes(packet), model.RAW).fragment, (16, True, 9))

    def test_bytes_behind_the_total_length_are_no_data(self) -> None:
        """Ethernet's padding is not the application's."""
        frame = layers(
            samples.frame(samples.CLIENT_MAC, samples.CHILD_MAC, samples.udp("1.1.1.1", 1, "2.2.2.2", 2, b"hi"))
            + b"\xaa" * 16
        )
        self.assertEqual(frame.data, b"hi")

    def test_padding_behind_a_bare_acknowledgement_is_no_data(self) -> None:
        """TCP has no length of its own: the IP header's counts."""
        self.assertEqual(
            layers(samples.frame(samples.CLIENT_MAC, samples.CHILD_MAC, IP() / TCP()) + bytes(6)).data, b""
        )

    def test_a_total_length_of_zero_is_all_the_rest(self) -> None:
        """A card that cuts segments itself has the system leave it empty."""
        data = bytearray(bytes(IP() / TCP() / b"large"))
        data[2:4] = b"\0\0"
        self.assertEqual(layers(bytes(data), model.RAW).data, b"large")


class CutTests(SynchronousTestCase):
    """What is not whole."""

    def test_a_header_is_told_as_far_as_it_goes(self) -> None:
        """At every length the fields that are whole are there, and nothing fails."""
        data = samples.frame(samples.CLIENT_MAC, samples.CHILD_MAC, DATAGRAM)
        for length in range(len(data)):
            frame = layers(data[:length])
            self.assertTrue(all(field.end <= length for field in frame.fields()), length)
        self.assertTrue(layers(data[:20]).layers[-1].cut)
        self.assertEqual([field.name for field in layers(data[:20]).layers[-1].fields][-1], "ip.id")

    def test_tags_without_end_are_not_followed_without_end(self) -> None:
        """Sixteen headers are enough."""
        frame = layers(bytes(12) + b"\x81\x00\x00\x01" * 1000)
        self.assertEqual(len(frame.layers), 16)

    def test_lengths_that_lie_leave_the_layer_cut(self) -> None:
        """A TCP header longer than its packet, an IP header shorter than one."""
        packet = bytearray(bytes(IP() / TCP()))
        packet[32] = 0xF0
        self.assertTrue(layers(bytes(packet), model.RAW).layers[-1].cut)
        packet[0] = 0x41
        self.assertTrue(layers(bytes(packet), model.RAW).layers[0].cut)

    @given(st.binary(max_size=120), st.sampled_from(sorted(model.LINK_NAMES)))
    def test_any_bytes_are_dissected(self, data: bytes, link_type: int) -> None:
        """Fields stay inside the frame, and so do the data."""
        frame = layers(data, link_type)
        self.assertTrue(all(0 <= field.offset <= field.end <= len(data) for field in frame.fields()))
        self.assertTrue(0 <= frame.payload[0] <= len(data))

    @given(st.binary(max_size=80))
    def test_any_bytes_behind_an_ethertype_are_dissected(self, data: bytes) -> None:
        """Deeper layers meet junk too."""
        for ethertype in (0x0800, 0x86DD, 0x0806, 0x8100):
            for first in (b"\x45\0" + struct.pack("!H", len(data)), b"\x60\0\0\0", b""):
                frame = layers(bytes(12) + struct.pack("!H", ethertype) + first + data)
                self.assertTrue(all(field.end <= len(frame.packet.data) for field in frame.fields()))


class NeighbourTests(SynchronousTestCase):
    """ICMP of both versions."""

    def test_a_neighbour_solicitation_has_its_target(self) -> None:
        """IPv6's question for a MAC address."""
        packet = IPv6(src="fe80::1", dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="fe80::2")
        field = layers(bytes(packet), model.RAW).field("icmpv6.nd.ns.target_address")
        self.assertEqual((field.offset, field.length, field.value), (48, 16, "fe80::2"))

    def test_an_echo_over_ipv6_has_its_numbers(self) -> None:
        """Where Wireshark has them."""
        frame = layers(samples.ping6()[0][1])
        self.assertEqual(frame.field("icmpv6.echo.sequence_number").value, 1)
        self.assertEqual(frame.data, b"abcdefgh")

    def test_an_icmp_error_is_eight_bytes_and_what_it_quotes(self) -> None:
        """The packet that was not delivered."""
        quoted = bytes(DATAGRAM)[:28]
        frame = layers(bytes(IP() / ICMP(type=3, code=3) / quoted), model.RAW)
        self.assertEqual((frame.layers[-1].length, frame.data), (8, quoted))
