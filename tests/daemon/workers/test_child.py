"""One worker: its orders, and what it tells."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.config import reading
from labnet.console.encoding import unpacked
from labnet.console.ring import TICK
from labnet.daemon.running.reload import load_lab
from labnet.daemon.workers.child import ORPHANED, SupervisorProtocol, WorkerLab
from labnet.daemon.workers.messages import encoded_message
from labnet.daemon.workers.orders import Orders
from labnet.resolver.cache.lines import decode_line, encode_line
from labnet.resolver.cache.policy import entry_of_mapping
from labnet.wire.names import key_of
from labnet.wire.types import Mapping
from tests.console.happenings import exchange
from tests.fakes import MemoryReactor

ORDERS = Orders(1, 2, 3, "control.sock.1", "00" * 16, True, 0.0, [])
LINE = "www.example.org,1.2.3.4,60,1,1700000000"


class Transport(StringTransport):
    """Standard input and output."""


class ProtocolTestCase(SynchronousTestCase):
    """A worker's end of its standard input and output."""

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.ended: list[bool] = []
        self.protocol = SupervisorProtocol(self.reactor, self.ended.append)
        self.transport = Transport()

    def told(self) -> list[dict[str, Any]]:
        lines = self.transport.value().splitlines()
        self.transport.clear()
        return [json.loads(line) for line in lines]


class ProtocolTests(ProtocolTestCase):
    """What is said either way."""

    def test_before_it_is_connected(self) -> None:
        """What is told and logged before goes to standard output at once; what is learned is nobody's."""
        written = io.BytesIO()
        with mock.patch.object(sys, "stdout", io.TextIOWrapper(written)):
            self.protocol.send(failed="no")
            self.protocol.log({"log_level": LogLevel.warn, "log_format": "so", "log_namespace": "x", "log_time": 0.0})
            lines = written.getvalue().splitlines()
        first, second = lines
        self.assertEqual(json.loads(first), {"failed": "no"})
        self.assertEqual(json.loads(second)["log"]["message"], "so")
        self.protocol.learn("main", decode_line(LINE, "x"))

    def test_what_it_learns(self) -> None:
        """What it learned is told in a batch at the end of the turn."""
        self.protocol.makeConnection(self.transport)
        self.protocol.send(up=7)
        self.protocol.learn("main", decode_line(LINE, "x"))
        self.assertEqual(self.told(), [{"up": 7}])
        self.reactor.advance(0)
        self.assertEqual(self.told(), [{"learned": {"main": ["www.example.org,1.2.3.4,60,1,1700000000.0"]}}])

    def test_what_others_learned(self) -> None:
        """What others learned is called out; the rest of a half line is passed over."""
        learned: list[Any] = []
        self.protocol.learned = lambda resolver, kept: learned.append((resolver, encode_line(kept)))
        self.protocol.makeConnection(self.transport)
        self.protocol.dataReceived(b'ned":{"main":[]}}\n' + encoded_message(learned={"main": [LINE]}))
        self.assertEqual(learned, [("main", LINE + ".0")])
        self.assertEqual(self.ended, [])

    def test_the_end_in_order(self) -> None:
        """It is told to end, once, and that its input closes then is no surprise."""
        self.protocol.makeConnection(self.transport)
        self.protocol.dataReceived(encoded_message(stop=True))
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.ended, [True])

    def test_the_supervisor_is_gone(self) -> None:
        """An input that just closes is the supervisor's end."""
        self.protocol.makeConnection(self.transport)
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.ended, [False])
        self.protocol.learn("main", decode_line(LINE, "x"))


class LabTests(ProtocolTestCase):
    """The lab of a worker."""

    def lab(self) -> WorkerLab:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        table = {"resolver": {"main": {"listen": "udp:1199"}}, "console": {"control": None}, "command": {}}
        built = reading.build(table, folder.name, str(Path(folder.name)))
        arguments = load_lab(lambda: built, self.reactor.seconds())
        return WorkerLab(ORDERS, self.protocol, *arguments, self.reactor)

    def test_what_is_learned_goes_both_ways(self) -> None:
        """What its resolver learns is told, what another's did is known; of a resolver that is gone nothing is."""
        lab = self.lab()
        self.protocol.makeConnection(self.transport)
        mapping = Mapping("www.example.org", "1.2.3.4", 60, True, self.reactor.seconds())
        question, entry = entry_of_mapping(key_of(mapping.name), mapping, "x")
        self.protocol.learned("main", (question, entry))
        self.protocol.learned("gone", (question, entry))
        self.assertEqual(next(iter(lab.dump("main"))).split()[:5], ["www.example.org.", "60", "IN", "A", "1.2.3.4"])
        self.assertEqual(self.told(), [])
        lab.resolvers["main"].learning.keep([(question, entry)])
        self.reactor.advance(0)
        self.assertEqual(list(self.told()[0]["learned"]), ["main"])

    def test_exit_is_told(self) -> None:
        """EXIT is told, for the next worker not to open the command server again."""
        lab = self.lab()
        self.protocol.makeConnection(self.transport)
        lab._command_exited()
        self.assertEqual(self.told(), [{"exited": True}])

    def test_a_notify_is_for_the_supervisor(self) -> None:
        """Which has the zones of other servers; a worker has none."""
        lab = self.lab()
        self.protocol.makeConnection(self.transport)
        lab.resolvers["main"]._notified(b"\3lab\0", 6, "192.0.2.1")
        self.assertEqual(self.told(), [{"notified": ["main", b"\3lab\0".hex(), 6, "192.0.2.1"]}])

    def test_without_a_supervisor_it_hurries(self) -> None:
        """A worker whose supervisor is gone takes a moment for what is in flight, no more."""
        lab = self.lab()
        lab.hurry()
        self.assertEqual(lab.config.lab.grace, ORPHANED)

    def test_what_happens_is_told_while_the_supervisor_watches(self) -> None:
        """Its ids tell the workers apart."""
        lab = self.lab()
        self.protocol.makeConnection(self.transport)
        self.protocol.dataReceived(encoded_message(watch=True))
        self.assertTrue(lab.resolvers["main"].counts.events.watched)
        lab.ring.happened(exchange(lab.ring.new_id()))
        self.reactor.advance(TICK)
        (message,) = self.told()
        self.assertEqual(unpacked(message["events"][0]), exchange("1-1"))
        self.protocol.dataReceived(encoded_message(watch=False))
        self.assertFalse(lab.ring.watched)
