"""A flood: as many DNS queries as the system takes, read or not. ``python -m tests.soak.flood PORT SECONDS``."""

from __future__ import annotations

import socket
import sys
import time

from labnet.net.batches.mmsg import BATCH, Outbox
from tests.soak.dns_packets import question, wire_of

SOCKETS = 8


def flood(port: int, seconds: float, names: int) -> None:
    """Send to ``port`` of this machine for ``seconds``: questions for host0.lab.test and so on, from a few sockets."""
    batches = []
    for number in range(SOCKETS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", port))
        numbers = range(number * BATCH, (number + 1) * BATCH)
        batches.append((sock, [question(each, wire_of(f"host{each % names}.lab.test")) for each in numbers]))
    outbox = Outbox(0)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for sock, questions in batches:
            outbox.send(sock.fileno(), questions)


if __name__ == "__main__":
    flood(int(sys.argv[1]), float(sys.argv[2]), 500)
