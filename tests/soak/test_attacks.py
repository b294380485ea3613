"""One attacker of each kind beside honest clients: these hardly notice."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import dns.dnssec
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests import certificates
from tests.interop.daemon import DEADLINE, Daemon
from tests.soak.attackers import KINDS, query

SECONDS = 5.0
PAUSE = 0.004
MOST_SLOWER = 3.0
LEAST = 0.005
"""Seconds of a 99th percentile below which nothing counts as slower: the attacker, the parents and the client share the
cores, and the system gives each of them turns of 3 ms."""

LAB = """\
[resolver.main]
listen = [
    "udp:0:interface=127.0.0.1",
    "tls:0:interface=127.0.0.1:certificate=server.pem:key=server.key",
    "http:0:interface=127.0.0.1",
]
records = ["zone:zone.lab"]
zones = "lab"
transfer = "127.0.0.0/8"
allow = ["127.0.0.1/32"]
parents = "dns:127.0.0.1:{parent}"
forward = {{ "silent.test" = "dns:127.0.0.1:{silent}", "large.test" = "dns+tcp:127.0.0.1:{large}" }}
[resolver.walk]
listen = "udp:0:interface=127.0.0.1"
allow = ["127.0.0.1/32"]
parents = "root"
hints = "hints"
root_port = {bad}
[resolver.validate]
listen = "udp:0:interface=127.0.0.1"
allow = ["127.0.0.1/32"]
parents = "dns:127.0.0.1:{forging}"
dnssec = "validate"
trust_anchors = "anchors"
"""
HINTS = ". 3600 IN NS a.root.\na.root. 3600 IN A 127.0.0.1\n"
MANY = [f"10.2.{n // 250}.{n % 250 + 1}" for n in range(4050)]
ZONE = (
    "$ORIGIN lab.\n$TTL 60\n@ SOA ns hostmaster 1 1800 900 604800 60\n@ NS ns\nns A 192.0.2.2\nwww A 192.0.2.1\n"
    + "".join(f"big A 10.1.{n // 250}.{n % 250 + 1}\n" for n in range(4000))
)


def percentile(port: int, names: Iterator[str]) -> float:
    """The 99th percentile, in seconds, of an honest client that asks for :data:`SECONDS`; each answer is a good one."""
    took = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(("127.0.0.1", port))
        end = time.monotonic() + SECONDS
        while (began := time.monotonic()) < end:
            sock.send(query(next(names)))
            reply = dns.message.from_wire(sock.recv(65535))
            took.append(time.monotonic() - began)
            assert reply.rcode() == dns.rcode.NOERROR, reply
            time.sleep(PAUSE)
    return sorted(took)[int(len(took) * 0.99)]


@contextmanager
def serving(serve: Callable[[socket.socket], None], sock: socket.socket) -> Iterator[int]:
    """Have a process of its own ``serve`` at ``sock``: honest clients are not to wait for it. Gives the port."""
    process = multiprocessing.get_context("fork").Process(target=serve, args=[sock])
    process.start()
    try:
        yield sock.getsockname()[1]
    finally:
        process.kill()
        process.join()


@contextmanager
def attacked(kind: str, port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.soak.attackers", kind, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as attacker:
        try:
            time.sleep(2.0)
            yield
            assert attacker.poll() is None, f"{kind} has ended"
        finally:
            attacker.kill()


def answering(sock: socket.socket) -> None:
    """Be a parent that knows every name."""
    while True:
        datagram, source = sock.recvfrom(65535)
        asked = dns.message.from_wire(datagram)
        reply = dns.message.make_response(asked, recursion_available=True)
        reply.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", "A", "192.0.2.7"))
        sock.sendto(reply.to_wire(), source)


def answering_largely(listener: socket.socket) -> None:
    """Be a parent that has very many addresses for every name, by TCP."""
    records = b"".join([b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address) for address in MANY])
    while True:
        stream, _ = listener.accept()
        with stream, suppress(OSError, EOFError):
            asked, _ = dns.query.receive_tcp(stream, time.time() + DEADLINE)
            head = struct.pack("!HHHHHH", asked.id, 0x8580, 1, len(MANY), 0, 0)
            question = (asked.question[0].name.to_wire() or b"") + b"\0\1\0\1"
            dns.query.send_tcp(stream, head + question + records, time.time() + DEADLINE)


def referring(sock: socket.socket) -> None:
    """Be a root that refers each name to ten servers more, none of which it has an address of."""
    fixed = struct.pack("!HHIH", 6, 1, 60, 2 + 20) + b"\0\0" + struct.pack("!IIIII", 1, 3600, 600, 86400, 60)
    for number in itertools.count():
        datagram, source = sock.recvfrom(65535)
        places = [12]
        while datagram[places[-1]]:
            places.append(places[-1] + 1 + datagram[places[-1]])
        question = datagram[12 : places[-1] + 5]
        if len(places) < 3:  # a label alone: it has no data
            sock.sendto(datagram[:2] + struct.pack("!HHHHH", 0x8400, 1, 0, 1, 0) + question + b"\0" + fixed, source)
            continue
        zone, above = (struct.pack("!H", 0xC000 | place) for place in places[-3:-1])
        servers = [b"\2ns" + bytes([len(each)]) + each + above for each in (b"s%d-%d" % (number, n) for n in range(10))]
        records = [zone + struct.pack("!HHIH", 2, 1, 60, len(server)) + server for server in servers]
        head = datagram[:2] + struct.pack("!HHHHH", 0x8000, 1, 0, len(records), 0)
        sock.sendto(head + question + b"".join(records), source)


FORGED = dns.name.from_text("forged.test.")
KEY = ec.generate_private_key(ec.SECP256R1())
DNSKEY = dns.dnssec.make_dnskey(KEY.public_key(), "ECDSAP256SHA256", flags=257)


def forging(sock: socket.socket) -> None:
    """Be the parent that has the zone forged.test, with its key and with sixty wrong signatures of everything else."""
    until = int(time.time()) + 86400
    keys = dns.rrset.from_rdata(FORGED, 3600, DNSKEY)
    right = dns.dnssec.sign(keys, KEY, FORGED, DNSKEY, lifetime=86400)
    wrong = [right.replace(type_covered=dns.rdatatype.A, labels=3, expiration=until, signature=os.urandom(64))] * 60
    wrong = [each.replace(signature=os.urandom(64)) for each in wrong]
    while True:
        datagram, source = sock.recvfrom(65535)
        reply = dns.message.make_response(dns.message.from_wire(datagram), recursion_available=True)
        name = reply.question[0].name
        if reply.question[0].rdtype == dns.rdatatype.DNSKEY:
            reply.answer += [keys, dns.rrset.from_rdata(FORGED, 3600, right)]
        else:
            reply.answer += [dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.8")]
            reply.answer += [dns.rrset.from_rdata_list(name, 60, wrong)]
        sock.sendto(reply.to_wire(max_size=65535), source)


@pytest.mark.soak
def test_honest_clients_hardly_notice_an_attacker(tmp_path: Path) -> None:
    """Beside each the 99th percentile is at most three times that without: of records, and of names that are asked."""
    silent, parent, bad, forger = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4))
    large = socket.create_server(("127.0.0.1", 0))
    with silent, parent, bad, forger, large, ExitStack() as servers:
        for sock in silent, parent, bad, forger:
            sock.bind(("127.0.0.1", 0))
        ports = {
            "silent": silent.getsockname()[1],
            "parent": servers.enter_context(serving(answering, parent)),
            "bad": servers.enter_context(serving(referring, bad)),
            "forging": servers.enter_context(serving(forging, forger)),
            "large": servers.enter_context(serving(answering_largely, large)),
        }
        (tmp_path / "hints").write_text(HINTS)
        (tmp_path / "lab.toml").write_text(LAB.format(**ports))
        (tmp_path / "zone.lab").write_text(ZONE)
        (tmp_path / "anchors").write_text(f"{FORGED} IN DNSKEY {DNSKEY}\n")
        certificates.write(tmp_path)
        with Daemon("labnet", "--config", "lab.toml", cwd=tmp_path) as daemon:
            port = daemon.address("resolver main")[1]
            ports_of = {
                "walk": daemon.address("resolver walk")[1],
                "forged": daemon.address("resolver validate")[1],
                "handshakes": int(daemon.wait_for(r"resolver main listens on 127.0.0.1:(\d+) \(TLS\)")[1]),
                "bodies": int(daemon.wait_for(r"resolver main listens on 127.0.0.1:(\d+) \(HTTP\)")[1]),
            }
            fresh = (f"name{number}.example" for number in range(10**9))
            known = iter(lambda: "www.lab", None)
            alone = {"known": percentile(port, known), "fresh": percentile(port, fresh)}
            print(f"\nalone: p99 {alone['known'] * 1e3:.2f} ms known, {alone['fresh'] * 1e3:.2f} ms fresh")
            worse = {}
            for kind in KINDS:
                with attacked(kind, ports_of.get(kind, port)):
                    beside = {"known": percentile(port, known), "fresh": percentile(port, fresh)}
                print(
                    f"\n{kind}: p99 {beside['known'] * 1e3:.2f} ms known, {beside['fresh'] * 1e3:.2f} ms fresh", end=""
                )
                for what, took in beside.items():
                    if took > max(LEAST, MOST_SLOWER * alone[what]):
                        worse[kind, what] = took
            assert not worse
