"""One suite over real sockets for both UDP ports: the batch port and Twisted's own."""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import socket
from collections import Counter
from collections.abc import Generator
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater

from labnet.net.batches import mmsg
from labnet.net.batches.batch import BATCH, HEAD, overflowed
from labnet.resolver.clients.admission import Rules
from labnet.resolver.ready.ttl_patch import Ageing
from labnet.resolver.ready.turns import Turns
from labnet.resolver.serve import batch_answers
from labnet.resolver.serve.batch_port import BatchPort
from tests.interop.udpports import CELL, HEADER, LOOPBACK, Echo, Served, reactor


@pytest.fixture(params=["batch 127.0.0.1", "batch ::1", "twisted 127.0.0.1", "twisted ::1"])
def fixture(request: pytest.FixtureRequest) -> Generator[Served, None, None]:
    kind, interface = request.param.split()
    made = Served(kind == "batch", interface)
    yield made
    pytest_twisted.blockon(Deferred.fromCoroutine(made.close()))


@pytest_twisted.ensureDeferred
async def test_what_is_known_is_answered(fixture: Served) -> None:
    """A known answer goes out, of both protocols, each to who asked."""
    question = b"\3www\3lab\0\0\1\0\1"
    fixture.packets.put_dns(b"\0\1" + HEADER + question, b"\0\1" + b"h" * 10 + question, question[:9], 1e12, CELL)
    fixture.packets.course.put(b"www.lab", b"[1]", 1e12, CELL)
    for datagram in (b"\7\7" + HEADER + question, b"www.lab", b"\7\x08" + HEADER + question.replace(b"w", b"W")):
        fixture.client.send(datagram)
    assert await fixture.receive(3) == [
        b"\7\7" + b"h" * 10 + question,
        b"[1]",
        b"\7\x08" + b"h" * 10 + question.replace(b"w", b"W"),
    ]


@pytest_twisted.ensureDeferred
async def test_what_is_not_known_goes_to_the_protocol(fixture: Served) -> None:
    """An unknown question gets to the protocol with its sender's address, and the protocol's answer back."""
    fixture.client.send(b"unknown")
    assert await fixture.receive() == [b"echo:unknown"]
    (datagram, address) = fixture.protocol.came[0]
    assert datagram == b"unknown"
    assert tuple(address[:2]) == fixture.client.getsockname()[:2]


@pytest_twisted.ensureDeferred
async def test_long_questions_are_known_too(fixture: Served) -> None:
    """One that goes on behind the head of its slot has its answer, one that begins like it has another or none."""
    name = b"".join(b"\x20" + letter * 32 for letter in (b"a", b"b", b"c"))
    questions = [name + b"%clab\0\0\1\0\1" % length for length in (3, 4, 5)]
    for question in questions[:2]:
        end = question.index(b"\0") + 1
        fixture.packets.put_dns(b"\0\1" + HEADER + question, b"\0\1" + b"h" * 10 + question, question[:end], 1e12, CELL)
    texts = [b"n" * length for length in (HEAD - 1, HEAD, HEAD + 1, 300)]
    for text in texts[:3]:
        fixture.packets.course.put(text, b"%d" % len(text), 1e12, CELL)
    for _ in range(2):
        for question in questions:
            fixture.client.send(b"\7\7" + HEADER + question)
        for text in texts:
            fixture.client.send(text)
        assert sorted(await fixture.receive(7)) == sorted(
            [
                *(b"\7\7" + b"h" * 10 + question for question in questions[:2]),
                b"echo:\7\7" + HEADER + questions[2],
                *(b"%d" % len(text) for text in texts[:3]),
                b"echo:" + texts[3],
            ]
        )


@pytest_twisted.ensureDeferred
async def test_a_burst_is_answered_whole(fixture: Served) -> None:
    """More datagrams than a batch holds, known and unknown mixed, are all answered with the right bytes."""
    count = BATCH + 77  # what the system's usual buffer holds
    for number in range(0, count, 3):
        fixture.packets.course.put(b"name%d" % number, b"known%d" % number, 1e12, CELL)
    for number in range(count):
        fixture.client.send(b"name%d" % number)
    expected = [b"known%d" % n if n % 3 == 0 else b"echo:name%d" % n for n in range(count)]
    assert sorted(await fixture.receive(count)) == sorted(expected)


