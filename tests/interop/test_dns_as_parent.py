"""labnet forwards to real DNS servers: through it, dig gets what it gets from the server itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_clients import Heard, dig, digs
from tests.interop.dns_peers import QUESTIONS, Peer, home_router, serving
from tests.interop.plain import Address

PEERS = ("nsd", "named", "knotd", "unbound", "dnsmasq")

KINDS = ("dns", "dns+tcp")


ROUTER = """host-record=printer.home.arpa,192.0.2.77,2001:db8::77
cname=copier.home.arpa,printer.home.arpa
mx-host=home.arpa,mail.home.arpa,10
txt-record=home.arpa,"in the cellar"
srv-host=_ipp._tcp.home.arpa,printer.home.arpa,631
address=/wild.home.arpa/192.0.2.4
local=/home.arpa/
"""


@contextmanager
def every_peer(folder: Path) -> Iterator[dict[str, Peer]]:
    """All of them with one zone; dnsmasq asks NSD for it."""
    with ExitStack() as stack:
        started: dict[str, Peer] = {}
        for name in PEERS:
            upstream = started["nsd"].address[1] if name == "dnsmasq" else 0
            started[name] = stack.enter_context(serving(name, folder / name, upstream=upstream))
        yield started


def written(folder: Path, parents: Mapping[str, Sequence[str]], more: str = "") -> Path:
    """A configuration with a resolver for each of ``parents``, every one with the lines ``more``."""
    text = ""
    for number, (name, addresses) in enumerate(parents.items()):
        listed = ", ".join(f'"{address}"' for address in addresses)
        text += f'[resolver."{name}"]\nlisten = "udp:0"\nparents = [{listed}]\nlearned = "learned.{number}"\n{more}\n'
    folder.mkdir(exist_ok=True)
    (folder / "lab.toml").write_text(text)
    return folder


def lab(folder: Path) -> Daemon:
    """The lab of the configuration in ``folder``; what it learns is kept there."""
    return Daemon("labnet", "--config=lab.toml", cwd=folder)


def of(kind: str, peer: Peer) -> str:
    """The peer as a configuration names a parent."""
    return f"{kind}:{peer.address[0]}:{peer.address[1]}"


def shown(peer: Peer) -> str:
    """The peer as an answer names it."""
    return f"{peer.address[0]}:{peer.address[1]}"


def told(answers: Sequence[Heard]) -> list[tuple[tuple[str, str], object]]:
    """What the answers to QUESTIONS say, each beside its question."""
    return list(zip(QUESTIONS, (one.told for one in answers), strict=True))


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Peer]]:
    """Every peer, for all tests that let them live."""
    with every_peer(tmp_path_factory.mktemp("peers")) as started:
        yield started


@pytest.fixture(scope="module")
def forwarder(peers: dict[str, Peer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A lab with a resolver for each peer and each way to ask it."""
    parents = {f"{name} by {kind}": [of(kind, peer)] for name, peer in peers.items() for kind in KINDS}
    with lab(written(tmp_path_factory.mktemp("lab"), parents)) as daemon:
        yield daemon


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PEERS)
def test_answers_are_the_parents_own(peers: dict[str, Peer], forwarder: Daemon, name: str, kind: str) -> None:
    """Learned and from the cache, by UDP and by TCP, dig gets the parent's status, records, and SOA of a negative."""
    address = forwarder.address(f"resolver {name} by {kind}")
    expected = told(digs(peers[name].address, QUESTIONS, "+nocookie"))
    for transport in ("+notcp", "+tcp"):
        heard = digs(address, QUESTIONS, transport)
        assert told(heard) == expected
        assert all({"ra"} <= one.flags and not {"aa", "tc"} & one.flags for one in heard)
    assert len(heard[6].answer) == 1, "the large record has come"


@pytest.mark.parametrize("name", PEERS)
def test_an_answer_says_where_it_comes_from(peers: dict[str, Peer], forwarder: Daemon, name: str) -> None:
    """The first answer names the parent, the second the cache too."""
    address = forwarder.address(f"resolver {name} by dns")
    asked = ("first.wild.lab.test", "A", "+notcp")
    assert f"EDE: 0 (Other): (from {shown(peers[name])})" in dig(address, *asked).text
    second = dig(address, *asked).text
    assert "EDE: 0 (Other): (from the cache, learned " in second
    assert f" s ago from {shown(peers[name])})" in second


def test_lifetimes_count_down(forwarder: Daemon) -> None:
    """What is in the cache has less TTL as time goes by, an answer and the SOA of a negative one alike."""
    address = forwarder.address("resolver nsd by dns")
    for name in ("www.lab.test", "nothing.lab.test"):
        first = _ttl(address, name)
        assert 0 < first <= 300
        until = time.monotonic() + DEADLINE
        while (now := _ttl(address, name)) >= first:
            assert time.monotonic() < until, f"the TTL of {name} stays at {now}"
            time.sleep(0.2)


