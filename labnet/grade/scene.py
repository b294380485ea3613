"""What a check works with: a fresh world, the program in it, and the judge's own sockets, all on record."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from labnet.grade.channels import Channel, Datagrams, ListenerChannel, StreamChannel
from labnet.grade.lag import LagMeter
from labnet.grade.model import Evidence, Failed, Happening, NotFoundOut
from labnet.grade.patience import PATIENCE, READY, Patience
from labnet.grade.recorder import Recorder
from labnet.grade.sandbox.levels import MOST_PROCESSES, Level, SandboxError, free_port
from labnet.grade.sandbox.world import Output, Sandbox
from labnet.grade.submission import Submission, SubmissionError

HOST: Final = "127.0.0.1"

STARTS: Final = threading.BoundedSemaphore(os.cpu_count() or 1)
"""Programs that start at one time: more would make each other late."""

_POLL: Final = 0.05
_STALLED: Final = 2.0
"""Seconds of the machine's own delay past which nothing is said about a program."""


class Scene:
    """One run of one check. ``facts`` are what earlier checks found out about the program; a check may add some."""

    def __init__(self, level: Level, submission: Submission, facts: dict[str, Any], lag: LagMeter, seed: int) -> None:
        self.level = level
        self.submission = submission
        self.facts = facts
        self.random = random.Random(seed)
        self.role = "program"
        """What the program plays now, as the record names it."""
        self.evidence = Evidence()
        self._lag = lag
        self._began = time.monotonic()
        self._ports: dict[str, int] = {}
        self._outputs: tuple[Output, Output] | None = None
        self._sockets: list[Channel] = []
        self.sandbox = Sandbox(level, submission.folder, submission.readable)
        self._recorder = Recorder(self.sandbox)

    # The program

    def port(self, name: str, usual: int) -> int:
        """A port of this scene: always the same for the same ``name``; ``usual`` where the network is our own."""
        if name not in self._ports:
            self._ports[name] = usual if self.level.has_own_network else free_port()
        return self._ports[name]

    def write(self, name: str, content: bytes) -> None:
        """Put a file into the program's folder."""
        self.sandbox.order("write", path=name, text=content.decode("latin-1"))

    def start(self, arguments: Sequence[str], role: str = "", listens: tuple[str, int] | None = None) -> None:
        """Start the program in ``role`` with ``arguments``; wait until it has the port that ``listens`` says.

        Raises Failed where it ends before, or opens another port, or none.
        """
        try:
            argv = self.submission.command(role, list(arguments))
        except SubmissionError as error:
            raise Failed(str(error)) from None
        self.evidence.argv = argv
        self.role = role or self.role
        with STARTS:
            self._outputs = self.sandbox.start(argv)
            self.note(f"started: {' '.join(argv)}")
            if listens is not None:
                self._await_port(listens)

    def _await_port(self, listens: tuple[str, int]) -> None:
        kind, port = listens
        before = set(self._ports_of_judge())
        patience = Patience(self.sandbox, READY)
        while listens not in self.sandbox.ports():
            state = self.sandbox.state()
            status = state["status"]
            if state["processes"] > MOST_PROCESSES // 2:
                raise Failed(
                    f"the program has {state['processes']} processes, and {kind.upper()} port {port} is not open"
                )
            if status is not None:
                raise Failed(
                    f"the program ended (status {status}) before it had {kind.upper()} port {port} open",
                    self.last_words(),
                )
            if patience.is_over():
                self._judge_machine(patience.began)
                others = sorted(one for opened, one in self.sandbox.ports() - before if opened == kind)
                if others and self.level.has_own_network:
                    raise Failed(
                        f"{kind.upper()} port {port} is not open after {READY:.0f} s; {others[0]} is",
                        f"the program was told port {port} and opened {others[0]}: it does not use its argument",
                    )
                raise Failed(f"{kind.upper()} port {port} is not open after {READY:.0f} s")
            time.sleep(_POLL)

    def _ports_of_judge(self) -> list[tuple[str, int]]:
        return [
            ("tcp" if isinstance(one, StreamChannel) else "udp", one.local[1]) for one in self._sockets if one.is_open
        ]

    def is_listening(self, kind: str, port: int) -> bool:
        """Whether something listens on the port now."""
        return (kind, port) in self.sandbox.ports()

    def stop(self, seconds: float = 2.0) -> None:
        """End the program as Ctrl-C does, by force after ``seconds``."""
        self.note("the program is ended with Ctrl-C")
        self.sandbox.interrupt(seconds)

    def ended(self) -> int | None:
        """The program's exit status, None while it runs."""
        status: int | None = self.sandbox.state()["status"]
        return status

    def output(self) -> bytes:
        """What the program has printed."""
        return self._outputs[0].data if self._outputs else b""

    def errors(self) -> bytes:
        """What the program has written to its error stream."""
        return self._outputs[1].data if self._outputs else b""

    def last_words(self) -> str:
        """The last line of the program's error stream, as a cause; nothing where there is none."""
        self.wait(lambda: False, 0.05)
        lines = self.errors().decode(errors="replace").strip().splitlines()
        return f"it says: {lines[-1].strip()}" if lines else ""

    def await_output(self, wanted: bytes, what: str) -> bytes:
        """Wait until the program has printed ``wanted``. Raises Failed, with ``what`` it does not print."""
        self.wait(lambda: wanted in self.output() or self.ended() is not None)
        if wanted not in self.output():
            self.wait(lambda: wanted in self.output(), 0.2)
        if wanted not in self.output():
            raise Failed(f"the program does not print {what}", expected=wanted, got=self.output()[-200:])
        return self.output()

    # Time

    def wait(self, is_so: Any, patience: float = PATIENCE) -> bool:
        """Wait until ``is_so()``; false when it never was, although the program had ``patience`` seconds and is idle.

        A busy program gets up to :data:`MOST_PATIENCE` seconds. Raises NotFoundOut where the machine was too slow.
        """
        limit = Patience(self.sandbox, patience)
        while not is_so():
            if limit.is_over():
                self._judge_machine(limit.began)
                return bool(is_so())
            self.pump(_POLL)
        return True

    def sleep(self, seconds: float) -> None:
        """Let time pass, for what a check has to wait for."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.pump(min(left, 0.1))

    def lag(self, since: float) -> float:
        """The machine's longest delay since ``since`` (time.monotonic()), seconds."""
        return self._lag.most(since)

    def _judge_machine(self, since: float | None = None) -> None:
        lag = self._lag.most(self._began if since is None else since)
        if lag > _STALLED:
            raise NotFoundOut(f"this machine stood still for {lag:.1f} s meanwhile: grade again when it has less to do")

    def pump(self, seconds: float) -> None:
        """Wait for at most ``seconds``, taking in what arrives on the capture meanwhile."""
        self._recorder.pump(seconds)

    # The record

    def note(self, text: str) -> None:
        """Put a sentence on record."""
        self.evidence.events.append(Happening(time.time(), "judge", "", kind="note", note=text))

    def record(self, source: str, target: str, data: bytes = b"", kind: str = "sent", note: str = "") -> None:
        """Put what went over the wire on record."""
        self.evidence.events.append(Happening(time.time(), source, target, data, kind, note))

    # The judge's sockets

    def connect(self, port: int, who: str = "client") -> StreamChannel:
        """A TCP connection to the program. Raises Failed where it is refused."""
        opened = self._recorder.tapped(self.sandbox.tcp(HOST, 0))
        opened.settimeout(PATIENCE)
        stream = StreamChannel(self, opened, who, self.role)
        try:
            opened.connect((HOST, port))
        except OSError as error:
            stream.close()
            raise Failed(f"a connection to port {port} fails: {error.strerror or error}") from None
        self.record(who, self.role, kind="note", note=f"connects from port {stream.local[1]}")
        self._sockets.append(stream)
        return stream

    def datagrams(self, who: str, port: int = 0, host: str = HOST) -> Datagrams:
        """A UDP socket of the judge's, who plays ``who``."""
        opened = Datagrams(self, self._recorder.tapped(self.sandbox.udp(host, port)), who)
        self._sockets.append(opened)
        return opened

    def listen(self, port: int, who: str = "server") -> ListenerChannel:
        """A TCP port of the judge's."""
        listener = ListenerChannel(self, self.sandbox.tcp(HOST, port, listen=16), who)
        self._sockets.append(listener)
        return listener

    def tapped(self, opened: socket.socket) -> socket.socket:
        """``opened``, on record."""
        return self._recorder.tapped(opened)

    def adopt(self, channel: Channel) -> None:
        """Close ``channel`` with the scene."""
        self._sockets.append(channel)

    def close(self) -> Evidence:
        """End the world; what it left behind. Idempotent."""
        evidence = self.evidence
        try:
            evidence.status = self.ended()
            self._recorder.pump(0)
        except (SandboxError, OSError):
            pass  # a world that is gone has no more to tell
        for channel in self._sockets:
            channel.close()
        self._sockets.clear()
        evidence.capture = evidence.capture or self._recorder.close()
        self.sandbox.close()
        if self._outputs is not None:
            evidence.output, evidence.errors = self._outputs[0].data, self._outputs[1].data
            evidence.thrown_away = sum(output.thrown_away for output in self._outputs)
        return evidence
