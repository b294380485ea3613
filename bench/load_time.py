"""Time to the first answer, and memory, of labnet, NSD and unbound with the same million records.

Run it with the Python that labnet is installed for: ``.venv/bin/python bench/load_time.py``. The servers take turns on
one core; the figures are medians of the rounds. A machine that does other work at the same time makes the wall time
longer; the CPU time tells.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
LONGEST = 600.0
"""Seconds that a server may take."""

UNBOUND = """server:
  interface: 127.0.0.1
  port: {port}
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  minimal-responses: yes
remote-control:
  control-enable: no
include: "{folder}/unbound.records"
"""

NSD = """server:
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
  minimal-responses: yes
remote-control:
  control-enable: no
zone:
  name: "lab.test"
  zonefile: "records.zone"
"""

LABNET = """[resolver.main]
listen = "udp:{port}:interface=127.0.0.1"
records = "{records}"
zones = ["lab.test"]
"""


@dataclass(frozen=True)
class Figures:
    """Of one start: seconds to the first answer, seconds of CPU, megabytes of the process tree."""

    wall: float
    cpu: float
    rss: float
    pss: float
    peak: float


def records(count: int) -> Iterator[tuple[str, str]]:
    """Names with their addresses."""
    for number in range(1, count + 1):
        yield f"host{number:06d}.lab.test", f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def write_records(folder: Path, count: int) -> None:
    """The same records in the form that each server reads."""
    with open(folder / "records.zone", "w") as zone:
        zone.write("$ORIGIN lab.test.\n$TTL 60\n@ IN SOA ns.lab.test. root.lab.test. 1 3600 600 86400 60\n")
        zone.write("@ IN NS ns.lab.test.\nns IN A 127.0.0.1\n")
        zone.writelines(f"{name}. 60 IN A {address}\n" for name, address in records(count))
    with open(folder / "records.hosts", "w") as hosts:
        hosts.writelines(f"{address} {name}\n" for name, address in records(count))
    with open(folder / "unbound.records", "w") as unbound:
        unbound.write('server:\nlocal-zone: "lab.test." static\n')
        unbound.writelines(f'local-data: "{name}. 60 IN A {address}"\n' for name, address in records(count))


def servers(folder: Path) -> dict[str, Callable[[int], list[str]]]:
    """The command of each server that is installed, given the port."""

    def labnet(kind: str) -> Callable[[int], list[str]]:
        def command(port: int) -> list[str]:
            config = folder / f"{kind}.toml"
            config.write_text(LABNET.format(port=port, records=f"{kind}:{folder}/records.{kind}"))
            twistd = str(Path(sys.executable).with_name("twistd"))
            return [twistd, "-n", "--pidfile=", "-l", "/dev/null", "labnet", f"--config={config}"]

        return command

    def other(name: str, text: str, *options: str) -> Callable[[int], list[str]]:
        def command(port: int) -> list[str]:
            config = folder / f"{name}.conf"
            config.write_text(text.format(port=port, folder=folder))
            return [program(name), *options, "-d", "-c", str(config)]

        return command

    found = {"labnet, zone file": labnet("zone"), "labnet, hosts file": labnet("hosts")}
    for name, text in (("nsd", NSD), ("unbound", UNBOUND)):
        if program(name):
            found[name] = other(name, text)
        else:
            print(f"{name} is not installed and is left out", file=sys.stderr)
    return found


def program(name: str) -> str:
    """Where a program lies, or nothing."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") or ""


def free_port() -> int:
    """A port that neither UDP nor TCP uses now."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            try:
                datagrams.bind(stream.getsockname())
            except OSError:
                continue
            return int(stream.getsockname()[1])


def wait_for_answer(process: subprocess.Popen[bytes], port: int, name: str, address: str) -> None:
    """Ask until the right answer comes."""
    labels = b"".join([bytes((len(label),)) + label.encode() for label in name.split(".")])
    query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    until = time.monotonic() + LONGEST
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(0.02)
        while time.monotonic() < until:
            if process.poll() is not None:
                raise SystemExit(f"{process.args!r} ended by itself with status {process.returncode}")
            try:
                sock.send(query)
                if socket.inet_aton(address) in sock.recv(4096):
                    return
            except ConnectionRefusedError:
                time.sleep(0.01)
            except TimeoutError:
                continue
    raise SystemExit(f"{process.args!r} did not answer within {LONGEST:g} s")


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU, user and system, of the process and its descendants, ended ones included."""
    total = 0
    for each in tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(field) for field in fields[11:15])
    return total / TICKS


def megabytes(pid: int, file: str, key: str) -> float:
    """The sum of one line of /proc over the process tree."""
    total = 0
    for each in tree(pid):
        for line in Path(f"/proc/{each}/{file}").read_text().splitlines():
            if line.startswith(f"{key}:"):
                total += int(line.split()[1])
    return total / 1024


def measure(command: list[str], port: int, count: int, core: int | None) -> Figures:
    """Start a server, wait for its first answer, look at it a second later, stop it."""
    pinned = ["taskset", "-c", str(core), *command] if core is not None and program("taskset") else command
    name, address = list(records(count))[count // 2]
    began = time.monotonic()
    process = subprocess.Popen(pinned, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_answer(process, port, name, address)
        wall = time.monotonic() - began
        cpu = cpu_seconds(process.pid)
        time.sleep(1)
        rss, pss = (megabytes(process.pid, "smaps_rollup", key) for key in ("Rss", "Pss"))
        return Figures(wall, cpu, rss, pss, megabytes(process.pid, "status", "VmHWM"))
    finally:
        for pid in reversed(tree(process.pid)):
            os.kill(pid, signal.SIGTERM)
        process.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000, help="records in the zone (default: 1000000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which the servers take turns (default: 3)")
    parser.add_argument("--core", type=int, default=0, help="the core that every server is pinned to; -1: none")
    options = parser.parse_args()
    core = options.core if options.core >= 0 else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_records(folder, options.records)
        found: dict[str, list[Figures]] = {}
        for _ in range(options.rounds):
            for server, command in servers(folder).items():
                port = free_port()
                found.setdefault(server, []).append(measure(command(port), port, options.records, core))
    print(f"{options.records} records, medians of {options.rounds} rounds, one core each")
    print(f"{'server':20} {'first answer':>13} {'CPU':>9} {'RSS':>9} {'PSS':>9} {'peak RSS':>9}")
    for server, rounds in found.items():
        wall, cpu, rss, pss, peak = (
            statistics.median(getattr(one, key) for one in rounds) for key in ("wall", "cpu", "rss", "pss", "peak")
        )
        print(f"{server:20} {wall:11.2f} s {cpu:7.2f} s {rss:6.0f} MB {pss:6.0f} MB {peak:6.0f} MB")


if __name__ == "__main__":
    main()
