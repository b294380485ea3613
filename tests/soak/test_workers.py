"""Workers under load: killed one after the other, and how two share a flood."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import pytest

from labnet.console.asking import Control
from labnet.console.control import ControlError
from tests.interop import peers
from tests.interop.daemon import DEADLINE, Daemon

NAMES = 5000
SECONDS = 60
OUTSTANDING = 60
"""Questions that dnsperf has on the way at a time: what can be in a worker's socket when it is killed."""

BACK = 1.0
"""Seconds until a killed worker serves again, at most."""

MOST_SHARE = 0.6
FLOOD = 6.0


def address_of(number: int) -> str:
    return f"10.9.{number // 200}.{number % 200 + 1}"


def write_lab(folder: Path) -> None:
    (folder / "labnet.toml").write_text(
        '[lab]\nworkers = 2\n[resolver.main]\nlisten = "udp:0"\nrecords = "zone:zone"\nzones = ["lab.test"]\n'
        '[console]\nlog = "log.json"\n'
    )
    (folder / "zone").write_text(
        "".join(f"host{number}.lab.test. 3600 IN A {address_of(number)}\n" for number in range(NAMES))
    )
    (folder / "queries").write_text("".join(f"host{number}.lab.test A\n" for number in range(NAMES)))


def up(folder: Path) -> dict[str, Any]:
    """The status of the lab, once both its workers serve."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        try:
            with Control(str(folder / "var/control.sock")) as control:
                status: dict[str, Any] = control.ask("status")
        except ControlError:
            status = {}
        serving = [worker for worker in status.get("workers", ()) if worker["up"]]
        if status.get("services") and len(serving) == 2:
            return status
        time.sleep(0.02)
    raise AssertionError(f"the workers are not up: {status}")


def dnsperf(folder: Path, address: tuple[str, int], seconds: float, *more: str) -> subprocess.Popen[str]:
    command = [peers.tool("dnsperf", "dnsperf"), "-s", address[0], "-p", str(address[1]), "-d", "queries"]
    command += ["-l", f"{seconds:g}", "-t", "2", "-c", "4", *more]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def figure(report: str, what: str) -> float:
    found = re.search(rf"{what}:\s+([\d.]+)", report)
    assert found, report
    return float(found[1])


@dataclass
class Checker(threading.Thread):
    """Asks for one name after the other, and reads every answer."""

    address: tuple[str, int]
    wrong: list[str] = field(default_factory=list)
    right: int = 0
    silent: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(self.address)
            sock.settimeout(0.5)
            while not self.stop.is_set():
                number = random.randrange(NAMES)
                query = dns.message.make_query(f"host{number}.lab.test", "A")
                try:
                    sock.send(query.to_wire())
                    while True:
                        reply = dns.message.from_wire(sock.recv(4096))
                        if reply.id == query.id:
                            break
                except OSError:  # silent, or refused while nobody has the port
                    self.silent += 1
                    continue
                told = [str(rdata) for rrset in reply.answer for rdata in rrset]
                if query.is_response(reply) and reply.rcode() == dns.rcode.NOERROR and told == [address_of(number)]:
                    self.right += 1
                else:
                    self.wrong.append(reply.to_text())


@contextmanager
def checked(address: tuple[str, int]) -> Iterator[Checker]:
    checker = Checker(address)
    checker.start()
    yield checker
    checker.stop.set()
    checker.join(DEADLINE)


def served_again(folder: Path) -> list[float]:
    """The epoch seconds at which the supervisor logged that a worker serves again."""
    lines = [line for line in (folder / "var/log.json").read_text().splitlines() if '"worker.again"' in line]
    return [datetime.fromisoformat(json.loads(line)["time"]).timestamp() for line in lines]


def killed_and_back(folder: Path, number: int) -> float:
    """Kill the worker; the seconds until another process serves in its place."""
    pid = up(folder)["workers"][number - 1]["pid"]
    before = len(served_again(folder))
    began = time.time()
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + DEADLINE
    while len(times := served_again(folder)) == before:
        assert time.monotonic() < until, "it is not back"
        time.sleep(0.05)
    return times[-1] - began


@pytest.mark.soak
def test_a_worker_killed_every_second(tmp_path: Path) -> None:
    """Kill one of two workers each second: what is lost fits into its socket, nothing is wrong, it is back at once."""
    write_lab(tmp_path)
    with Daemon("labnet", "--config", "labnet.toml", cwd=tmp_path) as daemon:
        address = daemon.address("resolver main")
        supervisor = up(tmp_path)["pid"]
        load = dnsperf(tmp_path, address, SECONDS, "-q", str(OUTSTANDING))
        back = []
        with checked(address) as checker:
            until = time.monotonic() + SECONDS - 2
            while time.monotonic() < until:
                next_kill = time.monotonic() + 1
                back.append(killed_and_back(tmp_path, random.randint(1, 2)))
                time.sleep(max(0.0, next_kill - time.monotonic()))
            report, _ = load.communicate(timeout=DEADLINE)
        status = up(tmp_path)
        assert status["pid"] == supervisor
        lost, sent = figure(report, "Queries lost"), figure(report, "Queries sent")
        print(
            f"\n{len(back)} kills; {sent:.0f} queries sent, {lost:.0f} lost (bound {len(back) * OUTSTANDING}); "
            f"{checker.right} answers read, {len(checker.wrong)} wrong, {checker.silent} silent; "
            f"back after {statistics.median(back):.3f} s, at most {max(back):.3f} s: "
            f"{sorted(round(one, 2) for one in back)[-8:]}"
        )
        assert sum(worker["restarts"] for worker in status["workers"]) == len(back)
        assert lost <= len(back) * OUTSTANDING, report
        assert "NOERROR" in report
        assert not re.search(r"SERVFAIL|REFUSED|NXDOMAIN", report), report
        assert not checker.wrong
        assert checker.silent <= len(back)
        assert max(back) < BACK
        daemon.stop()


def answered(folder: Path) -> list[float]:
    """How many queries each worker has answered."""
    counts = []
    for path in sorted((folder / "var").glob("control.sock.*")):
        with Control(str(path)) as control:
            counts.append(sum(value for name, _, value in control.ask("samples") if name == "labnet_queries_total"))
    return counts


@pytest.mark.soak
def test_two_workers_share_a_flood(tmp_path: Path) -> None:
    """Neither answers more than 60 % of it, and neither ends; what it costs is told by ``make bench``."""
    write_lab(tmp_path)
    with Daemon("labnet", "--config", "labnet.toml", cwd=tmp_path) as daemon:
        port = daemon.address("resolver main")[1]
        before = [worker["pid"] for worker in up(tmp_path)["workers"]]
        subprocess.run([sys.executable, "-m", "tests.soak.flood", str(port), f"{FLOOD:g}"], check=True)
        each = answered(tmp_path)
        assert [worker["pid"] for worker in up(tmp_path)["workers"]] == before
        print(f"\n{sum(each):.0f} queries answered, the larger share {max(each) / sum(each):.3f}")
        assert max(each) <= MOST_SHARE * sum(each)
        daemon.stop()


@pytest.mark.soak
def test_a_worker_that_hangs_is_replaced(tmp_path: Path) -> None:
    """One that a signal stops is missed at once and killed after some polls; another one serves in its place."""
    write_lab(tmp_path)
    with Daemon("labnet", "--config", "labnet.toml", cwd=tmp_path) as daemon:
        first, second = (worker["pid"] for worker in up(tmp_path)["workers"])
        began = time.monotonic()
        os.kill(second, signal.SIGSTOP)

        def worker() -> dict[str, Any]:
            with Control(str(tmp_path / "var/control.sock")) as control:
                found: dict[str, Any] = control.ask("status")["workers"][1]
                return found

        while worker()["answers"]:
            assert time.monotonic() < began + 10
        missed = time.monotonic() - began
        while (found := worker())["pid"] in (None, second):
            assert time.monotonic() < began + 40
            time.sleep(0.1)
        print(f"\nmissed after {missed:.1f} s, replaced after {time.monotonic() - began:.1f} s")
        assert (found["restarts"], found["answers"]) == (1, True)
        assert up(tmp_path)["workers"][0]["pid"] == first
        daemon.stop()
