"""labnet capture on real interfaces: what it takes, and that labnet explain retells the transcript from it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.daemon import DEADLINE, TWISTD, Daemon
from tests.interop.namespaces import inside, namespace, two_hosts
from tests.interop.tshark import differences

LABNET = str(Path(sys.executable).with_name("labnet"))
CLIENT, SERVER, LOCAL = "172.16.20.16", "172.16.20.2", "127.0.0.1"

ASK = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(60)
sock.sendto(sys.argv[3].encode(), (sys.argv[1], int(sys.argv[2])))
print(sock.recv(65535).decode(), end="")
"""

SEND = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in sys.argv[2:]:
    sock.sendto(b"www.google.co.il", (sys.argv[1], int(port)))
"""


@contextmanager
def capturing(network: str, path: Path, *options: str, by: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """``labnet capture`` in a network, run ``by`` a command, started and ready; Ctrl-C ends it."""
    command = inside(network, *by, LABNET, "capture", "-w", str(path), *options)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("capturing on ")
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)


def finished(process: subprocess.Popen[str]) -> str:
    """What it said at its end, after Ctrl-C or when it had enough."""
    try:
        _, said = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, said
    assert "Traceback" not in said
    return said


def labnet(*arguments: str) -> str:
    return subprocess.run([LABNET, *arguments], capture_output=True, text=True, check=True, timeout=DEADLINE).stdout


@dataclass(frozen=True)
class Hosts:
    """A client's host, and a server's with the resolver and its parent."""

    client: str
    server: str

    def ask(self, name: str) -> str:
        command = inside(self.client, sys.executable, "-c", ASK, SERVER, "1199", name)
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=2 * DEADLINE).stdout


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    (tmp_path / "parent.txt").write_text("www.google.co.il,21.09.1992.8,60\n")
    (tmp_path / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\n")
    with ExitStack() as running:
        client, server = running.enter_context(two_hosts(f"{CLIENT}/24", f"{SERVER}/24"))

        def start(*arguments: str) -> None:
            twistd = inside(server, TWISTD)
            daemon = running.enter_context(Daemon("labnet-resolver", *arguments, cwd=tmp_path, command=twistd))
            daemon.address("resolver resolver")

        start("1200", "-1", "-1", "parent.txt")
        start("--interface", SERVER, "1199", LOCAL, "1200", "ips.txt")
        yield Hosts(client, server)


def test_capture_on_any_and_explain_retell_the_transcript(hosts: Hosts, tmp_path: Path) -> None:
    """Four packets, their ports, the parent's answer, each layer; and tshark sees the same fields."""
    path = tmp_path / "trace.pcapng"
    with capturing(hosts.server, path, "-i", "any", "--filter", "udp", "-c", "4") as process:
        answer = hosts.ask("www.google.co.il")
        said = finished(process)
    assert "4 packets: UDP 4; 0 lost in the kernel" in said
    told = labnet("explain", str(path))
    asked = re.search(rf"frame 1: the client {CLIENT}:(\d+) asks the server {SERVER}:1199 for www.google.co.il", told)
    onward = re.search(rf"frame 2: the server {LOCAL}:(\d+) asks its parent {LOCAL}:1200 for www.google.co.il", told)
    assert asked
    assert onward
    assert asked[1] != onward[1]
    assert re.search(r"frame 3: the parent answers: 21\.09\.1992\.8 \(after \S+ ms\)", told)
    assert re.search(r"frame 4: the server answers: 21\.09\.1992\.8 \(after .* waiting for the parent\)", told)
    first = told[told.index("Frame 1:") : told.index("Frame 2:")]
    layers = [
        "Course protocol (question)",
        "User Datagram Protocol",
        "Internet Protocol version 4",
        "Linux cooked capture",
    ]
    places = [first.index(layer) for layer in layers]
    assert places == sorted(places)
    assert "Take care: Taken on Linux's interface `any`" in first
    assert answer in labnet("exercise", "trace", str(path))
    count, problems = differences(path)
    assert problems == []
    assert count > 80


