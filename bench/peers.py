"""The peers that labnet is measured beside: how each is started on the same records, and what labnet runs on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

Command = Callable[[int], list[str]]

LAB = """\
[command]
listen = "tcp:{tcp}:interface=127.0.0.1"
clients = 0
[resolver.main]
listen = "udp:{port}:interface=127.0.0.1"
records = "{records}"
zones = ["lab.test"]
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


def write_records(folder: Path, names: int) -> None:
    """Write the same ``names`` A records for every server, and the questions for dnsperf and the generator."""
    hosts = [(f"host{n:06d}.lab.test", f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}") for n in range(1, names + 1)]
    head = "$ORIGIN lab.test.\n$TTL 60\n@ IN SOA ns root 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n"
    (folder / "zone").write_text(head + "".join(f"{host}. 60 IN A {address}\n" for host, address in hosts))
    (folder / "hosts").write_text("".join(f"{address} {host}\n" for host, address in hosts))
    data = "".join(f'local-data: "{host}. 60 IN A {address}"\n' for host, address in hosts)
    (folder / "local-data").write_text('server:\nlocal-zone: "lab.test." static\n' + data)
    (folder / "questions").write_text("".join(f"{host} A\n" for host, _ in hosts))


def labnet(folder: Path, records: str) -> Command:
    """The whole lab on the records in the file ``records``: its command server is on the next port."""
    twistd = str(Path(sys.executable).with_name("twistd"))
    options = ["-n", "--pidfile=", "-l", "/dev/null", f"--rundir={folder}", "labnet", "--config"]

    def command(port: int) -> list[str]:
        values = {"port": port, "tcp": port + 1, "records": f"{records}:{records}"}
        return [twistd, *options, _written(folder / "lab.toml", LAB, **values)]

    return command


def resolvers(folder: Path) -> Iterator[tuple[str, Command]]:
    """labnet and each peer that is installed: its name, and its command line for a port."""
    yield "labnet", labnet(folder, "zone")
    settings = {"nsd": (NSD, ["-d", "-c"]), "knotd": (KNOT, ["-c"]), "unbound": (UNBOUND, ["-d", "-c"])}
    for name, (template, options) in settings.items():
        path = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if path is not None:
            yield name, _with_settings(path, options, folder / f"{name}.conf", template)
    path = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin")
    if path is not None:
        yield "dnsmasq", _dnsmasq(path, folder)


def _with_settings(path: str, options: list[str], file: Path, template: str) -> Command:
    return lambda port: [path, *options, _written(file, template, port=port, folder=file.parent)]


def _dnsmasq(path: str, folder: Path) -> Command:
    return lambda port: [
        path, "-k", "--conf-file=/dev/null", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces",
        "--no-resolv", "--no-hosts", f"--addn-hosts={folder}/hosts", "--user=root", "--pid-file=", "--local-ttl=60",
        "--log-facility=/dev/null",
    ]  # fmt: skip


def _written(file: Path, template: str, **values: object) -> str:
    file.write_text(template.format(**values))
    return str(file)
