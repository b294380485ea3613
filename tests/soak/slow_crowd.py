"""Clients that are no good: half of them send a byte a second, half send all they can and never read.

A program of its own, so that what it costs is not in the measurements: ``python slow_crowd.py HOST PORT CLIENTS``. It
says "ready" once all are connected and those who never read have filled every buffer on the way, and goes on until its
input ends; then it tells how many bytes it sent.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time

TEXT = b"TIME\nnonsense\n"
FLOOD = b"\n" * 4096
STEPS = 100
"""Parts of a second in which a part of the clients has its turn."""


def connect(address: tuple[str, int]) -> socket.socket:
    sock = socket.socket()
    # Its own system keeps little for it, as the memory of both ends comes from one machine here.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(60)
    sock.connect(address)
    sock.recv(256)
    sock.setblocking(False)
    return sock


def flood(socks: list[socket.socket]) -> int:
    """Send on ``socks`` whatever their system takes; how many bytes it took."""
    sent = 0
    for sock in socks:
        with contextlib.suppress(BlockingIOError):
            while True:
                sent += sock.send(FLOOD)
    return sent


def main(host: str, port: int, clients: int) -> None:
    socks = [connect((host, port)) for _ in range(clients)]
    dribbling, flooding = socks[::2], socks[1::2]
    sent = turn = 0
    while some := flood(flooding):
        sent += some
        time.sleep(2)
    print("ready", flush=True)
    due = time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        due += 1 / STEPS
        letter = turn // STEPS % len(TEXT)
        for sock in dribbling[turn % STEPS :: STEPS]:
            with contextlib.suppress(BlockingIOError):
                sock.recv(256)
            sent += sock.send(TEXT[letter : letter + 1])
        sent += flood(flooding[turn % STEPS :: STEPS])
        turn += 1
    print(sent, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
