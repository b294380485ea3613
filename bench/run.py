"""``make bench``: labnet beside its peers in one run, as CPU of the server for each operation.

The servers take turns in every round, on one core, with the load on another; the medians of the rounds count, and their
ratios. Peers that are not installed, or do not start, are left out. The result is printed and written to
build/bench.json, build/bench.md and build/bench.png; ``--docs`` has docs/speed.rst show it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import harness, report
from bench.paths import stages
from bench.stages import Loads, Server, Stage, free_port

WARM_UP = 0.1
"""Of a load's seconds, those of the warm-up before it."""

PACED = 0.5
"""Those of a paced one: latencies need fewer questions than the CPU."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure labnet beside its peers.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each load")
    parser.add_argument("--only", default="", metavar="TEXT", help="only paths with TEXT in their names")
    parser.add_argument("--docs", action="store_true", help="have docs/speed.rst show this result")
    arguments = parser.parse_args()
    samples: report.Samples = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as name:
        for stage in stages(Path(name), arguments.only):
            for number in range(arguments.rounds):
                paths = dict.fromkeys(path for server in stage.servers for path in stage.paths | server.alone)
                print(f"round {number + 1} of {arguments.rounds}: {'; '.join(paths)}", flush=True)
                _round(stage, samples, arguments.seconds)
            _write(samples, arguments.rounds, arguments.docs)
    print(Path("build/bench.md").read_text())


def _write(samples: report.Samples, rounds: int, docs: bool) -> None:
    """Keep what has been measured so far: a run that is ended before its time was not for nothing."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps(samples, indent=1))
    (build / "bench.md").write_text(report.markdown(samples, rounds))
    if report.picture(samples, build / "bench.png") and docs:
        shutil.copy(build / "bench.png", "docs/speed.png")
    if docs:
        Path("docs/speed-result.inc").write_text(report.restructured(samples, rounds))


def _round(stage: Stage, samples: report.Samples, seconds: float) -> None:
    """Measure each server of the stage once; a peer that does not start is left out from then on."""
    for server in tuple(stage.servers):
        try:
            for path, result in _measured(server, stage.paths | server.alone, seconds):
                _check(server, path, result)
                samples[path][server.name].append(result)
        except harness.DidNotStart as error:
            if server.is_labnet:
                raise
            print(f"{server.name} is left out: {error}", flush=True)
            stage.servers.remove(server)


def _check(server: Server, path: str, result: harness.Result) -> None:
    """Say that replies were wrong; labnet's figures are worth nothing then."""
    if wrong := result.get("bad"):
        says = f"{server.name} answered {wrong:.0f} questions wrong: {path}"
        if server.is_labnet:
            raise SystemExit(says)
        print(says, flush=True)


def _measured(server: Server, paths: dict[str, Loads], seconds: float) -> Iterator[tuple[str, harness.Result]]:
    """Start ``server`` and give the result of each path, with the time and the CPU until the first answer."""
    port = free_port()
    load_port = port + server.at
    with server.beside():
        began = time.monotonic()
        with harness.running(server.command(port), partial(server.answers, load_port)) as pid:
            started = {"first_s": time.monotonic() - began, "first_cpu_s": harness.cpu_seconds(pid)}
            for path, loads in paths.items():
                yield path, started | _loaded(pid, loads, load_port, server.options, seconds)


def _loaded(pid: int, loads: Loads, port: int, options: dict[str, int], seconds: float) -> harness.Result:
    """The CPU and the rate at full speed, the memory after it, and the latencies at a share of that rate."""
    short = seconds * WARM_UP
    (loads.warm_up or loads.full)(port, seconds=short, **options)
    result = harness.measured(pid, partial(loads.full, port, seconds=seconds, **options))
    result["pss_kib"] = harness.resident_kib(pid)
    if loads.paced and result["qps"]:
        paced = partial(loads.paced, port, rate=result["qps"] * loads.share, **options)
        paced(seconds=short)
        slower = paced(seconds=seconds * PACED)
        result |= {"p50_us": slower["p50_us"], "p99_us": slower["p99_us"]}
        result |= {"paced_qps": slower["qps"], "paced_lost": slower["lost"]}
        result["bad"] = result.get("bad", 0) + slower.get("bad", 0)
    return result


if __name__ == "__main__":
    main()
