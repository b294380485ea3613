"""Busy polls of a reactor that watches by a real epoll and whose turns the test takes."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batches import busypoll
from labnet.net.batches.busypoll import FEW, QUICK, STREAK, BusyPoll

TIMEOUT = 10.0
LONG = 3 * TIMEOUT
"""Seconds that nobody waits: before that comes what is sent by :meth:`PollingTests.late`, and is seen in the result."""


class EpollReactor:
    """``moves`` tells who came in and went out; ``due`` is when the next timer is, in seconds, None for never."""

    def __init__(self, test: SynchronousTestCase) -> None:
        self._poller: Any = select.epoll()
        self.epoll = self._poller
        test.addCleanup(self.epoll.close)
        self.readers: set[Any] = set()
        self.moves: list[str] = []
        self.due: float | None = None

    def addReader(self, reader: Any) -> None:
        self.moves.append("in")
        self.readers.add(reader)
        self.epoll.register(reader.fileno(), select.EPOLLIN)

    def removeReader(self, reader: Any) -> None:
        self.moves.append("out")
        self.readers.remove(reader)
        self.epoll.unregister(reader.fileno())

    def timeout(self) -> float | None:
        return self.due


class Gathering:
    """Has every wake-up put off by ``nap`` seconds; ``calls`` has what it was called with, None for a restart."""

    def __init__(self, nap: float) -> None:
        self.nap = nap
        self.calls: list[int | None] = []

    def restart(self) -> None:
        self.calls.append(None)

    def woken(self, came: int) -> None:
        self.calls.append(came)


class Port:
    """A port in ``reactor`` that polls while it is busy; ``drained`` has what it took while it polled.

    ``steps`` are called with what was taken, one each time; after the last the reactor has a timer that is due.
    """

    def __init__(self, test: SynchronousTestCase, reactor: Any, *steps: Callable[[], object], nap: float = 0.0) -> None:
        self.reactor = reactor
        self.socket, self.client = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        test.addCleanup(self.socket.close)
        test.addCleanup(self.client.close)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.client.connect(self.socket.getsockname())
        self.steps = [*steps]
        self.drained: list[list[bytes]] = []
        self.has_more = False
        self.coalescing = Gathering(nap)
        coalescing: Any = self.coalescing
        reactor.addReader(self)
        self.poll = BusyPoll(reactor, self, self.drain, coalescing)
        self.poll.enable()

    def fileno(self) -> int:
        return self.socket.fileno()

    def drain(self) -> tuple[int, bool]:
        taken = []
        try:
            while True:
                taken.append(self.socket.recv(100))
        except BlockingIOError:
            pass
        self.drained.append(taken)
        if self.steps:
            self.steps.pop(0)()
        else:
            self.reactor.due = 0
        return len(taken), self.has_more

    def wake(self, came: int = FEW, is_more: bool = False) -> None:
        """The reactor woke the port, which took so many datagrams, and there may be more."""
        self.poll.woken(came, is_more)

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.client.send(datagram)


class BusyTests(SynchronousTestCase):
    """When a port is busy."""

    def setUp(self) -> None:
        self.reactor = EpollReactor(self)
        self.port = Port(self, self.reactor)
        self.clock = Clock()
        self.clock.advance(1000)
        self.patch(busypoll, "time", SimpleNamespace(monotonic=self.clock.seconds))

    def is_polling(self, came: int, pause: float = 10.0) -> bool:
        """Whether it is, where ``came`` datagrams wake it after a ``pause``."""
        self.clock.advance(pause)
        del self.reactor.moves[:], self.port.drained[:]
        self.reactor.due = None
        self.port.send(b"next")
        self.port.wake(came)
        self.assertEqual(self.reactor.readers, {self.port})
        self.assertEqual(bool(self.port.drained), bool(self.reactor.moves))
        return self.reactor.moves == ["out", "in"]

    def test_many_at_once(self) -> None:
        """Make it busy, and few do not."""
        polled = [self.is_polling(came) for came in (1, FEW - 1, FEW, 500, FEW - 1, 0)]
        self.assertEqual(polled, [False, False, True, True, False, False])

    def test_a_streak(self) -> None:
        """Of quick wake-ups, however little comes by each; it stays busy until there is a pause."""
        polled = [self.is_polling(1, QUICK / 2) for _ in range(STREAK + 5)]
        self.assertEqual(polled, [False] * STREAK + [True] * 5)
        self.assertFalse(self.is_polling(1, 2 * QUICK))
        self.assertEqual([self.is_polling(1, QUICK / 2) for _ in range(STREAK)], [False] * (STREAK - 1) + [True])

    def test_a_pause_breaks_a_streak(self) -> None:
        """Wake-ups that are slower now and then never make it busy."""
        for _ in range(5):
            self.assertFalse(self.is_polling(1, 2 * QUICK))
            self.assertEqual([self.is_polling(1, QUICK / 2) for _ in range(STREAK - 1)], [False] * (STREAK - 1))

    def test_beside_others_that_are_as_busy(self) -> None:
        """It is tried ever more rarely, but now and then; once there was something to wait for, each time again."""
        tried = []
        for _ in range(400):
            self.reactor.due = 0
            self.port.wake()
            tried.append(bool(self.reactor.moves))
            del self.reactor.moves[:]
        self.assertEqual(self.port.drained, [])
        rests = [len(rest) for rest in "".join("x" if one else "." for one in tried).split("x")]
        self.assertEqual(rests[:9], [0, 1, 3, 7, 15, 31, 63, 63, 63])
        while not self.is_polling(FEW):
            pass
        self.assertEqual([self.is_polling(FEW) for _ in range(5)], [True] * 5)
        self.reactor.due = 0
        self.port.wake()
        self.assertEqual([self.is_polling(FEW) for _ in range(4)], [False, True, True, True])

    def test_a_reactor_without_epoll(self) -> None:
        """Has the port wait as any other."""
        for poller in None, select.poll(), object():
            reactor = self.reactor = EpollReactor(self)
            reactor._poller = poller
            if poller is None:
                del reactor._poller
            self.port = Port(self, reactor)
            del reactor.moves[:]
            self.assertEqual([self.is_polling(500, QUICK / 2) for _ in range(2 * STREAK)], [False] * 2 * STREAK)


class PollingTests(SynchronousTestCase):
    """What ends it, and how it leaves the port."""

    def setUp(self) -> None:
        self.patch(busypoll, "_LONGEST_WAIT", LONG)

    def port(self, *steps: Callable[[], object], nap: float = 0.0) -> Port:
        """A port in a reactor of its own."""
        self.reactor = EpollReactor(self)
        port = Port(self, self.reactor, *steps, nap=nap)
        del self.reactor.moves[:]
        return port

    def another(self) -> Callable[[bytes], object]:
        """Sends to another socket that the reactor watches."""
        watched, sender = socket.socketpair()
        self.addCleanup(watched.close)
        self.addCleanup(sender.close)
        self.reactor.epoll.register(watched.fileno(), select.EPOLLIN)
        return sender.send

    def late(self, send: Callable[[bytes], object], seconds: float = TIMEOUT) -> None:
        """Have a datagram sent in so many seconds."""
        timer = threading.Timer(seconds, send, (b"late",))
        timer.start()
        self.addCleanup(timer.join)
        self.addCleanup(timer.cancel)

    def gives_way(self, port: Port, drained: list[list[bytes]]) -> None:
        """Wake ``port``: it waits, takes what is to be ``drained``, and lets the reactor go on."""
        port.wake()
        self.assertEqual(port.drained, drained)
        self.assertEqual(self.reactor.moves, ["out", "in"])

    def busy_with(self, port: Port, happens: Callable[[], object]) -> None:
        port.send(b"two")
        happens()

    def test_the_port_is_out_of_the_reactor_meanwhile(self) -> None:
        """And in it again afterwards; what came is taken, as often as something comes."""
        inside: list[bool] = []
        port = self.port(*[lambda: (inside.append(bool(self.reactor.readers)), port.send(b"more"))] * 3)
        port.send(b"one", b"two")
        port.wake()
        self.assertEqual(port.drained, [[b"one", b"two"], [b"more"], [b"more"], [b"more"]])
        self.assertEqual(inside, [False] * 3)
        self.assertEqual(self.reactor.moves, ["out", "in"])
        self.assertEqual(port.coalescing.calls, [None, 2, 1, 1, 1])
        port.send(b"again")
        self.reactor.due = None
        port.wake()
        self.assertEqual(port.drained[4:], [[b"again"]])
        self.assertEqual(port.coalescing.calls[5:], [None, 1])

    def test_a_timer_that_is_due(self) -> None:
        """Goes first, whatever waits at the port."""
        for nap in 0.0, 0.0001:
            port = self.port(nap=nap)
            port.send(b"one")
            self.reactor.due = 0
            self.gives_way(port, [])

    def test_a_timer_that_is_set_meanwhile(self) -> None:
        """Goes before the next datagram."""
        for nap in 0.0, 0.0001:
            port = self.port(nap=nap)
            port.steps = [partial(self.busy_with, port, lambda: setattr(self.reactor, "due", 0))]
            port.send(b"one")
            self.gives_way(port, [[b"one"]])

    def test_a_socket_of_the_reactor_that_is_ready(self) -> None:
        """Goes first too."""
        for nap in 0.0, 0.0001:
            port = self.port(nap=nap)
            send = self.another()
            send(b"x")
            port.send(b"one")
            self.gives_way(port, [])

    def test_a_socket_of_the_reactor_that_becomes_ready(self) -> None:
        """Goes before the next datagram."""
        for nap in 0.0, 0.0001:
            port = self.port(nap=nap)
            send = self.another()
            port.steps = [partial(self.busy_with, port, partial(send, b"x"))]
            port.send(b"one")
            self.gives_way(port, [[b"one"]])

    def test_a_timer_that_is_due_soon(self) -> None:
        """Is not missed where nothing comes."""
        port = self.port()
        self.late(port.send)
        self.reactor.due = 0.005
        self.gives_way(port, [])

    def test_a_timer_that_is_due_before_a_moment_ends(self) -> None:
        """Is not missed either: what came meanwhile is taken, then it has its turn."""
        port = self.port(nap=LONG)
        port.send(b"one")
        self.late(self.another())
        self.reactor.due = 0.005
        self.gives_way(port, [[b"one"]])

    def test_a_socket_that_becomes_ready(self) -> None:
        """Is seen while nothing comes, and in a moment, whatever comes in it."""
        for nap in 0.0, LONG:
            port = self.port(nap=nap)
            if nap:
                port.send(b"one")
            send = self.another()
            self.late(port.send)
            self.late(send, 0.005)
            self.gives_way(port, [])

    def test_a_datagram_that_comes(self) -> None:
        """Is waited for."""
        port = self.port()
        self.late(self.another())
        self.late(port.send, 0.005)
        port.wake()
        self.assertEqual(port.drained, [[b"late"]])

    def test_a_moment_is_given(self) -> None:
        """As the coalescing says it: what has come by its end is taken, and that may be nothing."""
        port = self.port(lambda: port.send(b"one"), lambda: None, nap=0.0001)
        self.late(self.another())
        port.wake()
        self.assertEqual(port.drained, [[], [b"one"], []])
        self.assertEqual(port.coalescing.calls, [None, 0, 1, 0])

    def test_where_there_is_more_no_moment_is_given(self) -> None:
        """It is taken at once."""
        port = self.port(lambda: port.send(b"two"), nap=LONG)
        port.has_more = True
        self.late(self.another())
        port.send(b"one")
        port.wake(is_more=True)
        self.assertEqual(port.drained, [[b"one"], [b"two"]])

    def test_where_more_turns_up_no_moment_is_given(self) -> None:
        """The last drain counts."""

        def flood() -> None:
            port.has_more, port.coalescing.nap = True, LONG
            port.send(b"one")

        port = self.port(flood, nap=0.0001)
        self.late(self.another())
        port.wake()
        self.assertEqual(port.drained, [[], [b"one"]])

    def test_where_there_is_no_more_one_is_given_again(self) -> None:
        """In it another socket becomes ready, and goes before what came."""
        port = self.port(lambda: (port.send(b"two"), self.late(self.another(), 0.005)), nap=LONG)
        port.send(b"one")
        port.wake(is_more=True)
        self.assertEqual(port.drained, [[b"one"]])

    def test_parts_of_a_second(self) -> None:
        """Are waited for too, and whole ones."""
        port = self.port()
        for due, waits in ((2.25, [2, 250_000_000]), (0.5, [0, 500_000_000]), (0.000125, [0, 125_000])):
            self.reactor.due = due
            port.send(b"one")
            port.wake()
            self.assertEqual(list(port.poll._seconds), waits)

    def test_the_longest_wait(self) -> None:
        """Ends where nothing at all happens: the reactor goes on."""
        self.patch(busypoll, "_LONGEST_WAIT", 0.001)
        for due in None, LONG:
            port = self.port()
            self.late(port.send)
            self.reactor.due = due
            self.gives_way(port, [])

    def test_a_port_that_is_ended_meanwhile(self) -> None:
        """Does not come back into the reactor, and never polls again; what waits there is not taken."""
        port = self.port(lambda: (port.poll.disable(), port.send(b"two")))
        port.send(b"one")
        port.wake()
        self.assertEqual(port.drained, [[b"one"]])
        self.assertEqual(self.reactor.moves, ["out"])
        for _ in range(2 * STREAK):
            port.wake()
        self.assertEqual(port.drained, [[b"one"]])
        self.assertEqual(self.reactor.moves, ["out"])

    def test_an_error_on_the_way(self) -> None:
        """Is the reactor's, which has the port again; the next poll is as any other."""
        port = self.port(lambda: 1 // 0)
        port.send(b"one")
        self.assertRaises(ZeroDivisionError, port.wake)
        self.assertEqual(self.reactor.moves, ["out", "in"])
        port.send(b"two")
        port.wake()
        self.assertEqual(port.drained, [[b"one"], [b"two"]])
        self.assertEqual(self.reactor.moves, ["out", "in"] * 2)

    def test_an_error_where_it_was_ended(self) -> None:
        """Does not bring the port back."""

        def fail() -> None:
            port.poll.disable()
            raise ZeroDivisionError

        port = self.port(fail)
        port.send(b"one")
        self.assertRaises(ZeroDivisionError, port.wake)
        self.assertEqual(self.reactor.moves, ["out"])
