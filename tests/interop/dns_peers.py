"""named, unbound, dnsmasq, NSD and Knot as real processes: as servers of a zone, as forwarders, as recursive ones."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.daemon import DEADLINE
from tests.interop.peers import tool
from tests.interop.plain import Address

LOOPBACK = "127.0.0.1"

ORIGIN = "lab.test"

ZONE = f"""$ORIGIN {ORIGIN}.
$TTL 300
@         SOA   ns admin 1 3600 600 86400 60
@         NS    ns
@         MX    10 mail
ns        A     127.0.0.1
www       A     192.0.2.1
www       A     192.0.2.2
www       AAAA  2001:db8::1
mail      A     192.0.2.3
mail      TXT   "v=spf1 -all" "second string; with a \\"quote\\""
alias     CNAME alias2
alias2    CNAME www
gone      CNAME nothing
_sip._udp SRV   1 2 5060 www
*.wild    A     192.0.2.4
large     TXT   {" ".join(f'"{number:03}{"x" * 200}"' for number in range(20))}
"""

QUESTIONS = tuple(
    (f"{name}.{ORIGIN}." if name != "@" else f"{ORIGIN}.", rrtype)
    for name, rrtype in (
        ("@", "SOA"),
        ("@", "NS"),
        ("@", "MX"),
        ("www", "A"),
        ("WWW", "AAAA"),
        ("mail", "TXT"),
        ("large", "TXT"),
        ("alias", "A"),
        ("alias", "AAAA"),
        ("alias", "CNAME"),
        ("_sip._udp", "SRV"),
        ("x.wild", "A"),
        ("x.y.wild", "A"),
        ("x.wild", "TXT"),
        ("www", "MX"),
        ("alias", "MX"),
        ("nothing", "A"),
        ("gone", "A"),
    )
)
"""Each kind of answer there is: of several types, too large for a datagram, chains, wildcards, NODATA, NXDOMAIN."""


@dataclass(frozen=True)
class Peer:
    """A running server."""

    name: str
    address: Address
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self.log_file.read_text(errors="replace")

    def stop(self) -> None:
        """End it and wait until its ports are free."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(DEADLINE)

    def freeze(self) -> None:
        """Let it say no more, with its ports still taken; only :meth:`stop` wakes it."""
        self.process.send_signal(signal.SIGSTOP)

    def wait_for(self, text: str) -> None:
        """Until its log has ``text``."""
        until = time.monotonic() + DEADLINE
        while text not in self.log:
            if self.process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"{self.name} did not say {text!r}:\n{self.log}", pytrace=False)
            time.sleep(0.05)


def free_port(*hosts: str) -> int:
    """A port that neither UDP nor TCP uses now at any of ``hosts``; at 127.0.0.1 where there are none."""
    for _ in range(100):
        with socket.socket() as first:
            first.bind((LOOPBACK, 0))
            port = int(first.getsockname()[1])
        if all(_is_free(host, port) for host in hosts or (LOOPBACK,)):
            return port
    raise AssertionError("no port is free for both UDP and TCP")


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        try:
            stream.bind((host, port))
            datagrams.bind((host, port))
        except OSError:
            return False
    return True


def query(name: str, rrtype: int = 1, id: int = 4711, flags: int = 0x0100) -> bytes:
    """A question of class IN, as bytes, with no EDNS."""
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return struct.pack("!6H", id, flags, 1, 0, 0, 0) + wire + struct.pack("!HH", rrtype, 1)


