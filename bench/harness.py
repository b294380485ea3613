"""Starting a server on one core, loading it from the other, and what an operation cost the server's processes."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SERVER_CORE, LOAD_CORE = "0", "1"

LOST = 1e6
"""Microseconds that a question without an answer counts as."""

Result = dict[str, float]


class DidNotStart(RuntimeError):
    """A server that ended, or did not answer in time."""


@contextmanager
def running(
    command: list[str], ready: Callable[[], bool], most_seconds: float = 60, core: str = SERVER_CORE
) -> Iterator[int]:
    """Run ``command`` pinned to a core until the block ends; gives its process id once it is ``ready``.

    Raises DidNotStart.
    """
    process = subprocess.Popen(
        [*pinned(core), *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + most_seconds
        while not ready():
            if process.poll() is not None or time.monotonic() > until:
                raise DidNotStart(f"{command[0]} does not answer; its command line is {command}")
            time.sleep(0.005)
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def pinned(core: str) -> list[str]:
    """What stands before a command line to run it on ``core``."""
    return ["taskset", "-c", core] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []


def asks_dns(address: tuple[str, int], name: str) -> bytes | None:
    """The reply of a server to the question for the addresses of ``name``; None where it has no answer, or is late."""
    labels = b"".join(bytes((len(label),)) + label for label in name.encode().split(b".")) + b"\0"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.02)
        sock.connect(address)
        try:
            sock.send(struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0\1\0\1")
            reply = sock.recv(4096)
        except OSError:
            return None
    return reply if len(reply) > 12 and reply[3] & 15 == 0 and reply[7] >= 1 else None


def answers_dns(port: int, name: str = "host000001.lab.test") -> bool:
    """Whether a server answers for ``name``, by default the first of the records."""
    return asks_dns(("127.0.0.1", port), name) is not None


def connects(port: int) -> bool:
    """Whether a server takes TCP connections."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.1).close()
    except OSError:
        return False
    return True


def measured(pid: int, load: Callable[[], Result]) -> Result:
    """What ``load`` reports, and what each operation cost the server: CPU microseconds (``cpu_us``), ``wakeups``."""
    cpu, woken = cpu_seconds(pid), _wakeups(pid)
    result = load()
    operations = max(1.0, result["answered"])
    result["cpu_us"] = (cpu_seconds(pid) - cpu) / operations * 1e6
    result["wakeups"] = (_wakeups(pid) - woken) / operations
    return result


def resident_kib(pid: int) -> int:
    """The proportional set size of the process tree, KiB."""
    total = 0
    for process in _tree(pid):
        match = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
        total += int(match[1]) if match else 0
    return total


def udpload(
    binary: Path,
    port: int,
    questions: Path,
    seconds: float,
    course: bool = False,
    sockets: int = 20,
    window: int = 200,
    rate: float = 0,
    rcode: int = 0,
    answers: int = 1,
    once: bool = False,
    authentic: bool = False,
) -> Result:
    """Closed-loop bursts of the batch generator, of DNS or of the course protocol, ``window`` questions outstanding.

    With a window of 0 it is a flood: as many as the system takes. With a ``rate`` in questions a second it sends each
    when it is due; the latencies are then in the result. A reply has to have the ``rcode`` and so many ``answers``.
    With ``once`` it ends when it has asked each question, if the ``seconds`` are not over before. With ``authentic``
    every reply has to have AD.
    """
    shape = [port, questions, sockets, window, seconds, 64, 0, int(course), rate]
    shape += [rcode, answers, int(once), int(authentic)]
    return _json([str(binary), *map(str, shape)])


def tcpload(
    binary: Path,
    port: int,
    depth: int,
    seconds: float,
    welcome: int = 0,
    lines: int = 1,
    requests: str = "TIME",
    rate: float = 0,
) -> Result:
    """The lines of ``requests`` over 50 connections, ``depth`` in flight on each, or ``rate`` of them a second.

    A reply has ``lines``, and ``welcome`` of them come before all.
    """
    return _json(
        [str(binary), str(port), "50", str(depth), str(seconds), requests, str(lines), str(welcome), str(rate)]
    )


