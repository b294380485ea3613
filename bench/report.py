"""The result of a benchmark: as Markdown, as reStructuredText, as a picture."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import harness
from bench.targets import AT_REST, FLOOD, LABNET, LIMITS, TARGETS, UNIFORM

Samples = dict[str, dict[str, list[harness.Result]]]

ACROSS = 2
"""Panels of the picture side by side."""

HEADS = (
    "path",
    "server",
    "CPU µs an operation",
    "operations a second",
    "p50 ms",
    "p99 ms",
    "lost",
    "PSS MiB",
    "labnet's CPU to its",
)
TARGET_HEADS = ("path", "figure", "peer", "target", "reached")
STARTED_HEADS = ("server", "first answer s", "CPU s until then", "PSS MiB after the load")
REST_HEADS = ("server", "first answer s", "CPU s until then", "PSS MiB", "CPU s a minute", "wake-ups a second")
ASKED_HEADS = ("path", "server", "questions to the zones' servers, for each")
FIGURES = {
    "cpu_us": "CPU",
    "pss_kib": "memory (PSS)",
    "first_s": "time to the first answer",
    "p50_us": "p50",
    "p99_us": "p99",
    "asked": "questions asked",
    "wakeups": "wake-ups",
}


def markdown(samples: Samples, rounds: int) -> str:
    """The tables of the targets, of all figures, and of what has figures of its own."""
    parts = [f"{machine()}; medians of {rounds} rounds"]
    for title, heads, lines in _tables(samples):
        parts += [f"{title}:", _table(heads, lines)]
    return "\n\n".join(parts) + "\n"


def restructured(samples: Samples, rounds: int) -> str:
    """The same for docs/speed.rst."""
    parts = [f"{machine()}; medians of {rounds} rounds."]
    parts += [_list_table(title, heads, lines) for title, heads, lines in _tables(samples)]
    return "\n\n".join(parts) + "\n"


def _tables(samples: Samples) -> Iterator[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """The tables that have any rows, each with its title and its heads."""
    tables = (
        ("Targets", TARGET_HEADS, reached(samples)),
        ("All figures", HEADS, rows(samples)),
        ("Recursion from the root", ASKED_HEADS, asked(samples)),
        ("The start with 1,000,000 names", STARTED_HEADS, started(samples)),
        ("At rest", REST_HEADS, rested(samples)),
    )
    for title, heads, lines in tables:
        found = list(lines)
        if found:
            yield title, heads, found


def rows(samples: Samples) -> Iterator[tuple[str, ...]]:
    """A row for each server on each path that has a load."""
    for path, servers in samples.items():
        if path == AT_REST:
            continue
        own = _median(servers[LABNET], "cpu_us")
        is_flood = path == FLOOD  # most of that CPU is the flood's
        for server, results in servers.items():
            cpu = _median(results, "cpu_us")
            yield (
                path,
                server,
                "" if is_flood else f"{cpu:.2f}",
                f"{_median(results, 'qps'):.0f}",
                _milliseconds(results, "p50_us"),
                _milliseconds(results, "p99_us"),
                f"{_median(results, 'lost'):.0f}",
                f"{_median(results, 'pss_kib') / 1024:.0f}",
                f"{own / cpu:.2f}",
            )


def reached(samples: Samples) -> Iterator[tuple[str, ...]]:
    """A row for each target that was measured: a ratio to the best peer's figure, or what labnet needs by itself."""
    for path, target, peers, figure, peers_path, server in TARGETS:
        own, others = samples.get(path, {}).get(server), samples.get(peers_path or path, {})
        values = {peer: value for peer in peers if peer in others and (value := _median(others[peer], figure))}
        if own and values:
            best = min(values, key=lambda peer: values[peer])
            peer = f"{best}, {peers_path}" if peers_path else best
            needed = _median(own, figure)
            ratio = f"{needed / values[best]:.2f}" if needed else "not measured"
            yield _named(path, server), FIGURES[figure], peer, f"≤ {target:g}", ratio
    for path, figure, most, unit, scale, server, besides in LIMITS:
        servers = samples.get(path, {})
        if server in servers and (not besides or besides in servers):
            needed = _median(servers[server], figure) - (_median(servers[besides], figure) if besides else 0.0)
            more = f"more than {besides}" if besides else ""
            yield _named(path, server), FIGURES[figure], more, f"≤ {most:g} {unit}", f"{needed * scale:.3g} {unit}"


