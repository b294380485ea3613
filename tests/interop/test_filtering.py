"""Lists, the guard against rebinding, stub zones and DNS64 beside unbound's: the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.daemon import Daemon
from tests.interop.dns_clients import Heard, dig, digs
from tests.interop.filters import ZONE, Pair, pairs
from tests.interop.test_workers import address_of, ask, eventually, pids

NAMES = list(dict.fromkeys(line.split()[0] for line in ZONE.splitlines()[3:] if line[0] != "@"))
OTHERS = ["nowhere", "q.nowhere", "n.tracker", "n.ads", "c.far", "b.blocked", "nothing"]
"""Names that the zone does not have."""

DROPPED = "drop"

ALIASES = [name for name in NAMES if name.startswith("alias")]
"""For the other types unbound looks for what an alias leads to where that is not in its cache already."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pair]]:
    with pairs(tmp_path_factory.mktemp("filters")) as running:
        yield running


def questions(policy: bool) -> list[tuple[str, str]]:
    """What both are asked."""
    return [
        (f"{name}.lab.test", rrtype)
        for name in [*NAMES, *OTHERS]
        for rrtype in ("A", "AAAA", "TXT")
        if name != DROPPED and (rrtype == "A" or not policy or name not in ALIASES)
    ]


def said(one: Heard) -> tuple[str, list[tuple[str, str, str]]]:
    return one.status, sorted(one.answer)


@pytest.mark.parametrize("what", ["policy", "translating"])
def test_the_answers_are_unbounds(servers: dict[str, Pair], what: str) -> None:
    """The same RCODE and records, when they are learned and from the cache."""
    asked, pair = questions(what == "policy"), servers[what]
    expected = dict(zip(asked, map(said, digs(pair.unbound, asked)), strict=True))
    for transport in "+notcp", "+notcp", "+tcp":
        assert dict(zip(asked, map(said, digs(pair.labnet, asked, transport)), strict=True)) == expected
    blocked = [question for question, (status, _) in expected.items() if status == "NXDOMAIN"]
    assert len(blocked) > (20 if what == "policy" else 5), "there is something to compare"


def test_a_client_on_the_list_is_answered_as_by_unbound(servers: dict[str, Pair]) -> None:
    """Whatever it asks; others are not."""
    for name in "www.lab.test", "ads.lab.test":
        for source in "127.0.0.9", "127.0.0.1":
            heard = [
                dig(server, "-b", source, name, "A") for server in (servers["policy"].labnet, servers["policy"].unbound)
            ]
            assert said(heard[0]) == said(heard[1]), (name, source)


def test_a_dropped_question_has_no_reply_from_either(servers: dict[str, Pair]) -> None:
    """By UDP."""
    for server in servers["policy"].labnet, servers["policy"].unbound:
        with pytest.raises(AssertionError, match="no servers could be reached"):
            dig(server, "+time=1", "+tries=1", f"{DROPPED}.lab.test", "A")


def test_the_client_is_told_by_which_list(servers: dict[str, Pair]) -> None:
    """By the code Blocked of RFC 8914."""
    text = dig(servers["policy"].labnet, "ads.lab.test", "A").text
    assert "EDE: 15 (Blocked): (ads.lab.test is on the list rpz, as ads.lab.test: the answer is NXDOMAIN.)" in text


WORKERS = """
[lab]
workers = 2
watch = true
[resolver.main]
listen = "udp:0"
[resolver.main.block.ads]
file = "ads.hosts"
form = "hosts"
answer = "192.0.2.99"
[console]
listen = "tcp:0:interface=127.0.0.1"
"""


def test_every_worker_has_the_list_of_now(tmp_path: Path) -> None:
    """From its start, and once the file has changed; an odd line is a warning, and no reload ends with it."""

    def write(letter: str, more: str = "") -> set[str]:
        """Some of the 3,000 names of the list that is written."""
        names = [f"{letter}{number}.example" for number in range(3000)]
        (tmp_path / "ads.hosts").write_text("".join(f"0.0.0.0 {name}\n" for name in names) + more)
        return set(names[::59])

    first = write("a")
    (tmp_path / "labnet.toml").write_text(WORKERS)
    with Daemon("labnet", "--config", "labnet.toml", cwd=tmp_path) as daemon:
        server = daemon.address("resolver main")
        pids(tmp_path)
        assert {address_of(server, name) for name in first} == {"192.0.2.99"}
        second = write("b", "no.address.example\n")
        eventually(lambda: ask(tmp_path, "status")["reload"]["done"])
        assert {address_of(server, name) for name in second} == {"192.0.2.99"}
        assert {address_of(server, name) for name in first} == {"REFUSED"}
        daemon.wait_for(r"ads.hosts:3001: 'no.address.example' is no address, which a line of a hosts file begins with")
        assert ask(tmp_path, "lookup", name="b7.example")["list"] == "ads"
