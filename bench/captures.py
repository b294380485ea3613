"""Captures: what ``labnet explain`` and ``labnet exercise`` cost beside tshark, as CPU of the whole process.

100,000 mixed packets: TCP with HTTP, the course protocol, DNS, ARP, ICMP. The commands take turns; the medians count.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

PACKETS = 100_000
_MACS = bytes.fromhex("020000000002020000000001")


class Pair(NamedTuple):
    """``ours`` is to cost at most ``ratio`` times what ``peer`` costs."""

    name: str
    ours: list[str]
    peer: list[str]
    ratio: float


def ethernet(payload: bytes, ethertype: int = 0x0800) -> bytes:
    """A frame between two cards."""
    return _MACS + struct.pack("!H", ethertype) + payload


def ipv4(protocol: int, payload: bytes, source: bytes = b"\x0a\0\0\1", destination: bytes = b"\x0a\0\0\2") -> bytes:
    """An IP packet; its checksum is left to the card, as captures on a sender have it."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0)
    return ethernet(head + source + destination + payload)


def udp(source: int, destination: int, data: bytes) -> bytes:
    """A UDP datagram."""
    return ipv4(17, struct.pack("!HHHH", source, destination, 8 + len(data), 0) + data)


def tcp(source: int, destination: int, sequence: int, flags: int, data: bytes = b"") -> bytes:
    """A TCP segment."""
    return ipv4(6, struct.pack("!HHIIBBHHH", source, destination, sequence, 1, 0x50, flags, 65535, 0, 0) + data)


def mixed(port: int) -> Iterator[bytes]:
    """Some thirty packets of the kinds that labnet tells of, the TCP connection from ``port``."""
    name = b"www.google.co.il"
    yield from (tcp(port, 80, 99, 2), tcp(80, port, 499, 18), tcp(port, 80, 100, 16))
    yield tcp(port, 80, 100, 24, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
    yield tcp(80, port, 500, 24, b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 900)
    for number in range(8):
        yield tcp(80, port, 1500 + 1200 * number, 16, b"y" * 1200)
        yield tcp(port, 80, 137, 16)
    yield from (udp(54699, 1199, name), udp(42460, 1200, name))
    line = b'["www.google.co.il", "21.09.1992.8", "60", "0", 1605280488.749312]'
    yield from (udp(1200, 42460, line), udp(1199, 54699, line))
    query = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\3www\7example\3org\0" + struct.pack("!HH", 1, 1)
    reply = b"\0\7\x81\x80\0\1\0\1" + query[8:] + b"\xc0\x0c" + struct.pack("!HHIH4s", 1, 1, 60, 4, b"\xc0\0\2\7")
    yield from (udp(40000, 53, query), udp(53, 40000, reply))
    arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, _MACS[6:], b"\x0a\0\0\1", bytes(6), b"\x0a\0\0\2")
    yield ethernet(arp + bytes(18), 0x0806)
    yield from (tcp(port, 80, 137, 17), tcp(80, port, 11100, 17), tcp(port, 80, 138, 16))


def write(path: Path, count: int) -> None:
    """A pcap file of ``count`` packets."""
    packets = chain.from_iterable(mixed(20_000 + number % 40_000) for number in range(count))
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, data in enumerate(islice(packets, count)):
            when = struct.pack("<II", 1000 + number // 10_000, number % 10_000 * 100)
            file.write(when + struct.pack("<II", len(data), len(data)) + data)


def cpu(command: list[str]) -> tuple[float, int]:
    """CPU seconds and the largest memory (KiB) of ``command``, whose output is thrown away."""
    with open(os.devnull, "wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure captures beside tshark.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--packets", type=int, default=PACKETS)
    arguments = parser.parse_args()
    labnet, tshark = str(Path(sys.executable).with_name("labnet")), shutil.which("tshark")
    if tshark is None:
        print("captures are left out: tshark is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "mixed.pcap"))
        write(Path(path), arguments.packets)
        pairs = [
            Pair("explain", [labnet, "explain", path], [tshark, "-n", "-V", "-r", path], 1.5),
            *(
                Pair(f"exercise {name}", [labnet, "exercise", name, path], [tshark, "-n", "-r", path], 2.0)
                for name in ("ip", "http", "dhcp")
            ),
        ]
        for pair in pairs:
            ours, peers, memory = [], [], 0
            for _ in range(arguments.rounds):
                seconds, kib = cpu(pair.ours)
                ours.append(seconds)
                memory = max(memory, kib)
                peers.append(cpu(pair.peer)[0])
            mine, other = statistics.median(ours), statistics.median(peers)
            print(
                f"{pair.name}: {mine:.2f} s for {arguments.packets:,} packets, {' '.join(pair.peer[:-2])} "
                f"{other:.2f} s: {mine / other:.2f} (target {pair.ratio}); at most {memory // 1024} MiB",
                flush=True,
            )


if __name__ == "__main__":
    main()
