"""Real DNS servers are asked by UDP and by TCP: what they answer is what dig gets from them."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any

import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.tcp import Client

from labnet.net.datagrams import SystemSockets
from labnet.resolver.upstream.dns import DNSExchange, DNSParent, ExchangeOptions
from labnet.resolver.upstream.errors import ParentFailed, Unusable
from labnet.resolver.upstream.infra import InfraCache
from labnet.wire.names import key_of
from labnet.wire.types import InfoCode, Question, Rcode, Reply
from tests.interop.daemon import DEADLINE
from tests.interop.peers import tool, unavailable

SERVERS = ("named", "nsd", "knotd", "unbound", "dnsmasq")

AUTHORITATIVE = ("named", "nsd", "knotd")

ZONE = f"""$ORIGIN lab.test.
$TTL 300
@       SOA     ns admin 1 3600 600 86400 60
@       NS      ns
ns      A       127.0.0.1
www     A       192.0.2.1
www     A       192.0.2.2
www     AAAA    2001:db8::1
mail    MX      10 www
mail    TXT     "v=spf1 -all" "second string"
alias   CNAME   alias2
alias2  CNAME   www
gone    CNAME   nothing
_sip._udp SRV   1 2 5060 www
tree    DNAME   other
a.other A       192.0.2.3
*.wild  A       192.0.2.4
large   TXT     {" ".join(f'"{i:03}{"x" * 200}"' for i in range(20))}
below   NS      ns.below
ns.below A      192.0.2.5
"""

QUESTIONS = (
    ("www", "A"),
    ("WWW", "AAAA"),
    ("mail", "MX"),
    ("mail", "TXT"),
    ("alias", "A"),
    ("alias", "CNAME"),
    ("_sip._udp", "SRV"),
    ("a.tree", "A"),
    ("x.y.wild", "A"),
    ("lab.test.", "SOA"),
    ("www", "MX"),
    ("nothing", "A"),
    ("gone", "A"),
    ("large", "TXT"),
)


@dataclass(frozen=True)
class Server:
    """A running server on the loopback interface."""

    name: str
    port: int


def free_port() -> int:
    """A port that neither UDP nor TCP uses now."""
    for _ in range(100):
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            try:
                datagrams.bind(stream.getsockname())
            except OSError:
                continue
            return int(stream.getsockname()[1])
    raise AssertionError("no port is free for both UDP and TCP")


def command_of(name: str, port: int, folder: Path, authority: int) -> list[str]:
    """Writes the configuration of the server ``name`` and says how it is run; dnsmasq forwards to ``authority``."""
    zone, config = folder / "lab.zone", folder / f"{name}.conf"
    zone.write_text(ZONE)
    if name == "named":
        config.write_text(
            f'options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};'
            f' recursion no; pid-file none; session-keyfile "{folder}/key"; dnssec-validation no; }};'
            f' controls {{}}; zone "lab.test" {{ type primary; file "{zone}"; }};'
        )
        return [tool("named", "bind9"), "-g", "-n", "1", "-c", str(config)]
    if name == "nsd":
        config.write_text(
            f'server:\n ip-address: 127.0.0.1\n port: {port}\n username: ""\n chroot: ""\n zonesdir: "{folder}"\n'
            f' database: ""\n pidfile: ""\n xfrdfile: "{folder}/xfrd"\n zonelistfile: "{folder}/list"\n'
            f" server-count: 1\nremote-control:\n control-enable: no\n"
            f'zone:\n name: lab.test\n zonefile: "{zone}"\n'
        )
        return [tool("nsd", "nsd"), "-d", "-c", str(config)]
    if name == "knotd":
        config.write_text(
            f'server:\n  rundir: "{folder}"\n  listen: 127.0.0.1@{port}\n'
            f'database:\n  storage: "{folder}/knot"\ntemplate:\n  - id: default\n    storage: "{folder}"\n'
            f"zone:\n  - domain: lab.test\n    file: lab.zone\n    zonefile-sync: -1\n    journal-content: none\n"
        )
        return [tool("knotd", "knot"), "-c", str(config)]
    if name == "unbound":
        config.write_text(
            f'server:\n interface: 127.0.0.1\n port: {port}\n username: ""\n chroot: ""\n directory: "{folder}"\n'
            f' pidfile: ""\n use-syslog: no\n do-not-query-localhost: no\n module-config: "iterator"\n'
            f' local-zone: "test." nodefault\n'
            f"remote-control:\n control-enable: no\n"
            f'auth-zone:\n name: lab.test\n zonefile: "{zone}"\n for-downstream: no\n for-upstream: yes\n'
        )
        return [tool("unbound", "unbound"), "-d", "-c", str(config)]
    config.write_text(
        f"port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\npid-file=\ncache-size=0\n"
        f"server=/lab.test/127.0.0.1#{authority}\n"
    )
    return [tool("dnsmasq", "dnsmasq-base"), "-k", "-C", str(config)]


def answers(port: int) -> bool:
    """Whether the zone is served there."""
    query = dns.message.make_query("lab.test.", "SOA")
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        sock.connect(("127.0.0.1", port))
        try:
            sock.send(query.to_wire())
            return bool(dns.message.from_wire(sock.recv(65535)).answer)
        except OSError:
            return False


def run(name: str, folder: Path, authority: int = 0) -> Iterator[Server]:
    """The server ``name`` until the test is done with it."""
    port = free_port()
    folder.mkdir()
    (folder / "knot").mkdir()
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command_of(name, port, folder, authority), stdout=log, stderr=log, cwd=folder)
        try:
            until = time.monotonic() + DEADLINE
            while not answers(port):
                if process.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"{name} does not answer:\n{(folder / 'log').read_text()}", pytrace=False)
                time.sleep(0.05)
            yield Server(name, port)
        finally:
            process.terminate()
            process.wait(DEADLINE)


@pytest.fixture(scope="module", autouse=True)
def running_reactor() -> None:
    """The reactor runs before the first test looks at what is open on it: starting opens a waker of its own."""
    from twisted.internet import reactor

    pytest_twisted.blockon(deferLater(reactor, 0))


@pytest.fixture(scope="module")
def nsd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An authoritative server, also dnsmasq's."""
    yield from run("nsd", tmp_path_factory.mktemp("dns") / "nsd")


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, nsd: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each of them in turn."""
    if request.param == "nsd":
        yield nsd
    else:
        yield from run(request.param, tmp_path_factory.mktemp("dns") / request.param, nsd.port)


@pytest.fixture
def exchange() -> DNSExchange:
    """The real thing on the real reactor."""
    from twisted.internet import reactor

    actual: Any = reactor
    return DNSExchange(
        SystemSockets(actual, SystemRandom()), actual, SystemRandom(), InfraCache(10), ExchangeOptions(5.0, 3)
    )


async def done(asked: Deferred[Any]) -> Any:
    """The result, once the reactor has closed the sockets too."""
    from twisted.internet import reactor

    actual: Any = reactor
    try:
        return await asked
    finally:
        until = time.monotonic() + DEADLINE
        while any(isinstance(one, Client) for one in (*actual.getReaders(), *actual.getWriters())):
            assert time.monotonic() < until, "a connection stays open"
            await deferLater(actual, 0.001)


def question(name: str, rrtype: str) -> Question:
    full = name if name.endswith(".") else f"{name}.lab.test"
    return Question(key_of(full), int(dns.rdatatype.from_text(rrtype)))


def dig(server: Server, name: str, rrtype: str, tcp: bool) -> tuple[str, set[tuple[str, str, str]]]:
    """The RCODE and the answer section that dig gets, TTLs left out."""
    full = name if name.endswith(".") else f"{name}.lab.test."
    options = ("+noall", "+answer", "+comments", "+nocookie", "+tcp" if tcp else "+notcp")
    output = subprocess.run(
        [tool("dig", "bind9-dnsutils"), "@127.0.0.1", "-p", str(server.port), full, rrtype, *options],
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
        env={**os.environ, "HOME": "/nonexistent"},
    ).stdout
    rcode = output.partition("status: ")[2].partition(",")[0]
    found = set()
    for line in output.splitlines():
        if line and not line.startswith(";"):
            owner, _, _, kind, rdata = line.split(None, 4)
            found.add((owner.lower(), kind, canonical(kind, rdata)))
    return rcode, found


def canonical(rrtype: str, rdata: str) -> str:
    return dns.rdata.from_text("IN", rrtype, rdata).to_text().lower()


def told(reply: Reply) -> tuple[str, set[tuple[str, str, str]]]:
    """The same of a reply of ours."""
    found = set()
    for rrset in reply.answer:
        kind = dns.rdatatype.RdataType.make(rrset.rrtype)
        owner = dns.name.from_wire(rrset.name, 0)[0].to_text().lower()
        for rdata in rrset.rdatas:
            text = dns.rdata.from_wire("IN", kind, rdata, 0, len(rdata)).to_text()
            found.add((owner, kind.name, canonical(kind.name, text)))
    return Rcode(reply.rcode).name, found


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest_twisted.ensureDeferred
async def test_the_answers_are_those_that_dig_gets(server: Server, exchange: DNSExchange, tcp: bool) -> None:
    """RCODE and answer section; the large one comes by TCP in the end."""
    for name, rrtype in QUESTIONS:
        reply = await done(exchange.ask("127.0.0.1", server.port, question(name, rrtype), True, tcp))
        expected = dig(server, name, rrtype, tcp)
        assert told(reply) == expected, (server.name, name, rrtype)
        assert reply.authoritative == (server.name in AUTHORITATIVE) or server.name == "dnsmasq"
    assert len(expected[1]) == 1, "the large answer is there"


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest_twisted.ensureDeferred
async def test_a_parent_tells_the_chain_and_the_soa_of_a_negative_answer(
    server: Server, exchange: DNSExchange, tcp: bool
) -> None:
    """Whoever the parent is; the names come in the case of the zone, not in the random one of the query."""
    parent = DNSParent("127.0.0.1", server.port, tcp, exchange)
    upstream = await done(parent.ask(question("alias", "A")))
    assert upstream.rcode == Rcode.NOERROR
    names = [b"\5alias\3lab\4test\0", b"\6alias2\3lab\4test\0", b"\3www\3lab\4test\0"]
    assert [rrset.name for rrset in upstream.rrsets] == names
    assert [len(rrset.rdatas) for rrset in upstream.rrsets] == [1, 1, 2]
    assert upstream.soa is None
    for name, rcode in (("nothing", Rcode.NXDOMAIN), ("mail", Rcode.NOERROR)):
        upstream = await done(parent.ask(question(name, "AAAA")))
        assert (upstream.rcode, upstream.rrsets) == (rcode, ())
        assert upstream.soa is not None
        assert upstream.soa.name == b"\3lab\4test\0"
        assert 0 < upstream.soa.ttl <= 300


@pytest.mark.parametrize("server", ["nsd", "knotd"], indirect=True)
@pytest_twisted.ensureDeferred
async def test_a_server_that_does_not_resolve_is_no_parent(server: Server, exchange: DNSExchange) -> None:
    """It refuses names of other zones and says why, and refers to other servers for those below its own."""
    parent = DNSParent("127.0.0.1", server.port, False, exchange)
    with pytest.raises(Unusable, match=r"refused to answer \(REFUSED\)") as caught:
        await done(parent.ask(question("www.example.com.", "A")))
    assert [error.code for error in caught.value.errors] == [InfoCode.NOT_AUTHORITATIVE]
    with pytest.raises(Unusable, match="only referred to other servers"):
        await done(parent.ask(question("www.below", "A")))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest_twisted.ensureDeferred
async def test_where_nobody_listens_is_known_at_once(exchange: DNSExchange, host: str) -> None:
    """By UDP from the system's word, which only a connected socket hears; by TCP as always."""
    port = free_port()
    if ":" in host:
        loopback6()
    for tcp in (False, True):
        with pytest.raises(ParentFailed, match="nobody listens"):
            await done(exchange.ask(host, port, question("www", "A"), True, tcp))


@pytest_twisted.ensureDeferred
async def test_a_server_is_asked_over_ipv6(tmp_path: Path, exchange: DNSExchange) -> None:
    """By UDP, and by TCP for the large answer."""
    loopback6()
    port = free_port()
    (tmp_path / "lab.zone").write_text(ZONE)
    command = command_of("nsd", port, tmp_path, 0)
    config = tmp_path / "nsd.conf"
    config.write_text(config.read_text().replace(" port:", " ip-address: ::1\n port:", 1))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + DEADLINE
        while not answers(port):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        for name, rrtype in (("www", "A"), ("large", "TXT")):
            reply = await done(exchange.ask("::1", port, question(name, rrtype), True, False))
            assert reply.answer[0].rdatas
    finally:
        process.terminate()
        process.wait(DEADLINE)


def loopback6() -> None:
    """Some machines have no IPv6 at all."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError as error:
        unavailable(f"this test needs ::1: {error}")
