"""What is measured: for each path through the servers, who takes part and what the load is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import harness, peers, settings
from bench.rest import at_rest
from bench.stages import Load, Loads, Server, Stage, beside_parent, free_port, running_beside
from bench.targets import (
    BATCHED,
    CONNECT,
    COURSE,
    COURSE_MISS,
    DIALECTS,
    DNSPERF,
    DOH,
    DOT,
    FLOOD,
    LABNET,
    LARGE_COOKIE,
    LARGE_STREAM,
    LEARNED,
    MISS,
    MISSES,
    MIXED,
    ONE_PROCESS,
    OWN_PORTS,
    SELDOM,
    SMALL_COOKIE,
    STEADY,
    STREAM,
    STREAM_EACH,
    TIME_1,
    TIME_100,
    UNIFORM,
    UNWATCHED,
    VALIDATED,
    VALIDATED_NONE,
    WATCHED,
    WORKERS,
)
from bench.tree import recursion
from bench.validated import validated

HERE = Path(__file__).parent
PACED = 20_000
FEW = 1_000
MILLION = 1_000_000
PAGES = 80
READERS = HERE.parent / "tests/soak/page_readers.py"

CLOSE_PEERS = ("labnet", "nsd", "knotd", "C loop")
"""Those that are measured on every path of hits; the others on the first alone."""

FEW_PEERS = ("labnet", "nsd", "unbound", "dnsmasq")

FEW_MISSES = 50
"""In flight where each may take long: with so many all come back before the load gives them up."""

AT_A_TIME = 10
"""Connections of those that carry one question; no server here has to be told to take so many."""

MIXED_REQUESTS = "TIME\r\nTIME\nTIME  \r\n TIME\ntime\r\n"
"""What clients really send; the last is no command, and its reply says so."""


def stages(folder: Path, only: str = "") -> Iterator[Stage]:
    """Every stage with ``only`` in the name of a path, with its records written below ``folder``."""
    udp = partial(harness.udpload, _compiled(folder, "udpload"))
    tcp = partial(harness.tcpload, _compiled(folder, "tcpload"))
    each = partial(harness.connload, _compiled(folder, "connload"), at_a_time=AT_A_TIME)
    small = folder / "small"
    small.mkdir()
    peers.write_records(small, 1000)
    asking = partial(udp, questions=small / "questions")
    for stage in (
        _hits(small, asking, _compiled(folder, "cloop")),
        _dialects(small, asking),
        _watched(small, asking),
        _workers(small, asking),
        _streams(small, each),
        _encrypted(small),
        _large(folder / "addresses"),
        _misses(folder / "kinds", udp),
        _course_misses(small, asking),
        recursion(folder / "walks", _compiled(folder, "tree"), udp),
        _commands(small, tcp, each, _compiled(folder, "timeloop")),
        _flood(small, asking, tcp),
        at_rest(folder / "rest"),
    ):
        if stage.choose(only):
            yield stage
    if only in UNIFORM or only in LEARNED:
        for stage in _million(folder / "large", udp):
            if stage.choose(only):
                yield stage
    if only in VALIDATED or only in VALIDATED_NONE:
        for stage in validated(folder / "validated", udp):
            if stage.choose(only):
                yield stage


def _hits(folder: Path, asking: Load, cloop: Path) -> Stage:
    servers = [Server(name, command) for name, command in peers.resolvers(folder)]
    servers.append(Server("C loop", lambda port: [str(cloop), str(port), str(folder / "hosts")]))
    own, course = partial(asking, sockets=1000, window=1000), partial(asking, course=True)
    close, few = {OWN_PORTS: Loads(own, paced=own)}, {}
    if shutil.which("dnsperf"):
        perf = partial(harness.dnsperf, questions=folder / "questions")
        close |= {DNSPERF: Loads(perf, paced=asking), STEADY: Loads(partial(perf, rate=PACED), paced=asking, share=1)}
        few = {SELDOM: Loads(partial(perf, rate=FEW), paced=asking, share=1)}
    for server in servers:
        server.alone |= close if server.name in CLOSE_PEERS else {}
        server.alone |= few if server.name in FEW_PEERS else {}
    servers[0].alone |= {COURSE: Loads(course, paced=course)}
    return Stage(servers, {BATCHED: Loads(asking, paced=asking)})


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


def _streams(folder: Path, each: Load) -> Stage:
    names = ("labnet", "nsd", "knotd", "unbound")
    servers = [Server(name, command) for name, command in peers.resolvers(folder) if name in names]
    one = partial(each, request=f"@{folder / 'questions'}")
    paths = {STREAM_EACH: Loads(one, paced=one)}
    if shutil.which("dnsperf"):
        stream = partial(harness.dnsperf, questions=folder / "questions", mode="tcp")
        paths[STREAM] = Loads(stream, paced=partial(stream, verbose=True))
    return Stage(servers, paths)


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


def _commands(folder: Path, tcp: Load, each: Load, timeloop: Path) -> Stage:
    """Each server has its own greeting and replies of its own lines, which the loads are told."""
    one, deep, single = partial(tcp, depth=1), partial(tcp, depth=100), partial(each, request="TIME")
    mixed = partial(deep, requests=MIXED_REQUESTS)
    servers = [_command_server(folder)]
    servers[0].alone = {MIXED: Loads(mixed, paced=mixed)}
    redis = peers.redis()
    if redis is not None:
        servers.append(Server("redis", redis, harness.connects, options={"lines": 5}))
    loop: peers.Command = lambda port: [str(timeloop), str(port)]  # noqa: E731
    servers.append(Server("C loop", loop, harness.connects, options={"welcome": 1}))
    return Stage(
        servers,
        {
            TIME_1: Loads(one, paced=one),
            TIME_100: Loads(deep, paced=deep),
            CONNECT: Loads(single, paced=single),
        },
    )


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


def _misses(folder: Path, udp: Load) -> Stage:
    """Nobody has a cache; replies of each kind that a parent gives."""
    folder.mkdir()
    peers.write_records(folder, 1000)
    kinds = peers.write_kinds(folder, 1000)
    asking = partial(udp, questions=folder / "questions")
    paths = {MISS: Loads(asking, paced=asking)}
    for kind, reply in kinds.items():
        of_a_kind = partial(udp, questions=folder / f"questions-{kind}", window=FEW_MISSES, **reply)
        paths[MISSES[kind]] = Loads(of_a_kind)
    return Stage(_forwarders(folder, learn=False), paths)


def _course_misses(folder: Path, asking: Load) -> Stage:
    """The same in the course protocol, from the client to the parent, which is a lab too."""
    port = free_port()
    command = peers.labnet_forwards(folder, f"text:127.0.0.1:{port}", settings.LAB_WITHOUT_CACHE)
    beside = partial(running_beside, peers.labnet(folder, "zone"), port)
    course = partial(asking, course=True)
    return Stage([Server(LABNET, command, beside=beside)], {COURSE_MISS: Loads(course, paced=course)})


def _forwarders(folder: Path, learn: bool) -> list[Server]:
    """Forwarders that learn what their parent says, or have no cache."""
    return beside_parent(folder, partial(peers.forwarders, learn=learn))


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
