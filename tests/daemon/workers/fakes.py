"""Processes that are played: what is written to them, and what they say."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.error import ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure


class FakeProcess:
    """A process of the system, as its protocol's transport."""

    def __init__(self, protocol: Any, pid: int, descriptors: dict[int, Any]) -> None:
        self.protocol = protocol
        self.pid = pid
        self.descriptors = descriptors
        self.written = b""
        self.stdin_open = True
        self.producer: Any = None

    def write(self, data: bytes) -> None:
        self.written += data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def loseConnection(self) -> None:
        self.stdin_open = False

    def closeStdin(self) -> None:
        self.stdin_open = False

    def messages(self) -> list[dict[str, Any]]:
        """What was written since the last call."""
        lines = self.written.splitlines()
        self.written = b""
        return [json.loads(line) for line in lines]

    def tell(self, **message: Any) -> None:
        """It writes a message."""
        self.protocol.outReceived(json.dumps(message).encode() + b"\n")

    def end(self, signal: int | None = 9) -> None:
        """It is no more."""
        reason = Failure(ProcessTerminated(status=1, signal=signal))
        self.protocol.processExited(reason)
        self.protocol.processEnded(reason)


class ProcessReactor(Clock):
    """A clock that starts :class:`FakeProcess` where a process is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.refuses: OSError | None = None

    def spawnProcess(self, protocol: Any, executable: str, args: Any, env: Any, childFDs: Any) -> FakeProcess:
        if self.refuses is not None:
            raise self.refuses
        process = FakeProcess(protocol, 1000 + len(self.processes), childFDs)
        self.processes.append(process)
        protocol.makeConnection(process)
        return process
