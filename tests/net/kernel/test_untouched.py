"""Buffers that take memory only where they are written to."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from labnet.net.kernel.untouched import untouched

SIZE = 64 << 20


class UntouchedTests(SynchronousTestCase):
    def test_it_is_memory_like_any_other(self) -> None:
        """Zero at first, and a process of its own has its own."""
        buffer = untouched(10_000)
        self.assertEqual((len(buffer), buffer.raw), (10_000, bytes(10_000)))
        buffer[9_999] = b"x"
        child = os.fork()
        if not child:
            buffer[0] = b"y"
            os._exit(0)
        os.waitpid(child, 0)
        self.assertEqual((buffer[0], buffer[9_999]), (b"\0", b"x"))

    def test_it_takes_no_memory_before_it_is_used(self) -> None:
        """The system gives a page for the first byte that is written there."""
        held = Path("/proc/self/statm")
        if not held.exists():
            raise SkipTest("the system does not say how much memory a process has")

        def pages() -> int:
            return int(held.read_text().split()[1])

        before = pages()
        buffer = untouched(SIZE)
        buffer[0] = b"x"
        self.assertLess((pages() - before) * os.sysconf("SC_PAGESIZE"), SIZE // 8)
