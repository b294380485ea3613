"""The four datagrams of the transcript, between two hosts, as tcpdump on the server sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.capture import INCOMING, OUTGOING, Capture, Datagram
from tests.interop.daemon import DEADLINE, TWISTD, Daemon
from tests.interop.namespaces import inside, two_hosts

NAME = b"www.google.co.il"
CLIENT, SERVER, LOCAL = "172.16.20.16", "172.16.20.2", "127.0.0.1"
DISCARD = 9

ASK = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(float(sys.argv[3]))
sock.sendto(sys.argv[4].encode(), (sys.argv[1], int(sys.argv[2])))
print(sock.recv(65535).decode(), end="")
"""

MARK = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.sendto(b"mark", ("127.0.0.1", int(sys.argv[1])))
"""


@dataclass(frozen=True)
class Network:
    """Two hosts: a client, and a server where the resolver listens towards it and its parent on the loopback."""

    client: str
    server: str
    child: Daemon

    def ask(self, name: str, port: int = 1199) -> bytes:
        """The reply that a plain client on the client's host gets."""
        command = inside(self.client, sys.executable, "-c", ASK, SERVER, str(port), str(DEADLINE), name)
        return subprocess.run(command, check=True, capture_output=True, timeout=2 * DEADLINE).stdout

    def capture(self) -> Capture:
        """tcpdump on the server's host."""
        return Capture(inside(self.server, peers.tool("tcpdump", "tcpdump")))

    def seen(self, capture: Capture) -> list[Datagram]:
        """All datagrams so far; the server's host sends itself one more to know where the end is."""
        subprocess.run(inside(self.server, sys.executable, "-c", MARK, str(DISCARD)), check=True, timeout=DEADLINE)
        return capture.until(DISCARD)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    (tmp_path / "parent.txt").write_text("www.google.co.il,21.09.1992.8,60\n")
    (tmp_path / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\n")
    with ExitStack() as running:
        client, server = running.enter_context(two_hosts(f"{CLIENT}/24", f"{SERVER}/24"))

        def resolver(*arguments: str) -> Daemon:
            twistd = inside(server, TWISTD)
            return running.enter_context(Daemon("labnet-resolver", *arguments, cwd=tmp_path, command=twistd))

        parent = resolver("1200", "-1", "-1", "parent.txt")
        assert parent.address("resolver resolver") == (LOCAL, 1200)
        child = resolver("--interface", SERVER, "1199", LOCAL, "1200", "ips.txt")
        assert child.address("resolver resolver") == (SERVER, 1199)
        yield Network(client, server, child)


def test_one_question_is_exactly_the_transcripts_four_datagrams(network: Network) -> None:
    """Client to child, child to parent from a port of its own, and both replies back, each with its bytes."""
    with network.capture() as capture:
        reply = network.ask(NAME.decode())
        question, asked, told, answer = network.seen(capture)
    client_port, child_port = question.source[1], asked.source[1]
    assert question == Datagram(INCOMING, False, (CLIENT, client_port), (SERVER, 1199), NAME)
    assert asked == Datagram(INCOMING, True, (LOCAL, child_port), (LOCAL, 1200), NAME)
    assert told == Datagram(INCOMING, True, (LOCAL, 1200), (LOCAL, child_port), told.data)
    assert answer == Datagram(OUTGOING, False, (SERVER, 1199), (CLIENT, client_port), reply)
    assert (len(question.data), len(asked.data)) == (16, 16)
    assert told.data.startswith(b'["www.google.co.il", "21.09.1992.8", "60", "0", ')
    assert answer.data.startswith(b'["www.google.co.il", "21.09.1992.8", "60", "1", ')
    assert child_port not in (1199, 1200, client_port)


def test_a_learned_name_is_two_datagrams(network: Network) -> None:
    """What the child knows, be it learned or its own, it answers without its parent."""
    network.ask(NAME.decode())
    with network.capture() as capture:
        replies = [network.ask(name) for name in (NAME.decode(), "www.biu.ac.il")]
        seen = network.seen(capture)
    assert [(one.way, one.on_loopback) for one in seen] == [(INCOMING, False), (OUTGOING, False)] * 2
    assert [one.data for one in seen] == [NAME, replies[0], b"www.biu.ac.il", replies[1]]


def test_each_question_to_the_parent_has_a_fresh_source_port(network: Network) -> None:
    """The system picks the port anew, so that a forged reply has to guess it."""
    with network.capture() as capture:
        for number in range(5):
            assert network.ask(f"host-{number}.example") == b"[]"
        asked = [one for one in network.seen(capture) if one.destination == (LOCAL, 1200)]
    assert len(asked) == 5
    assert len({one.source[1] for one in asked}) > 1


def test_a_parent_that_no_route_leads_to_is_a_parent_that_does_not_answer(network: Network, tmp_path: Path) -> None:
    """The client gets the empty list, the log no traceback, and no socket stays open."""
    twistd = inside(network.server, TWISTD)
    (tmp_path / "others.txt").write_text("www.biu.ac.il,1.2.3.4,180\n")
    arguments = ("labnet-resolver", "--interface", SERVER, "1198", "198.51.100.1", "1200", "others.txt")
    with Daemon(*arguments, cwd=tmp_path, command=twistd) as child:
        assert child.address("resolver resolver") == (SERVER, 1198)
        network.ask("www.biu.ac.il", 1198)
        files = f"/proc/{child.process.pid}/fd"
        before = len(os.listdir(files))
        assert [network.ask("www.a.example", 1198) for _ in range(3)] == [b"[]"] * 3
        network.ask("www.biu.ac.il", 1198)  # by now it has done all that it put off
        assert len(os.listdir(files)) == before
