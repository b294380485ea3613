"""The conversation with all workers: messages, questions and answers, and what they counted and learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, cast

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from labnet.console.asking import ControlClient
from labnet.daemon.workers.journal import LearnedJournal
from labnet.daemon.workers.process import WorkerProcess
from labnet.daemon.workers.totals import Totals
from labnet.metrics import Sample, merged

PATIENCE: Final = 2.0
"""Seconds that a worker has to say how it is; as long as it says nothing, what it said last counts."""

MOST_MISSED: Final = 5
"""Polls in a row without an answer, each after :data:`PATIENCE` seconds, after which a worker is hung."""

_OF_THE_FIRST: Final = frozenset({"sessions", "close-session"})

_LOOK: Final = 20.0
"""Seconds that a worker has to show something; it may have to ask a parent for it."""

_RELOAD: Final = 60.0
"""Seconds that a worker has to take a new configuration."""


class Worker:
    """One of the workers, whichever process it is now."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: WorkerProcess | None = None
        self.client: ControlClient | None = None
        self.status: dict[str, Any] | None = None
        self.restarts = 0
        self.missed = 0
        """Polls in a row that it has not answered."""
        self.missed_at = 0.0
        self.was_up = False

    @property
    def is_up(self) -> bool:
        """Whether it serves."""
        return self.process is not None and self.process.is_up

    @property
    def answers(self) -> bool:
        """Whether it has answered the last poll; nothing is known of one that has not been asked yet."""
        return not self.missed


