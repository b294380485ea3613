"""``make bench``: labnet beside its peers in one run, as CPU of the server for each operation.

The servers take turns in every round, on one core, with the load on another; the medians of the rounds count, and their
ratios. Peers that are not installed are left out and named. The result is printed and written to build/bench.json and
build/bench.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path

from bench import harness, peers

HERE = Path(__file__).parent
PACED = 20_000

Samples = dict[str, dict[str, list[harness.Result]]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure labnet beside its peers.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--names", type=int, default=1000)
    arguments = parser.parse_args()
    samples: Samples = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peers.write_records(folder, arguments.names)
        for load in ("udpload", "tcpload"):
            subprocess.run(["cc", "-O2", "-w", "-o", folder / load, HERE / "load" / f"{load}.c"], check=True)
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}", flush=True)
            _resolvers(folder, arguments.seconds, samples)
            _command_servers(folder, arguments.seconds, samples)
    table = _table(samples, arguments.rounds)
    print(table)
    build = Path("build")
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps(samples, indent=1))
    (build / "bench.md").write_text(table)


def _resolvers(folder: Path, seconds: float, samples: Samples) -> None:
    questions = folder / "questions"
    for name, command in peers.resolvers(folder):
        port = free_port()
        loads = {"DNS hit, batch generator": partial(harness.udpload, folder / "udpload", port, questions, seconds)}
        if shutil.which("dnsperf"):
            loads["DNS hit, dnsperf"] = partial(harness.dnsperf, port, questions, seconds)
            loads[f"DNS hit, {PACED} a second"] = partial(harness.dnsperf, port, questions, seconds, PACED)
        with harness.running(command(port), partial(harness.answers_dns, port)) as pid:
            for path, load in loads.items():
                result = harness.measured(pid, load)
                result["pss_kib"] = harness.resident_kib(pid)
                samples[path][name].append(result)


def _command_servers(folder: Path, seconds: float, samples: Samples) -> None:
    _, labnet = next(iter(peers.resolvers(folder)))
    port = free_port()
    # name, command line, port, lines of welcome, lines to a reply (an inline TIME of Redis has five)
    servers = [("labnet", labnet(port), port + 1, 1, 1)]
    redis = shutil.which("redis-server")
    if redis is not None:
        at = free_port()
        options = ["--port", str(at), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        servers.append(("redis", [redis, *options], at, 0, 5))
    for name, command, at, welcome, lines in servers:
        with harness.running(command, partial(harness.connects, at)) as pid:
            for depth in (1, 100):
                load = partial(harness.tcpload, folder / "tcpload", at, depth, seconds, welcome, lines)
                result = harness.measured(pid, load)
                result["pss_kib"] = harness.resident_kib(pid)
                samples[f"TIME, 50 connections, {depth} in flight"][name].append(result)


def _table(samples: Samples, rounds: int) -> str:
    machine = (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    lines = [f"{machine}; medians of {rounds} rounds", ""]
    lines += ["| path | server | CPU µs an operation | operations/s | lost | PSS MiB | labnet's CPU to its |"]
    lines += ["|---|---|---|---|---|---|---|"]

    def median(results: list[harness.Result], key: str) -> float:
        return statistics.median(result.get(key, 0.0) for result in results)

    for path, servers in samples.items():
        own = median(servers["labnet"], "cpu_us")
        for server, results in servers.items():
            cpu = median(results, "cpu_us")
            lines.append(
                f"| {path} | {server} | {cpu:.2f} | {median(results, 'qps'):.0f} | {median(results, 'lost'):.0f} "
                f"| {median(results, 'pss_kib') / 1024:.0f} | {own / cpu:.2f} |"
            )
    return "\n".join(lines) + "\n"


def free_port() -> int:
    """A number that is free for UDP and TCP, and the next one for TCP too."""
    while True:
        with socket.socket() as one, socket.socket() as other, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port + 1))
                datagrams.bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
            return port


if __name__ == "__main__":
    main()
