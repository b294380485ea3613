"""The tree in etc/tree: a root, two top-level domains, two zones, and recursion through them, ours and others'."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.name
import dns.rdatatype
import dns.zone
import pytest

from tests.interop.daemon import DEADLINE, TWISTD, Daemon
from tests.interop.dns_clients import Record, dig, digs
from tests.interop.dns_peers import free_port, recursing
from tests.interop.namespaces import inside, namespace
from tests.interop.plain import Address, resolve

TREE = Path(__file__).parents[2] / "etc" / "tree"

HOSTS = {"main": "127.0.0.1", "root": "127.0.1.1", "tld": "127.0.1.2", "zone": "127.0.1.3"}

ZONES = {"lab.test": "lab.test.zone", "shop.example": "shop.example.zone"}

CHAINS: list[tuple[tuple[str, str], str, set[Record]]] = [
    (
        ("web.lab.test.", "A"),
        "NOERROR",
        {("web.lab.test.", "CNAME", "www.lab.test."), ("www.lab.test.", "A", "192.0.2.80")},
    ),
    (
        ("shop.lab.test.", "A"),
        "NOERROR",
        {("shop.lab.test.", "CNAME", "www.shop.example."), ("www.shop.example.", "A", "198.51.100.80")},
    ),
    (("a.b.wild.lab.test.", "A"), "NOERROR", {("a.b.wild.lab.test.", "A", "192.0.2.99")}),
    (("room-1.floor-2.lab.test.", "A"), "NOERROR", set()),
    (("www.lab.test.", "MX"), "NOERROR", set()),
    (("nothing.lab.test.", "A"), "NXDOMAIN", set()),
    (("nothing.test.", "A"), "NXDOMAIN", set()),
    (("nothing.", "A"), "NXDOMAIN", set()),
    (("a.nic.test.", "A"), "NOERROR", {("a.nic.test.", "A", "127.0.1.2")}),
]
"""Questions whose answers no single line of a zone file is, with status and answer."""


def data_of_the_zones() -> Iterator[tuple[tuple[str, str], str, set[Record]]]:
    """Each name and type in the files of the two zones, as dnspython reads them; wildcards are asked as such."""
    for origin, file in ZONES.items():
        zone = dns.zone.from_file(str(TREE / file), origin, relativize=False)
        for name, rdataset in zone.iterate_rdatasets():
            owner, kind = str(name), dns.rdatatype.to_text(rdataset.rdtype)
            yield (owner, kind), "NOERROR", {(owner, kind, rdata.to_text()) for rdata in rdataset}


EXPECTED = [*data_of_the_zones(), *CHAINS]


@dataclass(frozen=True)
class Tree:
    """The tree as it runs: one port, and the servers at their addresses of the loopback network."""

    port: int
    daemon: Daemon

    def at(self, resolver: str) -> Address:
        """Where ``resolver`` listens, which it has said."""
        address = self.daemon.address(f"resolver {resolver}")
        assert address == (HOSTS[resolver], self.port)
        return address


def copied(folder: Path, port: int) -> Path:
    """The tree with another port, and nothing else of it changed."""
    for file in filter(Path.is_file, TREE.iterdir()):
        (folder / file.name).write_text(file.read_text().replace("5300", str(port)))
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """The tree at a port that is free at all of its addresses."""
    port = free_port(*HOSTS.values())
    folder = copied(tmp_path_factory.mktemp("tree"), port)
    with Daemon("labnet", "--config=tree.toml", cwd=folder) as daemon:
        yield Tree(port, daemon)


def check(address: Address, *options: str, prefix: Sequence[str] = ()) -> None:
    """A recursive resolver at ``address`` gives what the zones have."""
    questions = [question for question, _, _ in EXPECTED]
    heard = digs(address, questions, *options, inside=prefix)
    got = [(question, one.status, set(one.answer)) for question, one in zip(questions, heard, strict=True)]
    assert got == EXPECTED


def test_recursion_gives_what_the_zones_have(tree: Tree) -> None:
    """From the root down, over zones and delegations without glue; the first time, and from the cache."""
    for transport in ("+notcp", "+tcp"):
        check(tree.at("main"), transport)


def test_an_answer_of_recursion_says_so_and_is_not_authoritative(tree: Tree) -> None:
    """RA and no AA; a name that nobody has comes with the SOA of the zone that says so."""
    found = dig(tree.at("main"), "www.shop.example")
    assert found.flags == {"qr", "rd", "ra"}
    for name, zone in (("x.lab.test", "lab.test."), ("x.test", "test."), ("x", ".")):
        missing = dig(tree.at("main"), name)
        assert missing.status == "NXDOMAIN"
        assert {(owner, rrtype) for owner, rrtype, _ in missing.authority} == {(zone, "SOA")}


def test_the_course_protocol_resolves_through_the_tree(tree: Tree) -> None:
    """A client of the course gets the address behind a chain into another zone."""
    assert b'"198.51.100.80"' in resolve(tree.at("main"), "shop.lab.test")


def test_each_server_of_the_tree_refers_to_the_next(tree: Tree) -> None:
    """What dig sees walking down by hand: referrals with their glue, then the answer with AA."""
    asked = ("www.lab.test", "+norecurse")
    root = dig(tree.at("root"), *asked)
    assert (root.status, root.answer, root.flags) == ("NOERROR", frozenset(), {"qr"})
    assert root.authority == {("test.", "NS", "a.nic.test.")}
    assert root.additional == {("a.nic.test.", "A", "127.0.1.2")}
    tld = dig(tree.at("tld"), *asked)
    assert (tld.status, tld.answer, tld.flags) == ("NOERROR", frozenset(), {"qr"})
    assert tld.authority == {("lab.test.", "NS", "ns.lab.test.")}
    assert tld.additional == {("ns.lab.test.", "A", "127.0.1.3")}
    zone = dig(tree.at("zone"), *asked)
    assert (zone.status, zone.flags) == ("NOERROR", {"qr", "aa"})
    assert zone.answer == {("www.lab.test.", "A", "192.0.2.80")}
    other = dig(tree.at("tld"), "www.shop.example", "+norecurse")
    assert other.authority == {("shop.example.", "NS", "ns.lab.test.")}
    assert other.additional == frozenset()
    assert dig(tree.at("zone"), "www.example.net", "+norecurse").status == "REFUSED"


def test_named_walks_the_tree(tree: Tree, tmp_path: Path) -> None:
    """BIND's recursion from the tree's hints finds the same in labnet's zones; it can use any port."""
    hints = (TREE / "root.hints").read_text()
    with recursing("named", tmp_path / "named", free_port(), hints, others=tree.port) as peer:
        for transport in ("+notcp", "+tcp"):
            check(peer.address, transport)


