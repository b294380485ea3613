"""Two real labs and one real Redis: what one has learned both know, whatever becomes of the server."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_clients import dig
from tests.interop.dns_peers import LOOPBACK
from tests.interop.fleet import Asking, CountingParent, Redis, alone, control, joined, lab, until
from tests.interop.plain import resolve

NAME = "www.lab.test"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What it holds ends with the test."""
    with ExitStack() as held:
        yield held


@pytest.fixture
def redis(tmp_path: Path, stack: ExitStack) -> Redis:
    """A server that is there."""
    return stack.enter_context(Redis(tmp_path))


@pytest.fixture
def parent(stack: ExitStack) -> CountingParent:
    """A parent that counts what it is asked."""
    return stack.enter_context(CountingParent())


@pytest.fixture
def fleet(tmp_path: Path, stack: ExitStack, redis: Redis, parent: CountingParent) -> list[Daemon]:
    """Two labs."""
    return two_labs(tmp_path, stack, redis, parent)


def two_labs(folder: Path, stack: ExitStack, redis: Redis, parent: CountingParent, shared: str = "") -> list[Daemon]:
    more = f"parent_timeout = {DEADLINE}\n"
    daemons = [stack.enter_context(lab(folder / name, redis, parent, shared, more)) for name in ("one", "two")]
    for daemon in daemons:
        joined(daemon)
    return daemons


def ask(daemon: Daemon, name: str = NAME) -> tuple[str, int]:
    """The address that a lab answers with, and its TTL."""
    heard = dig(daemon.address("resolver main"), name)
    ((_, _, address),) = heard.answer
    return address, heard.ttls[0]


def is_right(daemon: Daemon, name: str = NAME) -> bool:
    return ask(daemon, name)[0] == CountingParent.address_of(name)


def test_the_parent_sees_each_name_once(tmp_path: Path, parent: CountingParent, fleet: list[Daemon]) -> None:
    """A thousand names are asked of both labs at once; each answer is right, and the same in both.

    But for those that a lab says it asked alone: the server had no processor for its 50 ms.
    """
    parent.delay = 0.05
    asking = Asking([daemon.address("resolver main") for daemon in fleet], most=50)
    names = [f"n{number}.lab.test" for number in range(1000)]
    asking.ask(names)
    assert not asking.wrong
    assert not asking.lost
    assert len(asking.took) == 2000
    assert set(parent.asked) == set(names)
    assert sum(parent.asked.values()) - len(names) <= sum(alone(tmp_path / name) for name in ("one", "two")) < 500


def test_a_name_that_is_not_there_is_asked_for_once_too(parent: CountingParent, fleet: list[Daemon]) -> None:
    """A negative answer is shared as any other."""
    for daemon in fleet:
        heard = dig(daemon.address("resolver main"), "x.unknown.test")
        assert heard.status == "NXDOMAIN"
        assert {rrtype for _, rrtype, _ in heard.authority} == {"SOA"}
    assert parent.asked == {"x.unknown.test": 1}


def test_the_ttl_goes_on_counting_down(redis: Redis, parent: CountingParent, fleet: list[Daemon]) -> None:
    """The other lab serves what is left of it, and says where it comes from; with its time the server forgets it."""
    parent.ttl = 3
    one, two = (daemon.address("resolver main") for daemon in fleet)
    assert dig(one, NAME).ttls == (3,)
    until(redis.keys, "it is on the server")
    (key,) = redis.keys()
    until(lambda: redis.number("PTTL", key) < 1900, "a second has passed")
    heard = dig(two, NAME)
    assert heard.ttls[0] in (1, 2)
    assert re.search(r"from the shared cache, learned \d s ago from 127\.0\.0\.1:\d+", heard.text)
    until(lambda: not redis.keys(), "the answer's time is over")
    assert parent.asked == {NAME: 1}
    until(lambda: dig(two, NAME).ttls == (3,), "it is asked anew")
    assert parent.asked == {NAME: 2}


def test_what_was_taken_outlives_a_restart_no_longer(
    tmp_path: Path, redis: Redis, parent: CountingParent, fleet: list[Daemon], stack: ExitStack
) -> None:
    """The log of the lab that took it has the second of the lab that asked, or one that is earlier by its way."""
    one, two = fleet
    assert is_right(one)
    assert is_right(two)
    two.stop()
    kept = [json.loads((tmp_path / name / "var" / "main.learned.dns").read_text()) for name in ("one", "two")]
    assert abs(kept[0]["s"] - kept[1]["s"]) < 1
    redis.kill()
    assert is_right(stack.enter_context(lab(tmp_path / "two", redis, parent)))
    assert parent.asked == {NAME: 1}


