"""Tests for :mod:`labnet.net.streams`."""

from __future__ import annotations

import errno

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.streams import MOST_BYTES, MessageStream, StreamSockets


class MessageStreamTests(SynchronousTestCase):
    """One question by TCP, as by a UDP socket."""

    def open(self, framing: str = "whole") -> MessageStream:
        self.reactor = MemoryReactorClock()
        self.received: list[bytes] = []
        self.errors: list[OSError] = []
        stream = StreamSockets(self.reactor, framing).open("192.0.2.1", 53, self.received.append, self.errors.append)
        assert isinstance(stream, MessageStream)
        (self.host, self.port, self.factory, *_), *_ = self.reactor.tcpClients
        return stream

    def connected(self, framing: str = "whole") -> MessageStream:
        stream = self.open(framing)
        self.transport = StringTransport()
        self.factory.buildProtocol(None).makeConnection(self.transport)
        return stream

    def test_what_is_sent_before_the_connection_is_there_waits_for_it(self) -> None:
        stream = self.open()
        self.assertEqual((self.host, self.port, stream.here), ("192.0.2.1", 53, ("0.0.0.0", 0)))
        stream.send(b"www.a")
        transport = StringTransport()
        self.factory.buildProtocol(None).makeConnection(transport)
        self.assertEqual(transport.value(), b"www.a")

    def test_messages_are_framed_both_ways(self) -> None:
        """A reply may come in pieces."""
        stream = self.connected("digits-2")
        stream.send(b"www.a")
        self.assertEqual(self.transport.value(), b"05www.a")
        for part in (b"0", b"71.2", b".3.4"):
            stream.dataReceived(part)
        self.assertEqual(self.received, [b"1.2.3.4"])

    def test_a_reply_is_what_one_receive_brings(self) -> None:
        """Lines in it belong together."""
        self.connected().dataReceived(b"a\nb\n")
        self.assertEqual(self.received, [b"a\nb\n"])

    def test_a_line_that_the_end_cuts_is_a_reply(self) -> None:
        stream = self.connected("lf")
        stream.dataReceived(b"1.2.3.4")
        stream.connectionLost()
        self.assertEqual(self.received, [b"1.2.3.4"])

    def test_a_closed_connection_is_told_once(self) -> None:
        stream = self.connected()
        stream.connectionLost()
        stream.connectionLost()
        self.assertEqual([error.errno for error in self.errors], [errno.ECONNRESET])

    def test_a_connection_that_cannot_be_made_is_told(self) -> None:
        self.open()
        self.factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.assertEqual([error.errno for error in self.errors], [errno.ECONNREFUSED])

    def test_after_a_close_nothing_is_told(self) -> None:
        stream = self.connected()
        stream.close()
        self.assertTrue(self.transport.disconnecting)  # and not aborted: a reset ends many a server
        stream.dataReceived(b"1.2.3.4")
        stream.connectionLost()
        self.assertEqual((self.received, self.errors), ([], []))

    def test_what_is_framed_wrongly_or_never_ends_fails(self) -> None:
        for framing, data, code in (
            ("digits-2", b"xx", errno.EPROTO),
            ("whole", b"x" * (MOST_BYTES + 1), errno.EMSGSIZE),
        ):
            self.connected(framing).dataReceived(data)
            self.assertEqual([error.errno for error in self.errors], [code])
        stream = self.connected("digits-2")
        stream.send(b"x" * 100)
        self.assertEqual([error.errno for error in self.errors], [errno.EMSGSIZE])
