"""The generators of ``make bench``, with a real daemon: every reply is one to what they asked."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from bench import harness, peers
from bench.paths import HERE, MIXED_REQUESTS
from tests.interop.daemon import Daemon
from tests.interop.peers import tool

LAB = """\
[command]
listen = "tcp:0:interface=127.0.0.1"
clients = 0
sessions_per_address = 0
[resolver.main]
listen = "udp:0:interface=127.0.0.1"
records = "zone:zone"
zones = ["lab.test"]
rate_limit = 1e9
"""

SECONDS = 0.2

Generators = tuple["partial[harness.Result]", "partial[harness.Result]"]


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generators]:
    """udpload and tcpload on a lab of a hundred names."""
    compiler, folder = tool("cc", "gcc"), tmp_path_factory.mktemp("bench")
    for name in ("udpload", "tcpload"):
        subprocess.run([compiler, "-O2", "-o", folder / name, HERE / "load" / f"{name}.c"], check=True)
    peers.write_records(folder, 100)
    (folder / "lab.toml").write_text(LAB)
    with Daemon("labnet", "--config=lab.toml", cwd=folder) as daemon:
        (_, udp), (_, tcp) = daemon.address("resolver main"), daemon.address("command server")
        questions = folder / "questions"
        yield (
            partial(harness.udpload, folder / "udpload", port=udp, questions=questions, seconds=SECONDS),
            partial(harness.tcpload, folder / "tcpload", port=tcp, seconds=SECONDS, welcome=1),
        )


@pytest.mark.parametrize("course", [False, True])
def test_bursts_of_questions_are_answered(generators: Generators, course: bool) -> None:
    """In both protocols, by answers with a record."""
    result = generators[0](course=course)
    assert result["answered"] > 0
    assert result["bad"] == 0


def test_each_question_may_have_a_port_of_its_own(generators: Generators) -> None:
    """A thousand sockets ask in turn."""
    result = generators[0](sockets=1000, window=1000)
    assert result["sent"] >= 1000
    assert result["answered"] > 0
    assert result["bad"] == 0


def test_a_flood_waits_for_nobody(generators: Generators) -> None:
    """Not even where nobody answers."""
    result = generators[0](window=0)
    assert 0 < result["answered"] <= result["sent"]
    assert result["bad"] == 0
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        assert generators[0](port=silent.getsockname()[1], window=0)["sent"] > 20 * 64


def test_wrong_answers_are_counted(generators: Generators, tmp_path: Path) -> None:
    """By both generators."""
    (tmp_path / "questions").write_text("nobody.lab.test A\n")
    result = generators[0](questions=tmp_path / "questions")
    assert 0 < result["bad"] == result["answered"]
    port = generators[0].keywords["port"]
    tool("dnsperf", "dnsperf")
    result = harness.dnsperf(port, tmp_path / "questions", 1)
    assert 0 < result["bad"] == result["answered"]


@pytest.mark.parametrize("course", [False, True])
def test_a_rate_is_not_exceeded(generators: Generators, course: bool) -> None:
    """What was sent was answered or lost, and the percentiles are those of latencies."""
    result = generators[0](course=course, rate=5000)
    assert 0 < result["sent"] <= 5000 * SECONDS + 1
    assert result["answered"] + result["lost"] == result["sent"]
    assert result["bad"] == 0
    assert 0 < result["p50_us"] <= result["p99_us"]


def test_lost_questions_count_as_a_second(generators: Generators) -> None:
    """Nobody answers at the port that is asked."""
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        result = generators[0](port=silent.getsockname()[1], rate=100)
    assert result["answered"] == 0
    assert result["lost"] == result["sent"] > 0
    assert result["p50_us"] == result["p99_us"] == 1e6


@pytest.mark.parametrize("requests", ["TIME", MIXED_REQUESTS])
def test_each_line_is_replied_to(generators: Generators, requests: str) -> None:
    """Whatever stands in it, as often as it is sent."""
    result = generators[1](depth=100, requests=requests)
    assert result["answered"] > 0
    assert 0 < result["p50_us"] <= result["p99_us"]


def test_lines_are_sent_in_turn(generators: Generators) -> None:
    """Each with its own end, from the first again after the last."""
    lines = MIXED_REQUESTS.encode().splitlines(keepends=True)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server, ThreadPoolExecutor() as pool:
        load = pool.submit(generators[1], port=server.getsockname()[1], depth=7, requests=MIXED_REQUESTS, welcome=0)
        client, _ = server.accept()
        with client, client.makefile("rb") as sent:
            assert [sent.readline() for _ in range(7)] == (lines + lines)[:7]
            assert load.result()["answered"] == 0


def test_a_rate_of_lines_is_not_exceeded(generators: Generators) -> None:
    """They are sent in segments of the depth."""
    result = generators[1](depth=5, requests=MIXED_REQUESTS, rate=5000)
    assert 0 < result["answered"] <= 5000 * SECONDS + 5
    assert 0 < result["p50_us"] <= result["p99_us"]
