"""The zone's answers beside those of BIND's named from the same zone file: wildcards, delegations, CNAMEs, DNAMEs."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.names import key_of, text_of
from labnet.wire.types import Question, RRset, RRType
from tests.interop import peers
from tests.interop.daemon import DEADLINE
from tests.resolver.zonefiles import read

ZONE = b"""$TTL 3600
@               IN SOA  ns hostmaster ( 1 7200 3600 1209600 300 )
@               IN NS   ns
@               IN MX   10 mail
ns              IN A    192.0.2.1
mail       60   IN A    192.0.2.2
mail            IN AAAA 2001:db8::2
; aliases
www             IN CNAME mail
chain           IN CNAME www
dangling        IN CNAME nowhere
outside         IN CNAME www.other.test.
to-wild         IN CNAME x.wild
to-cut          IN CNAME host.sub
; an empty non-terminal: b.deep and deep have no records
a.b.deep        IN A    192.0.2.3
; wildcards, as in RFC 4592, section 2.2.1
*.wild          IN TXT  "this is a wildcard"
*.wild     120  IN MX   10 host1.wild
sub.*.wild      IN TXT  "this is not a wildcard"
host1.wild      IN A    192.0.2.4
_ssh._tcp.host1.wild IN SRV 0 0 22 host1.wild
_ssh._tcp.host2.wild IN SRV 0 0 22 host1.wild
*.alias         IN CNAME mail
*.lost          IN CNAME nowhere
*.a.nested      IN A    192.0.2.5
*.nested        IN A    192.0.2.6
; delegations: with glue, without, with a DS
sub             IN NS   ns.sub
sub             IN NS   ns.other.test.
ns.sub          IN A    192.0.2.7
ns.sub          IN AAAA 2001:db8::7
bare            IN NS   mail
signed          IN NS   ns.signed
signed          IN DS   12345 8 2 0000000000000000000000000000000000000000000000000000000000000001
ns.signed       IN A    192.0.2.8
; what stands below a delegation is not this zone's
deeper.signed   IN TXT  "hidden"
; renamed
old             IN DNAME wild
old             IN TXT  "beside the DNAME"
gone            IN DNAME nowhere
"""

QUESTIONS = [
    ("@", "A"),
    ("@", "SOA"),
    ("@", "NS"),
    ("@", "MX"),
    ("@", "DS"),
    ("ns", "A"),
    ("NS", "a"),
    ("ns", "AAAA"),
    ("mail", "A"),
    ("mail", "AAAA"),
    ("nowhere", "A"),
    ("x.nowhere", "A"),
    ("x.mail", "A"),
    ("www", "A"),
    ("www", "CNAME"),
    ("www", "TXT"),
    ("chain", "AAAA"),
    ("dangling", "A"),
    ("outside", "A"),
    ("to-wild", "TXT"),
    ("to-wild", "A"),
    ("to-cut", "A"),
    ("deep", "A"),
    ("b.deep", "A"),
    ("a.b.deep", "A"),
    ("a.b.deep", "TXT"),
    ("c.b.deep", "A"),
    ("c.deep", "A"),
    ("wild", "TXT"),
    ("*.wild", "TXT"),
    ("host3.wild", "MX"),
    ("host3.wild", "A"),
    ("foo.bar.wild", "TXT"),
    ("host1.wild", "MX"),
    ("sub.*.wild", "MX"),
    ("sub.*.wild", "TXT"),
    ("x.*.wild", "TXT"),
    ("_telnet._tcp.host1.wild", "SRV"),
    ("_tcp.host1.wild", "TXT"),
    ("host2.wild", "TXT"),
    ("x.host2.wild", "TXT"),
    ("*.x.wild", "TXT"),
    ("x.alias", "A"),
    ("x.y.alias", "CNAME"),
    ("x.lost", "A"),
    ("x.nested", "A"),
    ("a.nested", "A"),
    ("x.a.nested", "A"),
    ("x.b.nested", "A"),
    ("sub", "A"),
    ("sub", "NS"),
    ("sub", "DS"),
    ("host.sub", "A"),
    ("ns.sub", "A"),
    ("a.b.c.sub", "MX"),
    ("bare", "A"),
    ("x.bare", "NS"),
    ("signed", "DS"),
    ("signed", "TXT"),
    ("signed", "NS"),
    ("deeper.signed", "TXT"),
    ("x.signed", "DS"),
    ("old", "TXT"),
    ("old", "DNAME"),
    ("old", "A"),
    ("old", "CNAME"),
    ("x.old", "TXT"),
    ("host1.old", "A"),
    ("x.y.old", "MX"),
    ("x.old", "CNAME"),
    ("x.old", "DNAME"),
    ("x.gone", "A"),
]

_STATUS = re.compile(r"status: (\w+),")
_FLAGS = re.compile(r"^;; flags: ([a-z ]*);", re.MULTILINE)
_SECTION = re.compile(r"^;; (ANSWER|AUTHORITY|ADDITIONAL) SECTION:\n((?:[^;\n].*\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class Seen:
    """An answer, so that two can be compared: the order within a section and the case of names do not count."""

    status: str
    authoritative: bool
    answer: frozenset[tuple[str, int, str, bytes]]
    authority: frozenset[tuple[str, int, str, bytes]]
    additional: frozenset[tuple[str, int, str, bytes]]


@pytest.fixture(scope="module")
def named_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a named that serves ZONE as example.lab."""
    program = peers.tool("named", "bind9")
    folder = tmp_path_factory.mktemp("named")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    (folder / "zone").write_bytes(ZONE)
    (folder / "named.conf").write_text(_configuration(folder, port))
    process = subprocess.Popen(
        [program, "-g", "-n", "1", "-c", str(folder / "named.conf")],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        _await_running(process)
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE)


