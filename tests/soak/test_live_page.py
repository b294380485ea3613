"""A class that watches: 80 pages, some of which do not read, beside clients at full speed."""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest

from labnet.console.ring import TICK
from tests.console.happenings import exchange
from tests.console.page.test_front import FrontTestCase
from tests.fakes import Client
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


MINUTES = 60
A_TICK = 7
"""Exchanges that are told of in each tenth of a second, at most; a lab at full speed tells of no more."""


@pytest.mark.soak
class HourTests(FrontTestCase):
    """An hour of a class that watches a lab at full speed, by a clock that is turned."""

    def minute(self, readers: list[Client], minute: int) -> None:
        """What happens in one, and is read; one reader after the other stops, and its tab is opened anew later."""
        readers[minute % PAGES].stop_reading()
        if minute >= 3:
            readers[minute - 3] = self.send("GET /api/1/events")
        for tick in range(round(60 / TICK)):
            for number in range(A_TICK):
                self.ring.happened(exchange(f"{minute}-{tick}-{number}", name=f"n{tick}-{number}.lab", reply=bytes(60)))
            self.reactor.pass_time(TICK)
            if tick % 20 == 0:
                for reader in readers:
                    reader.forget()

    def test_an_hour_fills_no_memory(self) -> None:
        """Once the ring is full, nothing is left of what happened before."""
        readers = [self.send("GET /api/1/events") for _ in range(PAGES)]
        taken = []
        for minute in range(MINUTES):
            self.minute(readers, minute)
            gc.collect()
            taken.append(memory(os.getpid()))
        print(f"kB after each minute: {taken}")
        self.assertLessEqual(max(taken[10:]) - max(taken[5:10]), MOST_GROWN)
