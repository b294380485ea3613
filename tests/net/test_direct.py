"""Tests for :mod:`labnet.net.direct`."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.direct import close_at_end, write_now
from tests.fakes import MemoryReactor


class Recorded(Protocol):
    """Knows why its connection was lost."""

    lost: Failure | None = None

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.lost = reason


class DirectTests(SynchronousTestCase):
    """A connection of Twisted's, with a socket in memory."""

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.protocol = Recorded()
        factory = Factory()
        factory.buildProtocol = lambda addr: self.protocol
        self.reactor.listenTCP(0, factory)
        self.client = self.reactor.connect()
        self.transport: Any = self.protocol.transport
        self.sock = self.transport.socket

    def test_data_is_there_at_once(self) -> None:
        """Nothing waits for a turn of the reactor."""
        write_now(self.transport, b"one")
        self.assertEqual((bytes(self.sock.sent), self.reactor.writers), (b"one", set()))

    def test_what_finds_no_room_goes_behind_the_rest(self) -> None:
        """In its order, when there is room again."""
        self.sock.room = 2
        for data in b"one", b"two":
            write_now(self.transport, data)
        self.assertEqual(bytes(self.sock.sent), b"on")
        self.sock.room = None
        write_now(self.transport, b"three")
        self.assertEqual(bytes(self.sock.sent), b"on")
        self.reactor.turn()
        self.assertEqual(bytes(self.sock.sent), b"onetwothree")

    def test_another_transport_is_written_by_itself(self) -> None:
        """It may have a socket or none."""
        other: Any = StringTransport()
        write_now(other, b"one")
        close_at_end(other)
        self.assertEqual((other.value(), other.disconnecting), (b"one", True))

    def test_a_connection_with_nothing_to_send_is_over_at_once(self) -> None:
        """In order, without a reset, and with nothing left in the reactor."""
        close_at_end(self.transport)
        assert self.protocol.lost is not None
        self.assertIs(self.protocol.lost.type, ConnectionDone)
        self.assertTrue(self.client.closed)
        self.assertFalse(self.sock.reset)
        self.assertNotIn(self.transport, self.reactor.readers | self.reactor.writers)

    def test_what_is_left_is_sent_before_the_end(self) -> None:
        """As by loseConnection."""
        self.transport.write(b"one")
        close_at_end(self.transport)
        self.assertIsNone(self.protocol.lost)
        self.reactor.turn()
        self.assertEqual(bytes(self.sock.sent), b"one")
        self.assertIsNotNone(self.protocol.lost)
