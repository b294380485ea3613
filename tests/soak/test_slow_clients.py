"""Ten thousand clients that dribble or never read, beside a hundred that ask and read."""

from __future__ import annotations

import resource
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.plain import Address, greeted
from tests.soak.processes import memory

SLOW = 10_000
HONEST = 100
SECONDS = 10.0
PAUSE = 0.02
"""Seconds between an honest client's reply and its next command."""

MOST_SLOWER = 3.0
MOST_EACH = 8.0
"""Kilobytes of the server's memory that a slow client may take."""

LAB = """\
[command]
listen = "tcp:0:interface=127.0.0.1"
clients = 0
sessions_per_address = 0
timeout = 600
"""


def latencies(clients: list[socket.socket]) -> list[float]:
    """Seconds from command to reply, sorted, of ``clients`` that ask again and again for :data:`SECONDS`."""
    took = []
    asked: dict[int, float] = {}
    with select.epoll() as poll:
        start = time.monotonic()
        due = {sock: start + PAUSE * number / len(clients) for number, sock in enumerate(clients)}
        by_number = {sock.fileno(): sock for sock in clients}
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        while (now := time.monotonic()) < start + SECONDS or asked:
            for sock in [sock for sock, at in due.items() if at <= now]:
                del due[sock]
                asked[sock.fileno()] = time.monotonic()
                sock.send(b"TIME\n")
            for number, _ in poll.poll(0.001):
                reply = by_number[number].recv(1024)
                after = time.monotonic()
                assert reply.endswith(b"\n"), reply
                took.append(after - asked.pop(number))
                if after < start + SECONDS:
                    due[by_number[number]] = after + PAUSE
            assert now < start + SECONDS + DEADLINE
    return sorted(took)


@contextmanager
def slow_crowd(server: Address) -> Iterator[None]:
    """:data:`SLOW` slow clients at ``server``, in a process of their own."""
    command = [sys.executable, str(Path(__file__).with_name("slow_crowd.py")), *map(str, server), str(SLOW)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        try:
            assert crowd.stdout.readline() == "ready\n"
            yield
            assert crowd.poll() is None, "the slow clients were thrown out"
            crowd.stdin.close()
            assert int(crowd.stdout.readline()) > SLOW
        finally:
            crowd.kill()


@pytest.mark.soak
def test_slow_clients_do_not_slow_down_the_others(tmp_path: Path) -> None:
    """The honest ones' 99th percentile is below three times that without the slow, and memory stays bounded."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < SLOW + 500:
        peers.unavailable(f"{hard} open files are too few for {SLOW} connections: ulimit -n {SLOW + 500}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    (tmp_path / "lab.toml").write_text(LAB)
    with Daemon("labnet", "--quiet", "--config", "lab.toml", cwd=tmp_path) as daemon:
        server = daemon.address("command server")
        honest = [greeted(server) for _ in range(HONEST)]
        before = memory(daemon.process.pid)
        alone = latencies(honest)
        with slow_crowd(server):
            middle = memory(daemon.process.pid)
            beside = latencies(honest)
            during = memory(daemon.process.pid)
        alone = sorted(alone + latencies(honest))
        for sock in honest:
            sock.close()

    def share(took: list[float], part: float) -> float:
        return took[int(len(took) * part)] * 1e3

    for name, took in ("alone", alone), ("beside the slow", beside):
        print(f"\n{name}: {len(took)} replies, p50 {share(took, 0.5):.2f} ms, p99 {share(took, 0.99):.2f} ms", end="")
    each = (during - before) / SLOW
    print(f"\nmemory: {before} kB before, {middle} and {during} kB with {SLOW} slow clients, {each:.1f} kB each")
    assert share(beside, 0.99) < MOST_SLOWER * share(alone, 0.99)
    assert each < MOST_EACH
    assert during < middle * 1.1