def connload(
    binary: Path,
    port: int,
    request: str,
    seconds: float,
    at_a_time: int,
    welcome: int = 0,
    lines: int = 1,
    rate: float = 0,
) -> Result:
    """A connection for each ``request``, so many ``at_a_time``, or ``rate`` of them a second.

    A request that begins with "@" is a file of questions of DNS. The other arguments are those of :func:`tcpload`.
    """
    shape = [port, at_a_time, seconds, request, lines, welcome, rate]
    return _json([str(binary), *map(str, shape)])


def dnsperf(
    port: int,
    questions: Path,
    seconds: float,
    rate: float = 0,
    mode: str = "udp",
    verbose: bool = False,
    edns_option: str = "",
) -> Result:
    """dnsperf at full speed or paced at ``rate`` questions a second, over 20 sockets, or in another ``mode``
    than UDP over one connection.

    Each question has the ``edns_option``, a number and a value in hexadecimal. The latencies are in the result where it
    is ``verbose`` and prints each, which slows it down itself.
    """
    options = ["-Q", f"{rate:.0f}"] * bool(rate) + ["-m", mode] + ["-v"] * verbose
    options += ["-e", "-E", edns_option] * bool(edns_option)
    clients = "20" if mode == "udp" else "1"
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(questions), "-c", clients, "-q", "200"]
    done = subprocess.run(
        [*pinned(LOAD_CORE), *command, "-l", str(seconds), *options], capture_output=True, text=True, check=True
    )

    def figure(name: str) -> float:
        match = re.search(name + r":\s+([\d.]+)", done.stdout)
        assert match is not None, done.stdout
        return float(match[1])

    result = {"answered": figure("Queries completed"), "lost": figure("Queries lost")}
    result["qps"] = figure("Queries per second")
    right = re.search(r"NOERROR (\d+)", done.stdout)
    result["bad"] = result["answered"] - (int(right[1]) if right else 0)
    if verbose:
        latencies = [float(seconds) * 1e6 for seconds in re.findall(r"^> \w+ .* ([\d.]+)$", done.stdout, re.MULTILINE)]
        latencies += [LOST] * int(result["lost"])
        result |= {"p50_us": percentile(latencies, 0.5), "p99_us": percentile(latencies, 0.99)}
    return result


def large_stream(port: int, name: str, seconds: float, window: int = 10) -> Result:
    """The question for the addresses of ``name`` over one TCP connection, ``window`` in flight."""
    return _json([sys.executable, "-m", "bench.large_stream", str(port), name, str(window), str(seconds)])


def doh_stream(port: int, questions: Path, seconds: float, window: int = 100) -> Result:
    """Questions over one connection of HTTP/2, ``window`` in flight."""
    return _json([sys.executable, "-m", "bench.doh_stream", str(port), str(questions), str(window), str(seconds)])


def percentile(figures: list[float], part: float) -> float:
    """What ``part`` of the ``figures`` do not exceed; 0 where there are none."""
    return sorted(figures)[max(0, math.ceil(part * len(figures)) - 1)] if figures else 0.0


def _json(command: list[str]) -> Result:
    done = subprocess.run([*pinned(LOAD_CORE), *command], capture_output=True, text=True, check=True)
    result: Any = json.loads(done.stdout)
    return {name: float(value) for name, value in result.items()}


def _tree(pid: int) -> list[int]:
    found = [pid]
    for process in found:
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def cpu_seconds(pid: int) -> float:
    """The CPU that the process tree has used so far, seconds."""
    total = 0
    for process in _tree(pid):
        for task in Path(f"/proc/{process}/task").glob("*/schedstat"):
            total += int(task.read_text().split()[0])
    return total / 1e9


def _wakeups(pid: int) -> int:
    """How often the process tree has waited so far, and was woken: its voluntary context switches."""
    total = 0
    for process in _tree(pid):
        for task in Path(f"/proc/{process}/task").glob("*/status"):
            found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", task.read_text(), re.MULTILINE)
            total += int(found[1]) if found else 0
    return total
