"""A Redis that is stopped and started under load: nothing is lost, nothing is wrong, and nobody waits for it."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.fleet import Asking, CountingParent, Redis, alone, joined, lab
from tests.soak.processes import memory

MOST_DELAY = 0.050
NAMES = 2000
PARENT_TAKES = 0.02
AT_ONCE = 5

pytestmark = pytest.mark.soak


def p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]


def names(kind: str) -> list[str]:
    return [f"{kind}{number}.lab.test" for number in range(NAMES)]


def test_the_parent_sees_each_name_once(tmp_path: Path) -> None:
    """Ten thousand names, asked of both labs at once."""
    with Redis(tmp_path) as redis, CountingParent(delay=0.05) as parent, ExitStack() as stack:
        labs = [stack.enter_context(lab(tmp_path / name, redis, parent)) for name in ("one", "two")]
        asking = Asking([joined(daemon) for daemon in labs], most=50)
        asked = [f"n{number}.lab.test" for number in range(10_000)]
        began = time.monotonic()
        asking.ask(asked)
        seconds = time.monotonic() - began
        went_alone = sum(alone(tmp_path / name) for name in ("one", "two"))
        print(
            f"\n{len(asking.took)} answers in {seconds:.1f} s; {len(asked)} names, of which the parent was asked",
            end="",
        )
        print(f" {sum(parent.asked.values())} times; {went_alone} questions went alone, as Redis was late")
        assert not asking.wrong
        assert not asking.lost
        assert set(parent.asked) == set(asked)
        assert sum(parent.asked.values()) - len(asked) <= 2 * went_alone  # a late lab may make one that waits ask too


def faults(redis: Redis, done: threading.Event) -> int:
    """Stop and start ``redis`` in turn in every way there is, until ``done``; how often."""
    cycles = 0
    while not done.is_set():
        cycles += 1
        if cycles % 3 == 0:
            redis.kill()
            done.wait(0.7)
            redis.start()
        elif cycles % 3 == 1:
            redis.signal(signal.SIGSTOP)
            done.wait(0.7)
            redis.signal(signal.SIGCONT)
        else:
            redis.say("CONFIG", "SET", "maxmemory", "1")
            done.wait(0.7)
            redis.say("CONFIG", "SET", "maxmemory", "0")
        done.wait(1.5)
    return cycles


def test_stops_and_starts_delay_no_answer_by_more_than_50_ms(tmp_path: Path) -> None:
    """Compared with a lab beside them that never had a server; killed, hanging and full in turn, 90 seconds long."""
    with ExitStack() as stack:
        redis, parent, other = (
            stack.enter_context(each)
            for each in (Redis(tmp_path), CountingParent(delay=PARENT_TAKES), CountingParent(delay=PARENT_TAKES))
        )
        nobody = Redis(tmp_path)
        lonely = stack.enter_context(lab(tmp_path / "lonely", nobody, other))
        labs = [stack.enter_context(lab(tmp_path / name, redis, parent)) for name in ("one", "two")]
        servers = [joined(daemon) for daemon in labs]
        before = [memory(daemon.process.pid) for daemon in (lonely, *labs)]
        done = threading.Event()
        counted: list[int] = []
        thread = threading.Thread(target=lambda: counted.append(faults(redis, done)))
        thread.start()
        asking = Asking([lonely.address("resolver main"), *servers], AT_ONCE)
        until = time.monotonic() + 90
        rounds = 0
        while time.monotonic() < until:
            rounds += 1
            asking.ask(names(f"n{rounds}-"))
        done.set()
        thread.join()
        grown = [
            memory(daemon.process.pid) - kilobytes for daemon, kilobytes in zip((lonely, *labs), before, strict=True)
        ]
        said = [daemon.log.count("is gone") for daemon in labs]
        for name, took in zip(("lonely", "one", "two"), asking.took_of, strict=True):
            print(f"\n{name}: {len(took)} answers, p99 {p99(took):.4f} s, longest {max(took):.4f} s", end="")
        print(f"\n{counted[0]} faults, said {said} times; kB grown {grown};", end="")
        print(f" {sum(parent.asked.values())} questions for {rounds * NAMES} names")
        assert not asking.wrong
        assert not asking.lost
        # More than one in a hundred is in flight when a fault begins, so that those count; the longest of all are the
        # machine's own, and the lonely lab has them too.
        for took in asking.took_of[1:]:
            assert p99(took) - p99(asking.took_of[0]) <= MOST_DELAY
        assert max(said) <= counted[0]
        time.sleep(3)
        went_alone = sum(alone(tmp_path / name) for name in ("one", "two"))
        earlier = sum(parent.asked.values())
        Asking(servers, AT_ONCE).ask(names("d")[:100])
        went_alone = sum(alone(tmp_path / name) for name in ("one", "two")) - went_alone
        assert 100 <= sum(parent.asked.values()) - earlier <= 100 + went_alone < 200