class Fleet:
    """The workers 1 to ``count``; ``control`` gives the path of one's control socket.

    What one of them learned goes into ``journals``, by the resolver's name, and to all others. ``hung`` is called with
    the process of a worker that serves and has missed :data:`MOST_MISSED` polls.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        count: int,
        control: Callable[[int], str],
        journals: Mapping[str, LearnedJournal],
        hung: Callable[[WorkerProcess], object],
    ) -> None:
        self._hung = hung
        self.workers = [Worker(number) for number in range(1, count + 1)]
        self.totals = Totals()
        self._reactor = reactor
        self._control = control
        self._journals = journals
        self.greet: Callable[[ControlClient], object] = lambda client: None
        """Called with the connection to a worker that has just begun to serve."""

    @property
    def up(self) -> list[Worker]:
        """Those that serve."""
        return [worker for worker in self.workers if worker.is_up]

    def started(self, process: WorkerProcess) -> None:
        """``process`` is the worker of its name from now on; it gets all that is known."""
        worker = self.workers[int(process.name) - 1]
        worker.process = process
        outbox = process.outbox
        if outbox is None:
            return
        for name, journal in self._journals.items():
            for line in journal.lines():
                outbox.put(name, line)

    def serves(self, process: WorkerProcess) -> None:
        """``process`` has opened its ports."""
        worker = self.workers[int(process.name) - 1]
        if worker.was_up:
            worker.restarts += 1
            self.log.info("worker {worker} serves again", worker=worker.number, event="worker.again")
        worker.was_up = True
        connecting: Deferred[Any] = self._connect(worker.number)
        connecting.addCallback(self._connected, worker, process)
        connecting.addErrback(self._not_connected, worker, process)

    def ended(self, process: WorkerProcess) -> None:
        """``process`` is no more."""
        worker = self.workers[int(process.name) - 1]
        worker.process = worker.client = worker.status = None
        worker.missed = 0
        self.totals.ended(process.name)

    def learned(self, process: WorkerProcess, batch: Mapping[str, list[str]]) -> None:
        """``process`` learned the lines of ``batch``, by resolver."""
        others = [worker.process for worker in self.workers if worker.process not in (None, process)]
        for name, lines in batch.items():
            journal = self._journals.get(name)
            for line in lines if journal is not None else ():
                if journal is not None and journal.learn(line):
                    for other in others:
                        if other is not None and other.outbox is not None:
                            other.outbox.put(name, line)

    def logged(self, process: WorkerProcess, event: Mapping[str, Any]) -> None:
        """``process`` logged ``event``, as :func:`labnet.console.logs.encoded` writes it."""
        level = LogLevel.lookupByName(event["level"])
        log = Logger(namespace=event["namespace"])
        fields = {"worker": process.name, "event": event["event"]}
        traceback = event.get("traceback", ())
        text = ": ".join([event["message"], *traceback[-1:]])
        log.emit(level, "worker {worker}: {text}", text=text, **fields)
        for line in traceback:
            log.emit(LogLevel.info, "worker {worker}: | {text}", text=line, **fields)

    def refresh(self) -> Deferred[None]:
        """Ask every worker how it is and what it counted; fires when all have answered or :data:`PATIENCE` is over."""
        asked = []
        for worker in self.up:
            if worker.client is not None:
                client, process = worker.client, worker.process
                counted = client.ask("samples").addTimeout(PATIENCE, self._reactor)
                counted.addCallback(partial(self._counted, worker, process))
                status = client.ask("status").addTimeout(PATIENCE, self._reactor)
                status.addCallbacks(partial(self._is, worker, process), partial(self._missed, worker, process))
                asked += [counted, status]
        return DeferredList(asked, consumeErrors=True).addCallback(lambda _: None)

    def ask(self, do: str, **fields: Any) -> Deferred[dict[int, Any]]:
        """Ask every worker to ``do`` something; fires with their results by number, a Failure where one has none."""
        workers = [worker for worker in self.up if worker.client is not None]
        asked = [
            worker.client.ask(do, **fields).addTimeout(_RELOAD, self._reactor)
            for worker in workers
            if worker.client is not None
        ]
        numbers = [worker.number for worker in workers]
        return DeferredList(asked, consumeErrors=True).addCallback(
            lambda results: dict(zip(numbers, [result for _, result in results], strict=True))
        )

    def view(self, what: str, arguments: Mapping[str, Any]) -> Deferred[Any]:
        """What the first worker that serves shows of ``what``. Raises LookupError where none does."""
        # The command server is in the first of all.
        able = [worker for worker in self.up if worker.number == 1 or what not in _OF_THE_FIRST]
        if not able:
            raise LookupError("the worker that could show it does not serve just now")
        return Deferred.fromCoroutine(self._view(able[0].number, {**arguments, "what": what}))

    def view_of_all(self, what: str, arguments: Mapping[str, Any]) -> Deferred[Any]:
        """Have every worker that serves do ``what``; what came of it in the first. Raises LookupError where none is."""
        numbers = [worker.number for worker in self.up]
        if not numbers:
            raise LookupError("no worker serves just now")
        asked = [Deferred.fromCoroutine(self._view(number, {**arguments, "what": what})) for number in numbers]
        return DeferredList(asked, consumeErrors=True).addCallback(lambda results: results[0][1])

    async def _view(self, number: int, arguments: Mapping[str, Any]) -> Any:
        # Over a connection of its own: a parent may be asked for it, and the polls behind it would have to wait.
        client = await self._connect(number)
        try:
            return await client.ask("view", **arguments).addTimeout(_LOOK, self._reactor)
        finally:
            client.close()

    def _connect(self, number: int) -> Deferred[ControlClient]:
        endpoint = UNIXClientEndpoint(self._reactor, self._control(number), PATIENCE)
        factory = Factory.forProtocol(ControlClient)
        factory.noisy = False
        return cast("Deferred[ControlClient]", endpoint.connect(factory))

    def samples(self, own: Iterable[Sample] = ()) -> Iterator[Sample]:
        """What all workers counted, with what their supervisor did of its ``own``, and how each is."""
        yield from merged([self.totals.samples(), own])
        for worker in self.workers:
            number = str(worker.number)
            queries = sum(s.value for s in self.totals.of(number) if s.name == "labnet_queries_total")
            yield Sample("labnet_worker_up", (number,), int(worker.is_up))
            yield Sample("labnet_worker_restarts_total", (number,), worker.restarts)
            yield Sample("labnet_worker_queries_total", (number,), queries)

    def status(self) -> list[dict[str, Any]]:
        """How each worker is, for JSON."""
        return [
            {
                "number": worker.number,
                "pid": None if worker.process is None else worker.process.pid,
                "up": worker.is_up,
                "answers": worker.answers,
                "restarts": worker.restarts,
                "queries": sum(s.value for s in self.totals.of(str(worker.number)) if s.name == "labnet_queries_total"),
            }
            for worker in self.workers
        ]

    def _connected(self, client: ControlClient, worker: Worker, process: WorkerProcess) -> Deferred[None] | None:
        if worker.process is not process:
            client.close()
            return None
        worker.client = client
        self.greet(client)
        return self.refresh()

    def _not_connected(self, failure: Failure, worker: Worker, process: WorkerProcess) -> None:
        if worker.process is process:
            self.log.warn(
                "worker {worker} cannot be asked anything: {why}",
                worker=worker.number,
                why=failure.getErrorMessage(),
                event="worker.deaf",
            )

    def _counted(self, worker: Worker, process: WorkerProcess | None, samples: list[Any]) -> None:
        if worker.process is process:
            self.totals.counted(str(worker.number), samples)

    def _is(self, worker: Worker, process: WorkerProcess | None, status: dict[str, Any]) -> None:
        if worker.process is process:
            worker.status = status
            worker.missed = 0

    def _missed(self, worker: Worker, process: WorkerProcess | None, failure: Failure) -> None:
        if worker.process is not process or process is None or failure.check(TimeoutError) is None:
            return
        now = self._reactor.seconds()
        if worker.missed and now - worker.missed_at < PATIENCE:
            return  # this one was asked at the same time as the one before
        worker.missed += 1
        worker.missed_at = now
        if worker.missed == MOST_MISSED:
            self.log.error(
                "worker {worker} has not answered {count} times in a row; it is killed and started again",
                worker=worker.number,
                count=MOST_MISSED,
                event="worker.hung",
            )
            self._hung(process)

    @property
    def is_well(self) -> bool:
        """Whether any of the workers that serve answers, or none serves yet."""
        return not self.up or any(worker.answers for worker in self.up)
