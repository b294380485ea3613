"""The peers that labnet is measured beside: how each is started on the same records, and what labnet runs on."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from labnet.authority.certificates import read_name
from labnet.authority.folder import make

_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin"

Command = Callable[[int], list[str]]

LAB = """\
[lab]
state = "{folder}"
workers = {workers}
[command]
listen = "tcp:{tcp}:interface=127.0.0.1"
clients = 0
sessions_per_address = 0
deny = ["192.0.2.0/24"]
[console]
listen = "tcp:0:interface=127.0.0.1"
query_log = "queries.log"
query_sample = 0.0001
[resolver.main]
listen = "udp:{port}:interface=127.0.0.1"
records = "{records}"
zones = ["lab.test"]
dialect = "{dialect}"
deny = ["192.0.2.0/24"]
rate_limit = 1e9
rate_exempt = []
"""
"""With everything on: access rules, limits, metrics, a sampled query log."""

LAB_ENCRYPTED = """\
[lab]
state = "{folder}"
[console]
listen = "tcp:0:interface=127.0.0.1"
query_log = "queries.log"
query_sample = 0.0001
[resolver.main]
listen = [
    "udp:{port}:interface=127.0.0.1",
    'tls:{tls}:certificate={certificate}:key={key}',
    'https:{https}:certificate={certificate}:key={key}',
]
records = "zone:zone"
zones = ["lab.test"]
deny = ["192.0.2.0/24"]
"""

LAB_FORWARDS = """\
[lab]
state = "{folder}"
[console]
listen = "tcp:0:interface=127.0.0.1"
[resolver.main]
listen = "udp:{port}:interface=127.0.0.1"
parents = "dns:127.0.0.1:{parent}"
deny = ["192.0.2.0/24"]
rate_limit = 1e9
rate_exempt = []
in_flight = 10000
in_flight_per_client = 10000
"""

LAB_WITHOUT_CACHE = """\
packet_cache_bytes = 0
ttl_max = 0
negative_ttl_max = 0
"""

DNSMASQ_NAMES = 10_000
"""Names in its cache; it warns of more."""

UNBOUND_FORWARDS = """\
server:
  interface: 127.0.0.1
  port: {port}
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "test." nodefault
  num-queries-per-thread: 10000
  outgoing-range: 20000
{cache}
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{parent}
"""

UNBOUND_WITHOUT_CACHE = """\
  msg-cache-size: 0
  rrset-cache-size: 0
  cache-max-ttl: 0"""

NAMED = """\
options {{
  directory "{folder}";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  pid-file none;
  recursion no;
  minimal-responses yes;
  dnssec-validation no;
}};
controls {{ }};
zone "lab.test" {{ type primary; file "{folder}/zone"; }};
"""

UNBOUND = """\
server:
  interface: 127.0.0.1
  port: {port}
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  minimal-responses: yes
remote-control:
  control-enable: no
include: "{folder}/local-data"
"""

UNBOUND_ENCRYPTED = """\
server:
  interface: 127.0.0.1@{tls}
  interface: 127.0.0.1@{https}
  tls-port: {tls}
  https-port: {https}
  tls-service-pem: "{certificate}"
  tls-service-key: "{key}"
"""

DNSDIST = """\
setLocal("127.0.0.1:{port}")
addTLSLocal("127.0.0.1:{tls}", "{certificate}", "{key}")
addDOHLocal("127.0.0.1:{https}", "{certificate}", "{key}", "/dns-query")
newServer("127.0.0.1:{backend}"):setUp()
setSecurityPollSuffix("")
getPool(""):setCache(newPacketCache(1000000, {{maxTTL=3600}}))
setMaxTCPConnectionDuration(0)
"""
"""It has no records: unbound behind it has, and is asked once for each."""

NSD = """\
server:
  server-count: 1
  ip-address: 127.0.0.1@{port}
  do-ip6: no
  username: ""
  database: ""
  zonesdir: "{folder}"
  zonelistfile: "{folder}/zone.list"
  xfrdfile: "{folder}/xfrd.state"
  xfrdir: "{folder}"
  pidfile: ""
  logfile: "{folder}/nsd.log"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  minimal-responses: yes
