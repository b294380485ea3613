"""Real forwarders ask labnet: through them, dig gets what it gets from labnet itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.zone
import pytest

from tests.interop.daemon import Daemon
from tests.interop.dns_clients import Record, dig, digs
from tests.interop.dns_peers import ORIGIN, QUESTIONS, ZONE, forwarding, transferring
from tests.interop.plain import Address

FORWARDERS = [
    ("named", False),
    ("named", True),
    ("unbound", False),
    ("unbound", True),
    ("dnsmasq", False),
    ("knotd", False),
]
"""Each with whether it asks by TCP alone. Where it need not, the large record makes it go to TCP all the same."""


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A labnet that has the peers' zone in full."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "lab.zone").write_text(ZONE)
    (folder / "lab.toml").write_text(
        f'[resolver.main]\nlisten = "udp:0"\nrecords = "zone:lab.zone"\nzones = ["{ORIGIN}"]\n'
    )
    with Daemon("labnet", "--config=lab.toml", cwd=folder) as daemon:
        yield daemon.address("resolver main")


@pytest.mark.parametrize(
    ("name", "tcp"), FORWARDERS, ids=[f"{name}-{'tcp' if tcp else 'udp'}" for name, tcp in FORWARDERS]
)
def test_a_forwarder_passes_on_what_labnet_says(upstream: Address, tmp_path: Path, name: str, tcp: bool) -> None:
    """Status, records, and the SOA of a negative answer, asked by UDP and by TCP, the first time and again."""
    expected = [one.told for one in digs(upstream, QUESTIONS, "+nocookie")]
    with forwarding(name, tmp_path / name, upstream[1], tcp) as peer:
        for transport in ("+notcp", "+tcp", "+notcp"):
            heard = digs(peer.address, QUESTIONS, transport)
            wrong = [one.text for one, right in zip(heard, expected, strict=True) if one.told != right]
            assert not wrong, f"{transport}, first answer that is not labnet's:\n{wrong[0]}\n{peer.log}"


def test_the_answers_are_those_of_the_zone_file(upstream: Address) -> None:
    """What labnet itself says is what dnspython reads in the file, so that nobody agrees on a mistake."""
    zone = dns.zone.from_text(ZONE, ORIGIN, relativize=False)
    for name, rrtype in QUESTIONS:
        answer = dig(upstream, name, rrtype)
        kind = dns.rdatatype.from_text(rrtype)
        owner = dns.name.from_text(name.lower())
        node = zone.get_node(owner)
        rdataset = None if node is None else node.get_rdataset(dns.rdataclass.IN, kind)
        expected: frozenset[Record] = frozenset(
            (str(owner), rrtype, rdata.to_text()) for rdata in (() if rdataset is None else rdataset)
        )
        assert "aa" in answer.flags
        assert expected <= answer.answer, (name, rrtype)
        if ".wild." in name or "alias" in name or "gone" in name:
            continue
        assert answer.answer == expected, (name, rrtype)
        assert answer.status == ("NOERROR" if node is not None else "NXDOMAIN")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nsd", "received error code REFUSED from"),
        ("knotd", "server responded with error 'REFUSED'"),
    ],
)
def test_a_secondary_is_refused_the_zone(upstream: Address, tmp_path: Path, name: str, says: str) -> None:
    """AXFR gets REFUSED, which the secondary understands, and labnet goes on answering."""
    with transferring(name, tmp_path / name, upstream[1]) as peer:
        peer.wait_for(says)
    assert dig(upstream, "www.lab.test").status == "NOERROR"