@pytest_twisted.ensureDeferred
async def test_each_client_gets_its_own_answer(fixture: Served) -> None:
    """Answers of one batch go to the clients that asked, also past a question that is not known."""
    host, port = fixture.client.getpeername()[:2]
    fixture.packets.course.put(b"known", b"yes", 1e12, CELL)
    clients = [socket.socket(fixture.client.family, socket.SOCK_DGRAM) for _ in range(9)]
    try:
        for number, client in enumerate(clients):
            client.connect((host, port))
            client.send(b"known" if number % 2 else b"unknown%d" % number)
        for number, client in enumerate(clients):
            fixture.client.close()
            fixture.client = client
            client.setblocking(False)
            assert await fixture.receive() == [b"yes" if number % 2 else b"echo:unknown%d" % number]
    finally:
        for client in clients:
            client.close()


@pytest_twisted.ensureDeferred
async def test_runts_and_empty_datagrams_are_handed_on(fixture: Served) -> None:
    """Short datagrams are never reflected as they are: they go to the protocol, which says what becomes of them."""
    for datagram in (b"", b"\0", b"\0" * 11):
        fixture.client.send(datagram)
    assert await fixture.receive(3) == [b"echo:", b"echo:\0", b"echo:" + b"\0" * 11]


@pytest_twisted.ensureDeferred
async def test_what_has_run_out_is_not_answered(fixture: Served) -> None:
    """An answer past its time is not given; the protocol is asked."""
    fixture.packets.course.put(b"old", b"stale", 1.0, CELL)
    fixture.client.send(b"old")
    assert await fixture.receive() == [b"echo:old"]


@pytest_twisted.ensureDeferred
async def test_a_datagram_that_fails_closes_nothing(fixture: Served) -> None:
    """What raises in the protocol costs that datagram alone: those of the same batch and later ones are answered."""
    received = fixture.protocol.answer

    def fails_once(datagram: bytes, addr: Any) -> None:
        if datagram == b"bad":
            raise RuntimeError("on purpose")
        received(datagram, addr)

    fixture.protocol.answer = fails_once
    for datagram in (b"one", b"bad", b"two"):
        fixture.client.send(datagram)
    assert await fixture.receive(2) == [b"echo:one", b"echo:two"]
    fixture.client.send(b"three")
    assert await fixture.receive() == [b"echo:three"]


@pytest_twisted.ensureDeferred
async def test_a_batch_that_fails_closes_no_port() -> None:
    """What raises in the port itself costs that batch alone."""
    made = _batch()
    with mock.patch.object(made.packets, "seconds", side_effect=RuntimeError("on purpose")) as seconds:
        made.client.send(b"lost")
        while not seconds.called:
            await deferLater(reactor, 0)
    made.client.send(b"after it")
    assert await made.receive() == [b"echo:after it"]
    await made.close()


@pytest_twisted.ensureDeferred
async def test_a_fast_path_that_raises_closes_nothing() -> None:
    """A question at which the fast path raises goes the full path, and is in flight no more."""

    class FastPath:
        sent = 0

        def take(self, port: Any, origin: Any, question: bytes, now: float) -> bool:
            raise RuntimeError("on purpose")

        def send(self) -> None:
            self.sent += 1

    made = _batch()
    made.protocol.fast_path = fast_path = FastPath()
    made.client.send(b"one")
    assert await made.receive() == [b"echo:one"]
    made.client.send(b"two")
    assert await made.receive() == [b"echo:two"]
    assert fast_path.sent == 2
    assert made.protocol.admission.in_flight == 0
    await made.close()


def _batch(interface: str = "127.0.0.1") -> Served:
    return Served(True, interface)


