"""Captures that the tests make: packets by scapy, files by hand."""

from __future__ import annotations

import contextlib
import logging
import ssl
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest import SkipTest

logging.getLogger("scapy").setLevel(logging.CRITICAL)

from scapy.layers.dhcp import BOOTP, DHCP  # noqa: E402
from scapy.layers.dns import DNS, DNSQR, DNSRR  # noqa: E402
from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6  # noqa: E402
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Dot1Q, Ether  # noqa: E402

SHARED = Path(__file__).resolve().parents[3] / "shared" / "captures"
"""Real captures beside the checkout, where they are there."""

DOCS = Path(__file__).resolve().parents[2] / "docs"


def exercise_capture(name: str) -> str:
    """The path of the exercises' capture ``name``; skips the test where the folder of captures is not there."""
    if not SHARED.is_dir():
        raise SkipTest(f"there is no {SHARED}: the captures of the exercises are no part of the checkout")
    return str(SHARED / f"{name}.pcap")


CLIENT, CHILD, PARENT = "10.0.0.1", "10.0.0.2", "10.0.0.3"
CLIENT_MAC, CHILD_MAC, PARENT_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
NAME = b"www.google.co.il"
LINE = b'["www.google.co.il", "21.09.1992.8", "60", "0", 1605280488.749312]'
LEARNED = b'["www.google.co.il", "21.09.1992.8", "60", "1", 1605280490.5]'

Timed = tuple[float, bytes]


def pcap(
    packets: Iterable[Timed], link_type: int = 1, order: str = "<", nano: bool = False, snap: int = 65535
) -> bytes:
    """A pcap file of ``packets``, each a time in seconds and its bytes."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link_type)]
    for when, data in packets:
        units = round(when * (1_000_000_000 if nano else 1_000_000))
        seconds, fraction = divmod(units, 1_000_000_000 if nano else 1_000_000)
        kept = data[:snap]
        parts.append(struct.pack(order + "IIII", seconds, fraction, len(kept), len(data)) + kept)
    return b"".join(parts)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """One pcapng block."""
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def pcapng(packets: Iterable[Timed], link_type: int = 1, order: str = "<", resolution: int = 6) -> bytes:
    """A pcapng file of ``packets``; a unit of its time stamps is 10 to the -``resolution`` seconds."""
    parts = [
        block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order),
        block(1, struct.pack(order + "HHI", link_type, 0, 0) + option(9, bytes([resolution]), order), order),
    ]
    for when, data in packets:
        stamp = round(when * 10**resolution)
        head = struct.pack(order + "IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(data), len(data))
        parts.append(block(6, head + data, order))
    return b"".join(parts)


def udp(source: str, sport: int, destination: str, dport: int, data: bytes, **ip: Any) -> Any:
    return IP(src=source, dst=destination, id=7, **ip) / UDP(sport=sport, dport=dport) / data


def frame(source_mac: str, destination_mac: str, packet: Any) -> bytes:
    """An Ethernet frame around a scapy packet."""
    return bytes(Ether(src=source_mac, dst=destination_mac) / packet)


def four_packets() -> list[Timed]:
    """The transcript's trace, over Ethernet between three machines."""
    return [
        (1000.000, frame(CLIENT_MAC, CHILD_MAC, udp(CLIENT, 54699, CHILD, 1199, NAME))),
        (1000.001, frame(CHILD_MAC, PARENT_MAC, udp(CHILD, 42460, PARENT, 1200, NAME))),
        (1000.003, frame(PARENT_MAC, CHILD_MAC, udp(PARENT, 1200, CHILD, 42460, LINE))),
        (1000.004, frame(CHILD_MAC, CLIENT_MAC, udp(CHILD, 1199, CLIENT, 54699, LEARNED))),
    ]


class Talk:
    """A TCP connection, segment by segment, with right numbers and checksums."""

    def __init__(
        self, client: tuple[str, int] = (CLIENT, 39770), server: tuple[str, int] = (CHILD, 8080), at: float = 2000.0
    ) -> None:
        self.packets: list[Timed] = []
        self.at = at
        self._ends = {"client": client, "server": server}
        self._next = {"client": 100, "server": 900}
        self._macs = {"client": CLIENT_MAC, "server": CHILD_MAC}
        self.say("client", b"", "S")
        self.say("server", b"", "SA")
        self.say("client", b"", "A")

    def say(self, who: str, data: bytes, flags: str = "PA", after: float = 0.001) -> Talk:
        """``who`` sends ``data`` ``after`` seconds."""
        other = "server" if who == "client" else "client"
        self.at += after
        acknowledged = self._next[other] if "A" in flags else 0
        segment = TCP(sport=self._ends[who][1], dport=self._ends[other][1], seq=self._next[who], ack=acknowledged,
                      flags=flags)  # fmt: skip
        packet = IP(src=self._ends[who][0], dst=self._ends[other][0], id=1) / segment / data
        self.packets.append((self.at, frame(self._macs[who], self._macs[other], packet)))
        self._next[who] += len(data) + ("S" in flags) + ("F" in flags)
        return self


def greeting() -> Talk:
    """A connection to the command server that was greeted."""
    return Talk().say("server", b"Connected: your IP address is 10.0.0.1 and your port is 39770\n")


