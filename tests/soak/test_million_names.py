"""A zone of a million records, in a real daemon."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from random import Random

import pytest

from tests.interop.daemon import DEADLINE, Daemon
from tests.soak.dns_packets import question, wire_of
from tests.soak.processes import memory

SEED = 20201113
NAMES = 1_000_000
ASKED = 2000

CONFIG = """
[resolver.main]
listen = "udp:0:interface=127.0.0.1"
records = "{records}"
zones = ["lab.test"]
"""

NOERROR, NXDOMAIN = 0, 3


def address_of(number: int) -> str:
    """The address of a name, given its number."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def write_zone(path: Path) -> None:
    """A zone file of that many names, each with an address."""
    with open(path, "w") as zone:
        zone.write("$ORIGIN lab.test.\n$TTL 60\n@ SOA ns root 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n")
        zone.writelines(f"host{number:06d}.lab.test. 60 IN A {address_of(number)}\n" for number in range(NAMES))


def write_hosts(path: Path) -> None:
    """A hosts file of the same names."""
    with open(path, "w") as hosts:
        hosts.writelines(f"{address_of(number)} host{number:06d}.lab.test\n" for number in range(NAMES))


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["zone", "hosts"])
def test_a_million_names_are_loaded_and_answered(kind: str, tmp_path: Path) -> None:
    """Names picked at random are answered in both protocols and both directions, and no other name is."""
    random = Random(SEED)
    path = tmp_path / f"records.{kind}"
    (write_zone if kind == "zone" else write_hosts)(path)
    (tmp_path / "lab.toml").write_text(CONFIG.format(records=f"{kind}:{path}"))
    with (
        Daemon("labnet", f"--config={tmp_path}/lab.toml", cwd=tmp_path) as daemon,
        socket.socket(type=socket.SOCK_DGRAM) as sock,
    ):
        sock.connect(daemon.address("resolver main"))
        sock.settimeout(DEADLINE)

        def ask(datagram: bytes) -> bytes:
            sock.send(datagram)
            return sock.recv(65535)

        for id in range(ASKED):
            number = random.randrange(NAMES)
            name, address = f"host{number:06d}.lab.test", address_of(number)
            reply = ask(question(id, wire_of(name)))
            assert (int.from_bytes(reply[:2], "big"), reply[3] & 15, reply[7]) == (id, NOERROR, 1)
            assert reply.endswith(socket.inet_aton(address))
            assert json.loads(ask(name.encode()))[:3] == [name, address, "60"]
            backwards = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
            reply = ask(question(id, wire_of(backwards), rrtype=12))
            assert (reply[3] & 15, reply[7]) == (NOERROR, 1)
            assert f"host{number:06d}".encode() in reply
            assert ask(question(id, wire_of(f"host{NAMES + number}.lab.test")))[3] & 15 == NXDOMAIN
        print(f"\n{NAMES} names of a {kind} file: {memory(daemon.process.pid)} kB")
        print(f"{memory(daemon.process.pid, 'VmHWM')} kB at most")
