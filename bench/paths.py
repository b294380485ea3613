"""What is measured: for each path through the servers, who takes part and what the load is.

The names of the paths and their targets stand in one place, :data:`TARGETS`; docs/speed.rst shows the result.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
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
PAGES = 80
READERS = HERE.parent / "tests/soak/page_readers.py"


class Target(NamedTuple):
    """``path``'s ``figure`` is to be at most ``ratio`` times that of the best of ``peers`` on ``peers_path``.

    An empty ``peers_path`` is the same path.
    """

    path: str
    ratio: float
    peers: tuple[str, ...]
    figure: str = "cpu_us"
    peers_path: str = ""


BATCHED = "DNS hit, batch generator"
DNSPERF = "DNS hit, dnsperf"
STEADY = "DNS hit, 20,000 a second"
UNWATCHED = "DNS hit, 20,000 a second, a page that nobody has open"
WATCHED = "DNS hit, 20,000 a second, 80 pages open"
OWN_PORTS = "DNS hit, each from a port of its own"
WORKERS = "DNS hit, a flood, two workers"
COURSE = "course hit"
DIALECTS = {dialect: f"course hit, dialect {dialect}" for dialect in ("json", "line", "zone", "address")}
UNIFORM = "DNS hit, 1,000,000 names"
MISS = "miss, forwarded"
LEARNED = "miss, forwarded and learned"
STREAM = "DNS over TCP, pipelined"
DOT = "DNS over TLS, pipelined"
DOH = "DNS over HTTPS, pipelined"
LARGE_STREAM = "DNS over TCP, 4,000 addresses"
LARGE_COOKIE = "DNS with a cookie, 4,000 addresses"
SMALL_COOKIE = "DNS with a cookie, one address"
TIME_1 = "TIME, 50 connections, 1 in flight"
TIME_100 = "TIME, 50 connections, 100 in flight"
MIXED = "TIME, mixed, 50 connections, 100 in flight"
FLOOD = "TIME beside a UDP flood"

ONE_PROCESS = "labnet, one process"

TARGETS = (
    Target(BATCHED, 0.95, ("nsd", "knotd")),
    Target(BATCHED, 0.65, ("dnsmasq",)),
    Target(BATCHED, 1.3, ("C loop",)),
    Target(DNSPERF, 1.0, ("nsd", "knotd")),
    Target(STEADY, 1.15, ("nsd",)),
    Target(WATCHED, 1.2, ("labnet",), "p99_us", peers_path=UNWATCHED),
    Target(WORKERS, 1.1, (ONE_PROCESS,)),
    Target(COURSE, 1.0, ("labnet",), peers_path=BATCHED),
    *[Target(DIALECTS[one], 1.05, ("labnet",), peers_path=DIALECTS["json"]) for one in ("line", "zone", "address")],
    Target(UNIFORM, 0.9, ("nsd",)),
    Target(UNIFORM, 0.6, ("nsd",), "pss_kib"),
    Target(UNIFORM, 1.5, ("nsd",), "first_s"),
    Target(MISS, 1.0, ("dnsmasq",)),
    Target(STREAM, 1.0, ("unbound",)),
    Target(DOT, 1.2, ("unbound", "dnsdist")),
    Target(DOH, 1.2, ("unbound", "dnsdist")),
    Target(LARGE_STREAM, 5.0, ("nsd",)),
    Target(LARGE_COOKIE, 10.0, ("labnet",), peers_path=SMALL_COOKIE),
    Target(TIME_1, 1.1, ("redis",)),
    Target(TIME_100, 0.5, ("redis",)),
)

MIXED_REQUESTS = "TIME\r\nTIME\nTIME  \r\n TIME\ntime\r\n"
"""What clients really send; the last is no command, and its reply says so."""

Load = Callable[..., harness.Result]


@dataclass
class Loads:
    """What is sent on one path: ``full`` speed, which tells the CPU; ``paced``, which tells the latency.

    The pace is the ``share`` of the rate that full speed reached. Before each comes a short ``warm_up`` that does not
    count; None is the load itself.
    """

    full: Load
    paced: Load | None = None
    warm_up: Load | None = None
    share: float = 0.5


@dataclass
class Server:
    """One server: ``command`` is its command line for a port, ``answers`` says whether it is up at a port.

    ``beside`` has to run while it is measured; ``at`` is where its load goes, counted from the port it is given;
    ``options`` are what the load has to know of it; ``alone`` are the paths that it has for itself.
    """

    name: str
    command: peers.Command
    answers: Callable[[int], bool] = harness.answers_dns
    beside: Callable[[], AbstractContextManager[object]] = nullcontext
    at: int = 0
    options: dict[str, int] = field(default_factory=dict)
    alone: dict[str, Loads] = field(default_factory=dict)

    @property
    def is_labnet(self) -> bool:
        """Whether it is labnet, in whatever setting."""
        return self.name.startswith("labnet")


@dataclass
class Stage:
    """Servers that are measured in turn, each under the loads of all ``paths``."""

    servers: list[Server]
    paths: dict[str, Loads] = field(default_factory=dict)

    def choose(self, only: str) -> bool:
        """Keep the paths with ``only`` in their names, and the servers that have any; gives whether there are some."""
        self.paths = {path: loads for path, loads in self.paths.items() if only in path}
        for server in self.servers:
            server.alone = {path: loads for path, loads in server.alone.items() if only in path}
        self.servers = [server for server in self.servers if self.paths or server.alone]
        return bool(self.servers)


def stages(folder: Path, only: str = "") -> Iterator[Stage]:
    """Every stage with ``only`` in the name of a path, with its records written below ``folder``."""
    udp = partial(harness.udpload, _compiled(folder, "udpload"))
    tcp = partial(harness.tcpload, _compiled(folder, "tcpload"))
    small = folder / "small"
    small.mkdir()
    peers.write_records(small, 1000)
    asking = partial(udp, questions=small / "questions")
    for stage in (
        _hits(small, asking, _compiled(folder, "cloop")),
        _dialects(small, asking),
        _watched(small, asking),
        _workers(small, asking),
        _streams(small),
        _encrypted(small),
        _large(folder / "addresses"),
        Stage(_forwarders(small, learn=False), {MISS: Loads(asking, paced=asking)}),
        _commands(small, tcp),
        _flood(small, asking, tcp),
    ):
        if stage.choose(only):
            yield stage
    if only in UNIFORM or only in LEARNED:
        for stage in _million(folder / "large", udp):
            if stage.choose(only):
                yield stage


def _hits(folder: Path, asking: Load, cloop: Path) -> Stage:
    servers = [Server(name, command) for name, command in peers.resolvers(folder)]
    course = partial(asking, course=True)
    servers[0].alone = {COURSE: Loads(course, paced=course)}
    servers.append(Server("C loop", lambda port: [str(cloop), str(port), str(folder / "hosts")]))
    paths = {BATCHED: Loads(asking, paced=asking)}
    if shutil.which("dnsperf"):
        perf = partial(harness.dnsperf, questions=folder / "questions")
        paths |= {DNSPERF: Loads(perf, paced=asking), STEADY: Loads(partial(perf, rate=PACED), paced=asking, share=1)}
    own = partial(asking, sockets=1000, window=1000)
    return Stage(servers, paths | {OWN_PORTS: Loads(own, paced=own)})


def _dialects(folder: Path, asking: Load) -> Stage:
    """The same hit in several dialects, each of a lab of its own."""
    load = Loads(partial(asking, course=True))
    settings = [(peers.labnet(folder, "zone", dialect=dialect), path) for dialect, path in DIALECTS.items()]
    return Stage([Server("labnet", command, alone={path: load}) for command, path in settings])


def _watched(folder: Path, asking: Load) -> Stage:
    """What a class costs that looks at the live page: the latency of others at a rate that the lab has room for."""
    paced = partial(asking, rate=PACED)
    load = Loads(paced, paced=asking, share=1)
    watched = Loads(partial(_with_pages, paced), paced=partial(_with_pages, asking), share=1)
    return Stage(
        [Server("labnet", peers.labnet(folder, "zone", has_page=True), alone={UNWATCHED: load, WATCHED: watched})]
    )


def _with_pages(load: Load, port: int, seconds: float, **options: float) -> harness.Result:
    """``load`` while :data:`PAGES` pages are open that show what happens."""
    command = [sys.executable, str(READERS), str(port + 2), str(PAGES), "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as readers:
        assert readers.stdout is not None
        assert readers.stdin is not None
        readers.stdout.readline()
        result = load(port, seconds=seconds, **options)
        readers.stdin.close()
        readers.stdout.read()
    return result


def _workers(folder: Path, asking: Load) -> Stage:
    """Two workers that share a core, and one process that has it for itself."""
    servers = [
        Server("labnet", peers.labnet(folder, "zone", workers=2)),
        Server(ONE_PROCESS, peers.labnet(folder, "zone")),
    ]
    return Stage(servers, {WORKERS: Loads(partial(asking, window=0), paced=asking)})


def _streams(folder: Path) -> Stage:
    names = ("labnet", "nsd", "knotd", "unbound") if shutil.which("dnsperf") else ()
    servers = [Server(name, command) for name, command in peers.resolvers(folder) if name in names]
    stream = partial(harness.dnsperf, questions=folder / "questions", mode="tcp")
    return Stage(servers, {STREAM: Loads(stream, paced=partial(stream, verbose=True))})


def _encrypted(folder: Path) -> Stage:
    """One connection that is kept, of each kind; the port of the second is the next but one."""
    servers = [Server(name, command) for name, command in peers.encrypted(folder)]
    questions = folder / "questions"
    doh = Loads(partial(_further, 2, partial(harness.doh_stream, questions=questions)))
    if not shutil.which("dnsperf"):
        return Stage(servers, {DOH: doh})
    dot = partial(harness.dnsperf, questions=questions, mode="dot")
    return Stage(servers, {DOT: Loads(partial(_further, 1, dot)), DOH: doh})


def _further(away: int, load: Load, port: int, seconds: float, **options: float) -> harness.Result:
    """``load`` for a port that is so many numbers ``away``."""
    return load(port + away, seconds=seconds, **options)


def _large(folder: Path) -> Stage:
    """What abuse costs: the largest RRset by TCP, and by UDP with an option that nobody else sends."""
    folder.mkdir()
    peers.write_records(folder, 1000, addresses=4000)
    names = ("labnet", "nsd", "unbound") if shutil.which("dnsperf") else ()
    servers = [Server(name, command) for name, command in peers.resolvers(folder) if name in names]
    cookie = partial(harness.dnsperf, questions=folder / "large", edns_option="10:0102030405060708")
    small = partial(cookie, questions=folder / "questions")
    stream = partial(harness.large_stream, name="large.lab.test")
    return Stage(servers, {LARGE_STREAM: Loads(stream), LARGE_COOKIE: Loads(cookie), SMALL_COOKIE: Loads(small)})


def _commands(folder: Path, tcp: Load) -> Stage:
    one, deep = partial(tcp, depth=1), partial(tcp, depth=100)
    mixed = partial(deep, requests=MIXED_REQUESTS)
    servers = [_command_server(folder)]
    servers[0].alone = {MIXED: Loads(mixed, paced=mixed)}
    redis = peers.redis()
    if redis is not None:
        servers.append(Server("redis", redis, harness.connects, options={"lines": 5}))
    return Stage(servers, {TIME_1: Loads(one, paced=one), TIME_100: Loads(deep, paced=deep)})


def _command_server(folder: Path) -> Server:
    return Server("labnet", peers.labnet(folder, "zone"), harness.connects, at=1, options={"welcome": 1})


def _flood(folder: Path, asking: Load, tcp: Load) -> Stage:
    return Stage([_command_server(folder)], {FLOOD: Loads(partial(_flooded, asking, partial(tcp, depth=1)))})


def _million(folder: Path, udp: Load) -> Iterator[Stage]:
    """A million names, as records and as a parent's; the warm-up asks for those that the load comes to last, if at all.

    What was learned is a miss no more: that path has one load, and no second one that is paced.
    """
    folder.mkdir()
    peers.write_records(folder, MILLION)
    servers = [Server(name, command) for name, command in peers.resolvers(folder) if name in ("labnet", "nsd", "knotd")]
    uniform, warm_up = (partial(udp, questions=folder / name) for name in ("shuffled", "backward"))
    yield Stage(servers, {UNIFORM: Loads(uniform, paced=uniform, warm_up=warm_up)})
    yield Stage(_forwarders(folder, learn=True), {LEARNED: Loads(uniform, warm_up=warm_up)})


def _forwarders(folder: Path, learn: bool) -> list[Server]:
    """Forwarders, and NSD as the parent of each, on the core of the load."""
    parent = dict(peers.resolvers(folder)).get("nsd")
    if parent is None:
        return []
    port = free_port()

    @contextmanager
    def beside() -> Iterator[None]:
        with harness.running(parent(port), partial(harness.answers_dns, port), core=harness.LOAD_CORE):
            yield

    return [Server(name, command, beside=beside) for name, command in peers.forwarders(folder, port, learn)]


def _flooded(flood: Load, time: Load, port: int, seconds: float, **options: int) -> harness.Result:
    """TIME at ``port`` while ``flood`` saturates the DNS port before it; what counts is the p99."""
    flooding = threading.Thread(target=flood, args=(port - 1,), kwargs={"seconds": seconds})
    flooding.start()
    result = time(port, seconds=seconds, **options)
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
