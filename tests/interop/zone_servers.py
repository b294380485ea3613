"""NSD, Knot, named, unbound and labnet with the same zone files, asked as a resolver asks authorities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_peers import LOOPBACK, serving_many
from tests.interop.plain import Address

PEERS = ("nsd", "knotd", "named", "unbound")

Records = frozenset[tuple[str, str, int, str]]
"""Of records owner, type, TTL and data, so that neither their order nor the case of their names counts."""


@dataclass(frozen=True)
class Question:
    """What is asked: ``name`` is absolute; ``dnssec`` sets DO."""

    name: str
    rrtype: str
    dnssec: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.rrtype}{' +dnssec' * self.dnssec}"


class Seen(NamedTuple):
    """An answer, so that two can be compared."""

    rcode: str
    authoritative: bool
    answer: Records
    authority: Records

    def __str__(self) -> str:
        shown = [f"{self.rcode}{' aa' * self.authoritative}"]
        for section in (self.answer, self.authority):
            shown.append("; ".join(sorted(f"{name} {ttl} {rrtype} {data}" for name, rrtype, ttl, data in section)))
        return " | ".join(shown)


def ask(address: Address, question: Question) -> Seen:
    """The answer of the server at ``address``, without recursion; by TCP where it is truncated."""
    query = dns.message.make_query(question.name, question.rrtype, want_dnssec=question.dnssec, payload=1232)
    query.flags &= ~dns.flags.RD
    reply, _ = dns.query.udp_with_fallback(query, address[0], DEADLINE, address[1])
    return Seen(
        dns.rcode.to_text(reply.rcode()),
        bool(reply.flags & dns.flags.AA),
        _records(reply.answer),
        _records(reply.authority),
    )


def _records(rrsets: list[dns.rrset.RRset]) -> Records:
    return frozenset(
        (rrset.name.canonicalize().to_text(), dns.rdatatype.to_text(rrset.rdtype), rrset.ttl, rdata.to_text().lower())
        for rrset in rrsets
        for rdata in rrset
    )


@contextmanager
def every_server(folder: Path, zones: Mapping[str, str]) -> Iterator[dict[str, Address]]:
    """The addresses of labnet and of all peers, which have ``zones`` (the text of each by its name)."""
    with ExitStack() as stack:
        servers = {}
        for name in PEERS:
            servers[name] = stack.enter_context(serving_many(name, folder / name, zones)).address
        servers["labnet"] = stack.enter_context(labnet(folder / "labnet", zones))
        yield servers


@contextmanager
def labnet(folder: Path, zones: Mapping[str, str]) -> Iterator[Address]:
    """The address of a lab with ``zones`` and no parents."""
    folder.mkdir()
    files = {zone: f"db.{number}" for number, zone in enumerate(zones)}
    for zone, text in zones.items():
        (folder / files[zone]).write_text(text)
    (folder / "lab.toml").write_text(
        f'[resolver.zones]\nlisten = "udp:0:interface={LOOPBACK}"\nparents = []\nrate_limit = 0\n'
        f"zones = {list(zones)}\nrecords = {['zone:' + file for file in files.values()]}\nreverse = false\n"
    )
    with Daemon("labnet", "--config=lab.toml", cwd=folder) as daemon:
        yield daemon.address("resolver zones")
