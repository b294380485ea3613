"""Zones from and to NSD, Knot and named: in full, in part, signed, told of; and what dig makes of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.interop.daemon import DEADLINE, Daemon, environment
from tests.interop.dns_peers import LOOPBACK, free_port
from tests.interop.peers import tool
from tests.interop.plain import Address
from tests.interop.transfer_peers import KEY, PEERS, SECRET, TransferPeer, exchanging, zone_text

OWN = "own.test"
RECORDS = (
    'www A 192.0.2.1\nMixed TXT "a" "b;c"\nsub NS ns.sub\nns.sub A 192.0.2.9\n*.w AAAA 2001:db8::1\ns SRV 1 2 3 www'
)
SIGNED = f"hmac-sha256:{KEY}:{SECRET}"


@dataclass
class Lab:
    """A lab that gives its zone to all peers, and has theirs."""

    daemon: Daemon
    folder: Path
    address: Address
    peers: dict[str, TransferPeer]
    serial: int = 1

    def change(self, records: str) -> None:
        """Have its zone hold these records, in a newer version."""
        self.serial += 1
        (self.folder / "own.zone").write_text(zone_text(OWN, self.serial, records))
        self.daemon.process.send_signal(1)


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "workers"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One lab and three peers."""
    folder = tmp_path_factory.mktemp("transfers")
    port = free_port()
    with ExitStack() as stack:
        peers = {name: stack.enter_context(exchanging(name, folder / name, port, OWN, RECORDS)) for name in PEERS}
        (folder / "own.zone").write_text(zone_text(OWN, 1, RECORDS))
        places = {peer.own: f"{LOOPBACK}:{peer.peer.address[1]} key:{KEY}" for peer in peers.values()}
        secondary = "".join(f'"{zone}" = "{place}"\n' for zone, place in places.items())
        (folder / "lab.toml").write_text(
            f'[lab]\nworkers = {request.param}\nstate = "var"\n[key."{KEY}"]\nsecret = "{SECRET}"\n'
            f'[resolver.main]\nlisten = "udp:{port}"\nrecords = "zone:own.zone"\nzones = "{OWN}"\nparents = []\n'
            f'rate_limit = 0\ntransfer = ["key:{KEY}"]\nnotify = {list(places.values())}\n'
            f"[resolver.main.secondary]\n{secondary}"
        )
        daemon = stack.enter_context(Daemon("labnet", "--config=lab.toml", cwd=folder))
        daemon.address("resolver main")
        yield Lab(daemon, folder, (LOOPBACK, port), peers)


def answer(address: Address, name: str, rrtype: str = "A") -> str:
    """What a server answers, as text: its records, or the RCODE."""
    reply = dns.query.udp(dns.message.make_query(name, rrtype), address[0], DEADLINE, address[1])
    return " ".join(sorted(rdata.to_text() for rrset in reply.answer for rdata in rrset)) or dns.rcode.to_text(
        reply.rcode()
    )


def wait_for(address: Address, name: str, expected: str) -> None:
    """Until the server answers so."""
    until = time.monotonic() + DEADLINE
    while (found := answer(address, name)) != expected:
        assert time.monotonic() < until, f"{name}: {found}, not {expected}"
        time.sleep(0.1)


@pytest.mark.parametrize("name", PEERS)
def test_zone_of_a_peer_is_served_and_follows_it(lab: Lab, name: str) -> None:
    """In full at first; after its NOTIFY by what changed. The answers are those of the peer."""
    peer = lab.peers[name]
    wait_for(lab.address, f"www.{peer.own}", "192.0.2.1")
    for question in (("mixed", "TXT"), ("x.w", "AAAA"), ("s", "SRV"), ("none", "A")):
        asked = f"{question[0]}.{peer.own}", question[1]
        assert answer(lab.address, *asked) == answer(peer.peer.address, *asked), question
    time.sleep(1.1)  # named takes a file as changed by the second of its time
    peer.change(2, RECORDS.replace("192.0.2.1\n", "192.0.2.2\n"))
    wait_for(lab.address, f"www.{peer.own}", "192.0.2.2")
    lab.daemon.wait_for(rf"the zone {name}\.test, serial 1, came from \S+: AXFR")
    lab.daemon.wait_for(rf"the zone {name}\.test, serial 2, came from \S+: IXFR")


def test_zone_of_the_lab_is_taken_by_all_peers_and_they_follow(lab: Lab) -> None:
    """They ask for it signed; a NOTIFY has them ask for what changed."""
    for peer in lab.peers.values():
        wait_for(peer.peer.address, f"www.{OWN}", answer(lab.address, f"www.{OWN}"))
    lab.change(RECORDS.replace("192.0.2.1\n", "192.0.2.3\n"))
    for name, peer in lab.peers.items():
        wait_for(peer.peer.address, f"www.{OWN}", "192.0.2.3")
        assert answer(peer.peer.address, f"Mixed.{OWN}", "TXT") == '"a" "b;c"', name
    lab.daemon.wait_for_all(f"the zone {OWN}, serial {lab.serial}, was given to {LOOPBACK}: IXFR", len(PEERS))


def dig(address: Address, *arguments: str) -> str:
    """What dig prints."""
    command = [tool("dig", "bind9-dnsutils"), f"@{address[0]}", "-p", str(address[1]), "+nocmd", "+tries=1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False).stdout


def test_dig_reads_whole_zones_and_changes_signed(lab: Lab) -> None:
    """It checks each signature; without one it gets nothing."""
    before = lab.serial
    lab.change(RECORDS + "\nnew A 192.0.2.77")
    wait_for(lab.address, f"new.{OWN}", "192.0.2.77")
    whole = dig(lab.address, "-y", SIGNED, OWN, "AXFR")
    assert "192.0.2.77" in whole
    assert whole.count("SOA") == 2
    assert "could not be validated" not in whole
    lab.daemon.wait_for_all(f"the zone {OWN}, serial {lab.serial}, was given to {LOOPBACK}: IXFR", 1)
    changes = dig(lab.address, "-y", SIGNED, OWN, f"IXFR={before}")
    assert changes.count("SOA") == 4
    assert "NOERROR" in changes
    assert "Transfer failed" in dig(lab.address, OWN, "AXFR")
    assert "BADSIG" in dig(lab.address, "-y", SIGNED.replace("bm9", "bm8"), OWN, "SOA")
    assert "BADKEY" in dig(lab.address, "-y", SIGNED.replace("key.lab", "other"), OWN, "SOA")
    signed = dig(lab.address, "-y", SIGNED, f"www.{OWN}", "A")
    assert "TSIG" in signed
    assert "could not be validated" not in signed


def labnet(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A labnet command, run where the lab is."""
    command = [str(Path(sys.executable).with_name("labnet")), *arguments, "--config", "lab.toml"]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=DEADLINE)


def test_operator_sees_zones_and_has_them_transferred(lab: Lab) -> None:
    """labnet status has serial and next look, labnet transfer asks now."""
    for peer in lab.peers.values():
        wait_for(lab.address, f"ns.{peer.own}", "127.0.0.1")
    told = labnet(lab.folder, "transfer", "nsd.test")
    assert told.returncode == 0, told
    assert "main: nsd.test: serial" in told.stdout
    status = labnet(lab.folder, "status", "--once").stdout
    assert "zone of others" in status
    assert all(peer.own in status for peer in lab.peers.values())
    assert labnet(lab.folder, "transfer", OWN).returncode == 2
