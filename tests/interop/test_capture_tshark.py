"""labnet's dissection and tshark's, field by field."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet import UDP as scapy_UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether

from labnet.capture.files.writing import PcapngWriter
from labnet.capture.record.own_traffic import OwnTraffic
from tests.capture import samples
from tests.capture.exercises.test_sheet import lease
from tests.capture.samples import client_hello
from tests.interop import peers
from tests.interop.tshark import differences

UDP = samples.udp("10.0.0.1", 54699, "10.0.0.2", 1199, samples.NAME)

MADE = {
    "trace": samples.pcap(samples.four_packets()),
    "trace-big-endian-nano": samples.pcap(samples.four_packets(), order=">", nano=True),
    "trace-ng": samples.pcapng(samples.four_packets(), resolution=9),
    "trace-ng-big-endian": samples.pcapng(samples.four_packets(), order=">"),
    "command": samples.pcap(samples.greeting().say("client", b"TIME").say("client", b"", "FA").packets),
    "arp": samples.pcap(samples.arp_pair()),
    "dhcp": samples.pcap(samples.offer()),
    "dns": samples.pcap(samples.dns_pair()),
    "ping": samples.pcap([*samples.ping(), *samples.ping6()]),
    "vlan": samples.pcap([(1.0, samples.vlan_packet())]),
    "fragments": samples.pcap(samples.fragments()),
    "cooked-v1": samples.pcap([(1.0, samples.cooked(1, UDP))], 113),
    "cooked-v2": samples.pcap([(1.0, samples.cooked(2, UDP))], 276),
    "raw": samples.pcap([(1.0, bytes(UDP))], 101),
    "bsd": samples.pcap([(1.0, b"\2\0\0\0" + bytes(UDP))], 0),
    "cut": samples.pcap(samples.four_packets(), snap=50),
}


ETHER = Ether(src=samples.CLIENT_MAC, dst=samples.CHILD_MAC)
HELLO = samples.Talk(server=("10.0.0.2", 443)).say("client", client_hello("www.example.com"))

MADE |= {
    name: samples.pcap([(1.0, bytes(packet))])
    for name, packet in {
        "qinq": ETHER / Dot1Q(type=0x8100, vlan=7) / Dot1Q(vlan=9) / UDP,
        "three-tags": ETHER / Dot1Q(type=0x8100, vlan=7) / Dot1Q(type=0x8100, vlan=8) / Dot1Q(vlan=9) / UDP,
        "ip-in-ip": ETHER / IP(src="192.0.2.1", dst="192.0.2.2") / UDP,
        "ipv6-in-ip": ETHER
        / IP(src="192.0.2.1", dst="192.0.2.2", proto=41)
        / IPv6(src="::1", dst="::2")
        / TCP(flags="S"),
        "gre": ETHER / IP(src="192.0.2.1", dst="192.0.2.2") / GRE(proto=0x0800) / UDP,
        "icmp-unreachable": ETHER / IP(src="192.0.2.1", dst="192.0.2.2") / ICMP(type=3, code=3) / bytes(UDP)[:28],
        "icmp-expired": ETHER / IP(src="192.0.2.1", dst="192.0.2.2") / ICMP(type=11) / bytes(UDP)[:28],
        "icmp-timestamp": ETHER / IP(src="192.0.2.1", dst="192.0.2.2") / ICMP(type=13, id=3, seq=9),
        "ip-options": ETHER / IP(src="192.0.2.1", dst="192.0.2.2", options=[b"\x94\x04\0\0"]) / ICMP(type=8),
        "tcp-options": ETHER / IP() / TCP(flags="S", options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0))]),
        "tcp-every-flag": ETHER / IP() / TCP(flags="FSRPAUEC"),
        "neighbour": ETHER / IPv6(src="fe80::1", dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="fe80::2"),
        "hop-by-hop": ETHER / IPv6(src="::1", dst="::2") / IPv6ExtHdrHopByHop() / scapy_UDP(sport=7, dport=8) / b"x",
        "ipv6-fragment": ETHER
        / IPv6(src="::1", dst="::2")
        / IPv6ExtHdrFragment(offset=2, m=1, id=9, nh=17)
        / b"abcdefgh",
        "arp-reply": ETHER / ARP(op=2, hwsrc=samples.CHILD_MAC, psrc="10.0.0.2"),
        "udp-without-checksum": ETHER / IP() / scapy_UDP(sport=5000, dport=5001, chksum=0) / b"data",
        "dns-over-tcp": ETHER / IP() / TCP(sport=53, dport=5000, flags="PA", seq=1) / samples.dns_message(),
        "loopback": Ether(src="00:00:00:00:00:00", dst="00:00:00:00:00:00") / UDP,
    }.items()
}
MADE |= {
    "lease": samples.pcap(lease()),
    "tls": samples.pcap(HELLO.packets),
}


@pytest.mark.parametrize("name", MADE)
def test_captures_of_every_kind_are_dissected_as_tshark_does(name: str, tmp_path: Path) -> None:
    """Each field at the same place, with the same bytes and the same value."""
    path = tmp_path / f"{name}.pcap"
    path.write_bytes(MADE[name])
    count, problems = differences(path)
    assert problems == []
    assert count > 8


OTHERWISE = {"a5-qinq-arp", "a7-http-connect", "b12-spb-1970"}
"""Wireshark has other names for a service tag's fields and for records of TLS 1.3, and counts blocks as frames."""
CASES = sorted({path.stem for path in (samples.SHARED / "cases").glob("*.pcap*")} - OTHERWISE)


