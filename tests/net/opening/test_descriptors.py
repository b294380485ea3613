"""Tests for :mod:`labnet.net.opening.descriptors`."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet import tcp
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.opening.descriptors import SAID_FOR, RefusedConnections
from tests.fakes import MemoryReactor


class RefusalsTests(SynchronousTestCase):
    """Ports that cannot accept."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.passed: list[LogEvent] = []
        self.refusals = RefusedConnections(self.clock, self.passed.append)

    def port(self, error: int) -> Any:
        """A watched port whose accept fails with ``error`` when it is not to find the queue empty."""
        port = self.refusals.watch(MemoryReactor().listenTCP(0, Factory()))
        self.patch(port.welcome, "accept", lambda: self.fail_accept(error))
        return port

    def fail_accept(self, error: int) -> None:
        self.left -= 1
        raise OSError(error if self.left >= 0 else errno.EAGAIN, os.strerror(error))

    def test_it_is_said_once_a_minute(self) -> None:
        """However many connections cannot be accepted, one line a minute says how many they were."""
        port = self.port(errno.EMFILE)
        self.patch(tcp, "_reservedFD", tcp._NullFileDescriptorReservation())
        with capturedLogs() as events:
            for _ in range(100):
                self.left = 1
                port.doRead()
            self.assertEqual([event["closed"] for event in events], [1])
            self.clock.advance(SAID_FOR)
            self.left = 1
            port.doRead()
            self.assertEqual([event["closed"] for event in events], [1, 100])
        self.assertEqual([event["event"] for event in events], ["descriptors.none-left"] * 2)
        self.assertEqual(self.passed, [])

    def test_twisteds_way_out_says_nothing_else(self) -> None:
        """What Twisted says around the descriptor that it kept in reserve is left out; all its words are known here."""
        log = Logger("twisted.internet.tcp.Port", observer=self.refusals)
        with capturedLogs() as events:
            log.info("EMFILE encountered; releasing reserved file descriptor.")
            log.info("EMFILE recovery: Closed socket from {address}", address=("127.0.0.1", 5))
            log.info("Re-reserving EMFILE recovery file descriptor.")
        self.assertEqual([event["event"] for event in events], ["descriptors.none-left"])

    def test_everything_else_is_logged(self) -> None:
        """What a port says beside that is passed on."""
        port = self.port(errno.EMFILE)
        port._logger.info("something else")
        self.assertEqual([event["log_format"] for event in self.passed], ["something else"])

    def test_what_is_no_port_of_twisteds_stays_as_it_is(self) -> None:
        """Watching something without a log of its own does nothing."""
        other = object()
        self.assertIs(self.refusals.watch(other), other)
