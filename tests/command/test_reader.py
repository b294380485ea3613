"""One reader for many connections, over real sockets, one round at a time."""

from __future__ import annotations

import socket
import struct

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from labnet.command import reader
from labnet.command.framing import SETTLE
from labnet.command.protocol import CommandFactory, CommandProtocol
from labnet.command.reader import ROUND, SEGMENT, SharedReader, shared_reader
from tests.command.running import INVALID, TIME, RunningServer
from tests.fakes import MemoryReactor


class Connection:
    """The server's end of a pair of sockets; ``there`` is the client's."""

    def __init__(self, test: SharedReaderTests) -> None:
        self.here, self.there = socket.socketpair()
        self.here.setblocking(False)
        self.received: list[bytes] = []
        self.events: list[str] = []
        self.does = lambda: None
        for sock in self.here, self.there:
            test.addCleanup(sock.close)
        test.reader.add(self.here.fileno(), self)

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)
        self.does()

    def read_by_reactor(self) -> None:
        self.events.append("given back")

    def abort(self) -> None:
        self.events.append("aborted")


class SharedReaderTests(SynchronousTestCase):
    """The reader by itself."""

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.rounds = 0
        self.reader = SharedReader(self.reactor, self._begin)

    def _begin(self) -> None:
        self.rounds += 1

    def test_it_is_a_descriptor_of_the_reactor(self) -> None:
        """Which waits for it while it has connections, and only then."""
        self.assertTrue(verifyObject(IReadDescriptor, self.reader))
        self.assertEqual(self.reader.logPrefix(), "SharedReader")
        first, second = Connection(self), Connection(self)
        self.assertEqual(self.reactor.readers, {self.reader})
        self.reader.remove(first.here.fileno())
        self.reader.remove(first.here.fileno())
        self.assertEqual(self.reactor.readers, {self.reader})
        self.reader.remove(second.here.fileno())
        self.assertEqual(self.reactor.readers, set())

    def test_each_that_is_ready_is_read_once_in_a_round(self) -> None:
        """The others are not; the moment of the round is looked at once."""
        connections = [Connection(self) for _ in range(3)]
        for connection in connections[:2]:
            connection.there.send(b"TIME\n")
        self.reader.doRead()
        self.assertEqual([connection.received for connection in connections], [[b"TIME\n"], [b"TIME\n"], []])
        self.reader.doRead()
        self.assertEqual(connections[0].received, [b"TIME\n"])
        self.assertEqual(self.rounds, 2)

    def test_a_segment_is_bounded(self) -> None:
        """Of whatever length, all of it comes, in its order."""
        for length in 447, 448, 449, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT:
            connection = Connection(self)
            sent = bytes(number % 251 for number in range(length))
            connection.there.send(sent)
            self.reader.doRead()
            self.assertEqual(len(connection.received[0]), min(length, SEGMENT))
            for _ in range(3):
                self.reader.doRead()
            self.assertEqual(b"".join(connection.received), sent)
            self.assertEqual(connection.events, [])

    def test_a_round_is_bounded(self) -> None:
        """Then the reactor's other descriptors have their turn; nobody is passed over in the next."""
        connections = [Connection(self) for _ in range(ROUND + 5)]
        for connection in connections:
            connection.there.send(b"x")
        self.reader.doRead()
        self.assertEqual(sum(len(connection.received) for connection in connections), ROUND)
        self.reader.doRead()
        self.assertEqual([connection.received for connection in connections], [[b"x"]] * (ROUND + 5))

    def test_the_end_of_the_input_is_the_reactors_to_see(self) -> None:
        """With what came before it, unread; so is a reset."""
        for leave in (lambda sock: sock.shutdown(socket.SHUT_WR)), socket.socket.close:
            connection = Connection(self)
            connection.there.send(b"TIME\n")
            leave(connection.there)
            self.reader.doRead()
            self.assertEqual((connection.received, connection.events), ([], ["given back"]))
            self.assertEqual(connection.here.recv(100), b"TIME\n")
            self.assertEqual(self.reactor.readers, set())

    def test_a_read_that_fails_is_the_reactors_to_see(self) -> None:
        """One that would block is none at all."""
        connection = Connection(self)
        connection.there.send(b"x")
        self.patch(reader.os, "read", self._raise(BlockingIOError()))
        self.reader.doRead()
        self.assertEqual(connection.events, [])
        self.patch(reader.os, "read", self._raise(ConnectionResetError()))
        self.reader.doRead()
        self.assertEqual(connection.events, ["given back"])

    def _raise(self, error: OSError) -> object:
        def read(fileno: int, size: int) -> bytes:
            raise error

        return read

    def test_one_that_another_has_closed_in_the_round_is_passed_over(self) -> None:
        """As when an EXIT is followed by others' commands."""
        first, second = Connection(self), Connection(self)
        first.does = lambda: self.reader.remove(second.here.fileno())
        second.does = lambda: self.reader.remove(first.here.fileno())
        for connection in first, second:
            connection.there.send(b"x")
        self.reader.doRead()
        self.assertEqual(len(first.received) + len(second.received), 1)

    def test_a_fault_in_one_ends_that_one(self) -> None:
        """It is logged, and the others are served."""
        first, second = Connection(self), Connection(self)
        first.does = lambda: 1 // 0
        for connection in first, second:
            connection.there.send(b"x")
        self.reader.doRead()
        self.assertEqual((first.events, second.events, second.received), (["aborted"], [], [b"x"]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_socket_that_was_closed_can_be_removed(self) -> None:
        """Its number may then come back with another connection."""
        connection = Connection(self)
        number = connection.here.fileno()
        connection.here.close()
        self.reader.remove(number)
        self.assertEqual(self.reactor.readers, set())

    def test_where_the_reactor_gives_it_up_every_connection_is_the_reactors(self) -> None:
        """None of them is lost."""
        connections = [Connection(self) for _ in range(3)]
        self.reader.connectionLost(Failure(ConnectionLost()))
        self.assertEqual([connection.events for connection in connections], [["given back"]] * 3)

    def test_without_epoll_there_is_none(self) -> None:
        """The reactor reads then."""
        self.patch(reader, "select", object())
        self.assertIsNone(shared_reader(self.reactor, self._begin))


class ReadTogetherTests(RunningServer):
    """Connections of the command server that the reader reads: what differs from those that the reactor does."""

    def tearDown(self) -> None:
        self.service.stopService()
        for transport in [one for one in self.reactor.writers if isinstance(one, tcp.Server)]:
            transport.connectionLost(Failure(ConnectionDone()))
        super().tearDown()

    @property
    def is_reading(self) -> bool:
        """Whether the reactor waits for the reader."""
        return self.service.reader in self.reactor.readers

    def connect(self) -> socket.socket:
        """A client over a real socket; what it was greeted with is read."""
        here, there = socket.socketpair()
        self.addCleanup(there.close)
        there.settimeout(0)
        protocol = CommandFactory(self.service).buildProtocol(None)
        assert isinstance(protocol, CommandProtocol)
        self.transport = tcp.Server(here, protocol, ("127.0.0.1", 39770), None, 0, self.reactor)
        protocol.makeConnection(self.transport)
        self.assertIn(b"39770", there.recv(1000))
        return there

    def served(self, sock: socket.socket, data: bytes) -> bytes:
        """The reply to ``data`` after one round."""
        sock.send(data)
        self.service.reader.doRead()
        return self.waiting(sock)

    def waiting(self, sock: socket.socket) -> bytes:
        try:
            return sock.recv(100_000)
        except BlockingIOError:
            return b""

    def test_a_reply_goes_to_the_socket_at_once(self) -> None:
        """The reactor has nothing to write, for TIME or for anything else."""
        self.start()
        sock = self.connect()
        for command, reply in (
            (b"TIME\n", TIME),
            (b"TIME\r\n", TIME),
            (b"TIME\nfoo\n", TIME + INVALID),
            (b"\n", INVALID),
            (b"TIME\n" * 100, TIME * 100),
            (b"TIME\r\n" * 300, TIME * 300),
            (b"TIME\r\nTIME\n", TIME * 2),
        ):
            self.assertEqual(self.served(sock, command), reply)
            self.assertEqual(self.reactor.writers, set())
        self.assertEqual(self.counted("labnet_commands_total"), {"TIME": 405, "invalid": 2})

    def test_time_goes_on(self) -> None:
        """It is looked at in every round."""
        self.start(timeout=60)
        sock = self.connect()
        for _ in range(3):
            self.assertEqual(self.served(sock, b"TIME\n"), self.time())
            self.reactor.advance(1)

    def test_time_keeps_the_connection_alive(self) -> None:
        """TIME on the fast path is a command like any other."""
        self.start(timeout=10)
        sock = self.connect()
        for _ in range(3):
            self.reactor.advance(9)
            self.assertEqual(self.served(sock, b"TIME\n"), self.time())
        self.assertEqual(len(self.service.gate.sessions), 1)

    def test_a_command_behind_an_unfinished_one_is_none_of_its_own(self) -> None:
        """The fast path takes complete commands with nothing before them."""
        self.start()
        sock = self.connect()
        self.assertEqual(self.served(sock, b"TIMES "), b"")
        self.assertEqual(self.served(sock, b"TIME\n"), INVALID)
        self.assertEqual(self.served(sock, b"TIME"), b"")
        self.reactor.advance(SETTLE)
        self.assertEqual(self.waiting(sock), TIME)
        self.assertEqual(self.served(sock, b"\n"), b"")
        self.assertEqual(self.served(sock, b"TIME\n"), TIME)

    def test_what_the_socket_refuses_waits_its_turn(self) -> None:
        """No reply is lost, doubled or out of order when the client stops to read and reads on."""
        self.start()
        sock = self.connect()
        self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sent = received = b""
        for number in range(3000):
            command = b"TIME\n" if number % 3 else b"%d\n" % number
            if self.is_reading:
                sent += TIME if number % 3 else INVALID
                sock.send(command)
                self.service.reader.doRead()
            if number % 700 == 699:
                received += self.waiting(sock)
                while self.transport in self.reactor.writers:
                    self.assertIsNone(self.transport.doWrite())
                    received += self.waiting(sock)
        self.assertGreater(len(received), 4096)
        while self.transport in self.reactor.writers:
            self.assertIsNone(self.transport.doWrite())
            received += self.waiting(sock)
        self.assertEqual(received + self.waiting(sock), sent)

    def test_the_fast_path_does_not_overtake_replies_that_wait(self) -> None:
        """The client has read, and the transport has not written yet: replies queue up behind what it has."""
        self.start()
        sock = self.connect()
        self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sent = received = b""
        while self.transport not in self.reactor.writers:
            sock.send(b"TIME\n")
            self.service.reader.doRead()
            sent += TIME
        received += self.waiting(sock)
        for command, reply in (b"foo\n", INVALID), (b"TIME\n", TIME), (b"foo\n", INVALID), (b"TIME\n", TIME):
            sock.send(command)
            self.service.reader.doRead()
            sent += reply
        while self.transport in self.reactor.writers:
            self.assertIsNone(self.transport.doWrite())
        self.assertEqual(received + self.waiting(sock), sent)
        self.assertEqual(self.served(sock, b"TIME\n") + self.served(sock, b"TIME\n"), TIME * 2)

    def test_one_that_does_not_read_is_read_no_more(self) -> None:
        """What the server holds for it is bounded by a segment and the replies to a batch of its commands."""
        self.start(replies="transcript")
        sock = self.connect()
        self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        rounds = 0
        while self.is_reading:
            rounds += 1
            self.assertLess(rounds, 1000)
            sock.send(b"\n" * SEGMENT)
            self.service.reader.doRead()
        held = len(self.transport.dataBuffer) + self.transport._tempDataLen
        self.assertGreater(held, 0)
        self.assertLess(held, 16_384)

    def test_a_client_that_half_closes_is_answered_by_the_reactor(self) -> None:
        """It reads the rest, and sees the end."""
        self.start()
        sock = self.connect()
        sock.send(b"TIME\nTIME")
        sock.shutdown(socket.SHUT_WR)
        self.service.reader.doRead()
        self.assertIn(self.transport, self.reactor.readers)
        self.assertFalse(self.is_reading)
        self.assertIsNone(self.transport.doRead())
        self.assertIsNotNone(why := self.transport.doRead())
        self.transport.readConnectionLost(Failure(why))
        self.transport.stopReading()
        self.assertEqual(self.waiting(sock), TIME * 2)
        self.assertEqual(self.service.gate.sessions, [])

    def test_a_connection_that_is_lost_leaves_the_reader(self) -> None:
        """Whoever found out; its number may come back with the next connection."""
        self.start()
        self.connect()
        self.transport.connectionLost(Failure(ConnectionLost()))
        self.assertFalse(self.is_reading)
        self.assertEqual(self.served(self.connect(), b"TIME\n"), TIME)
        self.transport.unregisterProducer()
        self.transport.connectionLost(Failure(ConnectionLost()))
        self.assertFalse(self.is_reading)

    def test_a_reset_is_found_by_the_transport(self) -> None:
        """A reply to one that is gone is no fault."""
        self.start()
        sock = self.connect()
        sock.send(b"TIME\n")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.patch(reader.os, "write", lambda fileno, data: (_ for _ in ()).throw(BrokenPipeError()))
        self.service.reader.doRead()
        sock.close()
        self.assertIn(self.transport, self.reactor.writers)
        why = self.transport.doWrite()
        self.assertIsNotNone(why)
        self.transport.connectionLost(Failure(why))
        self.assertEqual(self.service.gate.sessions, [])

    def test_a_subclass_is_read_too_and_takes_the_full_path(self) -> None:
        """Its lineReceived sees every line."""
        self.start()

        class Echo(CommandProtocol):
            def lineReceived(self, line: bytes) -> None:
                self.sendLine(line)

        here, there = socket.socketpair()
        self.addCleanup(there.close)
        there.settimeout(0)
        protocol = Echo(self.service)
        protocol.makeConnection(tcp.Server(here, protocol, ("127.0.0.1", 1), None, 0, self.reactor))
        there.recv(1000)
        self.assertEqual(self.served(there, b"TIME\n"), b"TIME\n")
        self.assertEqual(self.served(there, b"TIME\none\n"), b"TIME\none\n")
