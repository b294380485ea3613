"""NSD, Knot and named as primaries and secondaries of a lab, with TSIG, IXFR and NOTIFY both ways."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.dns_peers import LOOPBACK, Peer, _is_answered, free_port, running
from tests.interop.peers import tool

PEERS = ("nsd", "knotd", "named")

KEY, SECRET = "key.lab", "bm9ib2R5J3MgYnV0IG91cnMgdG8ga25vdw=="


def zone_text(zone: str, serial: int, records: str) -> str:
    """A zone file."""
    return f"$ORIGIN {zone}.\n$TTL 60\n@ SOA ns admin {serial} 3600 900 86400 60\n@ NS ns\nns A 127.0.0.1\n{records}\n"


@dataclass
class TransferPeer:
    """A peer that is the primary of ``own``, and a secondary of ``theirs``, which the lab has."""

    peer: Peer
    folder: Path
    own: str
    theirs: str

    def change(self, serial: int, records: str) -> None:
        """Have its zone hold these records, and tell of it."""
        (self.folder / "own.zone").write_text(zone_text(self.own, serial, records))
        self.peer.process.send_signal(signal.SIGHUP)


@contextmanager
def exchanging(name: str, folder: Path, lab: int, theirs: str, records: str) -> Iterator[TransferPeer]:
    """The peer ``name`` beside a lab at the port ``lab``; its own zone is ``NAME.test``."""
    folder.mkdir(parents=True)
    own, port = f"{name}.test", free_port()
    (folder / "own.zone").write_text(zone_text(own, 1, records))
    command = _COMMANDS[name](folder, port, lab, own, theirs)
    with running(name, (LOOPBACK, port), command, folder, lambda address: _is_answered(address, own)) as peer:
        yield TransferPeer(peer, folder, own, theirs)


def _named(folder: Path, port: int, lab: int, own: str, theirs: str) -> list[str]:
    config = folder / "named.conf"
    config.write_text(
        f'options {{ directory "{folder}"; managed-keys-directory "{folder}"; pid-file none;'
        f' session-keyfile "{folder}/session"; listen-on-v6 {{ none; }}; listen-on port {port} {{ {LOOPBACK}; }};'
        f" dnssec-validation no; recursion no; notify explicit; notify-delay 0; min-refresh-time 1; }};\n"
        f'controls {{ }};\nkey "{KEY}" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'
        f'zone "{own}" {{ type primary; file "own.zone"; ixfr-from-differences yes;'
        f' allow-transfer {{ key "{KEY}"; }}; also-notify {{ {LOOPBACK} port {lab} key "{KEY}"; }}; }};\n'
        f'zone "{theirs}" {{ type secondary; file "theirs.zone"; masterfile-format text;'
        f' primaries {{ {LOOPBACK} port {lab} key "{KEY}"; }}; allow-notify {{ key "{KEY}"; }}; notify no; }};\n'
    )
    return [tool("named", "bind9"), "-g", "-n", "1", "-c", str(config)]


def _nsd(folder: Path, port: int, lab: int, own: str, theirs: str) -> list[str]:
    config = folder / "nsd.conf"
    config.write_text(
        f'server:\n ip-address: {LOOPBACK}\n port: {port}\n username: ""\n chroot: ""\n zonesdir: "{folder}"\n'
        f' database: ""\n pidfile: ""\n xfrdfile: "{folder}/xfrd"\n xfrdir: "{folder}"\n xfrd-reload-timeout: 0\n'
        f' zonelistfile: "{folder}/list"\n server-count: 1\n verbosity: 3\n rrl-ratelimit: 0\n'
        f"remote-control:\n control-enable: no\n"
        f'key:\n name: "{KEY}"\n algorithm: hmac-sha256\n secret: "{SECRET}"\n'
        f'zone:\n name: "{own}"\n zonefile: own.zone\n store-ixfr: yes\n create-ixfr: yes\n'
        f" notify: {LOOPBACK}@{lab} {KEY}\n provide-xfr: {LOOPBACK} {KEY}\n"
        f'zone:\n name: "{theirs}"\n zonefile: theirs.zone\n request-xfr: {LOOPBACK}@{lab} {KEY}\n'
        f" allow-notify: {LOOPBACK} {KEY}\n"
    )
    return [tool("nsd", "nsd"), "-d", "-c", str(config)]


def _knotd(folder: Path, port: int, lab: int, own: str, theirs: str) -> list[str]:
    config = folder / "knot.conf"
    config.write_text(
        f'server:\n  rundir: "{folder}"\n  listen: {LOOPBACK}@{port}\n  udp-workers: 1\n  tcp-workers: 1\n'
        f'  background-workers: 1\nlog:\n  - target: stderr\n    any: debug\ndatabase:\n  storage: "{folder}"\n'
        f'key:\n  - id: "{KEY}"\n    algorithm: hmac-sha256\n    secret: "{SECRET}"\n'
        f'remote:\n  - id: lab\n    address: {LOOPBACK}@{lab}\n    key: "{KEY}"\n'
        f'acl:\n  - id: give\n    key: "{KEY}"\n    action: [transfer, notify]\n'
        f'template:\n  - id: default\n    storage: "{folder}"\n'
        f"zone:\n  - domain: {own}\n    file: own.zone\n    zonefile-load: difference\n    journal-content: changes\n"
        f"    zonefile-sync: -1\n    notify: lab\n    acl: give\n"
        f"  - domain: {theirs}\n    file: theirs.zone\n    master: lab\n    acl: give\n"
    )
    return [tool("knotd", "knot"), "-c", str(config)]


_COMMANDS = {"named": _named, "nsd": _nsd, "knotd": _knotd}
