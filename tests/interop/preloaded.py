"""Daemons without the cost of their imports: a process that has loaded Twisted and labnet forks one for each order.

That is more than half of what a start costs, and these tests start a thousand. What is forked does what the script
``twistd`` does, with the arguments, the folder, the environment and the descriptors that it is given, and ends as that
would. An environment that Python reads at its start has to be that of the tests: :func:`takes` says whether it is.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
AT_START = ("PYTHON", "LD_", "LC_", "LANG", "COVERAGE")
"""How variables begin that count only when a process starts."""
LARGEST = 1 << 18
"""Bytes of an order, and of the descriptors' numbers."""
PATIENT = "LABNET_TESTS_PATIENT"
"""The variable by which a fork asks no DNS parent again before its ``parent_timeout`` is over.

It waits for the server of a shared cache too, for as long as :data:`PATIENCE` where the configuration does not say.
"""
PATIENCE = 30.0
WARM = ("labnet.daemon.tap", "labnet.daemon.service", "labnet.console.page.service", "twisted.internet.epollreactor")


def takes(env: Mapping[str, str]) -> bool:
    """Whether a fork can have this environment."""

    def counting(variables: Mapping[str, str]) -> dict[str, str]:
        return {key: value for key, value in variables.items() if key.startswith(AT_START)}

    return counting(env) == counting(os.environ)


class Forked:
    """A process of the :class:`Nursery`, used as a ``subprocess.Popen``; ``stdout`` has its errors too."""

    def __init__(self, stdout: IO[str]) -> None:
        self.stdout = stdout
        self.pid = 0
        self.returncode: int | None = None
        self.ended = threading.Event()

    def poll(self) -> int | None:
        return self.returncode if self.ended.is_set() else None

    def wait(self, timeout: float | None = None) -> int | None:
        if not self.ended.wait(timeout):
            raise subprocess.TimeoutExpired("twistd", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The tests' side: starts daemons, and is told when they end."""

    def __init__(self) -> None:
        self._orders, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            command = [sys.executable, "-m", __name__, str(its.fileno())]
            self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL)
        self._lock = threading.Lock()
        self._started: list[Forked] = []
        self._running: dict[int, Forked] = {}
        threading.Thread(target=self._listen, daemon=True).start()
        atexit.register(self._orders.close)

    def start(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], pass_fds: Sequence[int]) -> Forked:
        """``argv`` in ``cwd``, its input empty."""
        reading, writing = os.pipe()
        forked = Forked(os.fdopen(reading, "r", encoding="utf-8", errors="replace"))
        order = {"argv": list(argv), "cwd": str(cwd), "env": dict(env), "fds": list(pass_fds)}
        with self._lock:
            self._started.append(forked)
            socket.send_fds(self._orders, [json.dumps(order).encode()], [writing, *pass_fds])
        os.close(writing)
        while not forked.pid:
            assert self._process.poll() is None, "the process that forks daemons has ended"
            time.sleep(0.001)
        return forked

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while message := self._orders.recv(LARGEST):
                pid, status = json.loads(message)
                if status is None:
                    with self._lock:
                        forked = self._running[pid] = self._started.pop(0)
                    forked.pid = pid
                else:
                    forked = self._running.pop(pid)
                    forked.returncode = os.waitstatus_to_exitcode(status)
                    forked.ended.set()


def serve(orders: socket.socket) -> None:
    """The other side: fork for each order until the tests end. Returns in each child, which is to run twistd."""
    poll = select.poll()
    poll.register(orders, select.POLLIN)
    children: dict[int, int] = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor != orders.fileno():
                pid = children.pop(descriptor)
                poll.unregister(descriptor)
                os.close(descriptor)
                orders.send(json.dumps([pid, os.waitpid(pid, 0)[1]]).encode())
                continue
            message, given, _, _ = socket.recv_fds(orders, LARGEST, 64)
            if not message:
                os._exit(0)
            pid = os.fork()
            if not pid:
                orders.detach()  # whose number may soon be another file's
                become(json.loads(message), list(given))
                return
            for one in given:
                os.close(one)
            orders.send(json.dumps([pid, None]).encode())
            children[os.pidfd_open(pid)] = pid
            poll.register(list(children)[-1], select.POLLIN)


def become(order: dict[str, list[str] | str], given: list[int]) -> None:
    """Be the process that ``order`` describes, with the descriptors it names and no others."""
    wanted = [1, *order["fds"]]
    above = max(*wanted, *given) + 1
    for number, one in enumerate(given):
        os.dup2(one, above + number)
    os.closerange(3, above)
    for number, target in enumerate(wanted):
        os.dup2(above + number, target)
    os.dup2(1, 2)
    os.closerange(above, above + len(given))
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    os.chdir(order["cwd"])
    if PATIENT in os.environ:
        from labnet.config.services import SharedConfig
        from labnet.resolver.upstream import infra

        fields = dict(SharedConfig.model_fields)
        fields["timeout"] = fields["timeout"]._replace(default=PATIENCE)
        mock.patch.object(SharedConfig, "model_fields", fields).start()
        mock.patch.object(infra, "LEAST_WAIT", 3600.0).start()
    sys.argv[:] = order["argv"]
    sys.path[0] = os.path.dirname(order["argv"][0])


def main() -> None:
    import importlib

    from twisted.scripts.twistd import run

    for name in WARM:
        importlib.import_module(name)
    assert "twisted.internet.reactor" not in sys.modules, "each daemon has a reactor of its own"
    serve(socket.socket(fileno=int(sys.argv[1])))
    sys.exit(run())


if __name__ == "__main__":
    main()