def test_the_course_protocol_shares_too(tmp_path: Path, redis: Redis, parent: CountingParent, stack: ExitStack) -> None:
    """Whatever type is asked for: its parents know names."""
    daemons = [
        stack.enter_context(lab(tmp_path / name, redis, parent, more=f"parent_timeout = {DEADLINE}\n", kind="text"))
        for name in ("one", "two")
    ]
    one, two = (joined(daemon) for daemon in daemons)
    told = json.loads(resolve(one, NAME))
    assert told[:2] == [NAME, CountingParent.address_of(NAME)]
    assert json.loads(resolve(two, NAME))[:3] == told[:3]
    assert dig(two, NAME, "AAAA").status == "NOERROR"
    assert dig(one, "other.lab.test", "AAAA").status == "NOERROR"
    assert json.loads(resolve(two, "other.lab.test"))[1] == CountingParent.address_of("other.lab.test")
    assert parent.asked == {NAME: 1, "other.lab.test": 1}


@pytest.mark.parametrize("flushed", [NAME, "lab.test", "."])
def test_a_flush_on_one_lab_reaches_the_other(
    tmp_path: Path, redis: Redis, parent: CountingParent, fleet: list[Daemon], flushed: str
) -> None:
    """The name, or all below one, is gone from the server, from the other's memory and from its log."""
    one, two = fleet
    assert is_right(one)
    assert is_right(two)
    assert parent.asked == {NAME: 1}
    assert control(tmp_path / "one", do="flush", name=flushed) == 1
    log = tmp_path / "two" / "var" / "main.learned.dns"
    until(lambda: not redis.keys(), "the server has dropped it")
    until(lambda: not log.read_bytes(), "the other lab's log has dropped it")
    assert is_right(two)
    assert is_right(one)
    assert parent.asked == {NAME: 2}


def test_a_reload_with_other_parents_reaches_the_other_lab(
    tmp_path: Path, redis: Redis, parent: CountingParent, fleet: list[Daemon], stack: ExitStack
) -> None:
    """Nothing that the old parent told is served by any lab after that."""
    one, two = fleet
    assert is_right(one)
    assert is_right(two)
    other = stack.enter_context(CountingParent())
    file = tmp_path / "one" / "lab.toml"
    file.write_text(file.read_text().replace(f":{parent.port}", f":{other.port}"))
    one.process.send_signal(signal.SIGHUP)
    until(lambda: is_right(one) and other.asked[NAME] == 1, "the new parent is asked")
    until(lambda: is_right(two) and parent.asked[NAME] == 2, "the other lab asks anew")
    until(lambda: len(redis.keys()) == 2, "each answer is on the server")


def test_labs_that_ask_other_parents_share_nothing(
    tmp_path: Path, redis: Redis, parent: CountingParent, fleet: list[Daemon], stack: ExitStack
) -> None:
    """Neither does a resolver of another name."""
    other = stack.enter_context(CountingParent())
    stranger = stack.enter_context(lab(tmp_path / "three", redis, other))
    joined(stranger)
    assert is_right(fleet[0])
    assert is_right(stranger)
    assert (parent.asked[NAME], other.asked[NAME]) == (1, 1)


def kill(redis: Redis) -> None:
    redis.kill()


def stop(redis: Redis) -> None:
    redis.signal(signal.SIGSTOP)


def fill(redis: Redis) -> None:
    assert redis.say("CONFIG", "SET", "maxmemory", "1") == b"+OK\r\n"


def cont(redis: Redis) -> None:
    redis.signal(signal.SIGCONT)


def start(redis: Redis) -> None:
    redis.start()


def make_room(redis: Redis) -> None:
    assert redis.say("CONFIG", "SET", "maxmemory", "0") == b"+OK\r\n"


@pytest.mark.parametrize(
    ("ends", "begins", "says", "says_again"),
    [
        (kill, start, "is gone: (the connection is closed|nobody|.*refused)", "shares what it learns again"),
        (stop, cont, r"is gone: it did not answer within 0\.05 s", "shares what it learns again"),
        (fill, make_room, "takes nothing more: OOM command not allowed", "takes answers again"),
    ],
)
def test_without_the_server_each_lab_goes_on_alone_and_rejoins(
    tmp_path: Path,
    parent: CountingParent,
    stack: ExitStack,
    redis: Redis,
    ends: Callable[[Redis], None],
    begins: Callable[[Redis], None],
    says: str,
    says_again: str,
) -> None:
    """Where it is killed, hangs or is full, every lab says so once and answers; then it says once that it is back.

    For the status, one that is full is there.
    """
    fleet = two_labs(tmp_path, stack, redis, parent, "timeout = 0.05\n")
    ends(redis)
    numbers = iter(range(1_000_000))

    def ask_both() -> None:
        number = next(numbers)
        name = f"n{number}.lab.test"
        for daemon in fleet[:: 1 if number % 2 else -1]:  # each is the one that asks, now and then
            assert is_right(daemon, name)

    for daemon in fleet:
        until(lambda daemon=daemon: bool(ask_both() or re.search(says, daemon.log)), says)
    for _ in range(10):
        ask_both()
    is_there = ends is fill
    for name in "one", "two":
        until(lambda name=name: control(tmp_path / name, do="status")["shared_up"] is is_there, "the status says so")
    begins(redis)
    for daemon in fleet:
        until(lambda daemon=daemon: bool(ask_both() or says_again in daemon.log), says_again)
    before = sum(parent.asked.values())
    ask_both()
    assert sum(parent.asked.values()) == before + 1
    for daemon in fleet:
        assert len(re.findall(says, daemon.log)) == 1, daemon.log
        assert daemon.log.count(says_again) == 1, daemon.log