def _configuration(folder: Path, port: int) -> str:
    return f"""
    options {{
        directory "{folder}"; pid-file none; session-keyfile "{folder}/key"; managed-keys-directory "{folder}";
        listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
        recursion no; dnssec-validation no; notify no; minimal-responses yes; empty-zones-enable no;
    }};
    controls {{ }};
    zone "example.lab" {{ type primary; file "zone"; check-integrity no; }};
    """


def _await_running(process: subprocess.Popen[str]) -> None:
    said = []
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line)
        if line.rstrip().endswith(" running"):
            return
    pytest.fail("named does not start:\n" + "".join(said))


@pytest.fixture(scope="module")
def zone() -> Zone:
    """The same zone file, read by labnet."""
    zone = Zone(ZoneData([key_of("example.lab")]))
    assert read(ZONE, "example.lab", add=zone.data.add).problems == []
    zone.data.finish()
    return zone


@pytest.mark.parametrize(("name", "rrtype"), QUESTIONS)
def test_zone_answers_as_named_does(named_port: int, zone: Zone, name: str, rrtype: str) -> None:
    """From one zone file, the zone gives the sections, RCODE and AA of named, and all of its glue."""
    full = "example.lab" if name == "@" else f"{name}.example.lab"
    ours, named = _by_zone(zone, full, rrtype), _by_named(named_port, full, rrtype)
    # named leaves out the addresses of servers that the zone has elsewhere than below the delegation.
    assert named.additional <= ours.additional
    assert replace(ours, additional=frozenset()) == replace(named, additional=frozenset())


def _by_named(port: int, name: str, rrtype: str) -> Seen:
    command = [peers.tool("dig", "bind9-dnsutils"), "@127.0.0.1", "-p", str(port), name, rrtype]
    options = ["+norecurse", "+noidnin", "+noidnout", "+nocookie", "+noedns", "+time=20", "+tries=3", "+bufsize=0"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=DEADLINE, check=True)
    status, flags = _STATUS.search(done.stdout), _FLAGS.search(done.stdout)
    assert status is not None, done.stdout
    assert flags is not None, done.stdout
    sections = {title: frozenset(map(_record, body.splitlines())) for title, body in _SECTION.findall(done.stdout)}
    return Seen(
        status[1],
        "aa" in flags[1].split(),
        *(sections.get(title, frozenset()) for title in ("ANSWER", "AUTHORITY", "ADDITIONAL")),
    )


def _record(line: str) -> tuple[str, int, str, bytes]:
    name, ttl, _, rrtype, text = line.split(None, 4)
    rdata = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(rrtype), text)
    return name.lower().removesuffix("."), int(ttl), rrtype, _wire(rdata)


def _by_zone(zone: Zone, name: str, rrtype: str) -> Seen:
    """The zone's answer, its CNAMEs followed as the resolver follows them."""
    key, wanted = key_of(name), int(dns.rdatatype.from_text(rrtype))
    chain: list[RRset] = []
    first = last = zone.find(Question(key, wanted))
    asked = {key}
    while last is not None:
        chain += last.answer
        if not last.answer or last.answer[-1].rrtype != RRType.CNAME or wanted == RRType.CNAME:
            break
        target = last.answer[-1].rdatas[0].lower()
        if target in asked:
            break
        asked.add(target)
        following = zone.find(Question(target, wanted))
        if following is None:
            break
        last = following
    assert first is not None
    assert last is not None
    return Seen(
        last.rcode.name,
        first.authoritative,
        *(frozenset(_records(rrsets)) for rrsets in (chain, last.authority, last.additional)),
    )


def _records(rrsets: list[RRset] | tuple[RRset, ...]) -> Iterator[tuple[str, int, str, bytes]]:
    for rrset in rrsets:
        rrtype = dns.rdatatype.RdataType.make(rrset.rrtype)
        for wire in rrset.rdatas:
            rdata = dns.rdata.from_wire(dns.rdataclass.IN, rrtype, wire, 0, len(wire))
            yield text_of(rrset.key), rrset.ttl, dns.rdatatype.to_text(rrtype), _wire(rdata)


def _wire(rdata: dns.rdata.Rdata) -> bytes:
    wire = rdata.to_wire()
    assert wire is not None
    return wire
