"""A real daemon that has no file descriptor left: what needs none goes on, the rest fails fast and comes back."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.daemon import TWISTD, Daemon
from tests.interop.plain import ended, greeted, is_time, line
from tests.soak.faults import Parents, ask

DESCRIPTORS = 64
CROWD = 200
"""Connections that are held open, as far as they get."""

COMERS = 500
"""Connections that come while there is no descriptor for them."""

CONFIG = """
[lab]
state = "{folder}"
[command]
listen = "tcp:0:interface=127.0.0.1"
clients = 0
sessions_per_address = 0
[resolver.course]
listen = "udp:0:interface=127.0.0.1"
records = "course:{folder}/records"
parents = "text:127.0.0.1:{course}"
learned = "course.learned"
[resolver.dns]
listen = "udp:0:interface=127.0.0.1"
records = "course:{folder}/records"
parents = "dns:127.0.0.1:{dns}"
learned = "dns.learned"
"""


def processor_seconds(pid: int) -> float:
    """What the process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def come(server: tuple[str, int]) -> bool:
    """Connect and go again; whether one was greeted."""
    with socket.create_connection(server, 20) as sock:
        return bool(ended(sock)) if sock.recv(1) == b"" else True


@pytest.mark.soak
def test_out_of_file_descriptors(tmp_path: Path) -> None:
    """Known names are answered, parents' fail at once, connections are closed; said once; then all is as before."""
    peers.tool("prlimit", "util-linux")
    parents = Parents()
    (tmp_path / "records").write_text("known.test,1.2.3.4,60\n")
    course, dns = (sock.getsockname()[1] for sock in (parents.course, parents.dns))
    config = tmp_path / "lab.toml"
    config.write_text(CONFIG.format(folder=tmp_path, course=course, dns=dns))
    limited = ("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", TWISTD)
    with Daemon("labnet", f"--config={config}", cwd=tmp_path, command=limited) as daemon:
        command = daemon.address("command server")
        servers = {name: daemon.address(f"resolver {name}") for name in ("course", "dns")}
        for name, server in servers.items():
            assert ask(parents, server, f"lfirst.{name}.test", name == "dns")
        crowd = []
        for _ in range(CROWD):
            with contextlib.suppress(OSError):
                crowd.append(socket.create_connection(command, 20))
        until = time.monotonic() + 20
        while len(os.listdir(f"/proc/{daemon.process.pid}/fd")) < DESCRIPTORS:
            assert time.monotonic() < until, "some descriptors are left"
            time.sleep(0.01)

        before, started = processor_seconds(daemon.process.pid), time.monotonic()
        slowest = 0.0
        for number in range(30):
            for name, server in servers.items():
                is_dns = name == "dns"
                assert ask(parents, server, "known.test", is_dns) == "1.2.3.4"
                asked, unknown = time.monotonic(), f"l{number}.{name}.test"
                told = ask(parents, server, unknown, is_dns)
                # A DNS parent may still be asked by a socket of the pool that was there before.
                assert told is None or (is_dns and told == parents.address(unknown, 0))
                slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.1)
        busy = (processor_seconds(daemon.process.pid) - before) / (time.monotonic() - started)
        closed = sum(not come(command) for _ in range(COMERS))
        print(
            f"\n{closed} of {COMERS} connections closed; {busy:.0%} of a processor; a parent's failure: {slowest:.3f} s"
        )
        assert closed >= COMERS * 0.9
        assert slowest < 1
        assert busy < 0.5
        seconds = time.monotonic() - started
        assert daemon.log.count("no file descriptor is left") == 1 + int(seconds // 60)
        assert daemon.log.count("EMFILE") == 0
        assert daemon.log.count("is not resolved") <= 2 * (seconds + 1)
        assert daemon.log.count("cannot keep") <= 2

        for sock in crowd:
            sock.close()
        until = time.monotonic() + 20
        while len(os.listdir(f"/proc/{daemon.process.pid}/fd")) > DESCRIPTORS // 2 and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(6)  # a failure is remembered for five seconds (RFC 9520)
        for name, server in servers.items():
            assert ask(parents, server, f"l0.{name}.test", name == "dns") == parents.address(f"l0.{name}.test", 0)
        with greeted(command) as session:
            session.send(b"TIME\n")
            assert is_time(line(session)[:-1], 0)
    parents.close()