def _is_answered(address: Address, name: str) -> bool:
    """Whether there is a server that tells something for ``name``; SOA is what every zone has."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        sock.connect(address)
        try:
            sock.send(query(name, rrtype=6))
            reply = sock.recv(65535)
        except OSError:
            return False
        return not reply[3] & 15 and reply[7] > 0


def _is_running(name: str) -> Callable[[Address], bool]:
    return lambda address: _is_answered(address, name)


@contextmanager
def running(
    name: str, address: Address, command: Sequence[str], folder: Path, ready: Callable[[Address], bool]
) -> Iterator[Peer]:
    """The server ``name`` run by ``command``, from when it is ``ready`` until the ``with`` block ends."""
    log_file = folder / f"{name}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    peer = Peer(name, address, process, log_file)
    try:
        until = time.monotonic() + DEADLINE
        while not ready(address):
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"{name} does not answer:\n{peer.log}", pytrace=False)
            time.sleep(0.05)
        yield peer
    finally:
        peer.stop()


@contextmanager
def serving(name: str, folder: Path, zone: str = ZONE, origin: str = ORIGIN, upstream: int = 0) -> Iterator[Peer]:
    """The server ``name`` with ``zone`` at a free port; dnsmasq reads no zones and asks at the port ``upstream``."""
    folder.mkdir(parents=True)
    address = (LOOPBACK, free_port())
    (folder / "zone").write_text(zone)
    command = _SERVING[name](folder, address[1], origin, upstream)
    with running(name, address, command, folder, _is_running(origin)) as peer:
        yield peer


@contextmanager
def serving_many(name: str, folder: Path, zones: Mapping[str, str]) -> Iterator[Peer]:
    """The server ``name`` (not dnsmasq) with ``zones`` (the text of each by its name) at a free port."""
    folder.mkdir(parents=True)
    address = (LOOPBACK, free_port())
    files = {origin: f"zone{number}" for number, origin in enumerate(zones)}
    for origin, text in zones.items():
        (folder / files[origin]).write_text(text)
    command = _SERVING_MANY[name](folder, address[1], files)

    def ready(address: Address) -> bool:
        return all(_is_answered(address, origin) for origin in zones)

    with running(name, address, command, folder, ready) as peer:
        yield peer


@contextmanager
def home_router(folder: Path, records: str) -> Iterator[Peer]:
    """dnsmasq as a router at home runs it: with ``records`` of its own, lines of its configuration, and no upstream."""
    folder.mkdir(parents=True)
    address = (LOOPBACK, free_port())
    command = _dnsmasq(folder, address[1], ORIGIN, 0, records=records)
    with running("dnsmasq", address, command, folder, lambda address: not _is_free(*address)) as peer:
        yield peer


@contextmanager
def forwarding(name: str, folder: Path, upstream: int, tcp: bool = False, origin: str = ORIGIN) -> Iterator[Peer]:
    """The server ``name`` that asks at the port ``upstream`` for all names below ``origin``.

    ``tcp`` makes it ask by TCP alone; dnsmasq and knotd cannot be told to, they ask as they were asked.
    """
    folder.mkdir(parents=True)
    address = (LOOPBACK, free_port())
    command = _FORWARDING[name](folder, address[1], origin, upstream, tcp)
    with running(name, address, command, folder, _is_running(origin)) as peer:
        yield peer


@contextmanager
def validating(folder: Path, upstream: int, anchor: str, origin: str = ORIGIN) -> Iterator[Peer]:
    """unbound that asks at the port ``upstream`` and validates what is below ``origin``, whose key is ``anchor``."""
    folder.mkdir(parents=True)
    address = (LOOPBACK, free_port())
    command = _unbound(
        folder,
        address[1],
        f" module-config: \"validator iterator\"\n trust-anchor: '{anchor}'\n",
        f'forward-zone:\n name: "."\n forward-addr: {LOOPBACK}@{upstream}\n',
    )
    with running("unbound", address, command, folder, _is_running(origin)) as peer:
        yield peer


@contextmanager
def filtering(folder: Path, zone: Peer, server: str, rest: str, policy: str) -> Iterator[Peer]:
    """unbound that asks the server of a ``zone``, with more lines of its configuration and the ``policy`` zone."""
    folder.mkdir(parents=True)
    address = (LOOPBACK, free_port())
    (folder / "policy.rpz").write_text(policy)
    stub = f"stub-zone:\n name: {ORIGIN}\n stub-addr: {LOOPBACK}@{zone.address[1]}\n"
    command = _unbound(folder, address[1], server, stub + rest)
    with running("unbound", address, command, folder, _is_running(ORIGIN)) as peer:
        yield peer


@contextmanager
def validating_with(folder: Path, upstream: int, anchor: str, stubs: str = "") -> Iterator[Peer]:
    """unbound that validates all names from ``anchor`` on, and believes no more of a zone than one reply says.

    It asks at the port ``upstream``, or where the lines ``stubs`` of its configuration say.
    """
    folder.mkdir(parents=True)
    address = (LOOPBACK, free_port())
    server = (
        f" module-config: \"validator iterator\"\n trust-anchor: '{anchor}'\n"
        " aggressive-nsec: no\n qname-minimisation: no\n"
    )
    forward = f'forward-zone:\n name: "."\n forward-addr: {LOOPBACK}@{upstream}\n'
    command = _unbound(folder, address[1], server, stubs or forward)
    with running("unbound", address, command, folder, lambda address: not _is_free(*address)) as peer:
        yield peer


@contextmanager
def transferring(name: str, folder: Path, primary: int, origin: str = ORIGIN) -> Iterator[Peer]:
    """NSD or knotd as a secondary that wants ``origin`` transferred from the port ``primary``."""
    folder.mkdir(parents=True)
    address = (LOOPBACK, free_port())
    command = _TRANSFERRING[name](folder, address[1], origin, primary)
    with running(name, address, command, folder, lambda address: not _is_free(*address)) as peer:
        yield peer


@contextmanager
def recursing(
    name: str, folder: Path, port: int, hints: str, others: int = 53, inside: Sequence[str] = ()
) -> Iterator[Peer]:
    """named or unbound at ``port`` that walks from the root ``hints``; named looks for servers at the port ``others``.

    unbound knows no other than 53. ``inside`` is what a command line begins with to be run in another network; nothing
    here can see the server there, so it is ready when it says so.
    """
    folder.mkdir(parents=True)
    (folder / "hints").write_text(hints)
    command = _RECURSING[name](folder, port, others)
    started = {"named": " running\n", "unbound": "start of service"}[name]

    def ready(_: Address) -> bool:
        return started in (folder / f"{name}.log").read_text()

    with running(name, (LOOPBACK, port), [*inside, *command], folder, ready) as peer:
        yield peer


def _named(folder: Path, options: str, rest: str) -> list[str]:
    config = folder / "named.conf"
    config.write_text(
        f'options {{ directory "{folder}"; managed-keys-directory "{folder}"; pid-file none;'
        f' session-keyfile "{folder}/key"; listen-on-v6 {{ none; }}; dnssec-validation no; notify no; {options} }};\n'
        f"controls {{ }};\n{rest}\n"
    )
    return [tool("named", "bind9"), "-g", "-n", "1", "-c", str(config)]


def _named_serving(folder: Path, port: int, origin: str, upstream: int) -> list[str]:
    return _named(
        folder,
        f"listen-on port {port} {{ {LOOPBACK}; }}; recursion no;",
        f'zone "{origin}" {{ type primary; file "{folder}/zone"; }};',
    )


def _named_serving_many(folder: Path, port: int, files: Mapping[str, str]) -> list[str]:
    return _named(
        folder,
        f"listen-on port {port} {{ {LOOPBACK}; }}; recursion no; minimal-responses yes; empty-zones-enable no;",
        "\n".join(
            f'zone "{origin}" {{ type primary; file "{folder}/{file}"; check-integrity no; check-names ignore; }};'
            for origin, file in files.items()
        ),
    )


def _named_forwarding(folder: Path, port: int, origin: str, upstream: int, tcp: bool) -> list[str]:
    return _named(
        folder,
        f"listen-on port {port} {{ {LOOPBACK}; }}; recursion yes; allow-recursion {{ any; }};"
        f" forward only; forwarders {{ {LOOPBACK} port {upstream}; }};",
        f"server {LOOPBACK} {{ tcp-only yes; }};" if tcp else "",
    )


def _named_recursing(folder: Path, port: int, others: int) -> list[str]:
    # named listens only on addresses that an interface has; `port` is where it looks for all other servers.
    return _named(
        folder,
        f"port {others}; listen-on port {port} {{ {LOOPBACK}; }}; recursion yes; allow-recursion {{ any; }};"
        " empty-zones-enable no;",
        f'zone "." {{ type hint; file "{folder}/hints"; }};',
    )


def _unbound(folder: Path, port: int, server: str, rest: str) -> list[str]:
    config = folder / "unbound.conf"
    config.write_text(
        f'server:\n interface: {LOOPBACK}\n port: {port}\n username: ""\n chroot: ""\n directory: "{folder}"\n'
        f' pidfile: ""\n use-syslog: no\n do-not-query-localhost: no\n module-config: "iterator"\n num-threads: 1\n'
        f' access-control: 127.0.0.0/8 allow\n local-zone: "test." nodefault\n{server}'
        f"remote-control:\n control-enable: no\n{rest}"
    )
    return [tool("unbound", "unbound"), "-d", "-p", "-c", str(config)]


def _unbound_serving(folder: Path, port: int, origin: str, upstream: int) -> list[str]:
    zone = f'auth-zone:\n name: {origin}\n zonefile: "{folder}/zone"\n for-downstream: no\n for-upstream: yes\n'
    return _unbound(folder, port, "", zone)


def _unbound_serving_many(folder: Path, port: int, files: Mapping[str, str]) -> list[str]:
    zones = [
        f'auth-zone:\n name: {origin}\n zonefile: "{folder}/{file}"\n for-upstream: no\n fallback-enabled: no\n'
        for origin, file in files.items()
    ]
    return _unbound(folder, port, " access-control: 127.0.0.1 allow_snoop\n", "".join(zones))


def _unbound_forwarding(folder: Path, port: int, origin: str, upstream: int, tcp: bool) -> list[str]:
    zone = f'forward-zone:\n name: "."\n forward-addr: {LOOPBACK}@{upstream}\n'
    return _unbound(folder, port, " tcp-upstream: yes\n" if tcp else "", zone)


def _unbound_recursing(folder: Path, port: int, others: int) -> list[str]:
    return _unbound(folder, port, f' root-hints: "{folder}/hints"\n verbosity: 1\n', "")


def _dnsmasq(folder: Path, port: int, origin: str, upstream: int, tcp: bool = False, records: str = "") -> list[str]:
    config = folder / "dnsmasq.conf"
    records = records or f"server=/{origin}/{LOOPBACK}#{upstream}"
    config.write_text(
        f"port={port}\nlisten-address={LOOPBACK}\nbind-interfaces\nno-resolv\nno-hosts\npid-file=\n{records}\n"
    )
    return [tool("dnsmasq", "dnsmasq-base"), "-k", "-C", str(config)]


def _nsd(folder: Path, port: int, zone: str) -> list[str]:
    config = folder / "nsd.conf"
    config.write_text(
        f'server:\n ip-address: {LOOPBACK}\n port: {port}\n username: ""\n chroot: ""\n zonesdir: "{folder}"\n'
        f' database: ""\n pidfile: ""\n xfrdfile: "{folder}/xfrd"\n xfrdir: "{folder}"\n'
        f' zonelistfile: "{folder}/list"\n server-count: 1\n verbosity: 2\n rrl-ratelimit: 0\n'
        f"remote-control:\n control-enable: no\nzone:\n{zone}"
    )
    return [tool("nsd", "nsd"), "-d", "-c", str(config)]


def _nsd_serving(folder: Path, port: int, origin: str, upstream: int) -> list[str]:
    return _nsd(folder, port, f' name: {origin}\n zonefile: "{folder}/zone"\n')


def _nsd_serving_many(folder: Path, port: int, files: Mapping[str, str]) -> list[str]:
    zones = [f' name: {origin}\n zonefile: "{folder}/{file}"\n' for origin, file in files.items()]
    return _nsd(folder, port, "zone:\n".join(zones))


def _nsd_transferring(folder: Path, port: int, origin: str, primary: int) -> list[str]:
    return _nsd(folder, port, f" name: {origin}\n request-xfr: AXFR {LOOPBACK}@{primary} NOKEY\n")


def _knotd(folder: Path, port: int, middle: str, zone: str) -> list[str]:
    config = folder / "knot.conf"
    config.write_text(
        f'server:\n  rundir: "{folder}"\n  listen: {LOOPBACK}@{port}\n  udp-workers: 1\n  tcp-workers: 1\n'
        f'  background-workers: 1\nlog:\n  - target: stderr\n    any: info\ndatabase:\n  storage: "{folder}"\n{middle}'
        f'template:\n  - id: default\n    storage: "{folder}"\n    zonefile-sync: -1\n    journal-content: none\n{zone}'
    )
    return [tool("knotd", "knot"), "-c", str(config)]


def _knotd_serving(folder: Path, port: int, origin: str, upstream: int) -> list[str]:
    return _knotd(folder, port, "", f"zone:\n  - domain: {origin}\n    file: zone\n")


def _knotd_serving_many(folder: Path, port: int, files: Mapping[str, str]) -> list[str]:
    zones = [f"  - domain: {origin}\n    file: {file}\n" for origin, file in files.items()]
    return _knotd(folder, port, "", "zone:\n" + "".join(zones))


def _knotd_forwarding(folder: Path, port: int, origin: str, upstream: int, tcp: bool) -> list[str]:
    middle = (
        f"remote:\n  - id: upstream\n    address: {LOOPBACK}@{upstream}\n"
        "mod-dnsproxy:\n  - id: default\n    remote: upstream\n    fallback: off\n"
    )
    return _knotd(folder, port, middle, "    global-module: mod-dnsproxy/default\n")


def _knotd_transferring(folder: Path, port: int, origin: str, primary: int) -> list[str]:
    remote = f"remote:\n  - id: primary\n    address: {LOOPBACK}@{primary}\n"
    return _knotd(folder, port, remote, f"zone:\n  - domain: {origin}\n    master: primary\n")


_SERVING: dict[str, Callable[[Path, int, str, int], list[str]]] = {
    "named": _named_serving,
    "unbound": _unbound_serving,
    "nsd": _nsd_serving,
    "knotd": _knotd_serving,
    "dnsmasq": _dnsmasq,
}
_SERVING_MANY: dict[str, Callable[[Path, int, Mapping[str, str]], list[str]]] = {
    "named": _named_serving_many,
    "unbound": _unbound_serving_many,
    "nsd": _nsd_serving_many,
    "knotd": _knotd_serving_many,
}
_FORWARDING: dict[str, Callable[[Path, int, str, int, bool], list[str]]] = {
    "named": _named_forwarding,
    "unbound": _unbound_forwarding,
    "dnsmasq": _dnsmasq,
    "knotd": _knotd_forwarding,
}
_RECURSING: dict[str, Callable[[Path, int, int], list[str]]] = {
    "named": _named_recursing,
    "unbound": _unbound_recursing,
}
_TRANSFERRING: dict[str, Callable[[Path, int, str, int], list[str]]] = {
    "nsd": _nsd_transferring,
    "knotd": _knotd_transferring,
}