def test_unbound_and_named_walk_the_tree_on_the_usual_port(tmp_path: Path) -> None:
    """In a network of their own all are at port 53, where unbound looks for servers."""
    folder = tmp_path / "tree"
    folder.mkdir()
    hints = (TREE / "root.hints").read_text()
    with namespace() as network:
        here = inside(network)
        twistd = [*here, sys.executable, TWISTD]
        with Daemon("labnet", "--config=tree.toml", cwd=copied(folder, 53), command=twistd) as daemon:
            check(Tree(53, daemon).at("main"), prefix=here)
            for port, name in enumerate(("unbound", "named"), 5301):
                with recursing(name, tmp_path / name, port, hints, inside=here) as peer:
                    check(peer.address, prefix=here)


def test_the_system_resolves_names_through_the_lab(tmp_path: Path) -> None:
    """The C library's own resolver, with the lab's as its only name server, finds names, and names of addresses."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    folder = tmp_path / "tree"
    folder.mkdir()
    with namespace() as network:
        here = inside(network)
        twistd = [*here, sys.executable, TWISTD]
        with Daemon("labnet", "--config=tree.toml", cwd=copied(folder, 53), command=twistd) as daemon:
            daemon.wait_for("resolver main listens")
            # `ip netns exec` gives a command mounts of its own.
            script = 'mount --bind resolv.conf /etc/resolv.conf && getent -s dns "$@"'
            for name, expected in (
                ("www.lab.test", {"192.0.2.80", "2001:db8::80"}),
                ("shop.lab.test", {"198.51.100.80"}),
                ("nothing.lab.test", set()),
            ):
                command = [*here, "sh", "-c", script, "sh", "ahosts", name]
                run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE)
                assert {line.split()[0] for line in run.stdout.splitlines()} == expected, run
                assert (run.returncode, run.stderr) == (0 if expected else 2, "")
