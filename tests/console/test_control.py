"""The control socket: requests, replies, long results, and the socket itself."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.logger import Logger, LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.actions import actions_of
from labnet.console.control import (
    LONGEST_REQUEST,
    ControlError,
    ControlFactory,
    ControlProtocol,
    ControlServer,
)
from labnet.interfaces import StartError
from labnet.net.opening.unixpath import LONGEST_PATH


class Transport(StringTransport):
    """As those of sockets: who is asked for data is asked at once."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        if not streaming:
            producer.resumeProducing()


class ControlTestCase(SynchronousTestCase):
    """A test with a folder, and a server of its actions."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = str(self.folder / "var" / "control.sock")
        self.events: list[tuple[LogLevel, str]] = []
        observer = lambda event: self.events.append((event["log_level"], formatEvent(event)))  # noqa: E731
        self.patch(ControlServer, "log", Logger(namespace="control", observer=observer))
        self.later: Deferred[Any] = Deferred()
        self.reactor = MemoryReactor()
        actions = {
            "echo": lambda request: request,
            "later": lambda request: self.later,
            "refuse": self._refuse,
            "break": self._break,
            "many": lambda request: iter(["x" * 100] * request["count"]),
            "half": lambda request: self._half(),
        }
        self.server = ControlServer(self.path, actions, self.reactor)

    def _refuse(self, request: dict[str, Any]) -> None:
        raise ControlError("there is no such thing")

    def _break(self, request: dict[str, Any]) -> None:
        raise RuntimeError("a fault")

    def _half(self) -> Iterator[str]:
        yield "one"
        raise RuntimeError("a fault")

    def connected(self) -> tuple[ControlProtocol, StringTransport]:
        protocol = ControlFactory(self.server).buildProtocol(None)
        transport = Transport()
        protocol.makeConnection(transport)
        return protocol, transport

    def replies(self, transport: StringTransport) -> list[dict[str, Any]]:
        """What was sent since the last call."""
        lines = transport.value().splitlines()
        transport.clear()
        return [json.loads(line) for line in lines]

    def ask(self, *lines: bytes) -> list[dict[str, Any]]:
        protocol, transport = self.connected()
        for line in lines:
            protocol.dataReceived(line + b"\n")
        return self.replies(transport)


class RequestTests(ControlTestCase):
    """One request after the other."""

    def test_a_result_is_sent(self) -> None:
        """An action gets the fields of the request, and its result is the reply's."""
        self.assertEqual(self.ask(b'{"do": "echo", "a": [1]}'), [{"ok": True, "result": {"a": [1]}}])

    def test_a_sentence_for_who_asked_is_sent(self) -> None:
        """A ControlError is the reply's error, and is not logged."""
        self.assertEqual(self.ask(b'{"do": "refuse"}'), [{"ok": False, "error": "there is no such thing"}])
        self.assertEqual(self.events, [])

    def test_a_fault_is_logged_once_and_not_told(self) -> None:
        """Any other exception is in the log, once until the action works again, and not in the reply."""
        error = {"ok": False, "error": "break failed; the log says how"}
        self.assertEqual(self.ask(b'{"do": "break"}', b'{"do": "break"}'), [error, error])
        self.assertEqual(self.events, [(LogLevel.critical, "break failed")])
        self.server.done("break")
        self.ask(b'{"do": "break"}')
        self.assertEqual(len(self.events), 2)

    def test_garbage_gets_an_error(self) -> None:
        """Whatever is no request gets an error that says what one is, and the next request is served."""
        garbage = [b"", b"\x00\xff", b"[]", b"7", b"{}", b'{"do": []}', b'{"do": "no"}', b"[" * 100_000]
        for line in garbage:
            with self.subTest(line=line[:10]):
                first, second = self.ask(line, b'{"do": "echo"}')
                self.assertFalse(first["ok"])
                self.assertIn("NAME one of: break, echo", first["error"])
                self.assertEqual(second, {"ok": True, "result": {}})
        self.assertEqual(self.events, [])

    def test_a_request_too_long_ends_the_connection(self) -> None:
        """A line longer than the limit is answered by an error, and the connection is closed."""
        protocol, transport = self.connected()
        protocol.dataReceived(b"x" * (LONGEST_REQUEST + 1))
        self.assertEqual(self.replies(transport)[0]["ok"], False)
        self.assertTrue(transport.disconnecting)

    def test_replies_keep_the_order(self) -> None:
        """While an action takes its time, the next request waits, and so does who sends."""
        protocol, transport = self.connected()
        protocol.dataReceived(b'{"do": "later"}\n{"do": "echo"}\n')
        self.assertEqual(self.replies(transport), [])
        self.assertEqual(transport.producerState, "paused")
        self.later.callback(1)
        self.assertEqual([reply["result"] for reply in self.replies(transport)], [1, {}])
        self.assertEqual(transport.producerState, "producing")

    def test_a_lost_connection_cancels(self) -> None:
        """Who is gone has the action cancelled, and nothing is logged."""
        protocol, _ = self.connected()
        protocol.dataReceived(b'{"do": "later"}\n')
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(self.later.called)
        self.assertEqual(self.events, [])
        self.assertEqual(self.server.sessions, set())
        self.assertNotIsInstance(self.later.result, CancelledError)


