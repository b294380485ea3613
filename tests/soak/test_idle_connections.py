"""Ten thousand clients that say nothing, against a real command server."""

from __future__ import annotations

import re
import resource
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.plain import Address, greeted, is_time, line

CLIENTS = 10_000
TIMEOUT = 15.0
MOST_LATE = 1.0
MOST_GROWTH = 0.10
MOST_SECONDS = 10.0
"""Within so many seconds it is back."""

MOST_EACH = 1024
"""Bytes of the server's memory that an idle connection may take."""

LAB = f"""\
[command]
listen = "tcp:0:interface=127.0.0.1"
clients = 0
sessions_per_address = 0
timeout = {TIMEOUT}
"""
AT_ONCE = 40
"""Fewer than Twisted has the kernel keep for accept (50); one more would be tried again after a second."""


@dataclass
class Idle:
    """One client: when it was greeted, and when its connection ended."""

    sock: socket.socket
    received: bytes = b""
    greeted: float = 0.0
    closed: float = 0.0


@dataclass
class Crowd:
    """Clients at ``server`` that connect, read and say nothing."""

    server: Address
    clients: dict[int, Idle] = field(default_factory=dict)
    poll: select.epoll = field(default_factory=select.epoll)

    def connect(self, count: int) -> None:
        """Connect ``count`` of them, a few at a time, and see each greeted."""
        for start in range(0, count, AT_ONCE):
            new = []
            for _ in range(min(AT_ONCE, count - start)):
                idle = Idle(socket.create_connection(self.server, DEADLINE))
                self.clients[idle.sock.fileno()] = idle
                self.poll.register(idle.sock, select.EPOLLIN)
                new.append(idle)
            self.read_until(lambda new=new: all(idle.greeted for idle in new))

    def read_until(self, done: Callable[[], bool]) -> None:
        """Read from all until ``done()``, and note when each greeting and each end came."""
        until = time.monotonic() + DEADLINE
        while not done():
            assert time.monotonic() < until, "not all were greeted, or not all were closed"
            for fileno, _ in self.poll.poll(1.0, 1000):
                self.read(self.clients[fileno])

    def read(self, idle: Idle) -> None:
        now = time.monotonic()
        piece = idle.sock.recv(1024)
        idle.received += piece
        if not piece:
            idle.closed = now
            self.poll.unregister(idle.sock)
        elif not idle.greeted and idle.received.endswith(b"\n"):
            idle.greeted = now

    def wait_for_the_end(self) -> list[float]:
        """The seconds between greeting and end of each; all sockets are closed then."""
        waiting = [idle for idle in self.clients.values() if not idle.closed]
        self.read_until(lambda: all(idle.closed for idle in waiting))
        for idle in self.clients.values():
            assert idle.received.startswith(b"Connected: ")
            assert idle.received.count(b"\n") == 1
            idle.sock.close()
        self.poll.close()
        return sorted(idle.closed - idle.greeted for idle in self.clients.values())


def memory(daemon: Daemon, key: str = "VmRSS") -> int:
    """Kilobytes of the process that are in memory now (VmRSS), or were at most (VmHWM)."""
    found = re.search(rf"{key}:\s+(\d+) kB", Path(f"/proc/{daemon.process.pid}/status").read_text())
    assert found
    return int(found[1])


def settled(daemon: Daemon, server: Address) -> int:
    """Its memory once it has answered a client that came behind all the others."""
    with greeted(server) as sock:
        sock.send(b"TIME")
        assert is_time(line(sock)[:-1], 0)
    return memory(daemon)


@pytest.mark.soak
def test_ten_thousand_idle_connections_are_held_and_closed_in_time(tmp_path: Path) -> None:
    """All are greeted, all closed 15 s ± 1 s behind that, and the memory is back within a tenth of what it was."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CLIENTS + 100:
        peers.unavailable(f"{hard} open files are too few for {CLIENTS} connections: ulimit -n {CLIENTS + 100}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    (tmp_path / "lab.toml").write_text(LAB)
    with Daemon("labnet", "--quiet", "--config", "lab.toml", cwd=tmp_path) as daemon:
        server = daemon.address("command server")
        warm_up = Crowd(server)
        warm_up.connect(AT_ONCE)
        warm_up.wait_for_the_end()
        before = settled(daemon, server)

        crowd = Crowd(server)
        started = time.monotonic()
        crowd.connect(CLIENTS)
        connected = time.monotonic() - started
        held = sum(not idle.closed for idle in crowd.clients.values())
        holding = memory(daemon)
        lasted = crowd.wait_for_the_end()
        after = settled(daemon, server)
        until = time.monotonic() + MOST_SECONDS
        while after > before * (1 + MOST_GROWTH) and time.monotonic() < until:
            time.sleep(0.5)  # Python gives memory back once the last object in a megabyte is gone, be it a timer's
            after = memory(daemon)

        each = (holding - before) * 1024 / CLIENTS
        print(f"\n{each:.0f} bytes for each connection, in user space")
        print(f"{CLIENTS} connections in {connected:.1f} s, {held} of them held at once")
        print(f"closed between {lasted[0]:.2f} and {lasted[-1]:.2f} s after the greeting")
        print(
            f"memory: {before} kB before, {holding} kB with all, {memory(daemon, 'VmHWM')} kB at most, {after} kB after"
        )
        assert held == CLIENTS
        assert each <= MOST_EACH
        assert lasted[0] >= TIMEOUT - MOST_LATE
        assert lasted[-1] <= TIMEOUT + MOST_LATE
        assert after <= before * (1 + MOST_GROWTH)
