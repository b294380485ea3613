"""Processes that are played: what is written to them, and what they say."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.daemon.workers.orders import pipes_of


class FakeProcess:
    """One worker, as its pipe and as what it says."""

    def __init__(self, nursery: FakeNursery, number: int) -> None:
        self.nursery = nursery
        self.number = number
        self.pid = nursery.pid + number
        self.written = b""
        self.stdin_open = True
        self.producer: Any = None

    @property
    def protocol(self) -> Any:
        """The worker's."""
        return self.nursery.protocol.workers[self.number - 1]

    @property
    def descriptors(self) -> dict[int, Any]:
        return self.nursery.descriptors

    def write(self, data: bytes) -> None:
        self.written += data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def loseConnection(self) -> None:
        self.stdin_open = False

    def messages(self) -> list[dict[str, Any]]:
        """What was written since the last call."""
        lines = self.written.splitlines()
        self.written = b""
        return [json.loads(line) for line in lines]

    def tell(self, **message: Any) -> None:
        """It writes a message."""
        self.nursery.protocol.childDataReceived(pipes_of(self.number)[1], json.dumps(message).encode() + b"\n")

    def end(self, signal: int | None = 9) -> None:
        """The worker is no more: by a ``signal``, after which there may be another, or in order."""
        if signal is not None:
            self.tell(ended=-signal)
        if signal is None or not self.stdin_open:
            self.nursery.leave(self)


class FakeNursery:
    """The process that keeps the workers, as its protocol's transport."""

    def __init__(self, protocol: Any, pid: int, descriptors: dict[int, Any]) -> None:
        self.protocol = protocol
        self.pid = pid
        self.descriptors = descriptors
        self.processes = [FakeProcess(self, number) for number in range(1, len(protocol.workers) + 1)]
        self.stdin_open = True
        self.pipes: dict[int, Any] = {pipes_of(process.number)[0]: process for process in self.processes}
        self.pipes[0] = self

    def write(self, data: bytes) -> None:
        """Orders: they are noted where the worker's other messages are."""
        for process in self.processes:
            if process.number == json.loads(data)["number"]:
                process.written += data

    def closeStdin(self) -> None:
        self.stdin_open = False

    def closeChildFD(self, descriptor: int) -> None:
        (self.closeStdin if descriptor == 0 else self.pipes[descriptor].loseConnection)()

    def leave(self, process: FakeProcess) -> None:
        """Nobody wants the worker of ``process`` any more; with the last one this ends."""
        if process in self.processes:
            self.processes.remove(process)
            if not self.processes:
                self.end(ProcessDone(0))

    def end(self, reason: ProcessDone | ProcessTerminated) -> None:
        """It is no more."""
        self.protocol.processExited(Failure(reason))
        self.protocol.processEnded(Failure(reason))


class ProcessReactor(Clock):
    """A clock that starts :class:`FakeProcess` for each worker where a process is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.refuses: OSError | None = None

    def spawnProcess(self, protocol: Any, executable: str, args: Any, env: Any, childFDs: Any) -> FakeNursery:
        if self.refuses is not None:
            raise self.refuses
        nursery = FakeNursery(protocol, 1000 * (1 + len(self.processes)), childFDs)
        self.processes += nursery.processes
        protocol.makeConnection(nursery)
        for process in list(nursery.processes):
            process.tell(forked=process.pid)
        return nursery
