"""The conversation with all workers."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.daemon.workers import fleet as fleet_module
from labnet.daemon.workers.fleet import Fleet
from labnet.metrics import Sample


class FakeOutbox:
    """Lines on their way to a worker."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def put(self, resolver: str, line: str) -> None:
        self.lines.append((resolver, line))


class FakeWorker:
    """The process of a worker."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pid: int | None = 100 + int(name)
        self.outbox: FakeOutbox | None = FakeOutbox()

    @property
    def is_up(self) -> bool:
        return self.pid is not None

    def heard(self) -> list[tuple[str, str]]:
        assert self.outbox is not None
        return self.outbox.lines


class FakeJournal:
    """What is learned of one resolver."""

    def __init__(self, *lines: str) -> None:
        self.known = list(lines)

    def lines(self) -> list[str]:
        return self.known

    def learn(self, line: str) -> bool:
        self.known.append(line)
        return line != "flushed"


class FakeClient:
    """The connection to a worker's control socket."""

    def __init__(self, queries: int = 0) -> None:
        self.queries = queries
        self.closed = False
        self.asked: list[Any] = []
        self.answers: dict[str, Any] = {}

    def ask(self, do: str, **fields: Any) -> Deferred[Any]:
        self.asked.append((do, fields))
        if do in self.answers:
            answer: Deferred[Any] = self.answers[do]
            return answer
        labels = ["main", "udp", "dns", "NOERROR", "ready"]
        return succeed([["labnet_queries_total", labels, self.queries]] if do == "samples" else {"services": []})

    def close(self) -> None:
        self.closed = True


class FleetTestCase(SynchronousTestCase):
    """Two workers of which the second resolver is unknown to the journals."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.journal = FakeJournal("old")
        self.connecting: list[Deferred[Any]] = []
        self.patch(fleet_module, "UNIXClientEndpoint", self._endpoint)
        journals: Any = {"main": self.journal}
        self.hung: list[Any] = []
        self.fleet = Fleet(self.clock, 2, lambda number: f"c.{number}", journals, self.hung.append)
        self.one: Any = FakeWorker("1")
        self.two: Any = FakeWorker("2")
        self.events: list[tuple[LogLevel, str]] = []
        observer = lambda event: self.events.append((event["log_level"], formatEvent(event)))  # noqa: E731
        self.patch(Fleet, "log", Logger(namespace="fleet", observer=observer))

    def _endpoint(self, reactor: Any, path: str, timeout: float) -> Any:
        outer = self

        class Endpoint:
            def connect(self, factory: Any) -> Deferred[Any]:
                outer.assertFalse(factory.noisy)
                outer.connecting.append(Deferred())
                return outer.connecting[-1]

        return Endpoint()

    def serving(self) -> tuple[FakeClient, FakeClient]:
        """Both workers serve and are connected to."""
        clients = FakeClient(10), FakeClient(30)
        for worker, client in zip((self.one, self.two), clients, strict=True):
            self.fleet.started(worker)
            self.fleet.serves(worker)
            self.connecting[-1].callback(client)
        return clients


class LearnedTests(FleetTestCase):
    """What one of them learns, all know."""

    def test_a_start_is_told_everything(self) -> None:
        """A worker that starts is told what is known."""
        self.fleet.started(self.one)
        self.assertEqual(self.one.heard(), [("main", "old")])
        self.one.outbox = None
        self.fleet.started(self.one)

    def test_the_others_are_told(self) -> None:
        """What a worker learned goes to the journal and to the others, and not back."""
        for worker in (self.one, self.two):
            self.fleet.started(worker)
        self.fleet.learned(self.one, {"main": ["new", "flushed"], "gone": ["x"]})
        self.assertEqual(self.journal.known, ["old", "new", "flushed"])
        self.assertEqual(self.one.heard(), [("main", "old")])
        self.assertEqual(self.two.heard(), [("main", "old"), ("main", "new")])
        self.two.outbox = None
        self.fleet.learned(self.one, {"main": ["newer"]})


class LogTests(FleetTestCase):
    """What a worker logs."""

    def test_an_event_is_the_supervisors(self) -> None:
        """It has the worker's level, event and text; a traceback is told line by line, its end in the text."""
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        event = {"level": "warn", "namespace": "labnet.x", "event": "x.y", "message": "{not} a format"}
        self.fleet.logged(self.two, event)
        self.fleet.logged(self.one, {**event, "level": "error", "traceback": ["Traceback", "ValueError: no"]})
        self.assertEqual(
            [formatEvent(one) for one in events],
            [
                "worker 2: {not} a format",
                "worker 1: {not} a format: ValueError: no",
                "worker 1: | Traceback",
                "worker 1: | ValueError: no",
            ],
        )
        self.assertEqual([one["log_level"].name for one in events], ["warn", "error", "info", "info"])
        self.assertEqual((events[0]["event"], events[0]["log_namespace"]), ("x.y", "labnet.x"))


