"""Where nobody listens, the system says so and the lab does not wait; the text of the failure shows which it was."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_clients import dig
from tests.interop.dns_peers import ORIGIN, ZONE, Peer, free_port, serving
from tests.interop.plain import resolve

PATIENT = "parent_timeout = 3600\nparent_tries = 1\n"
"""Who waits for a parent in these tests waits for ever."""

ZONE_OF_SHORT_TTLS = f"""$ORIGIN {ORIGIN}.
$TTL 1
@  SOA ns admin 1 3600 600 86400 1
@  NS  ns
ns A   127.0.0.1
"""


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """A parent that is there."""
    with serving("nsd", tmp_path_factory.mktemp("peers") / "nsd") as started:
        yield started


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What it holds ends with the test."""
    with ExitStack() as held:
        yield held


def lab(folder: Path, lines: str) -> Daemon:
    """A lab of one resolver."""
    (folder / "lab.toml").write_text(f'[resolver.main]\nlisten = "udp:0"\n{lines}')
    return Daemon("labnet", "--config=lab.toml", cwd=folder)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("dns", "nobody listens on 127.0.0.1:{port}"),
        ("dns+tcp", "nobody listens on 127.0.0.1:{port} for TCP"),
        ("text", "127.0.0.1:{port} cannot be reached: Connection refused"),
    ],
)
def test_a_parent_that_is_not_there_is_noticed_at_once(tmp_path: Path, kind: str, says: str) -> None:
    """DNS gets SERVFAIL and the system's reason, the course protocol its word for an unknown name; nobody waits."""
    port = free_port()
    with lab(tmp_path, f'parents = "{kind}:127.0.0.1:{port}"\n{PATIENT}') as daemon:
        address = daemon.address("resolver main")
        for transport in ("+notcp", "+tcp"):
            answer = dig(address, "www.lab.test", transport)
            assert answer.status == "SERVFAIL"
            assert f"EDE: 22 (No Reachable Authority): ({says.format(port=port)})" in answer.text
        assert resolve(address, "www.lab.test") == b"[]"
        daemon.wait_for(re.escape(f"www.lab.test A is not resolved: {says.format(port=port)}"))


@pytest.mark.parametrize("kind", ["dns", "dns+tcp"])
def test_behind_a_parent_that_is_not_there_the_next_one_answers(tmp_path: Path, peer: Peer, kind: str) -> None:
    """For DNS and for the course protocol."""
    parents = f'["{kind}:127.0.0.1:{free_port()}", "{kind}:127.0.0.1:{peer.address[1]}"]'
    with lab(tmp_path, f"parents = {parents}\n{PATIENT}") as daemon:
        address = daemon.address("resolver main")
        for name in ("a", "b", "c", "d"):
            answer = dig(address, f"{name}.wild.lab.test")
            assert answer.answer == {(f"{name}.wild.lab.test.", "A", "192.0.2.4")}
        assert b'"192.0.2.4"' in resolve(address, "e.wild.lab.test")


def test_behind_a_course_parent_that_is_not_there_a_dns_parent_answers(tmp_path: Path, peer: Peer) -> None:
    """The kinds of parents may be mixed."""
    parents = f'["text:127.0.0.1:{free_port()}", "dns:127.0.0.1:{peer.address[1]}"]'
    with lab(tmp_path, f"parents = {parents}\n{PATIENT}") as daemon:
        address = daemon.address("resolver main")
        assert dig(address, "alias.lab.test").told == dig(peer.address, "alias.lab.test").told
        assert b'"192.0.2.4"' in resolve(address, "a.wild.lab.test")


def test_a_parent_that_goes_away_leaves_what_it_told(tmp_path: Path, stack: ExitStack) -> None:
    """What is in the cache is still answered, the rest fails at once."""
    parent = stack.enter_context(serving("knotd", tmp_path / "knotd", ZONE))
    with lab(tmp_path, f'parents = "dns:127.0.0.1:{parent.address[1]}"\n{PATIENT}') as daemon:
        address = daemon.address("resolver main")
        before = dig(address, "alias.lab.test")
        assert len(before.answer) == 4
        parent.stop()
        assert dig(address, "alias.lab.test").told == before.told
        unknown = dig(address, "mail.lab.test")
        assert unknown.status == "SERVFAIL"
        assert f"nobody listens on 127.0.0.1:{parent.address[1]}" in unknown.text


def test_stale_answers_serve_while_the_parent_is_gone(tmp_path: Path, stack: ExitStack) -> None:
    """With `serve_stale`, past its TTL an answer is given marked as stale; a failure in between would be SERVFAIL."""
    parent = stack.enter_context(serving("nsd", tmp_path / "nsd", ZONE_OF_SHORT_TTLS))
    with lab(tmp_path, f'parents = "dns:127.0.0.1:{parent.address[1]}"\nserve_stale = 3600\n{PATIENT}') as daemon:
        address = daemon.address("resolver main")
        fresh = dig(address, "ns.lab.test")
        parent.stop()
        until = time.monotonic() + DEADLINE
        while "EDE: 3 (Stale Answer)" not in (now := dig(address, "ns.lab.test")).text:
            assert now.told == fresh.told
            assert time.monotonic() < until, "no answer is stale"
            time.sleep(0.1)
        assert now.told == fresh.told
        assert now.ttls == (30,)
