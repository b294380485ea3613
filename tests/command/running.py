"""A command server that runs in memory."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.command.service import CommandService
from labnet.config.services import CommandConfig
from tests.fakes import Client, MemoryReactor

GREETING = b"Connected: your IP address is 127.0.0.1 and your port is 39770\n"
TIME = b"Sun Oct  1 13:33:03 2023\n"
INVALID = b"Invalid command!\n"
EVERYONE = ["0.0.0.0/0", "::/0"]


class RunningServer(SynchronousTestCase):
    """A test with a command server; :meth:`start` runs one on ``self.reactor``."""

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.exits = 0

    def tearDown(self) -> None:
        """No timer outlives a server that has stopped, nor does a socket."""
        if hasattr(self, "service"):
            self.service.stopService()
            self.reactor.pass_time(1)
            self.assertEqual(self.reactor.getDelayedCalls(), [])
            self.assertEqual(self.reactor.readers | self.reactor.writers, set())

    def start(self, **settings: Any) -> CommandService:
        self.service = CommandService(CommandConfig(**settings), self.reactor, self._exited)
        self.service.privilegedStartService()
        self.service.startService()
        return self.service

    def _exited(self) -> None:
        self.exits += 1

    def time(self) -> bytes:
        """The reply to TIME at this moment."""
        return self.service.style.time(self.reactor.seconds())

    def counted(self, family: str) -> dict[str, int]:
        """What the server has counted of ``family`` so far, by its one label; zeros are left out."""
        samples = [(labels, value) for name, labels, value in self.service.samples() if name == family]
        return {label: value for (label,), value in samples if value}

    def greeted(self, *address: Any) -> Client:
        """A client that has read its greeting."""
        client = self.reactor.connect(*address)
        self.assertNotEqual(client.received(), b"")
        return client