def test_capture_on_the_cable_has_the_mac_addresses_and_arp(hosts: Hosts, tmp_path: Path) -> None:
    """So the link-layer questions can be answered there."""
    path = tmp_path / "cable.pcapng"
    with capturing(hosts.server, path, "-i", "eth0") as process:
        hosts.ask("www.biu.ac.il")
        process.send_signal(signal.SIGINT)
        finished(process)
    told = labnet("exercise", "arp", str(path))
    assert "ARP (0x0806)" in told
    assert "ff:ff:ff:ff:ff:ff" in told
    assert differences(path)[1] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_capture_in_the_background_ends_in_order(number: signal.Signals, tmp_path: Path) -> None:
    """There a shell has it ignore Ctrl-C, and ``timeout`` or ``kill`` end it: the file is whole, and it is told."""
    path = tmp_path / "lo.pcapng"
    with namespace() as network:
        shell = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
        with capturing(network, path, "-i", "lo", "--filter", "udp", by=shell) as process:
            subprocess.run(inside(network, sys.executable, "-c", SEND, LOCAL, "1199"), check=True, timeout=DEADLINE)
            until = time.monotonic() + DEADLINE
            while b"www.google.co.il" not in path.read_bytes():
                assert time.monotonic() < until, "it does not come"
                time.sleep(0.02)
            process.send_signal(number)
            assert "1 packets: UDP 1; 0 lost in the kernel" in finished(process)
    assert labnet("explain", str(path), "--packets", "0").count("Question www.google.co.il") == 1


def test_a_filter_lets_through_only_what_it_names(tmp_path: Path) -> None:
    """On one interface and on all of them."""
    with namespace() as network:
        for number, interface in enumerate(("lo", "any")):
            path = tmp_path / f"{number}.pcapng"
            with capturing(network, path, "-i", interface, "--filter", "udp port 1199", "-c", "2") as process:
                send = inside(network, sys.executable, "-c", SEND, LOCAL, "1199", "1198", "1199")
                subprocess.run(send, check=True, timeout=DEADLINE)
                finished(process)
            told = labnet("explain", str(path), "--packets", "0")
            assert told.count("Question www.google.co.il") == 2
            assert ":1198" not in told


def test_checksums_that_the_kernel_left_to_a_card_are_told_as_offload(tmp_path: Path) -> None:
    """On the loopback interface they are never filled in."""
    with namespace() as network:
        path = tmp_path / "lo.pcapng"
        with capturing(network, path, "-i", "lo", "-c", "1") as process:
            subprocess.run(inside(network, sys.executable, "-c", SEND, LOCAL, "1199"), check=True, timeout=DEADLINE)
            finished(process)
        assert "the system left the rest to the network card (offload)" in labnet("explain", str(path))


def test_a_filter_that_does_not_compile_is_told_with_tcpdumps_reason(tmp_path: Path) -> None:
    """Before anything is captured."""
    peers.root()
    peers.tool("tcpdump", "tcpdump")
    command = [LABNET, "capture", "-i", "lo", "-w", str(tmp_path / "x.pcapng"), "--filter", "udp porty"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 2
    assert done.stderr.startswith("labnet: the filter 'udp porty' does not compile: ")
    assert len(done.stderr.splitlines()) == 1


def test_without_the_right_to_capture_one_sentence_says_what_to_do() -> None:
    """As nobody."""
    peers.root()
    with tempfile.TemporaryDirectory() as folder:
        done = _as_nobody([LABNET, "capture", "-i", "lo", "-w", f"{folder}/x.pcapng"])
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("labnet: capturing needs the right to: ")


def _as_nobody(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    setpriv = peers.tool("setpriv", "util-linux")
    drop = [setpriv, "--bounding-set=-all", "--inh-caps=-all"]
    return subprocess.run([*drop, *command], capture_output=True, text=True, timeout=DEADLINE)