@pytest.mark.parametrize("name", CASES)
def test_captures_that_mislead_are_dissected_as_tshark_does(name: str) -> None:
    """Those of the cases that lie beside the checkout."""
    (path,) = (samples.SHARED / "cases").glob(f"{name}.*")
    assert differences(path)[1] == []


@pytest.mark.parametrize("name", ["arp", "dhcp", "get", "icmp-ping"])
def test_real_captures_are_dissected_as_tshark_does(name: str) -> None:
    """Those that lie beside the checkout."""
    count, problems = differences(Path(samples.exercise_capture(name)))
    assert problems == []
    assert count > 50


def test_our_own_traffic_is_a_file_that_wireshark_reads_without_a_complaint(tmp_path: Path) -> None:
    """Checksums are right, nothing is malformed, and the comments are there."""
    path = tmp_path / "own.pcapng"
    traffic = OwnTraffic(str(path), lambda: 1_605_280_488_000_000_000, pytest.fail)
    traffic.open()
    for one, other in ((("127.0.0.1", 54699), ("127.0.0.1", 1199)), (("::1", 54699), ("::1", 1199))):
        traffic.datagram(one, other, samples.NAME, outward=True)
        traffic.opened(one, other)
        traffic.sent(other, one, b"hello", outward=True)
        traffic.closed(other, one, False, outward=True)
        traffic.closed(one, other, False, outward=False)
        traffic.ended(one, other)
    traffic.close()
    assert differences(path)[1] == []
    rows = _tshark(
        path, "ip.checksum.status", "udp.checksum.status", "tcp.checksum.status", "frame.comment", "_ws.expert.severity"
    )
    assert len(rows) == 12
    for ip, udp, tcp, comment, expert in rows:
        assert {ip, udp, tcp} <= {"", "1"}
        assert comment.startswith("labnet's own traffic: ")
        assert set(expert.split(",")) <= {"1048576", "2097152", "4194304"}  # comments, chats and notes: TTL 0 is one


def test_what_our_writer_writes_tshark_reads(tmp_path: Path) -> None:
    """Nanoseconds, lengths, interface, link type."""
    path = tmp_path / "written.pcapng"
    with path.open("wb") as file:
        writer = PcapngWriter(file, 1, "eth0")
        writer.write(1_605_280_488_123_456_789, samples.four_packets()[0][1][:50], 58, "a comment")
    rows = _tshark(path, "frame.time_epoch", "frame.len", "frame.cap_len", "frame.interface_name", "frame.comment")
    assert rows == [["1605280488.123456789", "58", "50", "eth0", "a comment"]]


def _tshark(path: Path, *fields: str) -> list[list[str]]:
    command = [peers.tool("tshark", "tshark"), "-r", str(path), "-n", "-T", "fields"]
    for protocol in ("ip", "udp", "tcp"):
        command += ["-o", f"{protocol}.check_checksum:TRUE"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]