@pytest_twisted.ensureDeferred
async def test_a_taken_port_is_told() -> None:
    """A port that is in use raises what Twisted's own port raises."""
    made = _batch()
    with pytest.raises(CannotListenError):
        BatchPort(reactor, ("127.0.0.1", made.port.getHost().port), Echo(made.packets), made.packets).startListening()
    await made.close()


@pytest_twisted.ensureDeferred
async def test_one_wake_up_reads_a_bounded_number() -> None:
    """A flood gets a bounded number of answers before the reactor's other sockets have their turn."""
    made = _batch()
    with mock.patch.object(batch_answers, "BATCHES", 1):  # the client's buffer holds no more replies
        for _ in range(BATCH + 10):
            made.client.send(b"x")
        reactor.callLater(0, lambda: None)
        made.port.doRead()
        assert len(made.protocol.came) == BATCH
        await made.receive(BATCH + 10)
    await made.close()


@pytest_twisted.ensureDeferred
async def test_a_partial_send_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system takes a part of the replies, the rest is sent by another call; what it refuses is counted."""
    made = _batch()
    out = made.port.answers._out
    real = out._send
    calls: list[int] = []

    def partly(fileno: int, messages: Any, count: int, flags: int) -> int:
        calls.append(count)
        if len(calls) == 2:
            ctypes.set_errno(errno.EPERM)
            return -1
        if len(calls) == 3:
            ctypes.set_errno(errno.EINTR)
            return -1
        if len(calls) == 6:
            ctypes.set_errno(errno.EAGAIN)
            return -1
        return int(real(fileno, messages, min(count, 2), flags))

    out._send = partly
    monkeypatch.setattr(mmsg.libc, "sendmmsg", partly)
    for number in range(8):
        made.packets.course.put(b"n%d" % number, b"r%d" % number, 1e12, CELL)
        made.client.send(b"n%d" % number)
    assert await made.receive(6) == [b"r0", b"r1", b"r3", b"r4", b"r5", b"r6"]
    assert calls == [8, 6, 5, 5, 3, 1]
    assert made.port.unsent == 2
    made.client.send(b"n0")  # a batch of one that is not taken
    calls[:] = [0]
    made.port.doRead()
    assert (calls, made.port.unsent) == ([0, 1, 1, 1], 2)
    assert await made.receive() == [b"r0"]
    await made.close()


@pytest_twisted.ensureDeferred
async def test_dropped_datagrams_are_counted() -> None:
    """What came while the system's buffer was full is counted."""
    made = _batch()
    made.port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(200):
        made.client.send(b"x" * 1000)
    await made.receive(1)
    made.client.send(b"one more")
    while (await made.receive(1))[0] != b"echo:one more":
        pass
    dropped = overflowed(made.port.socket)
    assert dropped > 0
    await made.close()
    assert made.protocol.counts.lost["overflow"] == dropped


@pytest_twisted.ensureDeferred
async def test_what_has_to_go_meanwhile_is_still_answered() -> None:
    """In a full cache an answer that is patched takes the place of another one, which the same batch asks for."""
    made = _batch()
    room = 20_000
    made.packets.change(room, None)
    questions = [b"\3a%02d\3lab\0\0\1\0\1" % number for number in range(100)]

    def keep(question: bytes, until: float = 1e12, ageing: Ageing | None = None) -> None:
        message = b"\0\1" + HEADER + question
        made.packets.put_dns(message, message, question[:9], until, CELL, ageing)

    keep(questions[0])
    keep(questions[1], reactor.seconds() - 1, Ageing([], None, 0, None, 1e12))
    made.packets.seconds()
    size = made.packets.dns.bytes
    keep(questions[2])
    size = made.packets.dns.bytes - size
    for question in questions[3:]:
        if made.packets.dns.bytes + size <= room:
            keep(question)
    for question in questions[:2]:
        made.client.send(b"\0\1" + HEADER + question)
    assert await made.receive(2) == [b"\0\1" + HEADER + question for question in questions[:2]]
    await made.close()


