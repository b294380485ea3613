"""A million mutated datagrams and a hundred thousand mutated messages by TCP against a real resolver."""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.interop.daemon import DEADLINE, Daemon, trouble
from tests.interop.plain import Address
from tests.soak.dns_packets import Owed, Packets, question, wire_of
from tests.soak.dns_streams import Crowd
from tests.soak.processes import memory, open_files

SEED = int(os.environ.get("LABNET_FUZZ_SEED", "20201113"))
DATAGRAMS = 1_000_000
MESSAGES = 100_000
WARM_UP = 100_000
FAILURES = 7000
"""Names that cannot be resolved, enough to fill what is remembered of failures, which is all that grows slowly."""

MOST_GROWTH = 4096
"""Kilobytes; what the allocator keeps differs by that much from one look to the next."""

WINDOW = 48
WINDOW_BYTES = 20_000
WINDOWS = 2
"""So much on its way at a time fits into the receive buffer that Linux gives a socket: nothing is lost unseen."""

RECEIVE_BUFFER = 4_000_000
CLIENTS = 20
MOST_MESSAGES = 120

CONFIG = """
[lab]
state = "state"

[resolver.main]
listen = "udp:0:interface=127.0.0.1"
records = ["zone:zone.test", "course:course.txt"]
zones = ["zone.test"]
parents = "text:127.0.0.1:{text}"
forward = {{ "dns.test" = "dns:127.0.0.1:{dns}", "gone.test" = "dns:127.0.0.1:{gone}" }}
learned = "main.learned"
parent_timeout = 0.5
parent_tries = 1
cache_bytes = 1000000
packet_cache_bytes = 1000000
nsid = "fuzzed"

[resolver.dns]
listen = "udp:{dns}:interface=127.0.0.1"
records = "zone:dns.test"
zones = ["dns.test"]
packet_cache_bytes = 1000000

[resolver.text]
listen = "udp:{text}:interface=127.0.0.1"
records = "course:parent.txt"
packet_cache_bytes = 1000000
"""

ZONE = """$TTL 60
@       SOA   ns admin 1 3600 600 86400 60
@       NS    ns
ns      A     127.0.0.1
www     A     192.0.2.1
www     AAAA  2001:db8::1
alias   CNAME www
out     CNAME www.dns.test.
loop    CNAME pool
pool    CNAME loop
tree    DNAME other
mail    MX    10 www
*.wild  A     192.0.2.4
below   NS    ns.below
ns.below A    192.0.2.5
large   TXT   {large}
"""

SANE = {
    "www.zone.test": "192.0.2.1",
    "www.course.test": "192.0.2.7",
    "www.dns.test": "192.0.2.1",
    "www.parent.test": "192.0.2.8",
}
NAMES = (
    *SANE,
    *(f"{label}.{zone}" for zone in ("zone.test", "dns.test") for label in ("alias", "out", "loop", "large", "mail")),
    *("a.tree.zone.test", "x.below.zone.test", "x.wild.dns.test", "1.2.0.192.in-addr.arpa"),
    *("localhost", "www.invalid", "odd.course.test", "no.course.test", "gone.test", "test", "."),
)


def free_ports(count: int) -> list[int]:
    """Ports that neither UDP nor TCP uses now."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            try:
                datagrams.bind(stream.getsockname())
            except OSError:
                continue
            found = [*{*found, stream.getsockname()[1]}]
    return found


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A resolver with a zone, a course's file, a DNS parent, a course parent, and a parent that is not there."""
    text, dns, gone = free_ports(3)
    (tmp_path / "lab.toml").write_text(CONFIG.format(text=text, dns=dns, gone=gone))
    large = " ".join(f'"{number:03}{"x" * 200}"' for number in range(20))
    for zone in ("zone.test", "dns.test"):
        (tmp_path / zone).write_text(f"$ORIGIN {zone}.\n" + ZONE.format(large=large))
    (tmp_path / "course.txt").write_text("www.course.test,192.0.2.7,60\nodd.course.test,21.09.1992.8,60\n")
    (tmp_path / "parent.txt").write_text("www.parent.test,192.0.2.8,1\nodd.parent.test,21.09.1992,1\n")
    with Daemon("labnet", f"--config={tmp_path}/lab.toml", cwd=tmp_path) as daemon:
        yield daemon


