"""A flood: as many DNS queries as the system takes, read or not. ``python -m tests.soak.flood PORT SECONDS``."""

from __future__ import annotations

import socket
import sys
import time

from labnet.resolver.mmsg import BATCH, Outbox
from tests.soak.dns_packets import question, wire_of

SOCKETS = 8


def flood(port: int, seconds: float, names: int) -> None:
    """Send to ``port`` of this machine for ``seconds``: questions for host0.lab.test and so on, from a few sockets."""
    batches = []
    for number in range(SOCKETS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", port))
        outbox = Outbox(0)
        for slot in range(BATCH):
            name = f"host{(number * BATCH + slot) % names}.lab.test"
            outbox.put(question(number * BATCH + slot, wire_of(name)))
        batches.append((sock, outbox))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for sock, outbox in batches:
            outbox.count = BATCH
            outbox.send(sock.fileno())


if __name__ == "__main__":
    flood(int(sys.argv[1]), float(sys.argv[2]), 500)
