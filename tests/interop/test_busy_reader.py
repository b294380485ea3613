"""The shared reader of the command server, while its connections keep it busy, on the real reactor."""

from __future__ import annotations

import socket
from typing import Any

import pytest_twisted
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from labnet.command.reader import SharedReader
from labnet.net.batches.busypoll import FEW

reactor: Any = default_reactor


class Connection:
    """One end of a pair of sockets; ``reader`` reads it, and what comes has the next byte come at once."""

    def __init__(self, reader: SharedReader) -> None:
        self.reader = reader
        self.here, self.there = socket.socketpair()
        self.here.setblocking(False)
        self.is_talking = True
        self.came = 0
        self.kept = 0
        self.there.send(b"x")
        reader.add(self.here.fileno(), self)

    def dataReceived(self, data: bytes) -> None:
        self.came += len(data)
        self.kept += self.reader not in reactor.getReaders()
        if self.is_talking:
            self.there.send(b"x")

    def read_by_reactor(self) -> None:
        raise AssertionError("nothing is wrong with it")

    def abort(self) -> None:
        raise AssertionError("nothing is wrong with it")

    def close(self) -> None:
        self.reader.remove(self.here.fileno())
        self.here.close()
        self.there.close()


@pytest_twisted.ensureDeferred
async def test_a_busy_reader_waits_by_itself_and_lets_others_go_on() -> None:
    """It leaves the reactor, comes back for each timer, and reads on when connections come after all had gone."""
    reader = SharedReader(reactor, lambda: None)
    for _ in range(2):
        connections = [Connection(reader) for _ in range(2 * FEW)]
        while not all(connection.kept > 3 for connection in connections):
            await deferLater(reactor, 0.005)  # a timer that is due at once would leave it no time of its own
        for connection in connections:
            connection.is_talking = False
        await deferLater(reactor, 0.01)
        assert reader in reactor.getReaders()
        for connection in connections:
            connection.close()
        assert reader not in reactor.getReaders()


@pytest_twisted.ensureDeferred
async def test_the_last_connection_goes_while_it_waits() -> None:
    """Then there is nothing to come back for."""
    reader = SharedReader(reactor, lambda: None)
    connections = [Connection(reader) for _ in range(2 * FEW)]
    gone: Deferred[None] = Deferred()
    received = connections[0].dataReceived

    def close_all(data: bytes) -> None:
        received(data)
        if connections[0].kept:
            for connection in connections:
                connection.close()
            gone.callback(None)

    connections[0].dataReceived = close_all
    await gone
    await deferLater(reactor, 0)
    assert reader not in reactor.getReaders()
