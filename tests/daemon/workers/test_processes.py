"""The workers as processes: started, watched, started again."""

from __future__ import annotations

import signal
from typing import Any

from twisted.internet.error import ProcessTerminated
from twisted.trial.unittest import SynchronousTestCase

from labnet.daemon.workers.orders import Orders
from labnet.daemon.workers.process import FIRST_DELAY, MOST_DELAY, WorkerProcess
from labnet.daemon.workers.processes import Workers
from tests.daemon.workers.fakes import FakeProcess, ProcessReactor


class Heard:
    """What a watcher of the workers heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def started(self, process: WorkerProcess) -> None:
        self.heard.append(("started", process.name))

    def on_message(self, process: WorkerProcess, message: dict[str, Any]) -> None:
        self.heard.append(("message", process.name, message))

    def said(self, process: WorkerProcess, line: str) -> None:
        self.heard.append(("said", process.name, line))

    def ended(self, process: WorkerProcess, why: str) -> None:
        self.heard.append(("ended", process.name, why))


class WorkersTestCase(SynchronousTestCase):
    """Two workers."""

    def setUp(self) -> None:
        self.reactor = ProcessReactor()
        self.watch = Heard()
        self.killed: list[tuple[int, int]] = []
        kill = lambda pid, number: self.killed.append((pid, number))  # noqa: E731
        self.workers = Workers(self.reactor, ["1", "2"], self._orders, self.watch, 3.0, kill)

    def _orders(self, name: str) -> Orders:
        return Orders(int(name), 2, 3, f"c.{name}", "00", True, 1.0, [])

    @property
    def processes(self) -> list[FakeProcess]:
        return self.reactor.processes

    def serving(self) -> FakeProcess:
        """Both are started and serve; the first."""
        self.workers.startService()
        for number, process in enumerate(self.processes):
            process.messages()
            process.tell(up=77 + number)
        self.watch.heard.clear()
        return self.processes[0]


class StartTests(WorkersTestCase):
    """From nothing to serving."""

    def test_each_has_its_orders(self) -> None:
        """Every worker is a process whose first line is its orders."""
        self.workers.startService()
        self.assertEqual([process.messages()[0]["number"] for process in self.processes], [1, 2])
        self.assertEqual(self.watch.heard, [("started", "1"), ("started", "2")])
        self.assertIsNotNone(self.processes[0].producer)

    def test_what_it_tells_is_heard(self) -> None:
        """Messages are heard as such, other lines of either output as they are; an empty one is nothing."""
        self.workers.startService()
        one = self.processes[0]
        self.watch.heard.clear()
        self.assertFalse(one.protocol.is_up)
        one.protocol.outReceived(b'{"up"')
        one.protocol.outReceived(b": 7}\n7\n\nhallo\n")
        one.protocol.errReceived(b"Traceback\xff\n")
        self.assertEqual(
            self.watch.heard,
            [("message", "1", {"up": 7}), ("said", "1", "7"), ("said", "1", "hallo"), ("said", "1", "Traceback\\xff")],
        )
        self.assertEqual((one.protocol.is_up, one.protocol.pid), (True, 7))

    def test_descriptors_are_passed_on(self) -> None:
        """What systemd passed is inherited; each worker has pipes of its own."""
        self.workers.pass_on({3: 17})
        self.workers.startService()
        pipes = {100: "w", 101: "r", 102: "r", 103: "w", 104: "r", 105: "r"}
        self.assertEqual(self.processes[0].descriptors, {0: "w", 1: "r", 2: "r", 3: 17, **pipes})

    def test_no_process_to_be_had(self) -> None:
        """Where the system has no process for it, a worker is tried again."""
        self.reactor.refuses = BlockingIOError(11, "Resource temporarily unavailable")
        self.workers.startService()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.reactor.refuses = None
        self.reactor.advance(1)
        self.assertEqual(len(self.processes), 2)


class EndTests(WorkersTestCase):
    """A worker ends."""

    def test_the_next_takes_its_place_at_once(self) -> None:
        """One that served has another in its place in the next turn, however often that happens."""
        process = self.serving()
        for number in range(5):
            process.tell(ended=-9)
            self.assertEqual(self.watch.heard.pop(), ("ended", "1", "signal 9"))
            self.assertEqual((process.protocol.is_up, process.protocol.outbox, process.producer), (False, None, None))
            self.reactor.advance(0)
            self.assertEqual(process.messages()[-1]["number"], 1)
            self.assertEqual(self.watch.heard.pop(), ("started", "1"))
            process.tell(up=100 + number)
            self.watch.heard.clear()
        self.assertEqual(len(self.processes), 2)

    def test_one_that_never_served_waits(self) -> None:
        """While none gets as far as to serve, the next waits twice as long, a minute at most; then it is as before."""
        process = self.serving()
        process.tell(ended=1)
        self.reactor.advance(0)
        process.messages()
        for wait in (FIRST_DELAY, 2, 4, 8, 16, 32, MOST_DELAY, MOST_DELAY):
            process.tell(ended=1)
            self.assertEqual(self.watch.heard[-1], ("ended", "1", "exit status 1"))
            self.reactor.advance(wait - 0.01)
            self.assertEqual(process.messages(), [], wait)
            self.reactor.advance(0.01)
            self.assertEqual(len(process.messages()), 1, wait)
        process.tell(up=1)
        process.tell(ended=1)
        self.reactor.advance(0)
        process.messages()
        process.tell(ended=1)
        self.reactor.advance(FIRST_DELAY)
        self.assertEqual(len(process.messages()), 1)

    def test_the_process_that_keeps_all_is_started_again(self) -> None:
        """If it is killed it takes all workers with it, and another is started."""
        process = self.serving()
        self.reactor.advance(5)
        process.nursery.end(ProcessTerminated(signal=9))
        self.assertFalse(process.stdin_open)
        self.assertEqual([heard[:2] for heard in self.watch.heard], [("ended", "1"), ("ended", "2")])
        self.reactor.advance(0)
        self.assertEqual(len(self.processes), 4)
        self.assertEqual([one.messages()[0]["number"] for one in self.processes[2:]], [1, 2])
        self.assertEqual(process.messages(), [])

    def test_what_that_process_says_is_heard(self) -> None:
        """Its errors are those of the first worker."""
        process = self.serving()
        process.nursery.protocol.childDataReceived(2, b"no memory\n")
        self.assertEqual(self.watch.heard, [("said", "1", "no memory")])

    def test_the_process_that_is_killed_is_the_one_that_was_forked_last(self) -> None:
        """Between two there is none."""
        process = self.serving()
        self.workers.kill(process.protocol)
        process.end()
        self.workers.kill(process.protocol)
        process.tell(forked=99)
        self.workers.kill(process.protocol)
        self.assertEqual([pid for pid, _ in self.killed], [1001, 99])

    def test_one_that_waits_for_its_orders(self) -> None:
        """The end of a worker is heard of once, if the process that keeps all is killed between two workers too."""
        process = self.serving()
        process.tell(ended=-9)
        process.nursery.end(ProcessTerminated(signal=9))
        self.assertEqual([heard[1] for heard in self.watch.heard], ["1", "2"])
        self.reactor.advance(1)
        self.assertEqual([len(one.messages()) for one in self.processes], [0, 0, 1, 1])


class StopTests(WorkersTestCase):
    """The end of all."""

    def test_each_is_told_and_waited_for(self) -> None:
        """Each is told to stop, its input closes, and the stop is over when the last has ended; none starts again."""
        one = self.serving()
        two = self.processes[1]
        stopped = self.workers.stopService()
        for process in (one, two):
            self.assertEqual(process.messages(), [{"stop": True}])
            self.assertFalse(process.stdin_open)
        self.assertFalse(one.nursery.stdin_open)
        one.tell(ended=0)
        self.reactor.advance(0)
        self.assertEqual(one.messages(), [])
        one.end(None)
        self.assertNoResult(stopped)
        two.tell(ended=0)
        two.end(None)
        self.successResultOf(stopped)
        self.assertEqual(self.killed, [])
        self.assertEqual(len(self.processes), 2)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_one_that_does_not_end_is_killed(self) -> None:
        """After its grace a worker is killed, with the process that keeps it."""
        one = self.serving()
        stopped = self.workers.stopService()
        one.tell(ended=0)
        one.end(None)
        self.reactor.advance(3)
        self.assertEqual(self.killed, [(1002, signal.SIGKILL)])
        self.processes[1].end()
        self.successResultOf(stopped)

    def test_one_that_is_to_start_does_not(self) -> None:
        """A worker that is about to start does not."""
        one = self.serving()
        one.tell(ended=-9)
        stopped = self.workers.stopService()
        self.reactor.advance(1)
        self.assertEqual(one.messages(), [{"stop": True}])
        for process in self.processes:
            process.end(None)
        self.successResultOf(stopped)

    def test_before_any_is_forked(self) -> None:
        """A process that does not get as far as to fork any worker is killed itself."""
        one = self.serving()
        for process in self.processes:
            process.protocol.forked = None
        stopped = self.workers.stopService()
        self.reactor.advance(3)
        self.assertEqual(self.killed, [(1000, signal.SIGKILL)])
        one.nursery.end(ProcessTerminated(signal=9))
        self.successResultOf(stopped)

    def test_without_any(self) -> None:
        """Where nothing runs, nothing is waited for."""
        self.successResultOf(self.workers.stopService())
