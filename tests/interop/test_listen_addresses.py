"""Listeners on all addresses and on one of a link, between two hosts whose server has several of either family."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.daemon import DEADLINE, TWISTD, Daemon
from tests.interop.dns_clients import digs
from tests.interop.namespaces import inside, ip, namespace, two_hosts

IPV4 = ["192.0.2.2", "192.0.2.3", "198.51.100.7"]
IPV6 = ["2001:db8::2", "2001:db8::3", "2001:db8:1::7"]
LINK_LOCAL = "fe80::50%eth0"
KNOWN, LEARNED = "known.lab.test", "learned.lab.test"

ASK = """
import socket, sys
host, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
(family, kind, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
with socket.socket(family, kind) as sock:
    sock.settimeout(20)
    sock.connect(address)
    for _ in range(3):
        sock.send(name.encode())
        print(sock.recv(65535).decode())
"""

LAB = r"""
[resolver.main]
listen = ["udp:1199:interface=0.0.0.0", 'udp:1199:interface=\:\:']
records = "main.hosts"
parents = "dns:127.0.0.1:1200"
allow = ["0.0.0.0/0", "::/0"]
batch = %s

[resolver.parent]
listen = ["udp:1200:interface=127.0.0.1", 'udp:1200:interface=fe80\:\:50%%eth0']
records = "parent.hosts"
zones = "lab.test"
allow = ["127.0.0.0/8", "fe80::/10"]
batch = %s
"""


@contextmanager
def hosts() -> Iterator[tuple[str, str]]:
    """Client and server with a cable between them; two of the server's addresses are aliases of its loopback."""
    with two_hosts("192.0.2.1/24", f"{IPV4[0]}/24") as (client, server):
        for address in ("2001:db8::1/64", "fe80::51/64"):
            ip("-n", client, "address", "add", address, "dev", "eth0", "nodad")
        for address in ("192.0.2.3/24", "2001:db8::2/64", "2001:db8::3/64", "fe80::50/64"):
            ip("-n", server, "address", "add", address, "dev", "eth0", *(("nodad",) if ":" in address else ()))
        ip("-n", server, "address", "add", f"{IPV4[2]}/32", "dev", "lo")
        ip("-n", server, "address", "add", f"{IPV6[2]}/128", "dev", "lo")
        ip("-n", client, "route", "add", "198.51.100.0/24", "via", IPV4[0])
        ip("-n", client, "route", "add", "2001:db8:1::/64", "via", IPV6[0])
        yield client, server


@contextmanager
def running(folder: Path, config: str, namespace: str) -> Iterator[Daemon]:
    """A lab with ``config`` in ``namespace``."""
    folder.mkdir(exist_ok=True)
    (folder / "lab.toml").write_text(config)
    (folder / "main.hosts").write_text(f"192.0.2.80 {KNOWN}\n")
    (folder / "parent.hosts").write_text("".join(f"192.0.2.81 {n}{LEARNED}\n" for n in ("", "a.", "b.", "c.")))
    with Daemon("labnet", "--config", "lab.toml", cwd=folder, command=inside(namespace, TWISTD)) as daemon:
        daemon.wait_for(r"resolver parent listens on \[fe80" if "parent]" in config else "resolver main listens on")
        yield daemon


@pytest.fixture(params=["true", "false"], ids=["batch", "one"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The client's namespace, beside a server that runs the lab with batches or without."""
    with hosts() as (client, server), running(tmp_path / "server", LAB % (request.param, request.param), server):
        yield client


def test_a_reply_leaves_from_the_address_that_was_asked(lab: str) -> None:
    """A ready answer, one of a parent, one by TCP and one of the course, at every address of the machine."""
    for number, host in enumerate([*IPV4, *IPV6]):
        questions = [(KNOWN, "A"), (KNOWN, "A"), (f"n{number}.{LEARNED}", "A"), (KNOWN, "MX"), (KNOWN, "A")]
        asked = digs((host, 1199), questions, "+nocookie", inside=inside(lab))
        assert [heard.status for heard in asked] == ["NOERROR", "NOERROR", "NXDOMAIN", "NOERROR", "NOERROR"], host
        by_tcp, *_ = digs((host, 1199), [(KNOWN, "A")], "+tcp", inside=inside(lab))
        assert by_tcp.answer == {(f"{KNOWN}.", "A", "192.0.2.80")}
        command = inside(lab, sys.executable, "-c", ASK, host, "1199", KNOWN)
        replies = subprocess.run(command, check=True, capture_output=True, timeout=DEADLINE, text=True).stdout
        assert replies.count("192.0.2.80") == 3, host


def test_a_parents_reply_is_passed_on_from_the_address_that_was_asked(lab: str) -> None:
    """On the fast path, where several clients are answered together."""
    for host, prefix in (IPV4[1], "a."), (IPV6[1], "b."), (IPV4[2], "c."):
        (heard,) = digs((host, 1199), [(f"{prefix}{LEARNED}", "A")], "+nocookie", inside=inside(lab))
        assert heard.answer == {(f"{prefix}{LEARNED}.", "A", "192.0.2.81")}, host


def test_a_listener_on_a_link_answers_there(lab: str) -> None:
    """By UDP, again, and by TCP."""
    for options in ((), ("+tcp",)):
        asked = digs(
            (LINK_LOCAL, 1200), [(LEARNED, "A"), (LEARNED, "A"), (LEARNED, "MX")], *options, inside=inside(lab)
        )
        assert [len(heard.answer) for heard in asked] == [1, 1, 0], asked


CHILD = r"""
[resolver.main]
listen = "udp:1199"
parents = %s
batch = %s
"""


@pytest.mark.parametrize("kind", ["dns", "dns+tcp"])
def test_a_parent_on_a_link_is_asked(lab: str, tmp_path: Path, kind: str) -> None:
    """On the fast path and the full path, by UDP and by TCP."""
    for batch in "true", "false":
        parents = f'"{kind}:[{LINK_LOCAL}]:1200"'
        with running(tmp_path / f"client-{batch}", CHILD % (parents, batch), lab):
            names = [(LEARNED, "A"), (f"a.{LEARNED}", "A")]
            asked = [*digs(("127.0.0.1", 1199), names, "+nocookie", inside=inside(lab))]
            asked += digs(("127.0.0.1", 1199), [(f"b.{LEARNED}", "A")], "+tcp", inside=inside(lab))
            assert [len(heard.answer) for heard in asked] == [1, 1, 1]


def test_a_server_of_the_system_on_a_link_is_asked(tmp_path: Path) -> None:
    """As routers announce themselves: ``nameserver fe80::50%eth0``, on port 53."""
    config = LAB.replace("1200:interface=fe80", "53:interface=fe80") % ("true", "true")
    with hosts() as (client, server), running(tmp_path / "server", config, server):
        folder = Path("/etc/netns") / client
        folder.mkdir(parents=True)
        try:
            (folder / "resolv.conf").write_text(f"nameserver {LINK_LOCAL}\n")
            with running(tmp_path / "client", CHILD % ('"system"', "true"), client):
                (heard,) = digs(("127.0.0.1", 1199), [(LEARNED, "A")], inside=inside(client))
                assert heard.answer == {(f"{LEARNED}.", "A", "192.0.2.81")}
        finally:
            shutil.rmtree(folder)


EARLY = r"""
[command]
listen = "tcp:8080:interface=192.0.2.9"
allow = "192.0.2.0/24"

[resolver.main]
listen = ["udp:1199:interface=192.0.2.9", 'udp:1199:interface=2001\:db8\:\:9']
records = "main.hosts"
allow = ["192.0.2.0/24", "2001:db8::/64"]
batch = %s
"""


@pytest.mark.parametrize("batch", ["true", "false"])
def test_an_address_that_comes_after_the_start_is_served(batch: str, tmp_path: Path) -> None:
    """As at boot: it is said at the start, and nothing has to be done later."""
    with namespace() as machine, running(tmp_path / "lab", EARLY % batch, machine) as daemon:
        for address, length in (("192.0.2.9", 32), ("2001:db8::9", 128)):
            daemon.wait_for(f"no interface has the address {address} yet")
            ip("-n", machine, "address", "add", f"{address}/{length}", "dev", "lo", *["nodad"] * (length > 32))
            for options in ((), ("+tcp",)):
                (heard,) = digs((address, 1199), [(KNOWN, "A")], *options, inside=inside(machine))
                assert heard.answer == {(f"{KNOWN}.", "A", "192.0.2.80")}, (address, options)
        command = [str(Path(TWISTD).with_name("labnet")), "command", "192.0.2.9", "8080", "TIME"]
        assert subprocess.run(inside(machine, *command), timeout=DEADLINE).returncode == 0


def test_without_freebind_an_address_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    """In one sentence."""
    (tmp_path / "main.hosts").write_text("")
    (tmp_path / "lab.toml").write_text("[lab]\nfreebind = false\n" + EARLY % "true")
    with namespace() as machine:
        command = inside(machine, TWISTD, "-n", "--pidfile=", "labnet", "--config", "lab.toml")
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE)
    assert "cannot listen on" in ended.stderr
    assert "Cannot assign requested address" in ended.stderr
