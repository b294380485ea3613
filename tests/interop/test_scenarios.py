"""The scenarios of recursion beside named and unbound: what they answer where labnet's answer is checked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.rcode
import dns.rdatatype
import pytest

from tests.interop.daemon import DEADLINE
from tests.interop.dns_clients import Record, digs
from tests.interop.dns_peers import recursing
from tests.interop.namespaces import inside, ip, namespace
from tests.resolver.recursive.testbound import Entry, Scenario, parse

FOLDER = Path(__file__).parents[1] / "resolver" / "recursive" / "scenarios"

PORT = 5301

NEEDS_A_CLOCK = {"ghost_domain", "ghost_reply_in_flight"}
"""Scenarios in which minutes pass."""

DIFFERENCES = {
    ("dname", "unbound"): "It passes on the letters in which a server wrote the target of its CNAME.",
    ("ds_is_the_parents", "unbound"): "Referred to the zone itself it asks that zone's servers, which fail.",
    ("ds_is_the_parents", "named"): "Referred to the zone itself it asks that zone's servers, which fail.",
    ("edns_refused", "named"): "It does not remember after one query that a server refuses EDNS.",
    ("empty_noerror_of_a_lame_server", "unbound"): "It takes the empty reply, if that server is the first.",
    ("empty_noerror_of_a_lame_server", "named"): "It takes the empty reply, if that server is the first.",
    ("name_server_inside_its_zone_without_glue", "unbound"): "It gives a zone up whose only server has no glue.",
    ("resolver_as_last_resort", "named"): "It takes the resolver's answer, if that server is the first.",
    ("resolver_asked_for_recursion", "unbound"): "To it a server that refers upwards is lame and no more.",
    ("resolver_asked_for_recursion", "named"): "To it a server that refers upwards is lame and no more.",
    ("servers_named_by_the_zone_itself", "named"): "It asks the servers that the parent names and no others.",
}
"""Where a peer may answer otherwise than labnet, by scenario and peer, and why."""


@contextmanager
def servers_of(scenario: Scenario, path: Path, network: str) -> Iterator[subprocess.Popen[str]]:
    """The servers of the scenario in the file ``path``, at their addresses in ``network``."""
    for address in scenario.addresses:
        prefix, flags = ("/128", ["nodad"]) if ":" in address else ("/32", [])
        ip("-n", network, "address", "add", address + prefix, "dev", "lo", *flags)
    command = inside(network, sys.executable, "-m", "tests.interop.scripted", str(path))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as servers:
        try:
            assert said_by(servers) == "ready"
            yield servers
        finally:
            servers.communicate(timeout=DEADLINE)


def said_by(servers: subprocess.Popen[str], *lines: object) -> str:
    """What ``servers`` say next, after they were given ``lines``."""
    assert servers.stdin is not None
    assert servers.stdout is not None
    for line in lines:
        print(line, file=servers.stdin, flush=True)
    return servers.stdout.readline().strip()


def expected_of(entry: Entry) -> tuple[str, set[Record]]:
    """The RCODE and the records that the entry of a CHECK_ANSWER has."""
    message = entry.message(0)
    return dns.rcode.to_text(message.rcode()), {
        (str(rrset.name).lower(), dns.rdatatype.to_text(rrset.rdtype), rdata.to_text())
        for rrset in message.answer
        for rdata in rrset
    }


@pytest.mark.parametrize("peer", ["unbound", "named"])
@pytest.mark.parametrize("stem", sorted({path.stem for path in FOLDER.glob("*.rpl")} - NEEDS_A_CLOCK))
def test_peers_answer_as_the_scenario_says(stem: str, peer: str, tmp_path: Path) -> None:
    """They walk the same tree; where one of them answers otherwise the reason stands above."""
    path = FOLDER / f"{stem}.rpl"
    scenario = parse(path.read_text())
    got, expected = [], []
    with namespace() as network:
        here = inside(network)
        with (
            servers_of(scenario, path, network) as servers,
            recursing(peer, tmp_path / peer, PORT, scenario.hints, inside=here) as server,
        ):
            for step in scenario.steps:
                assert said_by(servers, step.number) == str(step.number)
                if step.kind == "QUERY":
                    assert step.entry is not None
                    name, rrtype = step.entry.question
                    options = ["+dnssec"] if "DO" in step.entry.flags else []
                    (heard,) = digs(server.address, [(str(name), rrtype)], *options, inside=here)
                elif step.kind == "CHECK_ANSWER":
                    assert step.entry is not None
                    got.append((heard.status, set(heard.answer)))
                    expected.append(expected_of(step.entry))
    assert got == expected or (stem, peer) in DIFFERENCES
