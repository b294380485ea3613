"""The peers that labnet is measured beside: how each is started on the same records, and what labnet runs on."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench import settings
from bench.targets import IN_A_FILE, LABNET
from labnet.authority.certificates import read_name
from labnet.authority.folder import make

PATH = "/usr/sbin:/usr/local/sbin:/usr/bin"

Command = Callable[[int], list[str]]


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


def write_kinds(folder: Path, names: int) -> dict[str, dict[str, int]]:
    """Add records of other types to the zone there, and write questions that are not about an address alone.

    They are in files with the kind of their reply in the name; gives what such a reply has to be.
    """
    numbers = range(1, names + 1)
    with (folder / "zone").open("a") as zone:
        zone.writelines(f"alias{n:06d} 60 IN CNAME host{n:06d}\nmail{n:06d} 60 IN MX 10 host{n:06d}\n" for n in numbers)
    kinds = {"CNAME": ("alias", "A"), "NODATA": ("host", "AAAA"), "NXDOMAIN": ("gone", "A"), "MX": ("mail", "MX")}
    for kind, (name, rrtype) in kinds.items():
        file = folder / f"questions-{kind}"
        file.write_text("".join(f"{name}{n:06d}.lab.test {rrtype}\n" for n in numbers))
    return {"CNAME": {"answers": 2}, "NODATA": {"answers": 0}, "NXDOMAIN": {"rcode": 3, "answers": 0}, "MX": {}}


def sign_records(folder: Path) -> Path:
    """Sign the zone of :func:`write_records`; gives the folder with the signed one, which has the questions too.

    Those for names that are not there, each between two that are, are in files of their own.
    """
    signed = folder / "signed"
    program = str(Path(sys.executable).with_name("labnet"))
    subprocess.run([program, "sign", "--into", signed, folder / "zone"], check=True, stdout=subprocess.DEVNULL)
    for name in ("shuffled", "backward"):
        questions = (folder / name).read_text()
        (signed / name).write_text(questions)
        (signed / f"{name}-absent").write_text(questions.replace(".lab.test", "-.lab.test"))
    return signed


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
        template = settings.LAB.replace("[console]", page) if has_page else settings.LAB
        return [*twistd(folder), "labnet", "--config", written(folder / "lab.toml", template, **values)]

    return command


def resolvers(folder: Path) -> Iterator[tuple[str, Command]]:
    """labnet and each peer that is installed: its name, and its command line for a port."""
    yield "labnet", labnet(folder, "zone")
    templates = {
        "nsd": (settings.NSD, ["-d", "-c"]),
        "knotd": (settings.KNOT, ["-c"]),
        "unbound": (settings.UNBOUND, ["-d", "-c"]),
    }
    for name, (template, options) in templates.items():
        path = shutil.which(name, path=PATH)
        if path is not None:
            yield name, with_settings(path, options, folder / f"{name}.conf", template)
    named = shutil.which("named", path=PATH)
    if named is not None:
        yield "named", with_settings(named, ["-g", "-n", "1", "-c"], folder / "named.conf", settings.NAMED)
    dnsmasq = shutil.which("dnsmasq", path=PATH)
    if dnsmasq is not None:
        yield "dnsmasq", _dnsmasq(dnsmasq, [f"--addn-hosts={folder}/hosts", "--local-ttl=60"])
    zone = ["dns", f"--bindzone={folder}/zone", "--interface=127.0.0.1"]
    yield "twistd dns", lambda port: [*twistd(folder), *zone, f"--port={port}"]


def encrypted(folder: Path) -> Iterator[tuple[str, Command]]:
    """labnet, unbound and dnsdist with DNS over TLS on the next port, and over HTTPS on the one behind that."""
    made = make(str(folder / "certs"), [read_name("localhost"), read_name("127.0.0.1")], "bench", datetime.now(UTC), 30)
    files = {"certificate": made.certificate, "key": made.key}

    def labnet_encrypted(port: int) -> list[str]:
        values = {"port": port, "tls": port + 1, "https": port + 2, "folder": folder, **files}
        return [
            *twistd(folder),
            "labnet",
            "--config",
            written(folder / "encrypted.toml", settings.LAB_ENCRYPTED, **values),
        ]

    yield "labnet", labnet_encrypted
    unbound = shutil.which("unbound", path=PATH)
    if unbound is not None:

        def unbound_encrypted(port: int) -> list[str]:
            values = {"port": port, "tls": port + 1, "https": port + 2, "folder": folder, **files}
            return [
                unbound,
                "-d",
                "-c",
                written(folder / "encrypted.conf", settings.UNBOUND + settings.UNBOUND_ENCRYPTED, **values),
            ]

        yield "unbound", unbound_encrypted
    dnsdist = shutil.which("dnsdist", path=PATH)
    if unbound is not None and dnsdist is not None:

        def dnsdist_encrypted(port: int) -> list[str]:
            values = {"port": port, "tls": port + 1, "https": port + 2, "backend": port + 3, **files}
            behind = written(folder / "behind.conf", settings.UNBOUND, port=port + 3, folder=folder)
            before = written(folder / "dnsdist.conf", settings.DNSDIST, **values)
            script = 'unbound=$0; "$unbound" -d -c "$1" & exec "$2" --supervised --disable-syslog -C "$3"'
            return ["sh", "-c", script, unbound, behind, dnsdist, before]

        yield "dnsdist", dnsdist_encrypted


def labnet_forwards(folder: Path, parent: str, more: str) -> Command:
    """A lab that asks ``parent``, as its configuration writes one, with ``more`` lines about its resolver."""

    def command(port: int) -> list[str]:
        state = tempfile.mkdtemp(dir=folder)  # nothing is known from the run before
        file = written(folder / "forwards.toml", settings.LAB_FORWARDS + more, port=port, parent=parent, folder=state)
        return [*twistd(folder), "labnet", "--config", file]

    return command


def forwarders(folder: Path, parent: int, learn: bool = False) -> Iterator[tuple[str, Command]]:
    """labnet and those peers that forward to the server at port ``parent``; they ``learn`` what it says, or have no
    cache. Where they do, labnet is there once more, with what it learned in a file."""

    at, cache = f"dns:127.0.0.1:{parent}", "" if learn else settings.LAB_WITHOUT_CACHE
    yield LABNET, labnet_forwards(folder, at, cache)
    if learn:
        yield IN_A_FILE, labnet_forwards(folder, at, 'learned = "learned"\n')
    unbound = shutil.which("unbound", path=PATH)
    if unbound is not None:
        template = settings.UNBOUND_FORWARDS.replace("{parent}", str(parent))
        template = template.replace("{cache}", "" if learn else settings.UNBOUND_WITHOUT_CACHE)
        template = template.replace("{modules}", "iterator")
        yield "unbound", with_settings(unbound, ["-d", "-c"], folder / "unbound-forwards.conf", template)
    dnsmasq = shutil.which("dnsmasq", path=PATH)
    if dnsmasq is not None:
        size = settings.DNSMASQ_NAMES if learn else 0
        options = [f"--cache-size={size}", f"--server=127.0.0.1#{parent}", "--dns-forward-max=10000"]
        yield "dnsmasq", _dnsmasq(dnsmasq, options)


def validators(folder: Path, parent: int) -> Iterator[tuple[str, Command]]:
    """labnet and unbound, which forward to the server at port ``parent``, validate what it says, and learn it.

    ``folder`` has the zone as :func:`sign_records` left it.
    """
    anchors = str(folder / "trust-anchors")
    more = settings.LAB_VALIDATES.replace("{anchors}", anchors)
    yield LABNET, labnet_forwards(folder, f"dns:127.0.0.1:{parent}", more)
    unbound = shutil.which("unbound", path=PATH)
    if unbound is not None:
        template = settings.UNBOUND_FORWARDS.replace("{cache}", settings.UNBOUND_VALIDATES)
        template = template.replace("{modules}", "validator iterator")
        template = template.replace("{parent}", str(parent)).replace("{anchors}", anchors)
        yield "unbound", with_settings(unbound, ["-d", "-c"], folder / "unbound-validates.conf", template)


def redis() -> Command | None:
    """Redis, of which TIME is the inline command; None where it is not installed."""
    path = shutil.which("redis-server")
    if path is None:
        return None
    options = ["--bind", "127.0.0.1", "--protected-mode", "no", "--save", "", "--appendonly", "no"]
    return lambda port: [path, "--port", str(port), *options]


def twistd(folder: Path) -> list[str]:
    twistd = str(Path(sys.executable).with_name("twistd"))
    return [twistd, "-n", "--pidfile=", "-l", "/dev/null", f"--rundir={folder}"]


def with_settings(path: str, options: list[str], file: Path, template: str) -> Command:
    return lambda port: [path, *options, written(file, template, port=port, folder=file.parent)]


def _dnsmasq(path: str, options: list[str]) -> Command:
    return lambda port: [
        path, "-k", "--conf-file=/dev/null", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces",
        "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--log-facility=/dev/null", *options,
    ]  # fmt: skip


def written(file: Path, template: str, **values: object) -> str:
    file.write_text(template.format(**values))
    return str(file)