class StateTests(FleetTestCase):
    """How they are, and what they counted."""

    def values(self) -> dict[tuple[str, ...], Any]:
        return {(sample.name, *sample.labels): sample.value for sample in self.fleet.samples()}

    def test_all_are_asked(self) -> None:
        """As soon as they serve they are asked what they counted; it is added up, and known of each."""
        self.serving()
        values = self.values()
        self.assertEqual(values["labnet_queries_total", "main", "udp", "dns", "NOERROR", "ready"], 40)
        self.assertEqual(values["labnet_worker_queries_total", "2"], 30)
        self.assertEqual(values["labnet_worker_up", "1"], 1)
        expected = {"number": 2, "pid": 102, "up": True, "answers": True, "restarts": 0, "queries": 30}
        self.assertEqual(self.fleet.status()[1], expected)

    def test_the_supervisors_own_is_added(self) -> None:
        """What the supervisor counts of itself is in the sums."""
        own = [Sample("process_cpu_seconds_total", (), 2.5)]
        self.assertIn(own[0], list(self.fleet.samples(own)))

    def test_one_that_ends_and_serves_again(self) -> None:
        """What it counted stays, it is down, and when it serves again that is a restart."""
        self.serving()
        self.one.pid = None
        self.fleet.ended(self.one)
        values = self.values()
        self.assertEqual(values["labnet_worker_up", "1"], 0)
        self.assertEqual(values["labnet_worker_queries_total", "1"], 10)
        self.assertEqual(self.fleet.status()[0]["pid"], None)
        self.one.pid = 111
        self.fleet.started(self.one)
        self.fleet.serves(self.one)
        self.connecting[-1].callback(FakeClient(5))
        values = self.values()
        self.assertEqual(values["labnet_worker_queries_total", "1"], 15)
        self.assertEqual(values["labnet_worker_restarts_total", "1"], 1)
        self.assertEqual(self.events, [(LogLevel.info, "worker 1 serves again")])

    def test_one_that_says_nothing_is_not_waited_for(self) -> None:
        """One that does not answer costs two seconds, and what it said last counts."""
        client, _ = self.serving()
        client.answers = {"samples": Deferred(), "status": Deferred()}
        refreshed = self.fleet.refresh()
        self.assertNoResult(refreshed)
        self.clock.advance(2)
        self.successResultOf(refreshed)
        self.assertEqual(self.values()["labnet_worker_queries_total", "1"], 10)

    def test_an_answer_too_late_is_nobodys(self) -> None:
        """What a process said that is no more is not taken for the next one's."""
        client, _ = self.serving()
        client.answers = {"samples": Deferred(), "status": Deferred()}
        self.fleet.refresh()
        self.fleet.ended(self.one)
        client.answers["samples"].callback([["labnet_queries_total", ["main", "", "", "", ""], 99]])
        client.answers["status"].callback({"services": ["x"]})
        self.assertEqual(self.values()["labnet_worker_queries_total", "1"], 10)

    def test_all_are_told(self) -> None:
        """Everybody who can be asked is asked, and each result is known by its worker, failures too."""
        one, two = self.serving()
        one.answers["reload"] = succeed([])
        two.answers["reload"] = Deferred()
        told = self.fleet.ask("reload", x=1)
        two.answers["reload"].errback(ConnectionLost())
        result = self.successResultOf(told)
        self.assertEqual(result[1], [])
        self.assertIsInstance(result[2], Failure)
        self.assertEqual(one.asked[-1], ("reload", {"x": 1}))

    def test_a_connection_that_comes_too_late(self) -> None:
        """A connection to a process that is no more is closed."""
        self.fleet.started(self.one)
        self.fleet.serves(self.one)
        self.fleet.ended(self.one)
        client = FakeClient()
        self.connecting[-1].callback(client)
        self.assertTrue(client.closed)
        self.assertEqual(self.successResultOf(self.fleet.ask("reload")), {})

    def test_one_that_cannot_be_asked(self) -> None:
        """A worker whose socket cannot be opened is said; one that is no more is not."""
        self.fleet.started(self.one)
        self.fleet.serves(self.one)
        self.connecting[-1].errback(ConnectionRefusedError())
        self.assertEqual(self.events[0][0], LogLevel.warn)
        self.assertIn("worker 1 cannot be asked anything", self.events[0][1])
        self.fleet.serves(self.one)
        self.fleet.ended(self.one)
        self.events.clear()
        self.connecting[-1].errback(ConnectionRefusedError())
        self.assertEqual(self.events, [])
        self.successResultOf(self.fleet.refresh())
