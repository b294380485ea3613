"""A class that watches: 80 pages, some of which do not read, beside clients at full speed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest

from tests.interop import peers
from tests.interop.daemon import Daemon
from tests.interop.live_page import LivePage
from tests.interop.test_live_page import written
from tests.soak.processes import memory, processor_time

PAGES = 80
STALLED = 8
ROUNDS = 5
SECONDS = 5
RATE = 20_000
MOST_WITH_ONE = 1.3
MOST_WITH_ALL = 2.0
"""How much more processor time an answer may take while pages are open: the bytes to 80 of them take some too."""

MOST_GROWN = 4_000
"""Kilobytes that the lab may grow from the second round on."""

LOSS = 0.001


class Load:
    """The lab at ``port``, in the process ``pid``, is asked :data:`RATE` questions a second."""

    def __init__(self, port: int, pid: int, folder: Path) -> None:
        (folder / "queries").write_text("www.lab A\n" * 100)
        self._pid = pid
        self._command = [peers.tool("dnsperf", "dnsperf"), "-s", "127.0.0.1", "-p", str(port)]
        self._command += ["-d", str(folder / "queries"), "-l", str(SECONDS), "-Q", str(RATE), "-c", "4", "-q", "500"]

    def cost(self) -> float:
        """Microseconds of the lab's processor time for each answer; of a busy machine they say more than the time."""
        before = processor_time(self._pid)
        said = subprocess.run(self._command, check=True, capture_output=True, text=True).stdout
        used = processor_time(self._pid) - before
        completed, lost = re.search(r"completed: +(\d+)", said), re.search(r"lost: +\d+ \(([\d.]+)%", said)
        assert completed is not None
        assert lost is not None
        assert float(lost[1]) / 100 <= LOSS
        return 1e6 * used / int(completed[1])


@contextmanager
def readers(port: int, count: int, stalled: int) -> Iterator[dict[str, int]]:
    """``count`` pages that read, but for those that are ``stalled``; what they have read is there at the end."""
    command = [sys.executable, str(Path(__file__).with_name("page_readers.py")), *map(str, (port, count, stalled))]
    read: dict[str, int] = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield read
        process.stdin.close()
        read.update(json.loads(process.stdout.readline()))


@pytest.mark.soak
def test_a_class_that_watches_costs_little_and_fills_no_memory(tmp_path: Path) -> None:
    """The median of several rounds counts; pages that do not read lose events, and no more."""
    with Daemon(*written(tmp_path), cwd=tmp_path) as daemon:
        _, port = daemon.address("resolver main")
        page, pid = LivePage(daemon), daemon.process.pid
        load = Load(port, pid, tmp_path)
        costs: dict[int, list[float]] = {0: [load.cost() for _ in range(ROUNDS)]}  # nobody has looked yet
        with readers(page.port, 1, 0):
            costs[1] = [load.cost() for _ in range(ROUNDS)]
        costs[PAGES], taken = [], []
        for _ in range(ROUNDS):
            with readers(page.port, PAGES, STALLED) as read:
                costs[PAGES].append(load.cost())
                taken.append(memory(pid))
            assert read["exchange"] >= (PAGES - STALLED) * SECONDS
            assert read["skipped"] > 0
            assert read["closed"] == 0
        print(f"microseconds an answer, by pages: {costs}; memory {taken} kB")
        assert max(taken[1:]) - taken[1] <= MOST_GROWN, taken
        assert median(costs[1]) <= MOST_WITH_ONE * median(costs[0]), costs
        assert median(costs[PAGES]) <= MOST_WITH_ALL * median(costs[0]), costs
