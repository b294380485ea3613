"""The generators of ``make bench``, with a real daemon: every reply is one to what they asked."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from bench import harness, peers
from bench.paths import HERE, MIXED_REQUESTS
from bench.tree import ROOT, questions_to, write_hints
from tests.interop.daemon import Daemon
from tests.interop.dns_clients import dig
from tests.interop.dns_peers import free_port
from tests.interop.peers import tool
from tests.interop.plain import Address

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
[resolver.walks]
listen = "udp:0:interface=127.0.0.1"
parents = ["root"]
hints = "hints"
root_port = {tree}
"""

SECONDS = 0.2


class Generators(NamedTuple):
    """Each with a lab of a hundred names to ask, or its command server."""

    udp: partial[harness.Result]
    tcp: partial[harness.Result]
    each: partial[harness.Result]
    walks: Address
    """A resolver that begins at the root of a name space."""
    tree: Address
    """That root."""


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generators]:
    """All on one lab."""
    compiler, folder = tool("cc", "gcc"), tmp_path_factory.mktemp("bench")
    for name in ("udpload", "tcpload", "connload", "tree"):
        subprocess.run([compiler, "-O2", "-o", folder / name, HERE / "load" / f"{name}.c"], check=True)
    peers.write_records(folder, 100)
    tree = (ROOT, free_port(ROOT, "127.0.1.2", "127.0.1.3"))
    write_hints(folder)
    (folder / "lab.toml").write_text(LAB.format(tree=tree[1]))
    servers = harness.running([str(folder / "tree"), str(tree[1])], partial(harness.asks_dns, tree, "count"))
    with servers, Daemon("labnet", "--config=lab.toml", cwd=folder) as daemon:
        (_, udp), (_, tcp) = daemon.address("resolver main"), daemon.address("command server")
        questions = folder / "questions"
        yield Generators(
            partial(harness.udpload, folder / "udpload", port=udp, questions=questions, seconds=SECONDS),
            partial(harness.tcpload, folder / "tcpload", port=tcp, seconds=SECONDS, welcome=1),
            partial(harness.connload, folder / "connload", seconds=SECONDS, at_a_time=10),
            daemon.address("resolver walks"),
            tree,
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
    result = generators.udp(window=0, seconds=1)  # on a busy machine the first answers take a while
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


def test_what_is_right_can_be_told(generators: Generators, tmp_path: Path) -> None:
    """Where the reply to a question is that there is nothing."""
    (tmp_path / "questions").write_text("nobody.lab.test A\n")
    nothing = partial(generators.udp, questions=tmp_path / "questions", answers=0)
    assert nothing(rcode=3)["bad"] == 0
    result = nothing(rcode=0)
    assert 0 < result["bad"] == result["answered"]
    (tmp_path / "questions").write_text("host000001.lab.test MX\n")
    assert nothing()["bad"] == 0


def test_each_question_may_be_asked_once(generators: Generators) -> None:
    """Long before the time is over."""
    result = generators.udp(once=True, seconds=60)
    assert (result["sent"], result["answered"], result["bad"]) == (100, 100, 0)


def test_an_answer_that_is_not_authentic_is_wrong_where_it_has_to_be(generators: Generators) -> None:
    """The lab does not validate."""
    result = generators.udp(authentic=True)
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


@pytest.mark.parametrize("rate", [0, 200])
def test_each_request_may_have_a_connection(generators: Generators, rate: float) -> None:
    """To the command server, with its greeting; to a resolver, with a question of DNS."""
    questions, port = generators.udp.keywords["questions"], generators.tcp.keywords["port"]
    for options in (
        {"port": port, "request": "TIME", "welcome": 1},
        {"port": generators.udp.keywords["port"], "request": f"@{questions}"},
    ):
        result = generators.each(rate=rate, **options)
        assert result["answered"] > 0
        assert rate == 0 or result["answered"] <= rate * SECONDS + 1
        assert (result["lost"], result["bad"]) == (0, 0)
        assert 0 < result["p50_us"] <= result["p99_us"]


def test_wrong_replies_of_a_connection_are_counted(generators: Generators, tmp_path: Path) -> None:
    """There is no such name."""
    (tmp_path / "questions").write_text("nobody.lab.test A\n")
    result = generators.each(port=generators.udp.keywords["port"], request=f"@{tmp_path / 'questions'}")
    assert 0 < result["bad"] == result["answered"]


def test_a_walk_from_the_root_asks_three_servers(generators: Generators) -> None:
    """Cold; warm, the last of them alone. The servers count it."""
    asked = [questions_to(generators.tree)]
    for name, address in ("c1.lab.t7.", "10.0.0.1"), ("c2.lab.t7.", "10.0.0.1"), ("ns.t8.", "127.0.1.2"):
        assert dig(generators.walks, name).answer == {(name, "A", address)}
        asked.append(questions_to(generators.tree))
    assert [after - before for before, after in pairwise(asked)] == [3, 1, 2]
