"""Signals of the system as calls in the reactor."""

from __future__ import annotations

import os
import pty
import signal
from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.daemon.running.signals import Signals, Terminal


class FakeReactor(Clock):
    """A clock, and calls that come from elsewhere and are made at once."""

    def callFromThread(self, call: Callable[[], object]) -> None:
        call()


class SignalTests(SynchronousTestCase):
    """Signals of this very process."""

    def test_a_signal_is_a_call_until_it_is_given_back(self) -> None:
        """To whoever had it, however often it was caught."""
        theirs: list[int] = []
        before = signal.signal(signal.SIGUSR1, lambda number, _: theirs.append(number))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        signals = Signals(FakeReactor())
        calls: list[str] = []
        signals.catch(signal.SIGUSR1, lambda: calls.append("first"))
        os.kill(os.getpid(), signal.SIGUSR1)
        signals.catch(signal.SIGUSR1, lambda: calls.append("second"))
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual((calls, theirs), (["first", "second"], []))
        signals.give_back()
        os.kill(os.getpid(), signal.SIGUSR1)
        signals.give_back()
        self.assertEqual((calls, theirs), (["first", "second"], [signal.SIGUSR1]))


class TerminalTests(SynchronousTestCase):
    """Whether the terminal that the process was started in is still there."""

    def test_a_terminal_goes(self) -> None:
        """When it is closed at its other end."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, slave)
        terminal = Terminal(slave)
        self.assertFalse(terminal.is_gone)
        os.close(master)
        self.assertTrue(terminal.is_gone)

    def test_a_file_is_none(self) -> None:
        """Nor can it go."""
        with open(os.devnull) as file:
            self.assertFalse(Terminal(file.fileno()).is_gone)
