"""Tests for :mod:`labnet.net.tls.server`."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.tls.credentials import read_credentials
from labnet.net.tls.server import ServerTLS, TLSFactory
from tests import certificates
from tests.certificates import TLSClient, trusting

RECORD = b"\x17\x03\x03"


class Echo(Protocol):
    """Says each byte by itself, and ``.`` ends it."""

    def dataReceived(self, data: bytes) -> None:
        for byte in data:
            self.transport.write(bytes((byte,)))
        if data.endswith(b"."):
            self.transport.loseConnection()


class Wire:
    """A connection in memory; ``segments`` are the server's writes since it was asked last."""

    def __init__(self, protocol: Any) -> None:
        self.transport = StringTransport(lenient=True)
        self.protocol = protocol
        protocol.makeConnection(self.transport)

    def send(self, *segments: bytes) -> None:
        for segment in segments:
            self.protocol.dataReceived(segment)

    def received(self) -> bytes:
        data = self.transport.value()
        self.transport.clear()
        return data


class ServerTLSTests(SynchronousTestCase):
    """Connections of a server."""

    def connect(self) -> tuple[TLSClient, Any, Clock]:
        clock: Any = Clock()
        tls = ServerTLS(read_credentials(*certificates.server()), [b"x"])
        wire = Wire(TLSFactory(tls, ServerFactory.forProtocol(Echo), clock).buildProtocol(None))
        return TLSClient(wire, trusting("x")), wire, clock

    def test_what_is_written_while_reading_goes_out_at_once_in_one_record(self) -> None:
        client, wire, clock = self.connect()
        client.received()
        client.tls.write(b"abc")
        wire.send(client._out.read())
        said = wire.received()
        self.assertEqual((said[:3], len(said)), (RECORD, 5 + int.from_bytes(said[3:5], "big")))
        self.assertEqual(clock.getDelayedCalls(), [])
        client._in.write(said)
        self.assertEqual(client.received(), b"abc")

    def test_what_comes_in_the_records_of_one_segment_is_read_as_one(self) -> None:
        client, wire, _ = self.connect()
        client.received()
        read: list[bytes] = []
        self.patch(Echo, "dataReceived", lambda echo, data: read.append(data))
        for part in b"ab", b"c", b"def":
            client.tls.write(part)
        segment = client._out.read()
        self.assertEqual(segment.count(RECORD), 3)
        wire.send(segment[:-3], segment[-3:])
        self.assertEqual(read, [b"abc", b"def"])

    def test_the_last_words_come_before_the_end(self) -> None:
        client, _, _ = self.connect()
        client.send(b"bye.")
        self.assertEqual(client.received(), b"bye.")
        self.assertEqual(client.received(), b"")
