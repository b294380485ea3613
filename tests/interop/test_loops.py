"""A resolver and a server that answers anything, after the one datagram that could set them talking for ever."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.plain import Address

LAB = """
[resolver.json]
listen = "udp:0"
records = "ips.txt"

[resolver.line]
listen = "udp:0"
dialect = "line"
unknown = "nope"
newline = true
"""

SECONDS = 1.5
MOST = 13
"""Replies in that time: ten at once, then one a second; and one more, for the clocks are two."""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Daemon]:
    """Resolvers of both dialects."""
    (tmp_path / "lab.toml").write_text(LAB)
    (tmp_path / "ips.txt").write_text("www.lab.test,10.0.0.1,60\n")
    with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
        yield daemon


def replies(resolver: Address, first: bytes, answer: Callable[[bytes], bytes]) -> int:
    """How many datagrams the ``resolver`` sends in :data:`SECONDS` to a server that answers each by ``answer``."""
    count, until = 0, time.monotonic() + SECONDS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.settimeout(DEADLINE)
        server.sendto(first, resolver)
        while (left := until - time.monotonic()) > 0 and select.select([server], [], [], left)[0]:
            count += 1
            server.sendto(answer(server.recv(65535)), resolver)
    return count


def daytime(datagram: bytes) -> bytes:
    return time.asctime().encode() + b" %d\r\n" % time.monotonic_ns()


@pytest.mark.parametrize("dialect", ["json", "line"])
@pytest.mark.parametrize(
    ("first", "answer", "most"),
    [
        (b"nowhere.test", daytime, 1),
        (b"nowhere.test", lambda datagram: b"you said: " + datagram, 1),
        (b"nowhere.test", lambda datagram: datagram, 1),
        (b"www.lab.test", lambda datagram: b"10.0.0.1", 1),
        (b"nada", lambda datagram: b"nada", MOST),
        (b"nada\n", lambda datagram: b"nada\n", MOST),
    ],
    ids=["daytime", "quote", "echo", "address", "another-unknown", "another-unknown-line"],
)
def test_a_dialogue_of_two_servers_ends(
    lab: Daemon, dialect: str, first: bytes, answer: Callable[[bytes], bytes], most: int
) -> None:
    """It ends at once, or goes on at the pace at which a person asks again."""
    assert 1 <= replies(lab.address(f"resolver {dialect}"), first, answer) <= most
