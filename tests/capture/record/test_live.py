"""What the kernel hands over beside the bytes of a packet."""

from __future__ import annotations

import socket
import struct

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.model import COOKED_V2, ETHERNET, RAW
from labnet.capture.record.live import Live, PacketSource
from tests.capture import samples

SOL_PACKET, AUXDATA, TIMESTAMP = 263, 8, 35


class FakeSocket:
    """Gives what it was told to, as recvmsg does, then nothing any more."""

    def __init__(
        self, *received: tuple[bytes, list[tuple[int, int, bytes]], int, tuple[str, int, int, int, bytes]]
    ) -> None:
        self.received = list(received)

    def recvmsg(self, size: int, extra: int) -> object:
        if not self.received:
            raise TimeoutError
        return self.received.pop(0)


def live(source: PacketSource, *received: object) -> list[tuple[int, bytes, int]]:
    """The packets of a capture on ``source`` whose socket receives these."""
    taken = Live.__new__(Live)
    taken._source = source
    taken._socket = FakeSocket(*received)
    packets = []
    for packet in taken:
        if packet is None:
            return packets
        packets.append(packet)
    return packets


def stamp(seconds: int, nanoseconds: int) -> tuple[int, int, bytes]:
    return (socket.SOL_SOCKET, TIMESTAMP, struct.pack("qq", seconds, nanoseconds))


def auxiliary(length: int, tag: int = 0, status: int = 0) -> tuple[int, int, bytes]:
    return (SOL_PACKET, AUXDATA, struct.pack("IIIHHHH", status, length, length, 0, 0, tag, 0x8100))


CARD, EVERY = PacketSource("eth0", ETHERNET, False), PacketSource("any", COOKED_V2, True)
FROM_CARD = ("eth0", 0x0800, 0, 1, b"\2\0\0\0\0\1")


class PacketTests(SynchronousTestCase):
    """Time, length, tag, cooked header."""

    def test_the_kernels_time_and_the_length_on_the_wire_are_kept(self) -> None:
        """Nanoseconds, and what a snap length cut."""
        packets = live(CARD, (b"x" * 60, [stamp(5, 123456789), auxiliary(1500)], 0, FROM_CARD))
        self.assertEqual(packets, [(5_123456789, b"x" * 60, 1500)])

    def test_a_vlan_tag_that_the_kernel_took_off_is_put_back(self) -> None:
        """Between the addresses and the EtherType, where it was on the wire."""
        tagged = samples.vlan_packet()
        bare = tagged[:12] + tagged[16:]
        packets = live(CARD, (bare, [stamp(5, 0), auxiliary(len(bare), tag=42, status=0x10)], 0, FROM_CARD))
        self.assertEqual(packets, [(5_000000000, tagged, len(tagged))])

    def test_on_any_each_packet_gets_a_cooked_header(self) -> None:
        """With protocol, interface, kind and the sender's address."""
        sender = ("lo", 0x0800, 0, 772, b"\2\0\0\0\0\1")
        ((_, data, length),) = live(EVERY, (b"ip", [stamp(5, 0), auxiliary(2)], 0, sender))
        index = socket.if_nametoindex("lo")
        self.assertEqual(data, struct.pack("!HHIHBB8s", 0x0800, 0, index, 772, 0, 6, b"\2\0\0\0\0\1") + b"ip")
        self.assertEqual(length, 22)

    def test_what_a_loopback_interface_sends_is_taken_once(self) -> None:
        """It comes in again; of a card the way out is all there is."""
        outgoing = [
            (b"a", [stamp(5, 0)], 0, ("lo", 0x0800, 4, 772, b"")),
            (b"b", [stamp(5, 0)], 0, ("eth0", 0x0800, 4, 1, b"")),
        ]
        self.assertEqual([data for _, data, _ in live(CARD, *outgoing)], [b"b"])

    def test_raw_ip_is_taken_as_it_is(self) -> None:
        """A tunnel has no link header."""
        source = PacketSource("tun0", RAW, False)
        self.assertEqual(
            live(source, (b"E...", [stamp(1, 0)], 0, ("tun0", 0x0800, 0, 65534, b""))), [(1_000000000, b"E...", 4)]
        )
