"""The process that all workers are forks of.

``python -m labnet.daemon.workers NUMBER`` imports everything and waits for lines on its standard input, each the
:class:`~labnet.daemon.workers.orders.Orders` of a worker, and forks that.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal

from labnet.daemon.garbage import spare_program
from labnet.daemon.workers.child import run
from labnet.daemon.workers.messages import encoded_message
from labnet.daemon.workers.orders import FIRST_PIPE, Orders, pipes_of


def main(workers: int) -> int:
    """Keep so many workers running; the exit status: 0 once the supervisor wants no more of them, or is gone.

    Each is a fork of this process: what none of them writes to is in memory once, and one that is killed has another in
    its place without loading the program again.
    """
    with contextlib.suppress(OSError):
        os.setsid()  # Ctrl-C in a terminal is the supervisor's to act on
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)  # a byte for each child that ends
    spare_program()
    running: dict[int, int] = {}
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(woken, select.POLLIN)
    is_wanted = True
    while is_wanted or running:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if woken in ready:
            os.read(woken, workers)
            _tell_ends(running)
        orders = read_orders() if 0 in ready else None
        if orders is None:
            if 0 in ready:
                poll.unregister(0)
                is_wanted = False
        elif (worker := _fork(orders)) is None:
            continue
        elif worker:
            running[worker] = orders.number
        else:
            signal.set_wakeup_fd(-1)
            os.close(woken)
            os.close(waking)
            for number, action in before.items():
                signal.signal(number, action)
            return _be(orders, workers)
    return 0


def _fork(orders: Orders) -> int | None:
    """Fork the worker of these ``orders``: its process, 0 in that, None where the system has none for it."""
    try:
        return os.fork()
    except OSError as error:
        says = f"there is no process for it: {error.strerror}\n".encode()
        os.write(pipes_of(orders.number)[1], says + encoded_message(ended=1))
        return None


def _be(orders: Orders, workers: int) -> int:
    """Be the worker of these ``orders``, one of so many; the exit status."""
    take_pipes(orders.number, workers)
    os.write(1, encoded_message(forked=os.getpid()))
    from twisted.internet import reactor

    return run(orders, reactor)


def _tell_ends(running: dict[int, int]) -> None:
    """Tell the supervisor of each worker that is ``running`` no more, as if it did itself."""
    for worker in list(running):
        ended, status = os.waitpid(worker, os.WNOHANG)
        if ended:
            pipe = pipes_of(running.pop(worker))[1]
            os.set_blocking(pipe, True)
            with contextlib.suppress(BrokenPipeError):  # the supervisor is gone
                # Whoever is killed may leave half a line.
                os.write(pipe, b"\n" + encoded_message(ended=os.waitstatus_to_exitcode(status)))


def take_pipes(number: int, workers: int) -> None:
    """Have the pipes of the worker of this ``number`` as input, output and errors, and none of the others."""
    for standard, pipe in enumerate(pipes_of(number)):
        os.dup2(pipe, standard)
    os.closerange(FIRST_PIPE, pipes_of(workers)[-1] + 1)


def read_orders(descriptor: int = 0) -> Orders | None:
    """The next orders, and not a byte behind them; None where no more come."""
    line = b""
    while byte := os.read(descriptor, 1):
        line += byte
        if byte == b"\n":
            return Orders(**json.loads(line))
    return None
