"""The process that all workers are forks of."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from labnet.daemon.workers import nursery
from labnet.daemon.workers.messages import encoded_message
from labnet.daemon.workers.nursery import read_orders
from labnet.daemon.workers.orders import Orders

ORDERS = Orders(2, 2, 3, "control.sock.2", "00", True, 1.0, [])


class OrderTests(SynchronousTestCase):
    """Orders among other lines."""

    def read(self, data: bytes) -> tuple[Orders | None, bytes]:
        """The orders in ``data``, and what is left behind them."""
        out, into = os.pipe()
        self.addCleanup(os.close, out)
        os.write(into, data)
        os.close(into)
        return read_orders(out), os.read(out, 1000)

    def test_the_first_line(self) -> None:
        """Orders are a line, and what stands behind it is left."""
        line = encoded_message(**ORDERS._asdict())
        self.assertEqual(self.read(line + b"more\n"), (ORDERS, b"more\n"))

    def test_none(self) -> None:
        """The end is None."""
        self.assertEqual(self.read(b'{"number":'), (None, b""))


class ForkTests(SynchronousTestCase):
    """What the supervisor is told in the place of a worker."""

    def setUp(self) -> None:
        self.told, writing = os.pipe()
        self.addCleanup(os.close, writing)
        self.patch(nursery, "pipes_of", lambda number: (0, writing, 2))

    def test_the_system_has_no_process(self) -> None:
        """It is as if the worker had ended at once; the others go on."""

        def fork() -> int:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        self.patch(os, "fork", fork)
        self.assertIsNone(nursery._fork(ORDERS))
        lines = os.read(self.told, 1000).splitlines()
        os.close(self.told)
        self.assertEqual(lines, [b"there is no process for it: Resource temporarily unavailable", b'{"ended":1}'])

    def test_an_end(self) -> None:
        """Its status stands on a line of its own. Who runs is not waited for, nor is a supervisor that is gone."""
        waiting, going_on = os.pipe()
        runs = os.fork()
        if not runs:
            os.close(going_on)
            os.read(waiting, 1)
            os._exit(0)
        ends = os.fork()
        if not ends:
            os._exit(3)
        os.waitid(os.P_PID, ends, os.WEXITED | os.WNOWAIT)
        running = {ends: 2, runs: 1}
        nursery._tell_ends(running)
        self.assertEqual(running, {runs: 1})
        self.assertEqual(os.read(self.told, 1000), b'\n{"ended":3}\n')
        os.close(self.told)
        os.close(going_on)
        os.close(waiting)
        os.waitid(os.P_PID, runs, os.WEXITED | os.WNOWAIT)
        nursery._tell_ends(running)  # nobody hears that any more
        self.assertEqual(running, {})