remote-control:
  control-enable: no
zone:
  name: "lab.test"
  zonefile: "zone"
"""

KNOT = """\
server:
  rundir: "{folder}"
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  automatic-acl: off
database:
  storage: "{folder}"
template:
  - id: default
    storage: "{folder}"
    zonefile-sync: -1
    journal-content: none
    zonefile-load: whole
zone:
  - domain: lab.test
    file: "{folder}/zone"
"""


def write_records(folder: Path, names: int, addresses: int = 0) -> None:
    """Write the same ``names`` A records for every server, and the questions for dnsperf and the generator.

    One name more has so many ``addresses``; the question about it is in a file of its own.
    """
    hosts = [(f"host{n:06d}.lab.test", f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}") for n in range(1, names + 1)]
    hosts += [("large.lab.test", f"10.255.{n >> 8 & 255}.{n & 255}") for n in range(addresses)]
    (folder / "large").write_text("large.lab.test A\n")
    head = "$ORIGIN lab.test.\n$TTL 60\n@ IN SOA ns root 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n"
    (folder / "zone").write_text(head + "".join(f"{host}. 60 IN A {address}\n" for host, address in hosts))
    (folder / "hosts").write_text("".join(f"{address} {host}\n" for host, address in hosts))
    data = "".join(f'local-data: "{host}. 60 IN A {address}"\n' for host, address in hosts)
    (folder / "local-data").write_text('server:\nlocal-zone: "lab.test." static\n' + data)
    (folder / "questions").write_text("".join(f"{host} A\n" for host, _ in hosts))
    random.Random(1).shuffle(hosts)
    (folder / "shuffled").write_text("".join(f"{host} A\n" for host, _ in hosts))
    (folder / "backward").write_text("".join(f"{host} A\n" for host, _ in reversed(hosts)))


def labnet(folder: Path, records: str, workers: int = 1, dialect: str = "json", has_page: bool = False) -> Command:
    """The whole lab on the records in the file ``records``: its command server is on the next port.

    Its live page, if it is to have one, is on the port behind that.
    """

    def command(port: int) -> list[str]:
        values = {
            "port": port,
            "tcp": port + 1,
            "records": f"{records}:{records}",
            "folder": folder,
            "workers": workers,
            "dialect": dialect,
        }
        page = f'[console]\npage = "tcp:{port + 2}:interface=127.0.0.1"'
        template = LAB.replace("[console]", page) if has_page else LAB
        return [*_twistd(folder), "labnet", "--config", _written(folder / "lab.toml", template, **values)]

    return command


def resolvers(folder: Path) -> Iterator[tuple[str, Command]]:
    """labnet and each peer that is installed: its name, and its command line for a port."""
    yield "labnet", labnet(folder, "zone")
    settings = {"nsd": (NSD, ["-d", "-c"]), "knotd": (KNOT, ["-c"]), "unbound": (UNBOUND, ["-d", "-c"])}
    for name, (template, options) in settings.items():
        path = shutil.which(name, path=_PATH)
        if path is not None:
            yield name, _with_settings(path, options, folder / f"{name}.conf", template)
    named = shutil.which("named", path=_PATH)
    if named is not None:
        yield "named", _with_settings(named, ["-g", "-n", "1", "-c"], folder / "named.conf", NAMED)
    dnsmasq = shutil.which("dnsmasq", path=_PATH)
    if dnsmasq is not None:
        yield "dnsmasq", _dnsmasq(dnsmasq, [f"--addn-hosts={folder}/hosts", "--local-ttl=60"])
    zone = ["dns", f"--bindzone={folder}/zone", "--interface=127.0.0.1"]
    yield "twistd dns", lambda port: [*_twistd(folder), *zone, f"--port={port}"]


def encrypted(folder: Path) -> Iterator[tuple[str, Command]]:
    """labnet, unbound and dnsdist with DNS over TLS on the next port, and over HTTPS on the one behind that."""
    made = make(str(folder / "certs"), [read_name("localhost"), read_name("127.0.0.1")], "bench", datetime.now(UTC), 30)
    files = {"certificate": made.certificate, "key": made.key}

    def labnet_encrypted(port: int) -> list[str]:
        values = {"port": port, "tls": port + 1, "https": port + 2, "folder": folder, **files}
        return [*_twistd(folder), "labnet", "--config", _written(folder / "encrypted.toml", LAB_ENCRYPTED, **values)]

    yield "labnet", labnet_encrypted
    unbound = shutil.which("unbound", path=_PATH)
    if unbound is not None:

        def unbound_encrypted(port: int) -> list[str]:
            values = {"port": port, "tls": port + 1, "https": port + 2, "folder": folder, **files}
            return [unbound, "-d", "-c", _written(folder / "encrypted.conf", UNBOUND + UNBOUND_ENCRYPTED, **values)]

        yield "unbound", unbound_encrypted
    dnsdist = shutil.which("dnsdist", path=_PATH)
    if unbound is not None and dnsdist is not None:

        def dnsdist_encrypted(port: int) -> list[str]:
            values = {"port": port, "tls": port + 1, "https": port + 2, "backend": port + 3, **files}
            behind = _written(folder / "behind.conf", UNBOUND, port=port + 3, folder=folder)
            before = _written(folder / "dnsdist.conf", DNSDIST, **values)
            script = 'unbound=$0; "$unbound" -d -c "$1" & exec "$2" --supervised --disable-syslog -C "$3"'
            return ["sh", "-c", script, unbound, behind, dnsdist, before]

        yield "dnsdist", dnsdist_encrypted


def forwarders(folder: Path, parent: int, learn: bool = False) -> Iterator[tuple[str, Command]]:
    """labnet and those peers that forward to the server at port ``parent``; they ``learn`` what it says, or have no
    cache. Where they do, labnet is there once more, with what it learned in a file."""

    def labnet_forwards(port: int, more: str = "" if learn else LAB_WITHOUT_CACHE) -> list[str]:
        state = tempfile.mkdtemp(dir=folder)  # nothing is known from the run before
        file = _written(folder / "forwards.toml", LAB_FORWARDS + more, port=port, parent=parent, folder=state)
        return [*_twistd(folder), "labnet", "--config", file]

    yield "labnet", labnet_forwards
    if learn:
        yield "labnet, kept in a file", partial(labnet_forwards, more='learned = "learned"\n')
    unbound = shutil.which("unbound", path=_PATH)
    if unbound is not None:
        settings = UNBOUND_FORWARDS.replace("{parent}", str(parent))
        settings = settings.replace("{cache}", "" if learn else UNBOUND_WITHOUT_CACHE)
        yield "unbound", _with_settings(unbound, ["-d", "-c"], folder / "unbound-forwards.conf", settings)
    dnsmasq = shutil.which("dnsmasq", path=_PATH)
    if dnsmasq is not None:
        size = DNSMASQ_NAMES if learn else 0
        options = [f"--cache-size={size}", f"--server=127.0.0.1#{parent}", "--dns-forward-max=10000"]
        yield "dnsmasq", _dnsmasq(dnsmasq, options)


def redis() -> Command | None:
    """Redis, of which TIME is the inline command; None where it is not installed."""
    path = shutil.which("redis-server")
    if path is None:
        return None
    options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return lambda port: [path, "--port", str(port), *options]


def _twistd(folder: Path) -> list[str]:
    twistd = str(Path(sys.executable).with_name("twistd"))
    return [twistd, "-n", "--pidfile=", "-l", "/dev/null", f"--rundir={folder}"]


def _with_settings(path: str, options: list[str], file: Path, template: str) -> Command:
    return lambda port: [path, *options, _written(file, template, port=port, folder=file.parent)]


def _dnsmasq(path: str, options: list[str]) -> Command:
    return lambda port: [
        path, "-k", "--conf-file=/dev/null", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces",
        "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--log-facility=/dev/null", *options,
    ]  # fmt: skip


def _written(file: Path, template: str, **values: object) -> str:
    file.write_text(template.format(**values))
    return str(file)
