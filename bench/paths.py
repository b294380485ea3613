"""What is measured: for each path through the servers, who takes part and what the load is.

The names of the paths and their targets stand in one place, :data:`TARGETS`; docs/speed.rst shows the result.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import harness, peers

HERE = Path(__file__).parent
PACED = 20_000
MILLION = 1_000_000


class Target(NamedTuple):
    """``path``'s CPU is to be at most ``ratio`` times that of the best of ``peers``."""

    path: str
    ratio: float
    peers: tuple[str, ...]


BATCHED = "DNS hit, batch generator"
DNSPERF = "DNS hit, dnsperf"
STEADY = "DNS hit, 20,000 a second"
COURSE = "course hit"
UNIFORM = "DNS hit, 1,000,000 names"
MISS = "miss, forwarded"
STREAM = "DNS over TCP, pipelined"
TIME_1 = "TIME, 50 connections, 1 in flight"
TIME_100 = "TIME, 50 connections, 100 in flight"
FLOOD = "TIME beside a UDP flood"

TARGETS = (
    Target(BATCHED, 0.95, ("nsd", "knotd")),
    Target(BATCHED, 0.65, ("dnsmasq",)),
    Target(BATCHED, 1.3, ("C loop",)),
    Target(DNSPERF, 1.0, ("nsd", "knotd")),
    Target(STEADY, 1.15, ("nsd",)),
    Target(UNIFORM, 0.9, ("nsd",)),
    Target(MISS, 1.0, ("dnsmasq",)),
    Target(STREAM, 1.0, ("unbound",)),
    Target(TIME_1, 1.1, ("redis",)),
    Target(TIME_100, 0.5, ("redis",)),
)

Load = Callable[..., harness.Result]


@dataclass
class Server:
    """One server: ``command`` is its command line for a port, ``answers`` says whether it is up at a port.

    ``beside`` has to run while it is measured; ``at`` is where its load goes, counted from the port it is given;
    ``options`` are what the load has to know of it.
    """

    name: str
    command: peers.Command
    answers: Callable[[int], bool] = harness.answers_dns
    beside: Callable[[], AbstractContextManager[object]] = nullcontext
    at: int = 0
    options: dict[str, int] = field(default_factory=dict)


@dataclass
class Stage:
    """Servers that are measured in turn, each under the loads of all ``paths``."""

    servers: list[Server]
    paths: dict[str, Load] = field(default_factory=dict)


def stages(folder: Path, seconds: float) -> Iterator[Stage]:
    """Every stage, with its records written below ``folder``; each load lasts ``seconds``."""
    binaries = {name: _compiled(folder, name) for name in ("udpload", "tcpload", "cloop")}
    small, large = folder / "small", folder / "large"
    for records, count in ((small, 1000), (large, MILLION)):
        records.mkdir()
        peers.write_records(records, count)
    questions = small / "questions"
    udp = partial(harness.udpload, binaries["udpload"], seconds=seconds)
    perf = partial(harness.dnsperf, questions=questions, seconds=seconds)
    loop = Server("C loop", lambda port: [str(binaries["cloop"]), str(port), str(small / "hosts")])
    servers = [Server(name, command) for name, command in peers.resolvers(small)]

    hits: dict[str, Load] = {BATCHED: partial(udp, questions=questions)}
    if shutil.which("dnsperf"):
        hits |= {DNSPERF: perf, STEADY: partial(perf, rate=PACED)}
    yield Stage([*servers, loop], hits)
    yield Stage([servers[0]], {COURSE: partial(udp, questions=questions, course=True)})
    if shutil.which("dnsperf"):
        streams = [server for server in servers if server.name in ("labnet", "nsd", "knotd", "unbound")]
        yield Stage(streams, {STREAM: partial(perf, tcp=True)})
    yield Stage(_forwarders(small), {MISS: partial(udp, questions=questions)})

    commands = [Server("labnet", servers[0].command, harness.connects, at=1, options={"welcome": 1})]
    redis = peers.redis()
    if redis is not None:
        commands.append(Server("redis", redis, harness.connects, options={"lines": 5}))
    time = partial(harness.tcpload, binaries["tcpload"], seconds=seconds)
    yield Stage(commands, {TIME_1: partial(time, depth=1), TIME_100: partial(time, depth=100)})
    yield Stage(commands[:1], {FLOOD: partial(_flooded, partial(udp, questions=questions), partial(time, depth=1))})

    shuffled = partial(udp, questions=large / "shuffled")
    big = [Server(name, command) for name, command in peers.resolvers(large) if name in ("labnet", "nsd", "knotd")]
    yield Stage(big, {UNIFORM: shuffled})


def _forwarders(folder: Path) -> list[Server]:
    """Forwarders with their caches off, and NSD as the parent of each, on the core of the load."""
    parent = dict(peers.resolvers(folder)).get("nsd")
    if parent is None:
        return []
    port = free_port()

    @contextmanager
    def beside() -> Iterator[None]:
        with harness.running(parent(port), partial(harness.answers_dns, port), core=harness.LOAD_CORE):
            yield

    return [Server(name, command, beside=beside) for name, command in peers.forwarders(folder, port)]


def _flooded(flood: Load, time: Load, port: int, **options: int) -> harness.Result:
    """TIME at ``port`` while ``flood`` saturates the DNS port before it; what counts is the p99."""
    flooding = threading.Thread(target=flood, args=(port - 1,))
    flooding.start()
    result = time(port, **options)
    flooding.join()
    return result


def _compiled(folder: Path, name: str) -> Path:
    subprocess.run(["cc", "-O2", "-w", "-o", folder / name, HERE / "load" / f"{name}.c"], check=True)
    return folder / name


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