@pytest_twisted.ensureDeferred
async def test_each_hit_gives_the_addresses_in_another_order() -> None:
    """One at a time and many in a batch, also beside answers that have no turns and questions that are unknown."""
    made, before = _batch(), CELL.ready
    question, single = b"\3www\3lab\0\0\1\0\1", b"\3one\3lab\0\0\1\0\1"

    def ask(question: bytes) -> None:
        made.client.send(b"\0\7" + HEADER + question)

    message = b"\0\1" + HEADER + question
    reply = message + b"1111" + b"2222" + b"3333"
    at = len(message) - 2
    turns = Turns([[slice(at + 4 * number, at + 4 * number + 4) for number in range(3)]])
    made.packets.put_dns(message, reply, question[:9], 1e12, CELL, None, turns)
    other = b"\0\1" + HEADER + single
    made.packets.put_dns(other, other, single[:9], 1e12, CELL)
    alone = []
    for _ in range(6):
        ask(question)
        alone += await made.receive()
    orders = {reply[-12:] for reply in alone}
    assert orders == {b"111122223333", b"222233331111", b"333311112222"}
    assert all(one != after for one, after in pairwise(alone))
    for others in ([], [single], [single, b"\4none\3lab\0\0\1\0\1"]):
        for asked in [question] * 30 + others:
            ask(asked)
        made.port.doRead()
        replies = [reply for reply in await made.receive(30 + len(others)) if question in reply]
        assert set(Counter(reply[-12:] for reply in replies).values()) == {10}, others
        assert {reply[:2] for reply in replies} == {b"\0\7"}
    assert CELL.ready - before == 6 + 90 + 2
    await made.close()


@pytest_twisted.ensureDeferred
async def test_what_is_within_the_rate_is_counted_once() -> None:
    """A question that no answer is ready for comes to the protocol as one that was taken from the rate."""
    made = Served(True, "127.0.0.1", Rules(LOOPBACK, rate=6))
    made.packets.course.put(b"known", b"yes", 1e12, CELL)
    for datagram in (b"known", b"one", b"two", b"known"):
        made.client.send(datagram)
    assert len(await made.receive(4)) == 4
    assert (made.protocol.strange, [datagram for datagram, _ in made.protocol.came]) == ([], [b"one", b"two"])
    for _ in range(3):
        made.client.send(b"known")
    await made.receive(3)
    assert made.protocol.strange == [b"known"] * 3
    await made.close()


@pytest.mark.parametrize("interface", ["127.0.0.1", "::1"])
@pytest_twisted.ensureDeferred
async def test_who_may_not_have_everything_goes_to_the_protocol(interface: str) -> None:
    """A ready answer is never given to who is outside, may not recurse or is past his rate, whatever comes before."""
    everyone = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    for rules, ready in (
        (Rules(LOOPBACK), 3),
        (Rules(()), 0),
        (Rules(everyone, LOOPBACK), 0),
        (Rules(everyone, recursion=()), 0),
        (Rules(everyone, rate=2), 2),
        (Rules(everyone, exempt=LOOPBACK, rate=2), 3),
    ):
        made = Served(True, interface)
        made.packets.course.put(b"known", b"yes", 1e12, CELL)
        made.client.send(b"known")
        made.port.doRead()  # as long as the rules allow it
        made.protocol.admission.change(rules)
        for _ in range(3):
            made.client.send(b"known")
            made.port.doRead()
        assert len(made.protocol.strange) == 3 - ready, rules
        for _ in range(3):  # in one batch: all of it or nothing
            made.client.send(b"known")
        made.port.doRead()
        assert len(made.protocol.strange) == (0 if ready == 3 else 6 - ready), rules
        await made.receive(7)
        await made.close()


@pytest_twisted.ensureDeferred
async def test_a_port_that_stopped_reading_still_sends() -> None:
    """While a service drains, questions stay in the system's buffer and answers go out."""
    made = _batch()
    made.client.send(b"one")
    assert await made.receive() == [b"echo:one"]
    made.port.stopReading()
    made.client.send(b"two")
    made.port.write(b"late", made.client.getsockname())
    assert await made.receive() == [b"late"]
    assert [datagram for datagram, _ in made.protocol.came] == [b"one"]
    await made.close()