def _ttl(address: Address, name: str) -> int:
    lines = [line.split() for line in dig(address, name, "+noedns").text.splitlines()]
    return next(int(line[1]) for line in lines if len(line) > 4 and line[3] in ("A", "SOA") and line[1].isdigit())


def test_what_was_learned_survives_a_restart_without_the_parents(tmp_path: Path) -> None:
    """Every kind of answer is there again, with its parent's name, when all parents are gone."""
    with every_peer(tmp_path) as started:
        folder = written(tmp_path / "lab", {name: [of("dns", peer)] for name, peer in started.items()})
        with lab(folder) as daemon:
            before = {name: digs(daemon.address(f"resolver {name}"), QUESTIONS) for name in started}
    with lab(folder) as daemon:
        for name, peer in started.items():
            after = digs(daemon.address(f"resolver {name}"), QUESTIONS)
            assert told(after) == told(before[name])
            assert all(f" s ago from {shown(peer)})" in one.text for one in after if "CNAME" not in one.text)
            unknown = dig(daemon.address(f"resolver {name}"), "other.lab.test")
            assert unknown.status == "SERVFAIL"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("silent", [False, True], ids=["gone", "silent"])
def test_the_next_parent_is_asked_where_the_first_one_fails(tmp_path: Path, kind: str, silent: bool) -> None:
    """As long as the first one answers it is asked; when it has gone or says no more, the second one is."""
    with serving("named", tmp_path / "named") as first, serving("knotd", tmp_path / "knotd") as second:
        parents = {"main": [of(kind, first), of(kind, second)]}
        with lab(written(tmp_path / "lab", parents, "parent_timeout = 0.5")) as daemon:
            address = daemon.address("resolver main")
            assert f"(from {shown(first)})" in dig(address, "one.wild.lab.test").text
            if silent:
                first.freeze()
            else:
                first.stop()
            for name in ("two", "three", "four", "five"):
                answer = dig(address, f"{name}.wild.lab.test")
                assert answer.answer == {(f"{name}.wild.lab.test.", "A", "192.0.2.4")}
                assert f"(from {shown(second)})" in answer.text


def test_a_domain_has_its_own_parents(peers: dict[str, Peer], tmp_path: Path) -> None:
    """`forward` sends the names of one domain to another parent than the rest."""
    folder = written(tmp_path / "lab", {"main": [of("dns", peers["nsd"])]})
    with (folder / "lab.toml").open("a") as config:
        config.write(f'[resolver.main.forward]\n"wild.lab.test" = ["{of("dns", peers["knotd"])}"]\n')
    with lab(folder) as daemon:
        address = daemon.address("resolver main")
        assert f"(from {shown(peers['nsd'])})" in dig(address, "www.lab.test").text
        assert f"(from {shown(peers['knotd'])})" in dig(address, "forwarded.wild.lab.test").text


def test_a_server_that_does_not_resolve_is_no_parent(peers: dict[str, Peer], forwarder: Daemon) -> None:
    """What an authoritative server refuses fails, and the answer tells who refused it."""
    answer = dig(forwarder.address("resolver nsd by dns"), "www.example.com")
    assert answer.status == "SERVFAIL"
    assert f"{shown(peers['nsd'])} refused to answer (REFUSED)" in answer.text


def test_a_home_router_is_a_parent(tmp_path: Path) -> None:
    """dnsmasq with records of its own, which says no without a SOA: what it says arrives all the same."""
    asked = [
        ("printer.home.arpa", "A"),
        ("printer.home.arpa", "AAAA"),
        ("copier.home.arpa", "A"),
        ("home.arpa", "MX"),
        ("home.arpa", "TXT"),
        ("_ipp._tcp.home.arpa", "SRV"),
        ("x.wild.home.arpa", "A"),
        ("77.2.0.192.in-addr.arpa", "PTR"),
        ("printer.home.arpa", "MX"),
        ("nothing.home.arpa", "A"),
    ]
    with home_router(tmp_path / "dnsmasq", ROUTER) as router:
        expected = [one.told for one in digs(router.address, asked)]
        assert [status for status, _, _ in expected] == ["NOERROR"] * 9 + ["NXDOMAIN"]
        folder = written(tmp_path / "lab", {kind: [of(kind, router)] for kind in KINDS})
        with lab(folder) as daemon:
            for kind in (*KINDS, *KINDS):
                assert [one.told for one in digs(daemon.address(f"resolver {kind}"), asked)] == expected
