"""A batch port that is busy waits in the reactor's place, and nobody else has to wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any
from unittest import mock

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import deferLater

from labnet.net.batches import busypoll
from labnet.net.batches.busypoll import FEW
from tests.interop.udpports import TIMEOUT, Served, reactor

ROUNDS = 30
"""Datagrams after which the test is over, whoever has not had a turn; ten times as many where it never polls."""


class Busy(Served):
    """Each datagram that it answers brings the next one, numbered from 1 on while the port is out of the reactor.

    ``order`` tells what happened; ``steps`` are called with the numbers that they have there.
    """

    def __init__(self) -> None:
        super().__init__(True, "127.0.0.1")
        self.order: list[object] = []
        self.steps: dict[int, Callable[[], object]] = {}
        self.done: Deferred[None] = Deferred()
        self.has_next = True
        self.answered = 0
        self.timer: threading.Timer | None = None
        self.protocol.answer = self.answer

    @property
    def is_polling(self) -> bool:
        return self.port not in reactor.getReaders()

    def answer(self, datagram: bytes, addr: Any) -> None:
        if datagram == b"flood":
            return
        self.answered += 1
        if self.order or self.is_polling:
            number = sum(isinstance(one, int) for one in self.order) + 1
            self.order.append(number)
            self.steps.pop(number, lambda: None)()
            if number == ROUNDS:
                self.end()
        elif self.answered == 10 * ROUNDS:
            self.end()
        if self.has_next:
            self.client.send(b"next")

    def end(self) -> None:
        """What the test waits for is over."""
        self.has_next = False
        reactor.callLater(0, self.done.callback, None)

    async def run(self, **steps: Callable[[], object]) -> None:
        """Make the port busy; step ``s1`` is called with the first datagram."""
        self.steps = {int(name[1:]): step for name, step in steps.items()}
        for _ in range(FEW):
            self.client.send(b"flood")
        self.client.send(b"next")
        await self.done

    def late(self, what: str) -> None:
        """Have a datagram sent much later: a port that waits longer than it should is woken by it."""

        def sent() -> None:
            self.order.append(what)
            self.client.send(b"next")

        self.timer = threading.Timer(TIMEOUT, sent)
        self.timer.start()

    async def close(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer.join()
        await super().close()


@pytest.fixture
def busy() -> Generator[Busy, None, None]:
    with mock.patch.object(busypoll, "_LONGEST_WAIT", 3 * TIMEOUT):
        made = Busy()
        yield made
    pytest_twisted.blockon(Deferred.fromCoroutine(made.close()))


@pytest_twisted.ensureDeferred
async def test_a_busy_port_is_out_of_the_reactor(busy: Busy) -> None:
    """It answers datagram after datagram meanwhile, and is in it again when somebody else has something to do."""
    polling: list[bool] = []
    await busy.run(**{f"s{number}": lambda: polling.append(busy.is_polling) for number in range(1, ROUNDS + 1)})
    assert polling == [True] * ROUNDS
    assert not busy.is_polling


@pytest_twisted.ensureDeferred
async def test_a_timer_goes_first(busy: Busy) -> None:
    """Where it is due now, before the next datagram."""
    await busy.run(s3=lambda: reactor.callLater(0, busy.order.append, "timer"))
    assert busy.order[:5] == [1, 2, 3, "timer", 4]


@pytest_twisted.ensureDeferred
async def test_a_timer_of_soon_is_not_missed(busy: Busy) -> None:
    """Where nothing more comes, the port does not wait longer than until then."""

    def wait() -> None:
        busy.has_next = False
        busy.late("late")
        reactor.callLater(0.005, lambda: (busy.order.append("timer"), busy.end()))

    await busy.run(s2=wait)
    assert busy.order == [1, 2, "timer"]


@pytest_twisted.ensureDeferred
async def test_another_thread_is_heard(busy: Busy) -> None:
    """What it has to be called in the reactor's thread is called, though nothing more comes."""

    def wait() -> None:
        busy.has_next = False
        busy.late("late")
        threading.Thread(
            target=reactor.callFromThread, args=(lambda: (busy.order.append("thread"), busy.end()),)
        ).start()

    await busy.run(s2=wait)
    assert busy.order == [1, 2, "thread"]


@pytest_twisted.ensureDeferred
async def test_another_socket_has_its_turn(busy: Busy) -> None:
    """Within a datagram or two, whether it is busy itself or not."""

    class Other(DatagramProtocol):
        noisy = False

        def datagramReceived(self, datagram: bytes, addr: Any) -> None:
            busy.order.append("other")

    other = reactor.listenUDP(0, Other(), "127.0.0.1")
    second = Served(True, "127.0.0.1")

    def send() -> None:
        busy.port.write(b"hello", ("127.0.0.1", other.getHost().port))
        for _ in range(FEW):
            second.client.send(b"hello")

    second.protocol.answer = lambda datagram, addr: busy.order.append("second")
    await busy.run(s3=send)
    assert busy.order.index("other") <= busy.order.index(5)
    assert busy.order.index("second") <= busy.order.index(5)
    assert busy.order.count("second") == FEW
    await other.stopListening()
    await second.close()


@pytest_twisted.ensureDeferred
async def test_a_port_that_stops_reading_meanwhile(busy: Busy) -> None:
    """Is out of the reactor for good: what comes is not answered, and it can still send."""

    def stop() -> None:
        busy.port.stopReading()
        busy.end()
        busy.client.send(b"not read")

    await busy.run(s2=stop)
    for _ in range(3):
        await deferLater(reactor, 0)
    assert busy.is_polling
    assert busy.order == [1, 2]
    busy.port.write(b"late", busy.client.getsockname())
    assert await busy.receive() == [b"late"]


@pytest_twisted.ensureDeferred
async def test_a_port_that_is_closed_meanwhile(busy: Busy) -> None:
    """Is closed in the reactor's next turn, and its protocol is told."""
    stopped: list[str] = []
    busy.protocol.stopProtocol = lambda: stopped.append("protocol")

    def stop() -> None:
        busy.port.stopListening().addCallback(lambda _: (stopped.append("port"), busy.end()))
        assert busy.port.socket is not None

    await busy.run(s2=stop)
    assert stopped == ["protocol", "port"]
    assert busy.order == [1, 2]
    assert busy.port.socket is None
    assert busy.port not in reactor.getReaders()
