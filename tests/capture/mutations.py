"""Captures damaged at random, the same ones for the same seed, and what a run on one of them may do."""

from __future__ import annotations

import random
import struct
import time
from pathlib import Path

from labnet.capture.exercises.marking.verdicts import mark
from labnet.capture.exercises.page import page
from labnet.capture.exercises.run import EXERCISES, run
from labnet.capture.exercises.sheet import shipped
from labnet.capture.exercises.text import answered, as_json
from labnet.capture.model import CaptureError
from labnet.capture.narrative.explain import explain
from tests.capture import samples

_LENGTHS = (0, 1, 7, 8, 0x7F, 0x80, 0xC0, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def originals() -> list[bytes]:
    """Whole captures of every kind that is read, the real ones too where they are there."""
    packets = [
        *samples.four_packets(), *samples.dns_pair(), *samples.arp_pair(), *samples.offer(), *samples.ping6(),
        *samples.fragments(), (3000.0, samples.vlan_packet()),
        *samples.greeting().say("client", b"TIME").say("server", b"Sun Oct  1 13:33:03 2023\n").packets,
    ]  # fmt: skip
    packet = samples.udp("10.0.0.1", 54699, "10.0.0.2", 1199, samples.NAME)
    return [
        samples.pcap(packets), samples.pcap(packets, order=">", nano=True), samples.pcapng(packets),
        samples.pcapng(packets, order=">", resolution=9),
        samples.pcap([(1.0, samples.cooked(1, packet))], 113), samples.pcap([(1.0, samples.cooked(2, packet))], 276),
        samples.pcap([(1.0, bytes(packet))], 101), samples.pcap([(1.0, b"\2\0\0\0" + bytes(packet))], 0),
        *(path.read_bytes() for path in sorted(samples.SHARED.glob("*.pcap"))),
    ]  # fmt: skip


def mutate(original: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """``original`` with one to four kinds of damage."""
    data = bytearray(original)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data)) if data else 0
        kind = chance.randrange(8)
        if kind == 0 and data:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at : at + 4] = struct.pack(chance.choice("<>") + "I", chance.choice(_LENGTHS))
        elif kind == 2:
            data[at : at + 2] = struct.pack(chance.choice("<>") + "H", chance.choice(_LENGTHS) & 0xFFFF)
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            del data[at : at + chance.randrange(1, 40)]
        elif kind == 5:
            data[at:at] = data[at : at + chance.randrange(1, 400)]
        elif kind == 6:
            data[at:at] = chance.randbytes(chance.randrange(1, 40))
        else:
            other = chance.choice(others)
            data[at:] = other[chance.randrange(len(other)) :]
    return bytes(data)


def run_on(path: Path) -> float:
    """Everything that the program does with a capture; the seconds that the slowest part took.

    An error that is not for the user escapes.
    """
    slowest = 0.0
    for part in ("explain", *EXERCISES, *shipped()):
        start = time.monotonic()
        try:
            if part == "explain":
                for line in explain(str(path), 200, False, lambda done: None):
                    line.encode()
            else:
                done = run(part, str(path), lambda done: None)
                "\n".join(answered(done, False)).encode()
                as_json(done, mark(done.answers, {})).encode()
                page(done, mark(done.answers, {answer.key: "x" for answer in done.answers})).encode()
        except CaptureError as error:
            str(error).encode()
        slowest = max(slowest, time.monotonic() - start)
    return slowest
