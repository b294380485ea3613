"""The names of the paths, and what is to be reached on each: beside peers, or by itself."""

from __future__ import annotations

from typing import NamedTuple

LABNET = "labnet"
ONE_PROCESS = "labnet, one process"
IN_A_FILE = "labnet, kept in a file"
TWO_WORKERS = "labnet, two workers"
THREE_WORKERS = "labnet, three workers"

BATCHED = "DNS hit, batch generator"
DNSPERF = "DNS hit, dnsperf"
STEADY = "DNS hit, 20,000 a second"
SELDOM = "DNS hit, 1,000 a second"
UNWATCHED = "DNS hit, 20,000 a second, a page that nobody has open"
WATCHED = "DNS hit, 20,000 a second, 80 pages open"
OWN_PORTS = "DNS hit, each from a port of its own"
WORKERS = "DNS hit, a flood, two workers"
COURSE = "course hit"
DIALECTS = {dialect: f"course hit, dialect {dialect}" for dialect in ("json", "line", "zone", "address")}
UNIFORM = "DNS hit, 1,000,000 names"
MISS = "miss, forwarded"
MISSES = {kind: f"miss, forwarded, {kind}" for kind in ("CNAME", "NODATA", "NXDOMAIN", "MX")}
COURSE_MISS = "course miss, forwarded"
LEARNED = "miss, forwarded and learned"
VALIDATED = "miss, forwarded and validated"
VALIDATED_NONE = "miss, forwarded and validated, NXDOMAIN"
COLD = "recursion from the root, cold"
WARM = "recursion from the root, warm"
STREAM = "DNS over TCP, pipelined"
STREAM_EACH = "DNS over TCP, one question a connection"
DOT = "DNS over TLS, pipelined"
DOH = "DNS over HTTPS, pipelined"
LARGE_STREAM = "DNS over TCP, 4,000 addresses"
LARGE_COOKIE = "DNS with a cookie, 4,000 addresses"
SMALL_COOKIE = "DNS with a cookie, one address"
TIME_1 = "TIME, 50 connections, 1 in flight"
TIME_100 = "TIME, 50 connections, 100 in flight"
MIXED = "TIME, mixed, 50 connections, 100 in flight"
CONNECT = "connect, greeting, TIME, close"
FLOOD = "TIME beside a UDP flood"
AT_REST = "at rest"


class Target(NamedTuple):
    """``path``'s ``figure`` is to be at most ``ratio`` times that of the best of ``peers`` on ``peers_path``.

    The figure is that of the server ``own``. An empty ``peers_path`` is the same path.
    """

    path: str
    ratio: float
    peers: tuple[str, ...]
    figure: str = "cpu_us"
    peers_path: str = ""
    own: str = LABNET


class Limit(NamedTuple):
    """``path``'s ``figure``, times ``scale``, is to be at most ``most`` of the ``unit``, whatever peers need.

    The figure is that of the server ``own``, less that of the server ``besides`` where there is one.
    """

    path: str
    figure: str
    most: float
    unit: str
    scale: float
    own: str = LABNET
    besides: str = ""


TARGETS = (
    Target(BATCHED, 0.85, ("nsd", "knotd")),
    Target(BATCHED, 0.65, ("dnsmasq",)),
    Target(BATCHED, 1.1, ("C loop",)),
    Target(BATCHED, 2.0, ("nsd",), "p50_us"),
    Target(BATCHED, 2.0, ("nsd",), "p99_us"),
    Target(DNSPERF, 0.85, ("nsd", "knotd")),
    Target(OWN_PORTS, 0.92, ("nsd",)),
    Target(STEADY, 0.9, ("nsd",)),
    Target(STEADY, 1.5, ("nsd",), "p50_us"),
    Target(SELDOM, 1.2, ("unbound",)),
    Target(WATCHED, 1.2, (LABNET,), "p99_us", peers_path=UNWATCHED),
    Target(WORKERS, 1.03, (ONE_PROCESS,)),
    Target(COURSE, 1.0, (LABNET,), peers_path=BATCHED),
    *[Target(DIALECTS[one], 1.05, (LABNET,), peers_path=DIALECTS["json"]) for one in ("line", "zone", "address")],
    Target(UNIFORM, 0.95, ("nsd", "knotd")),
    Target(UNIFORM, 0.6, ("nsd",), "pss_kib"),
    Target(UNIFORM, 1.5, ("nsd",), "first_s"),
    Target(MISS, 0.7, ("unbound", "dnsmasq")),
    Target(MISS, 1.5, ("unbound", "dnsmasq"), "p50_us"),
    *[Target(path, 1.0, ("unbound", "dnsmasq")) for path in MISSES.values()],
    Target(COURSE_MISS, 1.5, (LABNET,), peers_path=MISS),
    Target(LEARNED, 1.0, ("unbound",)),
    Target(LEARNED, 1.2, ("unbound",), own=IN_A_FILE),
    Target(VALIDATED, 1.5, ("unbound",)),
    Target(COLD, 1.5, ("unbound",)),
    Target(COLD, 1.0, ("unbound",), "asked"),
    Target(WARM, 1.5, ("unbound",)),
    Target(WARM, 1.0, ("unbound",), "asked"),
    Target(STREAM, 1.0, ("unbound",)),
    Target(STREAM_EACH, 1.2, ("unbound", "nsd")),
    Target(DOT, 1.2, ("unbound", "dnsdist")),
    Target(DOH, 1.2, ("unbound", "dnsdist")),
    Target(LARGE_STREAM, 5.0, ("nsd",)),
    Target(LARGE_COOKIE, 10.0, (LABNET,), peers_path=SMALL_COOKIE),
    Target(TIME_1, 1.0, ("redis",)),
    Target(TIME_100, 0.5, ("redis",)),
    Target(CONNECT, 1.5, ("redis",)),
)

LIMITS = (
    Limit(FLOOD, "p99_us", 5, "ms", 1e-3),
    Limit(AT_REST, "pss_kib", 30, "MiB", 1 / 1024),
    Limit(AT_REST, "pss_kib", 12, "MiB", 1 / 1024, own=THREE_WORKERS, besides=TWO_WORKERS),
    Limit(AT_REST, "first_s", 0.25, "s", 1),
    Limit(AT_REST, "cpu_us", 0.05, "s a minute", 60e-6),
    Limit(AT_REST, "wakeups", 1, "a second", 1),
)
"""At rest, an operation is a second."""