def arp_pair() -> list[Timed]:
    """Who has 10.0.0.2? and its reply, padded on its way."""
    ask = ARP(op=1, hwsrc=CLIENT_MAC, psrc=CLIENT, hwdst="00:00:00:00:00:00", pdst=CHILD)
    tell = ARP(op=2, hwsrc=CHILD_MAC, psrc=CHILD, hwdst=CLIENT_MAC, pdst=CLIENT)
    return [
        (1.0, frame(CLIENT_MAC, "ff:ff:ff:ff:ff:ff", ask)),
        (1.1, frame(CHILD_MAC, CLIENT_MAC, tell) + bytes(18)),
    ]


def dns_pair(port: int = 53) -> list[Timed]:
    """A DNS query and its answer, the answer's name compressed."""
    question = DNSQR(qname="www.example.org", qtype="A")
    query = DNS(id=0x1234, rd=1, qd=question)
    answer = DNS(
        id=0x1234, qr=1, rd=1, ra=1, qd=question, an=[DNSRR(rrname="www.example.org", ttl=60, rdata="192.0.2.7")]
    )
    return [
        (5.0, frame(CLIENT_MAC, CHILD_MAC, udp(CLIENT, 40000, CHILD, port, bytes(query)))),
        (5.2, frame(CHILD_MAC, CLIENT_MAC, udp(CHILD, port, CLIENT, 40000, bytes(answer)))),
    ]


def dns_message() -> bytes:
    """A DNS query behind its length, as TCP carries it."""
    query = bytes(DNS(id=0x1234, rd=1, qd=DNSQR(qname="www.example.org", qtype="A")))
    return len(query).to_bytes(2, "big") + query


def ping() -> list[Timed]:
    request = IP(src=CLIENT, dst=CHILD, ttl=64) / ICMP(type=8, id=1, seq=1) / b"abcdefgh"
    reply = IP(src=CHILD, dst=CLIENT, ttl=64) / ICMP(type=0, id=1, seq=1) / b"abcdefgh"
    return [(1.0, frame(CLIENT_MAC, CHILD_MAC, request)), (1.1, frame(CHILD_MAC, CLIENT_MAC, reply))]


def ping6() -> list[Timed]:
    request = IPv6(src="2001:db8::1", dst="2001:db8::2") / ICMPv6EchoRequest(id=1, seq=1, data=b"abcdefgh")
    return [(1.0, frame(CLIENT_MAC, CHILD_MAC, request))]


def offer(**changes: Any) -> list[Timed]:
    """A DHCP Discover and its Offer."""
    mac = bytes.fromhex(CLIENT_MAC.replace(":", ""))
    discover = (
        IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
        / BOOTP(chaddr=mac, xid=7) / DHCP(options=[("message-type", "discover"), "end"])
    )  # fmt: skip
    options = [
        ("message-type", "offer"), ("server_id", "10.0.0.254"), ("subnet_mask", "255.255.255.0"),
        ("router", "10.0.0.254"), ("name_server", "10.0.0.53", "10.0.0.54"), "end",
    ]  # fmt: skip
    answer = (
        IP(src="10.0.0.254", dst="10.0.0.9") / UDP(sport=67, dport=68)
        / BOOTP(op=2, chaddr=mac, xid=7, yiaddr="10.0.0.9") / DHCP(options=changes.get("options", options))
    )  # fmt: skip
    return [(1.0, frame(CLIENT_MAC, "ff:ff:ff:ff:ff:ff", discover)), (1.2, frame(CHILD_MAC, CLIENT_MAC, answer))]


def vlan_packet() -> bytes:
    return bytes(Ether(src=CLIENT_MAC, dst=CHILD_MAC) / Dot1Q(vlan=42) / udp(CLIENT, 54699, CHILD, 1199, NAME))


def cooked(version: int, packet: Any) -> bytes:
    """A packet as Linux's interface any gives it."""
    mac = bytes.fromhex(CLIENT_MAC.replace(":", ""))
    kind = CookedLinux if version == 1 else CookedLinuxV2
    return bytes(kind(lladdrtype=1, lladdrlen=6, src=mac, proto=0x0800, pkttype=0) / packet)


def fragments() -> list[Timed]:
    """One datagram to the resolver's port in two fragments."""
    whole = bytes(udp(CLIENT, 54699, CHILD, 1199, NAME))[20:]
    first = IP(src=CLIENT, dst=CHILD, id=99, proto=17, flags="MF") / whole[:16]
    last = IP(src=CLIENT, dst=CHILD, id=99, proto=17, frag=2) / whole[16:]
    return [(1.0, frame(CLIENT_MAC, CHILD_MAC, first)), (1.001, frame(CLIENT_MAC, CHILD_MAC, last))]


def client_hello(name: str) -> bytes:
    """What a real client of TLS sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def secure() -> list[Timed]:
    """The beginning of a TLS handshake."""
    made = Talk(client=(CLIENT, 40001), server=("198.51.100.80", 443))
    return made.say("client", client_hello("www.example.com")).packets


def translated() -> tuple[list[Timed], list[Timed]]:
    """One packet inside of a router that translates addresses, and outside of it."""
    inside = IP(src="192.168.1.5", dst="198.51.100.80", ttl=64) / TCP(sport=40001, dport=80, seq=77, flags="S")
    outside = IP(src="203.0.113.9", dst="198.51.100.80", ttl=63) / TCP(sport=61001, dport=80, seq=77, flags="S")
    return [(1.0, frame(CLIENT_MAC, CHILD_MAC, inside))], [(1.0, frame(CLIENT_MAC, CHILD_MAC, outside))]
