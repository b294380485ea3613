"""One attacker of each kind beside honest clients: these hardly notice."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from tests.interop.daemon import DEADLINE, Daemon
from tests.soak.attackers import KINDS, query

SECONDS = 5.0
PAUSE = 0.004
MOST_SLOWER = 3.0
LEAST = 0.001
"""Seconds of a 99th percentile below which nothing counts as slower: a busy machine takes as long for nothing."""

LAB = """\
[resolver.main]
listen = "udp:0:interface=127.0.0.1"
records = ["zone:zone.lab"]
allow = ["127.0.0.1/32"]
parents = "dns:127.0.0.1:{parent}"
forward = {{ "silent.test" = "dns:127.0.0.1:{silent}" }}
"""
ZONE = "$ORIGIN lab.\n$TTL 60\nwww A 192.0.2.1\n" + "".join(
    f"big A 10.1.{n // 250}.{n % 250 + 1}\n" for n in range(4000)
)


def percentile(port: int, names: Iterator[str]) -> float:
    """The 99th percentile, in seconds, of an honest client that asks for :data:`SECONDS`; each answer is a good one."""
    took = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(("127.0.0.1", port))
        end = time.monotonic() + SECONDS
        while (began := time.monotonic()) < end:
            sock.send(query(next(names)))
            reply = dns.message.from_wire(sock.recv(65535))
            took.append(time.monotonic() - began)
            assert reply.rcode() == dns.rcode.NOERROR, reply
            time.sleep(PAUSE)
    return sorted(took)[int(len(took) * 0.99)]


@contextmanager
def attacked(kind: str, port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.soak.attackers", kind, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as attacker:
        try:
            time.sleep(2.0)
            yield
            assert attacker.poll() is None, f"{kind} has ended"
        finally:
            attacker.kill()


def answering(sock: socket.socket) -> None:
    """Be a parent that knows every name, until the socket is closed."""
    while True:
        try:
            datagram, source = sock.recvfrom(65535)
        except OSError:
            return
        asked = dns.message.from_wire(datagram)
        reply = dns.message.make_response(asked, recursion_available=True)
        reply.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", "A", "192.0.2.7"))
        sock.sendto(reply.to_wire(), source)


@pytest.mark.soak
def test_honest_clients_hardly_notice_an_attacker(tmp_path: Path) -> None:
    """Beside each the 99th percentile is at most three times that without: of records, and of names that are asked."""
    silent, parent = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with silent, parent:
        for sock in silent, parent:
            sock.bind(("127.0.0.1", 0))
        threading.Thread(target=answering, args=[parent], daemon=True).start()
        ports = {"silent": silent.getsockname()[1], "parent": parent.getsockname()[1]}
        (tmp_path / "lab.toml").write_text(LAB.format(**ports))
        (tmp_path / "zone.lab").write_text(ZONE)
        with Daemon("labnet", "--config", "lab.toml", cwd=tmp_path) as daemon:
            port = daemon.address("resolver main")[1]
            fresh = (f"name{number}.example" for number in range(10**9))
            known = iter(lambda: "www.lab", None)
            alone = {"known": percentile(port, known), "fresh": percentile(port, fresh)}
            print(f"\nalone: p99 {alone['known'] * 1e3:.2f} ms known, {alone['fresh'] * 1e3:.2f} ms fresh")
            worse = {}
            for kind in KINDS:
                with attacked(kind, port):
                    beside = {"known": percentile(port, known), "fresh": percentile(port, fresh)}
                print(
                    f"\n{kind}: p99 {beside['known'] * 1e3:.2f} ms known, {beside['fresh'] * 1e3:.2f} ms fresh", end=""
                )
                for what, took in beside.items():
                    if took > max(LEAST, MOST_SLOWER * alone[what]):
                        worse[kind, what] = took
            assert not worse
