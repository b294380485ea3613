"""What holds for every test under pytest; trial looks after its own leftovers and does not read this file."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest


def pytest_configure() -> None:
    """Programs that the tests start end by Ctrl-C, also where a shell has the tests in the background without it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _opened(reactor: Any) -> set[Any]:
    # The reactor wakes itself through sockets of its own, which it opens when it first runs.
    return {*reactor.getReaders(), *reactor.getWriters()} - getattr(reactor, "_internalReaders", set())


@pytest.fixture(autouse=True)
def _leaves_nothing_on_the_reactor() -> Iterator[None]:
    """Fail a test that leaves delayed calls or open sockets on the global reactor, and clean up for the next one."""
    from twisted.internet import reactor

    calls_before, opened_before = set(reactor.getDelayedCalls()), _opened(reactor)
    yield
    calls = [call for call in reactor.getDelayedCalls() if call not in calls_before]
    opened = _opened(reactor) - opened_before
    left = [str(one) for one in (*calls, *opened)]
    for call in calls:
        call.cancel()
    for one in opened:
        reactor.removeReader(one)
        reactor.removeWriter(one)
    if left:
        pytest.fail("left on the reactor: " + ", ".join(left), pytrace=False)