def _named(path: str, server: str) -> str:
    return path if server == LABNET else f"{path}: {server}"


def asked(samples: Samples) -> Iterator[tuple[str, ...]]:
    """A row for each resolver on each path where the questions that it asks itself were counted."""
    for path, servers in samples.items():
        for server, results in servers.items():
            if any("asked" in result for result in results):
                yield path, server, f"{_median(results, 'asked'):.2f}"


def rested(samples: Samples) -> Iterator[tuple[str, ...]]:
    """A row for each server that nobody asked anything; an operation was a second."""
    for server, results in samples.get(AT_REST, {}).items():
        yield (
            server,
            f"{_median(results, 'first_s'):.2f}",
            f"{_median(results, 'first_cpu_s'):.2f}",
            f"{_median(results, 'pss_kib') / 1024:.0f}",
            f"{_median(results, 'cpu_us') * 60e-6:.3f}",
            f"{_median(results, 'wakeups'):.1f}",
        )


def started(samples: Samples) -> Iterator[tuple[str, ...]]:
    """A row for each server that had a million names to load."""
    for server, results in samples.get(UNIFORM, {}).items():
        wall, cpu = _median(results, "first_s"), _median(results, "first_cpu_s")
        yield server, f"{wall:.2f}", f"{cpu:.2f}", f"{_median(results, 'pss_kib') / 1024:.0f}"


def picture(samples: Samples, file: Path) -> bool:
    """Draw the CPU of each server as bars, a panel for each path that has peers.

    False where matplotlib is not installed, or there is nothing to compare.
    """
    compared = {path: servers for path, servers in samples.items() if len(servers) > 1 and path != AT_REST}
    try:
        import matplotlib
    except ImportError:
        return False
    if not compared:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    paths = list(compared)
    heights = [max(len(compared[path]) for path in paths[at : at + ACROSS]) for at in range(0, len(paths), ACROSS)]
    figure, panels = pyplot.subplots(
        len(heights),
        ACROSS,
        figsize=(11, sum(0.24 * height + 0.5 for height in heights) + 0.6),
        height_ratios=[height + 1 for height in heights],
        squeeze=False,
    )
    for panel in panels.flat[len(paths) :]:
        panel.axis("off")
    for panel, path in zip(panels.flat, paths, strict=False):
        _bars(panel, {server: _median(results, "cpu_us") for server, results in compared[path].items()})
        panel.set_title(path, fontsize=9, loc="left")
    figure.suptitle(
        "CPU of the server, µs an operation: less is better; a bar with an arrow is cut",
        fontsize=11,
        y=1 - 0.15 / figure.get_figheight(),
    )
    figure.tight_layout(
        rect=(0, 0, 1, 1 - 0.4 / figure.get_figheight())
    )  # the title keeps its inches, however many rows
    figure.savefig(file, dpi=110)
    return True


def _bars(panel: Any, values: dict[str, float]) -> None:
    """The ``values`` as bars, the least on top; one far longer than several others is cut to show those."""
    names = sorted(values, key=lambda name: -values[name])
    longest = min(values[names[0]], 2 * values[names[1]]) if len(names) > 2 else values[names[0]]
    lengths = [min(values[name], longest) for name in names]
    labels = [f"{values[name]:.2f}{' →' if values[name] > longest else ''}" for name in names]
    bars = panel.barh(names, lengths, color=["#c0392b" if name == LABNET else "#7f8c8d" for name in names])
    panel.bar_label(bars, labels, padding=3, fontsize=8)
    panel.margins(x=0.15)
    panel.tick_params(labelsize=8)


def machine() -> str:
    """The machine, in words."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = found[1] if found else platform.machine()
    system = f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"
    return f"{processor}, {os.cpu_count()} cores, {system}"


def _median(results: list[harness.Result], key: str) -> float:
    return statistics.median(result.get(key, 0.0) for result in results)


def _milliseconds(results: list[harness.Result], key: str) -> str:
    microseconds = _median(results, key)
    return f"{microseconds / 1000:.3f}" if microseconds else ""


def _table(heads: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    return "\n".join([f"| {' | '.join(cells)} |" for cells in (heads, ("---",) * len(heads), *lines)])


def _list_table(title: str, heads: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    head = f".. list-table:: {title}\n   :header-rows: 1\n"
    body = [
        "".join(f"   {'*' if not number else ' '} - {cell}\n" for number, cell in enumerate(cells))
        for cells in (heads, *lines)
    ]
    return f"{head}\n{''.join(body)}"