def test_a_lab_that_starts_before_the_server_joins_when_it_is_there(
    tmp_path: Path, parent: CountingParent, stack: ExitStack
) -> None:
    """It says once that it is alone."""
    redis = Redis(tmp_path)
    daemon = stack.enter_context(lab(tmp_path / "one", redis, parent))
    daemon.wait_for("is gone: Connection refused")
    assert is_right(daemon)
    stack.enter_context(redis)
    daemon.wait_for("the lab shares what it learns by the cache")
    assert is_right(daemon, "other.lab.test")
    until(lambda: len(redis.keys()) == 1, "each answer is on the server")
    assert daemon.log.count("is gone") == 1


def test_a_lab_that_is_killed_while_it_asks_is_not_waited_for(tmp_path: Path, redis: Redis, stack: ExitStack) -> None:
    """Its lock is still there, and counts no more: the other lab asks long before its time is over."""
    silent = stack.enter_context(CountingParent())
    silent.answers = False
    patient = "parent_timeout = 3600\n"
    one, two = (
        stack.enter_context(lab(tmp_path / name, redis, silent, "lock = 3600", patient)) for name in ("one", "two")
    )
    joined(one)
    asking = Asking([joined(two)])
    Asking([one.address("resolver main")]).ask([NAME], patience=0.2)
    locks = redis.keys("labnet:lock:*")
    assert len(locks) == 1
    asking.ask([NAME], patience=0.6)
    assert silent.asked == {NAME: 1}
    one.kill()
    assert redis.keys("labnet:lock:*") == locks
    until(lambda: silent.asked[NAME] == 2, "the other lab asks")


@pytest.mark.parametrize("user", ["", "user"])
def test_the_password_is_never_said(tmp_path: Path, parent: CountingParent, stack: ExitStack, user: str) -> None:
    """Neither where it is right nor where it is wrong."""
    options = ["--requirepass", "s3cr3t!", "--user", "user", "on", ">s3cr3t!", "~*", "&*", "+@all"]
    redis = stack.enter_context(Redis(tmp_path, *options))
    right, wrong = (
        lab(tmp_path / folder, redis, parent, f'url = "redis://{user}:{password}@{LOOPBACK}:{redis.port}/3"')
        for folder, password in (("one", "s3cr3t%21"), ("two", "wr0ng"))
    )
    for daemon in (stack.enter_context(right), stack.enter_context(wrong)):
        assert is_right(daemon)
    joined(right)
    wrong.wait_for("is gone: WRONGPASS")
    for daemon in (right, wrong):
        assert "s3cr3t" not in daemon.log
        assert "wr0ng" not in daemon.log


@pytest.mark.parametrize(
    "change",
    [
        lambda value: b"\xff\x00" * 1000,
        lambda value: b"",
        lambda value: b"D{}",
        lambda value: b"D" + b"[" * 100_000,
        lambda value: value.replace(b'"l":300', b'"l":1e999'),
        lambda value: value.replace(b"77777", b"78787"),
        lambda value: b"C127.0.0.1:1\nwww.other.test,1.2.3.4,300,1,1",
        lambda value: b"N3 127.0.0.1:1",
    ],
)
def test_what_is_no_answer_on_the_server_is_passed_over(
    redis: Redis, parent: CountingParent, fleet: list[Daemon], change: Callable[[bytes], bytes]
) -> None:
    """The parents are asked, and what they say takes its place."""
    one, two = fleet
    assert is_right(one)
    until(redis.keys, "it is on the server")
    (key,) = redis.keys()
    good = redis.say("GET", key).partition(b"\r\n")[2][:-2]
    bad = change(good)
    assert bad != good
    assert redis.say("SET", key, bad, "PX", "300000") == b"+OK\r\n"
    assert is_right(two)
    assert parent.asked == {NAME: 2}

    def kept() -> bytes:
        return redis.say("GET", key).partition(b"\r\n")[2][:-2]

    until(lambda: kept() not in (b"", bad), "what the parent says takes its place")
    assert json.loads(kept()[1:])["q"] == json.loads(good[1:])["q"]


def test_a_key_of_another_kind_concerns_nobody_else(redis: Redis, parent: CountingParent, fleet: list[Daemon]) -> None:
    """A list where the answer is to stand lets that one question go alone."""
    one, two = fleet
    assert is_right(one)
    until(redis.keys, "it is on the server")
    (key,) = redis.keys()
    redis.say("DEL", key)
    redis.say("LPUSH", key, "x")
    assert is_right(two)
    assert parent.asked == {NAME: 2}
    assert is_right(one, "other.lab.test")
    assert is_right(two, "other.lab.test")
    assert parent.asked["other.lab.test"] == 1
    assert "is gone" not in one.log + two.log
