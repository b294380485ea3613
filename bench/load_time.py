"""Time to the first answer, CPU until then and memory, of labnet and its peers with the same million records.

``.venv/bin/python -m bench.load_time``. The servers take turns on one core; the figures are medians of the rounds. A
machine that does other work at the same time makes the wall time longer; the CPU time tells.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import harness, peers
from bench.paths import free_port

SERVERS = ("labnet, zone file", "labnet, hosts file", "nsd", "unbound")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how long servers load, and what they hold in memory.")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    figures: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peers.write_records(folder, arguments.records)
        for _ in range(arguments.rounds):
            for server, command in _servers(folder):
                port = free_port()
                began = time.monotonic()
                ready = partial(harness.answers_dns, port)
                with harness.running(command(port), ready, most_seconds=600) as pid:
                    wall, cpu = time.monotonic() - began, harness.cpu_seconds(pid)
                    figures[server].append((wall, cpu, harness.resident_kib(pid) / 1024))
                    print(f"{server}: {wall:.2f} s, {cpu:.2f} s of CPU", flush=True)
    print(f"\n{arguments.records} records, medians of {arguments.rounds} rounds\n")
    print("| server | first answer s | CPU s | PSS MiB |\n|---|---|---|---|")
    for server, rounds in figures.items():
        wall, cpu, memory = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {server} | {wall:.2f} | {cpu:.2f} | {memory:.0f} |")


def _servers(folder: Path) -> Iterator[tuple[str, peers.Command]]:
    for name, command in peers.resolvers(folder):
        if name == "labnet":
            yield "labnet, zone file", command
            yield "labnet, hosts file", peers.labnet(folder, "hosts")
        elif name in SERVERS:
            yield name, command


if __name__ == "__main__":
    main()