class LongResultTests(ControlTestCase):
    """Results that come in several replies."""

    def test_a_long_result_comes_as_it_is_taken(self) -> None:
        """Each reply holds what fits, and the next is made when the transport asks for it; then requests go on."""
        protocol, transport = self.connected()
        protocol.dataReceived(b'{"do": "many", "count": 1500}\n{"do": "echo"}\n')
        first = self.replies(transport)
        self.assertEqual(len(first), 1)
        self.assertTrue(first[0]["more"])
        producer: Any = transport.producer
        producer.resumeProducing()
        second = self.replies(transport)
        self.assertTrue(second[0]["more"])
        producer.resumeProducing()
        last, echo = self.replies(transport)
        self.assertNotIn("more", last)
        self.assertEqual(sum(len(reply["result"]) for reply in (*first, *second, last)), 1500)
        self.assertEqual(echo["result"], {})
        self.assertIsNone(transport.producer)

    def test_a_short_one_is_one_reply(self) -> None:
        """What fits into one reply is one."""
        self.assertEqual(self.ask(b'{"do": "many", "count": 1}'), [{"ok": True, "result": ["x" * 100]}])

    def test_a_fault_on_the_way_is_an_error(self) -> None:
        """Where the items fail, the reply is an error, and the next request is served."""
        failed, echo = self.ask(b'{"do": "half"}', b'{"do": "echo"}')
        self.assertEqual(failed["ok"], False)
        self.assertEqual(echo["ok"], True)
        self.assertEqual(self.events[0][1], "sending the result failed")

    def test_who_leaves_stops_it(self) -> None:
        """A connection that is lost in the middle ends it."""
        protocol, transport = self.connected()
        protocol.dataReceived(b'{"do": "many", "count": 3000}\n')
        producer: Any = transport.producer
        producer.stopProducing()
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertIsNone(transport.producer)


