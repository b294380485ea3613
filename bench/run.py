"""``make bench``: labnet beside its peers in one run, as CPU of the server for each operation.

The servers take turns in every round, on one core, with the load on another; the medians of the rounds count, and their
ratios. Peers that are not installed are left out. The result is printed and written to build/bench.json, build/bench.md
and build/bench.png; ``--docs`` has docs/speed.rst show it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path

from bench import harness, report
from bench.paths import Stage, free_port, stages


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure labnet beside its peers.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--only", default="", metavar="TEXT", help="only paths with TEXT in their names")
    parser.add_argument("--docs", action="store_true", help="have docs/speed.rst show this result")
    arguments = parser.parse_args()
    samples: report.Samples = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as name:
        for stage in stages(Path(name), arguments.seconds):
            stage.paths = {path: load for path, load in stage.paths.items() if arguments.only in path}
            for number in range(arguments.rounds if stage.paths else 0):
                print(f"round {number + 1} of {arguments.rounds}: {', '.join(stage.paths)}", flush=True)
                _round(stage, samples)
    build = Path("build")
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps(samples, indent=1))
    (build / "bench.md").write_text(report.markdown(samples, arguments.rounds))
    print((build / "bench.md").read_text())
    if report.picture(samples, build / "bench.png") and arguments.docs:
        shutil.copy(build / "bench.png", "docs/speed.png")
    if arguments.docs:
        Path("docs/speed-result.inc").write_text(report.restructured(samples, arguments.rounds))


def _round(stage: Stage, samples: report.Samples) -> None:
    for server in stage.servers:
        port = free_port()
        load_port = port + server.at
        with server.beside(), harness.running(server.command(port), partial(server.answers, load_port)) as pid:
            for path, load in stage.paths.items():
                result = harness.measured(pid, partial(load, load_port, **server.options))
                result["pss_kib"] = harness.resident_kib(pid)
                samples[path][server.name].append(result)


if __name__ == "__main__":
    main()