def ask(address: Address, message: bytes, tcp: bool) -> bytes:
    """The reply to one message."""
    with socket.socket(type=socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(address)
        sock.send(len(message).to_bytes(2, "big") + message if tcp else message)
        if not tcp:
            return sock.recv(65535)
        with sock.makefile("rb") as stream:
            return stream.read(int.from_bytes(stream.read(2), "big"))


def assert_sane(address: Address) -> None:
    """Every kind of name is answered rightly, in both protocols and over both transports."""
    for name, expected in SANE.items():
        fields = json.loads(ask(address, name.encode(), False))
        assert fields[:2] == [name, expected]
        for tcp in (False, True):
            reply = ask(address, question(0x1234, wire_of(name)), tcp)
            assert reply[:2] == b"\x12\x34"
            assert reply[3] & 15 == 0
            assert socket.inet_aton(expected) in reply


class Flood:
    """Sends datagrams in windows, each ended by a question that shows by its answer that the whole window was read."""

    def __init__(self, server: Address) -> None:
        self.owed = Owed()
        self.sent: Counter[str] = Counter()
        self.replies: Counter[str] = Counter()
        self._server = server
        self._dns, self._course, self._marks = (self._socket() for _ in range(3))
        self._poll = select.poll()
        for sock in (self._dns, self._course, self._marks):
            self._poll.register(sock, select.POLLIN)
        self._mark = 0
        self._marked = 0

    def _socket(self) -> socket.socket:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.connect(self._server)
        sock.setblocking(False)
        return sock

    def run(self, count: int, make: Callable[[], bytes]) -> None:
        """Send ``count`` datagrams that ``make`` makes; all were read by the server then, and what it owes is paid."""
        until = self.sent.total() + count
        while self.sent.total() < until:
            self._window(min(WINDOW, until - self.sent.total()), make)
            self._read_until(lambda: self._mark - self._marked < WINDOWS)
        self._read_until(lambda: self._mark == self._marked and not self.owed)

    def _window(self, most: int, make: Callable[[], bytes]) -> None:
        size = 0
        for _ in range(most):
            datagram = make()
            if b"\0" in datagram[2:]:
                self._dns.send(self.owed.numbered(datagram))
                self.sent["DNS"] += 1
            else:
                self._course.send(datagram.replace(b"\0", b"z"))
                self.sent["course"] += 1
            size += len(datagram)
            if size > WINDOW_BYTES:
                break
        self._mark += 1
        self._marks.send(question(self._mark & 0xFFFF, wire_of("www.zone.test")))

    def _read_until(self, done: Callable[[], bool]) -> None:
        while not done():
            ready = self._poll.poll(DEADLINE * 1000)
            assert ready, f"silent, with {self.owed} unanswered"
            for fileno, _ in ready:
                for sock in (self._dns, self._course, self._marks):
                    if sock.fileno() == fileno:
                        self._read(sock)

    def _read(self, sock: socket.socket) -> None:
        while True:
            try:
                reply = sock.recv(65535)
            except BlockingIOError:
                return
            if sock is self._dns:
                self.owed.answered(reply)
                self.replies[f"RCODE {reply[3] & 15}"] += 1
            elif sock is self._course:
                assert isinstance(json.loads(reply), list)
                self.replies["course"] += 1
            else:
                self._marked += 1
                assert int.from_bytes(reply[:2], "big") == self._marked & 0xFFFF
                assert reply.endswith(socket.inet_aton(SANE["www.zone.test"]))

    def close(self) -> None:
        for sock in (self._dns, self._course, self._marks):
            sock.close()


@pytest.mark.soak
def test_a_million_mutated_datagrams_leave_the_resolver_as_it_was(daemon: Daemon) -> None:
    """What has an id is answered once, nothing else is, and memory and open files are as before."""
    print(f"\nLABNET_FUZZ_SEED={SEED}")
    server = daemon.address("resolver main")
    pid = daemon.process.pid
    assert_sane(server)
    opened = quiet_files(pid)
    flood = Flood(server)
    packets = Packets(Random(SEED), NAMES)
    unresolvable = map("x{}.gone.test".format, range(FAILURES))
    flood.run(FAILURES, lambda: question(0, wire_of(next(unresolvable))))
    flood.run(WARM_UP, packets.datagram)
    before = memory(pid)
    started = time.monotonic()
    for _ in range(10):
        flood.run(DATAGRAMS // 10, packets.datagram)
        print(f"{memory(pid)} kB", end=" ", flush=True)
    took = time.monotonic() - started
    after = memory(pid)
    flood.close()
    print(f"\n{flood.sent.total()} datagrams ({dict(flood.sent)}), {DATAGRAMS / took:.0f} a second")
    print(f"replies: {dict(sorted(flood.replies.items()))}")
    print(f"memory: {before} kB after {WARM_UP}, {after} kB at the end, {memory(pid, 'VmHWM')} kB at most")
    print(f"open files: {len(opened)} before, {len(open_files(pid))} after; log: {len(daemon.log.splitlines())} lines")
    assert_sane(server)
    assert not trouble(daemon.log), daemon.log
    assert settled_files(pid, opened) == opened
    assert after - before <= MOST_GROWTH


@pytest.mark.soak
def test_a_hundred_thousand_mutated_messages_by_tcp_leave_the_resolver_as_it_was(daemon: Daemon) -> None:
    """Whoever asks is answered, whoever sends what is no question is hung up on, and nothing of it stays behind."""
    print(f"\nLABNET_FUZZ_SEED={SEED}")
    server = daemon.address("resolver main")
    pid = daemon.process.pid
    assert_sane(server)
    opened = quiet_files(pid)
    random = Random(SEED)
    crowd = Crowd(server, random, Packets(random, NAMES), CLIENTS, MOST_MESSAGES)
    crowd.run(MESSAGES // 10)
    settled_files(pid, opened)
    before = memory(pid)
    started = time.monotonic()
    crowd.run(MESSAGES)
    took = time.monotonic() - started
    crowd.close()
    files = settled_files(pid, opened)
    after = memory(pid)
    print(f"{crowd.messages} messages, {crowd.kinds.total()} connections ({dict(crowd.kinds)}), {took:.0f} s")
    print(f"{crowd.replies} replies; memory: {before} kB before, {after} kB after, {memory(pid, 'VmHWM')} kB at most")
    assert_sane(server)
    assert not trouble(daemon.log), daemon.log
    assert files == opened
    assert after - before <= MOST_GROWTH


def quiet_files(pid: int) -> list[str]:
    """What the process has open once it is at rest: the same for a second."""
    files: list[str] = []
    while files != (files := open_files(pid)):
        time.sleep(1)
    return files


def settled_files(pid: int, expected: list[str]) -> list[str]:
    """What the process has open, once that is what is expected or after a long wait."""
    until = time.monotonic() + DEADLINE
    while (files := open_files(pid)) != expected and time.monotonic() < until:
        time.sleep(0.1)
    return files
