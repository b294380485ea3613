"""The result of a benchmark: as Markdown, as reStructuredText, as a picture."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

from bench import harness
from bench.paths import FLOOD, TARGETS

Samples = dict[str, dict[str, list[harness.Result]]]

HEADS = (
    "path",
    "server",
    "CPU µs an operation",
    "operations a second",
    "p99 ms",
    "lost",
    "PSS MiB",
    "labnet's CPU to its",
)


def markdown(samples: Samples, rounds: int) -> str:
    """Two tables, of all figures and of the targets."""
    parts = [f"{machine()}; medians of {rounds} rounds", _table(HEADS, rows(samples))]
    return "\n\n".join([*parts, _table(("path", "peer", "target", "reached"), reached(samples))]) + "\n"


def restructured(samples: Samples, rounds: int) -> str:
    """The same for docs/speed.rst."""
    parts = [
        f"{machine()}; medians of {rounds} rounds.",
        _list_table(("path", "peer", "target", "reached"), reached(samples)),
    ]
    return "\n\n".join([*parts, _list_table(HEADS, rows(samples))]) + "\n"


def rows(samples: Samples) -> Iterator[tuple[str, ...]]:
    """A row for each server on each path."""
    for path, servers in samples.items():
        own = _median(servers["labnet"], "cpu_us")
        is_flood = path == FLOOD  # most of that CPU is the flood's
        for server, results in servers.items():
            cpu, p99 = _median(results, "cpu_us"), _median(results, "p99_us")
            yield (
                path,
                server,
                "" if is_flood else f"{cpu:.2f}",
                f"{_median(results, 'qps'):.0f}",
                f"{p99 / 1000:.2f}" if p99 else "",
                f"{_median(results, 'lost'):.0f}",
                f"{_median(results, 'pss_kib') / 1024:.0f}",
                f"{own / cpu:.2f}",
            )


def reached(samples: Samples) -> Iterator[tuple[str, ...]]:
    """A row for each target whose path and peer were measured."""
    for path, target, peers in TARGETS:
        servers = samples.get(path, {})
        cpu = {peer: _median(servers[peer], "cpu_us") for peer in peers if peer in servers}
        if cpu and "labnet" in servers:
            best = min(cpu, key=lambda peer: cpu[peer])
            yield path, best, f"≤ {target:g}", f"{_median(servers['labnet'], 'cpu_us') / cpu[best]:.2f}"
    if FLOOD in samples:
        yield FLOOD, "", "p99 ≤ 5 ms", f"{_median(samples[FLOOD]['labnet'], 'p99_us') / 1000:.2f} ms"


def picture(samples: Samples, file: Path) -> bool:
    """Draw the CPU of each server as bars, a panel for each path; False where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    samples = {path: servers for path, servers in samples.items() if path != FLOOD}  # of that the p99 counts
    across = 2
    figure, panels = pyplot.subplots(
        -(-len(samples) // across), across, figsize=(11, 2.1 * len(samples) / across + 1), squeeze=False
    )
    for panel in panels.flat[len(samples) :]:
        panel.axis("off")
    for panel, (path, servers) in zip(panels.flat, samples.items(), strict=False):
        names = sorted(servers, key=lambda name: -_median(servers[name], "cpu_us"))
        values = [_median(servers[name], "cpu_us") for name in names]
        bars = panel.barh(names, values, color=["#c0392b" if name == "labnet" else "#7f8c8d" for name in names])
        panel.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
        panel.set_title(path, fontsize=9, loc="left")
        panel.margins(x=0.15)
        panel.tick_params(labelsize=8)
    figure.suptitle("CPU of the server, µs an operation: less is better", fontsize=11)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    return True


def machine() -> str:
    """The machine, in words."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = found[1] if found else platform.machine()
    system = f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"
    return f"{processor}, {os.cpu_count()} cores, {system}"


def _median(results: list[harness.Result], key: str) -> float:
    return statistics.median(result.get(key, 0.0) for result in results)


def _table(heads: tuple[str, ...], lines: Iterator[tuple[str, ...]]) -> str:
    return "\n".join([f"| {' | '.join(cells)} |" for cells in (heads, ("---",) * len(heads), *lines)])


def _list_table(heads: tuple[str, ...], lines: Iterator[tuple[str, ...]]) -> str:
    head = ".. list-table::\n   :header-rows: 1\n"
    body = [
        "".join(f"   {'*' if not number else ' '} - {cell}\n" for number, cell in enumerate(cells))
        for cells in (heads, *lines)
    ]
    return f"{head}\n{''.join(body)}"