class SocketTests(ControlTestCase):
    """The socket's file."""

    def listening(self) -> socket.socket:
        os.makedirs(os.path.dirname(self.path))
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.bind(self.path)
        sock.listen(1)
        return sock

    def start(self) -> None:
        self.server.privilegedStartService()
        self.server.startService()
        self.addCleanup(self.server.stopService)

    def test_it_is_its_owners_alone_from_the_first_moment(self) -> None:
        """The mode is 0600 and the umask while it is made leaves no more; the umask is put back."""
        seen: list[int] = []

        def listen(path: str, factory: Any, mode: int) -> Any:
            now = os.umask(0)
            os.umask(now)
            seen.extend((now, mode))
            return mock.Mock(stopListening=lambda: None)

        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        self.patch(self.reactor, "listenUNIX", listen)
        self.start()
        self.assertEqual(seen, [0o177, 0o600])
        self.assertEqual(os.umask(0o022), 0o022)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder / "var").st_mode), 0o755)

    def test_a_dead_ones_is_replaced(self) -> None:
        """The socket that a dead process left is removed."""
        self.listening().close()
        self.start()
        self.assertFalse(os.path.lexists(self.path))
        self.assertEqual(self.reactor.unixServers[0][0], self.path)

    def test_a_living_ones_is_an_error(self) -> None:
        """The socket of a lab that runs is a StartError in one line, before anything is opened."""
        self.listening()
        with self.assertRaises(StartError) as caught:
            self.server.privilegedStartService()
        says = (
            "is the control socket of another lab that runs: stop that one, or set [lab] `state` or [console] `control`"
        )
        self.assertEqual(str(caught.exception), f"labnet: {self.path} {says}")

    def test_a_living_one_that_is_busy_is_an_error(self) -> None:
        """So is one whose queue is full."""
        self.listening()
        for _ in range(3):
            client = socket.socket(socket.AF_UNIX)
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex(self.path)
        with self.assertRaises(StartError):
            self.server.privilegedStartService()

    def test_a_long_path_is_an_error(self) -> None:
        """A path of more bytes than a UNIX socket's can have is a StartError that says how many."""
        server = ControlServer("/" + "ä" * (LONGEST_PATH // 2 + 1), {}, self.reactor)
        with self.assertRaises(StartError) as caught:
            server.privilegedStartService()
        self.assertIn("107 bytes at most", str(caught.exception))

    def test_what_cannot_be_opened_is_said(self) -> None:
        """A folder that is none, a file in the way or a socket that is refused cost the control socket alone."""
        refused = CannotListenError(None, self.path, OSError(13, "Permission denied"))
        for spoil, says in (
            (lambda: (self.folder / "var").write_text(""), "File exists"),
            (lambda: (os.mkdir(self.folder / "var"), Path(self.path).write_text("mine")), "is no socket"),
            (lambda: self.patch(self.reactor, "listenUNIX", mock.Mock(side_effect=refused)), "Permission denied"),
        ):
            self.events.clear()
            spoil()
            self.start()
            self.assertEqual(self.events[0][0], LogLevel.warn)
            self.assertIn(says, self.events[0][1])
            if (self.folder / "var").is_file():
                os.unlink(self.folder / "var")
            elif os.path.lexists(self.path):
                os.unlink(self.path)

    def test_the_end_closes_connections(self) -> None:
        """A stop closes the port and every connection, and leaves no file, whoever removed it before."""
        self.start()
        _, transport = self.connected()
        self.successResultOf(self.server.stopService())
        self.assertTrue(transport.disconnecting)
        self.assertEqual(os.listdir(self.folder / "var"), [])
        self.successResultOf(self.server.stopService())


class ActionTests(SynchronousTestCase):
    """What may be asked of a lab."""

    def setUp(self) -> None:
        self.lab = mock.Mock()
        self.actions = actions_of(self.lab)

    def test_each_goes_to_the_lab(self) -> None:
        """Every action is the lab's method of that name."""
        self.lab.samples.return_value = iter([("family", (), 1)])
        self.lab.dump.return_value = ["a line"]
        self.assertIs(self.actions["status"]({}), self.lab.status.return_value)
        self.assertEqual(self.successResultOf(self.actions["samples"]({})), [("family", (), 1)])
        self.assertIs(self.actions["reload"]({}), self.lab.reload.return_value)
        self.assertIs(self.actions["flush"]({"name": "a.b"}), self.lab.flush.return_value)
        self.lab.flush.assert_called_once_with("a.b")
        self.assertEqual(list(self.actions["dump"]({"resolver": "main"})), ["a line"])
        self.lab.dump.assert_called_once_with("main")

    def test_what_is_missing_is_said(self) -> None:
        """A request without its name, or for no resolver there is, gets a sentence."""
        self.assertRaises(ControlError, self.actions["flush"], {"name": 7})
        self.lab.dump.side_effect = ValueError("there is no resolver 'x'")
        with self.assertRaisesRegex(ControlError, "there is no resolver 'x'"):
            self.actions["dump"]({"resolver": "x"})
